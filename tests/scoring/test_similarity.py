"""Similarities of many items to many: in single calls, in a matrix, in blocks of one, always the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType

import pytest

from massie.scoring import score_sample, similarity
from massie.scoring.similarity import Fields, best_assignment, best_similarities
from massie.types import Answer, Mention, Schema, Span, Task

# (rows, columns): few pairs, one column, more columns than rows, a matrix, far more rows than columns.
SHAPES = [(1, 1), (3, 2), (40, 1), (1, 30), (3, 5), (6, 6), (60, 4), (4, 60), (200, 7)]
BLOCKS = [1, 10, 64, 1 << 20]


def spans(number: int, seed: int) -> list[Fields]:
    """Short ones over few letters, so that many are equally similar, and many not at all."""
    draw = random.Random(seed)
    return ["".join(draw.choices("abc漢", k=draw.randint(1, 4))) for _ in range(number)]


def pairs(number: int, seed: int) -> list[Fields]:
    left, right = spans(number, seed), spans(number, seed + 1)
    return [(str(one), str(other)) for one, other in zip(left, right, strict=True)]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fields", [spans, pairs])
def test_best_similarities_are_those_of_every_pair(
    fields: Callable[[int, int], list[Fields]],
    shape: tuple[int, int],
    block: int,
    naive: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(similarity, "_PAIRS_AT_ONCE", block)
    rows, columns = fields(shape[0], 1), fields(shape[1], 2)
    matrix = [[naive.sim(item(naive, row), item(naive, column)) for column in columns] for row in rows]
    of_rows, of_columns = best_similarities(rows, columns)
    assert of_rows == pytest.approx([max(values) for values in matrix])
    assert of_columns == pytest.approx([max(values) for values in zip(*matrix, strict=True)])


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fields", [spans, pairs])
def test_the_best_assignment_is_that_of_trying_all(
    fields: Callable[[int, int], list[Fields]],
    shape: tuple[int, int],
    block: int,
    naive: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(similarity, "_PAIRS_AT_ONCE", block)
    rows, columns = distinct(fields(shape[0], 3)), distinct(fields(shape[1], 4))
    expected = naive.best_assignment({item(naive, row) for row in rows}, {item(naive, column) for column in columns})
    *best, matched = best_assignment(rows, columns)
    assert matched == pytest.approx(expected)
    assert best == [*best_similarities(rows, columns)]


@pytest.mark.parametrize("block", BLOCKS)
def test_columns_that_are_all_like_the_same_few_rows_each_get_one_of_them(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "_PAIRS_AT_ONCE", block)
    columns: list[Fields] = [f"aaa{end}" for end in "123456"]
    rows: list[Fields] = [*(f"zz{number:03}" for number in range(70)), *(f"aaa{end}" for end in "qrstuv")]
    assert best_assignment(rows, columns)[2] == pytest.approx(6 * 3 / 4)


@pytest.mark.parametrize("seed", range(5))
def test_blocks_change_nothing_of_a_sample_s_scores(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    labels = ["person", "place", "thing"]
    schemas = tuple(Schema(label) for label in labels[:2])
    gold = [Span(draw.choice(labels[:2]), Mention(str(span), ())) for span in spans(12, seed)]
    records = [{"entity": span, "entity_type": draw.choice(labels)} for span in [*spans(300, seed + 9), "xyz", "zyx"]]
    whole = score_sample(Task.NER, schemas, gold, Answer(records), "")
    monkeypatch.setattr(similarity, "_PAIRS_AT_ONCE", 32)
    parts = score_sample(Task.NER, schemas, gold, Answer(records), "")
    assert parts == pytest.approx(whole, abs=1e-12)
    assert parts[4:] == whole[4:]


def test_no_block_is_larger_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    plain = similarity.similarities

    def watched(rows: list[Fields], columns: list[Fields]) -> object:
        sizes.append(len(rows) * len(columns))
        return plain(rows, columns)

    monkeypatch.setattr(similarity, "_PAIRS_AT_ONCE", 100)
    monkeypatch.setattr(similarity, "similarities", watched)
    best_assignment(spans(300, 1), spans(9, 2))
    best_similarities(spans(9, 1), spans(300, 2))
    assert len(sizes) > 50
    assert max(sizes) <= 100


def item(naive: ModuleType, fields: Fields) -> object:
    return naive.Item(("label",), (fields,) if isinstance(fields, str) else fields)


def distinct(fields: list[Fields]) -> list[Fields]:
    return list(dict.fromkeys(fields))
