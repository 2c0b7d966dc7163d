"""Folders that a build makes: whole or not there, one process at a time, and work that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from massie.build.folders import build_folder, export_folder
from massie.types import BuildError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_there_when_all_is_done_and_not_before(tmp_path: Path):
    out = tmp_path / "deep" / "out"
    with build_folder(out) as place:
        (place / "build" / "table").touch()
        (place / "work").touch()
        assert not out.exists()
    assert names(out) == {"table"}
    assert names(out.parent) == {"out"}


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), BuildError("no"), OSError(28, "No space left on device")])
def test_work_that_fails_is_kept_beside_the_folder_and_found_again(tmp_path: Path, failure: BaseException):
    out = tmp_path / "out"
    with pytest.raises((KeyboardInterrupt, BuildError)), build_folder(out) as place:
        (place / "work").write_text("half", encoding="utf-8")
        raise failure
    assert names(tmp_path) == {".out.partial"}
    with build_folder(out) as place:
        assert (place / "work").read_text(encoding="utf-8") == "half"
        (place / "build" / "table").touch()
    assert names(out) == {"table"}
    assert names(tmp_path) == {"out"}


def test_a_full_disk_is_one_clear_error(tmp_path: Path):
    with (
        pytest.raises(BuildError, match=r"out: cannot be written: No space left on device; name another folder with"),
        build_folder(tmp_path / "out"),
    ):
        raise OSError(28, "No space left on device")


def test_of_two_builds_at_once_into_one_folder_the_second_is_refused_and_the_first_goes_on(tmp_path: Path):
    out = tmp_path / "out"
    with build_folder(out) as place:
        (place / "build" / "table").touch()
        words = r"out: another process is building it; wait for it, or name another folder"
        with pytest.raises(BuildError, match=words), build_folder(out):
            pytest.fail("it was let in")
        with build_folder(tmp_path / "other") as another:
            assert another != place
    assert names(out) == {"table"}
    assert names(tmp_path) == {"out", "other"}


def test_an_empty_folder_is_taken(tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    with build_folder(out) as place:
        (place / "build" / "table").touch()
    assert names(out) == {"table"}


def test_what_fills_the_folder_in_the_meantime_is_left_alone(tmp_path: Path):
    out = tmp_path / "out"
    with pytest.raises(BuildError, match=r"out: cannot be written: Directory not empty"), build_folder(out) as place:
        (place / "build" / "table").touch()
        out.mkdir()
        (out / "mine").touch()
    assert names(out) == {"mine"}
    assert (tmp_path / ".out.partial" / "build" / "table").exists()


def test_a_full_folder_a_file_and_the_current_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for folder, words in [
        (tmp_path, "is not an empty folder; name another with --out, or remove it first"),
        (tmp_path / "file", "is not an empty folder"),
        (Path(), "is the current folder, which cannot be replaced; name a new one with --out"),
        (tmp_path / "file" / "below", "cannot be written: .*; name another folder with --out"),
    ]:
        for make in (build_folder, export_folder):
            with pytest.raises(BuildError, match=words), make(folder):
                pytest.fail("it was let in")
    assert names(tmp_path) == {"file", "here"}
