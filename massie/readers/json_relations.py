"""JSON with a list of relations for each text, each with the offsets of its head and tail.

    {"sentence": ["Amina", "lives", "in", "Kisumu"], "relations": [[0, 0, 3, 3, "residence"]]}

is read with ``tokens: sentence, inclusive: true, relations: relations, head: {start: "0", end: "1"},
tail: {start: "2", end: "3"}, label: "4"``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from massie.catalogue import Content
from massie.readers.json_items import INCOMPLETE, OUTSIDE, Passage, PassageOptions, at, items, listed
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Mention, Relation


class Ends(Content):
    """Where a relation holds the offsets of one of its mentions, as dotted paths."""

    start: str
    end: str


class Options(PassageOptions):
    """Where an item lists its relations and, within one, its label and mentions, all as dotted paths."""

    relations: str
    label: str
    head: Ends
    tail: Ends


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the items' texts; a relation without label or offsets, or outside its text, is a fault."""
    for file in files:
        for where, item in items(file, options.layout):
            passage = options.passage(item, where, reading)
            relations: list[Relation] = []
            for plain in listed(item, options.relations, where):
                try:
                    head = _mention(plain, options.head, passage, reading)
                    tail = _mention(plain, options.tail, passage, reading)
                    relations.append(Relation(str(at(plain, options.label)), head, tail))
                except (KeyError, TypeError):
                    reading.faults.add(INCOMPLETE, where)
                except ValueError:
                    reading.faults.add(OUTSIDE, where)
            yield RawText(passage.text, tuple(relations), where)


def _mention(plain: Any, ends: Ends, passage: Passage, reading: Reading) -> Mention:
    return reading.joining.mention(passage.text, [passage.place(at(plain, ends.start), at(plain, ends.end))])
