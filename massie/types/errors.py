"""The exceptions of MASSIE, all of one family.

    MassieError                  anything MASSIE reports to its user; str(error) is the whole message
    ├── UserError                the input is at fault: exit code 2
    │   ├── ContentError         a card, prompt, metric card or benchmark file does not validate
    │   ├── UnknownNameError     a name that is not in the catalogue; suggests the nearest
    │   ├── SourceError          raw files: missing, wrong checksum, no network, unsafe archive
    │   │   └── NotInMirrorError  a file that a partial mirror does not hold
    │   ├── ReaderError          a raw file that its card's reader cannot read
    │   ├── BuildError           a build that cannot be made, or a folder that does not hold one
    │   ├── AdapterError         an adapter that cannot be loaded or breaks its contract
    │   ├── EndpointError        a server that cannot be used: wrong key, unknown model, not what it should be
    │   ├── PredictionsError     a predictions file that cannot be used
    │   ├── RunError             a run folder that is damaged or belongs to another run
    │   ├── IncompleteRunError   scoring was asked for before every sample was answered
    │   └── ResultError          a result file that does not load
    ├── MissingExtraError        an optional package is not installed: names the extra
    └── RequestError             one request to a language model failed; its kind says whether to try again

Every message says what was wrong, where (file, line, field, sample id), and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum


class MassieError(Exception):
    """Anything MASSIE reports to its user."""


class UserError(MassieError):
    """The input is at fault; the command line exits with 2."""


class ContentError(UserError):
    """A content file (card, prompt, metric card, benchmark, languages) does not validate."""


class UnknownNameError(UserError):
    """A name that the catalogue does not know.

    The message suggests the nearest known names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(map(str, known))
        folded = {candidate.casefold(): candidate for candidate in names}
        near = [folded[match] for match in get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
        message = f"unknown {kind} {name!r}"
        if near:
            message += f"; did you mean {' or '.join(repr(candidate) for candidate in near)}?"
        elif names and len(names) <= 20:
            message += f"; known: {', '.join(names)}"
        super().__init__(f"{message} {hint}".rstrip())
        self.name = name
        self.nearest = near
        self._made_of = (kind, name, names, hint)

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str], str]]:
        """What it is made of again where a worker process hands it on."""
        return UnknownNameError, self._made_of


class SourceError(UserError):
    """Raw files that cannot be had: missing, wrong checksum, no network, an unsafe archive."""


class NotInMirrorError(SourceError):
    """A file that the mirror does not hold; a mirror may be partial, so its other cells can still be had."""


class ReaderError(UserError):
    """A raw file that cannot be read as its card says; names file and line."""


class BuildError(UserError):
    """A build that cannot be made, or a folder that does not hold one."""


class AdapterError(UserError):
    """An adapter that cannot be loaded or that breaks its contract."""


class EndpointError(UserError):
    """A server that cannot be used at all: it ends the run, for no other request could fare better."""


class PredictionsError(UserError):
    """A predictions file that cannot be used; names file and line."""


class RunError(UserError):
    """A run folder that is damaged, locked, or belongs to another run."""


class IncompleteRunError(UserError):
    """Scoring was asked for before every sample was answered."""


class ResultError(UserError):
    """A result file that does not load."""


class MissingExtraError(MassieError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}: pip install 'massie[{extra}]'")
        self._made_of = (package, extra, purpose)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        """As it passes from a worker process: what it is made of, since the message is not."""
        return MissingExtraError, self._made_of


class Failure(StrEnum):
    """Why a sample has no answer."""

    ADAPTER = "adapter"  # the adapter raised, broke its contract, or gave no answer
    CONNECTION = "connection"  # refused, reset, cut off in the middle
    TIMEOUT = "timeout"
    SERVER = "server"  # the server's own fault: 5xx
    RATE_LIMIT = "rate limit"  # 429, to the end of patience
    MALFORMED = "malformed"  # an answer that is no completion
    CONTEXT_LENGTH = "context length"  # prompt and answer do not fit into the model
    REJECTED = "rejected"  # the server will not take this request, whenever it is sent

    @property
    def lasting(self) -> bool:
        """Whether asking again would fail in the same way."""
        return self in (Failure.CONTEXT_LENGTH, Failure.REJECTED)


class RequestError(MassieError):
    """One request to a language model failed.

    ``retry_after`` is the number of seconds that the server asks to wait, ``requests`` how often it was sent in all.
    """

    def __init__(self, failure: Failure, message: str, retry_after: float | None = None, requests: int = 1) -> None:
        super().__init__(message)
        self.failure = failure
        self.retry_after = retry_after
        self.requests = requests

    def __reduce__(self) -> tuple[type[RequestError], tuple[Failure, str, float | None, int]]:
        """As it passes from a worker process."""
        return RequestError, (self.failure, str(self), self.retry_after, self.requests)
