"""The fault server, seen through the official client."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    OpenAI,
    OpenAIError,
    PermissionDeniedError,
    RateLimitError,
)
from openai.types.chat import ChatCompletion

from tests.servers.processes import ServerProcess, started

KEY = "sk-of-the-tests"

# By fault: what the official client raises, and the status that it names.
ERRORS: dict[str, tuple[type[OpenAIError], int | None]] = {
    "429": (RateLimitError, 429),
    "429-seconds": (RateLimitError, 429),
    "429-milliseconds": (RateLimitError, 429),
    "429-date": (RateLimitError, 429),
    "429-quota": (RateLimitError, 429),
    "408": (APIStatusError, 408),
    "409": (ConflictError, 409),
    "500": (InternalServerError, 500),
    "502": (InternalServerError, 502),
    "503": (InternalServerError, 503),
    "502-html": (InternalServerError, 502),
    "half-body": (APIConnectionError, None),
    "closed": (APIConnectionError, None),
    "reset": (APIConnectionError, None),
    "reset-in-body": (APIConnectionError, None),
    "401": (AuthenticationError, 401),
    "403": (PermissionDeniedError, 403),
    "404": (NotFoundError, 404),
    "404-html": (NotFoundError, 404),
    "400": (BadRequestError, 400),
    "400-context-openai": (BadRequestError, 400),
    "400-context-vllm": (BadRequestError, 400),
    "413": (APIStatusError, 413),
}
# By fault: the message's content, its finish reason, and the field that holds the thought or the refusal.
ANSWERS: dict[str, tuple[str | None, str, str | None]] = {
    "length": ('[{"a"', "length", None),
    "content-filter": ("", "content_filter", None),
    "refusal": (None, "stop", "refusal"),
    "empty": ("", "stop", None),
    "null": (None, "stop", None),
    "reasoning-content": ('[{"a": 1}]', "stop", "reasoning_content"),
    "reasoning": ('[{"a": 1}]', "stop", "reasoning"),
    "reasoning-length": (None, "length", "reasoning_content"),
}
MALFORMED = {
    "200-html",
    "200-empty",
    "truncated-json",
    "other-shape",
    "json-list",
    "error-in-200",
    "no-choices",
    "empty-choices",
    "null-choices",
    "null-message",
}
LATE = {"stall", "stall-in-body"}
TESTED_ALONE = {"duplicated", "duplicated-late", "no-usage", "think", "think-unopened", "think-length"}


@pytest.fixture
def client(fault_server: ServerProcess) -> Iterator[OpenAI]:
    """The official client, which here never tries again of its own."""
    with OpenAI(base_url=fault_server.base_url, api_key=KEY, max_retries=0) as client:
        yield client


def ask(client: OpenAI, text: str = "Who?", model: str = "any") -> ChatCompletion:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])


def outcome(client: OpenAI, text: str = "Who?") -> str:
    try:
        return ask(client, text).choices[0].message.content or ""
    except OpenAIError as error:
        return type(error).__name__


def message_id(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def test_an_answer_is_a_completion_with_usage(client: OpenAI) -> None:
    answer = ask(client, "abcd" * 10)
    assert answer.choices[0].message.content == "[]"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (10, 1, 11)


def test_cached_tokens_are_those_of_the_head_shared_with_the_prompt_before(client: OpenAI) -> None:
    for tail in "xy":
        answer = ask(client, "abcd" * 10 + tail)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 10


def test_the_content_is_made_from_the_request(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(content='{"id": "{id}", "text": "{text}"}')
    assert json.loads(outcome(client, "Ç")) == {"id": message_id("Ç"), "text": "Ç"}


def test_models_are_listed_and_others_unknown(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(models=["small", "large"])
    assert [model.id for model in client.models.list()] == ["small", "large"]
    assert ask(client, model="large").model == "large"
    with pytest.raises(NotFoundError, match="`other` does not exist"):
        ask(client, model="other")


def test_another_key_is_refused_and_repeated(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(api_key="sk-another")
    with pytest.raises(AuthenticationError, match=KEY):
        ask(client)


def test_no_key_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with started("faults", "--log", log) as server, OpenAI(base_url=server.base_url, api_key=KEY) as client:
        ask(client)
        assert KEY not in json.dumps([server.requests(), server.log()])
        assert [entry["authorization"] for entry in server.log()] == [True]
    assert KEY not in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", ERRORS)
def test_errors_are_those_of_the_api(fault_server: ServerProcess, client: OpenAI, fault: str) -> None:
    kind, status = ERRORS[fault]
    fault_server.behave(plans=[{"fault": fault}])
    with pytest.raises(kind) as raised:
        ask(client)
    assert getattr(raised.value, "status_code", None) == status
    assert not isinstance(raised.value, APITimeoutError)
    assert [(entry["fault"], entry["answered"]) for entry in fault_server.log()] == [(fault, False)]


@pytest.mark.parametrize("fault", sorted(MALFORMED))
def test_malformed_replies_are_no_completions(fault_server: ServerProcess, client: OpenAI, fault: str) -> None:
    fault_server.behave(plans=[{"fault": fault}])
    raw: Any = client.chat.completions.with_raw_response.create(
        model="any", messages=[{"role": "user", "content": "Who?"}]
    )
    assert raw.http_response.status_code == 200
    with pytest.raises((ValueError, LookupError, TypeError)):
        json.loads(raw.http_response.text)["choices"][0]["message"]["content"]
    assert fault_server.counts()["answered"] == 0


@pytest.mark.parametrize("fault", ANSWERS)
def test_answers_out_of_the_ordinary(fault_server: ServerProcess, client: OpenAI, fault: str) -> None:
    content, finish, field = ANSWERS[fault]
    fault_server.behave(plans=[{"fault": fault}], content='[{"a": 1}]')
    choice = ask(client).choices[0]
    assert (choice.message.content, choice.finish_reason) == (content, finish)
    assert field is None or getattr(choice.message, field)
    assert fault_server.counts() | {"answered": 1, "faults": {fault: 1}} == fault_server.counts()


def test_reasoning_counts_as_reasoning_tokens(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(plans=[{"fault": "reasoning"}])
    answer = ask(client)
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert 0 < (answer.usage.completion_tokens_details.reasoning_tokens or 0) < answer.usage.completion_tokens


def test_thoughts_in_the_content(fault_server: ServerProcess, client: OpenAI) -> None:
    kinds = ["think", "think-unopened", "think-length"]
    fault_server.behave(plans=[{"fault": kind, "count": 1} for kind in kinds])
    closed, unopened, cut = (outcome(client) for _ in kinds)
    assert closed.startswith("<think>")
    assert closed.endswith("</think>\n\n[]")
    assert "<think>" not in unopened
    assert unopened.endswith("</think>\n\n[]")
    assert cut.startswith("<think>")
    assert "</think>" not in cut


def test_an_answer_without_usage(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(plans=[{"fault": "no-usage"}])
    assert ask(client).usage is None


@pytest.mark.parametrize("fault", ["duplicated", "duplicated-late"])
def test_a_duplicated_answer_comes_twice_on_its_connection(fault_server: ServerProcess, fault: str) -> None:
    fault_server.behave(plans=[{"fault": fault}])
    body = b'{"model": "any", "messages": [{"role": "user", "content": "Who?"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    received = b""
    with socket.create_connection(("127.0.0.1", int(fault_server.url.rpartition(":")[2])), timeout=5) as connection:
        connection.sendall(head + body)
        while received.count(b"chatcmpl-00000001") < 2:
            received += connection.recv(65536)
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert fault_server.counts()["answered"] == 1


@pytest.mark.parametrize("fault", sorted(LATE))
def test_a_stall_is_a_timeout_to_the_impatient(fault_server: ServerProcess, client: OpenAI, fault: str) -> None:
    fault_server.behave(plans=[{"fault": fault, "count": 1}])
    with pytest.raises(APITimeoutError):
        ask(client.with_options(timeout=0.3))
    assert outcome(client) == "[]"
    assert [entry["answered"] for entry in fault_server.log()] == [False, True]


@pytest.mark.parametrize("fault", sorted(LATE))
def test_a_stall_is_a_late_answer_to_the_patient(fault_server: ServerProcess, client: OpenAI, fault: str) -> None:
    fault_server.behave(plans=[{"fault": fault}], stall=0.2)
    assert outcome(client) == "[]"
    assert fault_server.counts()["answered"] == 1


def test_retry_after_comes_in_three_forms(fault_server: ServerProcess, client: OpenAI) -> None:
    names = ["429", "429-seconds", "429-milliseconds", "429-date"]
    fault_server.behave(plans=[{"fault": name, "count": 1} for name in names], retry_after=7)
    headers = []
    for _ in names:
        with pytest.raises(RateLimitError) as raised:
            ask(client)
        headers.append(raised.value.response.headers)
    assert not {"retry-after", "retry-after-ms"} & set(headers[0])
    assert headers[1]["retry-after"] == "7"
    assert headers[2]["retry-after-ms"] == "7000"
    assert 5 < (parsedate_to_datetime(headers[3]["retry-after"]) - datetime.now(UTC)).total_seconds() <= 8


def test_codes_tell_quota_and_context_from_their_like(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(plans=[{"fault": name, "count": 1} for name in ("429-quota", "400-context-openai")])
    codes = []
    for _ in range(2):
        with pytest.raises(APIStatusError) as raised:
            ask(client)
        codes.append(raised.value.code)
    assert codes == ["insufficient_quota", "context_length_exceeded"]


def test_vllm_says_too_long_in_words_only(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(plans=[{"fault": "400-context-vllm"}])
    with pytest.raises(BadRequestError, match="maximum context length is 4096 tokens") as raised:
        ask(client)
    assert str(raised.value.code) == "400"


def test_a_plan_fails_the_first_requests(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(plans=[{"fault": "503", "count": 2}])
    assert [outcome(client) for _ in range(3)] == ["InternalServerError", "InternalServerError", "[]"]


def test_a_plan_fails_all_requests_from_one_on(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(plans=[{"fault": "401", "first": 3}])
    assert [outcome(client) for _ in range(4)] == ["[]", "[]", "AuthenticationError", "AuthenticationError"]


def test_a_plan_is_for_requests_that_hold_its_text(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(plans=[{"fault": "400", "contains": "bad"}, {"content": "[1]", "contains": "one"}])
    assert [outcome(client, text) for text in ("good", "a bad one", "one")] == ["[]", "BadRequestError", "[1]"]


def test_a_plan_counts_each_message_by_itself_where_told(fault_server: ServerProcess, client: OpenAI) -> None:
    fault_server.behave(plans=[{"fault": "500", "count": 1, "each": True}])
    assert [outcome(client, text) for text in "aabb"] == ["InternalServerError", "[]"] * 2


def test_the_same_requests_fail_in_any_order(fault_server: ServerProcess, client: OpenAI) -> None:
    texts = [str(number) for number in range(60)]
    outcomes = []
    for order in (texts, texts[::-1]):
        fault_server.behave(rate=0.3, faults=["500", "429"], seed=5)
        outcomes.append({text: outcome(client, text) for text in order})
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0].values()) == {"[]", "InternalServerError", "RateLimitError"}
    assert 8 <= sum(value != "[]" for value in outcomes[0].values()) <= 28


async def ask_all(server: ServerProcess, texts: list[str]) -> tuple[list[str], list[str]]:
    """The outcomes by request, all sent at once, and the texts in the order in which their answers came."""
    came: list[str] = []

    async def one(client: AsyncOpenAI, text: str) -> str:
        try:
            answer = await client.chat.completions.create(model="any", messages=[{"role": "user", "content": text}])
        except RateLimitError:
            return "refused"
        came.append(text)
        return answer.choices[0].message.content or ""

    async with AsyncOpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client:
        return await asyncio.gather(*(one(client, text) for text in texts)), came


def test_answers_come_out_of_order(fault_server: ServerProcess) -> None:
    texts = [str(number) for number in range(20)]
    fault_server.behave(latency=[0.0, 0.5], content="{text}")
    answers, came = asyncio.run(ask_all(fault_server, texts))
    assert answers == texts
    assert came != texts
    assert fault_server.counts()["most_in_flight"] > 1


def test_more_in_flight_than_the_capacity_are_refused(fault_server: ServerProcess) -> None:
    fault_server.behave(latency=0.7, capacity=4)
    answers, _ = asyncio.run(ask_all(fault_server, [str(number) for number in range(6)]))
    assert sorted(answers) == ["[]"] * 4 + ["refused"] * 2
    assert fault_server.counts()["faults"] == {"429": 2}


def test_the_log_file_outlives_a_killed_server(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    for text in ("first", "second"):
        with (
            started("faults", "--log", log, "--behaviour", '{"plans": [{"fault": "500", "count": 1}]}') as server,
            OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client,
        ):
            assert [outcome(client, text) for _ in range(2)] == ["InternalServerError", "[]"]
            while len(server.log()) < 2:  # a client has its answer a moment before the log has it
                time.sleep(0.01)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(line["id"], line["fault"], line["answered"]) for line in lines] == [
        (message_id(text), fault, fault is None) for text in ("first", "second") for fault in ("500", None)
    ]


def test_what_was_sent_can_be_read(fault_server: ServerProcess) -> None:
    headers = {"X-Team": "ie"}
    with OpenAI(
        base_url=fault_server.base_url, api_key=KEY, organization="org-1", default_headers=headers, max_retries=0
    ) as client:
        client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "Who?"}], seed=3, extra_body={"top_k": 1}
        )
    [request] = fault_server.requests()
    assert request["headers"]["x-team"] == "ie"
    assert request["headers"]["openai-organization"] == "org-1"
    assert json.loads(request["body"]) == {
        "model": "any",
        "messages": [{"role": "user", "content": "Who?"}],
        "seed": 3,
        "top_k": 1,
    }


def test_what_is_no_request_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="messages is empty"):
        client.chat.completions.create(model="any", messages=[])
    with pytest.raises(BadRequestError, match="does not stream"):
        client.chat.completions.create(model="any", messages=[{"role": "user", "content": "Who?"}], stream=True)
    with pytest.raises(NotFoundError):
        client.completions.create(model="any", prompt="Who?")


def test_an_unknown_fault_is_refused(fault_server: ServerProcess) -> None:
    with pytest.raises(ValueError, match="there is no fault '418'"):
        fault_server.behave(plans=[{"fault": "418"}])


def test_forgetting_empties_log_and_counts(fault_server: ServerProcess, client: OpenAI) -> None:
    ask(client)
    fault_server.forget()
    assert fault_server.counts()["arrived"] == 0
    assert fault_server.log() == fault_server.requests() == []


def test_every_fault_is_tested_here(fault_server: ServerProcess) -> None:
    tested = set(ERRORS) | set(ANSWERS) | MALFORMED | LATE | TESTED_ALONE
    assert tested == {name for names in fault_server.faults().values() for name in names}
