"""Builds that are interrupted, killed and changed in between: what is done is not done again, what changed is."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark, Manifest, build_to, jobs
from massie.types import BuildError, Split

Marks = dict[str, tuple[int, int]]
DATASETS = ("amur", "niger", "zambezi")
READINGS = CELLS = 9
DEADLINE_SECONDS = 60.0


@pytest.fixture
def rivers(workshop: Any, line: Any) -> Any:
    """Three datasets of nine cells, with texts and records that repeat, within and between them."""
    for dataset in DATASETS:
        workshop.dataset(dataset, lines_of(line, dataset), languages=["swa"])
    return workshop


def lines_of(line: Callable[..., Any], dataset: str) -> list[Any]:
    return [
        line(text, *spans, split=split)
        for split in Split
        for number in range(4)
        for text in (f"Mto Nile {dataset} {split} {number}", f"Mto Nile {number}")
        for spans in ([("RIV", "Nile")], [("TOWN", "Mto")] if number % 2 else [])
    ]


def interrupted(workshop: Any, out: Path, after: int, **more: Any) -> None:
    """A build that is interrupted when so many jobs are done."""

    def stop(done: int, total: int, what: str) -> None:
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_to(out, workshop.plan(**more), stop)
    assert not out.exists()


def marks(out: Path) -> Marks:
    """Which file is which, and when it was written last, of all that a build has done so far."""
    place = out.parent / f".{out.name}.partial"
    return {
        path.relative_to(place).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in place.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def gone_on(workshop: Any, out: Path, **more: Any) -> tuple[Manifest, Marks]:
    """The same call again, and the files of its work at its end."""
    seen: Marks = {}
    manifest = build_to(out, workshop.plan(**more), lambda done, total, what: seen.update(marks(out)))
    assert not (out.parent / f".{out.name}.partial").exists()
    return manifest, seen


def changed(before: Marks, after: Marks, kind: str) -> set[str]:
    """The datasets of which files of a kind (readings, cells, build) were written again."""
    names = [name for name, mark in before.items() if name.startswith(kind) and after[name] != mark]
    return {dataset for dataset in DATASETS for name in names if re.search(rf"[/.]{dataset}[/.]", name)}


def same_as_at_once(workshop: Any, files_of: Any, out: Path, **more: Any) -> None:
    """Hold a build against one that was never interrupted."""
    fresh = out.with_name("fresh")
    workshop.build_to(fresh, **more)
    assert files_of(out) == files_of(fresh)


@pytest.mark.parametrize("after", [1, 5, READINGS, READINGS + 1, READINGS + 5, READINGS + CELLS])
def test_the_same_call_goes_on_where_another_was_interrupted(rivers: Any, files_of: Any, tmp_path: Path, after: int):
    interrupted(rivers, tmp_path / "out", after)
    before = marks(tmp_path / "out")
    assert len([name for name in before if name.endswith("done.json")]) == min(after, READINGS)
    assert len([name for name in before if name.startswith("cells/")]) == max(0, after - READINGS)
    _, seen = gone_on(rivers, tmp_path / "out")
    assert {name: seen[name] for name in before} == before
    same_as_at_once(rivers, files_of, tmp_path / "out")


def test_a_build_interrupted_again_and_again_ends_with_the_same(rivers: Any, files_of: Any, tmp_path: Path):
    for after in (1, 2, 5, 9, 10, 14, 18):
        interrupted(rivers, tmp_path / "out", after)
    gone_on(rivers, tmp_path / "out")
    same_as_at_once(rivers, files_of, tmp_path / "out")


def test_what_is_kept_is_taken_by_any_number_of_processes(rivers: Any, files_of: Any, tmp_path: Path):
    interrupted(rivers, tmp_path / "out", READINGS + 2)
    before = marks(tmp_path / "out")
    _, seen = gone_on(rivers, tmp_path / "out", workers=2)
    assert {name: seen[name] for name in before} == before
    same_as_at_once(rivers, files_of, tmp_path / "out")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", range(1, 8))
def test_wherever_writing_fails_the_folder_is_not_there_and_the_same_call_goes_on(
    rivers: Any, files_of: Any, tmp_path: Path, failure: BaseException, after: int
):
    real, calls = Path.write_text, 0

    def full(path: Path, *arguments: Any, **options: Any) -> int:
        nonlocal calls
        calls += 1
        written = real(path, *arguments, **options)
        if calls == after:
            raise failure
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(BuildError if isinstance(failure, OSError) else KeyboardInterrupt) as raised:
            rivers.build_to(tmp_path / "out", datasets=["amur"])
    assert "No space left on device" in str(raised.value) or not isinstance(failure, OSError)
    assert calls == after
    assert not (tmp_path / "out").exists()
    gone_on(rivers, tmp_path / "out", datasets=["amur"])
    same_as_at_once(rivers, files_of, tmp_path / "out", datasets=["amur"])


def test_a_raw_file_that_changed_is_read_again_and_no_other(rivers: Any, line: Any, files_of: Any, tmp_path: Path):
    interrupted(rivers, tmp_path / "out", READINGS + CELLS)
    before = marks(tmp_path / "out")
    rivers.dataset("niger", [line("Ziwa Chad", ("LAKE", "Chad"), split=split) for split in Split], languages=["swa"])
    _, seen = gone_on(rivers, tmp_path / "out")
    assert changed(before, seen, "readings") == changed(before, seen, "build") == {"niger"}
    same_as_at_once(rivers, files_of, tmp_path / "out")


def test_a_card_that_changed_is_read_again_and_no_other(rivers: Any, line: Any, files_of: Any, tmp_path: Path):
    interrupted(rivers, tmp_path / "out", READINGS + CELLS)
    before = marks(tmp_path / "out")
    rivers.dataset("niger", lines_of(line, "niger"), languages=["swa"], entities={"RIV": {"name": "stream"}})
    _, seen = gone_on(rivers, tmp_path / "out")
    assert changed(before, seen, "readings") == changed(before, seen, "cells") == {"niger"}
    same_as_at_once(rivers, files_of, tmp_path / "out")


@pytest.mark.parametrize(
    "more",
    [{"seed": 1}, {"version": "2"}, {"schemas_per_sample": 1}, {"caps": {split: {"empty": 1} for split in Split}}],
)
def test_another_definition_takes_what_is_read_and_makes_the_cells_anew(
    rivers: Any, files_of: Any, tmp_path: Path, more: dict[str, Any]
):
    interrupted(rivers, tmp_path / "out", READINGS + CELLS)
    before = marks(tmp_path / "out")
    _, seen = gone_on(rivers, tmp_path / "out", **more)
    assert changed(before, seen, "readings") == set()
    assert changed(before, seen, "cells") == changed(before, seen, "build") == set(DATASETS)
    same_as_at_once(rivers, files_of, tmp_path / "out", **more)


def test_texts_that_another_dataset_brings_in_are_filtered_from_cells_that_were_made(
    rivers: Any, line: Any, files_of: Any, tmp_path: Path
):
    interrupted(rivers, tmp_path / "out", 12, datasets=["niger", "zambezi"])
    rivers.dataset("amur", [line("Mto Nile niger train 1")], languages=["swa"])
    manifest, _ = gone_on(rivers, tmp_path / "out")
    assert any(overlap.other == "amur" and overlap.dataset == "niger" for overlap in manifest.overlaps)
    same_as_at_once(rivers, files_of, tmp_path / "out")


def test_what_an_interrupted_build_of_something_else_left_does_not_stay(rivers: Any, files_of: Any, tmp_path: Path):
    interrupted(rivers, tmp_path / "out", READINGS + CELLS, id="other")
    manifest, _ = gone_on(rivers, tmp_path / "out", datasets=["amur"])
    assert {cell.dataset for cell in manifest.cells} == {"amur"}
    assert not [name for name in files_of(tmp_path / "out") if "niger" in name or "zambezi" in name]
    same_as_at_once(rivers, files_of, tmp_path / "out", datasets=["amur"])


def test_tables_that_another_build_took_away_are_made_again(
    rivers: Any, files_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    interrupted(rivers, tmp_path / "out", READINGS + CELLS)
    real = Path.write_text

    def full(path: Path, *arguments: Any, **options: Any) -> int:
        if path.name == "manifest.json":
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(BuildError, match="No space left on device"):
            rivers.build_to(tmp_path / "out", datasets=["amur"])
    gone_on(rivers, tmp_path / "out")
    same_as_at_once(rivers, files_of, tmp_path / "out")


def test_half_a_table_is_written_again(rivers: Any, files_of: Any, tmp_path: Path):
    interrupted(rivers, tmp_path / "out", READINGS + 1)
    tables = tmp_path / ".out.partial" / "build" / "NER" / "train"
    tables.mkdir(parents=True, exist_ok=True)
    (tables / "zambezi.swa.instances.parquet").write_bytes(b"PAR1half")
    gone_on(rivers, tmp_path / "out")
    same_as_at_once(rivers, files_of, tmp_path / "out")


def broken_after(path: Path, lines: int) -> None:
    whole = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*whole[:lines], "{broken\n", *whole[lines:]]), encoding="utf-8")


def test_a_file_that_breaks_in_its_middle_leaves_no_half_cell(
    rivers: Any, files_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "ROWS", 2)
    raw = rivers.folder / "raw" / "zambezi" / "texts.jsonl"
    broken_after(raw, 13)
    manifest = rivers.build_to(tmp_path / "out")
    assert {(gap.dataset, gap.raw_split, gap.kind) for gap in manifest.gaps} == {
        ("zambezi", split, "failed") for split in Split
    }
    assert all(f"{raw}:14" in gap.reason for gap in manifest.gaps)
    assert {cell.dataset for cell in manifest.cells} == {"amur", "niger"}
    assert not [name for name in files_of(tmp_path / "out") if "zambezi" in name]
    assert Benchmark.open(tmp_path / "out").manifest == manifest
    assert rivers.build().manifest == manifest


def test_what_a_file_that_breaks_in_its_middle_left_is_never_taken_for_what_was_read_before(
    rivers: Any, line: Any, files_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "ROWS", 2)
    raw = rivers.folder / "raw" / "zambezi" / "texts.jsonl"
    good = raw.read_bytes()
    interrupted(rivers, tmp_path / "out", READINGS)
    rivers.dataset("zambezi", [line(f"Ziwa {n}", split=split) for n in range(7) for split in Split], languages=["swa"])
    broken_after(raw, 18)
    interrupted(rivers, tmp_path / "out", READINGS)
    raw.write_bytes(good)
    manifest, _ = gone_on(rivers, tmp_path / "out")
    assert not manifest.gaps
    same_as_at_once(rivers, files_of, tmp_path / "out")


def test_a_file_that_is_gone_takes_its_cells_out_of_the_build_that_goes_on(rivers: Any, files_of: Any, tmp_path: Path):
    interrupted(rivers, tmp_path / "out", READINGS + CELLS)
    shutil.rmtree(rivers.folder / "raw" / "zambezi")
    manifest, _ = gone_on(rivers, tmp_path / "out")
    assert {gap.dataset for gap in manifest.gaps} == {"zambezi"}
    same_as_at_once(rivers, files_of, tmp_path / "out")


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert process.poll() is None, "it ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_build_that_is_killed_goes_on_and_while_it_runs_no_other_is_let_in(
    rivers: Any, line: Any, files_of: Any, tmp_path: Path
):
    many = [line(f"Mto Nile zambezi {number}", ("RIV", "Nile"), split="train") for number in range(30_000)]
    files = [{"splits": ["train"], "path": "texts.jsonl"}]
    rivers.dataset("zambezi", many, languages=["swa"], source={"path": "x", "files": files})
    (rivers.folder / "cards" / "benchmarks").mkdir()
    definition = rivers.definition().model_dump(mode="json", exclude={"aggregation"})
    (rivers.folder / "cards" / "benchmarks" / "own.yaml").write_text(json.dumps(definition), encoding="utf-8")
    out, place = tmp_path / "out", tmp_path / ".out.partial"
    command = [sys.executable, "-m", "massie.cli", "build", "own", "--out", out, "--workers", "1"]
    process = subprocess.Popen([*command, "--tasks", rivers.folder / "cards", "--raw", rivers.folder / "raw"])
    try:
        wait_until(lambda: len([*place.glob("readings/*/*/done.json")]) == READINGS - 3, process)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(
            BuildError, match=r"out: another process is building it; wait for it, or name another folder"
        ):
            rivers.build_to(out)
    finally:
        process.kill()
    assert process.wait(DEADLINE_SECONDS) == -signal.SIGKILL
    assert not out.exists()
    before = {name: mark for name, mark in marks(out).items() if "zambezi" not in name}
    manifest, seen = gone_on(rivers, out)
    assert {name: seen[name] for name in before} == before
    assert sum(cell.texts["read"] for cell in manifest.cells) == 30_000 + 2 * 48
    same_as_at_once(rivers, files_of, out)
