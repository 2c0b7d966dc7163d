"""Engines: whatever runs the jobs of a build, what comes out is the same, to the byte."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from massie.build import Engine, Manifest
from massie.build.engines import job_runner
from massie.types import BuildError, ContentError, MissingExtraError, Split, Task, UnknownNameError

EVENTS: dict[str, Any] = {
    "tasks": ["ED", "EE"],
    "events": {"Flood": {"name": "flood", "roles": ["Where"]}},
    "roles": {"Where": {"name": "place"}},
}


@pytest.fixture(scope="module")
def cluster() -> Generator[None]:
    ray: Any = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.fixture
def rivers(workshop: Any, line: Any) -> Any:
    """Datasets of three tasks that share texts, and one whose file breaks in its middle."""
    for dataset in ("amur", "niger"):
        lines = [
            line(text, *([(label, "Nile")] if label else []), language=language, split=split)
            for split in Split
            for language in ("swa", "deu")
            for number in range(7)
            for text in (f"Mto Nile {dataset} {language} {split} {number}", f"Mto Nile {number}")
            for label in (["RIV", "TOWN", None][number % 3], "LAKE")
        ]
        workshop.dataset(dataset, lines, entities={name: {"name": name.lower()} for name in ("RIV", "LAKE", "TOWN")})
    flood: dict[str, Any] = {"label": "Flood", "trigger": {"start": 0, "end": 3, "surface": "Mto"}, "arguments": []}
    floods = [line(f"Mto Nile {number}", annotations=[flood] * (number % 2), split="dev") for number in range(5)]
    workshop.dataset("tana", floods, languages=["swa"], **EVENTS)
    workshop.dataset("zambezi", [line(f"Ziwa {number}") for number in range(4)], languages=["swa"])
    with (workshop.folder / "raw" / "zambezi" / "texts.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    return workshop


def turn_round(workshop: Any) -> None:
    """Turn every raw file round, but for the line that is broken."""
    for path in (workshop.folder / "raw").glob("*/texts.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        broken = [lines.pop()] if lines[-1] == "{broken\n" else []
        path.write_text("".join([*reversed(lines), *broken]), encoding="utf-8")


def said(manifest: Manifest) -> dict[str, Any]:
    """What a manifest says, but for the places of what was dropped, which are lines of the raw files."""
    return manifest.model_dump(exclude={"cells": {"__all__": {"places"}}})


def tables(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name != "manifest.json"}


@pytest.mark.parametrize(("workers", "number"), [(1, 20), (2, 20), (3, 2), (2, 1), (2, 0)])
def test_every_job_is_done_once_in_however_many_processes(workers: int, number: int):
    with job_runner(workers=workers) as run:
        assert sorted(run(math.factorial, range(number))) == list(map(math.factorial, range(number)))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_goes_wrong_in_a_job_is_raised_as_it_is(workers: int):
    with pytest.raises(ValueError, match=r"not defined for negative values"), job_runner(workers=workers) as run:
        list(run(math.factorial, [1, 2, -1, 3]))


def test_a_worker_that_is_ended_from_outside_is_one_clear_error():
    words = r"worker process was ended from outside.* with fewer --workers"
    with pytest.raises(BuildError, match=words), job_runner(workers=2) as run:
        list(run(os._exit, [1, 1, 1]))


def test_a_script_that_builds_is_not_run_again_by_its_workers(tmp_path: Path):
    script = tmp_path / "script.py"
    words = 'print("once")\nwith job_runner(workers=2) as run:\n    print(sum(run(abs, [1, -2, 3])))\n'
    script.write_text(f"from massie.build.engines import job_runner\n{words}", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.returncode) == (["once", "6"], 0)


HANGING = """
import time
from massie.build.engines import job_runner

with job_runner(workers=2) as run:
    print(*run(abs, [1, -2]), flush=True)
    time.sleep(60)
"""


def test_workers_end_when_their_parent_is_killed():
    process = subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert sorted(process.stdout.readline().split()) == ["1", "2"]
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def test_two_processes_build_byte_for_byte_what_one_builds_in_whatever_order_the_raw_files_are(
    rivers: Any, files_of: Any, tmp_path: Path
):
    one = rivers.build_to(tmp_path / "one", workers=1)
    turn_round(rivers)
    two = rivers.build_to(tmp_path / "two", workers=2)
    assert tables(files_of(tmp_path / "one")) == tables(files_of(tmp_path / "two"))
    assert two == rivers.build().manifest
    assert said(one) == said(two)
    assert {cell.task for cell in one.cells} == {Task.NER, Task.ED, Task.EE}
    assert {gap.dataset for gap in one.gaps} == {"zambezi"}


def test_a_fault_of_a_card_comes_out_of_a_worker_as_one_sentence(rivers: Any, tmp_path: Path):
    a_fault_of_a_card_is_one_sentence(rivers, tmp_path / "out", workers=2, datasets=["tana"])


def a_fault_of_a_card_is_one_sentence(rivers: Any, out: Path, **more: Any) -> None:
    rivers.dataset("tana", [], reader={"name": "jsonl", "options": {"wher": {}}})
    with pytest.raises(ContentError) as raised:
        rivers.build_to(out, **more)
    assert str(raised.value) == "card tana: reader.options: wher: unknown key; remove it or check its spelling"
    rivers.dataset("tana", [], reader={"name": "jsonll"})
    with pytest.raises(UnknownNameError) as unknown:
        rivers.build_to(out, **more)
    assert str(unknown.value).startswith("unknown reader 'jsonll'; did you mean 'jsonl'")
    assert unknown.value.nearest[0] == "jsonl"
    assert not out.exists()


@pytest.mark.slow
def test_ray_builds_byte_for_byte_what_one_process_builds_and_tells_faults_alike(
    cluster: None, rivers: Any, files_of: Any, tmp_path: Path
):
    part: dict[str, Any] = {"datasets": ["amur", "tana", "zambezi"], "languages": ["swa"]}
    one = rivers.build_to(tmp_path / "one", workers=1, **part)
    assert rivers.build_to(tmp_path / "ray", engine=Engine.RAY, **part) == one
    assert {gap.dataset for gap in one.gaps} == {"zambezi"}
    assert files_of(tmp_path / "one") == files_of(tmp_path / "ray")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    a_fault_of_a_card_is_one_sentence(rivers, tmp_path / "out", engine=Engine.RAY, datasets=["tana"])


def test_where_ray_is_not_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    words = r"--engine ray needs the package 'ray': pip install 'massie\[ray\]'"
    with pytest.raises(MissingExtraError, match=words), job_runner(Engine.RAY) as run:
        list(run(math.factorial, [1, 2]))
