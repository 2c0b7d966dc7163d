"""Mining hard negatives: small label sets by hand, a naive reference, and what two tables differ in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from massie.build.negatives.embedders import Embedder, load_embedder
from massie.build.negatives.mining import Change, changes, mined, nearest
from massie.catalogue import EmbedderEntry, NegativesTable
from massie.types import Schema, Task


@pytest.fixture(scope="module")
def tfidf() -> Embedder:
    return load_embedder("tfidf")


def schemas(*names: str) -> list[Schema]:
    return [Schema(name) for name in names]


class Vectors:
    """An embedder whose vectors are written down, by text."""

    entry = EmbedderEntry(name="vectors")

    def __init__(self, **vectors: tuple[float, float]) -> None:
        self.vectors = vectors

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([self.vectors[text] for text in texts], dtype=np.float64)


def test_the_nearest_have_the_highest_cosine_whatever_their_length():
    # East points east; the cosines to it are 0.8, 0.6, 0 and -1.
    east = Vectors(east=(1, 0), near=(8, 6), far=(0.3, 0.4), north=(0, 9), west=(-5, 0))
    found = nearest(schemas("west", "north", "far", "near", "east"), east, 3)
    assert found["east"] == ["near", "far", "north"]


def test_a_label_is_no_negative_of_its_own_though_nothing_is_more_like_it():
    same = Vectors(a=(1, 1), b=(1, 1), c=(1, 0))
    assert nearest(schemas("a", "b", "c"), same, 1) == {"a": ["b"], "b": ["a"], "c": ["a"]}


def test_labels_as_like_as_each_other_come_in_the_cards_order():
    equal = Vectors(d=(0, 1), a=(1, 0), c=(1, 0), b=(1, 0))
    assert nearest(schemas("d", "c", "a", "b"), equal, 2)["d"] == ["c", "a"]


def test_similarities_that_differ_in_the_last_digits_alone_are_equal():
    nearly = Vectors(d=(1, 0), a=(1, 1), b=(1, 1 - 1e-12))
    assert nearest(schemas("d", "a", "b"), nearly, 1)["d"] == ["a"]


def test_a_vector_of_zeros_is_like_nothing():
    zeros = Vectors(a=(0, 0), b=(1, 0), c=(1, 0))
    assert nearest(schemas("a", "b", "c"), zeros, 2) == {"a": ["b", "c"], "b": ["c", "a"], "c": ["b", "a"]}


def test_near_names_are_found(tfidf: Embedder):
    names = ["city", "river", "date of birth", "riverbank", "lake", "date of death", "cities"]
    found = nearest(schemas(*names), tfidf, 1)
    assert found["river"] == ["riverbank"]
    assert found["riverbank"] == ["river"]
    assert found["date of birth"] == ["date of death"]
    assert found["cities"] == ["city"]


def test_near_names_are_found_in_any_script(tfidf: Embedder):
    found = nearest(schemas("上市公司", "人物", "上市日期", "город", "人物关系", "городской округ"), tfidf, 1)
    assert (found["上市公司"], found["人物"], found["город"]) == (["上市日期"], ["人物关系"], ["городской округ"])


def test_what_the_description_says_counts(tfidf: Embedder):
    found = nearest([Schema("AN", "lawyer"), Schema("PER", "who lives on a river"), Schema("RR", "lawyers")], tfidf, 1)
    assert found["AN"] == ["RR"]
    assert found["RR"] == ["AN"]


@pytest.mark.parametrize(("k", "number"), [(1, 1), (3, 3), (5, 3), (100, 3)])
def test_each_label_has_k_or_all_others_where_they_are_fewer(tfidf: Embedder, k: int, number: int):
    found = nearest(schemas("river", "lake", "sea", "pond"), tfidf, k)
    assert {len(negatives) for negatives in found.values()} == {number}


def test_one_label_alone_has_none_and_no_labels_are_no_fault(tfidf: Embedder):
    assert nearest(schemas("river"), tfidf, 5) == {"river": []}
    assert nearest([], tfidf, 5) == {}


def reference(texts: Sequence[str]) -> list[list[float]]:
    """The cosine of every two texts, from the textbook: n-grams within padded words, smoothed idf."""
    grams: list[Counter[str]] = []
    for text in texts:
        found: Counter[str] = Counter()
        for word in text.lower().split():
            padded = f" {word} "
            for size in (2, 3, 4):
                found.update(
                    {padded} if len(padded) < size else [padded[i : i + size] for i in range(len(padded) - size + 1)]
                )
        grams.append(found)
    frequency = Counter(gram for found in grams for gram in found)
    idf = {gram: math.log((1 + len(texts)) / (1 + count)) + 1 for gram, count in frequency.items()}
    weighted = [{gram: count * idf[gram] for gram, count in found.items()} for found in grams]
    norms = [math.sqrt(sum(weight**2 for weight in each.values())) for each in weighted]
    return [
        [
            sum(weight * two.get(gram, 0) for gram, weight in one.items()) / (norms[i] * norms[j])
            for j, two in enumerate(weighted)
        ]
        for i, one in enumerate(weighted)
    ]


WORDS = st.lists(st.text("abc", min_size=2, max_size=5), min_size=1, max_size=2).map(" ".join)
NAMES = st.lists(WORDS, min_size=2, max_size=9, unique=True)


@given(names=NAMES, k=st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_no_label_left_out_is_more_like_it_than_one_taken(tfidf: Embedder, names: list[str], k: int):
    found, cosines = nearest(schemas(*names), tfidf, k), reference(names)
    for place, name in enumerate(names):
        taken = [cosines[place][names.index(negative)] for negative in found[name]]
        left = [cosines[place][other] for other, each in enumerate(names) if each not in {*found[name], name}]
        assert all(one > other - 2e-6 for one, other in zip(taken, [*taken[1:], *left], strict=False))
        assert all(min(taken) > other - 2e-6 for other in left)


def test_the_table_does_not_depend_on_the_order_of_the_cards(tfidf: Embedder, make_card):
    cards = [make_card(dataset) for dataset in ("rivers", "lakes", "towns")]
    one, other = mined(cards, tfidf, 5), mined(cards[::-1], tfidf, 5)
    assert one == other
    assert one.text() == other.text()


def test_the_table_names_datasets_tasks_and_labels_and_what_it_was_made_with(tfidf: Embedder, make_card):
    card = make_card(tasks=["NER", "SF"], slots={"W": {"name": "when"}, "X": {"drop": True}, "Y": {"name": "where"}})
    table = mined([card], tfidf, 1)
    assert table.embedder == EmbedderEntry(name="tfidf", revision="char_wb 2-4")
    assert table.k == 1
    assert set(table.negatives["rivers"][Task.NER]) == {"river", "lake", "town"}
    assert table.negatives["rivers"][Task.SF] == {"when": ["where"], "where": ["when"]}


def test_a_card_that_only_describes_its_dataset_is_not_in_the_table(tfidf: Embedder, make_card):
    described = make_card("seas", status="described", entities={}, source=None, reader=None)
    assert set(mined([described, make_card("rivers")], tfidf, 5).negatives) == {"rivers"}


def table_of(**labels: list[str]) -> NegativesTable:
    return NegativesTable(embedder=EmbedderEntry(name="tfidf"), k=1, negatives={"waters": {Task.NER: labels}})


def test_two_tables_differ_in_labels_that_come_go_or_have_other_negatives():
    before = table_of(river=["lake"], lake=["sea"], sea=["lake"])
    after = table_of(river=["lake"], lake=["river"], pond=["lake"])
    assert changes(before, after) == [
        Change("waters", Task.NER, "lake", ["sea"], ["river"]),
        Change("waters", Task.NER, "pond", None, ["lake"]),
        Change("waters", Task.NER, "sea", ["lake"], None),
    ]
    assert changes(after, after) == []


def test_another_order_of_the_negatives_is_a_change_for_they_stand_nearest_first():
    def tables(*orders: list[str]) -> list[NegativesTable]:
        plain = {"river": ["lake", "sea"], "sea": ["lake", "river"]}
        made = [{"waters": {Task.NER: {**plain, "lake": order}}} for order in orders]
        return [NegativesTable(embedder=EmbedderEntry(name="tfidf"), k=2, negatives=each) for each in made]

    before, after = tables(["river", "sea"], ["sea", "river"])
    assert [change.label for change in changes(before, after)] == ["lake"]


def test_to_no_table_at_all_everything_is_new():
    assert [change.before for change in changes(None, table_of(river=["lake"], lake=["river"]))] == [None, None]
