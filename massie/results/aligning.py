"""Runs aligned on the samples that all of them answered; raises ResultError where what they say of one differs."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# (pyarrow has no type stubs.)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from massie.results.scored import KEYS, Samples, ScoredRun, Table, damaged, read_table
from massie.scoring.cells import QUOTIENTS
from massie.scoring.paired import PairedCell, paired_cell
from massie.types import Cell, ResultError, Task, UnknownNameError

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_OF_SAMPLES = ("samples", "nonempty", "gold")
"""Summands that say something of the samples, and so are the same for all systems."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a benchmark: these tasks, languages and datasets, where any are named."""

    tasks: Sequence[Task] = ()
    languages: Sequence[str] = ()
    datasets: Sequence[str] = ()

    def has(self, cell: Cell) -> bool:
        """Whether a cell belongs to it."""
        asked = ((self.tasks, cell.task), (self.languages, cell.language), (self.datasets, cell.dataset))
        return all(not names or mine in names for names, mine in asked)


@dataclass(frozen=True, slots=True)
class Aligned:
    """The samples of a part that all runs answered, by cell; ``answered`` is how many of the part each run answered."""

    cells: Sequence[PairedCell]
    answered: Sequence[int]
    samples: int
    instances: int


def align(runs: Sequence[ScoredRun], score: str, part: Part) -> Aligned:
    """The samples of a part that all runs answered, with a score of each system.

    Raises UnknownNameError where the runs have nothing of a name in the part, and ResultError where no sample is left.
    """
    shared = set(QUOTIENTS[score][1]) <= set(_OF_SAMPLES)
    first = read_table(runs[0], score, None)
    _check_part(part, first.samples.cells)
    common = _in_part(first.samples, part)
    answered = [int(common.sum())]
    numerators, denominators = [first.numerators], [first.denominators]
    for run in runs[1:]:
        table = read_table(run, score, first)
        places = _places(first, table)
        common &= places >= 0
        answered.append(int(_in_part(table.samples, part).sum()))
        numerators.append(table.numerators[places])
        if not shared:
            denominators.append(table.denominators[places])
    if not common.any():
        raise ResultError(f"{', '.join(str(run.folder) for run in runs)}: there is no sample that all of them answered")
    rows = np.flatnonzero(common)
    cells = list(_by_cell(first.samples, rows, np.stack(numerators, 1), np.stack(denominators, 1)))
    return Aligned(cells, answered, len(rows), sum(len(cell.numerators) for cell in cells))


def _in_part(samples: Samples, part: Part) -> NDArray[np.bool_]:
    """Which rows belong to a part."""
    return np.array([part.has(cell) for cell in samples.cells])[samples.cell_of]


def _check_part(part: Part, cells: Sequence[Cell]) -> None:
    for kind, names, known in (
        ("task", part.tasks, {str(cell.task) for cell in cells}),
        ("language", part.languages, {cell.language for cell in cells}),
        ("dataset", part.datasets, {cell.dataset for cell in cells}),
    ):
        for name in names:
            if name not in known:
                raise UnknownNameError(kind, str(name), known, "(of the samples of the first run)")


def _places(reference: Table, table: Table) -> Places:
    """For each sample of ``reference`` its row in a table, -1 where it has none; what both say of it must agree."""
    if table.samples is reference.samples:
        places = np.arange(len(table.numerators))
    else:
        found = pc.index_in(reference.samples.keys["sample_id"], value_set=table.samples.keys["sample_id"])
        places = pc.fill_null(found, -1).to_numpy().astype(np.intp)
    both = places >= 0
    for name in KEYS[1:] if table.samples is not reference.samples else ():
        mine = table.samples.keys[name].take(places[both])
        if not mine.equals(reference.samples.keys[name].filter(both)):
            raise damaged(table.run, f"and {reference.run.table} do not agree on {name} of a sample")
    golds = (reference.gold, table.gold)
    if golds[0] is not None and golds[1] is not None and (golds[1][places[both]] != golds[0][both]).any():
        raise damaged(table.run, f"and {reference.run.table} do not agree on the gold of a sample")
    return places


def _by_cell(samples: Samples, rows: Places, numerators: Array, denominators: Array) -> Iterator[PairedCell]:
    """Rows of the reference by cell."""
    rows = rows[np.argsort(samples.cell_of[rows], kind="stable")]
    of_rows = samples.cell_of[rows]
    ids = samples.keys["instance_id"].take(rows).to_pylist()
    starts = np.flatnonzero(np.diff(of_rows, prepend=-1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        mine = rows[start:end]
        cell = samples.cells[of_rows[start]]
        yield paired_cell(cell, ids[start:end], numerators[mine], denominators[mine])
