"""What a server says of a batch; the calls themselves are tested with the batches (test_openai_batches.py)."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from massie.adapters.batch_api import Batch, BatchApi


def batch(status: str, **said: Any) -> Batch:
    return Batch.model_validate({"id": "batch_1", "status": status, **said})


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling", "queued"])
def test_a_batch_goes_on_until_the_server_says_how_it_ended(status: str) -> None:
    assert batch(status).open


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "cancelled", "canceled"])
def test_a_batch_that_has_ended_is_not_open(status: str) -> None:
    assert not batch(status).open


@pytest.mark.parametrize(
    ("status", "counts", "answered"),
    [
        ("completed", None, True),
        ("expired", None, False),
        ("completed", {"completed": 3, "failed": 0, "total": 3}, True),
        ("expired", {"completed": 1, "failed": 2, "total": 3}, True),
        ("completed", {"completed": 0, "failed": 3, "total": 3}, False),
    ],
)
def test_a_batch_has_answers_where_the_server_says_so(
    status: str, counts: dict[str, int] | None, answered: bool
) -> None:
    assert batch(status, request_counts=counts).answered is answered


def test_an_empty_name_of_a_file_is_none() -> None:
    ended = batch("completed", output_file_id="", error_file_id="", input_file_id="")
    assert (ended.output_file_id, ended.error_file_id, ended.input_file_id) == (None, None, None)


@pytest.mark.parametrize(
    ("metadata", "read"),
    [
        (None, {}),
        ([1], {}),
        ({"massie": ["a"], "run": "m-demo"}, {"run": "m-demo"}),
        ({"massie": "a"}, {"massie": "a"}),
    ],
)
def test_metadata_that_are_no_texts_are_those_of_others(metadata: Any, read: dict[str, str]) -> None:
    assert batch("completed", metadata=metadata).metadata == read


@pytest.mark.parametrize(("page", "listed"), [([1, 2], [1, 2]), ([], [])])
def test_a_server_that_repeats_its_first_page_is_asked_no_further(page: list[int], listed: list[int]) -> None:
    content = json.dumps({"data": [{"id": str(one), "status": "completed"} for one in page], "has_more": True})
    calls = SimpleNamespace(
        with_raw_response=SimpleNamespace(list=lambda **_: SimpleNamespace(content=content.encode()))
    )
    client = SimpleNamespace(batches=calls)
    client.with_options = lambda **_: client
    assert [batch.id for batch in BatchApi(client, lambda error: error).batches()] == [str(one) for one in listed]


def test_a_problem_is_told_with_its_line() -> None:
    problem = {"code": "invalid_json_line", "message": "This line\n is not JSON.", "line": 3, "param": None}
    refused = batch("failed", errors={"object": "list", "data": [problem]})
    assert [str(each) for each in refused.problems] == ["line 3: This line is not JSON. (invalid_json_line)"]


def test_a_batch_that_failed_without_a_reason_has_a_problem_all_the_same() -> None:
    assert [str(each) for each in batch("failed", errors=None).problems] == ["no reason was given (None)"]
