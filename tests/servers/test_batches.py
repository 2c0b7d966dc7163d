"""The imitated Batch API, seen through the official client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import (
    APIConnectionError,
    AuthenticationError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    OpenAI,
)
from openai.types import Batch

from tests.servers.processes import ServerProcess, started

Submit = Callable[..., Batch]


@pytest.fixture
def client(batch_server: ServerProcess) -> Iterator[OpenAI]:
    """The official client, which here never tries again of its own."""
    with OpenAI(base_url=batch_server.base_url, api_key="sk-of-the-tests", max_retries=0) as client:
        yield client


@pytest.fixture
def submit(client: OpenAI) -> Submit:
    """Uploads lines and creates a batch of them."""

    def submit(custom_ids: list[str], **metadata: str) -> Batch:
        return create(client, upload(client, lines_of(custom_ids)), **metadata)

    return submit


def lines_of(custom_ids: list[str], **changed: Any) -> bytes:
    return b"".join(json.dumps(line_of(custom_id, **changed)).encode() + b"\n" for custom_id in custom_ids)


def line_of(custom_id: str, model: str = "any", **changed: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"Question {custom_id}, in 日本語"}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body, **changed}


def upload(client: OpenAI, content: bytes) -> str:
    return client.files.create(file=("requests.jsonl", content), purpose="batch").id


def create(client: OpenAI, file: str, **metadata: str) -> Batch:
    return client.batches.create(
        input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h", metadata=metadata
    )


def statuses(client: OpenAI, batch: Batch) -> list[str]:
    """The statuses that are seen until the batch has ended."""
    seen = [batch.status]
    while seen[-1] not in ("completed", "failed", "expired", "cancelled"):
        seen.append(client.batches.retrieve(batch.id).status)
    return seen


def ended(client: OpenAI, batch: Batch) -> Batch:
    statuses(client, batch)
    return client.batches.retrieve(batch.id)


def results(client: OpenAI, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    return [json.loads(line) for line in client.files.content(file).text.splitlines()]


def test_a_file_comes_back_as_it_was_sent(client: OpenAI) -> None:
    content = lines_of(["1", "2"]) + "\r\n--x\r\né\u2028\n\n".encode()
    file = client.files.create(file=("mine.jsonl", content), purpose="batch")
    assert (file.filename, file.bytes, file.purpose) == ("mine.jsonl", len(content), "batch")
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).content == content


def test_a_deleted_file_is_gone(client: OpenAI) -> None:
    file = upload(client, lines_of(["1"]))
    assert client.files.delete(file).deleted
    with pytest.raises(NotFoundError):
        client.files.content(file)


def test_a_batch_goes_through_its_statuses(client: OpenAI, submit: Submit) -> None:
    assert statuses(client, submit(["1"])) == ["validating", "in_progress", "finalizing", "completed"]


def test_a_batch_shows_how_far_it_is(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(polls=4)
    batch = submit([str(number) for number in range(8)])
    counts = [client.batches.retrieve(batch.id).request_counts for _ in range(6)]
    assert [count.completed for count in counts if count is not None] == [0, 2, 4, 6, 8, 8]
    assert {count.total for count in counts if count is not None} == {8}


def test_every_line_is_answered_in_shuffled_order(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(content="{custom_id}")
    custom_ids = [str(number) for number in range(50)]
    batch = ended(client, submit(custom_ids))
    lines = results(client, batch.output_file_id)
    answered = [line["custom_id"] for line in lines]
    assert answered != custom_ids
    assert sorted(answered, key=int) == custom_ids
    assert [line["response"]["body"]["choices"][0]["message"]["content"] for line in lines] == answered
    assert {(line["response"]["status_code"], line["error"]) for line in lines} == {(200, None)}
    assert all(line["response"]["body"]["usage"]["prompt_tokens"] > 0 for line in lines)
    assert batch.error_file_id is None


def test_metadata_comes_back_and_batches_are_listed_by_pages(client: OpenAI, submit: Submit) -> None:
    created = [submit([str(number)], run=str(number)) for number in range(5)]
    pages = client.batches.list(limit=2)
    assert [batch.id for batch in pages.data] == [created[4].id, created[3].id]
    listed = list(pages)
    assert [batch.metadata for batch in listed] == [{"run": str(number)} for number in (4, 3, 2, 1, 0)]


def test_lines_that_fail_are_in_the_error_file(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    plans = [{"fault": fault, "contains": f"line-{fault}"} for fault in ("429", "500", "400", "error")]
    batch_server.behave(lines=plans)
    batch = ended(client, submit(["line-429", "line-500", "line-400", "line-error", "good"]))
    assert [line["custom_id"] for line in results(client, batch.output_file_id)] == ["good"]
    failed = {line["custom_id"]: line for line in results(client, batch.error_file_id)}
    statuses = {name: line["response"] and line["response"]["status_code"] for name, line in failed.items()}
    assert statuses == {"line-429": 429, "line-500": 500, "line-400": 400, "line-error": None}
    assert failed["line-error"]["error"]["code"] == "server_error"
    assert failed["line-429"]["response"]["body"]["error"]["code"] == "rate_limit_exceeded"
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 4)


def test_lines_may_be_missing_doubled_or_broken(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(lines=[{"fault": fault, "contains": fault} for fault in ("missing", "twice", "broken")])
    batch = ended(client, submit(["missing", "twice", "broken", "good"]))
    assert batch.output_file_id is not None
    assert batch.error_file_id is None
    lines = client.files.content(batch.output_file_id).text.splitlines()
    assert sorted(name for name in ("missing", "twice", "broken", "good") for line in lines if name in line) == [
        "broken",
        "good",
        "twice",
        "twice",
    ]
    with pytest.raises(json.JSONDecodeError):
        [json.loads(line) for line in lines]


def test_a_line_may_fail_the_first_times_only(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(lines=[{"fault": "500", "contains": "1", "times": 1}])
    assert ended(client, submit(["1", "2"])).error_file_id is not None
    assert ended(client, submit(["1"])).error_file_id is None


def test_a_share_of_the_lines_fails(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(lines=[{"fault": "429", "rate": 0.3}])
    counts = ended(client, submit([str(number) for number in range(100)])).request_counts
    assert counts is not None
    assert 15 <= counts.failed <= 45


def test_answers_out_of_the_ordinary_are_in_the_output_file(
    batch_server: ServerProcess, client: OpenAI, submit: Submit
) -> None:
    batch_server.behave(lines=[{"fault": "refusal"}])
    [line] = results(client, ended(client, submit(["1"])).output_file_id)
    assert line["response"]["body"]["choices"][0]["message"]["refusal"]


def test_an_expired_batch_is_half_done(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(endings=["expired"])
    batch = submit(["1", "2", "3", "4"])
    assert statuses(client, batch) == ["validating", "in_progress", "expired"]
    batch = client.batches.retrieve(batch.id)
    done, undone = results(client, batch.output_file_id), results(client, batch.error_file_id)
    assert sorted(line["custom_id"] for line in done + undone) == ["1", "2", "3", "4"]
    assert [line["error"]["code"] for line in undone] == ["batch_expired"] * 2
    assert ended(client, submit(["1"])).status == "completed"


def test_a_cancelled_batch_is_half_done(client: OpenAI, submit: Submit) -> None:
    batch = submit(["1", "2"])
    client.batches.retrieve(batch.id)
    assert client.batches.cancel(batch.id).status == "cancelling"
    batch = ended(client, batch)
    assert batch.status == "cancelled"
    assert len(results(client, batch.output_file_id)) == len(results(client, batch.error_file_id)) == 1
    with pytest.raises(ConflictError):
        client.batches.cancel(batch.id)


def test_a_batch_fails_where_told(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(endings=["failed"])
    batch = submit(["1"])
    assert statuses(client, batch) == ["validating", "failed"]
    assert codes(client.batches.retrieve(batch.id)) == ["token_limit_exceeded"]
    assert batch_server.counts()["submitted"] == 0


def codes(batch: Batch) -> list[str | None]:
    assert batch.errors is not None
    return [error.code for error in batch.errors.data or []]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (lines_of(["1", "2", "3", "4"]), "too_many_tasks"),
        (lines_of(["1", "x" * 2000]), "file_too_large"),
        (b"\n", "empty_file"),
        (b"{}\n", "invalid_json_line"),
        (b'{"custom_id": \n', "invalid_json_line"),
        (lines_of(["1", "1"]), "duplicate_custom_id"),
        (lines_of(["1"], url="/v1/embeddings"), "mismatched_endpoint"),
        (lines_of(["1"]) + lines_of(["2"], model="large"), "mismatched_model"),
        (lines_of(["1"], model="other"), "model_not_found"),
    ],
)
def test_a_file_that_is_wrong_fails_its_batch(
    batch_server: ServerProcess, client: OpenAI, content: bytes, code: str
) -> None:
    batch_server.behave(max_requests=3, max_bytes=1500, models=["any", "large"])
    batch = ended(client, create(client, upload(client, content)))
    assert batch.status == "failed"
    assert codes(batch) == [code]
    assert batch_server.counts()["submitted"] == 0


def test_polls_fail_where_told(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(calls=[{"on": "poll", "fault": "500", "first": 2, "count": 1}])
    batch = submit(["1"])
    assert client.batches.retrieve(batch.id).status == "in_progress"
    with pytest.raises(InternalServerError):
        client.batches.retrieve(batch.id)
    assert client.batches.retrieve(batch.id).status == "finalizing"


def test_a_download_is_cut_in_the_middle(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(calls=[{"on": "download", "fault": "half-body", "count": 1}])
    batch = ended(client, submit(["1", "2"]))
    with pytest.raises(APIConnectionError):
        results(client, batch.output_file_id)
    assert len(results(client, batch.output_file_id)) == 2


def test_a_batch_whose_reply_is_lost_is_there(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(calls=[{"on": "create", "fault": "closed", "count": 1}])
    with pytest.raises(APIConnectionError):
        submit(["1"], run="mine")
    assert [batch.metadata for batch in client.batches.list()] == [{"run": "mine"}]


def test_a_batch_that_is_refused_is_not_there(batch_server: ServerProcess, client: OpenAI, submit: Submit) -> None:
    batch_server.behave(calls=[{"on": "create", "fault": "500", "count": 1}])
    with pytest.raises(InternalServerError):
        submit(["1"])
    assert list(client.batches.list()) == []


def test_another_key_is_refused(batch_server: ServerProcess, submit: Submit) -> None:
    batch_server.behave(api_key="sk-another")
    with pytest.raises(AuthenticationError):
        submit(["1"])


def test_what_is_not_there_is_not_found(client: OpenAI) -> None:
    for ask in (client.batches.retrieve, client.batches.cancel, client.files.content, client.files.delete):
        with pytest.raises(NotFoundError):
            ask("nothing")
    with pytest.raises(NotFoundError):
        create(client, "nothing")


def test_the_log_says_what_was_submitted_and_answered(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    behaviour = json.dumps({"endings": ["expired"]})
    with (
        started("batches", "--log", log, "--behaviour", behaviour) as server,
        OpenAI(base_url=server.base_url, api_key="sk-of-the-tests") as client,
    ):
        batch = ended(client, create(client, upload(client, lines_of(["1", "2"]))))
        [answered] = [line["custom_id"] for line in results(client, batch.output_file_id)]
        entries = server.log()
        assert server.counts() == {
            "asked": {"upload": 1, "create": 1, "poll": 3, "download": 1},
            "submitted": 2,
            "answered": 1,
        }
    assert [(entry["event"], entry["custom_ids"]) for entry in entries] == [
        ("created", ["1", "2"]),
        ("expired", [answered]),
    ]
    assert [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] == entries
