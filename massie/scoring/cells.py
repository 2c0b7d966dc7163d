"""The scores of a cell's samples in columns, and what totals are made of: their sums, with bootstrap replicates."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from massie._collector import collector_paused
from massie.scoring.bootstrap import REPLICATES, SEED, replicate_sums
from massie.scoring.levels import Quotients
from massie.scoring.samples import SampleScores, score_sample
from massie.types import Answer, Cell, Sample

Array = NDArray[np.float64]

DIAGNOSTICS = (
    "invalid", "repairable", "truncated", "malformed", "off_schema", "hallucinated", "predicted", "gold",
    "boundary", "type", "both", "spurious", "missed",
)  # fmt: skip
MEANS = ("lf1", "lf1_by_schema", "matched_lf1", "f1")
"""The scores that are means over samples."""
SUMMED = (*MEANS, "true_positives", "predicted", "gold", "samples", "lf1_nonempty", "nonempty")
"""What is summed over a cell's samples."""
QUOTIENTS: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]] = {
    **{name: ({name: 1}, {"samples": 1}) for name in MEANS},
    "lf1_nonempty": ({"lf1_nonempty": 1}, {"nonempty": 1}),
    "micro_precision": ({"true_positives": 1}, {"predicted": 1}),
    "micro_recall": ({"true_positives": 1}, {"gold": 1}),
    "micro_f1": ({"true_positives": 2}, {"predicted": 1, "gold": 1}),
}
"""Every score as a quotient of sums: how often each of ``SUMMED`` counts above the line, and below."""
SCORES = tuple(QUOTIENTS)


class ScoredSample(NamedTuple):
    """The scores of one sample with what is needed to aggregate them."""

    cell: Cell
    sample_id: str
    instance_id: str
    scores: SampleScores


@dataclass(frozen=True, slots=True)
class CellScores:
    """The scores of one cell's samples in columns.

    Most samples of a cell have one of a few kinds of scores (all found, nothing to find and nothing found): ``kinds``
    has a row for each kind, with the fields of ``SampleScores``, ``kind_of`` a row of ``kinds`` for each sample.
    ``further`` are scores that were asked for beside them (``text_overlap``): a value for each sample, 0 to 1.
    """

    cell: Cell
    sample_ids: Sequence[str]
    instance_ids: Sequence[str]
    kinds: Array
    kind_of: NDArray[np.int32]
    further: Mapping[str, Array] = field(default_factory=dict[str, Array])

    def __len__(self) -> int:
        return len(self.sample_ids)

    def column(self, name: str) -> Array:
        """One field of ``SampleScores``, a value for each sample."""
        return self.kinds[:, SampleScores._fields.index(name)][self.kind_of]

    def samples(self) -> Iterable[ScoredSample]:
        """The samples one by one."""
        fields = [
            SampleScores(*row[: len(MEANS)], *map(int, row[len(MEANS) :]))  # scores, then counts
            for row in self.kinds.tolist()
        ]
        for sample_id, instance_id, kind in zip(self.sample_ids, self.instance_ids, self.kind_of.tolist(), strict=True):
            yield ScoredSample(self.cell, sample_id, instance_id, fields[kind])


def score_samples(answered: Iterable[tuple[Sample, Answer]]) -> list[CellScores]:
    """Score answers to samples, whose gold must be there; the cells are sorted."""
    with collector_paused():
        return cell_scores(
            ScoredSample(
                sample.cell,
                sample.id,
                sample.instance_id,
                score_sample(sample.task, sample.schemas, sample.gold or (), answer, sample.text),
            )
            for sample, answer in answered
        )


def cell_scores(scored: Iterable[ScoredSample]) -> list[CellScores]:
    """Scored samples by cell, in columns; the cells are sorted."""
    columns: dict[Cell, _Columns] = {}
    for cell, sample_id, instance_id, scores in scored:
        of = columns.get(cell)
        if of is None:
            of = columns[cell] = _Columns()
        of.sample_ids.append(sample_id)
        of.instance_ids.append(instance_id)
        of.kind_of.append(of.kinds.setdefault(scores, len(of.kinds)))
    return [columns[cell].scores(cell) for cell in sorted(columns)]


class _Columns:
    """The columns of a cell while samples come."""

    def __init__(self) -> None:
        self.sample_ids: list[str] = []
        self.instance_ids: list[str] = []
        self.kinds: dict[SampleScores, int] = {}
        self.kind_of = array("i")

    def scores(self, cell: Cell) -> CellScores:
        kinds = np.array(list(self.kinds), dtype=np.float64)
        return CellScores(cell, self.sample_ids, self.instance_ids, kinds, np.frombuffer(self.kind_of, np.int32))


@dataclass(frozen=True, slots=True)
class CellTotals:
    """What a cell gives to totals.

    ``sums`` has a column for each of ``SUMMED``; its first row is over the cell, the others over its bootstrap
    replicates; ``further`` are sums of the scores that were asked for beside them, likewise. ``diagnostics`` are counts
    over its samples.
    """

    cell: Cell
    instances: int
    samples: int
    sums: Array
    diagnostics: Mapping[str, int]
    further: Mapping[str, Array] = field(default_factory=dict[str, Array])


def cell_totals(scores: CellScores, replicates: int = REPLICATES, seed: int = SEED) -> CellTotals:
    """The sums over a cell and its replicates; the order of its samples does not matter."""
    table = {name: scores.column(name) for name in SampleScores._fields}
    of_instances, sums = _replicated(scores, _summed(table), replicates, seed)
    counts = {name: int(table[name].sum()) for name in DIAGNOSTICS}
    counts["empty_predictions"] = int(((table["predicted"] == 0) & (table["invalid"] == 0)).sum())
    counts["empty_gold"] = int((table["gold"] == 0).sum())
    # Drawn by themselves: the draws of all other scores are the same with them and without.
    further = {
        name: _replicated(scores, column[:, None], replicates, seed)[1][:, 0] for name, column in scores.further.items()
    }
    return CellTotals(scores.cell, of_instances, len(scores), sums, counts, further)


def _replicated(scores: CellScores, values: Array, replicates: int, seed: int) -> tuple[int, Array]:
    """The number of instances, and sums over all of them (first row) and over the bootstrap replicates."""
    of_instances = instance_sums(scores.instance_ids, values)
    drawn = replicate_sums(of_instances, str(scores.cell), replicates, seed)
    return len(of_instances), np.concatenate([of_instances.sum(axis=0, keepdims=True), drawn])


def _summed(table: Mapping[str, Array]) -> Array:
    """The columns of ``SUMMED`` for each sample."""
    nonempty = (table["gold"] > 0).astype(np.float64)
    made = {"samples": np.ones(len(nonempty)), "nonempty": nonempty, "lf1_nonempty": table["lf1"] * nonempty}
    return np.stack([made[name] if name in made else table[name] for name in SUMMED], axis=1)


def instance_sums(instance_ids: Sequence[str], values: Array) -> Array:
    """The sums of each instance's samples: a row for each instance, the columns of ``values``.

    Values are rounded to multiples of 2**-32 first: sums over up to two million samples are then exact, and so the same
    in any order.
    """
    place_of: dict[str, int] = {}
    places = np.fromiter((place_of.setdefault(id_, len(place_of)) for id_ in instance_ids), np.intp, len(instance_ids))
    exact = np.rint(values * 2.0**32) * 2.0**-32
    return np.stack([np.bincount(places, column, len(place_of)) for column in exact.T], axis=1).astype(np.float64)


def quotients_of(totals: CellTotals) -> Quotients:
    """All scores of a cell, in the order of ``SCORES``, then those that were asked for beside them."""
    above, below = ([weighted_sum(totals.sums, QUOTIENTS[name][part]) for name in SCORES] for part in (0, 1))
    above += totals.further.values()
    below += [weighted_sum(totals.sums, {"samples": 1})] * len(totals.further)
    return Quotients(totals.cell, totals.instances, np.stack(above), np.stack(below))


def weighted_sum(sums: Array, weights: Mapping[str, int]) -> Array:
    """A number for each row of sums: some of ``SUMMED``, each so many times."""
    if len(weights) == 1:
        ((name, times),) = weights.items()
        return sums[:, SUMMED.index(name)] * times
    names = list(weights)
    return sums[:, [SUMMED.index(name) for name in names]] @ np.array([weights[name] for name in names], np.float64)
