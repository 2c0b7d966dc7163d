"""Lines with a relation each: the sentence, and both mentions with their offsets in a document that is not given.

    17|Rash after aspirin.|Rash|104|108|aspirin|115|122

is read with ``columns: 8, delimiter: "|", document: 1, text: 2, tail: {surface: 3, start: 4},
head: {surface: 6, start: 7}``. The relation is the name of the file, without what follows its last dot.

Where the sentence starts in its document follows from the two offsets: both mentions must then stand at their places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import Field, model_validator

from massie.catalogue import Content
from massie.readers.clusters import NOT_THERE
from massie.readers.reading import RawText, Reading, is_offset
from massie.sources import RawFile
from massie.types import ReaderError, Relation


class MentionColumns(Content):
    """The columns of a mention's surface and of its start in the document, counted from 1."""

    surface: int = Field(ge=1)
    start: int = Field(ge=1)


class Options(Content):
    """How many ``columns`` a line has, what parts them, and what stands in which (counted from 1).

    ``document`` is the column of the document's id, ``text`` that of the sentence.
    """

    columns: int = Field(ge=1)
    delimiter: str = Field(min_length=1)
    document: int = Field(ge=1)
    text: int = Field(ge=1)
    head: MentionColumns
    tail: MentionColumns

    @model_validator(mode="after")
    def _columns_exist(self) -> Options:
        named = (self.document, self.text, *self.head.model_dump().values(), *self.tail.model_dump().values())
        if max(named) > self.columns:
            raise ValueError(f"there is no column {max(named)}: a line has the columns 1 to {self.columns}")
        return self


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield each sentence of a document once, with all its relations.

    A line with other columns, and one whose mentions do not stand in its sentence as their offsets say, are faults.
    Raises ReaderError for a file of which no line has the columns.
    """
    for file in files:
        label = PurePosixPath(file.name).stem
        sentences: dict[tuple[str, str], list[_Line]] = {}
        for line in _lines(file, options, reading):
            sentences.setdefault((line.document, line.text), []).append(line)
        for (_, text), lines in sentences.items():
            relations = tuple(_relations(label, lines, file, reading))
            yield RawText(reading.joining.text(text), relations, f"{file.name}:{lines[0].number}")


@dataclass(frozen=True, slots=True)
class _Stated:
    """A mention as a line states it; ``start`` counts the document's characters."""

    surface: str
    start: int


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    document: str
    text: str
    head: _Stated
    tail: _Stated

    def sentence_starts(self) -> list[int]:
        """The places of the sentence in its document at which both mentions stand in it."""
        starts: list[int] = []
        place = self.text.find(self.head.surface)
        while place >= 0:
            start = self.head.start - place
            if self.tail.start >= start and self.text.startswith(self.tail.surface, self.tail.start - start):
                starts.append(start)
            place = self.text.find(self.head.surface, place + 1)
        return starts


def _lines(file: RawFile, options: Options, reading: Reading) -> Iterator[_Line]:
    """The lines that have the columns."""
    other: list[int] = []
    any_read = False
    for number, row in enumerate(file.text().replace("\r\n", "\n").split("\n"), start=1):
        if not row:
            continue
        line = _line(number, row.split(options.delimiter), options)
        if line is None:
            other.append(number)
        else:
            any_read = True
            yield line
    if other and not any_read:
        raise ReaderError(
            f"{file.path}:{other[0]}: no line of the file has {options.columns} columns parted by "
            f"{options.delimiter!r} with offsets among them; correct the card's reader.options"
        )
    for number in other:
        reading.faults.add("line with other columns", f"{file.name}:{number}")


def _line(number: int, fields: list[str], options: Options) -> _Line | None:
    def stated(columns: MentionColumns) -> _Stated | None:
        surface, start = fields[columns.surface - 1], fields[columns.start - 1]
        return _Stated(surface, int(start)) if surface and is_offset(start) else None

    if len(fields) != options.columns:
        return None
    head, tail = stated(options.head), stated(options.tail)
    if head is None or tail is None:
        return None
    return _Line(number, fields[options.document - 1], fields[options.text - 1], head, tail)


def _relations(label: str, lines: list[_Line], file: RawFile, reading: Reading) -> Iterator[Relation]:
    """The relations of one sentence, all of whose lines should agree on where it starts."""
    starts_of = [line.sentence_starts() for line in lines]
    votes = Counter(start for starts in starts_of for start in starts)
    for line, starts in zip(lines, starts_of, strict=True):
        if not starts:
            reading.faults.add(NOT_THERE, f"{file.name}:{line.number}")
            continue
        start = max(starts, key=lambda candidate: votes[candidate])
        text = reading.joining.text(line.text)
        head, tail = (
            reading.joining.mention(text, [(stated.start - start, stated.start - start + len(stated.surface))])
            for stated in (line.head, line.tail)
        )
        yield Relation(label, head, tail)
