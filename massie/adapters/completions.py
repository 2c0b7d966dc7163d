"""What language models do: complete chats. A language model here knows no task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from massie.prompting import Request
from massie.types import RequestError, Usage


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model answered to a request.

    ``reasoning`` is what it thought, where that comes apart from the text; ``logprobs`` are those of the tokens of the
    text, natural logarithms.
    """

    text: str
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    reasoning: str | None = None
    logprobs: Sequence[float] | None = None


Outcome = Completion | RequestError
"""What comes of a request."""


class LLM(Protocol):
    """A language model."""

    @property
    def model(self) -> str:
        """Its name."""
        ...

    @property
    def tuning(self) -> frozenset[str]:
        """The options that change no answer."""
        ...

    def settings(self) -> dict[str, Any]:
        """All that its answers depend on, beside the request: model, endpoint, sampling. JSON values, no secret."""
        ...


@runtime_checkable
class ServedLLM(LLM, Protocol):
    """A language model behind a server that takes many requests at once."""

    async def open(self) -> None:
        """Called once in the event loop before the first request; raises EndpointError where a key is missing, say."""
        ...

    async def complete(self, request: Request, timeout: float) -> Completion:
        """Answer a request within so many seconds.

        Raises RequestError where this request failed, EndpointError where no other could fare better.
        """
        ...

    async def close(self) -> None:
        """Called once at the end."""
        ...


@runtime_checkable
class LocalLLM(LLM, Protocol):
    """A language model in this process, which takes its requests in batches."""

    def load(self) -> None:
        """Called once before the first batch; raises AdapterError or MissingExtraError where it cannot be loaded."""
        ...

    def complete_all(self, requests: Sequence[Request]) -> Iterator[tuple[int, Outcome]]:
        """Answer the requests, each with its place in the batch, in any order."""
        ...


@runtime_checkable
class BatchLLM(LLM, Protocol):
    """A language model whose server also takes files of requests, to be answered within a day, for less."""

    def complete_in_batches(
        self,
        requests: Iterable[tuple[str, Request]],
        folder: Path,
        stopping: Callable[[], bool],
        report: Callable[[str], None],
    ) -> Iterator[tuple[str, Outcome]]:
        """Answer the requests, each with its key, in any order.

        What was submitted is noted in ``folder``: the next call goes on there, with the same keys. Once ``stopping``
        says so, nothing more is waited for. ``report`` gets a few words on where the batches stand. Raises
        EndpointError where the server cannot be used.
        """
        ...
