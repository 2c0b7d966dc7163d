"""JSON with entities that have several mentions, and relations between the entities.

    {"text": "Amina lives in Kisumu. She ...",
     "entities": [{"id": 0, "mentions": [{"value": "Amina", "start": 0, "end": 5}, ...]}, ...],
     "relations": [[0, "LIVES_IN", 1]]}

A relation is yielded for every pair of distinct surfaces of the two entities (massie.readers.clusters says why).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from massie.readers.clusters import NOT_THERE, UNKNOWN_ENTITY, WITHOUT_MENTIONS, cluster, relations_between
from massie.readers.json_items import INCOMPLETE, OUTSIDE, Passage, PassageOptions, at, items, listed
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Mention, Relation

Clusters = dict[str, tuple[Mention, ...]]


class Options(PassageOptions):
    """Where an item lists its entities, their mentions and the relations, as dotted paths.

    ``id`` and ``mentions`` are paths in an entity; ``start``, ``end`` and ``surface`` in a mention; ``label``, ``head``
    and ``tail`` (ids of entities) in a relation. An entity with the key ``unusable`` has no mentions that can be used.
    """

    entities: str
    id: str
    mentions: str
    start: str
    end: str
    surface: str
    unusable: str | None = None
    relations: str
    label: str
    head: str
    tail: str


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the items' texts; a mention that is not at its offsets and a relation that has no mentions are faults."""
    for file in files:
        for where, item in items(file, options.layout):
            passage = options.passage(item, where, reading)
            clusters = _clusters(item, passage, where, options, reading)
            relations = tuple(_relations(item, clusters, where, options, reading))
            yield RawText(passage.text, relations, where)


def _clusters(item: Any, passage: Passage, where: str, options: Options, reading: Reading) -> Clusters:
    clusters: Clusters = {}
    for entity in listed(item, options.entities, where):
        try:
            name = str(at(entity, options.id))
        except KeyError:
            reading.faults.add(INCOMPLETE, where)
            continue
        usable = options.unusable is None or options.unusable not in entity
        mentions = _mentions(entity, passage, where, options, reading) if usable else ()
        clusters[name] = cluster(mentions)
    return clusters


def _mentions(entity: Any, passage: Passage, where: str, options: Options, reading: Reading) -> Iterator[Mention]:
    for plain in listed(entity, options.mentions, where):
        try:
            place = passage.place(at(plain, options.start), at(plain, options.end))
            stated = reading.joining.text(str(at(plain, options.surface)))
        except (KeyError, TypeError):
            reading.faults.add(INCOMPLETE, where)
            continue
        except ValueError:
            reading.faults.add(OUTSIDE, where)
            continue
        mention = reading.joining.mention(passage.text, [place])
        if mention.surface == stated:
            yield mention
        else:
            reading.faults.add(NOT_THERE, where)


def _relations(item: Any, clusters: Clusters, where: str, options: Options, reading: Reading) -> Iterator[Relation]:
    for plain in listed(item, options.relations, where):
        try:
            label = str(at(plain, options.label))
            head, tail = str(at(plain, options.head)), str(at(plain, options.tail))
        except KeyError:
            reading.faults.add(INCOMPLETE, where)
            continue
        if head not in clusters or tail not in clusters:
            reading.faults.add(UNKNOWN_ENTITY, where)
        elif not clusters[head] or not clusters[tail]:
            reading.faults.add(WITHOUT_MENTIONS, where)
        else:
            yield from relations_between(label, clusters[head], clusters[tail], to_itself=head == tail)
