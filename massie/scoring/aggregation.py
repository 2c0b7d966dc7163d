"""From the scores of samples to cells, tasks, languages, families, scripts, datasets and the overall score.

A cell's score is the mean over its samples; a cell weighs as many *instances* as it has (NI; paper, appendix I), so
that totals do not depend on the batch size; the overall score is the plain mean of the task scores. Other evaluations
pool the counts of a dataset's cells and take the plain mean over datasets. One function makes one table, with a row for
each level and key and an interval for every score.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import isnan

import numpy as np
from numpy.typing import NDArray

from massie.scoring.bootstrap import REPLICATES, SEED, intervals, replicate_sums
from massie.scoring.samples import SampleScores, ScoredSample
from massie.types import Cell, Task

Array = NDArray[np.float64]

DIAGNOSTICS = (
    "invalid", "repairable", "truncated", "malformed", "off_schema", "hallucinated", "predicted", "gold",
    "boundary", "type", "both", "spurious", "missed",
)  # fmt: skip
_MEANS = ("lf1", "lf1_by_schema", "matched_lf1", "f1")
_SUMMED = (*_MEANS, "true_positives", "predicted", "gold", "samples", "lf1_nonempty", "nonempty")
SCORES = (*_MEANS, "lf1_nonempty", "micro_precision", "micro_recall", "micro_f1")


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


Combine = Callable[[Sequence["_CellTotals"]], Array]
"""Makes the scores of a group of cells, shaped as those of one."""


@dataclass(frozen=True, slots=True)
class _CellTotals:
    cell: Cell
    instances: int
    samples: int
    sums: Array  # shape (1 + replicates, sums), in the order of _SUMMED; the first row is the point estimate
    scores: Array  # shape (scores, 1 + replicates), in the order of SCORES, made of the sums
    diagnostics: Mapping[str, int]


def totals(
    scored: Iterable[ScoredSample],
    *,
    family: Callable[[str], str],
    script: Callable[[str], str],
    counts_as: Callable[[str], str] = str,
    pooled: Callable[[str], str] | None = None,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> list[ScoreRow]:
    """The table of all scores at all levels, with intervals.

    ``family`` and ``script`` give those of a language code, ``counts_as`` the code that a finer one is counted under.
    ``pooled`` gives the name under which a dataset's cells are pooled: the score of a row is then the plain mean over
    these names of the scores of the sums over their cells. Without it cells weigh as many instances as they have.
    """
    by_cell: dict[Cell, list[ScoredSample]] = defaultdict(list)
    for sample in scored:
        by_cell[sample.cell].append(sample)
    cells = [_cell_totals(cell, by_cell[cell], replicates, seed) for cell in sorted(by_cell)]
    levels: dict[str, Callable[[Cell], str]] = {
        "task": lambda cell: cell.task,
        "language": lambda cell: counts_as(cell.language),
        "family": lambda cell: family(cell.language),
        "script": lambda cell: script(cell.language),
        "dataset": lambda cell: pooled(cell.dataset) if pooled else cell.dataset,
        "cell": lambda cell: f"{cell.dataset}/{cell.language}",
    }
    combine = partial(_mean_over_pools, pooled) if pooled else _weighted
    rows = list(chain.from_iterable(_task_rows(task, cells, levels, combine) for task in Task))
    overall = _overall(cells, combine)
    return [overall, *rows] if overall else rows


def _cell_totals(cell: Cell, scored: Sequence[ScoredSample], replicates: int, seed: int) -> _CellTotals:
    """The totals of a cell; the order of its samples does not matter."""
    # Most samples of a cell have one of a few kinds of scores (all of them found, nothing to find and nothing found).
    kinds: dict[SampleScores, int] = {}
    kind_of = np.fromiter((kinds.setdefault(sample.scores, len(kinds)) for sample in scored), np.intp, len(scored))
    table = dict(zip(SampleScores._fields, np.array(list(kinds), dtype=np.float64)[kind_of].T, strict=True))
    nonempty = (table["gold"] > 0).astype(np.float64)
    table |= {"samples": np.ones(len(scored)), "nonempty": nonempty, "lf1_nonempty": table["lf1"] * nonempty}
    place_of: dict[str, int] = {}
    places = np.fromiter((place_of.setdefault(one.instance_id, len(place_of)) for one in scored), np.intp, len(scored))
    sums = np.stack([_sums(places, table[name], len(place_of)) for name in _SUMMED], axis=1)
    counts = {name: int(table[name].sum()) for name in DIAGNOSTICS}
    counts["empty_predictions"] = int(((table["predicted"] == 0) & (table["invalid"] == 0)).sum())
    counts["empty_gold"] = int((table["gold"] == 0).sum())
    of_all = np.concatenate([sums.sum(axis=0, keepdims=True), replicate_sums(sums, str(cell), replicates, seed)])
    return _CellTotals(cell, len(place_of), len(scored), of_all, _scores(of_all), counts)


def _sums(places: NDArray[np.intp], values: Array, length: int) -> Array:
    """The sum of the values of each place.

    Values are rounded to multiples of 2**-32 first: sums over up to two million samples are then exact, and so the same
    in any order.
    """
    return np.bincount(places, np.rint(values * 2.0**32) * 2.0**-32, length).astype(np.float64)


def _scores(sums: Array) -> Array:
    """All scores, 0 to 100, from rows of sums: shape (scores, rows); the same for point estimate and replicates."""
    of = {name: sums[:, place] for place, name in enumerate(_SUMMED)}
    scores = {name: _ratio(of[name], of["samples"]) for name in _MEANS}
    scores["lf1_nonempty"] = _ratio(of["lf1_nonempty"], of["nonempty"])
    scores["micro_precision"] = _ratio(of["true_positives"], of["predicted"])
    scores["micro_recall"] = _ratio(of["true_positives"], of["gold"])
    scores["micro_f1"] = _ratio(2 * of["true_positives"], of["predicted"] + of["gold"])
    return np.stack([scores[name] for name in SCORES])


def _ratio(numerator: Array, denominator: Array) -> Array:
    """100 x numerator / denominator, undefined (NaN) where the denominator is 0."""
    return np.divide(100.0 * numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


def _task_rows(
    task: Task, cells: Sequence[_CellTotals], levels: Mapping[str, Callable[[Cell], str]], combine: Combine
) -> list[ScoreRow]:
    mine = [totals for totals in cells if totals.cell.task is task]
    rows: list[ScoreRow] = []
    for level, key_of in levels.items():
        groups: dict[str, list[_CellTotals]] = defaultdict(list)
        for totals in mine:
            groups[key_of(totals.cell)].append(totals)
        rows += [_row(level, task, str(key), group, combine(group)) for key, group in sorted(groups.items())]
    return rows


def _row(level: str, task: Task | None, key: str, group: Sequence[_CellTotals], scores: Array) -> ScoreRow:
    return ScoreRow(level, task, key, *_counts(group), _intervals(scores), _diagnostics(group))


def _weighted(group: Sequence[_CellTotals]) -> Array:
    """The means over cells weighted by their instances."""
    if len(group) == 1:
        return group[0].scores
    return _mean([totals.scores for totals in group], [totals.instances for totals in group])


def _mean_over_pools(pooled: Callable[[str], str], group: Sequence[_CellTotals]) -> Array:
    """The plain means over pools of the scores of the sums over their cells."""
    pools: dict[str, Array] = {}
    for totals in group:
        name = pooled(totals.cell.dataset)
        pools[name] = pools[name] + totals.sums if name in pools else totals.sums
    return _mean([_scores(sums) for sums in pools.values()], [1] * len(pools))


def _mean(scores: Sequence[Array], weights: Sequence[int]) -> Array:
    """The weighted means; what is undefined carries no weight, and where all is, so is the mean."""
    values = np.stack(scores)
    carried = np.array(weights, dtype=np.float64)[:, None, None] * ~np.isnan(values)
    total = carried.sum(axis=0)
    mean = np.full_like(total, np.nan)
    return np.divide((np.nan_to_num(values) * carried).sum(axis=0), total, out=mean, where=total > 0)


def _overall(cells: Sequence[_CellTotals], combine: Combine) -> ScoreRow | None:
    """The plain mean of the task scores; its replicates pair those of the tasks."""
    groups = [[totals for totals in cells if totals.cell.task is task] for task in Task]
    scores = [combine(group) for group in groups if group]
    return _row("overall", None, "overall", cells, np.stack(scores).mean(axis=0)) if scores else None


def _counts(group: Sequence[_CellTotals]) -> tuple[int, int]:
    return sum(totals.instances for totals in group), sum(totals.samples for totals in group)


def _diagnostics(group: Sequence[_CellTotals]) -> dict[str, int]:
    return {name: sum(totals.diagnostics[name] for totals in group) for name in group[0].diagnostics}


def _intervals(scores: Array) -> dict[str, Interval]:
    """Every score with its interval, from the point estimates (first column) and the replicates."""
    low, high = intervals(scores[:, 1:])
    named = zip(SCORES, scores[:, 0].tolist(), low.tolist(), high.tolist(), strict=True)
    return {name: _interval(*numbers) for name, *numbers in named}


def _interval(value: float, low: float, high: float) -> Interval:
    if isnan(value):
        return Interval(None, None, None)
    return Interval(round(value, 4), round(low, 4), round(high, 4))
