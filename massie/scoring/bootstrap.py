"""Cluster bootstrap, stratified by cell: the uncertainty of every score.

The instances of each cell are drawn with replacement (the samples of one text go together), the cells' weights stay
fixed. Instances with equal sums are interchangeable, and in most cells one kind is by far the most frequent (nothing to
find, nothing found). How often that kind is drawn is binomial, so it is drawn as one number for each replicate, and
only the other instances are drawn one by one: the same distribution for a fraction of the draws.

The draws are made from the raw 64-bit output of PCG64, keyed by seed and cell, because only raw output is guaranteed to
stay the same over NumPy versions. What is computed from it are sums, products and quotients of doubles, and the sums
are exact (scores are multiples of 2**-32, see ``cells``), so no order of summing matters: one seed gives one
interval on any machine and any number of threads.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1000
SEED = 20250101

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

# About so many draws are made at once: they stay in a core's cache.
_DRAWS_AT_ONCE = 1 << 16


def replicate_sums(sums: Array, key: str, replicates: int = REPLICATES, seed: int = SEED) -> Array:
    """Sums over resampled instances.

    ``sums`` has a row for each instance of one cell and a column for each summed quantity; the result has a row for
    each replicate and the same columns. ``key`` names the cell. The order of the instances does not matter.
    """
    modal, others = _most_frequent(sums)
    total = len(sums)
    numbers = _Numbers(seed, key)
    drawn = _binomial(numbers.take(replicates).astype(np.float64) * 2.0**-32, total, len(others))
    result = (total - drawn)[:, None] * modal
    if len(others):
        rows = max(1, _DRAWS_AT_ONCE // max(1, int(drawn.max())))
        for start in range(0, replicates, rows):
            part = drawn[start : start + rows]
            result[start : start + rows] += _weights(numbers, part, len(others)) @ others
    return result


def _most_frequent(sums: Array) -> tuple[Array, Array]:
    """The most frequent row, and all rows that are not equal to it, sorted."""
    rows = sums[np.lexsort(sums.T)]
    starts = np.flatnonzero(np.concatenate([[True], (rows[1:] != rows[:-1]).any(axis=1)]))
    lengths = np.diff(starts, append=len(rows))
    longest = int(lengths.argmax())
    start, end = starts[longest], starts[longest] + lengths[longest]
    return rows[start], np.concatenate([rows[:start], rows[end:]])


class _Numbers:
    """Numbers of 32 bits: the lower half of each raw word, then its upper one."""

    def __init__(self, seed: int, key: str) -> None:
        digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
        self._generator = np.random.PCG64(int.from_bytes(digest[:16], "big"))
        self._left = np.empty(0, dtype="<u4")

    def take(self, number: int) -> NDArray[np.uint64]:
        """The next so many, in an array of the caller's own."""
        left = min(number, len(self._left))
        words = np.asarray(self._generator.random_raw((number - left + 1) // 2), dtype="<u8")
        halves = words.view("<u4")
        numbers = np.empty(number, dtype=np.uint64)
        numbers[:left], numbers[left:] = self._left[:left], halves[: number - left]
        self._left = halves[number - left :] if number else self._left
        return numbers


def _binomial(uniform: Array, total: int, chosen: int) -> Integers:
    """Binomial numbers of ``total`` draws with probability ``chosen / total``, by inversion.

    The probabilities are made from that of the most likely number outwards, by multiplication alone.
    """
    if chosen in (0, total):
        return np.full(len(uniform), chosen, dtype=np.int64)
    k = np.arange(1, total + 1, dtype=np.float64)
    steps = (total - k + 1) / k * (chosen / (total - chosen))  # probability of k over that of k - 1
    mode = min(total, (total + 1) * chosen // total)
    above = np.cumprod(steps[mode:])
    below = np.cumprod(1 / steps[:mode][::-1])[::-1]
    cumulative = np.cumsum(np.concatenate([below, [1.0], above]))
    return np.asarray(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"), dtype=np.int64)


def _weights(numbers: _Numbers, drawn: Integers, instances: int) -> Array:
    """How often each replicate draws each instance: ``drawn`` draws a replicate; shape (replicates, instances)."""
    # Of all 2**32 numbers each instance gets as many as any other, or one more. In whole numbers: a quarter of the time
    # that doubles take.
    places = numbers.take(int(drawn.sum()))
    places *= np.uint64(instances)
    places >>= np.uint64(32)
    of = places.view(np.int64)
    of += np.repeat(np.arange(len(drawn), dtype=np.int64) * instances, drawn)
    counts: NDArray[np.intp] = np.bincount(of, minlength=len(drawn) * instances)
    return counts.astype(np.float64).reshape(len(drawn), instances)


def intervals(replicates: Array, level: float = 0.95) -> tuple[Array, Array]:
    """The percentile intervals of scores from their replicates, one row each: lower and upper ends.

    Replicates in which a score is undefined (NaN) do not count; where it is so in all of them, so are the ends.
    """
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.full((2, len(replicates)), np.nan)
    defined = ~np.isnan(replicates)
    whole = defined.all(axis=1)
    if whole.any():
        low[whole], high[whole] = np.quantile(replicates[whole], ends, axis=1)
    for row in np.flatnonzero(~whole & defined.any(axis=1)):
        low[row], high[row] = np.quantile(replicates[row, defined[row]], ends)
    return low, high
