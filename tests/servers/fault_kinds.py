"""The ways in which the fault server fails, each by its name.

Names begin with the HTTP status where that is what fails. By kind: *transient* ones may go well when asked again,
*fatal* ones concern every request alike, *request* ones concern this request for ever, *malformed* ones are replies
with status 200 that hold no completion, and *answer* ones are valid completions out of the ordinary.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from functools import partial
from typing import Any

from completions import THOUGHT, Call, completion, failure, tokens, usage
from http1 import Ending, Reply, json_reply

HTML = b"<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
CONTEXT = 4096
# Seconds: so late that the client has taken the answer and, where it asks one thing at a time, waits.
LATE = 0.05
# By fault: how a reply gets lost on its way, after the server has done what it was asked.
LOST: dict[str, dict[str, Any]] = {
    "half-body": {"share": 0.5, "ending": Ending.CLOSE},
    "closed": {"share": 0.0, "ending": Ending.CLOSE},
    "reset": {"share": 0.0, "ending": Ending.RESET},
    "reset-in-body": {"share": 0.5, "ending": Ending.RESET},
}


class Kind(Enum):
    """What a fault means to a client."""

    TRANSIENT = "transient"
    FATAL = "fatal"
    REQUEST = "request"
    MALFORMED = "malformed"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Case:
    """What a reply is made of: the call, its arrival number, the key sent, the answer it would get, and settings."""

    call: Call
    number: int
    key: str
    content: str
    used: dict[str, Any]
    stall: float
    retry_after: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail."""

    kind: Kind
    make: Callable[[Case], Reply]


def answer(case: Case) -> Reply:
    """The good answer."""
    return json_reply(completion(case.number, case.call.model, case.content, case.used))


def wrong_key(key: str) -> Reply:
    """401; like some gateways, and to see that clients do not pass it on, the message repeats the whole key."""
    return json_reply(failure(f"Incorrect API key provided: {key}.", code="invalid_api_key"), 401)


def _error(status: int, message: str, kind: str, code: str | int | None, case: Case) -> Reply:
    return json_reply(failure(message, kind, code), status)


def _error_kind(kind: Kind, status: int, message: str, type_: str, code: str | int | None = None) -> Fault:
    return Fault(kind, partial(_error, status, message, type_, code))


def _delivered(case: Case, **how: Any) -> Reply:
    """The good answer, delivered in some bad way."""
    return replace(answer(case), **how)


def _body(
    value: bytes, status: int = 200, kind: Kind = Kind.MALFORMED, content_type: str = "application/json"
) -> Fault:
    return Fault(kind, lambda case: Reply(value, status, {"content-type": content_type}))


def _rate_limited(case: Case, **headers: str) -> Reply:
    message = f"Rate limit reached for {case.call.model} on requests per min (RPM). Please try again later."
    return json_reply(failure(message, "requests", "rate_limit_exceeded"), 429, **headers)


def _retry_date(case: Case) -> str:
    """In HTTP's form, whole seconds, never earlier than asked for."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=case.retry_after + 1), usegmt=True)


def _context_openai(case: Case) -> Reply:
    message = (
        f"This model's maximum context length is {CONTEXT} tokens. However, your messages resulted in "
        f"{CONTEXT + 904} tokens. Please reduce the length of the messages."
    )
    return json_reply(failure(message, code="context_length_exceeded", param="messages"), 400)


def _context_vllm(case: Case) -> Reply:
    """As vLLM words it: the status as the code, and no code that names the reason."""
    message = (
        f"This model's maximum context length is {CONTEXT} tokens. However, you requested 256 output tokens and your "
        f"prompt contains at least {CONTEXT - 255} input tokens, for a total of at least {CONTEXT + 1} tokens. Please "
        "reduce the length of the input prompt or the number of requested output tokens."
    )
    return json_reply(failure(message, "BadRequestError", 400, "input_tokens"), 400)


def _not_found(case: Case) -> Reply:
    message = f"The model `{case.call.model}` does not exist or you do not have access to it."
    return json_reply(failure(message, code="model_not_found"), 404)


def _answered(case: Case, content: str | None, *, finish: str = "stop", thought: str = "", **message: Any) -> Reply:
    """A completion out of the ordinary; what was thought counts as reasoning tokens."""
    reasoning = tokens(thought)
    cached = case.used["prompt_tokens_details"]["cached_tokens"]
    used = usage(case.used["prompt_tokens"], tokens(content or "") + reasoning, cached=cached, reasoning=reasoning)
    return json_reply(completion(case.number, case.call.model, content, used, finish=finish, **message))


def _variant(make: Callable[[Case], Reply]) -> Fault:
    return Fault(Kind.ANSWER, make)


def _half(text: str) -> str:
    return text[: (len(text) + 1) // 2]


FAULTS: dict[str, Fault] = {
    "429": Fault(Kind.TRANSIENT, _rate_limited),
    "429-seconds": Fault(Kind.TRANSIENT, lambda case: _rate_limited(case, retry_after=str(case.retry_after))),
    "429-milliseconds": Fault(
        Kind.TRANSIENT, lambda case: _rate_limited(case, retry_after_ms=str(case.retry_after * 1000))
    ),
    "429-date": Fault(Kind.TRANSIENT, lambda case: _rate_limited(case, retry_after=_retry_date(case))),
    "408": _error_kind(Kind.TRANSIENT, 408, "Request timed out.", "timeout"),
    "409": _error_kind(Kind.TRANSIENT, 409, "The resource is locked by another request.", "conflict"),
    "500": _error_kind(Kind.TRANSIENT, 500, "The server had an error while processing your request.", "server_error"),
    "502": _error_kind(Kind.TRANSIENT, 502, "Bad gateway.", "server_error"),
    "503": _error_kind(Kind.TRANSIENT, 503, "The engine is currently overloaded.", "service_unavailable"),
    "502-html": _body(HTML, 502, Kind.TRANSIENT, "text/html"),
    **{name: Fault(Kind.TRANSIENT, partial(_delivered, **how)) for name, how in LOST.items()},
    # They answer after all: a client that waits less long sees a timeout, one that waits longer the answer.
    "stall": Fault(Kind.ANSWER, lambda case: _delivered(case, delay=case.stall)),
    "stall-in-body": Fault(Kind.ANSWER, lambda case: _delivered(case, share=0.5, pause=case.stall)),
    "401": Fault(Kind.FATAL, lambda case: wrong_key(case.key)),
    "403": _error_kind(Kind.FATAL, 403, "Country, region, or territory not supported.", "request_forbidden"),
    "404": Fault(Kind.FATAL, _not_found),
    "404-html": _body(HTML.replace(b"Bad Gateway", b"Not Found"), 404, Kind.FATAL, "text/html"),
    "429-quota": _error_kind(
        Kind.FATAL,
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    ),
    "400": _error_kind(Kind.REQUEST, 400, "Invalid value for 'messages'.", "invalid_request_error", "invalid_value"),
    "400-context-openai": Fault(Kind.REQUEST, _context_openai),
    "400-context-vllm": Fault(Kind.REQUEST, _context_vllm),
    "413": _error_kind(Kind.REQUEST, 413, "Request too large.", "invalid_request_error"),
    "200-html": _body(HTML, 200, Kind.MALFORMED, "text/html"),
    "200-empty": _body(b""),
    "truncated-json": Fault(
        Kind.MALFORMED, lambda case: _delivered(case, body=answer(case).body[: len(answer(case).body) // 2])
    ),
    "other-shape": _body(b'{"result": "done"}'),
    "json-list": _body(b"[1, 2]"),
    "error-in-200": _body(json.dumps(failure("Provider returned error", code=502)).encode()),
    "no-choices": _body(b'{"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "any"}'),
    "empty-choices": _body(
        b'{"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "any", "choices": []}'
    ),
    "null-choices": _body(
        b'{"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "any", "choices": null}'
    ),
    "null-message": _body(
        b'{"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "any", "choices": '
        b'[{"index": 0, "message": null, "finish_reason": "stop"}]}'
    ),
    "duplicated": Fault(Kind.ANSWER, partial(_delivered, copies=2)),
    "duplicated-late": Fault(Kind.ANSWER, partial(_delivered, copies=2, pause=LATE)),
    "length": _variant(lambda case: _answered(case, _half(case.content), finish="length")),
    "content-filter": _variant(lambda case: _answered(case, "", finish="content_filter")),
    "refusal": _variant(lambda case: _answered(case, None, refusal="I'm sorry, I cannot assist with that request.")),
    "empty": _variant(lambda case: _answered(case, "")),
    "null": _variant(lambda case: _answered(case, None)),
    "no-usage": _variant(lambda case: json_reply(completion(case.number, case.call.model, case.content, None))),
    "reasoning-content": _variant(
        lambda case: _answered(case, case.content, thought=THOUGHT, reasoning_content=THOUGHT)
    ),
    "reasoning": _variant(lambda case: _answered(case, case.content, thought=THOUGHT, reasoning=THOUGHT)),
    "think": _variant(lambda case: _answered(case, f"<think>\n{THOUGHT}\n</think>\n\n{case.content}")),
    # Where the chat template opens the thought, as reasoning models' own do, the answer only closes it.
    "think-unopened": _variant(lambda case: _answered(case, f"{THOUGHT}\n</think>\n\n{case.content}")),
    "think-length": _variant(lambda case: _answered(case, f"<think>\n{THOUGHT}", finish="length")),
    "reasoning-length": _variant(
        lambda case: _answered(case, None, finish="length", thought=THOUGHT, reasoning_content=THOUGHT)
    ),
}

TRANSIENT: tuple[str, ...] = tuple(name for name, fault in FAULTS.items() if fault.kind is Kind.TRANSIENT)
