"""20,000 samples at 20% faults, killed ten times: every answer once, and nothing that was answered asked again."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from massie.adapters.openai import OpenAI
from massie.build import Benchmark, load_benchmark
from massie.catalogue import Catalogue
from massie.running import Store
from tests.servers.completions import message_id
from tests.servers.processes import ServerProcess, started

Start = Callable[..., subprocess.Popen[str]]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("soak")]

SAMPLES, KILLS, CONCURRENCY = 20_000, 10, 128
DEADLINE_SECONDS = 300.0
# All that can fail and go well when asked again, save 429 with a date, which always means a second at least.
FAULTS = (
    *("429", "429-seconds", "429-milliseconds", "408", "409", "500", "502", "503", "502-html"),
    *("half-body", "closed", "reset", "reset-in-body", "200-html", "truncated-json", "null-choices", "error-in-200"),
)
BEHAVIOUR = {"content": '["{id}"]', "rate": 0.2, "faults": FAULTS, "retry_after": 0, "seed": 7}
CARD = """\
id: rivers
name: Rivers
tasks: [NER]
status: ready
in_paper: false
languages: [eng]
licence: {spdx: CC0-1.0, redistributable: true}
access: open
citation: nobody, 2026
homepage: null
source: {path: a folder, files: [{splits: [test], path: "{lang}.jsonl"}]}
reader: {name: jsonl, options: {where: {split: "{split}"}}}
entities: {RIV: {name: river}}
"""
BENCHMARK = "{id: waters, name: Waters, version: '1', summary: Rivers., datasets: [rivers]}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Path:
    """A folder with a benchmark of 20,000 samples, built."""
    folder = tmp_path_factory.mktemp("soak")
    (folder / "cards" / "benchmarks").mkdir(parents=True)
    (folder / "cards" / "rivers.yaml").write_text(CARD, encoding="utf-8")
    (folder / "cards" / "benchmarks" / "waters.yaml").write_text(BENCHMARK, encoding="utf-8")
    (folder / "raw").mkdir()
    with (folder / "raw" / "eng.jsonl").open("w", encoding="utf-8") as lines:
        for number in range(SAMPLES):
            span = {"label": "RIV", "start": 4, "end": 8, "surface": "Tana"}
            line = {"split": "test", "text": f"The Tana is {number} km long.", "annotations": [span]}
            lines.write(json.dumps(line) + "\n")
    built = start(folder, "build", "waters", "--tasks", "cards", "--raw", "raw", "--out", "data")
    assert built.wait(DEADLINE_SECONDS) == 0, built.communicate()[1]
    return folder


@dataclass
class Kill:
    """What was there when a run had been killed: answers in the store, finished requests in the server's log."""

    stored: set[str]
    logged: int


@dataclass
class Soak:
    """The run, from its first start to its end."""

    store: Path
    kills: list[Kill] = field(default_factory=list[Kill])
    log: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])  # message, whether it was answered


@pytest.fixture(scope="module")
def benchmark(folder: Path) -> Benchmark:
    return load_benchmark("waters", data=folder / "data", catalogue=Catalogue.default([folder / "cards"]))


@pytest.fixture(scope="module")
def messages(benchmark: Benchmark) -> dict[str, str]:
    """The id under which the server knows each sample."""
    method = OpenAI(model="any", base_url="http://localhost/v1", method="zero-shot").method
    return {
        sample.id: message_id(method.request(sample).messages[-1]["content"]) for sample in benchmark.iter_samples()
    }


@pytest.fixture(scope="module")
def soak(folder: Path, start: Start) -> Soak:
    log = folder / "requests.jsonl"
    soak = Soak(folder / "runs/local/any/waters/predictions.sqlite")
    with started("faults", "--log", log, "--behaviour", json.dumps(BEHAVIOUR)) as server:
        options = ("model=any", f"base_url={server.base_url}", "method=zero-shot")
        command = ("run", "waters", "--tasks", "cards", "--data", "data", "--adapter", "openai")
        limits = ("--concurrency", str(CONCURRENCY), "--attempts", "12", "--timeout", "60")
        whole = (*command, *(part for option in options for part in ("--option", option)), *limits)
        for moment in sorted(random.sample(range(1, SAMPLES - CONCURRENCY), KILLS)):
            process = start(folder, *whole)
            wait_for(moment, server, process)
            process.kill()
            process.wait()
            soak.kills.append(kill(soak.store, server))
        process = start(folder, *whole)
        assert process.wait(DEADLINE_SECONDS) == 0, process.communicate()[1]
    entries = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    soak.log = [(entry["id"], entry["answered"]) for entry in entries]
    return soak


def wait_for(number: int, server: ServerProcess, process: subprocess.Popen[str]) -> None:
    """Wait until the server has given so many answers in all."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while server.counts()["answered"] < number:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill(store: Path, server: ServerProcess) -> Kill:
    """What is there once the server has noticed that the client is gone."""
    while (counts := server.counts())["in_flight"]:
        time.sleep(0.01)
    with Store(store) as opened:
        return Kill(opened.answered(), counts["arrived"])


def test_every_sample_is_answered_exactly_once_and_with_its_own_answer(soak: Soak, messages: dict[str, str]) -> None:
    with Store(soak.store) as store:
        answers = {prediction.sample_id: prediction.output for prediction in store.predictions()}
        assert store.failed() == {}
    assert answers == {sample_id: f'["{message}"]' for sample_id, message in messages.items()}
    assert len(answers) == SAMPLES


def test_nothing_that_was_stored_is_sent_again(soak: Soak, messages: dict[str, str]) -> None:
    for kill in soak.kills:
        stored = {messages[sample_id] for sample_id in kill.stored}
        assert stored.isdisjoint(message for message, _ in soak.log[kill.logged :])


def test_only_what_was_in_flight_at_a_kill_is_paid_for_twice(soak: Soak) -> None:
    answered = Counter(message for message, answered in soak.log if answered)
    assert len(answered) == SAMPLES
    assert answered.total() - SAMPLES <= KILLS * CONCURRENCY


def test_a_fifth_of_all_requests_failed(soak: Soak) -> None:
    failed = sum(not answered for _, answered in soak.log)
    assert 0.18 < failed / len(soak.log) < 0.22
