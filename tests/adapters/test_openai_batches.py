"""Requests through the imitated Batch API: files, faults, resuming, and runs that are killed at every moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI as Client

from massie.adapters import Limits
from massie.adapters.batch_api import BatchApi
from massie.adapters.batch_files import Job
from massie.adapters.chat_completions import OpenAIOptions
from massie.adapters.completions import BatchLLM, Completion, Outcome
from massie.adapters.openai import Endpoint, OpenAI
from massie.adapters.openai_batches import Batches, BatchLimits
from massie.build import Benchmark
from massie.prompting import Request
from massie.running import Store, run
from massie.types import EndpointError, Failure, RequestError
from tests.servers.processes import ServerProcess

FAST = BatchLimits(requests=10, first_pause=0.01, longest_pause=0.02)
OPEN = ("validating", "in_progress", "finalizing", "cancelling")
KEY = "sk-of-the-tests-0123456789"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "m-demo" / "batches"


def endpoint(server: ServerProcess, limits: BatchLimits = FAST, **options: Any) -> Endpoint:
    made = Endpoint(OpenAIOptions(model="any", base_url=server.base_url, **options))
    made.batch_limits = limits
    return made


def requests(keys: Iterable[str]) -> Iterator[tuple[str, Request]]:
    return ((key, Request([{"role": "user", "content": f"Question {key}, in 日本語\u2028"}], 16)) for key in keys)


def numbered(count: int) -> list[str]:
    return [f"sample-{number}" for number in range(count)]


def outcomes(answers: Iterable[tuple[str, Outcome]]) -> dict[str, Outcome]:
    """The outcomes by key, none of which may come twice."""
    listed = list(answers)
    found = dict(listed)
    assert len(found) == len(listed)
    return found


def texts(found: dict[str, Outcome]) -> dict[str, str]:
    return {key: outcome.text for key, outcome in found.items() if isinstance(outcome, Completion)}


def failures(found: dict[str, Outcome]) -> dict[str, RequestError]:
    return {key: outcome for key, outcome in found.items() if isinstance(outcome, RequestError)}


def paid(server: ServerProcess) -> Counter[str]:
    """How often each request was answered, once no batch is left that still could answer."""
    with Client(base_url=server.base_url, api_key="none") as client:
        assert not [batch for batch in client.batches.list(limit=100) if batch.status in OPEN]
    return Counter(key for entry in server.log() if entry["event"] != "created" for key in entry["custom_ids"])


def created(server: ServerProcess) -> list[list[str]]:
    """The requests of each batch, in the order of their creation."""
    return [entry["custom_ids"] for entry in server.log() if entry["event"] == "created"]


def each_once(keys: Iterable[str]) -> Counter[str]:
    return Counter(dict.fromkeys(keys, 1))


def test_an_endpoint_is_a_model_with_a_batch_api(batch_server: ServerProcess) -> None:
    assert isinstance(endpoint(batch_server), BatchLLM)


def test_every_request_gets_its_own_answer(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(content="{custom_id}")
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(34)), folder))
    assert texts(found) == {key: key for key in numbered(34)}
    assert paid(batch_server) == each_once(numbered(34))


def test_a_batch_holds_the_bodies_that_would_be_sent_one_by_one(batch_server: ServerProcess, folder: Path) -> None:
    asked = endpoint(batch_server, seed=3, extra_body={"top_k": 1})
    outcomes(asked.complete_in_batches(requests(["one"]), folder))
    with Client(base_url=batch_server.base_url, api_key="none") as client:
        [batch] = client.batches.list()
        line = json.loads(client.files.content(batch.input_file_id).content)
    assert line == {
        "custom_id": "one",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "any",
            "messages": [{"role": "user", "content": "Question one, in 日本語\u2028"}],
            "max_tokens": 16,
            "temperature": 0.0,
            "seed": 3,
            "top_k": 1,
        },
    }
    assert batch.metadata is not None
    assert batch.metadata["run"] == "m-demo"


def test_usage_is_counted_as_usual(batch_server: ServerProcess, folder: Path) -> None:
    [outcome] = outcomes(endpoint(batch_server).complete_in_batches(requests(["one"]), folder)).values()
    assert isinstance(outcome, Completion)
    assert (outcome.usage.requests, outcome.usage.seconds) == (1, None)
    assert outcome.usage.input_tokens
    assert outcome.usage.output_tokens


def test_files_hold_no_more_requests_than_the_limit(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(max_requests=10)
    outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(34)), folder))
    assert [len(keys) for keys in created(batch_server)] == [10, 10, 10, 4]


def test_files_hold_no_more_bytes_than_the_limit(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(max_bytes=1000)
    found = outcomes(
        endpoint(batch_server, replace(FAST, bytes=1000)).complete_in_batches(requests(numbered(9)), folder)
    )
    assert len(texts(found)) == 9
    assert len(created(batch_server)) > 1


def test_nothing_is_left_on_disk_once_all_is_answered(batch_server: ServerProcess, folder: Path) -> None:
    outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(12)), folder))
    assert list(folder.iterdir()) == []


def test_without_requests_nothing_is_submitted(batch_server: ServerProcess, folder: Path) -> None:
    assert outcomes(endpoint(batch_server).complete_in_batches([], folder)) == {}
    assert batch_server.counts()["asked"].keys() == {"list"}


def test_one_batch_goes_alone_until_the_server_is_seen_to_take_it(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(models=["another"], calls=[{"on": "poll", "fault": "other-shape", "count": 3}])
    with pytest.raises(EndpointError):
        outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(34)), folder))
    assert len(created(batch_server)) == 1


def test_it_tells_how_far_the_batches_are(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(polls=4)
    told: list[str] = []
    outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(20)), folder, report=told.append))
    assert told[0] == "0 of 2 batches collected, of the others 0 of 20 requests done"
    assert "1 of 2 batches collected, of the others 10 of 10 requests done" in told
    assert told[-1] == "2 of 2 batches collected"


@pytest.mark.parametrize("fault", ["429", "500", "error", "missing", "broken", "truncated-json"])
def test_what_failed_for_the_moment_is_asked_again(batch_server: ServerProcess, folder: Path, fault: str) -> None:
    batch_server.behave(content="{custom_id}", lines=[{"fault": fault, "contains": "sample-1", "times": 1}])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(12)), folder))
    assert texts(found) == {key: key for key in numbered(12)}
    sent = {key: outcome.usage.requests for key, outcome in found.items() if isinstance(outcome, Completion)}
    again = {key for key in numbered(12) if "sample-1" in key}
    assert sent == {key: 2 if key in again else 1 for key in numbered(12)}
    assert Counter(key for keys in created(batch_server) for key in keys) == Counter(sent)


def test_what_fails_each_time_is_a_failure_at_last(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(lines=[{"fault": fault, "contains": f"{fault}-x"} for fault in ("500", "429", "missing")])
    keys = ["500-x", "429-x", "missing-x", "good"]
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(keys), folder))
    told = failures(found)
    assert {key: error.failure for key, error in told.items()} == {
        "500-x": Failure.SERVER,
        "429-x": Failure.RATE_LIMIT,
        "missing-x": Failure.SERVER,
    }
    assert {error.requests for error in told.values()} == {3}
    assert [len(keys) for keys in created(batch_server)] == [4, 3, 3]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("400-context-openai", Failure.CONTEXT_LENGTH),
        ("400-context-vllm", Failure.CONTEXT_LENGTH),
        ("400", Failure.REJECTED),
    ],
)
def test_a_lasting_failure_is_its_requests_own(
    batch_server: ServerProcess, folder: Path, fault: str, failure: Failure
) -> None:
    batch_server.behave(lines=[{"fault": fault, "contains": "sample-3"}])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder))
    assert {key: error.failure for key, error in failures(found).items()} == {"sample-3": failure}
    assert created(batch_server) == [numbered(5)]


def test_a_refusal_is_an_answer(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(lines=[{"fault": "refusal"}])
    [outcome] = outcomes(endpoint(batch_server).complete_in_batches(requests(["one"]), folder)).values()
    assert isinstance(outcome, Completion)
    assert outcome.finish_reason == "refusal"


def test_an_answer_that_comes_twice_counts_once(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(lines=[{"fault": "twice"}])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder))
    assert len(texts(found)) == 5
    assert list(folder.iterdir()) == []


def test_of_an_expired_batch_only_the_rest_is_asked_again(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(content="{custom_id}", endings=["expired"])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(10)), folder))
    assert texts(found) == {key: key for key in numbered(10)}
    assert [len(keys) for keys in created(batch_server)] == [10, 5]
    assert paid(batch_server) == each_once(numbered(10))


def test_of_a_cancelled_batch_only_the_rest_is_asked_again(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(polls=100)

    def cancel(words: str) -> None:
        with Client(base_url=batch_server.base_url, api_key="none") as client:
            first = list(client.batches.list())[-1]
            if first.status == "in_progress":
                client.batches.cancel(first.id)
                batch_server.behave()

    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(10)), folder, report=cancel))
    assert len(texts(found)) == 10
    assert [len(keys) for keys in created(batch_server)] == [10, 5]
    assert paid(batch_server) == each_once(numbered(10))


def test_a_file_that_is_refused_is_told_of_in_one_line(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(models=["another"])
    with pytest.raises(EndpointError) as raised:
        outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(3)), folder))
    assert str(raised.value) == (
        f"the endpoint refuses {folder}/0001/requests.jsonl: There is no such model: ['any'] (model_not_found)"
    )


def test_a_refusal_that_repeats_the_key_is_told_without_it(
    batch_server: ServerProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    batch_server.behave(models=["another"])
    asked = Endpoint(OpenAIOptions(model=KEY, base_url=batch_server.base_url, api_key_env="MY_KEY"))
    asked.batch_limits = FAST
    with pytest.raises(EndpointError, match="There is no such model") as raised:
        outcomes(asked.complete_in_batches(requests(["one"]), folder))
    assert KEY not in str(raised.value)


def test_a_batch_in_a_state_that_nobody_knows_is_not_waited_for_for_ever(
    batch_server: ServerProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = BatchApi.batch
    monkeypatch.setattr(BatchApi, "batch", lambda api, job: whole(api, job).model_copy(update={"status": "paused\x1b"}))
    waiting = endpoint(batch_server, replace(FAST, window=0.1))
    with pytest.raises(EndpointError, match=r"is 'paused.' for 0 s now, .*; remove the folder .*0001 to have"):
        outcomes(waiting.complete_in_batches(requests(["one"]), folder))
    monkeypatch.undo()
    assert len(texts(outcomes(endpoint(batch_server).complete_in_batches(requests(["one"]), folder)))) == 1
    assert paid(batch_server) == each_once(["one"])


def test_after_a_refusal_the_next_start_submits_anew(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(models=["another"])
    with pytest.raises(EndpointError):
        outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(3)), folder))
    batch_server.behave()
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(3)), folder))
    assert len(texts(found)) == 3


def test_a_file_too_large_for_the_servers_queue_is_split(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(content="{custom_id}", endings=["failed", "failed"])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(14)), folder))
    assert texts(found) == {key: key for key in numbered(14)}
    assert [len(keys) for keys in created(batch_server)] == [10, 5, 3, 2, 3, 2, 3, 1]
    assert paid(batch_server) == each_once(numbered(14))


def test_what_has_no_room_in_the_servers_queue_waits_for_its_other_batches(
    batch_server: ServerProcess, folder: Path
) -> None:
    batch_server.behave(endings=["completed", "failed"], polls=5)
    told: list[tuple[bool, int]] = []

    def report(words: str) -> None:
        told.append((words.endswith("no room for more"), len(created(batch_server))))

    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(20)), folder, report=report))
    assert len(texts(found)) == 20
    assert [len(keys) for keys in created(batch_server)] == [10, 10, 10]
    assert {number for full, number in told if full} == {2}
    assert batch_server.counts()["asked"]["upload"] == 2


def test_what_has_no_room_in_the_servers_queue_waits_for_the_batches_of_others(
    batch_server: ServerProcess, folder: Path
) -> None:
    with Client(base_url=batch_server.base_url, api_key="none") as client:
        file = client.files.create(file=("others.jsonl", b'{"custom_id": "theirs"}\n'), purpose="batch")
        theirs = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        batch_server.behave(endings=["failed"] * 3)
        told: list[str] = []

        def report(words: str) -> None:
            told.append(words)
            if words.endswith("no room for more") and len(told) == 10:
                client.batches.retrieve(theirs.id)

        found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(10)), folder, report=report))
    assert len(texts(found)) == 10
    assert {len(keys) for keys in created(batch_server)[1:]} == {10}


def test_a_request_that_no_queue_has_room_for_ends_the_run(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(endings=["failed"] * 10)
    with pytest.raises(EndpointError, match="no room for a single request: Enqueued token limit"):
        outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(2)), folder))


def test_a_batch_that_may_not_be_created_yet_waits(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(calls=[{"on": "create", "fault": "429", "first": 2, "count": 3}])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(20)), folder))
    assert len(texts(found)) == 20
    assert batch_server.counts()["asked"]["upload"] == 2
    assert paid(batch_server) == each_once(numbered(20))


@pytest.mark.parametrize("fault", ["closed", "half-body", "reset", "500", "truncated-json"])
def test_a_batch_whose_creation_was_not_confirmed_is_not_created_twice(
    batch_server: ServerProcess, folder: Path, fault: str
) -> None:
    batch_server.behave(calls=[{"on": "create", "fault": fault, "count": 1}])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder))
    assert len(texts(found)) == 5
    assert paid(batch_server) == each_once(numbered(5))
    assert batch_server.counts()["submitted"] == 5


@pytest.mark.parametrize("operation", ["list", "upload", "poll", "download"])
@pytest.mark.parametrize("fault", ["500", "half-body", "reset"])
def test_a_call_that_fails_is_made_again(batch_server: ServerProcess, folder: Path, operation: str, fault: str) -> None:
    batch_server.behave(calls=[{"on": operation, "fault": fault, "count": 1}])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder))
    assert len(texts(found)) == 5
    assert paid(batch_server) == each_once(numbered(5))


def test_a_poll_whose_answer_is_nonsense_is_made_again(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(calls=[{"on": "poll", "fault": "other-shape", "count": 2}])
    found = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder))
    assert len(texts(found)) == 5


def test_a_server_that_is_gone_for_too_long_ends_the_run_and_keeps_what_was_submitted(
    batch_server: ServerProcess, folder: Path
) -> None:
    batch_server.behave(calls=[{"on": "poll", "fault": "other-shape"}])
    with pytest.raises(EndpointError) as raised:
        impatient = endpoint(batch_server, replace(FAST, patience=0.05))
        outcomes(impatient.complete_in_batches(requests(numbered(5)), folder))
    assert "gives no answer" in str(raised.value)
    assert "what else was submitted goes on, and the same command collects it" in str(raised.value)
    batch_server.behave()
    assert len(texts(outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder)))) == 5
    assert paid(batch_server) == each_once(numbered(5))


def test_a_wrong_key_is_told_of_before_anything_is_uploaded(
    batch_server: ServerProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_KEY", KEY)
    batch_server.behave(api_key="sk-another")
    with pytest.raises(EndpointError, match="refuses the key") as raised:
        outcomes(endpoint(batch_server, api_key_env="WRONG_KEY").complete_in_batches(requests(["one"]), folder))
    assert KEY not in str(raised.value)
    assert not folder.exists()


def test_a_key_that_stops_working_ends_the_run_and_keeps_what_was_submitted(
    batch_server: ServerProcess, folder: Path
) -> None:
    batch_server.behave(calls=[{"on": "poll", "fault": "401"}])
    with pytest.raises(EndpointError, match=r"refuses the key .*; what else was submitted goes on"):
        outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder))
    batch_server.behave()
    assert len(texts(outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder)))) == 5
    assert paid(batch_server) == each_once(numbered(5))


def test_an_endpoint_without_a_batch_api_is_told_of_in_one_line(fault_server: ServerProcess, folder: Path) -> None:
    with pytest.raises(EndpointError) as raised:
        outcomes(endpoint(fault_server).complete_in_batches(requests(["one"]), folder))
    assert str(raised.value) == (
        "the endpoint has no batch API at this address; does base_url end in /v1? else run without --mode batch (404)"
    )
    assert not folder.exists()


def test_an_account_without_quota_ends_the_run_after_what_was_answered(
    batch_server: ServerProcess, folder: Path
) -> None:
    batch_server.behave(lines=[{"fault": "429-quota", "contains": "sample-1"}])
    found: dict[str, Outcome] = {}
    with pytest.raises(EndpointError, match="no quota left"):
        found.update(endpoint(batch_server).complete_in_batches(requests(numbered(5)), folder))
    assert texts(found).keys() == set(numbered(5)) - {"sample-1"}
    batch_server.behave()
    again = outcomes(endpoint(batch_server).complete_in_batches(requests(["sample-1"]), folder))
    assert len(texts(again)) == 1
    assert paid(batch_server) == each_once(numbered(5))


def test_whoever_asks_to_stop_is_heard_while_batches_are_waited_for(batch_server: ServerProcess, folder: Path) -> None:
    batch_server.behave(polls=1000)
    told: list[str] = []
    patient = endpoint(batch_server, replace(FAST, first_pause=3600.0, longest_pause=3600.0))
    stopped = patient.complete_in_batches(requests(numbered(5)), folder, lambda: len(told) > 1, told.append)
    assert outcomes(stopped) == {}
    batch_server.behave()
    with Client(base_url=batch_server.base_url, api_key="none") as client:
        assert {batch.status for batch in client.batches.list()} == {"in_progress"}


def test_what_goes_on_after_a_stop_is_collected_by_the_next_start(batch_server: ServerProcess, folder: Path) -> None:
    told: list[str] = []
    first = endpoint(batch_server).complete_in_batches(
        requests(numbered(20)), folder, lambda: len(told) > 0, told.append
    )
    assert outcomes(first) == {}
    assert len(texts(outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(20)), folder)))) == 20
    assert paid(batch_server) == each_once(numbered(20))
    assert batch_server.counts()["submitted"] == 20


def test_an_answer_that_is_not_asked_for_now_is_kept_until_it_is(batch_server: ServerProcess, folder: Path) -> None:
    told: list[str] = []
    batch_server.behave(
        content="{custom_id}",
        lines=[{"fault": "400", "contains": "sample-9"}, {"fault": "500", "contains": "sample-8", "times": 1}],
    )
    outcomes(
        endpoint(batch_server).complete_in_batches(requests(numbered(10)), folder, lambda: len(told) > 0, told.append)
    )
    few = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(4)), folder))
    assert few.keys() == set(numbered(4))
    assert created(batch_server) == [numbered(10)]
    rest = outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(9)[4:]), folder))
    assert texts(rest) == {key: key for key in numbered(9)[4:]}
    assert paid(batch_server) == each_once(numbered(9))
    assert list(folder.iterdir()) == []


def test_batches_that_nothing_is_wanted_of_are_not_waited_for(batch_server: ServerProcess, folder: Path) -> None:
    told: list[str] = []
    outcomes(
        endpoint(batch_server).complete_in_batches(requests(numbered(10)), folder, lambda: len(told) > 0, told.append)
    )
    assert outcomes(endpoint(batch_server).complete_in_batches(requests(["another"]), folder)).keys() == {"another"}
    assert texts(outcomes(endpoint(batch_server).complete_in_batches(requests(numbered(10)), folder)))
    assert paid(batch_server) == each_once([*numbered(10), "another"])


def test_a_batch_that_the_server_has_forgotten_is_told_of_with_what_to_do(
    batch_server: ServerProcess, folder: Path
) -> None:
    told: list[str] = []
    outcomes(endpoint(batch_server).complete_in_batches(requests(["one"]), folder, lambda: len(told) > 0, told.append))
    batch_server.forget()
    with pytest.raises(EndpointError, match=f"any more; remove the folder {folder}/0001 to have its requests asked"):
        outcomes(endpoint(batch_server).complete_in_batches(requests(["one"]), folder))


@pytest.fixture(scope="session")
def part(demo: Benchmark) -> Benchmark:
    """A part of M-DEMO: 24 samples."""
    return demo.select(tasks=["NER"], limit=8, languages=["swa", "jpn", "eng", "ara"])


@pytest.fixture(scope="session")
def ids(part: Benchmark) -> set[str]:
    return {sample.id for sample in part.iter_samples()}


def system(server: ServerProcess) -> OpenAI:
    adapter = OpenAI(model="any", base_url=server.base_url, method="zero-shot")
    assert isinstance(adapter.llm, Endpoint)
    adapter.llm.batch_limits = FAST
    return adapter


def test_a_run_in_batch_mode_answers_every_sample(
    batch_server: ServerProcess, folder: Path, part: Benchmark, ids: set[str]
) -> None:
    lasting = sorted(ids)[0]
    batch_server.behave(
        content="{custom_id}",
        lines=[{"fault": "400-context-openai", "contains": lasting}, {"fault": "500", "rate": 0.3, "times": 1}],
    )
    folder.parent.mkdir()
    with Store(folder.parent / "predictions.sqlite") as store:
        state = run(system(batch_server), part, store, limits=Limits(batch_folder=folder))
        assert (state.done, state.failed) == (len(ids) - 1, 1)
        assert {p.sample_id: p.output for p in store.predictions() if p.error is None} == {
            key: key for key in ids - {lasting}
        }
        [failed] = [prediction for prediction in store.predictions() if prediction.error is not None]
        assert (failed.sample_id, failed.failure) == (lasting, Failure.CONTEXT_LENGTH)
        assert store.sums().usage.input_tokens
    assert paid(batch_server) == each_once(ids - {lasting})


def test_a_run_whose_every_request_fails_can_be_taken_up_again(
    batch_server: ServerProcess, folder: Path, demo: Benchmark
) -> None:
    part = demo.select(tasks=["NER"], limit=30)
    number = sum(part.numbers().values())
    assert number > 50
    folder.parent.mkdir()
    with Store(folder.parent / "predictions.sqlite") as store:
        batch_server.behave(lines=[{"fault": "500"}])
        assert run(system(batch_server), part, store, limits=Limits(batch_folder=folder)).failed == number
        batch_server.behave()
        assert run(system(batch_server), part, store, limits=Limits(batch_folder=folder)).done == number
        assert store.failed() == {}
    assert set(paid(batch_server).values()) == {1}


OWNERS: dict[str, type] = {"api": BatchApi, "batches": Batches, "job": Job, "store": Store}


def die_at(moment: str) -> None:
    """Let this process kill itself before or after the n-th call of a method."""
    when, called, number = moment.split()
    owner, name = called.split(".")
    whole, left = getattr(OWNERS[owner], name), int(number)

    def dying(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = whole(*arguments)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(OWNERS[owner], name, dying)


def ask(server: ServerProcess, folder: Path, part: Benchmark, moment: str | None) -> None:
    if moment is not None:
        die_at(moment)
    with Store(folder / "predictions.sqlite") as store:
        run(system(server), part, store, limits=Limits(batch_folder=folder / "batches"))


def code_of_run(server: ServerProcess, folder: Path, part: Benchmark, moment: str | None = None) -> int | None:
    """The exit code of a run in a process of its own, which kills itself at a moment."""
    process = get_context("fork").Process(target=ask, args=(server, folder, part, moment))
    process.start()
    process.join(60)
    return process.exitcode


@pytest.mark.parametrize(
    "moments",
    [
        ["before job.save 2"],  # the requests are being written
        ["before api.upload 1"],
        ["after api.upload 2"],  # uploaded, not noted
        ["before api.create 1"],
        ["before api.create 3"],
        ["after api.create 1"],  # created, not noted
        ["after api.create 3", "after api.create 1"],
        ["before api.batch 4"],  # while the batches are waited for
        ["before api.content 1"],
        ["after api.content 2"],
        ["before store.add 1"],  # collected, not committed
        ["before store.add 7", "after store.add 7"],
        ["before job.keep_only 1", "before job.keep_only 2"],
        ["before batches._again 1"],
        ["after api.create 4", "before store.add 5"],
    ],
    ids=", ".join,
)
def test_a_killed_run_goes_on_without_paying_twice(
    batch_server: ServerProcess, tmp_path: Path, part: Benchmark, ids: set[str], moments: list[str]
) -> None:
    batch_server.behave(content="{custom_id}", lines=[{"fault": "500", "rate": 0.4, "times": 1}], endings=["expired"])
    for moment in moments:
        assert code_of_run(batch_server, tmp_path, part, moment) == -signal.SIGKILL
    assert code_of_run(batch_server, tmp_path, part) == 0
    with Store(tmp_path / "predictions.sqlite") as store:
        assert {prediction.sample_id: prediction.output for prediction in store.predictions()} == {
            key: key for key in ids
        }
        assert store.failed() == {}
    assert paid(batch_server) == each_once(ids)


@pytest.fixture
def command(tmp_path: Path, batch_server: ServerProcess) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts the real command in batch mode."""
    options = ("model=any", f"base_url={batch_server.base_url}", "method=zero-shot")
    arguments = ["run", "m-demo", "--adapter", "openai", "--mode", "batch", "--task", "NER", "--limit", "2"]
    arguments += [part for option in options for part in ("--option", option)]
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("massie"), *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_the_command_is_interrupted_by_one_ctrl_c_and_goes_on_where_it_was(
    batch_server: ServerProcess, tmp_path: Path, demo: Benchmark, command: Callable[[], subprocess.Popen[str]]
) -> None:
    ids = {sample.id for sample in demo.select(tasks=["NER"], limit=2).iter_samples()}
    batch_server.behave(polls=3)
    first = command()
    deadline = time.monotonic() + 60
    while not batch_server.counts()["asked"].get("poll"):
        assert first.poll() is None, first.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    _, error = first.communicate(timeout=60)
    assert first.returncode == 130, error
    assert "interrupted; 0 answers are kept in runs/local/any/m-demo; the same command goes on" in error
    second = command()
    _, error = second.communicate(timeout=60)
    assert second.returncode == 0, error
    with Store(tmp_path / "runs/local/any/m-demo/predictions.sqlite") as store:
        assert store.answered() == ids
        assert {prediction.usage.requests for prediction in store.predictions() if prediction.usage} == {1}
    assert paid(batch_server) == each_once(ids)
    assert batch_server.counts()["submitted"] == len(ids)
