"""De-duplication of train texts and de-contamination of train and dev (paper, appendix B)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.drawing import short_hash
from massie.build.filters import CONTAMINATED, DUPLICATE, CellSplit, Filtered, Overlap, among, filtered
from massie.build.staged import Staged, merged
from massie.types import Cell, Instance, Split, Task

Runs = list[list[str]]
Texts = dict[CellSplit, Runs]
"""The texts of every cell and split, in runs; none twice in one run."""


def key(dataset: str, split: Split, task: Task = Task.NER, language: str = "swa") -> CellSplit:
    return CellSplit(Cell(task, dataset, language), split)


def staged(place: CellSplit, texts: Iterable[str]) -> Staged:
    cell, split = place
    return Staged.of(
        [
            Instance(short_hash(cell.dataset, cell.language, split, text), *cell[1:], split, text, ())
            for text in dict.fromkeys(texts)
        ],
        (),
    )


def runs_of(texts: Mapping[CellSplit, Runs]) -> dict[CellSplit, list[Staged]]:
    return {place: [staged(place, run) for run in runs] for place, runs in texts.items()}


def found_in(texts: Mapping[CellSplit, Runs]) -> Filtered:
    return filtered({place: (lambda runs=runs: runs) for place, runs in runs_of(texts).items()})


def kept(texts: Mapping[CellSplit, Runs]) -> dict[CellSplit, set[str]]:
    """What both filters leave."""
    removals = found_in(texts).removals
    left: dict[CellSplit, set[str]] = {}
    for place, runs in runs_of(texts).items():
        left[place] = set()
        for part in merged(runs, 2):
            gone = list(removals[place].masks(part))
            left[place].update(part.take(~np.logical_or.reduce(gone)).texts())
    return left


def one_run(texts: Mapping[CellSplit, Iterable[str]]) -> Texts:
    return {place: [[*each]] for place, each in texts.items()}


def lost(texts: Texts, place: CellSplit) -> list[list[str]]:
    """What each filter takes from a cell of one run."""
    part = runs_of(texts)[place][0]
    return [part.take(mask).texts() for mask in found_in(texts).removals[place].masks(part)]


KEYS = st.builds(
    key,
    st.sampled_from(["amur", "niger", "zambezi"]),
    st.sampled_from(Split),
    st.sampled_from([Task.NER, Task.RE]),
    st.sampled_from(["swa", "deu"]),
)
RUNS = st.lists(st.lists(st.text("aé e\u0301\n", min_size=1, max_size=3), unique=True), max_size=3)
TEXTS = st.dictionaries(KEYS, RUNS, max_size=10)


def folded(text: str) -> str:
    return " ".join(normalize("NFC", text).split())


class Naive:
    """Both filters as sets, straight from the specification."""

    def __init__(self, texts: Texts) -> None:
        self.before = {place: {text for run in runs for text in run} for place, runs in texts.items()}
        self.overlaps: Counter[Overlap] = Counter()
        self.single = {place: set(self._single(place)) for place in texts}
        self.kept = {place: set(self._clean(place)) for place in texts}

    def _single(self, place: CellSplit) -> Iterable[str]:
        (task, dataset, _), split = place
        for text in self.before[place]:
            owner = min(
                c.dataset for (c, s), texts in self.before.items() if (c.task, s) == (task, split) and text in texts
            )
            if split is not Split.TRAIN or owner == dataset:
                yield text
            else:
                self.overlaps[Overlap(DUPLICATE, task, dataset, owner)] += 1

    def _clean(self, place: CellSplit) -> Iterable[str]:
        (task, dataset, _), split = place
        for text in self.single[place]:
            others = {
                cell.dataset
                for (cell, other), tested in self.before.items()
                if other is Split.TEST and folded(text) in map(folded, tested)
            }
            if split is Split.TEST or not others:
                yield text
            else:
                self.overlaps.update(Overlap(CONTAMINATED, task, dataset, other) for other in others)


@settings(deadline=None, max_examples=150)
@given(TEXTS)
def test_both_filters_leave_what_plain_sets_leave(texts: Texts):
    assert kept(texts) == Naive(texts).kept


@settings(deadline=None, max_examples=150)
@given(TEXTS)
def test_overlaps_are_what_plain_sets_count_by_pairs_of_datasets(texts: Texts):
    assert found_in(texts).overlaps == Naive(texts).overlaps


def test_a_train_text_stays_in_the_first_dataset_by_id_only():
    first, second = key("amur", Split.TRAIN), key("zambezi", Split.TRAIN)
    texts = one_run({second: ["both", "mine"], first: ["both", "other"]})
    assert kept(texts) == {first: {"both", "other"}, second: {"mine"}}
    assert lost(texts, second) == [["both"], []]
    assert lost(texts, first) == [[], []]


def test_each_task_has_its_own_train_texts():
    ner, relations = key("amur", Split.TRAIN), key("zambezi", Split.TRAIN, Task.RE)
    assert kept(one_run({ner: ["both"], relations: ["both"]})) == {ner: {"both"}, relations: {"both"}}


@pytest.mark.parametrize("split", [Split.DEV, Split.TEST])
def test_dev_and_test_texts_may_occur_in_several_datasets(split: Split):
    cells = {key("amur", split): ["both"], key("zambezi", split): ["both"]}
    assert kept(one_run(cells)) == {place: {"both"} for place in cells}


@pytest.mark.parametrize("variant", ["both ", "bo\u0301th", "Both"])
def test_train_texts_are_compared_as_they_stand(variant: str):
    first, second = key("amur", Split.TRAIN), key("zambezi", Split.TRAIN)
    assert kept(one_run({first: ["both", "b\u00f3th"], second: [variant]}))[second] == {variant}


@settings(deadline=None, max_examples=50)
@given(TEXTS, st.randoms(use_true_random=False))
def test_filters_depend_on_no_order_of_cells_or_texts_and_on_no_cut_into_runs(texts: Texts, dice: random.Random):
    again: Texts = {}
    for place in dice.sample([*texts], len(texts)):
        every = sorted({text for run in texts[place] for text in run})
        runs: Runs = [[], []]
        for text in dice.sample(every, len(every)):
            for run in dice.sample(runs, dice.choice([1, 1, 2])):
                run.append(text)
        again[place] = runs
    assert kept(again) == kept(texts)
    assert found_in(again).overlaps == found_in(texts).overlaps
    assert {place: removals.digest() for place, removals in found_in(again).removals.items()} == {
        place: removals.digest() for place, removals in found_in(texts).removals.items()
    }


def test_the_languages_of_one_dataset_keep_the_train_texts_that_they_share():
    swahili, german = key("amur", Split.TRAIN), key("amur", Split.TRAIN, language="deu")
    assert kept(one_run({swahili: ["both"], german: ["both"]})) == {swahili: {"both"}, german: {"both"}}


def test_another_dataset_loses_a_train_text_in_each_of_its_languages():
    mine = [key("zambezi", Split.TRAIN), key("zambezi", Split.TRAIN, language="deu")]
    texts = one_run({key("amur", Split.TRAIN): ["both"], **{place: ["both", "mine"] for place in mine}})
    assert [kept(texts)[place] for place in mine] == [{"mine"}, {"mine"}]
    assert found_in(texts).overlaps == {Overlap(DUPLICATE, Task.NER, "zambezi", "amur"): 2}


@pytest.mark.parametrize("split", [Split.TRAIN, Split.DEV])
def test_a_text_that_is_a_test_text_of_any_dataset_task_and_language_is_removed(split: Split):
    mine = key("amur", split)
    texts = one_run({mine: ["seen", "unseen"], key("zambezi", Split.TEST, Task.RE, "deu"): ["seen"]})
    assert kept(texts)[mine] == {"unseen"}
    assert lost(texts, mine) == [[], ["seen"]]


def test_a_text_that_two_filters_would_remove_is_counted_by_the_first():
    mine = key("zambezi", Split.TRAIN)
    texts = one_run({mine: ["both"], key("amur", Split.TRAIN): ["both"], key("amur", Split.TEST): ["both"]})
    assert lost(texts, mine) == [["both"], []]
    assert found_in(texts).overlaps == {
        Overlap(DUPLICATE, Task.NER, "zambezi", "amur"): 1,
        Overlap(CONTAMINATED, Task.NER, "amur", "amur"): 1,
    }


def test_overlaps_are_counted_by_pairs_of_datasets():
    texts = one_run(
        {
            key("amur", Split.TRAIN): ["a", "b", "tested here"],
            key("niger", Split.TRAIN): ["a", "c"],
            key("zambezi", Split.TRAIN): ["a", "b", "c", "mine"],
            key("zambezi", Split.DEV): ["tested  here", "tested there"],
            key("amur", Split.TEST): ["tested here", "tested there"],
            key("niger", Split.TEST, Task.RE, "deu"): ["tested there"],
        }
    )
    assert found_in(texts).overlaps == {
        Overlap(DUPLICATE, Task.NER, "niger", "amur"): 1,
        Overlap(DUPLICATE, Task.NER, "zambezi", "amur"): 2,
        Overlap(DUPLICATE, Task.NER, "zambezi", "niger"): 1,
        Overlap(CONTAMINATED, Task.NER, "amur", "amur"): 1,
        Overlap(CONTAMINATED, Task.NER, "zambezi", "amur"): 2,
        Overlap(CONTAMINATED, Task.NER, "zambezi", "niger"): 1,
    }


def test_a_text_that_stands_in_several_runs_of_a_cell_is_one_overlap():
    first, second = key("amur", Split.TRAIN), key("zambezi", Split.TRAIN)
    dev, test = key("zambezi", Split.DEV), key("amur", Split.TEST)
    texts: Texts = {first: [["a"], ["a"]], second: [["a"], ["a", "b"]], dev: [["t"], ["t"]], test: [["t"], ["t"]]}
    assert found_in(texts).overlaps == {
        Overlap(DUPLICATE, Task.NER, "zambezi", "amur"): 1,
        Overlap(CONTAMINATED, Task.NER, "zambezi", "amur"): 1,
    }


@pytest.mark.parametrize("variant", ["caf\u00e9  au\tlait", " cafe\u0301 au lait\n", "cafe\u0301\u00a0au\u3000lait"])
def test_test_texts_are_known_again_in_other_unicode_forms_and_spacing(variant: str):
    mine, test = key("amur", Split.TRAIN), key("amur", Split.TEST)
    assert kept(one_run({mine: [variant], test: ["caf\u00e9 au lait"]}))[mine] == set()


@pytest.mark.parametrize("other", ["Caf\u00e9", "cafe", "ca f\u00e9"])
def test_case_accents_and_word_breaks_tell_texts_apart(other: str):
    mine, test = key("amur", Split.TRAIN), key("amur", Split.TEST)
    assert kept(one_run({mine: [other], test: ["caf\u00e9"]}))[mine] == {other}


@settings(deadline=None)
@given(TEXTS)
def test_after_de_contamination_no_train_or_dev_text_is_a_test_text_and_test_is_untouched(texts: Texts):
    left = kept(texts)
    tested = {folded(text) for (_, split), each in left.items() if split is Split.TEST for text in each}
    for place, each in left.items():
        before = {text for run in texts[place] for text in run}
        if place.split is Split.TEST:
            assert each == before
        else:
            assert not tested.intersection(map(folded, each))


def test_removals_are_named_by_what_they_remove():
    mine = key("zambezi", Split.TRAIN)
    pools = [{}, {key("amur", Split.TRAIN): ["a"]}, {key("amur", Split.TEST): ["a"]}, {key("amur", Split.TEST): ["b"]}]
    digests = {found_in(one_run({mine: ["a", "b"]} | pool)).removals[mine].digest() for pool in pools}
    assert len(digests) == len(pools)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_keys_are_found_among_a_sorted_pool(keys: list[int], pool: set[int]):
    found = among(np.array(keys, np.uint64), np.array(sorted(pool), np.uint64))
    assert found.tolist() == [each in pool for each in keys]
