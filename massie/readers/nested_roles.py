"""Events whose roles are the keys of nested objects (Sun et al., 2022): JSON lines.

    {"context": "Rash after long use of aspirin.", "annotations": [{"events": [
        {"event_type": "side effect",
         "Trigger": {"text": [["after"]], "start": [[5]]},
         "Treatment": {"text": [["long use of aspirin"]], "start": [[11]],
                       "Drug": {"text": [["aspirin"]], "start": [[23]]}}}]}]}

The outer list of ``text`` and ``start`` holds the fillers of a role, the inner one the fragments of a filler. A role
within a role is called by its path (``Treatment.Drug``); a list of objects in place of one repeats the role.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

from massie.catalogue import Content
from massie.readers.json_layouts import read_layout
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Argument, Event, Mention

_TRIGGER = "Trigger"


class Options(Content):
    """This reader takes no options."""


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield each text with its events.

    An event without a trigger or with more than one is counted as a fault (of several the first is taken). Raises
    ReaderError for a line that is not of this layout.
    """
    return read_layout(files, "nested roles", partial(_text, reading=reading))


def _text(item: dict[str, Any], where: str, reading: Reading) -> RawText:
    plains = [event for annotation in item["annotations"] for event in annotation["events"]]
    found = [_event(plain, where, reading) for plain in plains]
    events = tuple(event for event in found if event is not None)
    return RawText(reading.joining.text(item["context"]), events, where)


def _event(plain: dict[str, Any], where: str, reading: Reading) -> Event | None:
    triggers = _mentions(plain.get(_TRIGGER, {}), reading)
    if len(triggers) != 1:
        reading.faults.add("event with several triggers" if triggers else "event without a trigger", where)
    if not triggers:
        return None
    roles = {key: value for key, value in plain.items() if key != _TRIGGER}
    return Event(plain["event_type"], triggers[0], tuple(_arguments(roles, "", reading)))


def _arguments(holder: dict[str, Any], prefix: str, reading: Reading) -> Iterator[Argument]:
    """The arguments of every role below an object, each role before those within it."""
    for key, value in holder.items():
        for below in cast(list[Any], value) if isinstance(value, list) else [value]:
            if isinstance(below, dict):  # anything else is an attribute, an id, or this holder's own text and offsets
                inner = cast(dict[str, Any], below)
                for mention in _mentions(inner, reading):
                    yield Argument(prefix + key, mention)
                yield from _arguments(inner, f"{prefix}{key}.", reading)


def _mentions(holder: dict[str, Any], reading: Reading) -> list[Mention]:
    """The fillers that an object states, each with its fragments in the order of the text."""
    mentions: list[Mention] = []
    for texts, starts in zip(holder.get("text", ()), holder.get("start", ()), strict=True):
        fragments = sorted(zip(starts, texts, strict=True))
        surface = reading.joining.glue.join(text for _, text in fragments)
        places = tuple((start, start + len(text)) for start, text in fragments)
        if places:
            mentions.append(Mention(reading.joining.text(surface), places))
    return mentions
