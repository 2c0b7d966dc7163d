"""Decodes token tags: from ``B-PER I-PER O`` to labelled runs of tokens, whatever the scheme.

One rule serves IOB1, IOB2, BIOES (also written BMES) and BILOU, and broken sequences of any of them, as conlleval has
it: a run goes on only while the next tag carries the same label and neither begins (B, S, U) nor follows the end of a
run (E, L, S, U). So an I after O, or after another label, opens a run of its own, and nothing tagged is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

OUTSIDE = "O"

_MARKS = frozenset("BIMELSU")
_BEGIN = frozenset("BSU")
_END = frozenset("ELSU")


class TagSpan(NamedTuple):
    """A run of tokens under one label; ``first`` and ``last`` are token indices, both inside the run."""

    label: str
    first: int
    last: int


class Tag(NamedTuple):
    """A tag other than O: its label, and whether it always begins or always ends a run."""

    label: str
    begins: bool
    ends: bool


@lru_cache(maxsize=4096)
def parse(tag: str, separator: str = "-") -> Tag | None:
    """The meaning of a tag, split at the first separator only; None for O.

    Raises ValueError for what is not a tag.
    """
    if tag == OUTSIDE:
        return None
    mark, _, label = tag.partition(separator)
    if mark not in _MARKS or not label:
        raise ValueError(f"{tag!r} is not O nor one of B, I, M, E, L, S, U with {separator!r} and a label")
    return Tag(label, mark in _BEGIN, mark in _END)


def is_tag(tag: str, separator: str = "-") -> bool:
    """Whether ``decode`` takes the tag."""
    try:
        parse(tag, separator)
    except ValueError:
        return False
    return True


def decode(tags: Sequence[str], separator: str = "-") -> list[TagSpan]:
    """The labelled runs of a sentence's tags, in order; raises ValueError for what is not a tag."""
    if tags.count(OUTSIDE) == len(tags):
        return []
    spans: list[TagSpan] = []
    label, first = None, 0
    for index, raw in enumerate(tags):
        tag = parse(raw, separator)
        if label is not None and (tag is None or tag.begins or tag.label != label):
            spans.append(TagSpan(label, first, index - 1))
            label = None
        if tag is None:
            continue
        if label is None:
            label, first = tag.label, index
        if tag.ends:
            spans.append(TagSpan(label, first, index))
            label = None
    if label is not None:
        spans.append(TagSpan(label, first, len(tags) - 1))
    return spans
