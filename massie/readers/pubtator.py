"""PubTator: a title and an abstract, mentions with the concepts they stand for, relations between concepts.

    17|t|Aspirin and rash
    17|a|Aspirin was given to two patients.
    17<TAB>0<TAB>7<TAB>Aspirin<TAB>Chemical<TAB>D001241
    17<TAB>12<TAB>16<TAB>rash<TAB>Disease<TAB>D005076
    17<TAB>Positive_Correlation<TAB>D001241<TAB>D005076<TAB>Novel

Documents are parted by blank lines. Offsets count the characters of title and abstract joined by one space. A mention
may stand for several concepts (``D1,D2`` or ``D1;D2``) or for none (``-``). A relation is yielded for every pair of
distinct surfaces of its two concepts (massie.readers.clusters says why), but not for a mention that stands for both
and itself; what follows the concepts is passed over.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from massie.catalogue import Content
from massie.readers.clusters import NOT_THERE, WITHOUT_MENTIONS, cluster, relations_between
from massie.readers.reading import RawText, Reading, is_offset
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation, Span

_PART = re.compile(r"[^|\t]+\|(?P<part>[ta])\|(?P<text>.*)")
_BETWEEN_CONCEPTS = re.compile(r"[,;]")
_NO_CONCEPT = frozenset({"-", "-1", ""})

MALFORMED = "malformed line"

Rows = list[tuple[int, list[str]]]
Concepts = Mapping[str, tuple[Mention, ...]]


class Options(Content):
    """The layout is fixed: no options."""


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each document, with its mentions before its relations.

    Malformed lines, mentions that are not at their offsets and relations of concepts without mentions are faults.
    Raises ReaderError for a document that does not begin with its title and its abstract.
    """
    for file in files:
        numbered = enumerate(file.text().replace("\r\n", "\n").split("\n"), start=1)
        for is_document, group in groupby(numbered, key=lambda pair: bool(pair[1].strip())):
            if is_document:
                yield _document(file, list(group), reading)


def _document(file: RawFile, lines: list[tuple[int, str]], reading: Reading) -> RawText:
    first = lines[0][0]
    parts = [_PART.fullmatch(line) for _, line in lines[:2]]
    if [part and part["part"] for part in parts] != ["t", "a"]:
        raise ReaderError(
            f"{file.path}:{first}: the document does not begin with its title (ID|t|...) and abstract (ID|a|...); "
            "fetch the file again, or choose another reader in the card"
        )
    text = reading.joining.text(" ".join(part["text"] for part in parts if part))
    rows = [(number, line.split("\t")) for number, line in lines[2:]]
    mentions: Rows = []
    relations: Rows = []
    for number, row in rows:
        if len(row) >= 5 and is_offset(row[1]) and is_offset(row[2]):
            mentions.append((number, row))
        elif len(row) >= 4 and not row[1].isdecimal():
            relations.append((number, row))
        else:
            reading.faults.add(MALFORMED, f"{file.name}:{number}")
    spans, concepts = _mentions(mentions, text, file, reading)
    return RawText(text, (*spans, *_relations(relations, concepts, file, reading)), f"{file.name}:{first}")


def _mentions(rows: Rows, text: str, file: RawFile, reading: Reading) -> tuple[list[Span], Concepts]:
    """The document's mentions, and those of each concept."""
    spans: list[Span] = []
    of_concept: defaultdict[str, list[Mention]] = defaultdict(list)
    for number, (_, start, end, surface, label, *others) in rows:
        mention = reading.joining.mention(text, [(int(start), int(end))])
        if not surface or mention.surface != reading.joining.text(surface):
            reading.faults.add(NOT_THERE, f"{file.name}:{number}")
            continue
        spans.append(Span(label, mention))
        for concept in _BETWEEN_CONCEPTS.split(others[0]) if others else ():
            if concept not in _NO_CONCEPT:
                of_concept[concept].append(mention)
    return spans, {concept: cluster(mentions) for concept, mentions in of_concept.items()}


def _relations(rows: Rows, concepts: Concepts, file: RawFile, reading: Reading) -> Iterator[Relation]:
    for number, (_, label, head, tail, *_) in rows:
        if head not in concepts or tail not in concepts:
            reading.faults.add(WITHOUT_MENTIONS, f"{file.name}:{number}")
            continue
        for relation in relations_between(label, concepts[head], concepts[tail], to_itself=head == tail):
            if head == tail or relation.head != relation.tail:
                yield relation
