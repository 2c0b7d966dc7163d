"""The lexicon baseline: memorises the surface forms of the train split, and knows nothing else.

Whatever a learned system scores above it is more than memory. A surface form is tagged with the label that it had most
often in the dataset's train texts (all its languages); longer forms go first, and forms do not overlap. A relation is
predicted where a head and a tail that stood in it in training both occur; an event where its trigger occurs, with those
arguments that the event type had in training.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from massie.build import Benchmark
from massie.catalogue import language
from massie.types import SPAN_KEYS, AdapterError, Event, Prediction, Relation, Sample, Span, Split, SystemCard, Task

_Key = tuple[Task, str]
_PREFIX = 2


@dataclass(slots=True)
class _Forms:
    """Surface forms with a count for each label, found in a text longest first."""

    labels: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter[str]))
    lengths: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set[int]))

    def add(self, form: str, label: str) -> None:
        self.labels[form][label] += 1
        self.lengths[form[:_PREFIX]].add(len(form))

    def label(self, form: str) -> str:
        """The label that a form had most often (of equally frequent ones the first in the alphabet)."""
        return min(self.labels[form].items(), key=lambda item: (-item[1], item[0]))[0]

    def found(self, text: str, spaces: bool) -> Iterator[str]:
        """The known forms in a text from left to right, longest first, without overlaps.

        In scripts with spaces a form begins and ends where a word does.
        """
        place = 0
        while place < len(text):
            form = None
            if not spaces or place == 0 or not (text[place - 1].isalnum() and text[place].isalnum()):
                form = self._at(text, place, spaces)
            if form is None:
                place += 1
            else:
                yield form
                place += len(form)

    def _at(self, text: str, place: int, spaces: bool) -> str | None:
        for length in sorted(self.lengths.get(text[place : place + _PREFIX], ()), reverse=True):
            end = place + length
            form = text[place:end]
            inside = spaces and end < len(text) and text[end].isalnum() and form[-1].isalnum()
            if form in self.labels and not inside:
                return form
        return None


@dataclass(slots=True)
class _Memory:
    """What was seen in the train texts of one dataset for one task."""

    spans: _Forms = field(default_factory=_Forms)
    tails: dict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter[tuple[str, str]]))
    arguments: dict[str, _Forms] = field(default_factory=lambda: defaultdict(_Forms))


class Lexicon:
    """Answers with the surface forms of the train split."""

    def __init__(self) -> None:
        self._memory: dict[_Key, _Memory] | None = None

    def describe(self) -> SystemCard:
        """The card of the baseline."""
        return SystemCard(
            name="lexicon",
            kind="baseline",
            description="Memorises the surface forms of the train split: the honest floor of any learned system.",
        )

    def prepare(self, benchmark: Benchmark) -> None:
        """Memorise the train split (of the cells that are looked at, in all their datasets' languages)."""
        memories: dict[_Key, _Memory] = {}
        wanted = {(cell.task, cell.dataset) for cell in benchmark.cells()}
        for cell in benchmark.cells(Split.TRAIN, whole=True):
            if (cell.task, cell.dataset) in wanted:
                memory = memories.setdefault((cell.task, cell.dataset), _Memory())
                for instance in benchmark.cell_data(cell, Split.TRAIN).instances:
                    _memorise(instance.records, memory)
        self._memory = memories

    def predict(self, samples: Sequence[Sample]) -> Iterator[Prediction]:
        """Those records whose forms occur in the text and whose labels are asked for."""
        if self._memory is None:
            raise AdapterError("the adapter 'lexicon' needs the benchmark: call prepare(benchmark) before predict")
        for sample in samples:
            memory = self._memory.get((sample.task, sample.dataset))
            yield Prediction(sample.id, records=list(_recalled(sample, memory)) if memory else [])


def _memorise(records: Iterable[Any], memory: _Memory) -> None:
    for record in records:
        if isinstance(record, Span):
            memory.spans.add(record.mention.surface, record.label)
        elif isinstance(record, Relation):
            memory.spans.add(record.head.surface, "head")
            memory.spans.add(record.tail.surface, "tail")
            memory.tails[record.head.surface][record.tail.surface, record.label] += 1
        elif isinstance(record, Event):
            memory.spans.add(record.trigger.surface, record.label)
            for argument in record.arguments:
                memory.arguments[record.label].add(argument.mention.surface, argument.role)


def _recalled(sample: Sample, memory: _Memory) -> Iterator[dict[str, Any]]:
    spaces = language(sample.language).spaces
    asked = {schema.name for schema in sample.schemas}
    forms = list(dict.fromkeys(memory.spans.found(sample.text, spaces)))
    if sample.task is Task.RE:
        for head in forms:
            for tail, relation in sorted(memory.tails.get(head, ())):
                if tail in forms and relation in asked:
                    yield {"head": head, "tail": tail, "relation": relation}
        return
    for form in forms:
        label = memory.spans.label(form)
        if label not in asked:
            continue
        span_key, label_key = SPAN_KEYS[sample.task]
        record: dict[str, Any] = {span_key: form, label_key: label}
        if sample.task is Task.EE:
            known = memory.arguments[label]
            found = dict.fromkeys(known.found(sample.text, spaces))
            record["arguments"] = [{"role": known.label(argument), "argument": argument} for argument in found]
        yield record
