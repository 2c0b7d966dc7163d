"""What language models in this process share: their options, and how their errors are told."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from massie.catalogue import Content
from massie.prompting import Request
from massie.types import AdapterError, Failure, MassieError, RequestError

_REFUSED_AT_FIRST = 3
"""So many requests that a model will not take, with none that it took, are the fault of what all have in common."""


class LocalOptions(Content):
    """The options that every language model in this process has.

    ``model`` is a folder or a name on the Hugging Face hub, ``revision`` a branch, tag or commit there. ``dtype`` is
    that of the weights (``auto``: as they were saved). ``trust_remote_code`` runs code that comes with the model.
    Temperature 0 is greedy decoding; what the model's makers recommend for sampling is not used. ``max_new_tokens``
    takes the place of the prompt's limit. ``chat_template_kwargs`` go to the model's chat template:
    ``{"enable_thinking": false}``, say.
    """

    model: str = Field(min_length=1)
    revision: str | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    temperature: float = Field(default=0.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int | None = Field(default=None, ge=0, lt=1 << 63)
    max_new_tokens: int | None = Field(default=None, ge=1)
    chat_template_kwargs: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The model's name: that on the hub, or its folder's."""
        folder = Path(self.model)
        return folder.resolve().name if folder.is_dir() else self.model

    def limit(self, request: Request) -> int:
        """The most new tokens of a request's answer."""
        return self.max_new_tokens or request.max_new_tokens


class Refusals:
    """Whether the model takes requests at all: where it refuses the first ones, no other could fare better."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._some_taken = False
        self._refused = 0

    def taken(self) -> None:
        """The model took a request."""
        self._some_taken = True

    def add(self, error: RequestError) -> None:
        """The model refused a request; raises AdapterError where it has taken none of the first three."""
        if self._some_taken or error.failure is Failure.CONTEXT_LENGTH:
            return
        self._refused += 1
        if self._refused == _REFUSED_AT_FIRST:
            raise AdapterError(f"{self._model}: the first {_REFUSED_AT_FIRST} requests were refused: {error}")


@contextmanager
def told_in_one_line(what: str) -> Generator[None]:
    """Whatever is raised within becomes an AdapterError that says what could not be done, and why, in one line."""
    try:
        yield
    except MassieError:
        raise
    except Exception as error:  # engines, drivers and models' own code raise anything
        raise AdapterError(f"{what}: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """An error's type and message, in one line of bounded length."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message[:_LONGEST]}{'...' if len(message) > _LONGEST else ''}"


_LONGEST = 400
