"""brat standoff: a ``.txt`` with the text and an ``.ann`` of the same stem with its annotations, a document each.

    T1<TAB>PERSON 0 5<TAB>Amina                  a mention; "0 5;9 12" are the fragments of a discontinuous one
    R1<TAB>LIVES_IN Arg1:T1 Arg2:T2              a relation between two mentions
    E1<TAB>Meet:T3 Person:T1 Person2:T4          an event: its type and trigger, then its arguments by role

Offsets count characters of the text, carriage returns included. Attributes, normalisations, notes and equivalences
(A, M, N, ``#``, ``*``) are passed over. A T line that is an event's trigger is not a span; an event that is an argument
of another stands for its trigger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from massie.readers.pairs import PairOptions
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Argument, Event, Mention, Record, Relation, Span

_MENTION = re.compile(r"(T[^\t]+)\t(\S+) (\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)\t(.*)")
_LINE = re.compile(r"[^\n]+")
_PASSED_OVER = frozenset("AMN#*")
_BOM = "\ufeff"

MALFORMED = "malformed line"
UNKNOWN_KIND = "line of an unknown kind"
UNDECLARED = "reference to an id that no line declares"
OTHER_SURFACE = "mention whose stated surface is not at its offsets, taken from there"


class Options(PairOptions):
    """How the files are called and how roles of events are written.

    ``numbered_roles``: a number at a role's end counts its fillers (``Person2``) and is taken off. ``role_suffix``: an
    ending that is then taken off every role (``-Arg``). ``trust_offsets``: offsets are right where a stated surface is
    not (cut at a line break, say); such a mention is counted, and its surface is taken from the text.
    """

    numbered_roles: bool = False
    role_suffix: str = ""
    trust_offsets: bool = False

    def role(self, written: str) -> str:
        """The role without number and suffix."""
        unnumbered = written.rstrip("0123456789") if self.numbered_roles else written
        return unnumbered.removesuffix(self.role_suffix) or written


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each pair of files; lines that cannot be read and ids that lead nowhere are faults."""
    for text_file, annotation_file in options.pairs(files):
        raw = text_file.text("utf-8")
        text = reading.joining.text(raw.removeprefix(_BOM))
        lines = _lines(annotation_file, reading)
        if raw.startswith(_BOM) and _fitting(text, lines.mentions, -1) > _fitting(text, lines.mentions, 0):
            # Some tools count the BOM as the text's first character.
            lines.mentions = {name: written.moved(-1) for name, written in lines.mentions.items()}
        yield RawText(text, tuple(_records(text, lines, annotation_file.name, options, reading)), text_file.name)


@dataclass(frozen=True, slots=True)
class _Written:
    """A T line."""

    label: str
    fragments: tuple[tuple[int, int], ...]
    surface: str

    def moved(self, by: int) -> _Written:
        return _Written(self.label, tuple((start + by, end + by) for start, end in self.fragments), self.surface)

    def stands_in(self, text: str) -> bool:
        """Whether the surface is what brat writes for these fragments: joined by spaces, line breaks as spaces."""
        if self.fragments[0][0] < 0:
            return False
        return " ".join(text[start:end] for start, end in self.fragments).replace("\n", " ") == self.surface

    def mention(self, text: str, where: str, options: Options, reading: Reading) -> Mention:
        if self.stands_in(text):
            return reading.joining.mention(text, self.fragments)
        bare = self._without_line_end(text)
        if bare.stands_in(text):
            return reading.joining.mention(text, bare.fragments)
        # As brat itself has it, a mention that goes over a line break has a fragment on each line.
        places = [match.span() for start, end in self.fragments for match in _LINE.finditer(text, start, end)]
        if not options.trust_offsets or not places or self.fragments[-1][1] > len(text):
            return Mention(self.surface, self.fragments)
        reading.faults.add(OTHER_SURFACE, where)
        return reading.joining.mention(text, places)

    def _without_line_end(self, text: str) -> _Written:
        """Without the carriage return at its end, which is half of a line end and in no surface."""
        *others, (start, end) = self.fragments
        by = int(text[start:end].endswith("\r"))
        return _Written(self.label, (*others, (start, end - by)), self.surface)


@dataclass(frozen=True, slots=True)
class _Linked:
    """An R or E line: its type and what it links, as (role, id); of an event the first is (type, trigger's id)."""

    label: str
    links: list[tuple[str, str]]
    where: str


@dataclass(slots=True)
class _Lines:
    mentions: dict[str, _Written] = field(default_factory=dict[str, _Written])
    relations: list[_Linked] = field(default_factory=list[_Linked])
    events: dict[str, _Linked] = field(default_factory=dict[str, _Linked])


def _lines(file: RawFile, reading: Reading) -> _Lines:
    lines = _Lines()
    for number, line in enumerate(file.text().split("\n"), start=1):
        if not line.strip() or line[0] in _PASSED_OVER:
            continue
        where = f"{file.name}:{number}"
        if line[0] not in "TRE":
            reading.faults.add(UNKNOWN_KIND, where)
        elif not _take(line.removesuffix("\r"), where, reading, lines):
            reading.faults.add(MALFORMED, where)
    return lines


def _take(line: str, where: str, reading: Reading, lines: _Lines) -> bool:
    """Put a T, R or E line where it belongs; False where it is malformed."""
    if line[0] == "T":
        match = _MENTION.fullmatch(line)
        if match is None:
            return False
        name, label, places, surface = match.groups()
        fragments = tuple((int(start), int(end)) for start, end in (place.split() for place in places.split(";")))
        lines.mentions[name] = _Written(label, fragments, reading.joining.text(surface))
        return True
    name, _, rest = line.partition("\t")
    words = rest.split()
    label = words.pop(0) if words and line[0] == "R" else ""
    links = [(role, target) for role, _, target in (word.rpartition(":") for word in words)]
    if not links or not all(role and target for role, target in links):
        return False
    if line[0] == "E":
        lines.events[name] = _Linked(links[0][0], links, where)
        return True
    if len(links) != 2:
        return False
    lines.relations.append(_Linked(label, links, where))
    return True


def _fitting(text: str, mentions: dict[str, _Written], by: int) -> int:
    return sum(written.moved(by).stands_in(text) for written in mentions.values())


def _records(text: str, lines: _Lines, where: str, options: Options, reading: Reading) -> Iterator[Record]:
    mentions = {
        name: written.mention(text, f"{where}:{name}", options, reading) for name, written in lines.mentions.items()
    }
    triggers = {name: event.links[0][1] for name, event in lines.events.items()}
    no_spans = set(triggers.values())
    yield from (Span(lines.mentions[name].label, mentions[name]) for name in mentions if name not in no_spans)
    mentions |= {name: mentions[trigger] for name, trigger in triggers.items() if trigger in mentions}
    for relation in lines.relations:
        (_, head), (_, tail) = relation.links
        if head in mentions and tail in mentions:
            yield Relation(relation.label, mentions[head], mentions[tail])
        else:
            reading.faults.add(UNDECLARED, relation.where)
    for event in lines.events.values():
        (_, trigger), *links = event.links
        undeclared = sum(target not in mentions for _, target in event.links)
        if undeclared:
            reading.faults.add(UNDECLARED, event.where, undeclared)
        if trigger in mentions:
            arguments = (Argument(options.role(role), mentions[target]) for role, target in links if target in mentions)
            yield Event(event.label, mentions[trigger], tuple(arguments))
