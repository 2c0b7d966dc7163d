"""Which of several systems are better: paired differences, p-values, Holm's correction, ranks and tie groups.

Everything is read off paired bootstrap replicates (``paired``): ``scores`` has a row for each system and the columns of
``Group.scores``, the point estimate and then the replicates. Pairs of systems come in the order of ``pairs_of``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import isnan

import numpy as np
from numpy.typing import NDArray

from massie.scoring.aggregation import Interval
from massie.scoring.bootstrap import intervals
from massie.types import Task

Array = NDArray[np.float64]
Ranks = NDArray[np.int64]

LEVEL = 0.05
"""What is significant: p, after Holm's correction, below this."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The score of one system less that of another, in points, with its 95% interval and two-sided p.

    ``adjusted`` is p after Holm's correction for the tests that were made together.
    """

    value: float
    low: float
    high: float
    p: float
    adjusted: float

    @property
    def significant(self) -> bool:
        """Whether the difference stands after the correction."""
        return self.adjusted < LEVEL

    def turned(self) -> Difference:
        """The difference the other way round."""
        return Difference(0.0 - self.value, 0.0 - self.high, 0.0 - self.low, self.p, self.adjusted)  # no -0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a system stands: its score, its rank (1 is the best; equals share the better one) and its tie group.

    ``best`` to ``worst`` holds its rank in 95% of the replicates. Where its score is undefined, all of it is None.
    """

    score: Interval
    rank: int | None = None
    best: int | None = None
    worst: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One row of a comparison: the scores of all systems (None: undefined) and the differences of all pairs.

    A difference is None where one of the two scores is undefined, in the row or in every replicate.
    """

    level: str
    task: Task | None
    key: str
    scores: Sequence[float | None]
    differences: Sequence[Difference | None]

    def between(self, first: int, second: int) -> Difference | None:
        """The score of the first system less that of the second; systems by their places."""
        above, below = min(first, second), max(first, second)
        difference = self.differences[above * (2 * len(self.scores) - above - 3) // 2 + below - 1]
        return difference.turned() if difference and first > second else difference


@dataclass(frozen=True, slots=True)
class RankedRow(ComparedRow):
    """A row with the standing of each system."""

    standings: Sequence[Standing]


def pairs_of(systems: int) -> list[tuple[int, int]]:
    """All pairs of systems, by their places: (0, 1), (0, 2), …, (1, 2), …"""
    return list(combinations(range(systems), 2))


# ---- Rows


def ranked_row(level: str, task: Task | None, key: str, scores: Array) -> RankedRow:
    """The row of a total; Holm's correction is over all its pairs."""
    differences = _corrected(differences_of(scores))
    row = compared_row(level, task, key, scores, differences)
    return RankedRow(row.level, row.task, row.key, row.scores, differences, standings(scores, row))


def detail_rows(
    level: str, scores: Mapping[str, Array], differences: Sequence[Sequence[Difference | None]]
) -> list[ComparedRow]:
    """The rows of a level's keys, ``differences_of`` each given; Holm's correction is, for each pair, over all keys."""
    by_pair = [_corrected(of_pair) for of_pair in zip(*differences, strict=True)]
    by_key = zip(scores.items(), zip(*by_pair, strict=True), strict=True)
    return [compared_row(level, None, key, of_key, corrected) for (key, of_key), corrected in by_key]


def compared_row(
    level: str, task: Task | None, key: str, scores: Array, differences: Sequence[Difference | None]
) -> ComparedRow:
    """A row from its scores and the differences of its pairs."""
    points = [None if isnan(point) else round(point, 4) for point in scores[:, 0].tolist()]
    return ComparedRow(level, task, key, points, differences)


# ---- Differences


def differences_of(scores: Array) -> list[Difference | None]:
    """The differences of all pairs, not yet corrected."""
    found: list[Difference | None] = [None] * len(pairs_of(len(scores)))
    defined = ~np.isnan(scores[:, 0])
    replicates = _replicates(scores[defined])
    if not replicates.size:
        return found
    first, second = np.triu_indices(len(scores), 1)
    of_both = np.flatnonzero(defined[first] & defined[second])
    points = scores[first[of_both], 0] - scores[second[of_both], 0]
    place = np.cumsum(defined) - 1  # of a system among those whose score is defined
    drawn = replicates[place[first[of_both]]] - replicates[place[second[of_both]]]
    p, (low, high) = p_values(drawn), _ends(drawn)
    numbers = zip(points.tolist(), low.tolist(), high.tolist(), p.tolist(), strict=True)
    for pair, (value, lower, upper, each) in zip(of_both.tolist(), numbers, strict=True):
        found[pair] = Difference(round(value, 4), round(lower, 4), round(upper, 4), each, each)
    return found


def _replicates(scores: Array) -> Array:
    """The replicates in which all scores are defined."""
    return scores[:, 1:][:, ~np.isnan(scores[:, 1:]).any(axis=0)]


def p_values(drawn: Array) -> Array:
    """Two-sided p of differences from their replicates, a row for each: twice the share beyond 0, at most 1.

    One is added to the replicates beyond 0 and to all (Davison and Hinkley 1997, section 4.2), so that p is never 0,
    and at most 0.05 just where the 95% interval of ``Difference`` leaves out 0. Systems that are equal have p = 1.
    """
    beyond = np.minimum((drawn <= 0).sum(axis=1), (drawn >= 0).sum(axis=1))
    return np.minimum(1.0, 2.0 * (1 + beyond) / (1 + drawn.shape[1]))


def _ends(drawn: Array) -> tuple[Array, Array]:
    """The ends of the 95% interval: of R replicates the (R + 1) 0.025th from below and from above."""
    number = drawn.shape[1]
    place = max(int((number + 1) * LEVEL / 2), 1) - 1
    ordered = np.partition(drawn, (place, number - 1 - place), axis=1)
    return ordered[:, place], ordered[:, number - 1 - place]


def _corrected(together: Sequence[Difference | None]) -> list[Difference | None]:
    """Differences that were tested together, each p corrected; what is undefined was not tested."""
    adjusted = iter(holm([difference.p for difference in together if difference]))
    return [difference and replace(difference, adjusted=next(adjusted)) for difference in together]


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given."""
    adjusted = [1.0] * len(p)
    greatest = 0.0
    for step, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        greatest = max(greatest, min(1.0, (len(p) - step) * p[place]))
        adjusted[place] = greatest
    return adjusted


def replicates_needed(tests: int) -> int:
    """The least number of replicates with which one of so many tests together can be significant."""
    return int(2 * tests / LEVEL)


# ---- Ranks


def standings(scores: Array, row: ComparedRow) -> list[Standing]:
    """The standing of each system in a row of a total."""
    found = [Standing(interval) for interval in _intervals(scores, row.scores)]
    defined = [place for place, score in enumerate(row.scores) if score is not None]
    replicates = _replicates(scores[defined])
    if replicates.size:
        points: list[int] = ranks(scores[defined, :1])[:, 0].tolist()
        ends = np.quantile(ranks(replicates), (LEVEL / 2, 1 - LEVEL / 2), axis=1, method="inverted_cdf")
        groups = tie_groups(defined, points, row)
        for place, rank, (best, worst), group in zip(defined, points, ends.T.tolist(), groups, strict=True):
            found[place] = Standing(found[place].score, rank, int(best), int(worst), group)
    return found


def _intervals(scores: Array, points: Sequence[float | None]) -> list[Interval]:
    ends = np.round(intervals(scores[:, 1:]), 4).T.tolist()
    return [
        Interval(None, None, None) if point is None else Interval(point, low, high)
        for point, (low, high) in zip(points, ends, strict=True)
    ]


def ranks(scores: Array) -> Ranks:
    """The rank of each system (row) in each column: one more than there are better ones."""
    return np.stack([1 + (scores > mine).sum(axis=0) for mine in scores])


def tie_groups(places: Sequence[int], ranked: Sequence[int], row: ComparedRow) -> list[int]:
    """The tie group (1 is the best) of each of these systems, whose ranks are given.

    A line is drawn between two neighbours in the order of scores only where every system above it is significantly
    better than every one below, as the shared tasks of the Conference on Machine Translation draw it.
    """
    order = [place for _, place in sorted(zip(ranked, places, strict=True))]
    group_of: dict[int, int] = {}
    group = 1
    for number, place in enumerate(order):
        pairs = ((above, below) for above in order[:number] for below in order[number:])
        if number and all(_significant(row, above, below) for above, below in pairs):
            group += 1
        group_of[place] = group
    return [group_of[place] for place in places]


def _significant(row: ComparedRow, first: int, second: int) -> bool:
    difference = row.between(first, second)
    return difference is not None and difference.significant
