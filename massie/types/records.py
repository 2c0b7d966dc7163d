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
from typing import Any


class Task(StrEnum):
    """The five tasks (paper, section 2.1 and appendix A)."""

    NER = "NER"
    RE = "RE"
    SF = "SF"
    ED = "ED"
    EE = "EE"


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


def record_as_json(record: Record, task: Task) -> dict[str, Any]:
    """The record in the task's canonical JSON form, without offsets."""
    match record:
        case Span(label, mention):
            if task is Task.SF:
                return {"slot": mention.surface, "slot_type": label}
            return {"entity": mention.surface, "entity_type": label}
        case Relation(label, head, tail):
            return {"head": head.surface, "tail": tail.surface, "relation": label}
        case Event(label, trigger, arguments):
            plain: dict[str, Any] = {"event_trigger": trigger.surface, "event_type": label}
            if task is Task.EE:
                plain["arguments"] = [{"role": a.role, "argument": a.mention.surface} for a in arguments]
            return plain
