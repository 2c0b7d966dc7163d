"""Near-duplicates: train and dev texts that are nearly a test text (beyond the paper, whose filters want equal texts).

Two texts are near-duplicates where the sets of their character 5-grams have a Jaccard similarity of at least 0.8.
Candidates are found by MinHash (Broder, 1997) in 20 bands of 6 permutations, which miss 2 in 1,000 pairs at the
threshold and fewer above it; each candidate is then compared exactly.
"""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# (datasketch's types are incomplete.)

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from massie.build.engines import Runner
from massie.build.filters import NEARLY, CellSplit, Keys, Overlap, Removals
from massie.build.jobs import ROWS, Stage
from massie.build.staged import Staged, folded
from massie.types import MissingExtraError, Split

THRESHOLD = 0.8
"""The least Jaccard similarity of near-duplicates."""

_BANDS, _ROWS = 20, 6
_GRAM = 5
_CANDIDATES, _OF_A_BAND = 50, 1000
"""How many candidates are compared, and how many looked at in each band: texts that share a form have thousands."""


class NearDuplicates(StrEnum):
    """What a build does about near-duplicates."""

    KEEP = "keep"  # they are not looked for
    REPORT = "report"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class _Bands:
    """The bands of a stage's texts that the other filters leave: shape (texts, bands), with their rows in the stage.

    Each text stands once, and they come in the order of their keys: so no order of files makes a difference.
    """

    key: CellSplit
    rows: NDArray[np.int64]
    bands: NDArray[np.uint64]


def find_near_duplicates(
    stages: Sequence[Stage], removals: dict[CellSplit, Removals], run: Runner
) -> tuple[dict[CellSplit, Keys], Counter[Overlap]]:
    """The folded keys of the near-duplicates of every cell and split, and their number by pairs of datasets.

    A text counts once, for the dataset of the first test text that it is found to be near.
    """
    stage_of = {stage.key: stage for stage in stages}
    jobs = [(stage, removals[stage.key]) for stage in stages]
    found = sorted(run(_bands, jobs), key=lambda each: each.key)
    tests = _Tests([each for each in found if each.key.split is Split.TEST], stage_of)
    keys: dict[CellSplit, Keys] = {}
    overlaps: Counter[Overlap] = Counter()
    for each in found:
        if each.key.split is Split.TEST:
            continue
        texts = _Texts(stage_of[each.key])
        near: list[int] = []
        for row, dataset in tests.near(each, texts):
            near.append(row)
            overlaps[Overlap(NEARLY, each.key.cell.task, each.key.cell.dataset, dataset)] += 1
        keys[each.key] = np.unique(texts.keys()[near])
    return keys, overlaps


def _bands(job: tuple[Stage, Removals]) -> _Bands:
    stage, removals = job
    keys: list[Keys] = [np.zeros(0, np.uint64)]
    rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    bands: list[NDArray[np.uint64]] = [np.zeros((0, _BANDS), np.uint64)]
    before = 0
    for run in stage.staged():
        left = np.ones(len(run), bool)
        for removed in removals.masks(run):
            left &= ~removed
        keys.append(run.text_keys()[left])
        rows.append(np.flatnonzero(left) + before)
        bands.append(bands_of(run.take(left).texts()))
        before += len(run)
    once = np.unique(np.concatenate(keys), return_index=True)[1]  # a text may stand in several runs
    return _Bands(stage.key, np.concatenate(rows)[once], np.concatenate(bands)[once])


def minhash() -> Any:
    """The class that makes MinHashes; raises MissingExtraError where datasketch is not installed."""
    try:
        from datasketch import MinHash
    except ImportError as error:
        raise MissingExtraError("datasketch", "near-duplicates", "--near-duplicates") from error
    return MinHash


def bands_of(texts: Sequence[str]) -> NDArray[np.uint64]:
    """The bands of some texts, shape (texts, bands): texts with an equal band are candidates.

    Raises MissingExtraError where datasketch is not installed.
    """
    if not texts:
        return np.zeros((0, _BANDS), np.uint64)
    grams = ([gram.encode() for gram in grams_of(text)] for text in texts)
    hashes: list[Any] = minhash().bulk(grams, num_perm=_BANDS * _ROWS, seed=1, scheme="affine32")
    values: NDArray[np.uint64] = np.stack([each.hashvalues for each in hashes]).astype(np.uint64)
    parts = values.reshape(len(texts), _BANDS, _ROWS)
    odd = np.array([draw | 1 for draw in range(0x9E3779B97F4A7C15, 0x9E3779B97F4A7C15 + 2 * _ROWS, 2)], np.uint64)
    band = np.zeros(parts.shape[:2], np.uint64)
    for row in range(_ROWS):
        band = band * odd[row] ^ parts[:, :, row]
    return band


def grams_of(text: str) -> set[str]:
    """The character 5-grams of a text, its case and spacing folded; the whole of it where it is shorter."""
    plain = folded(text.casefold())
    return {plain[start : start + _GRAM] for start in range(max(1, len(plain) - _GRAM + 1))}


def similarity(one: set[str], other: set[str]) -> float:
    """The Jaccard similarity of two sets."""
    return len(one & other) / len(one | other)


class _Texts:
    """The texts of a stage by row, read from its runs when they are asked for."""

    def __init__(self, stage: Stage) -> None:
        self._runs: list[Staged] = stage.staged()
        self._starts = np.cumsum(np.array([0, *map(len, self._runs)], np.int64))

    def __call__(self, row: int) -> str:
        run = int(np.searchsorted(self._starts, row, "right")) - 1
        return self._runs[run].text(row - int(self._starts[run]))

    def keys(self) -> Keys:
        parts = [run.folded_keys() for run in self._runs]
        return np.concatenate([np.zeros(0, np.uint64), *parts])


class _Tests:
    """All test texts, sorted by each of their bands."""

    def __init__(self, found: Sequence[_Bands], stage_of: dict[CellSplit, Stage]) -> None:
        self._cells = [(each.key.cell.dataset, _Texts(stage_of[each.key])) for each in found]
        self._cell = np.repeat(np.arange(len(found)), [len(each.rows) for each in found])
        self._row = np.concatenate([np.zeros(0, np.int64), *(each.rows for each in found)])
        bands = np.concatenate([np.zeros((0, _BANDS), np.uint64), *(each.bands for each in found)])
        self._order: list[NDArray[np.intp]] = [np.argsort(bands[:, band], kind="stable") for band in range(_BANDS)]
        self._sorted: list[Keys] = [bands[order, band] for band, order in enumerate(self._order)]

    def near(self, found: _Bands, texts: _Texts) -> Iterator[tuple[int, str]]:
        """The rows of texts that are near a test text, each with the dataset of the first such."""
        for start in range(0, len(found.rows), ROWS):
            rows, bands = found.rows[start : start + ROWS], found.bands[start : start + ROWS]
            begins, ends = (self._places(bands, side) for side in ("left", "right"))
            for place in np.flatnonzero((begins < ends).any(axis=1)).tolist():
                row = int(rows[place])
                dataset = self._nearest(texts(row), self._candidates(begins[place], ends[place]))
                if dataset is not None:
                    yield row, dataset

    def _places(self, bands: NDArray[np.uint64], side: Any) -> NDArray[np.intp]:
        """Where the texts with each of these bands begin, or end, among the sorted."""
        return np.stack([np.searchsorted(pool, bands[:, band], side) for band, pool in enumerate(self._sorted)], axis=1)

    def _candidates(self, begins: NDArray[np.intp], ends: NDArray[np.intp]) -> list[int]:
        """The test texts that share bands with a text: those that share the most first."""
        ends = np.minimum(ends, begins + _OF_A_BAND)
        parts = [order[begin:end] for order, begin, end in zip(self._order, begins, ends, strict=True)]
        places, shared = np.unique(np.concatenate(parts), return_counts=True)
        return places[np.argsort(-shared, kind="stable")][:_CANDIDATES].tolist()

    def _nearest(self, text: str, candidates: Sequence[int]) -> str | None:
        """The dataset of the first candidate that a text is near to; None where there is none."""
        grams = grams_of(text)
        for place in candidates:
            dataset, texts = self._cells[int(self._cell[place])]
            if similarity(grams, grams_of(texts(int(self._row[place])))) >= THRESHOLD:
                return dataset
        return None
