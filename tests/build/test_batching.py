"""Batched schemas (paper, section 2.2): what is asked for together."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.batching import asked_for, batches, training_schemas

SIZES = st.integers(1, 12)
COUNTS = st.integers(1, 200)


@settings(deadline=None)
@given(COUNTS, SIZES)
def test_every_item_is_in_one_batch_and_in_order(count: int, size: int):
    assert [item for batch in batches(range(count), size) for item in batch] == list(range(count))


@settings(deadline=None)
@given(COUNTS, SIZES)
def test_all_batches_but_the_last_are_full(count: int, size: int):
    assert all(len(batch) == size for batch in batches(range(count), size)[:-1])


@settings(deadline=None)
@given(COUNTS, SIZES)
def test_a_last_batch_smaller_than_half_never_stands_alone(count: int, size: int):
    found = batches(range(count), size)
    if len(found) > 1:
        least = max(1, size // 2)
        assert least <= len(found[-1]) < size + least


@settings(deadline=None)
@given(COUNTS, SIZES)
def test_as_many_items_as_a_batch_holds_or_fewer_are_one_batch(count: int, size: int):
    if count <= size:
        assert batches(range(count), size) == [tuple(range(count))]


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        (0, 6, []),
        (1, 6, [1]),
        (2, 6, [2]),
        (6, 6, [6]),
        (7, 6, [7]),
        (8, 6, [8]),
        (9, 6, [6, 3]),
        (12, 6, [6, 6]),
        (14, 6, [6, 8]),
        (15, 6, [6, 6, 3]),
        (3, 1, [1, 1, 1]),
        (3, 2, [2, 1]),
        (4, 3, [3, 1]),
        (5, 4, [5]),
        (6, 5, [6]),
        (7, 5, [5, 2]),
    ],
)
def test_the_remainder_rule_by_hand(count: int, size: int, lengths: list[int]):
    assert [len(batch) for batch in batches(range(count), size)] == lengths


@st.composite
def training(draw: st.DrawFn) -> tuple[list[str], set[int], dict[int, list[int]], int]:
    """Names, positive ones, hard negatives and a batch size."""
    count = draw(COUNTS)
    some = st.lists(st.integers(0, count - 1), max_size=6)
    names = [f"label {number}" for number in range(count)]
    hard = draw(st.dictionaries(st.integers(0, count - 1), some.map(lambda each: each[:5]), max_size=10))
    return names, set(draw(some)), hard, draw(SIZES)


KEYS = st.text(max_size=8)


@settings(deadline=None)
@given(training(), KEYS)
def test_an_instance_is_asked_for_its_positives_their_hard_negatives_and_at_most_a_batch_of_others(
    case: tuple[list[str], set[int], dict[int, list[int]], int], key: str
):
    names, positive, hard, size = case
    found = training_schemas(names, positive, size, (key, "id"), hard)
    assert len(found) == len(set(found))
    if positive:
        sure = positive.union(*(hard.get(index, ()) for index in positive))
        assert sure <= set(found)
        assert len(found) == min(len(names), len(sure) + size)


@settings(deadline=None)
@given(training(), KEYS)
def test_an_instance_without_positives_is_asked_for_at_least_one_schema(
    case: tuple[list[str], set[int], dict[int, list[int]], int], key: str
):
    names, _, hard, size = case
    found = training_schemas(names, set(), size, (key, "id"), hard)
    assert found
    assert set(found) <= set(range(len(names)))


@settings(deadline=None)
@given(training(), KEYS, st.randoms(use_true_random=False))
def test_what_is_asked_depends_on_names_and_key_and_on_no_order(
    case: tuple[list[str], set[int], dict[int, list[int]], int], key: str, dice: random.Random
):
    names, positive, _, size = case
    shuffled = dice.sample(names, len(names))
    moved = {shuffled.index(names[index]) for index in positive}
    first = [names[index] for index in training_schemas(names, positive, size, (key, "id"), {})]
    again = [shuffled[index] for index in training_schemas(shuffled, moved, size, (key, "id"), {})]
    assert first == again


def test_without_positives_each_schema_is_drawn_with_probability_one_half():
    names = [f"label {number}" for number in range(40)]
    counts = [len(training_schemas(names, set(), 6, ("key", str(number)), {})) for number in range(500)]
    assert 19 < sum(counts) / len(counts) < 21


def test_the_other_negatives_are_drawn_evenly():
    names = [f"label {number}" for number in range(21)]
    times = [0] * len(names)
    for number in range(2000):
        for index in training_schemas(names, {0}, 6, ("key", str(number)), {}):
            times[index] += 1
    assert times[0] == 2000
    assert all(500 < each < 700 for each in times[1:])  # 2000 * 6 / 20, give or take


def test_the_order_of_asking_does_not_tell_which_schemas_are_positive():
    names = [f"label {number}" for number in range(13)]
    places = [training_schemas(names, {5}, 6, ("key", str(number)), {}).index(5) for number in range(1400)]
    assert all(140 < places.count(place) < 260 for place in range(7))  # 1400 / 7, give or take


@settings(deadline=None)
@given(st.integers(1, 60), SIZES, st.lists(st.text(max_size=4), max_size=5))
def test_a_test_text_is_asked_for_every_schema_once_in_the_cards_order(count: int, size: int, ids: list[str]):
    names = [f"label {number}" for number in range(count)]
    none: list[set[int]] = [set() for _ in ids]
    asked = asked_for(names, none, ids, size, training=False, key="k", hard={})
    assert [[index for batch in batches for index in batch] for batches in asked] == [list(range(count))] * len(ids)


def test_training_draws_differ_between_instances_and_keys():
    names = [f"label {number}" for number in range(30)]

    def drawn(ids: list[str], key: str) -> list[list[tuple[int, ...]]]:
        return list(asked_for(names, [{0}] * len(ids), ids, 6, training=True, key=key, hard={}))

    assert drawn(["a", "b"], "1/0") == list(reversed(drawn(["b", "a"], "1/0")))
    assert drawn(["a"], "1/0") != drawn(["b"], "1/0")
    assert drawn(["a"], "1/0") != drawn(["a"], "1/1")
