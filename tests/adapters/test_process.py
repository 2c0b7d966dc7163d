"""Real child processes, written here."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from massie.adapters import check_adapter
from massie.adapters.process import Process
from massie.build import Benchmark
from massie.types import AdapterError, PredictionsError, Sample

Start = Callable[..., Process]

PRELUDE = """
import json, os, sys, time
def answer(sample, **more):
    print(json.dumps({"id": sample["id"], **(more or {"output": sample["text"]})}), flush=True)
lines = (json.loads(line) for line in sys.stdin)
"""

ECHO = """
for sample in lines:
    answer(sample)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a system with this program text."""
    started: list[Process] = []

    def start(program: str, timeout: float | None = 20.0) -> Process:
        path = tmp_path / f"system{len(started)}.py"
        path.write_text(PRELUDE + dedent(program), encoding="utf-8")
        # -I -S: a quick start
        command = shlex.join([sys.executable, "-I", "-S", str(path)])
        started.append(Process(command, name="child", timeout=timeout))
        return started[-1]

    yield start
    for process in started:
        process.close()


def answers(process: Process, samples: list[Sample]) -> dict[str, str | None]:
    return {one.sample_id: one.output for one in process.predict(samples)}


def texts(samples: list[Sample]) -> dict[str, str]:
    return {sample.id: sample.text for sample in samples}


def test_the_child_gets_each_sample_and_its_answers_come_back(start: Start, samples: list[Sample]) -> None:
    assert answers(start(ECHO), samples) == texts(samples)


def test_answers_may_come_in_another_order(start: Start, samples: list[Sample]) -> None:
    program = """
    held = []
    for sample in lines:
        held.append(sample)
        if len(held) == 5:
            for one in reversed(held):
                answer(one)
            held.clear()
    """
    given = list(start(program).predict(samples))
    assert [one.sample_id for one in given] != [sample.id for sample in samples]
    assert {one.sample_id: one.output for one in given} == texts(samples)


def test_the_child_sees_task_schemas_and_text_but_no_gold(start: Start, demo: Benchmark) -> None:
    sample = next(one for one in demo.select(tasks=["EE"]).iter_samples() if one.gold)
    program = """
    for sample in lines:
        answer(sample, output=json.dumps([sorted(sample), sample["task"], sample["schemas"][0]["roles"][0]["name"]]))
    """
    (answer,) = start(program).predict([sample])
    role = sample.schemas[0].roles[0].name
    assert answer.output is not None
    assert answer.output.startswith('[["dataset", "id", "language", "schemas", "task", "text"], "EE"')
    assert role in answer.output


def test_usage_and_finish_reason_come_through(start: Start, samples: list[Sample]) -> None:
    program = """
    for sample in lines:
        answer(sample, output="[]", finish_reason="stop", input_tokens=7, output_tokens=2, seconds=0.5)
    """
    (answer,) = start(program).predict(samples[:1])
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.seconds) == (7, 2, 0.5)


def test_one_child_serves_many_calls(start: Start, samples: list[Sample]) -> None:
    process = start("for sample in lines:\n    answer(sample, output=str(os.getpid()))")
    pids = [pid for sample in samples for pid in answers(process, [sample]).values()]
    assert len(set(pids)) == 1


def test_no_samples_need_no_answers(start: Start) -> None:
    assert answers(start(ECHO), []) == {}


def test_more_than_a_pipe_holds_goes_both_ways(start: Start, samples: list[Sample]) -> None:
    many = [replace(samples[0], id=str(number), text="long " * 400) for number in range(1000)]
    assert answers(start(ECHO), many) == texts(many)


def test_a_lone_surrogate_reaches_the_child(start: Start, samples: list[Sample]) -> None:
    program = "for sample in lines:\n    answer(sample, output=ascii(sample['text']))"
    assert answers(start(program), [replace(samples[0], text="a\ud800b")]) == {samples[0].id: r"'a\ud800b'"}


def test_a_child_that_dies_after_three_answers_keeps_them_and_says_so(start: Start, samples: list[Sample]) -> None:
    program = """
    for number, sample in enumerate(lines):
        if number == 3:
            sys.exit(7)
        answer(sample)
    """
    given: list[str] = []
    with pytest.raises(AdapterError, match=r"ended with exit code 7 after 3 of 10 answers"):
        for one in start(program).predict(samples):
            given.append(one.sample_id)
    assert given == [sample.id for sample in samples[:3]]


def test_a_child_that_died_is_started_anew_by_the_next_call(start: Start, samples: list[Sample]) -> None:
    process = start("answer(next(lines))")
    for sample in samples[:3]:
        assert answers(process, [sample]) == texts([sample])
        assert process._process is not None
        process._process.wait(20)


@pytest.mark.parametrize("line", ['{"id": "x", "output"', "[1, 2]", "hello", '{"id": 5, "output": ""}', ""])
def test_a_child_that_writes_no_prediction_is_one_error_that_names_the_answer(
    start: Start, samples: list[Sample], line: str
) -> None:
    program = f"""
    for number, sample in enumerate(lines):
        if number == 1:
            print({line!r}, flush=True)
        else:
            answer(sample)
    """
    with pytest.raises(PredictionsError, match=r"standard output of 'python.*', answer 2: "):
        list(start(program).predict(samples))


def test_after_a_broken_line_later_answers_are_not_mistaken_for_new_ones(start: Start, samples: list[Sample]) -> None:
    program = f"""
    for sample in lines:
        if sample["id"] == {samples[1].id!r}:
            print("not JSON", flush=True)
        else:
            answer(sample)
    """
    process = start(program)
    with pytest.raises(PredictionsError):
        list(process.predict(samples))
    for sample in samples[2:]:
        assert answers(process, [sample]) == texts([sample])


def test_a_caller_that_stops_early_gets_no_old_answers_later(start: Start, samples: list[Sample]) -> None:
    process = start(ECHO)
    for _ in process.predict(samples):
        break
    assert answers(process, samples[5:]) == texts(samples[5:])


@pytest.mark.parametrize("command", ["/no/such/program --x", "/"])
def test_a_command_that_cannot_be_started_is_one_error_before_the_first_sample(command: str, demo: Benchmark) -> None:
    with pytest.raises(AdapterError, match=r"cannot start '/.*--option command="):
        Process(command).prepare(demo)


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(AdapterError, match="needs a command"):
        Process("  ")


def test_a_timeout_that_is_none_is_refused() -> None:
    with pytest.raises(AdapterError, match="needs a timeout above 0 seconds, not 0"):
        Process("cat", timeout=0)


def test_a_child_that_never_reads_is_ended_after_the_timeout(start: Start, samples: list[Sample]) -> None:
    process = start("time.sleep(60)", timeout=0.3)
    many = [replace(samples[0], id=str(number), text="long " * 400) for number in range(1000)]
    before = time.monotonic()
    with pytest.raises(AdapterError, match=r"was silent for 0\.3 s after 0 of 1000 answers"):
        list(process.predict(many))
    assert time.monotonic() - before < 5


def test_a_child_that_never_reads_and_ends_is_one_error(start: Start, samples: list[Sample]) -> None:
    many = [replace(samples[0], id=str(number), text="long " * 400) for number in range(1000)]
    with pytest.raises(AdapterError, match="ended with exit code 0 after 0 of 1000 answers"):
        list(start("sys.exit(0)").predict(many))


def test_a_timeout_counts_for_each_answer(start: Start, samples: list[Sample]) -> None:
    process = start("for sample in lines:\n    time.sleep(0.25)\n    answer(sample)", timeout=2.0)
    assert answers(process, samples) == texts(samples)


def test_closing_ends_the_child(start: Start, samples: list[Sample]) -> None:
    process = start("for sample in lines:\n    answer(sample, output=str(os.getpid()))")
    (pid,) = answers(process, samples[:1]).values()
    assert Path(f"/proc/{pid}").exists() or not Path("/proc").exists()
    process.close()
    assert not Path(f"/proc/{pid}").exists()
    process.close()  # a second time changes nothing


def test_a_system_in_another_language_passes_the_contract_check(start: Start, demo: Benchmark) -> None:
    program = "for sample in lines:\n    answer(sample, records=[])"
    outcomes = {finding.outcome for finding in check_adapter(start(program), demo)}
    assert outcomes == {"ok"}
