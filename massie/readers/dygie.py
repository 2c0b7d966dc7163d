"""The layout of DyGIE (Luan et al., 2018): JSON lines, a document each, with entities and relations by sentence.

    {"doc_key": "7", "sentences": [["Amina", "left", "."], ["She", "likes", "Kisumu", "."]],
     "ner": [[[0, 0, "PER"]], [[3, 3, "PER"], [5, 5, "CITY"]]],
     "relations": [[], [[3, 3, 5, 5, "LIKES"]]]}

Indices count the tokens of the whole document, ends are inclusive. A text is a sentence: no relation leaves its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from massie.catalogue import Content
from massie.readers.json_items import INCOMPLETE, OUTSIDE, Layout, items, listed
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Record, Relation, Span


class Options(Content):
    """``tokens``: what stands in the text for tokens that the source writes otherwise, such as ``-LRB-`` for ``(``."""

    tokens: dict[str, str] = {}


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield each sentence with its entities and relations.

    Annotations that are not whole or lie outside their sentence are faults. Raises ReaderError for a document whose
    lists differ in length.
    """
    for file in files:
        for where, item in items(file, Layout.LINES):
            sentences, entities, relations = (listed(item, key, where) for key in ("sentences", "ner", "relations"))
            if not len(sentences) == len(entities) == len(relations):
                raise ReaderError(
                    f"{where}: has {len(sentences)} sentences, but {len(entities)} lists of entities and "
                    f"{len(relations)} of relations; fetch the file again"
                )
            first = 0
            for number, parts in enumerate(zip(sentences, entities, relations, strict=True), start=1):
                tokens, plain_entities, plain_relations = (listed(part, "", where) for part in parts)
                place = f"{where}, sentence {number}"
                text, offsets = reading.joining.join([options.tokens.get(token, token) for token in map(str, tokens)])
                sentence = _Sentence(text, offsets, first, reading)
                records = (*sentence.spans(plain_entities, place), *sentence.relations(plain_relations, place))
                yield RawText(text, records, place)
                first += len(tokens)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of a document; ``first`` is the number of its first token there."""

    text: str
    offsets: list[tuple[int, int]]
    first: int
    reading: Reading

    def spans(self, plains: list[Any], where: str) -> Iterator[Record]:
        for plain in plains:
            try:
                start, end, label = plain
                yield Span(str(label), self._mention(start, end))
            except (TypeError, ValueError) as error:
                self._fault(error, where)

    def relations(self, plains: list[Any], where: str) -> Iterator[Record]:
        for plain in plains:
            try:
                head_start, head_end, tail_start, tail_end, label = plain
                head, tail = self._mention(head_start, head_end), self._mention(tail_start, tail_end)
                yield Relation(str(label), head, tail)
            except (TypeError, ValueError) as error:
                self._fault(error, where)

    def _mention(self, start: Any, end: Any) -> Mention:
        first, last = int(start) - self.first, int(end) - self.first
        if not 0 <= first <= last < len(self.offsets):
            raise ValueError(OUTSIDE)
        return self.reading.joining.mention(self.text, [(self.offsets[first][0], self.offsets[last][1])])

    def _fault(self, error: Exception, where: str) -> None:
        self.reading.faults.add(OUTSIDE if error.args == (OUTSIDE,) else INCOMPLETE, where)
