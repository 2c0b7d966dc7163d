"""The contract of a system: anything that answers samples is an adapter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from massie.adapters.sending import Limits
from massie.build import Benchmark
from massie.prompting import AnswerFormat
from massie.types import Prediction, Sample, SystemCard, Task


@runtime_checkable
class Adapter(Protocol):
    """A system as MASSIE runs it.

    class Shouting:
        def describe(self) -> SystemCard:
            return SystemCard(name="Shouting")

        def predict(self, samples):
            for sample in samples:
                words = [word for word in sample.text.split() if word.isupper()]
                label = sample.schemas[0].name
                yield Prediction(sample.id, records=[{"entity": w, "entity_type": label} for w in words])
    """

    def describe(self) -> SystemCard:
        """What the system says of itself."""
        ...

    def predict(self, samples: Sequence[Sample], /) -> Iterable[Prediction]:
        """Answer each sample once, in any order, as records with the task's keys or as an output text.

        The samples come without gold. What it raises is recorded for the sample, and the run goes on.
        """
        ...


@runtime_checkable
class Prepared(Protocol):
    """An adapter that learns from the benchmark's train split, say, before it answers."""

    def prepare(self, benchmark: Benchmark, /) -> None:
        """Called once before the first ``predict``."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """An adapter that takes its samples as a stream, with many in work at once."""

    def stream(self, samples: Iterable[Sample], limits: Limits, /) -> Iterator[Prediction]:
        """Answer each sample once, in any order, taking the next one as soon as there is room for it.

        A failed sample is yielded as such. Raises a UserError where no sample can be answered any more; the run ends.
        """
        ...


@runtime_checkable
class Prompted(Protocol):
    """An adapter whose output texts are laid out as its prompts say."""

    @property
    def formats(self) -> Mapping[Task, AnswerFormat]:
        """How the answers to each task are laid out."""
        ...

    def details(self) -> Mapping[str, Any]:
        """What, beside its options, makes the system what it is; JSON values. Asked for after ``prepare``."""
        ...


@runtime_checkable
class Tuned(Protocol):
    """An adapter with options that change no answer: another may be given when a run goes on."""

    @property
    def tuning(self) -> Collection[str]:
        """Their names."""
        ...
