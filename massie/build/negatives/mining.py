"""Mines hard negatives: the labels of a dataset that are most like each other (paper, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from massie.build.negatives.embedders import Embedder
from massie.catalogue import Card, NegativesTable
from massie.types import Schema, Task

_DIGITS = 6
"""Similarities are rounded to this, so that sums of another order on another machine give no other table."""


def nearest(schemas: Sequence[Schema], embedder: Embedder, k: int) -> dict[str, list[str]]:
    """For each schema's name the ``k`` others (or all, where these are fewer) that are most like it, nearest first.

    Alike is what has a high cosine similarity of the embeddings of "name: description"; schemas as like as each other
    come in the card's order.
    """
    names = [schema.name for schema in schemas]
    if len(names) < 2:
        return {name: [] for name in names}
    texts = [f"{schema.name}: {schema.description}" if schema.description else schema.name for schema in schemas]
    similar = _cosines(embedder.embed(texts))
    np.fill_diagonal(similar, -np.inf)
    order = np.argsort(-similar, axis=1, kind="stable")[:, : min(k, len(names) - 1)]
    return {name: [names[place] for place in places] for name, places in zip(names, order.tolist(), strict=True)}


def _cosines(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return np.asarray(np.round(units @ units.T, _DIGITS), dtype=np.float64)


def mined(
    cards: Iterable[Card], embedder: Embedder, k: int, progress: Callable[[int, int, str], None] | None = None
) -> NegativesTable:
    """The table of some cards; tasks without schemas (cards that only describe a dataset) are not in it."""
    work = [(card.id, task, schemas) for card in cards for task in card.tasks if (schemas := card.schemas(task))]
    negatives: dict[str, dict[Task, dict[str, list[str]]]] = {}
    for done, (dataset, task, schemas) in enumerate(work, start=1):
        negatives.setdefault(dataset, {})[task] = nearest(schemas, embedder, k)
        if progress:
            progress(done, len(work), f"{dataset} {task}")
    return NegativesTable(embedder=embedder.entry, k=k, negatives=negatives)


class Change(NamedTuple):
    """A label whose negatives differ between two tables; None where a table does not have it."""

    dataset: str
    task: Task
    label: str
    before: list[str] | None
    after: list[str] | None


def changes(before: NegativesTable | None, after: NegativesTable) -> list[Change]:
    """The labels whose negatives differ, sorted by dataset, task and label."""
    old, new = _by_label(before), _by_label(after)
    return [
        Change(*place, old.get(place), new.get(place))
        for place in sorted({*old, *new})
        if old.get(place) != new.get(place)
    ]


def _by_label(table: NegativesTable | None) -> dict[tuple[str, Task, str], list[str]]:
    return {
        (dataset, task, label): negatives
        for dataset, tasks in (table.negatives if table else {}).items()
        for task, labels in tasks.items()
        for label, negatives in labels.items()
    }
