"""Keyed draws: every random choice of a build is a hash, so it depends on no order, process or platform."""

from __future__ import annotations

from hashlib import sha256


def draw(*parts: str) -> int:
    """A number below 2**64, uniform over keys: the first 8 bytes of the SHA-256 of the parts."""
    return int.from_bytes(sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:8], "big")


def fraction(*parts: str) -> float:
    """The same as a number in [0, 1)."""
    return (draw(*parts) >> 11) / (1 << 53)


def short_hash(*parts: str) -> str:
    """16 hexadecimal digits that name something by its content."""
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
