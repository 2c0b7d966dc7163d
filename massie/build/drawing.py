"""Keyed draws: every random choice of a build is a hash, so it depends on no order, process or platform."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray


def draw(*parts: str) -> int:
    """A number below 2**64, uniform over keys: the first 8 bytes of the SHA-256 of the parts."""
    return int.from_bytes(sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:8], "big")


def fraction(*parts: str) -> float:
    """The same as a number in [0, 1)."""
    return (draw(*parts) >> 11) / (1 << 53)


def short_hash(*parts: str) -> str:
    """16 hexadecimal digits that name something by its content."""
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def draws(key: str, items: Iterable[str]) -> NDArray[np.uint64]:
    """``draw`` of each item under a key."""
    return np.fromiter((draw(key, item) for item in items), dtype=np.uint64)


def crossed(rows: NDArray[np.uint64], columns: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A draw for each pair of two things that were drawn one by one, shape (rows, columns).

    The finaliser of SplitMix64 (Steele et al., 2014) over both: where each of n texts draws each of m schemas, n + m
    hashes are taken and not n * m.
    """
    mixed = rows[:, None] ^ columns[None, :]
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
