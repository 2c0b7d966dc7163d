"""Inline markup: a text a line, with marks around what is labelled; the text is what is left without the marks.

<PERSON>Amina</PERSON> works in <LOCATION>Kisumu</LOCATION>.     opening: "<{label}>", closing: "</{label}>"
Take [ aspirin ] against ( headache ).                           brackets: ["()", "[]"], which are the raw labels
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Self

from pydantic import model_validator

from massie.catalogue import Content
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Span

UNPAIRED = "mark without its counterpart, taken out"
EMPTY = "marks around nothing, taken out"

_LABEL = "{label}"


class Options(Content):
    """How the marks are written.

    ``opening`` and ``closing`` are the marks with ``{label}`` in the label's place, which is letters, digits and
    underscores and begins with no digit. ``brackets`` are pairs of characters, each a label of its own; a space between
    a bracket and what it marks belongs to the bracket.
    """

    opening: str | None = None
    closing: str | None = None
    brackets: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        marks = [mark for mark in (self.opening, self.closing) if mark is not None]
        if bool(marks) == bool(self.brackets) or len(marks) == 1:
            raise ValueError("either opening and closing or brackets must be given")
        if any(mark.count(_LABEL) != 1 for mark in marks):
            raise ValueError(f"opening and closing must hold {_LABEL} once")
        characters = "".join(self.brackets)
        if any(len(pair) != 2 for pair in self.brackets) or len(set(characters)) != len(characters):
            raise ValueError("brackets must be pairs of characters, all different")
        return self

    def pattern(self) -> re.Pattern[str]:
        """Finds the marks: the group ``open`` or ``close`` has the label or, of a bracket, the character."""
        if self.opening is not None and self.closing is not None:
            either = (
                re.escape(mark).replace(re.escape(_LABEL), rf"(?P<{group}>[^\W\d]\w*)")
                for mark, group in ((self.closing, "close"), (self.opening, "open"))
            )
            return re.compile("|".join(either))
        opening, closing = (re.escape("".join(pair[side] for pair in self.brackets)) for side in (0, 1))
        return re.compile(rf"(?P<open>[{opening}]) ?| ?(?P<close>[{closing}])")

    def labels(self) -> dict[str, str]:
        """Each bracket's label."""
        return {character: pair for pair in self.brackets for character in pair}


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each line that is not blank; a mark without its counterpart is a fault."""
    pattern, labels = options.pattern(), options.labels()
    for file in files:
        for number, line in enumerate(file.text().split("\n"), start=1):
            if line.strip():
                yield _text(line.removesuffix("\r"), pattern, labels, reading, f"{file.name}:{number}")


def _text(line: str, pattern: re.Pattern[str], labels: dict[str, str], reading: Reading, where: str) -> RawText:
    """The line without its marks, with a span for each pair; a mark closes the last one that was opened for its label.

    White space at a span's ends stays in the text and out of the span.
    """
    parts: list[str] = []
    length = position = 0
    opened: list[tuple[str, int]] = []
    marked: list[tuple[int, int, str]] = []
    for mark in pattern.finditer(line):
        parts.append(line[position : mark.start()])
        length += len(parts[-1])
        position = mark.end()
        written = mark["open"] or mark["close"]
        label = labels.get(written, written)
        if mark["open"]:
            opened.append((label, length))
            continue
        place = next((place for place in reversed(range(len(opened))) if opened[place][0] == label), None)
        if place is None:
            reading.faults.add(UNPAIRED, where)
        else:
            marked.append((opened.pop(place)[1], length, label))
    if opened:
        reading.faults.add(UNPAIRED, where, len(opened))
    text = reading.joining.text("".join((*parts, line[position:])))
    return RawText(text, tuple(_spans(text, marked, reading, where)), where)


def _spans(text: str, marked: list[tuple[int, int, str]], reading: Reading, where: str) -> Iterator[Span]:
    """The spans in the text's order, an outer one before those within it."""
    for start, end, label in sorted(marked, key=lambda span: (span[0], -span[1])):
        surface = text[start:end]
        first = start + len(surface) - len(surface.lstrip())
        last = end - len(surface) + len(surface.rstrip())
        if first < last:
            yield Span(label, reading.joining.mention(text, [(first, last)]))
        else:
            reading.faults.add(EMPTY, where)
