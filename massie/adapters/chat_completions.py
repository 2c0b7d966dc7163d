"""The protocol of chat completions, as OpenAI's API and the many that follow it speak it: bodies, answers, errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from massie.adapters.completions import Completion
from massie.catalogue import Content
from massie.prompting import Request
from massie.types import EndpointError, Failure, RequestError, Usage

OPENAI = "OpenAI"
"""What OpenAI's own endpoint is called where settings are told."""
_WITH_REASONING = 1024
"""New tokens that a reasoning model gets at least."""
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)


class OpenAIOptions(Content):
    """The options of a model behind an endpoint.

    ``base_url`` is the endpoint's (None: OpenAI's own), ``api_key_env`` the environment variable that holds its key.
    ``headers`` are sent with every request; a value that begins with ``$`` names an environment variable.
    ``max_new_tokens`` takes the place of the prompt's limit; ``token_limit`` is what the body calls it. With
    ``reasoning_effort`` no temperature is sent unless one is given, and the limit is at least 1,024. ``extra_body`` is
    added to the body of every request.
    """

    model: str = Field(min_length=1)
    base_url: str | None = None
    api_key_env: str | None = None
    organization: str | None = None
    project: str | None = None
    headers: dict[str, str] = {}
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = None
    max_new_tokens: int | None = Field(default=None, ge=1)
    reasoning_effort: str | None = None
    token_limit: str | None = Field(default=None, pattern=r"^max_(completion_)?tokens$")
    logprobs: bool = False
    extra_body: dict[str, Any] = {}

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{value!r} is no address; http://HOST:PORT/v1 is one")
            if parts.username or parts.password or parts.query:
                raise ValueError("a password or query in the address would be written into the run: leave it out")
        return value

    @field_validator("headers")
    @classmethod
    def _no_secrets(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if _SECRET_HEADER.search(name) and not text.startswith("$"):
                raise ValueError(f"{name} would be written into the run: name an environment variable, $MY_KEY, say")
        return value

    @property
    def sent_temperature(self) -> float | None:
        """The temperature that is sent: none to a reasoning model, which takes none, unless one is given."""
        given = self.reasoning_effort is None or "temperature" in self.model_fields_set
        return self.temperature if given else None

    def parameters(self) -> dict[str, Any]:
        """What the body of every request holds beside its messages and its limit."""
        named = {
            "model": self.model,
            "temperature": self.sent_temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "reasoning_effort": self.reasoning_effort,
            "logprobs": self.logprobs or None,
        }
        return {name: value for name, value in named.items() if value is not None} | self.extra_body

    def limit(self, request: Request) -> dict[str, int]:
        """The most new tokens, by the name that the endpoint knows."""
        tokens = self.max_new_tokens or request.max_new_tokens
        if self.max_new_tokens is None and self.reasoning_effort is not None:
            tokens = max(tokens, _WITH_REASONING)
        return {self.token_limit or ("max_tokens" if self.base_url else "max_completion_tokens"): tokens}


def body_of(options: OpenAIOptions, request: Request) -> dict[str, Any]:
    """The body of a request."""
    body = {"messages": request.messages, **options.limit(request), **options.parameters()}
    if request.schema is not None:
        schema = {"name": "answer", "strict": True, "schema": request.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def completion_of(content: bytes | str | Mapping[str, Any]) -> Completion:
    """The completion in a response's body; raises RequestError where it is none."""
    try:
        plain: Any = content if isinstance(content, Mapping) else json.loads(content)
        choice = plain["choices"][0]
        message = choice["message"]
        text, thought = _parts(message.get("content"))
        refusal = message.get("refusal")
        reasoning = thought or message.get("reasoning_content") or message.get("reasoning")
        return Completion(
            text=refusal if refusal and not text else text,
            finish_reason="refusal" if refusal else _told(choice.get("finish_reason")),
            usage=usage_of(plain.get("usage")),
            reasoning=_told(reasoning),
            model=_told(plain.get("model")),
            logprobs=_logprobs(choice.get("logprobs")),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
        raise RequestError(
            Failure.MALFORMED, f"the answer is no chat completion: {_message(text) or 'it is empty'}"
        ) from error


def _told(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _parts(content: object) -> tuple[str, str]:
    """Text and thoughts of a message's content: a string, nothing, or a list of parts."""
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    text, thought = "", ""
    for part in cast("list[dict[str, Any]]", content):
        if part["type"] == "thinking":
            thought += part["thinking"] if isinstance(part["thinking"], str) else _parts(part["thinking"])[0]
        else:
            text += part["text"]
    return text, thought


def _logprobs(found: Any) -> Sequence[float] | None:
    return None if not found or not found.get("content") else [float(token["logprob"]) for token in found["content"]]


def usage_of(plain: Any) -> Usage:
    """The usage that a response states; what is no whole number is left out."""
    return Usage(
        input_tokens=_number(plain, "prompt_tokens"),
        output_tokens=_number(plain, "completion_tokens"),
        reasoning_tokens=_number(plain, "completion_tokens_details", "reasoning_tokens"),
        cached_tokens=_number(plain, "prompt_tokens_details", "cached_tokens"),
    )


def _number(plain: Any, *names: str) -> int | None:
    for name in names:
        plain = cast("dict[str, Any]", plain).get(name) if isinstance(plain, dict) else None
    return plain if isinstance(plain, int) and not isinstance(plain, bool) and 0 <= plain < 1 << 53 else None


_CONTEXT = re.compile(
    r"context.?(length|size|window)|maximum context|too many tokens|(prompt|input) is too long|reduce the length"
    r"|exceeds the maximum number of tokens|`max_new_tokens` must be",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TRANSIENT = {408: Failure.TIMEOUT, 409: Failure.SERVER, 429: Failure.RATE_LIMIT}
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached"}


def error_of(status: int, headers: Mapping[str, str], body: Any) -> RequestError | EndpointError | Completion:
    """What an answer with an error's status means: for the request, for the whole endpoint, or as an answer."""
    plain = _object(body)
    plain = _object(plain.get("error")) or plain
    codes = {str(plain[name]) for name in ("code", "type") if plain.get(name)}
    message = _message(plain.get("message") or plain or body)
    said = f"{status} {message}".strip()
    if 300 <= status < 400:
        place = headers.get("location", "another address")
        return EndpointError(f"the endpoint has moved to {place} ({status}); name that with --option base_url=...")
    if status in (401, 403):
        return EndpointError(
            f"the endpoint refuses the key ({said}); mend the environment variable that holds it, or name that with "
            "--option api_key_env=..."
        )
    if status == 404:
        return EndpointError(f"the endpoint has no such model or address ({said}); mend --option model or base_url")
    if status == 402 or (status == 429 and codes & _NO_MONEY):
        return EndpointError(f"the account has no quota left ({said}); the answers so far are kept")
    if status in _TRANSIENT or status >= 500:
        return RequestError(_TRANSIENT.get(status, Failure.SERVER), said, retry_after(headers))
    if "content_filter" in codes:
        return Completion("", finish_reason="content_filter")
    if any(_CONTEXT.search(text) for text in (*codes, message)):
        return RequestError(Failure.CONTEXT_LENGTH, said)
    return RequestError(Failure.REJECTED, said)


def _message(said: Any) -> str:
    """What a server said, on one line; of a page its title."""
    text = str(said or "")
    if text.lstrip().startswith("<"):
        title = _TITLE.search(text)
        text = f"an HTML page: {title[1] if title else text}"
    return " ".join(text.split())[:300]


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait, where it does: ``retry-after-ms``, or ``Retry-After`` in either form."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        elif "retry-after" not in headers:
            return None
        elif headers["retry-after"].strip().replace(".", "", 1).isdigit():
            seconds = float(headers["retry-after"])
        else:
            seconds = parsedate_to_datetime(headers["retry-after"]).timestamp() - time()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(seconds, 0.0) if seconds < float("inf") else None
