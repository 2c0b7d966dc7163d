"""Cluster bootstrap, stratified by cell: the uncertainty of every score.

The instances of each cell are drawn with replacement (the samples of one text go together), the cells' weights stay
fixed. The draws are made from the raw 64-bit output of PCG64, keyed by seed and cell, because only raw output is
guaranteed to stay the same over NumPy versions: one seed gives one interval on any machine and any number of threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1000
SEED = 20250101

# So many draws are made at once: they stay in a core's cache.
_DRAWS_AT_ONCE = 1 << 16


def replicate_sums(
    sums: NDArray[np.float64], key: str, replicates: int = REPLICATES, seed: int = SEED
) -> NDArray[np.float64]:
    """Sums over resampled instances.

    ``sums`` has a row for each instance of one cell and a column for each summed quantity; the result has a row for
    each replicate and the same columns. ``key`` names the cell.
    """
    result = np.empty((replicates, sums.shape[1]))
    start = 0
    for weights in _weights(len(sums), key, replicates, seed):
        result[start : start + len(weights)] = weights @ sums
        start += len(weights)
    return result


def _weights(instances: int, key: str, replicates: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each replicate draws each instance: arrays of shape (some replicates, instances)."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    generator = np.random.PCG64(int.from_bytes(digest[:16], "big"))
    rows = max(2, _DRAWS_AT_ONCE // max(instances, 1) // 2 * 2)
    first_of_row = np.arange(rows, dtype=np.int64)[:, None] * instances
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        raw = generator.random_raw((count * instances + 1) // 2).astype("<u8").view("<u4")[: count * instances]
        # Exact in doubles for up to 2**21 instances: 32 random bits times their number, over 2**32, rounded down.
        drawn = np.multiply(raw, instances / 2**32).astype(np.int64).reshape(count, instances)
        drawn += first_of_row[:count]
        yield np.bincount(drawn.ravel(), minlength=count * instances).reshape(count, instances).astype(np.float64)


def interval(replicates: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of a score's replicates; NaN where the score is undefined in all of them."""
    defined = replicates[~np.isnan(replicates)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
