"""De-duplication of train texts and de-contamination of train and dev (paper, appendix B)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.filters import decontaminate, deduplicate, text_key
from massie.build.instances import Steps
from massie.types import Cell, Instance, Split, Task

Key = tuple[Cell, Split]
Cells = dict[Key, list[Instance]]


def key(dataset: str, split: Split, task: Task = Task.NER, language: str = "swa") -> Key:
    return Cell(task, dataset, language), split


def cells_of(texts: Mapping[Key, Iterable[str]]) -> Cells:
    return {
        (cell, split): [Instance(text, cell.dataset, cell.language, split, text, ()) for text in dict.fromkeys(each)]
        for (cell, split), each in texts.items()
    }


def texts_of(cells: Cells) -> dict[Key, list[str]]:
    return {place: [instance.text for instance in instances] for place, instances in cells.items()}


def steps_of(cells: Cells) -> dict[Key, Steps]:
    return {place: Steps() for place in cells}


KEYS = st.builds(
    key,
    st.sampled_from(["amur", "niger", "zambezi"]),
    st.sampled_from(Split),
    st.sampled_from([Task.NER, Task.RE]),
    st.sampled_from(["swa", "deu"]),
)
CELLS = st.dictionaries(KEYS, st.lists(st.text("aé e\u0301\n", min_size=1, max_size=3)), max_size=10).map(cells_of)


def test_a_train_text_stays_in_the_first_dataset_by_id_only():
    first, second = key("amur", Split.TRAIN), key("zambezi", Split.TRAIN)
    cells = cells_of({second: ["both", "mine"], first: ["both", "other"]})
    steps = steps_of(cells)
    assert texts_of(deduplicate(cells, steps)) == {first: ["both", "other"], second: ["mine"]}
    assert steps[second].dropped.counts == {"train text that another dataset has": 1}
    assert steps[second].texts == {"de-duplicate": 1}
    assert not steps[first].dropped.counts


def test_each_task_has_its_own_train_texts():
    ner, relations = key("amur", Split.TRAIN), key("zambezi", Split.TRAIN, Task.RE)
    cells = cells_of({ner: ["both"], relations: ["both"]})
    assert texts_of(deduplicate(cells, steps_of(cells))) == {ner: ["both"], relations: ["both"]}


@pytest.mark.parametrize("split", [Split.DEV, Split.TEST])
def test_dev_and_test_texts_may_occur_in_several_datasets(split: Split):
    cells = cells_of({key("amur", split): ["both"], key("zambezi", split): ["both"]})
    assert texts_of(deduplicate(cells, steps_of(cells))) == texts_of(cells)


@settings(deadline=None)
@given(CELLS, st.randoms(use_true_random=False))
def test_de_duplication_depends_on_no_order(cells: Cells, dice: random.Random):
    shuffled = {place: dice.sample(cells[place], len(cells[place])) for place in dice.sample([*cells], len(cells))}
    once = texts_of(deduplicate(cells, steps_of(cells)))
    again = texts_of(deduplicate(shuffled, steps_of(shuffled)))
    assert {place: sorted(texts) for place, texts in once.items()} == {
        place: sorted(texts) for place, texts in again.items()
    }


def test_the_languages_of_one_dataset_keep_the_train_texts_that_they_share():
    swahili, german = key("amur", Split.TRAIN), key("amur", Split.TRAIN, language="deu")
    cells = cells_of({swahili: ["both"], german: ["both"]})
    assert texts_of(deduplicate(cells, steps_of(cells))) == texts_of(cells)


@settings(deadline=None)
@given(CELLS)
def test_a_train_text_is_kept_in_every_cell_of_its_first_dataset_and_in_no_other(cells: Cells):
    before, after = texts_of(cells), texts_of(deduplicate(cells, steps_of(cells)))
    for (cell, split), texts in before.items():
        for text in texts:
            owners = [
                c.dataset for (c, s), each in before.items() if (c.task, s) == (cell.task, split) and text in each
            ]
            stays = split is not Split.TRAIN or cell.dataset == min(owners)
            assert (text in after[cell, split]) == stays


@pytest.mark.parametrize("split", [Split.TRAIN, Split.DEV])
def test_a_text_that_is_a_test_text_of_any_dataset_task_and_language_is_removed(split: Split):
    mine = key("amur", split)
    cells = cells_of({mine: ["seen", "unseen"], key("zambezi", Split.TEST, Task.RE, "deu"): ["seen"]})
    steps = steps_of(cells)
    assert texts_of(decontaminate(cells, steps))[mine] == ["unseen"]
    assert steps[mine].dropped.counts == {"text that is also a test text": 1}
    assert steps[mine].texts == {"de-contaminate": 1}


@pytest.mark.parametrize("variant", ["caf\u00e9  au\tlait", " cafe\u0301 au lait\n", "cafe\u0301\u00a0au\u3000lait"])
def test_test_texts_are_known_again_in_other_unicode_forms_and_spacing(variant: str):
    mine = key("amur", Split.TRAIN)
    cells = cells_of({mine: [variant], key("amur", Split.TEST): ["caf\u00e9 au lait"]})
    assert texts_of(decontaminate(cells, steps_of(cells)))[mine] == []


@pytest.mark.parametrize("other", ["Caf\u00e9", "cafe", "ca f\u00e9"])
def test_case_accents_and_word_breaks_tell_texts_apart(other: str):
    assert text_key("caf\u00e9") != text_key(other)


@settings(deadline=None)
@given(CELLS)
def test_after_de_contamination_no_train_or_dev_text_is_a_test_text_and_test_is_untouched(cells: Cells):
    kept = decontaminate(cells, steps_of(cells))
    tested = {text_key(text) for (_, split), texts in texts_of(kept).items() if split is Split.TEST for text in texts}
    for (cell, split), texts in texts_of(kept).items():
        before = texts_of(cells)[cell, split]
        assert texts == [text for text in before if split is Split.TEST or text_key(text) not in tested]
