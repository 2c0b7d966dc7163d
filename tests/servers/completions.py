"""Chat completions as OpenAI's API words them: requests read, answers and errors built."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

THOUGHT = 'The text may name a person: [{"label": "PER", "span": "nobody"}]. No, it does not.'


class BadRequestError(ValueError):
    """A request that is no chat-completions request; the text says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """What the server reads in a chat-completions request.

    ``id`` is the first 16 hexadecimal digits of the SHA-256 of the last user message, so that whoever knows the
    message can find its requests in a log.
    """

    id: str
    model: str
    text: str
    prompt: str


def read_call(body: bytes) -> Call:
    """The call in a request's body; raises BadRequestError."""
    try:
        read = json.loads(body)
        messages, model = read["messages"], read["model"]
        texts = [(message["role"], _text(message["content"])) for message in messages]
    except (ValueError, TypeError, KeyError) as error:
        raise BadRequestError(f"the body is no chat-completions request: {error!r}") from error
    if not texts:
        raise BadRequestError("messages is empty")
    if read.get("stream"):
        raise BadRequestError("this server does not stream")
    text = next((text for role, text in reversed(texts) if role == "user"), "")
    return Call(message_id(text), model, text, "\n".join(text for _, text in texts))


def message_id(text: str) -> str:
    """The id under which requests with this last user message are logged."""
    return sha256(text.encode()).hexdigest()[:16]


def _text(content: str | Sequence[Any] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text", "") for part in content)


def tokens(text: str) -> int:
    """About as many tokens as a text has: one for every four characters."""
    return (len(text) + 3) // 4


def shared_head(first: str, second: str) -> int:
    """How many characters two texts share at their beginning, by halving."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def usage(prompt: int, completion: int, *, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """The usage of one answer, in tokens; cached ones are among the prompt's, reasoning among the completion's."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def completion(
    number: int,
    model: str,
    content: str | None,
    used: dict[str, Any] | None,
    *,
    finish: str = "stop",
    **message: Any,
) -> dict[str, Any]:
    """A ChatCompletion with one choice; further fields go into its message."""
    return {
        "id": f"chatcmpl-{number:08d}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": None, "annotations": [], **message},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": used,
        "service_tier": "default",
        "system_fingerprint": "fp_test",
    }


def failure(
    message: str, kind: str = "invalid_request_error", code: str | int | None = None, param: str | None = None
) -> dict[str, Any]:
    """An error's body in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def models(names: Sequence[str]) -> dict[str, Any]:
    """The answer to GET /v1/models."""
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"} for name in names]
    return {"object": "list", "data": listed}
