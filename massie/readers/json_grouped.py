"""JSON with the spans of a text grouped by label and by surface, each surface with its places.

    {"text": "Amina met Amina.", "label": {"person": {"Amina": [[0, 4], [10, 14]]}}}

is read with ``layout: lines, text: text, groups: label, inclusive: true``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from massie.readers.json_items import INCOMPLETE, OUTSIDE, Passage, PassageOptions, at, items
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Span


class Options(PassageOptions):
    """``groups`` is where an item has its labels: an object of objects of lists of ``[start, end]``."""

    groups: str


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the items' texts, spans in the text's order; a place that is none, or outside its text, is a fault."""
    for file in files:
        for where, item in items(file, options.layout):
            passage = options.passage(item, where, reading)
            spans = _spans(_grouped(item, options.groups, where), passage, reading, where)
            ordered = sorted(spans, key=lambda span: span.mention.fragments)
            yield RawText(passage.text, tuple(ordered), where)


def _grouped(item: Any, path: str, where: str) -> list[tuple[str, str, Any]]:
    """(label, surface, its places) of an item; ReaderError where they are not grouped so."""
    try:
        groups = cast("dict[str, dict[str, Any]]", at(item, path))
        return [(label, surface, places) for label, group in groups.items() for surface, places in group.items()]
    except (KeyError, AttributeError) as error:
        raise ReaderError(
            f"{where}: no object of label to surface to places at {path!r}; check the reader's options in the card"
        ) from error


def _spans(grouped: list[tuple[str, str, Any]], passage: Passage, reading: Reading, where: str) -> Iterator[Span]:
    for label, surface, places in grouped:
        for place in cast("list[Any]", places) if isinstance(places, list) else [places]:
            try:
                found = passage.place(at(place, "0"), at(place, "1"))
            except (KeyError, TypeError):
                reading.faults.add(INCOMPLETE, where)
            except ValueError:
                reading.faults.add(OUTSIDE, where)
            else:
                yield Span(label, Mention(reading.joining.text(surface), (found,)))
