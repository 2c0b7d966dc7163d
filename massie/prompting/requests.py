"""Requests: what a method sends to a language model for one sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from massie.prompting.rendering import Message


@dataclass(frozen=True, slots=True)
class Request:
    """A chat to complete: its messages, the most tokens of the answer, and the JSON schema that it must follow."""

    messages: Sequence[Message]
    max_new_tokens: int
    schema: dict[str, Any] | None = None
