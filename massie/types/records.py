"""Records: what is extracted from a text, with the places where it stands.

One set of classes serves raw annotations (labels as the source writes them) and gold records (labels as a model is
asked for them). In JSON a record has the keys of the paper's figure 1:

    NER  {"entity": "강리나", "entity_type": "person"}
    SF   {"slot": "中式", "slot_type": "food type"}
    RE   {"head": "羅生門", "tail": "日本", "relation": "administrative location"}
    ED   {"event_trigger": "cách chức", "event_type": "end position"}
    EE   {"event_trigger": "bought", "event_type": "transfer ownership",
          "arguments": [{"role": "giver", "argument": "commodities trader"}]}
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from massie.types.errors import UnknownNameError


class Task(StrEnum):
    """The five tasks (paper, section 2.1 and appendix A)."""

    NER = "NER"
    RE = "RE"
    SF = "SF"
    ED = "ED"
    EE = "EE"


def task_of(name: str) -> Task:
    """The task of a name in any case; raises UnknownNameError, suggesting the nearest."""
    try:
        return Task(name.upper())
    except ValueError as error:
        raise UnknownNameError("task", name, Task) from error


@dataclass(frozen=True, slots=True)
class Mention:
    """A place in a text: its surface and its fragments ``(start, end)``, code points, end exclusive.

    A discontinuous mention has several fragments; its surface is the fragments joined by one space (by nothing in
    scripts without spaces).
    """

    surface: str
    fragments: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled mention: an entity (NER) or a slot (SF)."""

    label: str
    mention: Mention


@dataclass(frozen=True, slots=True)
class Relation:
    """A directed relation between two mentions (RE)."""

    label: str
    head: Mention
    tail: Mention


@dataclass(frozen=True, slots=True)
class Argument:
    """A mention that plays a role in an event (EE)."""

    role: str
    mention: Mention


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its type, its trigger and its arguments (ED reads the first two, EE all three)."""

    label: str
    trigger: Mention
    arguments: tuple[Argument, ...] = ()


Record = Span | Relation | Event


def mentions_of(record: Record) -> list[tuple[str, Mention]]:
    """The mentions of a record, each with its part: span, head, tail, trigger, or the role of an argument."""
    if isinstance(record, Span):
        return [("span", record.mention)]
    if isinstance(record, Relation):
        return [("head", record.head), ("tail", record.tail)]
    return [("trigger", record.trigger), *((argument.role, argument.mention) for argument in record.arguments)]


FLAT_TASKS = frozenset({Task.NER, Task.SF, Task.ED})
"""The tasks whose records are a span and a label, nothing else."""

SPAN_KEYS = {
    Task.NER: ("entity", "entity_type"),
    Task.SF: ("slot", "slot_type"),
    Task.ED: ("event_trigger", "event_type"),
    Task.EE: ("event_trigger", "event_type"),
}
"""The keys of a record in JSON: its (main) span and its label; RE has ``head``, ``tail`` and ``relation``."""


def record_as_json(record: Record, task: Task) -> dict[str, Any]:
    """The record in the task's canonical JSON form, without offsets."""
    match record:
        case Span(label, mention):
            return dict(zip(SPAN_KEYS[task], (mention.surface, label), strict=True))
        case Relation(label, head, tail):
            return {"head": head.surface, "tail": tail.surface, "relation": label}
        case Event(label, trigger, arguments):
            plain: dict[str, Any] = dict(zip(SPAN_KEYS[task], (trigger.surface, label), strict=True))
            if task is Task.EE:
                plain["arguments"] = [{"role": a.role, "argument": a.mention.surface} for a in arguments]
            return plain


def record_fault(record: object, task: Task) -> str | None:
    """What makes a record malformed (a key that is missing, a value of the wrong type, an empty span), or None."""
    if not isinstance(record, dict):
        return f"{_short(record)} is not an object"
    plain = cast("dict[Any, Any]", record)
    if task is Task.RE:
        return _strings_fault(plain, ("head", "tail"), "relation")
    span_key, label_key = SPAN_KEYS[task]
    fault = _strings_fault(plain, (span_key,), label_key)
    if fault or task is not Task.EE:
        return fault
    arguments: Any = plain.get("arguments")
    if not isinstance(arguments, list):
        return f"arguments is {_short(arguments)}, not a list"
    for argument in cast("list[Any]", arguments):
        if not isinstance(argument, dict):
            return f"the argument {_short(argument)} is not an object"
        if fault := _strings_fault(cast("dict[Any, Any]", argument), ("argument",), "role"):
            return f"in an argument {fault}"
    return None


def _strings_fault(record: dict[Any, Any], spans: tuple[str, ...], label: str) -> str | None:
    for key in (*spans, label):
        if key not in record:
            return f"the key {key} is missing"
        if not isinstance(record[key], str):
            return f"{key} is {_short(record[key])}, not a string"
        if key in spans and not record[key].strip():
            return f"{key} is empty"
    return None


def _short(value: object) -> str:
    return repr(value)[:60]
