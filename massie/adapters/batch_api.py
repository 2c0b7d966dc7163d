"""The calls of an OpenAI-style Batch API, through the official client: files and batches, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from massie.adapters.batch_files import ADDRESS, Job
from massie.adapters.chat_completions import error_of, message_of
from massie.types import EndpointError, Failure, RequestError

_ATTEMPTS = 4
"""How often the client tries a call again, but that which creates a batch."""
_SECONDS = 60.0
"""How long a small answer may take."""
_PAGE = 100
_NONE = (404, 405, 501)
"""What a server says that has no such address."""
_GOING_ON = {"validating", "queued", "in_progress", "finalizing", "cancelling"}
_ENDED = {"completed", "failed", "expired", "cancelled", "canceled"}


class _Said(BaseModel):
    """What a server sends, as far as it is of interest here."""

    model_config = ConfigDict(frozen=True)


class _File(_Said):
    id: str


class Problem(_Said):
    """Why a batch was refused as a whole; ``line`` is that of its file."""

    code: str | None = None
    message: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """The problem in a line."""
        place = "" if self.line is None else f"line {self.line}: "
        return f"{place}{message_of(self.message) or 'no reason was given'} ({message_of(self.code) or None})"


class _Problems(_Said):
    data: tuple[Problem, ...] | None = None


class Counts(_Said):
    """How many requests of a batch are done."""

    completed: int = 0
    failed: int = 0
    total: int = 0


class Batch(_Said):
    """A batch as the server shows it."""

    id: str
    status: str
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Problems | None = None
    request_counts: Counts | None = None
    metadata: dict[str, str] = {}

    @field_validator("input_file_id", "output_file_id", "error_file_id", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("metadata", mode="before")
    @classmethod
    def _texts(cls, value: object) -> dict[str, str]:
        """Batches of other programs may carry anything."""
        found: Mapping[object, object] = cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {}
        return {name: text for name, text in found.items() if isinstance(name, str) and isinstance(text, str)}

    @property
    def open(self) -> bool:
        """Whether it goes on, as far as is known: a state that is not known may be one on the way."""
        return self.status not in _ENDED

    @property
    def known(self) -> bool:
        """Whether its state is one that is known here."""
        return self.status in _GOING_ON | _ENDED

    @property
    def counts(self) -> Counts:
        """How far it is."""
        return self.request_counts or Counts()

    @property
    def answered(self) -> bool:
        """Whether it has answers, as far as the server says; where it says nothing, one that is complete has."""
        return self.status == "completed" if self.request_counts is None else self.request_counts.completed > 0

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with its file, where that was refused."""
        return (self.errors and self.errors.data) or (Problem(),)


class _Page(_Said):
    data: tuple[Batch, ...]
    has_more: bool = False


Shown = TypeVar("Shown", bound=_Said)


class BatchApi:
    """The Batch API of an endpoint.

    Its methods raise EndpointError where no further call could fare better, and RequestError where a later one could.
    """

    def __init__(
        self, client: Any, cleaned: Callable[[RequestError | EndpointError], RequestError | EndpointError]
    ) -> None:
        """``client`` is the official one; ``cleaned`` takes out of an error's message what nobody may see."""
        self.cleaned = cleaned
        self._client = client.with_options(max_retries=_ATTEMPTS)
        self._quick = self._client.with_options(timeout=_SECONDS)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def check(self) -> None:
        """See that the key is right and that there is a batch API."""
        self._page(None, 1)

    def recent(self) -> Sequence[Batch]:
        """The newest batches that this key may see."""
        return self._page(None, _PAGE).data

    def batches(self) -> Iterator[Batch]:
        """All batches that this key may see, the newest first."""
        seen: set[str] = set()
        page = self._page(None, _PAGE)
        while new := [batch for batch in page.data if batch.id not in seen]:  # a server may repeat its first page
            yield from new
            seen |= {batch.id for batch in new}
            if not page.has_more:
                return
            page = self._page(page.data[-1].id, _PAGE)

    def upload(self, path: Path, name: str) -> str:
        """Upload a file of requests; its id."""
        with path.open("rb") as file:
            create = self._client.files.with_raw_response.create
            content = self._asked(lambda: create(file=(name, file, "application/jsonl"), purpose="batch"), _NO_BATCHES)
        return self._read(_File, content).id

    def create(self, file: str, metadata: dict[str, str]) -> Batch:
        """Make a batch of an uploaded file. This is never tried again here: a batch may be there without an answer."""
        create = self._client.with_options(max_retries=0).batches.with_raw_response.create
        arguments: dict[str, Any] = {
            "input_file_id": file,
            "endpoint": ADDRESS,
            "completion_window": "24h",
            "metadata": metadata,
        }
        return self._read(Batch, self._asked(lambda: create(**arguments), _NO_BATCHES))

    def batch(self, job: Job) -> Batch:
        """How a job's batch stands."""
        retrieve = self._quick.batches.with_raw_response.retrieve
        return self._read(
            Batch, self._asked(lambda: retrieve(str(job.batch)), f"knows no batch {job.batch} any more; {job.hint}")
        )

    def content(self, file: str, job: Job) -> bytes:
        """What is in a file that a job's batch has left."""
        content = self._client.files.with_raw_response.content
        return self._asked(lambda: content(file), f"has no file {file} any more; {job.hint}")

    def _page(self, after: str | None, limit: int) -> _Page:
        listed = self._quick.batches.with_raw_response.list
        named: dict[str, Any] = {"limit": limit} if after is None else {"limit": limit, "after": after}
        return self._read(_Page, self._asked(lambda: listed(**named), _NO_BATCHES))

    def _asked(self, call: Callable[[], Any], missing: str) -> bytes:
        """The body of the response to a call; ``missing`` is what it means that there is no such address."""
        import openai

        try:
            return call().content
        except openai.APIStatusError as error:
            raise self.cleaned(_error(error, missing)) from error
        except openai.APITimeoutError as error:
            raise RequestError(Failure.TIMEOUT, "the endpoint gave no answer in time") from error
        except (openai.APIConnectionError, OSError) as error:
            why = str(error.__cause__ or error) or type(error.__cause__ or error).__name__
            raise RequestError(Failure.CONNECTION, f"the connection failed: {why}") from error

    def _read(self, kind: type[Shown], content: bytes) -> Shown:
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            said = f"the endpoint's answer is none of a batch API: {message_of(content[:80])}"
            raise self.cleaned(RequestError(Failure.MALFORMED, said)) from error


_NO_BATCHES = "has no batch API at this address; does base_url end in /v1? else run without --mode batch"


def _error(error: Any, missing: str) -> RequestError | EndpointError:
    told = error_of(error.status_code, error.response.headers, error.body)
    if error.status_code in _NONE:
        return EndpointError(f"the endpoint {missing} ({error.status_code})")
    if isinstance(told, EndpointError) or (isinstance(told, RequestError) and not told.failure.lasting):
        return told
    return EndpointError(f"the endpoint refuses the batch: {told}")
