"""The layout of DocRED: documents of tokenised sentences with entity clusters and relations between them.

    [{"sents": [["Amina", "lives", "in", "Kisumu", "."], ...],
      "vertexSet": [[{"name": "Amina", "sent_id": 0, "pos": [0, 1], "type": "PER"}, ...], ...],
      "labels": [{"h": 0, "t": 1, "r": "P551", "evidence": [0]}]}]

All tokens of a document are joined by the card's rule. A relation is yielded for every pair of distinct surfaces of the
two entities (massie.readers.clusters says why).

A mention starts at its first token and is as long as its name (without white space, where the joined text has none):
token boundaries may cut a name short (``1914`` for ``1914年``), so the name is the gold, not ``pos``'s end, unless the
card says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from massie.catalogue import Content
from massie.readers.clusters import NOT_THERE, UNKNOWN_ENTITY, WITHOUT_MENTIONS, cluster, relations_between
from massie.readers.json_items import INCOMPLETE, Layout, at, items, listed
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Mention, Relation


class Options(Content):
    """How a file holds its documents, and how far a mention goes.

    ``mentions``: a mention is its ``name``, from its first token on, or the tokens of its ``position``, for a source
    whose names are less true than its tokens.
    """

    layout: Literal[Layout.ARRAY, Layout.LINES] = Layout.ARRAY
    mentions: Literal["name", "position"] = "name"


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the documents; a mention whose name does not stand at its place is a fault."""
    for file in files:
        for where, item in items(file, options.layout):
            document = _document(item, where, reading)
            clusters = [
                cluster(_mentions(entity, document, where, options, reading))
                for entity in listed(item, "vertexSet", where)
            ]
            yield RawText(document.text, tuple(_relations(item, clusters, where, reading)), where)


@dataclass(frozen=True, slots=True)
class _Document:
    text: str
    tokens: list[tuple[int, int]]
    sentences: list[int]  # of each sentence, the number of its first token; at last the number of all tokens

    def token(self, sentence: int, place: int) -> int | None:
        """The number of the token at a place in a sentence, or None where there is none."""
        if not 0 <= sentence < len(self.sentences) - 1 or place < 0:
            return None
        token = self.sentences[sentence] + place
        return token if token < self.sentences[sentence + 1] else None


def _document(item: Any, where: str, reading: Reading) -> _Document:
    sentences = [listed(sentence, "", where) for sentence in listed(item, "sents", where)]
    text, tokens = reading.joining.join([str(token) for sentence in sentences for token in sentence])
    return _Document(text, tokens, list(accumulate((len(sentence) for sentence in sentences), initial=0)))


def _mentions(entity: Any, document: _Document, where: str, options: Options, reading: Reading) -> Iterator[Mention]:
    for plain in listed(entity, "", where):
        try:
            sentence, first = int(at(plain, "sent_id")), int(at(plain, "pos.0"))
            if options.mentions == "name":
                name = reading.joining.text(str(at(plain, "name")))
                mention = _named(name, sentence, first, document, reading)
            else:
                mention = _positioned(sentence, first, int(at(plain, "pos.1")), document, reading)
        except (KeyError, TypeError, ValueError):
            reading.faults.add(INCOMPLETE, where)
            continue
        if mention is None:
            reading.faults.add(NOT_THERE, where)
        else:
            yield mention


def _named(name: str, sentence: int, first: int, document: _Document, reading: Reading) -> Mention | None:
    token = document.token(sentence, first)
    if token is None:
        return None
    start = document.tokens[token][0]
    for surface in (name, "".join(name.split())):
        if surface and document.text.startswith(surface, start):
            return reading.joining.mention(document.text, [(start, start + len(surface))])
    return None


def _positioned(sentence: int, first: int, end: int, document: _Document, reading: Reading) -> Mention | None:
    token, last = document.token(sentence, first), document.token(sentence, end - 1)
    if token is None or last is None or last < token:
        return None
    return reading.joining.mention(document.text, [(document.tokens[token][0], document.tokens[last][1])])


def _relations(item: Any, clusters: Sequence[tuple[Mention, ...]], where: str, reading: Reading) -> Iterator[Relation]:
    for plain in listed(item, "labels", where):
        try:
            label, head, tail = str(at(plain, "r")), int(at(plain, "h")), int(at(plain, "t"))
        except (KeyError, TypeError, ValueError):
            reading.faults.add(INCOMPLETE, where)
            continue
        if not (0 <= head < len(clusters) and 0 <= tail < len(clusters)):
            reading.faults.add(UNKNOWN_ENTITY, where)
        elif not clusters[head] or not clusters[tail]:
            reading.faults.add(WITHOUT_MENTIONS, where)
        else:
            yield from relations_between(label, clusters[head], clusters[tail], to_itself=head == tail)
