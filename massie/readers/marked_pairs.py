"""Pairs of mentions marked within their sentence, each pair with a relation.

Blocks (SemEval-2010 task 8 and its kin): an id and the sentence in double quotes, the relation, anything else, and a
blank line.

    17<TAB>"<e1>Amina</e1> works in <e2>Kisumu</e2>."
    residence(e1,e2)
    Comment: ...

Lines: the sentence and the relation, parted by a tab.

    <e1>Amina</e1> works in <e2>Kisumu</e2>.<TAB>residence

``(e1,e2)`` and ``(e2,e1)`` after a relation name its head and its tail; without them e1 is the head. A sentence with
several pairs stands there several times and is yielded for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

from massie.catalogue import Content
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import ReaderError, Relation

_MARK = re.compile(r"(?P<before>\s*)<(?P<opens>e[12])>(?P<padding>\s*)|</(?P<closes>e[12])>(?P<after>\s*)")
_DIRECTED = re.compile(r"(?P<label>.*)\((?P<head>e1|e2),(?P<tail>e1|e2)\)")

Places = dict[str, tuple[int, int]]


class Options(Content):
    """``layout``: blocks or lines. ``no_relation``: the labels of pairs that are not related."""

    layout: Literal["blocks", "lines"]
    no_relation: tuple[str, ...] = ()


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the sentence of each pair without marks, with its relation.

    White space within the marks is padding and taken out; of several spaces around a mark one is left. Entries of
    another shape and sentences without exactly two marked mentions are faults. Raises ReaderError for a file in which
    no entry has the layout's shape.
    """
    parts_of = _block_parts if options.layout == "blocks" else _line_parts
    for file in files:
        malformed: list[int] = []
        any_read = False
        for number, entry in _entries(file, options):
            where = f"{file.name}:{number}"
            parts = parts_of(entry)
            if parts is None:
                malformed.append(number)
                continue
            any_read = True
            text = _text(*parts, where, options, reading)
            if text is not None:
                yield text
        if malformed and not any_read:
            raise ReaderError(
                f"{file.path}:{malformed[0]}: no entry of the file has the layout {options.layout!r}; "
                "correct the layout in the card's reader.options"
            )
        for number in malformed:
            reading.faults.add("entry without sentence or relation", f"{file.name}:{number}")


def _entries(file: RawFile, options: Options) -> Iterator[tuple[int, list[str]]]:
    """The lines of each entry, with the number of the first."""
    numbered = enumerate(file.text().replace("\r\n", "\n").split("\n"), start=1)
    if options.layout == "lines":
        yield from ((number, [line]) for number, line in numbered if line.strip())
        return
    for is_entry, group in groupby(numbered, key=lambda pair: bool(pair[1].strip())):
        if is_entry:
            numbers, lines = zip(*group, strict=True)
            yield numbers[0], list(lines)


def _block_parts(entry: list[str]) -> tuple[str, str] | None:
    """The sentence and the relation of a block, or None."""
    name, tab, sentence = entry[0].partition("\t")
    if not (name and tab and len(entry) > 1):
        return None
    sentence = sentence.strip()
    if len(sentence) > 1 and sentence[0] == sentence[-1] == '"':
        sentence = sentence[1:-1]
    return sentence, entry[1].strip()


def _line_parts(entry: list[str]) -> tuple[str, str] | None:
    """The sentence and the relation of a line, or None."""
    sentence, tab, label = entry[0].partition("\t")
    return (sentence, label.strip()) if tab and label.strip() and "\t" not in label else None


def _text(sentence: str, directed: str, where: str, options: Options, reading: Reading) -> RawText | None:
    plain, places = _without_marks(sentence)
    if places is None:
        reading.faults.add("sentence without exactly two marked mentions", where)
        return None
    text = reading.joining.text(plain)
    match = _DIRECTED.fullmatch(directed)
    label, head, tail = match.group("label", "head", "tail") if match else (directed, "e1", "e2")
    if label in options.no_relation:
        return RawText(text, (), where)
    mentions = {mark: reading.joining.mention(text, [place]) for mark, place in places.items()}
    return RawText(text, (Relation(label, mentions[head], mentions[tail]),), where)


def _without_marks(sentence: str) -> tuple[str, Places | None]:
    """The sentence without marks, and where the mentions stand in it (None where they are not e1 and e2, each once)."""
    text, end = "", 0
    starts: dict[str, int] = {}
    places: Places = {}
    fits = True
    for mark in _MARK.finditer(sentence):
        text += sentence[end : mark.start()]
        end = mark.end()
        if opens := mark["opens"]:
            # The padding of a first mark is all that parts two words where the space before the mark was forgotten.
            space = mark["before"] or (mark["padding"] if text[-1:].isalnum() else "")
            text += "" if text[-1:].isspace() else space[:1]
            fits &= opens not in starts
            starts[opens] = len(text)
        else:
            closes = mark["closes"]
            text = text.rstrip()
            fits &= closes not in places and starts.get(closes, len(text)) < len(text)
            places[closes] = (starts.get(closes, 0), len(text))
            text += mark["after"][:1]
    text += sentence[end:]
    return text, places if fits and len(places) == len(starts) == 2 else None
