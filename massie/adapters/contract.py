"""The contract of a system: anything that answers samples is an adapter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from massie.build import Benchmark
from massie.types import Prediction, Sample, SystemCard


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
