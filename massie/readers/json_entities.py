"""JSON with the entities of a text, a mention each, and relations that name them by id or by place in the list.

    {"text": "Amina lives in Kisumu.",
     "entities": [{"type": "PER", "start": 0, "end": 5}, {"type": "LOC", "start": 15, "end": 21}],
     "relations": [{"type": "residence", "head": 0, "tail": 1}]}

is read with ``text: text, entities: entities, label: type, start: start, end: end, relations: relations,
relation: type, head: head, tail: tail``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from massie.readers.clusters import UNKNOWN_ENTITY
from massie.readers.json_items import INCOMPLETE, OUTSIDE, Passage, PassageOptions, at, items, listed
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Relation, Span


class Options(PassageOptions):
    """Where an item lists its entities and relations and, within one, where everything stands, as dotted paths.

    ``label``, ``start`` and ``end`` are paths in an entity, as is ``id``; without it an entity goes by its place in
    the list, from 0. ``relation`` (its label), ``head`` and ``tail`` are paths in a relation. ``text_files``: the text
    is in a file of its own, ``STEM.txt``, and what stands at ``text`` is the stem; items whose file the card does not
    list are left out.
    """

    text_files: bool = False
    entities: str
    label: str
    start: str
    end: str
    id: str | None = None
    relations: str
    relation: str
    head: str
    tail: str

    def is_text(self, file: RawFile) -> bool:
        """Whether a file holds an item's text, and no items."""
        return self.text_files and PurePosixPath(file.name).suffix == ".txt"


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the items' texts, with the entities before the relations.

    An entity or relation of which a part is missing, an entity outside its text, a relation of an entity that is not
    there and an item without a file for its text are faults. Raises ReaderError for an item without text or lists.
    """
    texts = {PurePosixPath(file.name).stem: file for file in files if options.is_text(file)}
    for file in files:
        if options.is_text(file):
            continue
        for where, item in items(file, options.layout):
            passage = options.passage(item, where, reading)
            if options.text_files:
                if passage.text not in texts:
                    reading.faults.add("item whose text is in no file, left out", where)
                    continue
                passage = replace(passage, text=reading.joining.text(texts[passage.text].text()))
            spans = dict(_entities(item, passage, where, options, reading))
            relations = _relations(item, spans, where, options, reading)
            yield RawText(passage.text, (*spans.values(), *relations), where)


def _entities(
    item: Any, passage: Passage, where: str, options: Options, reading: Reading
) -> Iterator[tuple[str, Span]]:
    for number, plain in enumerate(listed(item, options.entities, where)):
        try:
            name = str(number if options.id is None else at(plain, options.id))
            place = passage.place(at(plain, options.start), at(plain, options.end))
            yield name, Span(str(at(plain, options.label)), reading.joining.mention(passage.text, [place]))
        except (KeyError, TypeError):
            reading.faults.add(INCOMPLETE, where)
        except ValueError:
            reading.faults.add(OUTSIDE, where)


def _relations(
    item: Any, spans: Mapping[str, Span], where: str, options: Options, reading: Reading
) -> Iterator[Relation]:
    for plain in listed(item, options.relations, where):
        try:
            label = str(at(plain, options.relation))
            head, tail = (spans.get(str(at(plain, path))) for path in (options.head, options.tail))
        except KeyError:
            reading.faults.add(INCOMPLETE, where)
            continue
        if head is None or tail is None:
            reading.faults.add(UNKNOWN_ENTITY, where)
        else:
            yield Relation(label, head.mention, tail.mention)
