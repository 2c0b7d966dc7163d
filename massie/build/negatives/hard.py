"""The hard negatives of a build: from the benchmark's table, or mined on the spot where that lacks a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from massie.build.manifest import NegativesEntry
from massie.build.negatives.embedders import load_embedder
from massie.build.negatives.mining import nearest
from massie.build.samples import Hard
from massie.catalogue import DEFAULT_NEGATIVES, HARD_NEGATIVES, BenchmarkDefinition, Card, Catalogue
from massie.types import ContentError, Split, Task


@dataclass(frozen=True, slots=True)
class HardNegatives:
    """The hard negatives of every dataset and task that has train or dev texts, and where they come from."""

    entry: NegativesEntry
    by_task: dict[tuple[str, Task], Hard] = field(default_factory=dict[tuple[str, Task], Hard])

    def of(self, dataset: str, task: Task, split: Split) -> Hard:
        """Those that a split's samples are made with; test samples ask for every schema and have none."""
        return {} if split is Split.TEST else self.by_task[dataset, task]


def hard_negatives(benchmark: BenchmarkDefinition, catalogue: Catalogue, cards: Iterable[Card]) -> HardNegatives:
    """The hard negatives of some cards, by the benchmark's table.

    A dataset that the table does not have, a card of one's own say, is mined on the spot with the embedder that needs
    no model. Raises UnknownNameError for a table that is not there, and ContentError for one that does not validate or
    whose labels are not the card's.
    """
    name = benchmark.negatives
    # The default table holds what would be mined on the spot: a catalogue may do without it.
    none = name == DEFAULT_NEGATIVES and name not in catalogue.negatives_paths
    table = None if none else catalogue.negatives(name)
    by_task: dict[tuple[str, Task], Hard] = {}
    mined: list[str] = []
    for card in cards:
        if not _is_trained_on(card, benchmark):
            continue
        if table and card.id in table.negatives:
            path = catalogue.negatives_paths[name]
            by_task |= {(card.id, task): _stated(table.negatives[card.id], card, task, path) for task in card.tasks}
        else:
            embedder, k = load_embedder(DEFAULT_NEGATIVES), table.k if table else HARD_NEGATIVES
            by_task |= {(card.id, task): nearest(card.schemas(task), embedder, k) for task in card.tasks}
            mined.append(card.id)
    return HardNegatives(NegativesEntry(table=name, digest=table.digest if table else None, mined=mined), by_task)


def _is_trained_on(card: Card, benchmark: BenchmarkDefinition) -> bool:
    splits = {split for raw_split in card.raw_splits() for split in benchmark.splits_of(card, raw_split)}
    return bool(splits - {Split.TEST})


def _stated(tasks: dict[Task, dict[str, list[str]]], card: Card, task: Task, path: Path) -> Hard:
    """What a table says of a card; raises ContentError where their labels differ."""
    stated, labels = tasks.get(task, {}), [schema.name for schema in card.schemas(task)]
    gone = sorted(stated.keys() - set(labels))
    new = [label for label in labels if label not in stated]
    if gone or new:
        fault = f"the card has no label {gone[0]!r} any more" if gone else f"the card's label {new[0]!r} is not in it"
        raise ContentError(
            f"{path}: negatives.{card.id}.{task}: {fault}; mend the table with: "
            f"massie mine-negatives {card.id} --table {path.stem}"
        )
    return stated
