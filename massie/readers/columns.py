"""Token-tag columns: a token a line, its fields in columns, a blank line after each sentence (CoNLL and its kin).

    Amina   B-PER
    works   O
    in      O
    Kisumu  B-LOC
    .       O

Columns are counted from 1. Nothing is stripped from a line, so that a token may be a space. A card for CoNLL-U names
the columns that it needs, the comment with the sentence's text, and the column MISC with its marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, Self

from pydantic import Field, model_validator

from massie.readers.reading import RawText, Reading
from massie.readers.tags import is_tag
from massie.readers.tokens import TagOptions, align, join_marked, tagged_text
from massie.sources import RawFile
from massie.types import ReaderError

_DELIMITERS = {"tab": "\t", "space": " ", "white space": None, "bar": "|"}
_DIGITS = "0123456789"
_FEATURES = "|"
_WHITE_SPACE_LINE = re.compile(r"^[^\S\n]+$", re.MULTILINE)


class Options(TagOptions):
    """How the columns of a source are laid out.

    ``columns`` is how many a row has, ``delimiter`` what parts them: one tab, one space, one bar, or any run of white
    space. ``token`` is the token's column; ``tags`` are those with tags, one for each layer. Where tags stand among
    features (``name=B-PER|SpaceAfter=No``), ``tag_feature`` is the name of theirs; a token without it is outside.
    ``mark_column`` has the marks (B, I, O) of the one column of tags; a mark of the tag's own does not count.
    Where ``tags_parted_by`` is the delimiter itself, the last column is all the rest of the row.

    ``numbered_tokens``: behind each token stands its number, which is taken off. ``escaped_tokens`` are the tokens that
    stand for others which the format cannot hold. ``sentence_ends`` are the tokens behind which a sentence ends, for
    sources without lines between sentences.

    ``comments`` are beginnings of lines to pass over, ``document_markers`` of lines that part sentences as a blank
    line does. ``text_comment`` is the beginning of the comment that holds the sentence as it was before tokenising.
    ``misc_column`` is a column of features in which ``no_space`` says that the next token follows without a space;
    it is used where there is no such comment.
    """

    columns: int = Field(ge=1)
    delimiter: Literal["tab", "space", "white space", "bar"] = "tab"
    token: int = Field(default=1, ge=1)
    tags: tuple[int, ...] = Field(min_length=1)
    tag_feature: str | None = None
    mark_column: int | None = Field(default=None, ge=1)
    numbered_tokens: bool = False
    escaped_tokens: dict[str, str] = {}
    sentence_ends: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    document_markers: tuple[str, ...] = ()
    text_comment: str | None = None
    misc_column: int | None = Field(default=None, ge=1)
    no_space: str = "SpaceAfter=No"

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        for column in (self.token, *self.tags, self.misc_column or 1, self.mark_column or 1):
            if not 1 <= column <= self.columns:
                raise ValueError(f"there is no column {column}: a row has the columns 1 to {self.columns}")
        if self.mark_column is not None and len(self.tags) != 1:
            raise ValueError("a mark_column goes with one column of tags")
        return self

    def fields(self, rows: Iterable[str]) -> list[list[str]]:
        """The fields of each row, however many."""
        delimiter = _DELIMITERS[self.delimiter]
        most = -1 if delimiter is None or delimiter != self.tags_parted_by else self.columns - 1
        return [row.split(delimiter, most) for row in rows]


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each sentence; raises ReaderError for a file in which no row has the card's columns."""
    for file in files:
        for before, piece in _pieces(file.text().replace("\r\n", "\n")):
            lines = _lines(piece, options)
            if not before:
                _check_columns(file, lines, options)
            for start, block in _blocks(lines, options):
                sentence = _sentence(file, before + start, block, options, reading)
                if sentence is not None:
                    yield sentence


_PIECE = 1 << 23


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """A text in pieces of some million characters that end with a sentence, and how many lines stand before each.

    So a file of a gigabyte is not split into all its lines at once, which would take ten times its size.
    """
    start = before = 0
    while start < len(text):
        blank = text.find("\n\n", start + _PIECE)
        end = len(text) if blank < 0 else blank + 2
        yield before, text[start:end]
        before += text.count("\n", start, end)
        start = end


def _lines(text: str, options: Options) -> list[str]:
    """The text's lines; those that part sentences (blank, white space only, document markers) are empty."""
    lines = _WHITE_SPACE_LINE.sub("", text).split("\n")
    if not options.document_markers:
        return lines
    return ["" if line.startswith(options.document_markers) else line for line in lines]


def _blocks(lines: list[str], options: Options) -> Iterator[tuple[int, list[str]]]:
    """Each run of lines that are not empty, with the number of its first line."""
    lines.append("")
    start = 0
    while start < len(lines):
        end = lines.index("", start)
        if end > start and options.sentence_ends:
            yield from _cut(start + 1, lines[start:end], options)
        elif end > start:
            yield start + 1, lines[start:end]
        start = end + 1


def _cut(number: int, block: list[str], options: Options) -> Iterator[tuple[int, list[str]]]:
    """A block whose first line has this number, cut behind each token that ends a sentence."""
    start = 0
    for end, fields in enumerate(options.fields(block), start=1):
        if end == len(block) or (len(fields) >= options.token and fields[options.token - 1] in options.sentence_ends):
            yield number + start, block[start:end]
            start = end


def _check_columns(file: RawFile, lines: Iterable[str], options: Options) -> None:
    comments = _comments(options)
    rows = ((number, line) for number, line in enumerate(lines, start=1) if line and not line.startswith(comments))
    first: tuple[int, int] | None = None
    for number, row in rows:
        width = len(options.fields([row])[0])
        if width == options.columns:
            return
        first = first or (number, width)
    if first is not None:
        raise ReaderError(
            f"{file.path}:{first[0]}: no row of the file has {options.columns} columns parted by {options.delimiter} "
            f"(this one has {first[1]}); correct columns and delimiter in the card's reader.options"
        )


def _comments(options: Options) -> tuple[str, ...]:
    return (*options.comments, options.text_comment) if options.text_comment else options.comments


def _sentence(file: RawFile, start: int, block: list[str], options: Options, reading: Reading) -> RawText | None:
    comments = _comments(options)
    rows = [row for row in block if not row.startswith(comments)] if comments else block
    columns = _columns(rows, options) or _repaired(file, start, block, options, reading)
    if not columns:
        return None
    where = f"{file.name}:{start}"
    text, offsets = _text(columns, block, options, reading, where)
    layers: Iterable[Sequence[str]] = [columns[column - 1] for column in options.tags]
    if options.tag_feature is not None:
        layers = [[_feature(field, options.tag_feature, options.outside) for field in layer] for layer in layers]
    if options.mark_column is not None:
        layers = [_marked(columns[options.mark_column - 1], layer, options, reading, where) for layer in layers]
    return tagged_text(text, offsets, layers, options.scheme, reading, where)


def _columns(rows: Sequence[str], options: Options) -> list[tuple[str, ...]] | None:
    """The sentence's columns, or None where a row is not whole."""
    delimiter, width = _DELIMITERS[options.delimiter], options.columns
    if delimiter is None or delimiter == options.tags_parted_by:
        fields_of_rows = options.fields(rows)
        whole = all(len(fields) == width for fields in fields_of_rows)
        fields = list(chain.from_iterable(fields_of_rows))
    else:
        whole = {row.count(delimiter) for row in rows} == {width - 1}
        fields = delimiter.join(rows).split(delimiter)  # one split for all rows is twice as fast as one for each
    columns = [tuple(fields[column::width]) for column in range(width)]
    return columns if whole and "" not in columns[options.token - 1] else None


def _repaired(file: RawFile, start: int, block: list[str], options: Options, reading: Reading) -> list[tuple[str, ...]]:
    """The columns of a sentence with rows that are not whole, each of which is counted as a fault."""
    comments = _comments(options)
    rows: list[list[str]] = []
    for number, row in enumerate(block, start=start):
        if comments and row.startswith(comments):
            continue
        fields, fault = _repaired_row(row, options)
        if fault is not None:
            reading.faults.add(fault, f"{file.name}:{number}")
        if fields:
            rows.append(fields)
    return list(zip(*rows, strict=True))


def _repaired_row(row: str, options: Options) -> tuple[list[str], str | None]:
    """The row's fields, as many as there are columns (none where it has no token), and its fault.

    Empty fields at the end are no fault. Of other fields too many, the tags decide whether they stand behind the
    columns or whether a token holds the delimiter.
    """
    delimiter = _DELIMITERS[options.delimiter]
    (fields,) = options.fields([row])
    while len(fields) > options.columns and not fields[-1]:
        fields.pop()
    extra = len(fields) - options.columns
    fault = None
    if extra < 0:
        fault = "too few columns, the missing taken as O"
        fields += [options.outside] * -extra if len(fields) >= options.token else [""] * -extra
    elif extra > 0:
        fault = "too many columns"
        if not _has_tags(fields, options):
            token = slice(options.token - 1, options.token + extra)
            whole = (delimiter or " ").join(filter(None, fields[token]))
            fields[token] = [whole or (delimiter or "").strip() * extra]  # a bar may be a token, a tab is none
    if not fields[options.token - 1]:
        return [], "no token, the row left out"
    return fields[: options.columns], fault


def _has_tags(fields: Sequence[str], options: Options) -> bool:
    tags = (fields[column - 1] for column in options.tags)
    return options.tag_feature is not None or all(is_tag(tag, options.scheme) for tag in tags)


def _text(
    columns: Sequence[Sequence[str]], block: Iterable[str], options: Options, reading: Reading, where: str
) -> tuple[str, list[tuple[int, int]]]:
    """The sentence's text and the place of each token in it."""
    tokens = _tokens(columns[options.token - 1], options)
    if options.text_comment is not None:
        original = _original(block, options.text_comment)
        offsets = align(original, tokens) if original is not None else None
        if original is not None and offsets is not None:
            return reading.joining.text(original), offsets
        differs = "the comment's text differs from the tokens" if original is not None else "no comment with the text"
        reading.faults.add(f"{differs}, tokens joined", where)
    if options.misc_column is not None:
        glued = [options.no_space in misc.split(_FEATURES) for misc in columns[options.misc_column - 1]]
        return join_marked(tokens, glued, reading.joining)
    return reading.joining.join(tokens)


def _tokens(fields: Sequence[str], options: Options) -> Sequence[str]:
    if options.numbered_tokens:
        fields = [field[:1] + field[1:].rstrip(_DIGITS) for field in fields]
    if options.escaped_tokens:
        fields = [options.escaped_tokens.get(field, field) for field in fields]
    return fields


def _original(block: Iterable[str], prefix: str) -> str | None:
    comment = next((line for line in block if line.startswith(prefix)), None)
    return comment.removeprefix(prefix).strip() if comment is not None else None


def _feature(features: str, name: str, outside: str) -> str:
    """The value of a feature of ``A=1|B=2``, or the tag outside."""
    for feature in features.split(_FEATURES):
        key, _, value = feature.partition("=")
        if key == name:
            return value
    return outside


def _marked(marks: Iterable[str], tags: Iterable[str], options: Options, reading: Reading, where: str) -> Sequence[str]:
    """The tags with the marks of the column for them; where only one of the two is outside, the token is."""
    separator, outside = options.tag_separator, options.outside
    marked: list[str] = []
    for mark, tag in zip(marks, tags, strict=True):
        if (mark == outside) != (tag == outside):
            reading.faults.add("a mark without a label or a label without a mark, taken as O", where)
        label = tag.partition(separator)[2] or tag
        marked.append(outside if outside in (mark, tag) else f"{mark}{separator}{label}")
    return marked
