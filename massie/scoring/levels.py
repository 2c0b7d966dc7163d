"""Which cells make a row of a table, and how their scores make that of the row.

A cell weighs as many *instances* as it has (NI; paper, appendix I), so that totals do not depend on the batch size; the
overall score is the plain mean of the task scores, and so is that of a language, family, script or dataset over its
tasks. Other evaluations pool the counts of a dataset's cells and take the plain mean over datasets. What a system
scores and how two differ go through the same functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from massie.types import Cell, Task

Array = NDArray[np.float64]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Quotients:
    """Scores of one cell as quotients: shape (scores, 1 + replicates), the first column the point estimates.

    The rows are several scores of one system, or one score of several systems.
    """

    cell: Cell
    instances: int
    numerators: Array
    denominators: Array

    def scores(self) -> Array:
        """The scores, 0 to 100."""
        return quotient(self.numerators, self.denominators)


@dataclass(frozen=True, slots=True)
class Group:
    """The cells of one row of a table; one without a task is over all tasks."""

    level: str
    task: Task | None
    key: str
    cells: Sequence[Quotients]
    combine: Callable[[Sequence[Quotients]], Array]

    @property
    def scores(self) -> Array:
        """The combined scores, 0 to 100: shape (scores, 1 + replicates); made anew each time.

        Equal cells have equal scores, at whatever level.
        """
        return self.combine(self.cells)


_OVER_TASKS = ("language", "family", "script", "dataset")
"""The levels whose keys have a row over all their tasks too: the plain mean of their task scores."""


@dataclass(frozen=True, slots=True)
class Levels:
    """How cells are grouped and combined.

    ``family`` and ``script`` give those of a language code, ``counts_as`` the code that a finer one is counted under.
    ``pooled`` gives the name under which a dataset's cells are pooled: the score of a row is then the plain mean over
    these names of the scores of the sums over their cells. Without it cells weigh as many instances as they have.
    """

    family: Callable[[str], str]
    script: Callable[[str], str]
    counts_as: Callable[[str], str] = str
    pooled: Callable[[str], str] | None = None

    def groups(self, cells: Sequence[Quotients]) -> Iterator[Group]:
        """All rows: overall, of each task its task, language, family, script, dataset and cell rows, and then each
        language, family, script and dataset over its tasks.
        """
        ordered = sorted(cells, key=lambda each: each.cell)
        keys = self._keys()
        yield from self._over_tasks("overall", lambda cell: "overall", ordered)
        of_tasks = _by(lambda cell: cell.task, ordered)
        for task in filter(of_tasks.get, Task):
            for level, key_of in keys.items():
                for key, group in sorted(_by(key_of, of_tasks[task]).items()):
                    yield Group(level, task, key, group, self._combined)
        for level in _OVER_TASKS:
            yield from self._over_tasks(level, keys[level], ordered)

    def _over_tasks(self, level: str, key_of: Callable[[Cell], str], cells: Sequence[Quotients]) -> Iterator[Group]:
        for key, group in sorted(_by(key_of, cells).items()):
            yield Group(level, None, key, group, self._mean_of_tasks)

    def _keys(self) -> dict[str, Callable[[Cell], str]]:
        """For each level the key of a cell."""
        return {
            "task": lambda cell: str(cell.task),
            "language": lambda cell: self.counts_as(cell.language),
            "family": lambda cell: self.family(cell.language),
            "script": lambda cell: self.script(cell.language),
            "dataset": lambda cell: self.pooled(cell.dataset) if self.pooled else cell.dataset,
            "cell": lambda cell: f"{cell.dataset}/{cell.language}",
        }

    def _mean_of_tasks(self, group: Sequence[Quotients]) -> Array:
        """The plain mean of the task scores, whose replicates are paired."""
        tasks = [self._combined(mine) for mine in _by(lambda cell: cell.task, group).values()]
        return np.stack(tasks).mean(axis=0)

    def _combined(self, group: Sequence[Quotients]) -> Array:
        if self.pooled is None:
            return _mean([each.scores() for each in group], [each.instances for each in group])
        pools: dict[str, list[Quotients]] = defaultdict(list)
        for each in group:
            pools[self.pooled(each.cell.dataset)].append(each)
        return _mean([_pooled(pool) for pool in pools.values()], [1] * len(pools))


def _by(key_of: Callable[[Cell], Key], cells: Sequence[Quotients]) -> dict[Key, list[Quotients]]:
    """The cells by a key, in their order."""
    groups: dict[Key, list[Quotients]] = defaultdict(list)
    for each in cells:
        groups[key_of(each.cell)].append(each)
    return groups


def quotient(numerators: Array, denominators: Array) -> Array:
    """100 x numerator / denominator; undefined (NaN) where the denominator is 0, and with it the numerator."""
    with np.errstate(invalid="ignore"):
        return 100.0 * numerators / denominators


def _pooled(pool: Sequence[Quotients]) -> Array:
    """The scores of the sums over cells."""
    above, below = [each.numerators for each in pool], [each.denominators for each in pool]
    return quotient(np.stack(above).sum(axis=0), np.stack(below).sum(axis=0))


def _mean(scores: Sequence[Array], weights: Sequence[int]) -> Array:
    """The weighted means; what is undefined carries no weight, and where all is, so is the mean."""
    if len(scores) == 1:
        return scores[0]
    total, missing = np.zeros(scores[0].shape), np.zeros(scores[0].shape)
    for values, each in zip(scores, weights, strict=True):
        if np.isnan(values.sum()):
            undefined = np.isnan(values)
            missing += undefined * each
            values = np.where(undefined, 0.0, values)
        total += values * each
    with np.errstate(invalid="ignore"):
        return total / (sum(weights) - missing)
