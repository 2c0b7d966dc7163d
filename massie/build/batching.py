"""Batched schemas: which labels are asked for together (paper, section 2.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from massie.build.drawing import draw

Item = TypeVar("Item")


def batches(items: Sequence[Item], size: int) -> list[tuple[Item, ...]]:
    """Consecutive batches of ``size``.

    A last batch of at least ``max(1, size // 2)`` stands alone, a smaller one is merged into the batch before it; fewer
    items than ``size`` are one batch. (The paper prints ``len(B_n) >= n % 2``, which every batch meets; this is the
    rule of the work that it cites, Gui et al., 2024.)
    """
    parts = [tuple(items[start : start + size]) for start in range(0, len(items), size)]
    if len(parts) > 1 and len(parts[-1]) < max(1, size // 2):
        last = parts.pop()
        parts[-1] += last
    return parts


def training_schemas(
    names: Sequence[str], positive: set[int], size: int, key: tuple[str, ...], hard: Mapping[int, Sequence[int]]
) -> list[int]:
    """The schemas (as indices of ``names``) that a train or dev instance is asked for, in the order of asking.

    With positive ones: these, their ``hard`` negatives, and up to ``size`` of the other negatives. Without: each schema
    with probability 0.5, at least one. ``key`` keys the draws.
    """
    rank = {index: draw(*key, name) for index, name in enumerate(names)}
    if not positive:
        chosen = {index for index, drawn in rank.items() if drawn & 1}
        return sorted(chosen or {min(rank, key=rank.__getitem__)}, key=rank.__getitem__)
    chosen = set(positive).union(*(hard.get(index, ()) for index in positive))
    others = sorted(
        (index for index in rank if index not in chosen), key=lambda index: draw(*key, "other", names[index])
    )
    return sorted(chosen.union(others[:size]), key=rank.__getitem__)


def asked_for(
    names: Sequence[str],
    positives: Sequence[set[int]],
    ids: Sequence[str],
    size: int,
    *,
    training: bool,
    key: str,
    hard: Mapping[int, Sequence[int]],
) -> Iterator[list[tuple[int, ...]]]:
    """For each instance the batches of schemas that it is asked for, as indices of ``names``.

    For test all schemas in order; for train and dev as ``training_schemas`` says.
    """
    everything = batches(range(len(names)), size)
    for instance_id, positive in zip(ids, positives, strict=True):
        if training:
            yield batches(training_schemas(names, positive, size, (key, instance_id), hard), size)
        else:
            yield everything
