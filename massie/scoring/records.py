"""Scores of records in memory: LF1 of one sample, strict micro scores of many.

They are those of a run to the last bit, and need neither benchmark nor files. Records are JSON objects with the task's
keys, as ``massie.types.records`` shows them.

Most spans need no normalisation, and to find that out for all spans of a sample at once is far cheaper than to
normalise each: see ``_as_they_are``. What does need it is read as every answer is that is scored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import fsum
from typing import Any, NamedTuple, TypeVar, cast

from massie.scoring.items import Direction, Item, normalise, normalise_label, predicted_items
from massie.scoring.samples import harmonic_mean
from massie.scoring.similarity import Fields, best_similarities, fields_of, similarity
from massie.types import FLAT_TASKS, SPAN_KEYS, Task, record_fault, task_of

Records = Sequence[Any]
_Keys = tuple[str, str]
_Groups = dict[Direction, set[Fields]]
_Read = TypeVar("_Read")

_KEYS: dict[str, _Keys] = {str(task): SPAN_KEYS[task] for task in FLAT_TASKS}

# Beyond so many pairs of records, comparing all items of a direction in one call is cheaper than one by one.
_FEW_PAIRS = 64


class MicroScores(NamedTuple):
    """Strict micro scores, 0 to 1, and the counts that they are made of.

    A score is None where it is undefined: precision where nothing was predicted, recall where there is no gold, F1
    where both is so. The counts are of distinct items; ``predicted`` counts malformed records, too.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    true_positives: int
    predicted: int
    gold: int


def lf1(gold: Records, predicted: Records | None, task: Task | str) -> float:
    """LF1 of one sample, 0 to 1, from gold and predicted records (paper, section 2.4; ``metrics/lf1.yaml``).

        >>> massie.lf1([{"entity": "Bure", "entity_type": "person"}],
        ...            [{"entity": "Mr Bure", "entity_type": "person"}], task="NER")
        0.571...

    None as prediction is an invalid structure, which scores 0. Raises ValueError for a malformed gold record,
    UnknownNameError for an unknown task.
    """
    keys = _KEYS.get(task)
    if keys is not None:
        if not gold and predicted is not None:
            return 0.0 if predicted else 1.0
        if (score := _lf1_as_they_are(gold, predicted, keys)) is not None:
            return score
    wanted, found, malformed = _normalised(gold, predicted, task_of(task))
    if predicted is None:
        return 0.0
    if len(wanted) * len(found) <= _FEW_PAIRS:
        return _lf1_of_few(wanted, found, malformed)
    return _lf1_of_many(_grouped(wanted), _grouped(found), malformed)


def _lf1_as_they_are(gold: Records, predicted: Records | None, keys: _Keys) -> float | None:
    """LF1 of a sample where no record is malformed and no span needs normalising, else None."""
    if not predicted or predicted == gold:  # equal ones are so in whatever form
        if not _well_formed(gold, keys):
            return None
        return 1.0 if predicted else 0.0
    if len(gold) * len(predicted) <= _FEW_PAIRS:
        items = _as_they_are(gold, predicted, keys, _items)
        return _lf1_of_few(*items, 0) if items else None
    groups = _as_they_are(gold, predicted, keys, _groups)
    return _lf1_of_many(*groups, 0) if groups else None


def micro_f1(gold: Sequence[Records], predicted: Sequence[Records | None], task: Task | str) -> MicroScores:
    """Strict micro precision, recall and F1 of samples (``metrics/micro_f1.yaml``): for NER strict span F1.

        >>> massie.micro_f1([[{"entity": "Bure", "entity_type": "person"}], []], [[], []], task="NER")
        MicroScores(precision=None, recall=0.0, f1=0.0, true_positives=0, predicted=0, gold=1)

    ``gold`` and ``predicted`` have a list of records for each sample, in the same order; None as prediction is an
    invalid structure, which predicts nothing. Raises ValueError for lists of different lengths or a malformed gold
    record, UnknownNameError for an unknown task.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} samples of gold, {len(predicted)} of predictions: give one list for each sample")
    keys, task = _KEYS.get(task_of(task)), task_of(task)
    hits = said = there = 0
    for place, (of_gold, of_predicted) in enumerate(zip(gold, predicted, strict=True)):
        if not of_gold and not of_predicted:
            continue
        items = _as_they_are(of_gold, of_predicted or (), keys, _items) if keys else None
        wanted, found, malformed = (
            (*items, 0) if items else _normalised(of_gold, of_predicted, task, f"sample {place}: ")
        )
        hits += len(wanted & found)
        said += len(found) + malformed
        there += len(wanted)
    return MicroScores(
        precision=hits / said if said else None,
        recall=hits / there if there else None,
        f1=2 * hits / (said + there) if said + there else None,
        true_positives=hits,
        predicted=said,
        gold=there,
    )


# ---- From records to items


def _well_formed(records: Records, keys: _Keys) -> bool:
    """Whether these are well-formed records beyond doubt."""
    span_key, label_key = keys
    for record in records:
        if type(record) is not dict:
            return False
        plain = cast("dict[Any, Any]", record)
        span = plain.get(span_key)
        if type(span) is not str or not span.strip() or type(plain.get(label_key)) is not str:
            return False
    return True


def _as_they_are(
    gold: Records, predicted: Records, keys: _Keys, read: Callable[[Records, _Keys, list[str]], _Read]
) -> tuple[_Read, _Read] | None:
    """What is read from gold and predicted records, where none is malformed and no span needs normalising, else None.

    Spans that are joined by single spaces are in normal form together if and only if each of them is, and none empty:
    nothing composes with a space, and an empty span, or white space at the end of one, would make two spaces.
    """
    spans: list[str] = []
    try:
        wanted, found = read(gold, keys, spans), read(predicted, keys, spans)
        joined = " ".join(spans)
    except (KeyError, TypeError):  # a key that is missing, a value that is no string
        return None
    return (wanted, found) if joined and normalise(joined) == joined else None


def _items(records: Records, keys: _Keys, spans: list[str]) -> set[Item]:
    """The items of records, whose spans are added to the list."""
    span_key, label_key = keys
    items: set[Item] = set()
    for record in records:
        if type(record) is not dict:
            raise TypeError("a record is an object")
        span = record[span_key]  # pyright: ignore[reportUnknownVariableType]
        items.add((_FOLDED[record[label_key]], span))  # pyright: ignore[reportUnknownArgumentType]
        spans.append(span)  # pyright: ignore[reportUnknownArgumentType]
    return items


def _groups(records: Records, keys: _Keys, spans: list[str]) -> _Groups:
    """The items of records by direction; their spans are added to the list."""
    span_key, label_key = keys
    of_labels: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if type(record) is not dict:
            raise TypeError("a record is an object")
        of_labels[record[label_key]].append(record[span_key])  # pyright: ignore[reportUnknownArgumentType]
    groups: _Groups = defaultdict(set)
    for label, of_label in of_labels.items():
        groups[_FOLDED[label]].update(of_label)
        spans += of_label
    return groups


class _Folded(dict[str, str]):
    """Labels as they are compared, those of late; long ones are not kept."""

    def __missing__(self, label: str) -> str:
        if not isinstance(label, str):  # pyright: ignore[reportUnnecessaryIsInstance] (records may hold anything)
            raise TypeError("a label is a string")
        folded = normalise_label(label)
        if len(label) <= 100:
            if len(self) >= 10_000:
                self.clear()
            self[label] = folded
        return folded


_FOLDED = _Folded()


def _normalised(
    gold: Records, predicted: Records | None, task: Task, where: str = ""
) -> tuple[set[Item], set[Item], int]:
    """The items of gold and predicted records, and the number of malformed predicted ones."""
    wanted, faults = predicted_items(gold, task)
    if faults:
        fault = next(fault for record in gold if (fault := record_fault(record, task)))
        raise ValueError(f"{where}{faults} of the gold records are malformed for the task {task}: in one {fault}")
    return wanted, *predicted_items(predicted or (), task)


def _grouped(items: Iterable[Item]) -> _Groups:
    groups: _Groups = defaultdict(set)
    for item in items:
        groups[item[0]].add(fields_of(item))
    return groups


# ---- LF1 of items


def _lf1_of_few(wanted: set[Item], found: set[Item], malformed: int) -> float:
    if not wanted or not found:
        return float(not wanted and not found and not malformed)
    equal = float(len(wanted & found))
    precision = fsum([equal, *_best_of_others(found, wanted)]) / (len(found) + malformed)
    recall = fsum([equal, *_best_of_others(wanted, found)]) / len(wanted)
    return harmonic_mean(precision, recall)


def _best_of_others(items: set[Item], others: set[Item]) -> Iterator[float]:
    """For every item that is not among the others its greatest similarity to one of its direction."""
    for item in items - others:
        direction, fields, best = item[0], fields_of(item), 0.0
        for other in others:
            if direction == other[0] and (alike := similarity(fields, fields_of(other))) > best:
                best = alike
        yield best


def _lf1_of_many(wanted: _Groups, found: _Groups, malformed: int) -> float:
    of_found: list[float] = []
    of_wanted: list[float] = []
    for direction, fields in found.items():
        if direction in wanted:
            of_rows, of_columns = best_similarities(list(fields), list(wanted[direction]))
            of_found += of_rows
            of_wanted += of_columns
    precision = fsum(of_found) / (sum(map(len, found.values())) + malformed)
    recall = fsum(of_wanted) / sum(map(len, wanted.values()))
    return harmonic_mean(precision, recall)
