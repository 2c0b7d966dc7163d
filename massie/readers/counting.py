"""Counts what a reader finds, so that a card's counts can be held against it."""

from __future__ import annotations

from collections.abc import Iterable

from massie.catalogue import Card, Counts
from massie.readers.reading import RawText
from massie.types import Event, Record, Relation, Span, Task

_ANNOTATION_OF_TASK: dict[Task, type[Record]] = {
    Task.NER: Span,
    Task.SF: Span,
    Task.RE: Relation,
    Task.ED: Event,
    Task.EE: Event,
}


def annotations_of(text: RawText, task: Task) -> list[Record]:
    """The annotations of a text that a task uses."""
    return [record for record in text.annotations if isinstance(record, _ANNOTATION_OF_TASK[task])]


def count(card: Card, texts: Iterable[RawText], sha256: str | None = None) -> Counts:
    """The counts of some texts as a card states them: annotations of the card's first task, before labels drop."""
    total = annotations = empty = arguments = 0
    for text in texts:
        found = annotations_of(text, card.tasks[0])
        total += 1
        annotations += len(found)
        empty += not found
        arguments += sum(len(record.arguments) for record in found if isinstance(record, Event))
    with_arguments = Task.EE in card.tasks
    return Counts(
        texts=total,
        annotations=annotations,
        empty=empty,
        arguments=arguments if with_arguments else None,
        sha256=sha256,
    )
