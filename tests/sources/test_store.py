"""The store as the environment describes it."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from massie.sources import SourceStore
from massie.types import SourceError


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASSIE_CACHE", "MASSIE_MIRROR", "MASSIE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_there_is_the_users_cache_and_no_mirror():
    assert SourceStore.from_environment() == SourceStore(cache=platformdirs.user_cache_path("massie"))


def test_the_environment_names_mirror_and_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("MASSIE_MIRROR", str(tmp_path))
    monkeypatch.setenv("MASSIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MASSIE_OFFLINE", "1")
    assert SourceStore.from_environment() == SourceStore(cache=tmp_path / "cache", mirror=tmp_path, offline=True)


def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("MASSIE_MIRROR", str(tmp_path))
    assert SourceStore.from_environment(mirror=tmp_path / "other").mirror == tmp_path / "other"


def test_empty_settings_are_none(monkeypatch: pytest.MonkeyPatch):
    for name in ("MASSIE_CACHE", "MASSIE_MIRROR", "MASSIE_OFFLINE"):
        monkeypatch.setenv(name, "")
    assert SourceStore.from_environment() == SourceStore(cache=platformdirs.user_cache_path("massie"))


def test_a_mirror_that_is_no_folder_is_one_error(tmp_path: Path):
    with pytest.raises(SourceError, match=r"--mirror \(MASSIE_MIRROR\): .*nowhere is not a folder"):
        SourceStore.from_environment(mirror=tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"--raw: .*nowhere is not a folder"):
        SourceStore.from_environment(raw=tmp_path / "nowhere")
