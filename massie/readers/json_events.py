"""JSON with a list of events for each text; where everything stands is said by paths.

    {"text": "The firm said it was hacked.",
     "events": [{"type": "attack", "trigger": {"text": "hacked", "start": 21, "end": 27},
                 "arguments": [{"role": "victim", "text": "The firm", "start": 0, "end": 8}]}]}

is read with

    text: text
    events: events[]
    label: [type]
    trigger: {start: trigger.start, end: trigger.end, surface: trigger.text}
    arguments: {each: "arguments[]", role: role, start: start, end: end, surface: text}

In the paths of ``events`` and ``each``, ``[]`` goes through the items of a list: ``story.groups[].events[]`` leads to
all events of all groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from pydantic import Field, model_validator

from massie.catalogue import Content
from massie.readers.json_items import INCOMPLETE, OUTSIDE, Passage, PassageOptions, at, items, listed
from massie.readers.reading import Faults, RawText, Reading
from massie.sources import RawFile
from massie.types import Argument, Event, Mention, ReaderError, Span

NO_TRIGGER = "event without a trigger"


class MentionPaths(Content):
    """Dotted paths to a mention's offsets and, where the source states it, its surface."""

    start: str
    end: str
    surface: str | None = None


class ArgumentPaths(MentionPaths):
    """``each`` leads from an event to its arguments; the other paths start at an argument.

    ``trigger_role`` is the role of the arguments that are the event's trigger: of several each is a fragment of it.
    """

    each: str
    role: str
    trigger_role: str | None = None


class SpanPaths(MentionPaths):
    """``each`` leads from an item to its entities; the other paths start at an entity."""

    each: str
    label: str


class Options(PassageOptions):
    """Where the events and their parts stand, and the entities, where they are wanted.

    ``events`` and ``spans.each`` start at the item of a text; the paths of ``label``, ``trigger`` and
    ``arguments.each`` start at an event. Its trigger is at ``trigger`` or is the arguments of ``trigger_role``. An
    event type is what stands at the paths of ``label``, joined by colons. ``offset_repair`` lists numbers to
    add to all offsets of a text, tried in this order and used where more of its surfaces then stand at their offsets:
    for sources in which some texts were counted from another character than the first.
    """

    events: str
    label: list[str] = Field(min_length=1)
    trigger: MentionPaths | None = None
    arguments: ArgumentPaths | None = None
    spans: SpanPaths | None = None
    offset_repair: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        if (self.trigger is None) == (self.arguments is None or self.arguments.trigger_role is None):
            raise ValueError("exactly one of trigger and arguments.trigger_role must be given")
        return self


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the items' texts with their entities, if asked for, and their events.

    An entity, event or argument without label or offsets, or outside its text, is a fault, as are an event without
    trigger and a text whose offsets were repaired. An event may lack the list of arguments. Raises ReaderError for an
    item without text or list of events.
    """
    for file in files:
        for where, item in items(file, options.layout):
            passage = options.passage(item, where, reading)
            plains = _each(item, options.events, where)
            shift = _best_shift(plains, passage, options, reading)
            if shift:
                reading.faults.add(f"text whose offsets were shifted by {shift:+d} to meet its surfaces", where)
            place = _Place(passage, shift, where)
            spans = _spans(item, place, options, reading)
            yield RawText(passage.text, (*spans, *_events(plains, place, options, reading)), where)


@dataclass(frozen=True, slots=True)
class _Place:
    """The passage that offsets refer to, what is added to them, and the place in the source for reports."""

    passage: Passage
    shift: int
    where: str


def _each(item: Any, path: str, where: str) -> list[Any]:
    """What a path with ``[]`` leads to; ReaderError where one of its lists is missing."""
    first, *others = path.removesuffix("[]").split("[].")
    found = listed(item, first, where)
    for step in others:
        found = [below for above in found for below in listed(above, step, where)]
    return found


def _spans(item: Any, place: _Place, options: Options, reading: Reading) -> Iterator[Span]:
    paths = options.spans
    if paths is None:
        return
    for plain in _each(item, paths.each, place.where):
        try:
            yield Span(_words(plain, paths.label), _mention(plain, paths, place, reading))
        except (KeyError, TypeError):
            reading.faults.add(INCOMPLETE, place.where)
        except ValueError:
            reading.faults.add(OUTSIDE, place.where)


def _events(plains: list[Any], place: _Place, options: Options, reading: Reading) -> Iterator[Event]:
    for plain in plains:
        try:
            label = ":".join(_words(plain, path) for path in options.label)
            trigger = _mention(plain, options.trigger, place, reading) if options.trigger else None
        except (KeyError, TypeError):
            reading.faults.add(INCOMPLETE, place.where)
            continue
        except ValueError:
            reading.faults.add(OUTSIDE, place.where)
            continue
        arguments = tuple(_arguments(plain, place, options, reading))
        if trigger is None:
            trigger, arguments = _without_trigger(arguments, place, options, reading)
        if trigger is None:
            reading.faults.add(NO_TRIGGER, place.where)
        else:
            yield Event(label, trigger, arguments)


def _without_trigger(
    arguments: tuple[Argument, ...], place: _Place, options: Options, reading: Reading
) -> tuple[Mention | None, tuple[Argument, ...]]:
    """The trigger that stands among the arguments, if there is one, and the others."""
    role = options.arguments.trigger_role if options.arguments else None
    fragments = sorted({fragment for each in arguments if each.role == role for fragment in each.mention.fragments})
    trigger = reading.joining.mention(place.passage.text, fragments) if fragments else None
    return trigger, tuple(each for each in arguments if each.role != role)


def _arguments(plain: Any, place: _Place, options: Options, reading: Reading) -> Iterator[Argument]:
    paths = options.arguments
    if paths is None:
        return
    try:
        fillers = _each(plain, paths.each, place.where)
    except ReaderError:  # some sources leave the list out where it would be empty
        return
    for filler in fillers:
        try:
            yield Argument(_words(filler, paths.role), _mention(filler, paths, place, reading))
        except (KeyError, TypeError):
            reading.faults.add(INCOMPLETE, place.where)
        except ValueError:
            reading.faults.add(OUTSIDE, place.where)


def _mention(plain: Any, paths: MentionPaths, place: _Place, reading: Reading) -> Mention:
    start, end = (int(at(plain, path)) + place.shift for path in (paths.start, paths.end))
    span = place.passage.place(start, end)
    if paths.surface is None:
        return reading.joining.mention(place.passage.text, [span])
    return Mention(reading.joining.text(_words(plain, paths.surface)), (span,))


def _words(plain: Any, path: str) -> str:
    found = at(plain, path)
    if not isinstance(found, str):
        raise TypeError(f"{path}: not a text")
    return found


def _best_shift(plains: list[Any], passage: Passage, options: Options, reading: Reading) -> int:
    """The first number to add to all offsets under which the most surfaces stand at them."""
    if not options.offset_repair:
        return 0
    trial = replace(reading, faults=Faults())

    def standing(shift: int) -> int:
        events = _events(plains, _Place(passage, shift, ""), options, trial)
        mentions = [each for event in events for each in (event.trigger, *(a.mention for a in event.arguments))]
        return sum(passage.text[slice(*mention.fragments[0])] == mention.surface for mention in mentions)

    return max((0, *options.offset_repair), key=standing)
