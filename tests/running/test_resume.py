"""Real runs of the command, killed and interrupted in the middle, and continued."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark
from massie.running import Store

Start = Callable[..., subprocess.Popen[str]]

SLOW = """
import os, time
from massie import Prediction, SystemCard

class Slow:
    def describe(self):
        return SystemCard(name="slow")
    def predict(self, samples):
        for sample in samples:
            with open(os.environ["ASKED"], "a") as log:
                log.write(sample.id + "\\n")
            time.sleep(float(os.environ["PAUSE"]))
            word = sample.text.split()[0]
            yield Prediction(sample.id, output=f'[{{"event_trigger": "{word}", "event_type": "birth"}}]')
"""

RUN = ("run", "m-demo", "--adapter", "slow.py:Slow", "--task", "ED", "--task", "EE", "--batch", "32")
DEADLINE_SECONDS = 60.0


def asked(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").split() if log.exists() else []


def wait_for(log: Path, number: int, process: subprocess.Popen[str]) -> None:
    """Wait until the system was asked for so many samples in all."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(asked(log)) < number:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)


def scores(folder: Path) -> list[Any]:
    return json.loads((folder / "runs/local/slow/m-demo/result.json").read_text(encoding="utf-8"))["rows"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a folder with the slow system."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        (folder / "slow.py").write_text(SLOW, encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="module")
def whole(folders: Callable[[str], Path], start: Start) -> Path:
    """The folder of a run that was never interrupted."""
    folder = folders("whole")
    process = start(folder, *RUN, ASKED=str(folder / "asked"), PAUSE="0")
    assert process.wait(DEADLINE_SECONDS) == 0, process.communicate()[1]
    return folder


@dataclass
class Killed:
    """A run that was killed several times and then continued to its end."""

    folder: Path
    asked: list[str]
    at: list[int]  # how many were asked for at each kill
    stored: list[int]  # how many had an answer after each kill


@pytest.fixture(scope="module")
def killed(folders: Callable[[str], Path], start: Start) -> Killed:
    folder = folders("killed")
    log, store = folder / "asked", folder / "runs/local/slow/m-demo/predictions.sqlite"
    at: list[int] = []
    stored: list[int] = []
    for moment in sorted(random.sample(range(1, 100), 3)):
        process = start(folder, *RUN, ASKED=str(log), PAUSE="0.01")
        wait_for(log, moment, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        at.append(len(asked(log)))
        with Store(store) as opened:
            stored.append(len(opened.answered()))
    process = start(folder, *RUN, ASKED=str(log), PAUSE="0")
    assert process.wait(DEADLINE_SECONDS) == 0, process.communicate()[1]
    return Killed(folder, asked(log), at, stored)


@pytest.fixture(scope="module")
def ids(demo: Benchmark) -> set[str]:
    return {sample.id for sample in demo.select(tasks=["ED", "EE"]).iter_samples()}


def test_a_killed_run_ends_complete(killed: Killed, ids: set[str]) -> None:
    with Store(killed.folder / "runs/local/slow/m-demo/predictions.sqlite") as store:
        assert store.answered() == ids
        assert store.failed() == {}


def test_nothing_that_was_answered_is_asked_again(killed: Killed, ids: set[str]) -> None:
    """Only the one sample that was in flight at each kill may be asked for twice."""
    in_flight = {killed.asked[number - 1] for number in killed.at}
    assert {key for key, times in Counter(killed.asked).items() if times > 1} <= in_flight
    assert set(killed.asked) == ids


def test_a_kill_loses_nothing_that_was_answered(killed: Killed) -> None:
    for number, (at, stored) in enumerate(zip(killed.at, killed.stored, strict=True), start=1):
        assert at - number <= stored <= at


def test_a_killed_run_scores_as_one_that_was_never_interrupted(killed: Killed, whole: Path) -> None:
    assert scores(killed.folder) == scores(whole)


@dataclass
class Interrupted:
    """A run that a second one tried to join, that was then interrupted, and then continued."""

    folder: Path
    second: tuple[int, str]  # exit code and standard error of the one that tried to join
    code: int
    error: str
    kept: int
    continued: int
    asked: list[str]


@pytest.fixture(scope="module")
def interrupted(folders: Callable[[str], Path], start: Start) -> Interrupted:
    folder = folders("interrupted")
    log = folder / "asked"
    first = start(folder, *RUN, ASKED=str(log), PAUSE="0.3")
    wait_for(log, 1, first)
    second = start(folder, *RUN, ASKED=str(log), PAUSE="0")
    second_error = second.communicate(timeout=DEADLINE_SECONDS)[1]
    first.send_signal(signal.SIGINT)
    error = first.communicate(timeout=DEADLINE_SECONDS)[1]
    with Store(folder / "runs/local/slow/m-demo/predictions.sqlite") as store:
        kept = len(store.answered())
    again = start(folder, *RUN, ASKED=str(log), PAUSE="0")
    again.communicate(timeout=DEADLINE_SECONDS)
    return Interrupted(
        folder, (second.returncode, second_error), first.returncode, error, kept, again.returncode, asked(log)
    )


def test_a_second_process_on_one_run_is_refused(interrupted: Interrupted) -> None:
    code, error = interrupted.second
    assert code == 2
    assert "another process is writing this run" in error
    assert "Traceback" not in error


def test_an_interrupted_run_ends_with_130_and_says_how_to_go_on(interrupted: Interrupted) -> None:
    assert interrupted.code == 130
    assert f"interrupted; {interrupted.kept} answers are kept in runs/local/slow/m-demo" in interrupted.error
    assert "the same command goes on" in interrupted.error
    assert "Traceback" not in interrupted.error


def test_an_interrupted_run_is_continued_by_the_same_command(interrupted: Interrupted, ids: set[str]) -> None:
    assert interrupted.continued == 0
    assert 0 < interrupted.kept < len(ids)
    assert len(interrupted.asked) <= len(ids) + 1
    assert set(interrupted.asked) == ids


def test_an_interrupted_run_scores_as_one_that_was_never_interrupted(interrupted: Interrupted, whole: Path) -> None:
    assert scores(interrupted.folder) == scores(whole)
