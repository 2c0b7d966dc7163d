"""Batched schemas: which labels are asked for together (paper, section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from massie.build.drawing import crossed, draws

Item = TypeVar("Item")

_LAST = np.uint64(2**64 - 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What some instances are asked for: a row for each sample, those of an instance together and in order.

    ``instance`` is the sample's instance by its place, ``schemas`` holds the indices of all samples' schemas one after
    the other, and ``starts`` where each sample's begin, with the end of the last behind.
    """

    instance: NDArray[np.int32]
    starts: NDArray[np.int64]
    schemas: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.instance)

    def sample_of_schema(self) -> NDArray[np.int64]:
        """For each of ``schemas`` the row of its sample."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def take(self, rows: NDArray[np.bool_]) -> Asked:
        """The samples where ``rows`` is true."""
        lengths = np.diff(self.starts)
        return Asked(self.instance[rows], _starts(lengths[rows]), self.schemas[np.repeat(rows, lengths)])


def batches(items: Sequence[Item], size: int | None) -> list[tuple[Item, ...]]:
    """Consecutive batches of ``size`` (one batch of all where that is None).

    A last batch of at least ``max(1, size // 2)`` stands alone, a smaller one is merged into the batch before it; fewer
    items than ``size`` are one batch. (The paper prints ``len(B_n) >= n % 2``, which every batch meets; this is the
    rule of the work that it cites, Gui et al., 2024.)
    """
    if size is None:
        return [tuple(items)] if items else []
    parts = [tuple(items[start : start + size]) for start in range(0, len(items), size)]
    if len(parts) > 1 and len(parts[-1]) < max(1, size // 2):
        last = parts.pop()
        parts[-1] += last
    return parts


def asked_for_test(instances: int, schemas: int, size: int | None) -> Asked:
    """Every instance is asked for all schemas, in order."""
    lengths = np.array([len(part) for part in batches(range(schemas), size)], dtype=np.int64)
    return Asked(
        np.repeat(np.arange(instances, dtype=np.int32), len(lengths)),
        _starts(np.tile(lengths, instances)),
        np.tile(np.arange(schemas, dtype=np.int16), instances),
    )


def asked_for_training(
    positive: NDArray[np.bool_],
    hard: NDArray[np.bool_],
    names: Sequence[str],
    keys: NDArray[np.uint64],
    size: int | None,
) -> Asked:
    """What train and dev instances are asked for, each in an order of its own.

    An instance with positive schemas: these, their hard negatives, and up to ``size`` of the others (all, where it is
    None). One without: each schema with probability 0.5, at least one. ``positive`` is (instances, schemas), ``hard``
    (schemas, schemas) says which are hard negatives of which, ``keys`` is a draw for each instance.
    """
    order = crossed(keys, draws("order", names))
    chosen = positive | _hard_negatives(positive, hard)
    others = np.where(chosen, _LAST, crossed(keys, draws("other", names)) >> np.uint64(1))
    nearest = np.argsort(others, axis=1, kind="stable")[:, :size]
    np.put_along_axis(chosen, nearest, True, axis=1)
    empty = ~positive.any(axis=1)
    chosen[empty] = crossed(keys[empty], draws("half", names)) & np.uint64(1) == 1
    none = ~chosen.any(axis=1)
    chosen[none, np.argmin(order[none], axis=1)] = True
    shuffled = np.argsort(np.where(chosen, order >> np.uint64(1), _LAST), axis=1, kind="stable").astype(np.int16)
    counts = chosen.sum(axis=1)
    lengths = {count: [len(part) for part in batches(range(count), size)] for count in set(counts.tolist())}
    parts = [lengths[count] for count in counts.tolist()]
    return Asked(
        np.repeat(np.arange(len(positive), dtype=np.int32), [len(part) for part in parts]),
        _starts(np.array([length for part in parts for length in part], dtype=np.int64)),
        shuffled[np.arange(len(names)) < counts[:, None]],
    )


def _hard_negatives(positive: NDArray[np.bool_], hard: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The hard negatives of each instance's positive schemas together."""
    found = np.zeros_like(positive)
    rows, schemas = np.nonzero(positive)
    if len(rows):  # not a product of matrices: its threads would be in the way of the other workers
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        found[rows[starts]] = np.logical_or.reduceat(hard[schemas], starts, axis=0)
    return found


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
