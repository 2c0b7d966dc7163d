"""The lines of a batch's output and error files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.adapters.batch_results import read_result
from massie.adapters.completions import Completion
from massie.types import EndpointError, Failure, RequestError

ANSWER = {"choices": [{"message": {"role": "assistant", "content": "[]"}, "finish_reason": "stop"}]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def outcome(**line: Any) -> Completion | RequestError | EndpointError:
    result = read_result(json.dumps({"id": "1", "custom_id": "a", **line}).encode())
    assert result is not None
    assert result.custom_id == "a"
    return result.outcome()


def responded(status: int, body: Any) -> Completion | RequestError | EndpointError:
    return outcome(response={"status_code": status, "request_id": "r", "body": body}, error=None)


def test_a_response_is_a_completion() -> None:
    assert responded(200, ANSWER) == Completion("[]", finish_reason="stop")


@pytest.mark.parametrize(
    ("code", "failure"),
    [("batch_expired", Failure.TIMEOUT), ("batch_cancelled", Failure.SERVER), (None, Failure.SERVER)],
)
def test_a_request_that_was_not_executed_failed_for_the_moment(code: str | None, failure: Failure) -> None:
    told = outcome(response=None, error={"code": code, "message": "It was not executed."})
    assert isinstance(told, RequestError)
    assert told.failure is failure
    assert str(told).endswith("It was not executed.")


def test_a_response_with_an_errors_status_is_that_error() -> None:
    told = responded(429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
    assert isinstance(told, RequestError)
    assert told.failure is Failure.RATE_LIMIT
    assert isinstance(responded(401, {"error": {"message": "no"}}), EndpointError)


def test_an_answer_that_broke_off_failed_for_the_moment() -> None:
    told = responded(200, {"choices": [{"message": {"content": ""}, "finish_reason": "error"}]})
    assert isinstance(told, RequestError)
    assert told.failure is Failure.SERVER


def test_an_answer_with_half_a_character_is_not_lost() -> None:
    told = responded(200, {"choices": [{"message": {"content": "[] \ud83d"}, "finish_reason": "length"}]})
    assert told == Completion("[] \N{REPLACEMENT CHARACTER}", finish_reason="length")


def test_a_line_of_brackets_is_a_broken_one() -> None:
    assert read_result(b'{"custom_id": "a", "error": ' + b"[" * 100_000) is None


@given(st.integers(0, 599), JSON)
def test_whatever_a_body_is_something_comes_of_it(status: int, body: Any) -> None:
    assert isinstance(responded(status, body), Completion | RequestError | EndpointError)


@given(st.binary() | JSON.map(json.dumps).map(str.encode))
def test_a_broken_line_says_nothing(line: bytes) -> None:
    assert read_result(line) is None or b"custom_id" in line
