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
from pydantic_core import PydanticCustomError

from massie.adapters.completions import Completion
from massie.catalogue import SECRET, Content
from massie.prompting import Request
from massie.types import EndpointError, Failure, RequestError, Usage

OPENAI = "OpenAI"
"""What OpenAI's own endpoint is called where settings are told."""
_WITH_REASONING = 1024
"""New tokens that a reasoning model gets at least."""
_SECRET_HEADER = re.compile(
    r"(^|[-_])(auth|authori[sz]ation|authentication|(api|access|auth)?(key|token)|secret|cookie|password|credentials?)"
    r"($|[-_])",
    re.IGNORECASE,
)


_NAME_OF_A_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OWN_FIELDS = {
    "model", "messages", "temperature", "top_p", "seed", "reasoning_effort", "logprobs", "response_format", "n",
    "stream", "max_tokens", "max_completion_tokens",
}  # fmt: skip
"""What a request holds by itself, or what would make its answer another thing than is read."""


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

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not _NAME_OF_A_VARIABLE.fullmatch(value):
            raise PydanticCustomError(SECRET, "must name an environment variable that holds the key: MY_KEY, say")
        return value

    @field_validator("extra_body")
    @classmethod
    def _only_others(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name in _OWN_FIELDS:
                raise ValueError(f"{name} is what the adapter itself sends; leave it out, or use its own option")
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


def completion_of(content: Any) -> Completion:
    """The completion in a response's body, as it came or parsed; raises RequestError where it is none."""
    try:
        plain: Any = json.loads(content) if isinstance(content, bytes | str) else content
        choice = plain["choices"][0]
        finish_reason = message_of(_told(choice.get("finish_reason"))) or None
        if finish_reason in _BROKEN_OFF:
            raise _broken_off(finish_reason, choice)
        message = choice["message"]
        text, thought = _parts(message.get("content"))
        refusal = message.get("refusal")
        reasoning = thought or message.get("reasoning_content") or message.get("reasoning")
        return Completion(
            text=_whole(refusal if refusal and not text else text),
            finish_reason="refusal" if refusal else finish_reason,
            usage=usage_of(plain.get("usage")),
            reasoning=_told(reasoning),
            logprobs=_logprobs(choice.get("logprobs")),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise RequestError(
            Failure.MALFORMED, f"the answer is no chat completion: {message_of(content) or 'it is empty'}"
        ) from error


_BROKEN_OFF = ("error", "abort")
"""The reasons to finish that gateways and vLLM give where what stands behind them has died."""


def _broken_off(reason: str, choice: Mapping[str, Any]) -> RequestError:
    why = _object(choice.get("error")).get("message")
    return RequestError(Failure.SERVER, f"the answer broke off ({reason}): {message_of(why) or 'no reason was given'}")


def _told(value: object) -> str | None:
    return _whole(value) if isinstance(value, str) and value else None


def _whole(text: str) -> str:
    """The text with the mark of what cannot be read where a character was cut in two; no file could hold its half."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


_SURROGATE = re.compile("[\ud800-\udfff]")


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
    """Those of all tokens, or none: an answer is not lost for them."""
    content = _object(found).get("content")
    tokens = cast("list[Any]", content) if isinstance(content, list) else []
    values = [_object(token).get("logprob") for token in tokens]
    numbers = [float(value) for value in values if isinstance(value, int | float) and abs(value) < _LARGEST]
    return numbers if numbers and len(numbers) == len(values) else None


_LARGEST = 1e300


def usage_of(plain: Any) -> Usage:
    """The usage that a response states; what is no number of tokens is left out."""
    return Usage(
        input_tokens=_number(plain, "prompt_tokens"),
        output_tokens=_number(plain, "completion_tokens"),
        reasoning_tokens=_number(plain, "completion_tokens_details", "reasoning_tokens"),
        cached_tokens=_number(plain, "prompt_tokens_details", "cached_tokens"),
    )


def _number(plain: Any, *names: str) -> int | None:
    for name in names:
        plain = cast("dict[str, Any]", plain).get(name) if isinstance(plain, dict) else None
    return plain if isinstance(plain, int) and not isinstance(plain, bool) and 0 <= plain < 1 << 31 else None


_CONTEXT = re.compile(
    r"context.?(length|size|window)|maximum context|too many tokens|(prompt|input) is too long|reduce the length"
    r"|exceeds the maximum number of tokens|`max_new_tokens` must be",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TRANSIENT = {408: Failure.TIMEOUT, 409: Failure.SERVER, 429: Failure.RATE_LIMIT}
_MODERATED = re.compile(r"moderat|flagged|(content|usage|safety).polic", re.IGNORECASE)
_MODERATION = {"reasons", "flagged_input"}
"""What OpenRouter tells of a request that its moderation stopped."""
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached"}


def error_of(status: int, headers: Mapping[str, str], body: Any) -> RequestError | EndpointError | Completion:
    """What an answer with an error's status means: for the request, for the whole endpoint, or as an answer."""
    plain = _object(body)
    plain = _object(plain.get("error")) or plain
    codes = {message_of(plain[name]) for name in ("code", "type") if plain.get(name)}
    message = message_of(plain.get("message") or plain or body)
    said = f"{status} {message}".strip()
    if 300 <= status < 400:
        place = message_of(headers.get("location")) or "another address"
        return EndpointError(f"the endpoint has moved to {place} ({status}); name that with --option base_url=...")
    if status == 403 and (_MODERATED.search(message) or _MODERATION & _object(plain.get("metadata")).keys()):
        return RequestError(Failure.REJECTED, said)
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
        return Completion("", finish_reason="content_filter", usage=Usage(input_tokens=0, output_tokens=0))
    if any(_CONTEXT.search(text) for text in (*codes, message)):
        return RequestError(Failure.CONTEXT_LENGTH, said)
    return RequestError(Failure.REJECTED, said)


def message_of(said: Any) -> str:
    """What a server said, on one short line without anything that a terminal would obey; of a page its title."""
    text = _start(said)
    if text.lstrip().startswith("<"):
        title = _TITLE.search(text)
        text = f"an HTML page: {title[1] if title else text}"
    line = " ".join(text.split())[:300]
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)


def _start(said: Any) -> str:
    """The beginning of what was said: no expression is to run over more than that."""
    if isinstance(said, bytes):
        return said[:_LOOKED_AT].decode("utf-8", "replace")
    try:
        return str(said or "")[:_LOOKED_AT]
    except RecursionError:
        return "values within values"


_LOOKED_AT = 10_000


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
