"""Tokens with tags in a table: a token a row, the columns named by a header, sentences told apart by an id.

sentence,token,tag
1,Amina,B_PER
1,works,O
2,"Kisumu, Kenya",B_LOC
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import groupby
from operator import itemgetter

from pydantic import Field

from massie.readers.reading import RawText, Reading
from massie.readers.tokens import TagOptions, tagged_text
from massie.sources import RawFile
from massie.types import ReaderError


class Options(TagOptions):
    """The header's names of the columns: ``sentence`` id, ``token``, ``tags`` (one for each layer).

    Rows of a sentence stand together. Where fields are not ``quoted``, a quotation mark is a character like any other.
    """

    sentence: str
    token: str
    tags: tuple[str, ...] = Field(min_length=1)
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quoted: bool = True


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each sentence id; raises ReaderError for a file that is no such table."""
    for file in files:
        for where, group in groupby(_rows(file, options, reading), key=itemgetter(0)):
            _, tokens, *layers = zip(*group, strict=True)
            text, offsets = reading.joining.join(tokens)
            yield tagged_text(text, offsets, layers, options.scheme, reading, where)


def _rows(file: RawFile, options: Options, reading: Reading) -> Iterator[tuple[str, ...]]:
    """(place of the sentence, token, tag of each layer) of every row that is whole."""
    quoting = csv.QUOTE_MINIMAL if options.quoted else csv.QUOTE_NONE
    rows = csv.reader(StringIO(file.text(), newline=""), delimiter=options.delimiter, quoting=quoting, strict=True)
    seen: set[str] = set()
    sentence, where = None, ""
    try:
        header = next(rows, list[str]())
        sentence_column, token_column, *tag_columns = _places(file, header, options)
        for row in rows:
            place = f"{file.name}:{rows.line_num}"
            if not any(row):
                continue
            if len(row) != len(header) or not row[token_column]:
                reading.faults.add("not a whole row, left out", place)
                continue
            if row[sentence_column] != sentence:
                sentence, where = row[sentence_column], place
                if sentence in seen:
                    reading.faults.add("the sentence id was used before, read as another sentence", place)
                seen.add(sentence)
            yield where, row[token_column], *(row[column] for column in tag_columns)
    except csv.Error as error:
        raise ReaderError(
            f"{file.path}:{rows.line_num}: not a table of values parted by {options.delimiter!r} ({error}); "
            "fetch the file again, or correct the delimiter in the card's reader.options"
        ) from error


def _places(file: RawFile, header: list[str], options: Options) -> list[int]:
    """The columns' places in a row: sentence, token, tags."""
    for name in (options.sentence, options.token, *options.tags):
        if name not in header:
            raise ReaderError(
                f"{file.path}:1: the header has no column {name!r} (it has {', '.join(map(repr, header)) or 'none'}); "
                "correct the names in the card's reader.options"
            )
    return [header.index(name) for name in (options.sentence, options.token, *options.tags)]
