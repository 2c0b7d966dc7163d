"""JSON with lists of surfaces and of their labels, without offsets.

    {"s1": {"sentence": "Amina met Juma.", "entity": ["Amina", "Juma"], "category": ["person", "person"]}}

is read with ``layout: object, text: sentence, surfaces: entity, labels: category``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from massie.catalogue import Content
from massie.readers.json_items import INCOMPLETE, Layout, at, items, listed
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import ReaderError, Span

NOT_FOUND = "surface that its text does not hold"


class Options(Content):
    """Where an item has its text and the lists of surfaces and labels, one entry of each for an annotation.

    All are dotted paths.
    """

    layout: Layout
    text: str
    surfaces: str
    labels: str


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the items' texts; a surface without label, or that its text does not hold, is a fault."""
    for file in files:
        for where, item in items(file, options.layout):
            text = reading.joining.text(_string(item, options.text, where))
            surfaces = [reading.joining.text(str(each)) for each in listed(item, options.surfaces, where)]
            labels = [str(each) for each in listed(item, options.labels, where)]
            if unpaired := abs(len(surfaces) - len(labels)):
                reading.faults.add(INCOMPLETE, where, unpaired)
            annotations = list(zip(surfaces, labels, strict=False))
            yield RawText(text, tuple(_spans(text, annotations, reading, where)), where)


def _string(item: Any, path: str, where: str) -> str:
    try:
        found = at(item, path)
    except KeyError:
        found = None
    if not isinstance(found, str):
        raise ReaderError(f"{where}: no text at {path!r}; check the reader's options in the card")
    return found


def _spans(text: str, annotations: list[tuple[str, str]], reading: Reading, where: str) -> Iterator[Span]:
    """A surface that is listed several times stands for its first places in the text, one after the other."""
    listed_before = Counter[str]()
    for surface, label in annotations:
        starts = places_of(surface, text)
        if not starts:
            reading.faults.add(NOT_FOUND, where)
            continue
        start = starts[min(listed_before[surface], len(starts) - 1)]
        listed_before[surface] += 1
        yield Span(label, reading.joining.mention(text, [(start, start + len(surface))]))


def places_of(surface: str, text: str) -> list[int]:
    """Where a surface starts in a text: as words of its own or, if it never does, within others."""
    if not surface:
        return []
    starts = [match.start() for match in re.finditer(re.escape(surface), text)]
    return [start for start in starts if _stands_alone(text, start, start + len(surface))] or starts


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, first, last, after = text[max(start - 1, 0) : start], text[start], text[end - 1], text[end : end + 1]
    return not (before.isalnum() and first.isalnum()) and not (last.isalnum() and after.isalnum())
