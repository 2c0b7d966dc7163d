"""Events with all the mentions of each (Wang et al., 2020): JSON lines, a document each.

    {"content": [{"sentence": "Amina fell ill.", "tokens": ["Amina", "fell", "ill", "."]}],
     "events": [{"type": "Illness", "mention": [{"trigger_word": "ill", "sent_id": 0, "offset": [2, 3]}]}]}

Offsets count the tokens of a sentence, ends are exclusive. A text is a document: its sentences as they were before
tokenising, joined as its tokens are. Each mention of an event is an event of which only the trigger is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from massie.catalogue import Content
from massie.readers.json_items import OUTSIDE
from massie.readers.json_layouts import read_layout
from massie.readers.reading import RawText, Reading
from massie.readers.tokens import align
from massie.sources import RawFile
from massie.types import Event


class Options(Content):
    """This reader takes no options."""


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the documents with their events; words that are no trigger of an event are passed over.

    A trigger that lies outside its sentence is a fault, as is a sentence that differs from its tokens by more than
    white space (its tokens are joined). Raises ReaderError for a line that is not of this layout, such as one of a test
    file without events.
    """
    return read_layout(files, "event groups", partial(_text, reading=reading))


def _text(item: dict[str, Any], where: str, reading: Reading) -> RawText:
    parts: list[str] = []
    offsets: list[list[tuple[int, int]]] = []
    length = 0
    for sentence in item["content"]:
        text, places = _sentence(sentence, where, reading)
        offsets.append([(start + length, end + length) for start, end in places])
        parts.append(text)
        length += len(text) + len(reading.joining.glue)
    text = reading.joining.glue.join(parts)
    events: list[Event] = []
    for plain in item["events"]:
        for mention in plain["mention"]:
            number: int = mention["sent_id"]
            start: int
            end: int
            start, end = mention["offset"]
            if 0 <= number < len(offsets) and 0 <= start < end <= len(offsets[number]):
                place = (offsets[number][start][0], offsets[number][end - 1][1])
                events.append(Event(plain["type"], reading.joining.mention(text, [place])))
            else:
                reading.faults.add(OUTSIDE, where)
    return RawText(text, tuple(events), where)


def _sentence(plain: dict[str, Any], where: str, reading: Reading) -> tuple[str, list[tuple[int, int]]]:
    """A sentence's text and the place of each token in it."""
    text = plain["sentence"].strip()
    offsets = align(text, plain["tokens"])
    if offsets is None:
        reading.faults.add("sentence that differs from its tokens, tokens joined", where)
        return reading.joining.join(plain["tokens"])
    return reading.joining.text(text), offsets
