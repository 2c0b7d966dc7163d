"""Runs against a server that fails as it is told: what is stored, what is asked again, how the command ends."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from massie.adapters import Limits
from massie.adapters.openai import OpenAI
from massie.build import Benchmark
from massie.running import Progress, Store, run
from massie.types import EndpointError, Failure, Prediction, RunError
from tests.servers.completions import THOUGHT, message_id
from tests.servers.processes import ServerProcess

Start = Callable[..., subprocess.Popen[str]]

KEY = "sk-test-0123456789abcdef0123456789abcdef"
OTHER_SECRET = "gw-9876543210fedcba9876543210fedcba"
DEADLINE_SECONDS = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "predictions.sqlite") as store:
        yield store


@pytest.fixture(scope="session")
def ids(part: Benchmark) -> list[str]:
    return [sample.id for sample in part.iter_samples()]


def system(server: ServerProcess, **options: Any) -> OpenAI:
    return OpenAI(model="any", base_url=server.base_url, **{"method": "zero-shot", **options})


def ask(server: ServerProcess, part: Benchmark, store: Store, *, retry_failed: bool = False, **limits: Any) -> Progress:
    return run(system(server), part, store, limits=Limits(**limits), retry_failed=retry_failed)


def stored(store: Store) -> dict[str, Prediction]:
    return {prediction.sample_id: prediction for prediction in store.predictions()}


def messages(part: Benchmark) -> dict[str, str]:
    """By sample, the id under which the server knows it."""
    method = OpenAI(model="any", base_url="http://localhost/v1", method="zero-shot").method
    return {sample.id: message_id(method.request(sample).messages[-1]["content"]) for sample in part.iter_samples()}


def test_each_sample_gets_its_own_answer_whatever_the_order_and_the_faults(
    fault_server: ServerProcess, part: Benchmark, store: Store, ids: list[str]
) -> None:
    fault_server.behave(content='["{id}"]', latency=[0.0, 0.05], rate=0.3, retry_after=0)
    progress = ask(fault_server, part, store, attempts=12)
    assert (progress.done, progress.failed) == (len(ids), 0)
    expected = {sample_id: f'["{message}"]' for sample_id, message in messages(part).items()}
    assert {sample_id: prediction.output for sample_id, prediction in stored(store).items()} == expected
    assert store.sums().usage.requests == fault_server.counts()["arrived"]


@pytest.mark.parametrize("fault", ["429-seconds", "429-date"])
def test_a_server_that_asks_to_wait_is_waited_for(
    fault_server: ServerProcess, part: Benchmark, store: Store, ids: list[str], fault: str
) -> None:
    fault_server.behave(plans=[{"fault": fault, "first": 5, "count": 3}], retry_after=1)
    assert ask(fault_server, part, store, concurrency=4).done == len(ids)
    times = [entry["at"] for entry in fault_server.log()]
    longest = max(later - earlier for earlier, later in pairwise(times))
    assert 0.9 <= longest < 5  # what had been in flight came before it


def test_what_no_attempt_could_save_is_a_failed_sample_and_asked_again_by_the_next_start(
    fault_server: ServerProcess, part: Benchmark, store: Store, ids: list[str]
) -> None:
    fault_server.behave(plans=[{"fault": "500", "first": 4, "count": 3}])
    first = ask(fault_server, part, store, concurrency=1, attempts=1)
    assert (first.done, first.failed) == (len(ids) - 3, 3)
    failed = [prediction for prediction in stored(store).values() if prediction.error]
    assert {(one.failure, one.error) for one in failed} == {
        (Failure.SERVER, "500 The server had an error while processing your request.")
    }
    fault_server.forget()
    assert ask(fault_server, part, store).done == len(ids)
    assert fault_server.counts()["arrived"] == 3
    assert store.failed() == {}


def test_a_context_that_is_too_short_is_asked_again_only_where_that_is_wished(
    fault_server: ServerProcess, part: Benchmark, store: Store, ids: list[str]
) -> None:
    fault_server.behave(plans=[{"fault": "400-context-vllm", "first": 3, "count": 2}])
    ask(fault_server, part, store)
    failed = [prediction.failure for prediction in stored(store).values() if prediction.error]
    assert failed == [Failure.CONTEXT_LENGTH] * 2
    fault_server.forget()
    ask(fault_server, part, store)
    assert fault_server.counts()["arrived"] == 0
    assert ask(fault_server, part, store, retry_failed=True).done == len(ids)
    assert fault_server.counts()["arrived"] == 2


def test_a_request_that_the_server_will_not_take_is_a_failed_sample(
    fault_server: ServerProcess, part: Benchmark, store: Store, ids: list[str]
) -> None:
    fault_server.behave(plans=[{"fault": "400", "first": 7, "count": 1}])
    progress = ask(fault_server, part, store)
    assert (progress.done, progress.failed) == (len(ids) - 1, 1)
    assert list(store.failed().values()) == ["400 Invalid value for 'messages'."]


def test_three_requests_that_it_will_not_take_and_none_that_it_takes_stop_the_run(
    fault_server: ServerProcess, part: Benchmark, store: Store
) -> None:
    fault_server.behave(plans=[{"fault": "400"}])
    with pytest.raises(EndpointError, match="the first 3 requests were rejected"):
        ask(fault_server, part, store)
    assert fault_server.counts()["arrived"] == 3
    assert stored(store) == {}


def test_50_samples_that_fail_one_after_the_other_stop_the_run(
    fault_server: ServerProcess, demo: Benchmark, store: Store
) -> None:
    fault_server.behave(plans=[{"fault": "500", "first": 11}])
    with pytest.raises(RunError, match="50 samples failed one after the other, the last with: 500"):
        ask(fault_server, demo, store, concurrency=8, attempts=1)
    assert (store.number_answered(), len(store.failed())) == (10, 50)
    assert fault_server.counts()["arrived"] <= 68


def test_a_quota_that_is_used_up_stops_the_run_and_what_was_in_flight_is_kept(
    fault_server: ServerProcess, part: Benchmark, store: Store
) -> None:
    fault_server.behave(latency=0.1, plans=[{"fault": "429-quota", "first": 6, "count": 1}])
    with pytest.raises(EndpointError, match="the account has no quota left"):
        ask(fault_server, part, store, concurrency=4)
    counts = fault_server.counts()
    assert store.number_answered() == counts["answered"] == counts["arrived"] - 1
    assert store.failed() == {}


@pytest.mark.parametrize("fault", ["stall", "stall-in-body"])
def test_an_answer_that_does_not_come_in_time_is_asked_for_again(
    fault_server: ServerProcess, part: Benchmark, store: Store, ids: list[str], fault: str
) -> None:
    fault_server.behave(plans=[{"fault": fault, "first": 5, "count": 4}], stall=5.0)
    started = time.monotonic()
    assert ask(fault_server, part, store, timeout=0.7).done == len(ids)
    assert time.monotonic() - started < 4.5
    assert store.sums().usage.requests == len(ids) + 4


@pytest.mark.parametrize(
    ("fault", "output", "reason", "reasoning"),
    [
        ("length", '[{"entity": "T', "length", None),
        ("content-filter", "", "content_filter", None),
        ("refusal", "I'm sorry, I cannot assist with that request.", "refusal", None),
        ("null", "", "stop", None),
        ("reasoning-content", '[{"entity": "Tana", "ty', "stop", THOUGHT),
        ("reasoning", '[{"entity": "Tana", "ty', "stop", THOUGHT),
        ("reasoning-length", "", "length", THOUGHT),
    ],
)
def test_an_answer_out_of_the_ordinary_is_stored_as_it_is(
    fault_server: ServerProcess,
    part: Benchmark,
    store: Store,
    fault: str,
    output: str,
    reason: str,
    reasoning: str | None,
) -> None:
    content = '[{"entity": "Tana", "ty' if "reasoning" in fault else '[{"entity": "Tana", "type": '
    fault_server.behave(content=content, plans=[{"fault": fault}])
    ask(fault_server, part, store)
    found = {(one.output, one.finish_reason, one.reasoning) for one in store.predictions()}
    assert found == {(output, reason, reasoning)}
    assert store.failed() == {}


RUN = ("run", "m-demo", "--task", "NER", "--limit", "4", "--partial", "--adapter", "openai")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    err: str

    @property
    def lines(self) -> list[str]:
        """What it said on standard error, without progress."""
        return [line for line in self.err.splitlines() if " samples" not in line.split(";")[0] and line]


@dataclass(frozen=True)
class Command:
    """``massie run`` on a part of M-DEMO, zero-shot, against the server."""

    server: ServerProcess
    folder: Path
    start: Start

    def begin(self, *more: str, base_url: str | None = None, **environment: str) -> subprocess.Popen[str]:
        url = base_url or self.server.base_url
        options = ("--option", "model=any", "--option", f"base_url={url}", "--option", "method=zero-shot")
        return self.start(self.folder, *RUN, *options, *more, **environment)

    def __call__(self, *more: str, base_url: str | None = None, **environment: str) -> Ended:
        process = self.begin(*more, base_url=base_url, **environment)
        _, err = process.communicate(timeout=DEADLINE_SECONDS)
        return Ended(process.returncode, err)

    @property
    def run_folder(self) -> Path:
        return self.folder / "runs/local/any/m-demo"

    def answered(self) -> int:
        with Store(self.run_folder / "predictions.sqlite") as store:
            return store.number_answered()

    def wait_for(self, arrived: int, process: subprocess.Popen[str]) -> None:
        """Wait until the server has seen so many requests."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.server.counts()["arrived"] < arrived:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def command(fault_server: ServerProcess, tmp_path: Path, start: Start) -> Command:
    return Command(fault_server, tmp_path, start)


def test_a_wrong_key_is_one_request_and_one_line(command: Command) -> None:
    command.server.behave(api_key=KEY)
    ended = command("--option", "api_key_env=MY_KEY", MY_KEY="sk-wrong-00000000000000000000")
    assert (ended.code, command.server.counts()["arrived"]) == (2, 1)
    assert len(ended.lines) == 1
    assert "the endpoint refuses the key (401 Incorrect API key provided: ...); mend the environment" in ended.lines[0]


def test_an_unknown_model_is_one_request_and_one_line(command: Command) -> None:
    command.server.behave(models=["other"])
    ended = command()
    assert (ended.code, command.server.counts()["arrived"]) == (2, 1)
    assert len(ended.lines) == 1
    assert "The model `any` does not exist" in ended.lines[0]
    assert "mend --option model or base_url" in ended.lines[0]


@pytest.mark.parametrize("fault", ["200-html", "other-shape"])
def test_an_endpoint_that_is_no_such_server_is_one_line_after_few_attempts(command: Command, fault: str) -> None:
    command.server.behave(plans=[{"fault": fault}])
    ended = command()
    assert ended.code == 2
    assert command.server.counts()["arrived"] <= 4
    assert len(ended.lines) == 1
    assert "the first request failed, so no other was sent: the answer is no chat completion: " in ended.lines[0]


def test_where_nobody_listens_one_line_says_so(command: Command) -> None:
    ended = command(base_url="http://127.0.0.1:9/v1")
    assert ended.code == 2
    assert len(ended.lines) == 1
    assert "the connection failed: [Errno 111] Connect call failed ('127.0.0.1', 9)" in ended.lines[0]


def test_a_server_that_asks_to_wait_for_a_day_is_one_line(command: Command) -> None:
    command.server.behave(plans=[{"fault": "429-seconds", "first": 4}], retry_after=86_400)
    ended = command()
    assert ended.code == 2
    assert len(ended.lines) == 1
    assert "the server asks to wait for 86,400 s (429 Rate limit reached" in ended.lines[0]
    assert command.answered() == command.server.counts()["answered"]


def test_a_key_that_is_withdrawn_stops_the_run_and_the_right_one_goes_on(command: Command) -> None:
    command.server.behave(latency=0.05, plans=[{"fault": "401", "first": 9}])
    secret = ("--option", "api_key_env=MY_KEY", "--concurrency", "4")
    ended = command(*secret, MY_KEY=KEY)
    counts = command.server.counts()
    assert ended.code == 2
    assert len(ended.lines) == 1
    assert "refuses the key (401" in ended.lines[0]
    assert counts["arrived"] <= 8 + 4
    assert command.answered() == counts["answered"] == 8  # those in flight too
    command.server.behave(api_key=OTHER_SECRET)
    assert command(*secret, MY_KEY=OTHER_SECRET).code == 0
    answered = Counter(entry["id"] for entry in command.server.log() if entry["answered"])
    assert set(answered.values()) == {1}


def test_no_key_is_in_any_file_or_line_of_a_run(command: Command) -> None:
    """Neither the endpoint's nor a header's, though the server repeats the one in its message."""
    headers = json.dumps({"X-Gateway-Key": "$GATEWAY"})
    secret = ("--option", "api_key_env=MY_KEY", "--option", f"headers={headers}", "--cache", "cache.sqlite")
    said: list[str] = []
    for behaviour in (
        {"plans": [{"fault": "401", "first": 5}]},
        {"plans": [{"fault": "400", "first": 3, "count": 2}, {"fault": "500", "first": 6, "count": 1}]},
        {"api_key": KEY},
    ):
        command.server.behave(**behaviour)
        said.append(command(*secret, MY_KEY=KEY, GATEWAY=OTHER_SECRET).err)
    assert command.server.requests()[-1]["headers"]["x-gateway-key"] == OTHER_SECRET
    files = [path for path in command.folder.rglob("*") if path.is_file()]
    assert {"run.json", "predictions.sqlite", "cache.sqlite", "result.json"} <= {path.name for path in files}
    for content in (*(path.read_bytes() for path in files), *map(str.encode, said)):
        for key in (KEY, OTHER_SECRET):
            assert key[:12].encode() not in content


def test_the_first_ctrl_c_waits_for_what_is_in_flight_and_stores_it(command: Command) -> None:
    command.server.behave(latency=1.0)
    process = command.begin("--concurrency", "4")
    command.wait_for(3, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 130, err
    counts = command.server.counts()
    assert command.answered() == counts["answered"] == counts["arrived"]
    assert f"interrupted; {counts['answered']} answers are kept" in err
    assert "Traceback" not in err


def test_the_second_ctrl_c_stops_at_once(command: Command) -> None:
    command.server.behave(plans=[{"fault": "stall", "first": 2}], stall=30.0)
    process = command.begin("--concurrency", "4")
    command.wait_for(4, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert time.monotonic() - started < 3
    assert (process.returncode, command.answered()) == (130, 1)
    assert "Traceback" not in err
    assert "exception" not in err


def test_ctrl_c_ends_a_wait_that_the_server_asked_for(command: Command) -> None:
    command.server.behave(plans=[{"fault": "429-seconds", "first": 3}], retry_after=300)
    process = command.begin("--concurrency", "4")
    command.wait_for(5, process)
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert time.monotonic() - started < 2
    assert (process.returncode, command.answered()) == (130, 2)
    assert "Traceback" not in err


def test_a_second_run_with_a_cache_sends_nothing_and_costs_nothing(command: Command) -> None:
    assert command("--cache", "cache.sqlite").code == 0
    sent = command.server.counts()["arrived"]
    assert command("--cache", "cache.sqlite", "--name", "again").code == 0
    assert command.server.counts()["arrived"] == sent
    first, second = (
        json.loads((command.folder / f"runs/local/{name}/m-demo/result.json").read_text(encoding="utf-8"))
        for name in ("any", "again")
    )
    assert first["rows"] == second["rows"]
    assert (first["usage"]["requests"], second["usage"]["requests"]) == (sent, 0)


def test_another_temperature_is_not_in_the_cache(command: Command) -> None:
    assert command("--cache", "cache.sqlite").code == 0
    sent = command.server.counts()["arrived"]
    assert command("--cache", "cache.sqlite", "--name", "again", "--option", "temperature=0.5").code == 0
    assert command.server.counts()["arrived"] == 2 * sent


def test_a_damaged_cache_is_one_line(command: Command) -> None:
    (command.folder / "cache.sqlite").write_bytes(b"no database " * 100)
    ended = command("--cache", "cache.sqlite")
    assert (ended.code, command.server.counts()["arrived"]) == (2, 0)
    assert len(ended.lines) == 1
    assert "cache.sqlite: cannot be used as a response cache" in ended.lines[0]
