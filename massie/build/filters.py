"""De-duplication and de-contamination over the whole catalogue (steps 6 and 7 of a build; paper, appendix B).

Texts are compared by 64-bit keys, so that millions take little memory and neither the order of files nor the number of
workers can make a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from massie.build.staged import Staged
from massie.types import Cell, Split, Task

Keys = NDArray[np.uint64]

DUPLICATE = "train text that another dataset has"
CONTAMINATED = "text that is also a test text"
NEARLY = "text that is nearly a test text"

FILTERS = (("de-duplicate", DUPLICATE), ("de-contaminate", CONTAMINATED), ("near-duplicates", NEARLY))
"""The filters in their order: what the step is called, and why it removes a text."""


class CellSplit(NamedTuple):
    """A cell in one of its splits."""

    cell: Cell
    split: Split


Runs = Mapping[CellSplit, Callable[[], Sequence[Staged]]]
"""The staged instances of every cell and split, to be had when they are needed."""


def _no_keys() -> Keys:
    return np.zeros(0, np.uint64)


@dataclass(slots=True)
class Removals:
    """The keys of the texts that a cell and split loses, sorted: of texts as they stand, and of folded ones."""

    duplicated: Keys = field(default_factory=_no_keys)
    contaminated: Keys = field(default_factory=_no_keys)
    nearly: Keys = field(default_factory=_no_keys)

    def masks(self, staged: Staged) -> Iterator[NDArray[np.bool_]]:
        """Which instances each of ``FILTERS`` removes, of those that the filters before it leave.

        The last only where there are near-duplicates at all: they are looked for on demand.
        """
        duplicated = among(staged.text_keys(), self.duplicated)
        yield duplicated
        contaminated = among(staged.folded_keys(), self.contaminated) & ~duplicated
        yield contaminated
        if len(self.nearly):
            yield among(staged.folded_keys(), self.nearly) & ~duplicated & ~contaminated

    def digest(self) -> str:
        """What names these removals by content."""
        keys = [self.duplicated, self.contaminated, self.nearly]
        return sha256(b"\0\0".join(each.tobytes() for each in keys)).hexdigest()


class Overlap(NamedTuple):
    """How many texts of a dataset were removed because another (or its own test split) has them."""

    reason: str
    task: Task
    dataset: str
    other: str


@dataclass(frozen=True, slots=True)
class Filtered:
    """What both filters remove, by cell and split, and the overlaps counted by pairs of datasets."""

    removals: dict[CellSplit, Removals]
    overlaps: Counter[Overlap]


def filtered(runs: Runs) -> Filtered:
    """What de-duplication and de-contamination remove.

    A train text stays in one dataset for each task: the first by id (where the paper took directory order); the
    languages of a dataset keep what they share. Train and dev texts that are a test text of any dataset and task go.
    """
    removals = {key: Removals() for key in runs}
    overlaps: Counter[Overlap] = Counter()
    for task in Task:
        _deduplicate(task, runs, removals, overlaps)
    _decontaminate(runs, removals, overlaps)
    return Filtered(removals, overlaps)


def _deduplicate(task: Task, runs: Runs, removals: dict[CellSplit, Removals], overlaps: Counter[Overlap]) -> None:
    cells = [key for key in runs if key.split is Split.TRAIN and key.cell.task is task]
    datasets = sorted({key.cell.dataset for key in cells})
    if len(datasets) < 2:
        return
    keys_of = {key: np.unique(_joined([run.text_keys() for run in runs[key]()])) for key in cells}
    keys = _joined([keys_of[key] for key in cells])
    places = [np.full(len(keys_of[key]), datasets.index(key.cell.dataset), np.int32) for key in cells]
    dataset = np.concatenate(places)
    order = np.lexsort((dataset, keys))
    keys, dataset = keys[order], dataset[order]
    first = np.concatenate([np.ones(1, bool), keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, bool)
    owner = dataset[np.maximum.accumulate(np.where(first, np.arange(len(keys)), 0))]
    lost = owner != dataset
    pairs, numbers = np.unique(np.stack([dataset[lost], owner[lost]]), axis=1, return_counts=True)
    for (mine, others), number in zip(pairs.T.tolist(), numbers.tolist(), strict=True):
        overlaps[Overlap(DUPLICATE, task, datasets[mine], datasets[others])] += number
    lost_by = {mine: np.unique(keys[lost & (dataset == mine)]) for mine in np.unique(dataset[lost]).tolist()}
    for key in cells:
        lost_keys = lost_by.get(datasets.index(key.cell.dataset), _no_keys())
        removals[key].duplicated = lost_keys[among(lost_keys, keys_of[key])]


def _decontaminate(runs: Runs, removals: dict[CellSplit, Removals], overlaps: Counter[Overlap]) -> None:
    tests = [key for key in runs if key.split is Split.TEST]
    datasets = sorted({key.cell.dataset for key in tests})
    folded = [_joined([run.folded_keys() for run in runs[key]()]) for key in tests]
    keys = _joined(folded)
    sizes = list(map(len, folded))
    dataset = np.repeat(np.array([datasets.index(key.cell.dataset) for key in tests], np.int32), sizes)
    order = np.lexsort((dataset, keys))
    keys, dataset = keys[order], dataset[order]
    fresh = np.ones(len(keys), bool)
    fresh[1:] = (keys[1:] != keys[:-1]) | (dataset[1:] != dataset[:-1])
    keys, dataset = keys[fresh], dataset[fresh]
    for key in runs:
        if key.split is Split.TEST:
            continue
        texts: list[Keys] = []
        mine: list[Keys] = []
        for run in runs[key]():
            found = run.folded_keys()
            seen = among(found, keys) & ~among(run.text_keys(), removals[key].duplicated)
            texts.append(run.text_keys()[seen])
            mine.append(found[seen])
        once = np.unique(_joined(texts), return_index=True)[1]  # a text may stand in several runs
        lost = _joined(mine)[once]
        removals[key].contaminated = np.unique(lost)
        for place, number in _counted(lost, keys, dataset):
            overlaps[Overlap(CONTAMINATED, key.cell.task, key.cell.dataset, datasets[place])] += number


def _counted(lost: Keys, keys: Keys, dataset: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    """How often each dataset of a sorted pool of keys has one of the lost keys."""
    begins, ends = np.searchsorted(keys, lost, "left"), np.searchsorted(keys, lost, "right")
    lengths = ends - begins
    ends_before = np.repeat(np.cumsum(lengths) - lengths, lengths)
    within = np.arange(int(lengths.sum()), dtype=np.int64) - ends_before
    numbers = np.bincount(dataset[np.repeat(begins, lengths) + within])
    return ((place, number) for place, number in enumerate(numbers.tolist()) if number)


def among(keys: Keys, pool: Keys) -> NDArray[np.bool_]:
    """Which keys a sorted pool holds."""
    if not len(pool):
        return np.zeros(len(keys), bool)
    places = np.searchsorted(pool, keys)
    places[places == len(pool)] = 0
    return pool[places] == keys


def _joined(parts: Sequence[Keys]) -> Keys:
    return np.concatenate(parts) if parts else _no_keys()
