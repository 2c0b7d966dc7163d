"""Batched schemas (paper, section 2.2): what is asked for together."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.batching import Asked, asked_for_test, asked_for_training, batches
from massie.build.drawing import draws

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


@settings(deadline=None)
@given(st.integers(0, 200))
def test_without_a_size_all_items_are_one_batch(count: int):
    assert batches(range(count), None) == ([tuple(range(count))] if count else [])


@dataclass(frozen=True)
class Case:
    """Instances that are asked for: labels by name, the positive ones of each, and which are hard negatives."""

    names: list[str]
    positive: list[set[str]]
    hard: dict[str, set[str]]
    keys: list[int]
    size: int | None

    def asked(self, names: list[str] | None = None) -> list[list[tuple[str, ...]]]:
        """The batches of each instance; ``names`` are the same labels in another order."""
        names = names or self.names
        place = {name: index for index, name in enumerate(names)}
        positive = np.zeros((len(self.positive), len(names)), bool)
        for row, chosen in enumerate(self.positive):
            positive[row, [place[name] for name in chosen]] = True
        hard = np.zeros((len(names), len(names)), bool)
        for name, negatives in self.hard.items():
            hard[place[name], [place[negative] for negative in negatives]] = True
        asked = asked_for_training(positive, hard, names, np.array(self.keys, np.uint64), self.size)
        indices = by_instance(asked, len(positive))
        return [[tuple(names[index] for index in batch) for batch in each] for each in indices]


def rows_of(asked: Asked) -> list[tuple[int, tuple[int, ...]]]:
    """Of each sample the place of its instance and what it asks for."""
    starts: list[int] = asked.starts.tolist()
    schemas: list[int] = asked.schemas.tolist()
    instances: list[int] = asked.instance.tolist()
    return [(instances[row], tuple(schemas[starts[row] : starts[row + 1]])) for row in range(len(asked))]


def by_instance(asked: Asked, instances: int) -> list[list[tuple[int, ...]]]:
    """The batches of each instance, in the order in which they stand."""
    rows = rows_of(asked)
    assert [place for place, _ in rows] == sorted(place for place, _ in rows), "samples of an instance stand together"
    found: list[list[tuple[int, ...]]] = [[] for _ in range(instances)]
    for place, batch in rows:
        found[place].append(batch)
    return found


def flat(batches_of_one: list[tuple[str, ...]]) -> list[str]:
    return [name for batch in batches_of_one for name in batch]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = [f"label {number}" for number in range(draw(COUNTS))]
    some = st.lists(st.sampled_from(names), max_size=6).map(set)
    positive = draw(st.lists(some, max_size=4))
    hard = draw(st.dictionaries(st.sampled_from(names), some, max_size=8))
    keys = draw(st.lists(st.integers(0, 2**64 - 1), min_size=len(positive), max_size=len(positive)))
    return Case(names, positive, hard, keys, draw(SIZES | st.none()))


def plain(number: int, positive: set[int], instances: int, size: int | None = 6, key: str = "key") -> Case:
    """Many instances with the same positive ones of so many labels, and no hard negatives."""
    names = [f"label {index}" for index in range(number)]
    keys = draws(key, map(str, range(instances))).tolist()
    return Case(names, [{names[index] for index in positive}] * instances, {}, keys, size)


@settings(deadline=None)
@given(cases())
def test_an_instance_is_asked_for_its_positives_their_hard_negatives_and_at_most_a_batch_of_others(case: Case):
    for positive, asked in zip(case.positive, case.asked(), strict=True):
        found = flat(asked)
        assert len(found) == len(set(found))
        if positive:
            sure = positive.union(*(case.hard.get(name, ()) for name in positive))
            assert sure <= set(found)
            others = len(case.names) if case.size is None else case.size
            assert len(found) == min(len(case.names), len(sure) + others)


@settings(deadline=None)
@given(cases())
def test_an_instance_without_positives_is_asked_for_at_least_one_schema(case: Case):
    empty = replace(case, positive=[set() for _ in case.positive])
    for asked in empty.asked():
        assert set(flat(asked)) <= set(case.names)
        assert flat(asked)


@settings(deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_what_is_asked_depends_on_names_and_key_and_on_no_order(case: Case, dice: random.Random):
    assert case.asked() == case.asked(dice.sample(case.names, len(case.names)))


@settings(deadline=None)
@given(cases())
def test_what_is_asked_depends_on_no_other_instance(case: Case):
    alone = [replace(case, positive=[each], keys=[key]) for each, key in zip(case.positive, case.keys, strict=True)]
    assert case.asked() == [each for one in alone for each in one.asked()]


@settings(deadline=None)
@given(cases())
def test_what_training_asks_for_is_batched_by_the_remainder_rule(case: Case):
    for asked in case.asked():
        assert asked == batches(flat(asked), case.size)


def test_without_a_size_an_instance_with_positives_is_asked_for_everything_at_once():
    for (batch,) in plain(200, {7}, 20, size=None).asked():
        assert len(batch) == len(set(batch)) == 200


def test_without_positives_each_schema_is_drawn_with_probability_one_half():
    counts = [len(flat(asked)) for asked in plain(40, set(), 500).asked()]
    assert 19 < sum(counts) / len(counts) < 21


def test_without_positives_schemas_are_drawn_one_by_one_and_not_together():
    case = plain(40, set(), 4000)
    drawn = np.array([[name in set(flat(asked)) for name in case.names] for asked in case.asked()], float)
    alike = np.corrcoef(drawn, rowvar=False) - np.eye(40)
    assert np.abs(alike).max() < 5 / np.sqrt(4000)
    assert np.abs(np.corrcoef(drawn[:40]) - np.eye(40)).max() < 5 / np.sqrt(40)


def test_a_single_schema_is_always_asked_for():
    assert plain(1, set(), 50).asked() == [[("label 0",)]] * 50


def test_the_other_negatives_are_drawn_evenly():
    case = plain(21, {0}, 2000)
    times = Counter(name for asked in case.asked() for name in flat(asked))
    assert times.pop("label 0") == 2000
    assert len(times) == 20
    assert all(500 < each < 700 for each in times.values())  # 2000 * 6 / 20, give or take


def test_the_order_of_asking_does_not_tell_which_schemas_are_positive():
    places = [flat(asked).index("label 5") for asked in plain(13, {5}, 1400).asked()]
    assert all(140 < places.count(place) < 260 for place in range(7))  # 1400 / 7, give or take


@settings(deadline=None)
@given(COUNTS, SIZES | st.none(), st.integers(0, 5))
def test_a_test_text_is_asked_for_every_schema_once_in_the_cards_order(count: int, size: int | None, instances: int):
    asked = by_instance(asked_for_test(instances, count, size), instances)
    assert asked == [batches(range(count), size)] * instances
    assert [[index for batch in each for index in batch] for each in asked] == [list(range(count))] * instances


def test_training_draws_differ_between_instances_and_keys():
    def drawn(ids: list[str], key: str) -> list[list[tuple[str, ...]]]:
        case = plain(30, {0}, len(ids))
        return replace(case, keys=draws(key, ids).tolist()).asked()

    assert drawn(["a", "b"], "1/0") == list(reversed(drawn(["b", "a"], "1/0")))
    assert drawn(["a"], "1/0") != drawn(["b"], "1/0")
    assert drawn(["a"], "1/0") != drawn(["a"], "1/1")


@settings(deadline=None)
@given(cases(), st.data())
def test_samples_that_are_taken_keep_what_they_ask(case: Case, data: st.DataObject):
    asked = asked_for_test(len(case.positive), len(case.names), case.size)
    rows = np.array(data.draw(st.lists(st.booleans(), min_size=len(asked), max_size=len(asked))), bool)
    taken = asked.take(rows)
    assert rows_of(taken) == [each for each, kept in zip(rows_of(asked), rows.tolist(), strict=True) if kept]
    assert len(taken) == int(rows.sum())
