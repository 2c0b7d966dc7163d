"""What of a benchmark has no answer yet, in the order in which it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from massie.build import Benchmark
from massie.running.store import Store
from massie.types import Cell, Sample

_TOGETHER = 4096
"""Samples that are put in order together: enough for few changes of the head, little enough to hold."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The samples of a selection that are still to be asked.

    ``failed_too`` takes samples that failed for a lasting reason (the context is too short for them, say) as well.
    """

    benchmark: Benchmark
    store: Store
    failed_too: bool = False

    def numbers(self) -> dict[Cell, int]:
        """How many samples each cell has left, for the cells that have any."""
        done = self.store.number_kept(lasting=not self.failed_too)
        numbers = self.benchmark.numbers()
        if done == 0:
            return numbers
        left = {cell: len(self._unanswered(self.benchmark.sample_ids(cell))) for cell in numbers}
        return {cell: number for cell, number in left.items() if number}

    def samples(self, cells: list[Cell], *, by_head: bool) -> Iterator[Sample]:
        """The samples of these cells without gold, as the build has them, or with those of equal prompt heads together.

        A server that keeps what it has read of a prompt reads a head (instruction, demonstrations, schemas) once so.
        Memory is bounded by a part of a cell.
        """
        for cell in cells:
            every = self.benchmark.cell_samples(cell, gold=False)
            while samples := list(islice(every, _TOGETHER)):
                left = self._unanswered([sample.id for sample in samples])
                asked = [sample for sample in samples if sample.id in left]
                if by_head:
                    asked.sort(key=lambda sample: [schema.name for schema in sample.schemas])
                yield from asked

    def _unanswered(self, ids: list[str]) -> set[str]:
        return self.store.unanswered(ids, lasting=not self.failed_too)
