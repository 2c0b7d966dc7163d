"""JSON with a list of labelled spans for each text: entities, slots, or triggers of events.

    {"text": "Amina lives in Kisumu.", "entities": [{"type": "person", "span": [0, 5], "name": "Amina"}]}

is read with ``text: text, annotations: entities, label: type, start: span.0, end: span.1, surface: name``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from massie.readers.json_items import INCOMPLETE, OUTSIDE, Passage, PassageOptions, at, items, listed
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Event, Mention, Record, Span


class Options(PassageOptions):
    """Where an item lists its annotations and, within one, its label and offsets, all as dotted paths.

    ``surface`` is where an annotation states its surface; without it the surface is taken from the text. ``kind``:
    what the annotations are, spans or events of which only the trigger is given.
    """

    annotations: str
    label: str
    start: str
    end: str
    surface: str | None = None
    kind: Literal["span", "event"] = "span"


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the items' texts; an annotation without label or offsets, or outside its text, is a fault."""
    for file in files:
        for where, item in items(file, options.layout):
            passage = options.passage(item, where, reading)
            records: list[Record] = []
            for plain in listed(item, options.annotations, where):
                try:
                    records.append(_record(plain, passage, options, reading))
                except (KeyError, TypeError):
                    reading.faults.add(INCOMPLETE, where)
                except ValueError:
                    reading.faults.add(OUTSIDE, where)
            yield RawText(passage.text, tuple(records), where)


def _record(plain: Any, passage: Passage, options: Options, reading: Reading) -> Record:
    place = passage.place(at(plain, options.start), at(plain, options.end))
    if options.surface is None:
        mention = reading.joining.mention(passage.text, [place])
    else:
        mention = Mention(reading.joining.text(str(at(plain, options.surface))), (place,))
    label = str(at(plain, options.label))
    return Event(label, mention) if options.kind == "event" else Span(label, mention)
