"""Several systems on the same instances: one score of each, with replicates that all of them share.

In every replicate all systems are scored on the same resampled instances, so that differences and ranks are paired.
Replicates come in batches, each with draws of its own: they can be made by several processes, in the memory of one
batch each, and how many processes there are changes no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from massie.scoring.bootstrap import replicate_sums
from massie.scoring.cells import instance_sums
from massie.scoring.levels import Group, Levels, Quotients
from massie.types import Cell

Array = NDArray[np.float64]

REPLICATES_AT_ONCE = 1000
"""Replicates in a batch: it is a part of the draws' key, so another number gives other draws."""


@dataclass(frozen=True, slots=True)
class PairedCell:
    """The instances of one cell, with one score of each system as a quotient of sums over them.

    ``numerators`` have shape (instances, systems); so have ``denominators``, or (instances, 1) where all systems share
    one.
    """

    cell: Cell
    numerators: Array
    denominators: Array


def paired_cell(cell: Cell, instance_ids: Sequence[str], numerators: Array, denominators: Array) -> PairedCell:
    """The instances of a cell from its samples: a row for each sample in both arrays, in any order."""
    sums = instance_sums(instance_ids, np.concatenate([numerators, denominators], axis=1))
    systems = numerators.shape[1]
    return PairedCell(cell, sums[:, :systems], sums[:, systems:])


def batch_sizes(replicates: int) -> list[int]:
    """How many replicates each batch has."""
    whole, rest = divmod(replicates, REPLICATES_AT_ONCE)
    return [REPLICATES_AT_ONCE] * whole + [rest] * (rest > 0)


def paired_groups(
    cells: Sequence[PairedCell], levels: Levels, *, batch: int, replicates: int, seed: int
) -> Iterator[Group]:
    """The scores of all systems (the rows of ``Group.scores``) at every level, with one batch of replicates."""
    return levels.groups([_replicated(cell, batch, replicates, seed) for cell in cells])


def _replicated(cell: PairedCell, batch: int, replicates: int, seed: int) -> Quotients:
    instances, systems = cell.numerators.shape
    sums = np.concatenate([cell.numerators, cell.denominators], axis=1)
    drawn = replicate_sums(sums, f"{cell.cell} {batch}", replicates, seed)
    columns = np.concatenate([sums.sum(axis=0, keepdims=True), drawn]).T.copy()
    return Quotients(cell.cell, instances, columns[:systems], columns[systems:])
