"""JSON documents in sentences, with annotations that name a sentence and offsets within it.

    {"content": ["Amina fell ill.", "She sued."],
     "events": [{"type": "illness", "trigger_word": "ill", "sent_id": 0, "offset": [11, 14]}]}

is read with ``sentences: content, annotations: events, sentence: sent_id, label: type, start: offset.0, end: offset.1,
surface: trigger_word``, as one text, a sentence a line, or as a text for each sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from massie.catalogue import Content
from massie.readers.json_items import INCOMPLETE, OUTSIDE, Layout, at, items, listed
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Event, Mention, ReaderError, Record, Span

UNKNOWN_SENTENCE = "annotation of a sentence that is not there"


class Options(Content):
    """Where an item lists its sentences and annotations and, within an annotation, where everything stands.

    All are dotted paths; ``sentence`` leads to the sentence's number, from 0. ``level``: whether a text is a whole
    document or a sentence. ``kind``: what the annotations are, spans or events of which only the trigger is given.
    """

    layout: Layout
    level: Literal["document", "sentence"]
    sentences: str
    annotations: str
    sentence: str
    label: str
    start: str
    end: str
    surface: str
    kind: Literal["span", "event"] = "span"


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the documents or their sentences; an annotation that is not whole, or has no place in them, is a fault."""
    for file in files:
        for where, item in items(file, options.layout):
            sentences = _sentences(item, where, options, reading)
            found = list(_annotations(item, sentences, where, options, reading))
            if options.level == "document":
                starts = accumulate((len(sentence) + 1 for sentence in sentences), initial=0)
                shifts = dict(enumerate(starts))
                records = tuple(each.record(shifts[each.sentence], options) for each in found)
                yield RawText("\n".join(sentences), records, where)
                continue
            for number, sentence in enumerate(sentences):
                records = tuple(each.record(0, options) for each in found if each.sentence == number)
                yield RawText(sentence, records, f"{where}, sentence {number}")


@dataclass(frozen=True, slots=True)
class _Annotation:
    label: str
    surface: str
    sentence: int
    start: int
    end: int

    def record(self, shift: int, options: Options) -> Record:
        mention = Mention(self.surface, ((self.start + shift, self.end + shift),))
        return Event(self.label, mention) if options.kind == "event" else Span(self.label, mention)


def _sentences(item: Any, where: str, options: Options, reading: Reading) -> list[str]:
    sentences = listed(item, options.sentences, where)
    if not all(isinstance(sentence, str) for sentence in sentences):
        raise ReaderError(f"{where}: {options.sentences!r} must hold texts; check the reader's options in the card")
    return [reading.joining.text(sentence) for sentence in sentences]


def _annotations(
    item: Any, sentences: Sequence[str], where: str, options: Options, reading: Reading
) -> Iterator[_Annotation]:
    for plain in listed(item, options.annotations, where):
        try:
            label, surface = str(at(plain, options.label)), reading.joining.text(str(at(plain, options.surface)))
            sentence, start, end = (int(at(plain, path)) for path in (options.sentence, options.start, options.end))
        except (KeyError, TypeError, ValueError):
            reading.faults.add(INCOMPLETE, where)
            continue
        if not 0 <= sentence < len(sentences):
            reading.faults.add(UNKNOWN_SENTENCE, where)
        elif not 0 <= start < end <= len(sentences[sentence]):
            reading.faults.add(OUTSIDE, where)
        else:
            yield _Annotation(label, surface, sentence, start, end)
