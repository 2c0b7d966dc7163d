"""The scores and diagnostics of one sample (paper, section 2.4; the rules are in ``metrics/``)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import fsum
from typing import NamedTuple

from massie.scoring.items import Asked, Direction, Item, asked_of, gold_items, normalise, predicted_items
from massie.scoring.similarity import best_assignment, best_similarities, fields_of, similarity
from massie.types import Answer, Record, Schema, Task


class SampleScores(NamedTuple):
    """The scores of one sample, 0 to 1, and the counts that micro scores and diagnostics are made of.

    ``true_positives``, ``predicted`` and ``gold`` count items (malformed records are predicted items); the error kinds
    count unmatched items: ``boundary`` (right direction, similar fields), ``type`` (same fields, other direction),
    ``both`` (similar fields, other direction), ``spurious`` (like nothing in the gold), and ``missed`` gold items that
    no predicted item resembles.
    """

    lf1: float
    lf1_by_schema: float
    matched_lf1: float
    f1: float
    true_positives: int = 0
    predicted: int = 0
    gold: int = 0
    invalid: int = 0
    repairable: int = 0
    truncated: int = 0
    malformed: int = 0
    off_schema: int = 0
    hallucinated: int = 0
    boundary: int = 0
    type: int = 0
    both: int = 0
    spurious: int = 0
    missed: int = 0


_BOTH_EMPTY = SampleScores(1.0, 1.0, 1.0, 1.0)


def score_sample(
    task: Task, schemas: tuple[Schema, ...], gold: Sequence[Record], answer: Answer, text: str
) -> SampleScores:
    """Score one answer.

    An invalid structure scores 0, also where the gold is empty; two empty sets score 1; one empty set scores 0.
    """
    if answer.records is None:
        count = len(gold_items(gold, task))
        flags = {"repairable": int(answer.repairable), "truncated": int(answer.truncated)}
        return SampleScores(0.0, 0.0, 0.0, 0.0, gold=count, missed=count, invalid=1, **flags)
    if not answer.records and not gold:
        return _BOTH_EMPTY._replace(truncated=1) if answer.truncated else _BOTH_EMPTY
    predicted, malformed = predicted_items(answer.records, task)
    wanted = gold_items(gold, task)
    asked = asked_of(schemas, task)
    truncated = int(answer.truncated)
    if not malformed and len(predicted) == len(wanted) and predicted <= wanted:
        total = len(wanted)
        return SampleScores(1.0, 1.0, 1.0, 1.0, total, total, total, truncated=truncated)
    if not predicted or not wanted:
        return _one_sided(asked, predicted, wanted, malformed, text, truncated)
    return _compare(asked, predicted, wanted, malformed, text, truncated)


def harmonic_mean(precision: float, recall: float) -> float:
    """F1 of a precision and a recall; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


class _Best(NamedTuple):
    """For every item the greatest similarity to an item of its direction on the other side."""

    predicted: dict[Item, float]
    gold: dict[Item, float]
    matched: float  # sum of similarities of the best one-to-one assignment

    def pooled(self, malformed: int) -> tuple[float, float]:
        """Precision and recall over all directions."""
        found, wanted = len(self.predicted) + malformed, len(self.gold)
        precision = fsum(self.predicted.values()) / found if found else 0.0
        return precision, fsum(self.gold.values()) / wanted if wanted else 0.0


def _best(predicted: Collection[Item], gold: Collection[Item]) -> _Best:
    rows_of: dict[Direction, list[Item]] = {}
    for item in predicted:
        rows_of.setdefault(item[0], []).append(item)
    columns_of: dict[Direction, list[Item]] = {}
    for item in gold:
        columns_of.setdefault(item[0], []).append(item)
    of_predicted, of_gold = dict.fromkeys(predicted, 0.0), dict.fromkeys(gold, 0.0)
    matched = [
        _compare_direction(rows, columns, of_predicted, of_gold)
        for direction, rows in rows_of.items()
        if (columns := columns_of.get(direction))
    ]
    return _Best(of_predicted, of_gold, fsum(matched))


def _compare_direction(
    rows: list[Item], columns: list[Item], of_predicted: dict[Item, float], of_gold: dict[Item, float]
) -> float:
    """Fill in the best similarities of one direction; returns the sum of its best one-to-one assignment."""
    if len(rows) == len(columns) == 1:  # nearly always, in sentences
        of_predicted[rows[0]] = of_gold[columns[0]] = matched = similarity(fields_of(rows[0]), fields_of(columns[0]))
        return matched
    by_row, by_column, matched = best_assignment(
        [fields_of(row) for row in rows], [fields_of(column) for column in columns]
    )
    of_predicted.update(zip(rows, by_row, strict=True))
    of_gold.update(zip(columns, by_column, strict=True))
    return matched


def _compare(
    asked: Asked,
    predicted: set[Item],
    gold: frozenset[Item],
    malformed: int,
    text: str,
    truncated: int,
) -> SampleScores:
    found = len(predicted) + malformed
    exact = len(predicted & gold)
    best = _best(predicted, gold)
    share = best.matched / found if found else 0.0
    return SampleScores(
        lf1=harmonic_mean(*best.pooled(malformed)),
        lf1_by_schema=_by_schema(asked, best),
        matched_lf1=harmonic_mean(share, best.matched / len(gold) if gold else 0.0),
        f1=harmonic_mean(exact / found if found else 0.0, exact / len(gold) if gold else 0.0),
        true_positives=exact,
        predicted=found,
        gold=len(gold),
        truncated=truncated,
        malformed=malformed,
        off_schema=sum(item[0] not in asked.directions for item in predicted),
        hallucinated=_hallucinated(predicted - gold, text),
        **_error_kinds(best, predicted, gold),
    )


def _one_sided(
    asked: Asked, predicted: set[Item], gold: frozenset[Item], malformed: int, text: str, truncated: int
) -> SampleScores:
    """Where nothing was predicted or nothing was to be found: every score is 0, but for schemas without any item."""
    items = predicted or gold
    schemas = {schema for item in items if (schema := asked.directions.get(item[0])) is not None}
    return SampleScores(
        lf1=0.0,
        lf1_by_schema=(asked.schemas - len(schemas)) / asked.schemas if asked.schemas else 0.0,
        matched_lf1=0.0,
        f1=0.0,
        predicted=len(predicted) + malformed,
        gold=len(gold),
        truncated=truncated,
        malformed=malformed,
        off_schema=sum(item[0] not in asked.directions for item in predicted),
        hallucinated=_hallucinated(predicted, text),
        spurious=len(predicted),
        missed=len(gold),
    )


def _by_schema(asked: Asked, best: _Best) -> float:
    """The paper's printed form: an F for each schema asked for, averaged; a schema without any items counts 1."""
    found: dict[int, list[float]] = {}
    for item, value in best.predicted.items():
        if (schema := asked.directions.get(item[0])) is not None:
            found.setdefault(schema, []).append(value)
    wanted: dict[int, list[float]] = {}
    for item, value in best.gold.items():
        if (schema := asked.directions.get(item[0])) is not None:
            wanted.setdefault(schema, []).append(value)
    # A schema with items on one side only counts 0; one without any counts 1.
    scores = [
        harmonic_mean(_mean(values), _mean(wanted[schema])) for schema, values in found.items() if schema in wanted
    ]
    without_items = asked.schemas - len(found.keys() | wanted.keys())
    return (fsum(scores) + without_items) / asked.schemas if asked.schemas else 0.0


def _mean(values: Collection[float]) -> float:
    return fsum(values) / len(values)


def _hallucinated(items: Collection[Item], text: str) -> int:
    """How many of these predicted items have a field that does not occur in the text."""
    if not items:
        return 0
    normal = normalise(text)
    return sum(any(field not in normal for field in item[1:]) for item in items)


def _error_kinds(best: _Best, predicted: set[Item], gold: frozenset[Item]) -> dict[str, int]:
    kinds = {"boundary": 0, "type": 0}
    right_elsewhere = set(map(fields_of, gold))
    strange: list[Item] = []
    for item in predicted - gold:
        if fields_of(item) in right_elsewhere:
            kinds["type"] += 1
        elif best.predicted[item] > 0:
            kinds["boundary"] += 1
        else:
            strange.append(item)
    both = _resembling(strange, gold)
    far = [item for item in gold - predicted if best.gold[item] == 0]
    missed = len(far) - _resembling(far, predicted)
    return kinds | {"both": both, "spurious": len(strange) - both, "missed": missed}


def _resembling(items: Collection[Item], others: Collection[Item]) -> int:
    """How many of the items share anything with another side's item, in any direction."""
    if not items:
        return 0
    best, _ = best_similarities([fields_of(item) for item in items], [fields_of(other) for other in others])
    return sum(value > 0 for value in best)
