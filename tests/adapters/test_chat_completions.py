"""The protocol's bodies, answers and errors, in the forms that OpenAI, vLLM and gateways give them."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from massie.adapters.chat_completions import (
    OpenAIOptions,
    body_of,
    completion_of,
    error_of,
    message_of,
    retry_after,
    usage_of,
)
from massie.adapters.completions import Completion
from massie.prompting import Request
from massie.types import EndpointError, Failure, RequestError, Usage

MESSAGES = [{"role": "user", "content": "Where is the Tana?"}]
LOCAL = "http://localhost:8000/v1"


def body(schema: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    return body_of(OpenAIOptions(model="m", **options), Request(MESSAGES, 256, schema))


def answer(message: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"model": "served", "choices": [{"message": message, "finish_reason": "stop", **choice}]}


def test_a_body_holds_messages_model_limit_and_temperature_and_nothing_else() -> None:
    assert body(base_url=LOCAL) == {"messages": MESSAGES, "model": "m", "max_tokens": 256, "temperature": 0.0}


def test_openai_knows_the_limit_by_its_newer_name() -> None:
    assert body()["max_completion_tokens"] == 256
    assert body(base_url=LOCAL, token_limit="max_completion_tokens")["max_completion_tokens"] == 256


def test_a_reasoning_model_gets_no_temperature_and_a_limit_of_1024() -> None:
    made = body(reasoning_effort="low")
    assert "temperature" not in made
    assert (made["reasoning_effort"], made["max_completion_tokens"]) == ("low", 1024)


def test_what_is_given_for_a_reasoning_model_stands() -> None:
    made = body(reasoning_effort="low", temperature=1, max_new_tokens=300)
    assert (made["temperature"], made["max_completion_tokens"]) == (1, 300)


def test_sampling_options_seed_and_logprobs_are_sent_where_they_are_given() -> None:
    made = body(base_url=LOCAL, temperature=0.7, top_p=0.9, seed=5, logprobs=True)
    assert made == {
        **body(base_url=LOCAL),
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 5,
        "logprobs": True,
    }


def test_the_extra_body_is_added_to_every_body() -> None:
    assert body(extra_body={"top_k": 20})["top_k"] == 20


def test_a_schema_becomes_the_response_format() -> None:
    made = body({"type": "array"})["response_format"]
    assert made == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": {"type": "array"}},
    }


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "localhost:8000"},
        {"base_url": "ftp://host/v1"},
        {"base_url": "http://me:secret@host/v1"},
        {"base_url": "http://host/v1?key=secret"},
        {"headers": {"Authorization": "Bearer secret"}},
        {"headers": {"X-Api-Key": "secret"}},
        {"headers": {"Proxy-Authorization": "Basic secret"}},
        {"headers": {"x-portkey-api-key": "secret"}},
        {"headers": {"apikey": "secret"}},
        {"headers": {"X-Auth-Token": "secret"}},
        {"headers": {"Cookie": "secret"}},
        {"token_limit": "max_words"},
        {"temperature": 3},
        {"model": ""},
        {"modell": "m"},
    ],
)
def test_options_that_will_not_do_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OpenAIOptions.model_validate({"model": "m", **options})


@pytest.mark.parametrize("name", ["x-portkey-provider", "X-Author", "x-max-tokens", "X-Tokenizer"])
def test_a_header_is_no_secret_for_a_part_of_a_word(name: str) -> None:
    assert OpenAIOptions(model="m", headers={name: "openai"}).headers == {name: "openai"}


def test_a_completion_has_text_reason_and_usage() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert completion_of({**answer({"content": "[]"}), "usage": usage}) == Completion(
        "[]",
        finish_reason="stop",
        usage=Usage(input_tokens=10, output_tokens=7, cached_tokens=4, reasoning_tokens=3),
    )


def test_bytes_text_and_values_are_read_alike() -> None:
    plain = answer({"content": "[]"})
    assert completion_of(json.dumps(plain)) == completion_of(json.dumps(plain).encode()) == completion_of(plain)


@pytest.mark.parametrize("message", [{"content": None}, {}, {"content": ""}, {"content": []}])
def test_no_content_is_an_empty_text(message: dict[str, Any]) -> None:
    assert completion_of(answer(message)).text == ""


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_that_comes_apart_is_kept_apart(field: str) -> None:
    made = completion_of(answer({"content": "[]", field: "thus"}))
    assert (made.text, made.reasoning) == ("[]", "thus")


def test_parts_of_a_message_are_text_and_thoughts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "th"}]},
        {"type": "thinking", "thinking": "us"},
        {"type": "text", "text": "["},
        {"type": "text", "text": "]"},
    ]
    made = completion_of(answer({"content": parts}))
    assert (made.text, made.reasoning) == ("[]", "thus")


def test_a_refusal_is_told_from_an_answer() -> None:
    made = completion_of(answer({"content": None, "refusal": "I cannot."}))
    assert (made.text, made.finish_reason) == ("I cannot.", "refusal")


@pytest.mark.parametrize("reason", ["error", "abort"])
def test_an_answer_that_broke_off_is_none(reason: str) -> None:
    with pytest.raises(RequestError) as raised:
        completion_of(answer({"content": "["}, finish_reason=reason, error={"code": 502, "message": "upstream died"}))
    assert raised.value.failure is Failure.SERVER
    assert str(raised.value) == f"the answer broke off ({reason}): upstream died"
    with pytest.raises(RequestError, match="no reason was given"):
        completion_of(answer({"content": ""}, finish_reason=reason))


def test_half_a_character_is_marked_as_such() -> None:
    made = completion_of(json.dumps(answer({"content": "[] \ud83d", "reasoning": "\ude00!"})))
    assert (made.text, made.reasoning) == ("[] \N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}!")
    whole = json.dumps(answer({"content": "\N{GRINNING FACE}"}))
    assert completion_of(whole).text == "\N{GRINNING FACE}"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_the_finish_reason_is_kept(reason: str) -> None:
    assert completion_of(answer({"content": "["}, finish_reason=reason)).finish_reason == reason


def test_logprobs_are_those_of_the_tokens() -> None:
    content = [{"token": "[", "logprob": -0.5}, {"token": "]", "logprob": 0}]
    assert completion_of(answer({"content": "[]"}, logprobs={"content": content})).logprobs == [-0.5, 0.0]


@pytest.mark.parametrize(
    "tokens",
    [
        [{"token": "["}],
        [{"logprob": -0.5}, {"logprob": None}],
        [{"logprob": float("-inf")}],
        [{"logprob": float("nan")}],
        [{"logprob": "-0.5"}],
        [{"logprob": -(10**400)}],
        [None],
        [],
        "none",
        7,
    ],
)
def test_for_logprobs_that_are_none_no_answer_is_lost(tokens: Any) -> None:
    made = completion_of(answer({"content": "[]"}, logprobs={"content": tokens}))
    assert (made.text, made.logprobs) == ("[]", None)


@pytest.mark.parametrize(
    "usage",
    [None, [], {}, {"prompt_tokens": -1}, {"prompt_tokens": "7"}, {"prompt_tokens": True}, {"prompt_tokens": 1 << 31}],
)
def test_usage_that_is_none_is_left_out(usage: Any) -> None:
    assert usage_of(usage) == Usage()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[1, 2]",
        '{"choices": null}',
        '{"choices": []}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{"message": {"content": 7}}]}',
        '{"choices": [{"message": {"content": [7]}}]}',
        '{"choices": [{"message": {"content": [{"type": "text", "text": 7}]}}]}',
        '{"error": {"message": "Provider returned error", "code": 502}}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_completion_is_malformed(content: str | bytes) -> None:
    with pytest.raises(RequestError, match=r"the answer is no chat completion: .") as raised:
        completion_of(content)
    assert raised.value.failure is Failure.MALFORMED
    assert len(str(raised.value)) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["choices", "message", "content", "type"]), inner),
)


@given(json_values, json_values)
def test_any_value_is_a_completion_or_malformed(choice: Any, message: Any) -> None:
    for plain in (choice, {"choices": choice}, {"choices": [choice]}, answer(message), answer({"content": message})):
        try:
            made = completion_of(json.dumps(plain))
        except RequestError as error:
            assert error.failure is Failure.MALFORMED
        else:
            assert isinstance(made.text, str)


def failed(status: int, message: str = "no", code: Any = None, kind: str = "some", **headers: str) -> Any:
    return error_of(status, headers, {"error": {"message": message, "type": kind, "code": code}})


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, Failure.REJECTED),
        (405, Failure.REJECTED),
        (408, Failure.TIMEOUT),
        (409, Failure.SERVER),
        (413, Failure.REJECTED),
        (422, Failure.REJECTED),
        (429, Failure.RATE_LIMIT),
        (500, Failure.SERVER),
        (502, Failure.SERVER),
        (529, Failure.SERVER),
    ],
)
def test_a_status_is_a_failure_of_its_kind(status: int, failure: Failure) -> None:
    error = failed(status, "no way")
    assert isinstance(error, RequestError)
    assert (error.failure, str(error)) == (failure, f"{status} no way")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refuses the key"),
        (403, "refuses the key"),
        (404, "no such model or address"),
        (402, "no quota left"),
        (307, "has moved to https://new/v1"),
    ],
)
def test_a_status_that_concerns_all_requests_is_the_endpoints(status: int, words: str) -> None:
    error = failed(status, location="https://new/v1")
    assert isinstance(error, EndpointError)
    assert words in str(error)


@pytest.mark.parametrize(
    "said",
    [
        {"message": "Input was flagged"},
        {"message": "This request was stopped by our moderation."},
        {"message": "It violates our content policy."},
        {"message": "Forbidden", "metadata": {"reasons": ["violence"], "flagged_input": "..."}},
    ],
)
def test_what_moderation_stops_is_the_fault_of_its_sample(said: dict[str, Any]) -> None:
    error = error_of(403, {}, {"error": {"code": 403, **said}})
    assert isinstance(error, RequestError)
    assert error.failure is Failure.REJECTED
    assert isinstance(error_of(401, {}, {"error": said}), EndpointError)


@pytest.mark.parametrize("named", [{"code": "insufficient_quota"}, {"kind": "insufficient_quota"}])
def test_an_empty_account_is_no_rate_limit(named: dict[str, str]) -> None:
    assert isinstance(failed(429, **named), EndpointError)


@pytest.mark.parametrize(
    "named",
    [
        {"code": "context_length_exceeded"},
        {"message": "This model's maximum context length is 4096 tokens. However, you requested 5000."},
        {"message": "the request exceeds the available context size. try increasing the context size"},
        {"message": "prompt is too long: 205000 tokens > 200000 maximum"},
        {"message": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens"},
        {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575)."},
        {"kind": "exceed_context_size_error", "code": 400},
    ],
)
def test_a_context_that_is_too_short_is_told_from_other_rejections(named: dict[str, Any]) -> None:
    error = failed(400, **named)
    assert isinstance(error, RequestError)
    assert error.failure is Failure.CONTEXT_LENGTH


def test_a_prompt_that_a_filter_caught_is_an_answer() -> None:
    """And one that cost nothing."""
    assert failed(400, code="content_filter") == Completion(
        "", finish_reason="content_filter", usage=Usage(input_tokens=0, output_tokens=0)
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<html><head><title>Bad\nGateway</title></head><body>…</body></html>", "502 an HTML page: Bad Gateway"),
        ("upstream\n  gone", "502 upstream gone"),
        (None, "502"),
        ({"detail": "gone"}, "502 {'detail': 'gone'}"),
        ({"error": "gone"}, "502 {'error': 'gone'}"),
        ({"message": "gone"}, "502 gone"),
        ([1], "502 [1]"),
        ("x" * 5000, "502 " + "x" * 300),
    ],
)
def test_whatever_a_server_says_is_told_on_one_short_line(content: Any, said: str) -> None:
    assert str(error_of(502, {}, content)) == said


@pytest.mark.parametrize("content", ["<title>" * 150_000, "<" * 1_000_000, {"error": {"code": "prompt is" * 99_999}}])
def test_a_page_of_a_megabyte_is_not_searched_to_its_end(content: Any) -> None:
    started = time.perf_counter()
    assert len(str(error_of(400, {}, content))) < 400
    assert time.perf_counter() - started < 1


def test_whatever_lies_within_whatever_is_told_in_a_few_words() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert str(error_of(500, {}, {"error": {"message": deep}})) == "500 values within values"


def test_nothing_that_a_terminal_would_obey_is_passed_on() -> None:
    said = "bad \x1b]0;mine\x07 \x1b[31mred\x9b \u202egnp \ud83d"
    mark = "\N{REPLACEMENT CHARACTER}"
    expected = f"bad {mark}]0;mine{mark} {mark}[31mred{mark} {mark}gnp {mark}"
    assert message_of(said) == expected
    assert str(failed(500, said)) == f"500 {expected}"
    assert "\x1b" not in str(failed(307, location=said))
    assert completion_of(answer({"content": "[]"}, finish_reason=said)).finish_reason == expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "150"}, 0.15),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after-ms": "1", "retry-after": "9"}, 0.001),
        ({"retry-after": formatdate(0, usegmt=True)}, 0.0),
        ({"retry-after": "Fri, 99 Foo 2026 00:00:00 GMT"}, None),
    ],
)
def test_the_time_to_wait_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_wait_for_is_a_number_of_seconds() -> None:
    waited = retry_after({"retry-after": formatdate(time.time() + 90, usegmt=True)})
    assert waited == pytest.approx(90, abs=2)
