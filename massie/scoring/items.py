"""From records to items: what is compared, after which normalisation.

An item is ``(direction, field, …)``. The direction is the paper's routing key (section 2.4): a label, or for an EE
argument the event type with the role. Items of a sample are a set, so exact duplicates count once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from massie.types import FLAT_TASKS, SPAN_KEYS, Record, Relation, Schema, Span, Task
from massie.types.text import nfc

# Unicode's White_Space, which str.split() exceeds by U+001C to U+001F.
_WHITE_SPACE = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_INFORMATION_SEPARATORS = re.compile(r"[\x1c-\x1f]")

Direction = str | tuple[str, str]
Item = tuple[Direction, str] | tuple[Direction, str, str]


def normalise(text: str) -> str:
    """Unicode NFC, runs of white space collapsed to one space, trimmed; case is kept."""
    if not text.isascii():
        text = nfc(text)
    if text.isprintable() and "  " not in text and text[:1] != " " and text[-1:] != " ":
        return text  # the only printable white space is the space itself
    if _INFORMATION_SEPARATORS.search(text):
        return " ".join(_WHITE_SPACE.split(text)).strip(" ")
    return " ".join(text.split())


def normalise_label(label: str) -> str:
    """A label as it is compared: normalised and case-folded (and NFC again, which folding can break)."""
    return _known_label(label) if len(label) <= _LONGEST_LABEL else _folded(label)


def _folded(label: str) -> str:
    return nfc(normalise(label).casefold())


# Labels come again and again; a hostile answer's endless ones are not kept (all that can be: some 70 MiB).
_LONGEST_LABEL = 100
_known_label = lru_cache(maxsize=65536)(_folded)


def gold_items(records: Iterable[Record], task: Task) -> frozenset[Item]:
    """The items of gold records, straight from the records, never through a text form."""
    items: set[Item] = set()
    for record in records:
        label = normalise_label(record.label)
        if isinstance(record, Span):
            items.add((label, normalise(record.mention.surface)))
        elif isinstance(record, Relation):
            items.add((label, normalise(record.head.surface), normalise(record.tail.surface)))
        else:
            items.add((label, normalise(record.trigger.surface)))
            if task is Task.EE:
                for argument in record.arguments:
                    items.add(((label, normalise_label(argument.role)), normalise(argument.mention.surface)))
    return frozenset(items)


def predicted_items(records: Sequence[Any], task: Task) -> tuple[set[Item], int]:
    """The items of an answer's records and the number of malformed ones.

    A record that lacks a key, or has a value of the wrong type or an empty string, is malformed: it counts as one wrong
    prediction, the others stand. So does an argument of an event.
    """
    items: set[Item] = set()
    malformed = 0
    read = _READ[task]
    for record in records:
        if isinstance(record, dict):
            malformed += read(cast("dict[Any, Any]", record), items)
        else:
            malformed += 1
    return items, malformed


def _string(record: dict[Any, Any], key: str) -> str | None:
    value = record.get(key)
    return (normalise(value) or None) if isinstance(value, str) else None


def _reader_of_spans(span_key: str, label_key: str) -> Callable[[dict[Any, Any], set[Item]], int]:
    def read(record: dict[Any, Any], items: set[Item]) -> int:
        span, label = _string(record, span_key), record.get(label_key)
        if span is None or not isinstance(label, str):
            return 1
        items.add((normalise_label(label), span))
        return 0

    return read


def _read_relation(record: dict[Any, Any], items: set[Item]) -> int:
    head, tail, label = _string(record, "head"), _string(record, "tail"), record.get("relation")
    if head is None or tail is None or not isinstance(label, str):
        return 1
    items.add((normalise_label(label), head, tail))
    return 0


def _read_event(record: dict[Any, Any], items: set[Item]) -> int:
    trigger, label, arguments = _string(record, "event_trigger"), record.get("event_type"), record.get("arguments")
    if trigger is None or not isinstance(label, str) or not isinstance(arguments, list):
        return 1
    event_type = normalise_label(label)
    items.add((event_type, trigger))
    malformed = 0
    for argument in arguments:  # pyright: ignore[reportUnknownVariableType] (JSON of unknown shape, checked here)
        span = _string(argument, "argument") if isinstance(argument, dict) else None  # pyright: ignore[reportUnknownArgumentType]
        role: Any = argument.get("role") if isinstance(argument, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if span is None or not isinstance(role, str):
            malformed += 1
        else:
            items.add(((event_type, normalise_label(role)), span))
    return malformed


_READ: dict[Task, Callable[[dict[Any, Any], set[Item]], int]] = {
    **{task: _reader_of_spans(*SPAN_KEYS[task]) for task in FLAT_TASKS},
    Task.RE: _read_relation,
    Task.EE: _read_event,
}


class Asked(NamedTuple):
    """What a sample asks for: its directions, each with a number for its schema, and how many schemas there are."""

    directions: dict[Direction, int]
    schemas: int


@lru_cache(maxsize=4096)
def asked_of(schemas: tuple[Schema, ...], task: Task) -> Asked:
    """What these schemas ask for; equal labels are one schema."""
    directions: dict[Direction, int] = {}
    for schema in schemas:
        label = normalise_label(schema.name)
        index = directions.setdefault(label, len(directions))
        if task is Task.EE:
            for role in schema.roles:
                directions.setdefault((label, normalise_label(role.name)), index)
    return Asked(directions, len(set(directions.values())))
