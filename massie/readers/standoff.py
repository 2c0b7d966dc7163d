"""Standoff tables: a file with the text, and beside it a table with a labelled span a row.

    0   5   Amina   Amina   PER   PER-Amina
    20  26  Kisumu  Kisumu  LOC   GPE-Kisumu

The columns, parted by tabs and counted from 1, are named by the card. Where the last one is the surface, a line without
a tab continues the row before it: the surface has a line break there. massie.readers.brat reads the format of brat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, Self

from pydantic import Field, model_validator

from massie.readers.pairs import PairOptions
from massie.readers.reading import RawText, Reading, is_offset
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Span

MALFORMED = "malformed line"
OUTSIDE = "offsets outside the text"

_DELIMITER = "\t"
_LAST_OF_ONE_UNIT = 0xFFFF


class Options(PairOptions):
    """Which columns a row has.

    ``surface`` is left out where the source's is not the text as it stands (tokenised anew, for instance): then it is
    taken from the text. ``unit`` is what offsets count: characters, or code units of UTF-16, of which characters such
    as emoji have two.
    """

    columns: int = Field(ge=3)
    start: int
    end: int
    label: int
    surface: int | None = None
    unit: Literal["character", "UTF-16"] = "character"

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        for column in (self.start, self.end, self.label, self.surface or 1):
            if not 1 <= column <= self.columns:
                raise ValueError(f"there is no column {column}: a row has the columns 1 to {self.columns}")
        return self


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each pair of files.

    Lines that are no row and offsets outside the text are faults. Raises ReaderError for a table in which no line is a
    row with the card's columns.
    """
    for text_file, table in options.pairs(files):
        text = reading.joining.text(text_file.text())
        spans = _spans(text, table, options, reading)
        yield RawText(text, tuple(spans), text_file.name)


def _spans(text: str, table: RawFile, options: Options, reading: Reading) -> Iterator[Span]:
    character = _characters(text) if options.unit == "UTF-16" else None
    for where, row in _rows(table, options, reading):
        start, end = int(row[options.start - 1]), int(row[options.end - 1])
        if character is not None:
            start, end = character(start), character(end)
        if not 0 <= start < end <= len(text):
            reading.faults.add(OUTSIDE, where)
            continue
        stated = text[start:end] if options.surface is None else reading.joining.text(row[options.surface - 1])
        yield Span(row[options.label - 1], Mention(stated, ((start, end),)))


def _rows(table: RawFile, options: Options, reading: Reading) -> list[tuple[str, list[str]]]:
    """The table's rows with their places."""
    rows: list[tuple[str, list[str]]] = []
    lines = [line for line in enumerate(table.text().replace("\r\n", "\n").split("\n"), start=1) if line[1].strip()]
    for number, line in lines:
        where = f"{table.name}:{number}"
        fields = line.split(_DELIMITER)
        if _is_row(fields, options):
            rows.append((where, fields))
        elif len(fields) == 1 and rows and options.surface == options.columns:
            rows[-1][1][-1] += f"\n{line}"
        else:
            reading.faults.add(MALFORMED, where)
    if lines and not rows:
        raise ReaderError(
            f"{table.path}:{lines[0][0]}: no line of the file has {options.columns} columns parted by tabs, with "
            "offsets in those that the card names; correct the columns in the card's reader.options"
        )
    return rows


def _is_row(fields: Sequence[str], options: Options) -> bool:
    return (
        len(fields) == options.columns
        and is_offset(fields[options.start - 1])
        and is_offset(fields[options.end - 1])
        and bool(fields[options.label - 1])
    )


def _characters(text: str) -> Callable[[int], int]:
    """From an offset in code units of UTF-16 to one in characters; -1 for what is no character's."""
    units = accumulate((1 + (ord(character) > _LAST_OF_ONE_UNIT) for character in text), initial=0)
    characters = {unit: character for character, unit in enumerate(units)}
    return lambda unit: characters.get(unit, -1)
