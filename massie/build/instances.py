"""From the texts of a reader to instances: validate, merge and refine (steps 2 to 5 of a build)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from json import JSONEncoder

from massie.build.drawing import fraction, short_hash
from massie.catalogue import Card, EventLabel, Label, MadeSplits
from massie.readers import Faults, RawText, annotations_of
from massie.types import Argument, Event, Instance, Mention, Record, Relation, Span, Split, Task, mentions_of

READ = "read"
REFINED = "validate, merge, refine"
REPEATED = "duplicate text (its records are merged)"
EQUAL = "equal record"
NOT_IN_THE_CARD, DROPPED_BY_THE_CARD = "not in the card", "dropped by the card"


@dataclass(slots=True)
class Steps:
    """Counts of one cell and split: texts and records after each step, and what was dropped or mended, by kind."""

    texts: Counter[str] = field(default_factory=Counter[str])
    records: Counter[str] = field(default_factory=Counter[str])
    dropped: Faults = field(default_factory=Faults)

    def count(self, step: str, texts: int, records: int) -> None:
        """Count what comes out of a step; what comes in parts adds up."""
        self.texts[step] += texts
        self.records[step] += records

    def merge(self, other: Steps) -> None:
        """Add another count to this one."""
        self.texts.update(other.texts)
        self.records.update(other.records)
        self.dropped.merge(other.dropped)


def by_split(card: Card, raw_split: str, texts: Iterable[RawText]) -> dict[Split, list[RawText]]:
    """The texts of a raw split by the split that they belong to; missing splits are made by the text's hash."""
    made = next((made for made in card.splits if made.of == raw_split), None)
    if made is None:
        return {Split(raw_split): list(texts)}
    parts: dict[Split, list[RawText]] = {split: [] for split in card.splits_of(raw_split)}
    for text in texts:
        parts[_made_split(card.id, made, text.text)].append(text)
    return parts


def _made_split(dataset: str, made: MadeSplits, text: str) -> Split:
    place = fraction("split", dataset, text)
    below = 0.0
    for split in Split:
        below += made.shares.get(split, 0.0)
        if place < below:
            return split
    return max(made.shares, key=lambda split: made.shares[split])


def instances_of(
    card: Card, task: Task, language: str, split: Split, texts: Iterable[RawText], glue: str, steps: Steps
) -> list[Instance]:
    """The instances of one cell and split, or of a part of its texts, in the order of the texts.

    Every mention must stand at its offsets, else its record is dropped and counted; annotations of one text are merged;
    equal records are kept once; labels are renamed or dropped as the card says. ``glue`` joins the fragments of a
    discontinuous mention. Records come in the order in which they stand in the text.
    """
    merged: dict[str, dict[Record, None]] = {}
    read_texts = read_records = 0
    refine = _Refinement(card, task, glue, steps)
    for raw in texts:
        read_texts += 1
        records = merged.get(raw.text)
        if records is None:
            if not raw.text.strip():
                steps.dropped.add("text without characters", raw.where)
                continue
            if not _is_unicode(raw.text):
                steps.dropped.add("text with half of a surrogate pair", raw.where)
                continue
            records = merged[raw.text] = {}
        else:
            steps.dropped.add(REPEATED, raw.where)
        if raw.annotations:
            annotations = annotations_of(raw, task)
            read_records += len(annotations)
            for record in refine(annotations, raw):
                if record in records:
                    steps.dropped.add(EQUAL, raw.where)
                else:
                    records[record] = None
    steps.count(READ, read_texts, read_records)
    return [
        Instance(instance_id(card.id, language, split, text), card.id, language, split, text, _in_order(records))
        for text, records in merged.items()
    ]


def instance_id(dataset: str, language: str, split: Split, text: str) -> str:
    """What an instance is known by: it survives another order of files and another build."""
    return short_hash(dataset, language, split, text)


def _in_order(records: Iterable[Record]) -> tuple[Record, ...]:
    """Records by their first place in the text, so that merging in another order makes no difference."""
    found = tuple(records)
    return found if len(found) < 2 else tuple(sorted(found, key=_place))


def _place(record: Record) -> tuple[list[tuple[object, str]], str]:
    """What records of a text are sorted by: the places of their mentions, then the label."""
    return [(mention.fragments, part) for part, mention in mentions_of(record)], record.label


_encoded = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def canonical(record: Record) -> str:
    """A record in the one form that its digest is taken of."""

    def place(mention: Mention) -> list[object]:
        return [mention.surface, mention.fragments]

    match record:
        case Span(label, mention):
            return _encoded([label, place(mention)])
        case Relation(label, head, tail):
            return _encoded([label, place(head), place(tail)])
        case Event(label, trigger, arguments):
            listed = [[argument.role, place(argument.mention)] for argument in arguments]
            return _encoded([label, place(trigger), listed])


def _is_unicode(text: str) -> bool:
    """Whether a text can be written to a file; half of a surrogate pair, which JSON can hold, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Refinement:
    """Validates and renames the annotations of texts, counting what it drops."""

    def __init__(self, card: Card, task: Task, glue: str, steps: Steps) -> None:
        self._labels: Mapping[str, Label | EventLabel] = card.labels(task)
        self._roles = card.roles
        self._task = task
        self._glue = glue
        self._steps = steps

    def __call__(self, annotations: list[Record], raw: RawText) -> Iterator[Record]:
        for record in annotations:
            label = self._labels.get(record.label)
            if label is None:
                self._steps.dropped.add(f"label {record.label!r} {NOT_IN_THE_CARD}", raw.where)
            elif label.name is None:
                self._steps.dropped.add(f"label {record.label!r} {DROPPED_BY_THE_CARD}", raw.where)
            else:
                refined = self._refined(record, label, label.name, raw)
                if refined is not None:
                    yield refined

    def _refined(self, record: Record, label: Label, name: str, raw: RawText) -> Record | None:
        if isinstance(record, Span):
            return Span(name, record.mention) if self._stands(record.mention, raw) else None
        if isinstance(record, Relation):
            stands = self._stands(record.head, raw) and self._stands(record.tail, raw)
            return Relation(name, record.head, record.tail) if stands else None
        if not self._stands(record.trigger, raw):
            return None
        if self._task is Task.ED or not isinstance(label, EventLabel):
            return Event(name, record.trigger)
        return Event(name, record.trigger, tuple(dict.fromkeys(self._arguments(record.arguments, label, raw))))

    def _arguments(self, arguments: tuple[Argument, ...], label: EventLabel, raw: RawText) -> Iterator[Argument]:
        for argument in arguments:
            role = self._roles.get(argument.role)
            if role is None or argument.role not in label.roles:
                self._steps.dropped.add(f"role {argument.role!r} {NOT_IN_THE_CARD} for its event type", raw.where)
            elif role.name is None:
                self._steps.dropped.add(f"role {argument.role!r} {DROPPED_BY_THE_CARD}", raw.where)
            elif self._stands(argument.mention, raw):
                yield Argument(role.name, argument.mention)

    def _stands(self, mention: Mention, raw: RawText) -> bool:
        """Whether the mention's surface is found at its offsets."""
        text, length = raw.text, len(raw.text)
        if len(mention.fragments) == 1:  # nearly all are: said shortly, since every mention of a build passes here
            start, end = mention.fragments[0]
            if 0 <= start < end <= length and text[start:end] == mention.surface and mention.surface.strip():
                return True
        if not mention.fragments or not mention.surface.strip():
            self._steps.dropped.add("empty span", raw.where)
        elif any(not 0 <= start < end <= length for start, end in mention.fragments):
            self._steps.dropped.add("offsets outside the text", raw.where)
        elif self._glue.join(text[start:end] for start, end in mention.fragments) != mention.surface:
            self._steps.dropped.add("surface not at its offsets", raw.where)
        else:
            return True
        return False
