"""What the readers of JSON share: the items of a file, values by dotted path, and texts with offsets in any unit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import isinf, nan
from typing import Any, cast

from pydantic import model_validator

from massie.catalogue import Content
from massie.readers.reading import Reading
from massie.sources import RawFile
from massie.types import ReaderError

OUTSIDE = "offsets outside the text"
INCOMPLETE = "annotation without label or offsets"


class Layout(StrEnum):
    """How a JSON file holds its items, each of which is a text."""

    LINES = "lines"  # an item a line
    ARRAY = "array"  # one array of items
    OBJECT = "object"  # one object: id to item
    WHOLE = "whole"  # the file is one item


def items(file: RawFile, layout: Layout) -> Iterator[tuple[str, Any]]:
    """Yield each item with its place: ``file:line``, ``file:item number`` (from 1), ``file:id`` or ``file``.

    Raises ReaderError, naming file and line, where the file is not JSON of this layout.
    """
    if layout is Layout.LINES:
        for number, line in enumerate(file.text().split("\n"), start=1):
            if line.strip():
                yield f"{file.name}:{number}", _parsed(line, file, number)
        return
    whole = _parsed(file.text(), file, 1)
    if layout is Layout.WHOLE:
        yield file.name, whole
        return
    if not isinstance(whole, list if layout is Layout.ARRAY else dict):
        raise ReaderError(f"{file.path}: not one JSON {layout}; set the reader's layout in the card")
    if layout is Layout.ARRAY:
        for number, item in enumerate(cast("list[Any]", whole), start=1):
            yield f"{file.name}:item {number}", item
    else:
        for name, item in cast("dict[str, Any]", whole).items():
            yield f"{file.name}:{name}", item


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path of keys and list positions (``span.0``); the empty path is the value itself.

    Raises KeyError, naming the path, where nothing stands there.
    """
    for step in path.split(".") if path else ():
        try:
            value = value[int(step) if type(value) is list else step]
        except (LookupError, TypeError, ValueError):
            raise KeyError(path) from None
    return value


def listed(item: Any, path: str, where: str) -> list[Any]:
    """The list at a dotted path of an item; ReaderError where there is none."""
    try:
        found = at(item, path)
    except KeyError:
        found = None
    if type(found) is not list:
        raise ReaderError(f"{where}: no list at {path!r}; check the reader's options in the card")
    return cast("list[Any]", found)


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of which annotations give offsets: in characters, or in ``tokens`` whose characters are known."""

    text: str
    tokens: list[tuple[int, int]] | None
    inclusive: bool

    def place(self, start: Any, end: Any) -> tuple[int, int]:
        """The characters ``(start, end)`` of an annotation's offsets; ValueError where they are not in the text."""
        first, last = int(start), int(end) + self.inclusive
        if not 0 <= first < last <= len(self.text if self.tokens is None else self.tokens):
            raise ValueError(OUTSIDE)
        if self.tokens is None:
            return first, last
        return self.tokens[first][0], self.tokens[last - 1][1]


class PassageOptions(Content):
    """Where an item holds its text, and what its annotations' offsets count.

    With ``text`` alone they count characters. With ``tokens`` they count tokens, which are joined by the card's rule;
    with ``text`` and ``token_offsets`` (each token's ``[start, end)`` in the text) they count tokens of the original
    text. ``inclusive``: an end is the last unit, not the one after it.
    """

    layout: Layout
    text: str | None = None
    tokens: str | None = None
    token_offsets: str | None = None
    inclusive: bool = False

    @model_validator(mode="after")
    def _one_text(self) -> PassageOptions:
        if (self.text is None) == (self.tokens is None):
            raise ValueError("exactly one of text and tokens must be given")
        if self.token_offsets is not None and self.text is None:
            raise ValueError("token_offsets are offsets in text, which must be given")
        return self

    def passage(self, item: Any, where: str, reading: Reading) -> Passage:
        """The item's text; ReaderError where it has none."""
        if self.tokens is not None:
            text, offsets = reading.joining.join([str(token) for token in listed(item, self.tokens, where)])
            return Passage(text, offsets, self.inclusive)
        try:
            text = at(item, self.text or "")
        except KeyError:
            text = None
        if not isinstance(text, str):
            raise ReaderError(f"{where}: no text at {self.text!r}; check the reader's options in the card")
        if self.token_offsets is None:
            return Passage(reading.joining.text(text), None, self.inclusive)
        pairs = listed(item, self.token_offsets, where)
        try:
            offsets = [(int(start), int(end)) for start, end in pairs]
        except (TypeError, ValueError) as error:
            raise ReaderError(f"{where}: {self.token_offsets!r} must hold pairs of numbers ({error})") from error
        return Passage(reading.joining.text(text), offsets, self.inclusive)


def _parsed(text: str, file: RawFile, first_line: int) -> Any:
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_finite)
    except json.JSONDecodeError as error:
        raise ReaderError(
            f"{file.path}:{first_line + error.lineno - 1}: not valid JSON ({error.msg}); "
            "fetch the file again, or set the reader's layout in the card"
        ) from error
    except (RecursionError, ValueError) as error:
        raise ReaderError(
            f"{file.path}:{first_line}: JSON that is nested too deeply or has a number that is too long; "
            "fetch the file again"
        ) from error


def _finite(number: str) -> float:
    """A number of the file; NaN in place of infinity, since ``int`` refuses it as all else that is no offset."""
    value = float(number)
    return nan if isinf(value) else value
