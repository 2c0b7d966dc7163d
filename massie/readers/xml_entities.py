"""XML with entities marked within the text, and relations between them by id.

    <doc><text id="7"><title>A <entity id="7.1">parser</entity></title> ...</text></doc>

A relation is a line of a second file (``USAGE(7.1,7.2)``; with ``,REVERSE`` the second entity is the head), or stands
at its head, in two attributes with as many items, parted by spaces:

    <EM ID="a1" CATEG="PERSON" COREL="a2 a3" TIPOREL="born_in PERSON**author_of**a3**WORK">Amina</EM>

An item with ``**`` states the category of the head, the relation, the tail and its category.

White space is free in XML: each run is read as one space, and every element that is no entity (a title, a paragraph)
stands on lines of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from massie.catalogue import Content
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Record, Relation, Span

_LINE = re.compile(r"(?P<label>[^()]+)\((?P<first>[^(),]+),(?P<second>[^(),]+)(?P<reverse>,REVERSE)?\)")
_SEPARATOR_OF_CATEGORIES = "|"
_SEPARATOR_OF_ALTERNATIVES = "|"
_PARTS_OF_ITEM = "**"

MALFORMED = "relation that is malformed"
UNKNOWN_ENTITY = "relation to an entity that the text does not have"
EMPTY = "entity without text"
OTHER_TEXT = "alternative that reads otherwise than the first, left out"


class RelationAttributes(Content):
    """The attributes of an entity with the ids of its relations' tails and with their labels."""

    tails: str
    labels: str


class Options(Content):
    """Names of elements and attributes.

    ``text`` is the element of a text, ``entity`` that of an entity with the attribute ``id``. ``category`` is the
    attribute with an entity's category, or several of them parted by ``|``; without it entities are no spans.
    ``alternatives`` is an element with several analyses of the same text, parted by ``|``: the text is read once, with
    the entities of all. ``left_out`` are elements that are no part of the text. ``relations`` is given where relations
    stand at their heads.
    """

    text: str
    entity: str
    id: str
    category: str | None = None
    alternatives: str | None = None
    left_out: tuple[str, ...] = ()
    relations: RelationAttributes | None = None


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield the texts of the ``.xml`` files with the relations of the other files.

    Relations that are malformed or lead to no entity of their head's text, empty entities and alternatives that differ
    in more than white space are faults. Raises ReaderError for a file that is not XML or has no element for texts.
    """
    lines = _relation_lines([file for file in files if not file.name.endswith(".xml")], reading)
    for file in files:
        if file.name.endswith(".xml"):
            for number, element in enumerate(_texts(file, options), start=1):
                yield _raw_text(element, f"{file.name}:{options.text} {number}", lines, options, reading)
    for links in lines.values():
        for link in links:
            reading.faults.add(UNKNOWN_ENTITY, link.where)


@dataclass(frozen=True, slots=True)
class _Link:
    """A relation by the ids of its entities."""

    label: str
    head: str
    tail: str
    where: str


@dataclass(frozen=True, slots=True)
class _Entity:
    """An entity's attributes and place, in characters that are not white space."""

    attributes: dict[str, str]
    start: int
    end: int


@dataclass(slots=True)
class _Page:
    """The text of an element as it is written; ``ink`` is how many characters of it are not white space."""

    options: Options
    reading: Reading
    where: str
    pieces: list[str] = field(default_factory=list[str])
    ink: int = 0
    gap: str = ""
    entities: list[_Entity] = field(default_factory=list[_Entity])

    @property
    def text(self) -> str:
        """What has been written."""
        return "".join(self.pieces)

    def write(self, content: Sequence[str | Element]) -> None:
        """Write characters and elements in order."""
        for part in content:
            if isinstance(part, str):
                self._characters(part)
            elif part.tag in self.options.left_out:
                self.gap = self.gap or " "
            elif part.tag == self.options.entity:
                start = self.ink
                self.write(_content(part))
                self.entities.append(_Entity(dict(part.attrib), start, self.ink))
            elif part.tag == self.options.alternatives:
                self._alternatives(_content(part))
            else:
                self.gap = "\n"
                self.write(_content(part))
                self.gap = "\n"

    def _characters(self, raw: str) -> None:
        words = raw.split()
        if raw[:1].isspace():
            self.gap = self.gap or " "
        if not words:
            return
        if self.gap and self.pieces:
            self.pieces.append(self.gap)
        self.pieces.append(" ".join(words))
        self.ink += sum(map(len, words))
        self.gap = " " if raw[-1].isspace() else ""

    def _alternatives(self, content: Sequence[str | Element]) -> None:
        first, *others = _split(content)
        start = self.ink
        self.write(first)
        as_read = self._beside(first)
        for other in others:
            page = self._beside(other)
            if "".join(page.text.split()) != "".join(as_read.text.split()):
                self.reading.faults.add(OTHER_TEXT, self.where)
                continue
            self.entities += [_Entity(each.attributes, start + each.start, start + each.end) for each in page.entities]

    def _beside(self, content: Sequence[str | Element]) -> _Page:
        page = _Page(self.options, self.reading, self.where)
        page.write(content)
        return page


def _content(element: Element) -> list[str | Element]:
    """What stands in an element: characters and elements by turns."""
    parts: list[str | Element] = [element.text or ""]
    for child in element:
        parts += (child, child.tail or "")
    return parts


def _split(content: Sequence[str | Element]) -> list[list[str | Element]]:
    """The alternatives among the contents of an element."""
    alternatives: list[list[str | Element]] = [[]]
    for part in content:
        if isinstance(part, str):
            first, *others = part.split(_SEPARATOR_OF_ALTERNATIVES)
            alternatives[-1].append(first)
            for other in others:
                alternatives.append([other])
        else:
            alternatives[-1].append(part)
    return alternatives


def _texts(file: RawFile, options: Options) -> list[Element]:
    content = file.text()
    if "<!ENTITY" in content:  # entities that expand into one another are how XML is used to fill a machine's memory
        raise ReaderError(f"{file.path}: declares XML entities, which are not read; fetch the file again")
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - without declared entities there is nothing to expand
    except ElementTree.ParseError as error:
        raise ReaderError(f"{file.path}:{error.position[0]}: not valid XML ({error}); fetch the file again") from error
    texts = list(root.iter(options.text))
    if not texts:
        raise ReaderError(f"{file.path}: has no element {options.text!r}; correct the card's reader.options")
    return texts


def _relation_lines(files: Sequence[RawFile], reading: Reading) -> dict[str, list[_Link]]:
    """The relations of files with one on a line, by the entity that is named first."""
    links: defaultdict[str, list[_Link]] = defaultdict(list)
    for file in files:
        for number, line in enumerate(file.text().splitlines(), start=1):
            where = f"{file.name}:{number}"
            match = _LINE.fullmatch(line.strip())
            if match:
                label, first, second, reverse = match.group("label", "first", "second", "reverse")
                head, tail = (second, first) if reverse else (first, second)
                links[first].append(_Link(label, head, tail, where))
            elif line.strip():
                reading.faults.add(MALFORMED, where)
    return links


def _raw_text(
    element: Element, where: str, lines: dict[str, list[_Link]], options: Options, reading: Reading
) -> RawText:
    page = _Page(options, reading, where)
    page.write(_content(element))
    text = reading.joining.text(page.text)
    places = [place for place, character in enumerate(page.text) if not character.isspace()]
    mentions: dict[str, Mention] = {}
    records: list[Record] = []
    links: list[_Link] = []
    for entity in page.entities:
        name = entity.attributes.get(options.id, "")
        if entity.start == entity.end:
            reading.faults.add(EMPTY, where)
            continue
        mentions[name] = reading.joining.mention(text, [(places[entity.start], places[entity.end - 1] + 1)])
        records += [Span(label, mentions[name]) for label in _categories(entity, options)]
        links += lines.pop(name, [])
        links += _stated(entity, name, where, options, reading)
    for link in links:
        if link.head in mentions and link.tail in mentions:
            records.append(Relation(link.label, mentions[link.head], mentions[link.tail]))
        else:
            reading.faults.add(UNKNOWN_ENTITY, link.where)
    return RawText(text, tuple(records), where)


def _categories(entity: _Entity, options: Options) -> list[str]:
    """The categories of an entity, each once."""
    stated = entity.attributes.get(options.category, "") if options.category else ""
    return list(dict.fromkeys(filter(None, stated.split(_SEPARATOR_OF_CATEGORIES))))


def _stated(entity: _Entity, name: str, where: str, options: Options, reading: Reading) -> Iterator[_Link]:
    """The relations that stand at their head; one without a tail is a fault, a tail without one is passed over."""
    if options.relations is None:
        return
    tails = entity.attributes.get(options.relations.tails, "").split()
    for place, item in enumerate(entity.attributes.get(options.relations.labels, "").split()):
        match item.split(_PARTS_OF_ITEM):
            case [_, label, tail, _]:
                yield _Link(label, name, tail, where)
            case [label] if place < len(tails):
                yield _Link(label, name, tails[place], where)
            case _:
                reading.faults.add(MALFORMED, where)
