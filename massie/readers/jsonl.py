"""MASSIE's own JSON lines: a text a line with annotations that carry character offsets and surfaces.

    {"language": "swa", "split": "test", "text": "Amina anafanya kazi Kisumu",
     "annotations": [{"label": "person", "start": 0, "end": 5, "surface": "Amina"}]}

An annotation is a span (``start``, ``end``, ``surface``), a relation (``head``, ``tail``) or an event (``trigger``,
``arguments`` with ``role``). A discontinuous mention has ``fragments`` in place of ``start`` and ``end``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from massie.catalogue import Content
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Argument, Event, Mention, ReaderError, Record, Relation, Span


class Options(Content):
    """``where``: what fields a line must have to be read; ``{lang}`` and ``{split}`` are the source's codes."""

    where: dict[str, str] = {}


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the texts whose fields are as ``where`` says; raises ReaderError for a line that is none of the format."""
    codes = {"{lang}": reading.language_code, "{split}": reading.split_code}
    wanted = {field: codes.get(value, value) for field, value in options.where.items()}
    for file in files:
        for number, line in enumerate(file.text().split("\n"), start=1):
            if not line.strip():
                continue
            try:
                item = json.loads(line)
                if any(item.get(field) != value for field, value in wanted.items()):
                    continue
                annotations = tuple(_annotation(plain) for plain in item["annotations"])
                yield RawText(_string(item["text"]), annotations, f"{file.name}:{number}")
            except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
                what = f"{type(error).__name__}: {error}"
                raise ReaderError(
                    f"{file.path}:{number}: not a line of MASSIE's JSON lines ({what}); mend it"
                ) from error


def _annotation(plain: dict[str, Any]) -> Record:
    label = _string(plain["label"])
    if "trigger" in plain:
        arguments = plain.get("arguments", [])
        read = tuple(Argument(_string(argument["role"]), _mention(argument)) for argument in arguments)
        return Event(label, _mention(plain["trigger"]), read)
    if "head" in plain:
        return Relation(label, _mention(plain["head"]), _mention(plain["tail"]))
    return Span(label, _mention(plain))


def _mention(plain: dict[str, Any]) -> Mention:
    places = plain["fragments"] if "fragments" in plain else [(plain["start"], plain["end"])]
    return Mention(_string(plain["surface"]), tuple((int(start), int(end)) for start, end in places))


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is not a string")
    return value
