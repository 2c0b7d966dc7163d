"""Decodes token tags: from ``B-PER I-PER O`` to labelled runs of tokens, whatever the scheme.

One rule serves IOB1, IOB2, BIOES (also written BMES) and BILOU, and broken sequences of any of them, as conlleval has
it: a run goes on only while the next tag carries the same label and neither begins (B, S, U) nor follows the end of a
run (E, L, S, U). So an I after O, or after another label, opens a run of its own, and nothing tagged is lost. Where a
token has several tags, the runs nest, and each goes on by the same rule.

How a tag is written (``B-PER``, ``PER_B``, ``BPER``) is its ``Scheme``.
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


class Scheme(NamedTuple):
    """How a tag is written: its mark, ``separator`` (may be empty) and its label, or with ``label_first`` the reverse.

    ``outside`` is the tag of a token in no run. ``parted_by`` parts the tags of one token, where it may have several.
    ``spellings`` pairs tags that are written otherwise with the tags that they stand for.
    """

    separator: str = "-"
    label_first: bool = False
    outside: str = OUTSIDE
    parted_by: str | None = None
    spellings: tuple[tuple[str, str], ...] = ()


class Tag(NamedTuple):
    """A tag other than O: its label, and whether it always begins or always ends a run."""

    label: str
    begins: bool
    ends: bool


PLAIN = Scheme()


@lru_cache(maxsize=4096)
def parse(tag: str, scheme: Scheme = PLAIN) -> Tag | None:
    """The meaning of one tag, split at the separator next to its mark only; None for the tag outside.

    Raises ValueError for what is not a tag.
    """
    tag = dict(scheme.spellings).get(tag, tag)
    if tag == scheme.outside:
        return None
    if not scheme.separator:
        place = len(tag) - 1 if scheme.label_first else 1
        first, last = tag[:place], tag[place:]
    elif scheme.label_first:
        first, _, last = tag.rpartition(scheme.separator)
    else:
        first, _, last = tag.partition(scheme.separator)
    mark, label = (last, first) if scheme.label_first else (first, last)
    if mark not in _MARKS or not label:
        raise ValueError(
            f"{tag!r} is not {scheme.outside} nor one of B, I, M, E, L, S, U with {scheme.separator!r} and a label"
        )
    return Tag(label, mark in _BEGIN, mark in _END)


def is_tag(tag: str, scheme: Scheme = PLAIN) -> bool:
    """Whether ``decode`` takes the tag (of a token with several tags, all of them)."""
    try:
        for part in _parts(tag, scheme):
            parse(part, scheme)
    except ValueError:
        return False
    return True


def decode(tags: Sequence[str], scheme: Scheme = PLAIN) -> list[TagSpan]:
    """The labelled runs of a sentence's tags, in order; raises ValueError for what is not a tag."""
    if tags.count(scheme.outside) == len(tags):
        return []
    return _flat(tags, scheme) if scheme.parted_by is None else _nested(tags, scheme)


def _flat(tags: Sequence[str], scheme: Scheme) -> list[TagSpan]:
    spans: list[TagSpan] = []
    label, first, outside = None, 0, scheme.outside
    for index, raw in enumerate(tags):
        tag = None if raw == outside else parse(raw, scheme)
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


def _nested(tags: Sequence[str], scheme: Scheme) -> list[TagSpan]:
    """Runs that may nest: a tag goes on with the first open run of its label that no tag before it has taken.

    Their places among a token's tags say nothing: an inner tag moves up when the outer run ends.
    """
    spans: list[TagSpan] = []
    running: list[tuple[str, int]] = []
    for index, raw in enumerate(tags):
        going_on: list[tuple[str, int]] = []
        for part in _parts(raw, scheme):
            tag = parse(part, scheme)
            if tag is None:
                continue
            run = next((run for run in running if run[0] == tag.label), None) if not tag.begins else None
            if run is not None:
                running.remove(run)
            label, first = run or (tag.label, index)
            if tag.ends:
                spans.append(TagSpan(label, first, index))
            else:
                going_on.append((label, first))
        spans += (TagSpan(label, first, index - 1) for label, first in running)
        running = going_on
    spans += (TagSpan(label, first, len(tags) - 1) for label, first in running)
    return sorted(spans, key=lambda span: (span.first, -span.last))


def _parts(tag: str, scheme: Scheme) -> list[str]:
    return [tag] if scheme.parted_by is None else tag.split(scheme.parted_by)
