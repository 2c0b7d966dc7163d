"""Token-tag columns with relations (Bekoulis et al., 2018): index, token, tag, relations, and where they lead.

    #doc 17
    0	Amina	B-Peop	['N']	[0]
    1	Otieno	I-Peop	['Live_In']	[4]
    2	lives	O	['N']	[2]
    3	in	O	['N']	[3]
    4	Kisumu	B-Loc	['N']	[4]

The relations stand at the last token of their head; the lists that follow name them and, in the same order, the last
tokens of their tails. ``N`` is no relation. A ``#doc`` line begins a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from massie.catalogue import Content
from massie.readers.reading import RawText, Reading, is_offset
from massie.readers.tags import PLAIN
from massie.readers.tokens import tagged_text
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation, Span

_SENTENCE = "#doc"
_NO_RELATION = "N"
_NAME = re.compile(r"'([^']*)'")
_INDEX = re.compile(r"\d{1,9}")

Row = tuple[int, str, str, str, str]


class Options(Content):
    """The layout is fixed: no options."""


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each sentence, with its entities before its relations.

    A relation of a token that ends no entity, and lists of unlike lengths, are faults. Raises ReaderError for a row
    that has other columns.
    """
    for file in files:
        for start, rows in _sentences(file):
            yield _text(rows, f"{file.name}:{start}", reading)


def _sentences(file: RawFile) -> Iterator[tuple[int, list[Row]]]:
    """The rows of each sentence, with the number of the line before the first."""
    start = 0
    rows: list[Row] = []
    for number, line in enumerate(file.text().replace("\r\n", "\n").split("\n"), start=1):
        if line.startswith(_SENTENCE) or not line:
            if rows:
                yield start, rows
            start, rows = number, []
        else:
            rows.append(_row(line, number, file))
    if rows:
        yield start, rows


def _row(line: str, number: int, file: RawFile) -> Row:
    fields = line.split("\t")
    if len(fields) != 5 or not is_offset(fields[0]) or not fields[1]:
        raise ReaderError(
            f"{file.path}:{number}: is not an index, a token, a tag and two lists, parted by tabs; "
            "fetch the file again, or choose another reader in the card"
        )
    index, token, tag, names, indices = fields
    return int(index), token, tag, names, indices


def _text(rows: list[Row], where: str, reading: Reading) -> RawText:
    indices, tokens, tags, *_ = zip(*rows, strict=True)
    text, offsets = reading.joining.join(tokens)
    tagged = tagged_text(text, offsets, [tags], PLAIN, reading, where)
    ends = {offset[1]: index for index, offset in zip(indices, offsets, strict=True)}
    entities = {
        ends[span.mention.fragments[0][1]]: span.mention for span in tagged.annotations if isinstance(span, Span)
    }
    return RawText(text, (*tagged.annotations, *_relations(rows, entities, where, reading)), where)


def _relations(rows: list[Row], entities: dict[int, Mention], where: str, reading: Reading) -> Iterator[Relation]:
    for head, _, _, listed_names, listed_tails in rows:
        names = _NAME.findall(listed_names)
        tails = [int(tail) for tail in _INDEX.findall(listed_tails)]
        if len(names) != len(tails):
            reading.faults.add("relations and tails of unlike number", where)
            continue
        for name, tail in zip(names, tails, strict=True):
            if name == _NO_RELATION:
                continue
            if head in entities and tail in entities:
                yield Relation(name, entities[head], entities[tail])
            else:
                reading.faults.add("relation of a token that ends no entity", where)
