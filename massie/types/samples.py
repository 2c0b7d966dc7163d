"""Instances, schemas, samples and predictions: what passes between the stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from massie.types.errors import Failure
from massie.types.records import Record, Task


class Split(StrEnum):
    """A split of a dataset."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Cell(NamedTuple):
    """(task, dataset, language): the unit of sampling, scoring and bootstrap (paper, appendix I)."""

    task: Task
    dataset: str
    language: str

    def __str__(self) -> str:
        return f"{self.task}/{self.dataset}/{self.language}"


@dataclass(frozen=True, slots=True)
class Role:
    """A role that can be asked for within an event type."""

    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """One label that can be asked for: an entity type, slot type, relation or event type (for EE with its roles).

    ``description`` is the paper's *supplementary description* (section 2.2).
    """

    name: str
    description: str | None = None
    roles: tuple[Role, ...] = ()

    def __hash__(self) -> int:
        """Of the name alone: what schemas ask for is looked up for every sample."""
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Instance:
    """One text with its gold records, before batching."""

    id: str
    dataset: str
    language: str
    split: Split
    text: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """An instance with one batch of schemas and the gold records that fall under them.

    ``gold`` is None where the gold is withheld, as ``massie run`` does from adapters.
    """

    id: str
    instance_id: str
    task: Task
    dataset: str
    language: str
    split: Split
    text: str
    schemas: tuple[Schema, ...]
    gold: tuple[Record, ...] | None = None

    @property
    def cell(self) -> Cell:
        """The cell that the sample counts in."""
        return Cell(self.task, self.dataset, self.language)

    def without_gold(self) -> Sample:
        """The sample as an adapter sees it."""
        return replace(self, gold=None)


def sample_as_json(sample: Sample) -> dict[str, Any]:
    """What is asked, in JSON: id, task, dataset, language, text, and schemas with descriptions and roles; no gold."""
    return {
        "id": sample.id,
        "task": str(sample.task),
        "dataset": sample.dataset,
        "language": sample.language,
        "text": sample.text,
        "schemas": [
            {
                "name": schema.name,
                "description": schema.description,
                "roles": [{"name": role.name, "description": role.description} for role in schema.roles],
            }
            for schema in sample.schemas
        ],
    }


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost, as far as the system knows it.

    ``input_tokens`` include those that were ``cached_tokens`` (read from the server's prefix cache), ``output_tokens``
    include ``reasoning_tokens``. ``seconds`` is the time from sending to the answer, without waiting before a retry;
    ``requests`` how many were sent for it, retries included.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    seconds: float | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """A system's answer to one sample: either ``records`` (JSON objects with the task's keys) or an ``output`` text.

    ``error`` stands for an answer that failed, ``failure`` for its kind; such a prediction is kept, listed and tried
    again, never scored. ``finish_reason`` is ``stop``, ``length`` (truncated), ``refusal`` or ``content_filter``, or
    whatever else a server says. ``reasoning`` is what a model thought apart from its answer; it is kept, never parsed.
    """

    sample_id: str
    records: Sequence[Any] | None = None
    output: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    error: str | None = None
    failure: Failure | None = None
    reasoning: str | None = None
    logprobs: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction as it is scored: JSON records, or an invalid structure (``records`` is None).

    ``repairable`` says that a JSON repairer would have saved an invalid one (a diagnostic, never a score),
    ``truncated`` that the output ended at its length limit.
    """

    records: Sequence[Any] | None
    repairable: bool = False
    truncated: bool = False
