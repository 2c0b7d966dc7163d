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
    """``where``: fields that a line must have to be read; ``{lang}`` and ``{split}`` stand for the source's codes."""

    where: dict[str, str] = {}


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the texts whose fields are as ``where`` says."""
    wanted = {
        field: value.format(lang=reading.language_code, split=reading.split_code)
        for field, value in options.where.items()
    }
    for file in files:
        for number, line in enumerate(file.text().split("\n"), start=1):
            if not line.strip():
                continue
            try:
                item = json.loads(line)
                if any(item.get(field) != value for field, value in wanted.items()):
                    continue
                annotations = tuple(_annotation(plain) for plain in item["annotations"])
                yield RawText(item["text"], annotations, f"{file.name}:{number}")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ReaderError(
                    f"{file.path}:{number}: not a line of MASSIE's JSON lines ({type(error).__name__}: {error})"
                ) from error


def _annotation(plain: dict[str, Any]) -> Record:
    if "trigger" in plain:
        arguments = tuple(Argument(argument["role"], _mention(argument)) for argument in plain.get("arguments", []))
        return Event(plain["label"], _mention(plain["trigger"]), arguments)
    if "head" in plain:
        return Relation(plain["label"], _mention(plain["head"]), _mention(plain["tail"]))
    return Span(plain["label"], _mention(plain))


def _mention(plain: dict[str, Any]) -> Mention:
    if "fragments" in plain:
        return Mention(plain["surface"], tuple((int(start), int(end)) for start, end in plain["fragments"]))
    return Mention(plain["surface"], ((int(plain["start"]), int(plain["end"])),))
