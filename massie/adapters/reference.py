"""The floor and the ceiling of every board: ``empty`` answers nothing, ``gold`` answers the gold itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from massie.build import Benchmark
from massie.types import AdapterError, Cell, Prediction, Sample, Split, SystemCard, record_as_json


class Empty:
    """Answers every sample with no records."""

    def describe(self) -> SystemCard:
        """The card of the floor."""
        return SystemCard(name="empty", kind="baseline", description="Answers nothing: the floor of the benchmark.")

    def predict(self, samples: Sequence[Sample]) -> Iterator[Prediction]:
        """No records for each."""
        for sample in samples:
            yield Prediction(sample.id, records=[])


class Gold:
    """Answers every sample with its gold records, so it must score exactly 100."""

    def __init__(self) -> None:
        self._benchmark: Benchmark | None = None
        self._at: tuple[Cell, Split] | None = None
        self._gold: dict[str, Sample] = {}

    def describe(self) -> SystemCard:
        """The card of the ceiling."""
        return SystemCard(
            name="gold", kind="baseline", description="Answers the gold records: the ceiling, exactly 100."
        )

    def prepare(self, benchmark: Benchmark) -> None:
        """Remember where the gold is."""
        self._benchmark = benchmark

    def predict(self, samples: Sequence[Sample]) -> Iterator[Prediction]:
        """The gold records of each, in JSON form."""
        if self._benchmark is None:
            raise AdapterError("the adapter 'gold' needs the benchmark: call prepare(benchmark) before predict")
        for sample in samples:
            if self._at != (sample.cell, sample.split):
                self._at = (sample.cell, sample.split)
                self._gold = {one.id: one for one in self._benchmark.cell_data(*self._at).samples()}
            gold = self._gold[sample.id].gold or ()
            yield Prediction(sample.id, records=[record_as_json(record, sample.task) for record in gold])
