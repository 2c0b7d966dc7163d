"""From the totals of cells to one table of scores: overall, tasks, languages, families, scripts, datasets and cells.

One function makes one table, with a row for each level and key and an interval for every score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from massie.scoring.bootstrap import intervals
from massie.scoring.cells import SCORES, CellTotals, quotients_of
from massie.scoring.levels import Levels
from massie.types import Cell, Task


@dataclass(frozen=True, slots=True)
class Interval:
    """A score with its 95% interval, 0 to 100; None where it is undefined (no sample has gold, say)."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One row of the table: a level (overall, task, language, family, script, dataset, cell) and its key.

    ``instances`` and ``samples`` count what the row covers; ``diagnostics`` are counts over its samples.
    """

    level: str
    task: Task | None
    key: str
    instances: int
    samples: int
    scores: Mapping[str, Interval]
    diagnostics: Mapping[str, int]


def totals(cells: Iterable[CellTotals], levels: Levels) -> list[ScoreRow]:
    """The table of all scores at all levels, with intervals; the order of the cells does not matter.

    Scores that were asked for beside the usual ones must have been so in all cells.
    """
    of = {each.cell: each for each in cells}
    names = [*SCORES, *(next(iter(of.values())).further if of else ())]
    rows: list[ScoreRow] = []
    of_cells: dict[tuple[Cell, ...], Mapping[str, Interval]] = {}  # a dataset of one language is but its cell, say
    for group in levels.groups([quotients_of(each) for each in of.values()]):
        mine = [of[each.cell] for each in group.cells]
        instances, samples = sum(each.instances for each in mine), sum(each.samples for each in mine)
        cells_of_group = tuple(each.cell for each in mine)
        if cells_of_group not in of_cells:
            of_cells[cells_of_group] = _intervals(names, group.scores)
        scores = of_cells[cells_of_group]
        rows.append(ScoreRow(group.level, group.task, group.key, instances, samples, scores, _diagnostics(mine)))
    return rows


def _diagnostics(group: Sequence[CellTotals]) -> dict[str, int]:
    return {name: sum(each.diagnostics[name] for each in group) for name in group[0].diagnostics}


def _intervals(names: Sequence[str], scores: NDArray[np.float64]) -> dict[str, Interval]:
    """Every score with its interval, from the point estimates (first column) and the replicates."""
    low, high = intervals(scores[:, 1:])
    named = zip(names, scores[:, 0].tolist(), low.tolist(), high.tolist(), strict=True)
    return {name: _interval(*numbers) for name, *numbers in named}


def _interval(value: float, low: float, high: float) -> Interval:
    if isnan(value):
        return Interval(None, None, None)
    return Interval(round(value, 4), round(low, 4), round(high, 4))
