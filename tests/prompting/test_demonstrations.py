"""Demonstrations: drawn by rule from the build, the same wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.build import Benchmark
from massie.prompting import AnswerFormat, Form, Prompt, load_prompt
from massie.prompting.demonstrations import Drawing, lowest, normalised
from massie.prompting.gold import reads_back
from massie.prompting.options import ShownIn
from massie.types import BuildError, Sample, Split, Task, mentions_of


def prompt_for(task: Task = Task.NER, **changed: Any) -> Prompt:
    return load_prompt(f"{task.lower()}-en").model_copy(update={"demonstrations": {}} | changed)


def drawing(benchmark: Benchmark, k: int = 2, seed: int = 0, shown_in: ShownIn = ShownIn.ENGLISH) -> Drawing:
    return Drawing(benchmark, k, seed, shown_in)


def ids(samples: tuple[Sample, ...]) -> list[str]:
    return [sample.id for sample in samples]


def without(demo: Benchmark, *languages: str) -> Benchmark:
    """The benchmark without train samples in some languages."""
    kept = [
        entry for entry in demo.manifest.cells if not (entry.split is Split.TRAIN and entry.cell.language in languages)
    ]
    return replace(demo, manifest=demo.manifest.model_copy(update={"cells": kept}))


# ---- Which samples


@pytest.mark.parametrize("task", Task)
def test_demonstrations_are_train_samples_with_gold_of_one_english_dataset(task: Task, demo: Benchmark) -> None:
    drawn = drawing(demo).for_samples_in("swa", prompt_for(task))
    assert len(drawn.samples) == 2
    for sample in drawn.samples:
        assert sample.gold
        assert (sample.task, sample.dataset, sample.language) == (task, drawn.dataset, "eng")
        assert sample.split is Split.TRAIN


def test_they_are_the_same_each_time_and_others_with_another_seed(demo: Benchmark) -> None:
    first, again = (drawing(demo).for_samples_in("eng", prompt_for()) for _ in range(2))
    assert first == again
    seeds = {tuple(ids(drawing(demo, seed=seed).for_samples_in("eng", prompt_for()).samples)) for seed in range(9)}
    assert len(seeds) > 1


def test_fewer_are_the_first_of_more(demo: Benchmark) -> None:
    one, three = (drawing(demo, k=k).for_samples_in("eng", prompt_for()).samples for k in (1, 3))
    assert three[:1] == one


def test_the_part_of_the_benchmark_that_is_looked_at_changes_nothing(demo: Benchmark) -> None:
    part = demo.select(tasks=["NER"], languages=["swa"], datasets=["demo-nature"], limit=1)
    prompt = prompt_for()
    assert drawing(part).for_samples_in("swa", prompt) == drawing(demo).for_samples_in("swa", prompt)


def test_gold_that_the_prompt_cannot_say_is_not_shown(demo: Benchmark) -> None:
    (first,) = drawing(demo, k=1).for_samples_in("eng", prompt_for()).samples
    assert first.gold
    within = mentions_of(first.gold[0])[0][1].surface[1:-1]
    pairs = AnswerFormat(form=Form.PAIRS, item_separator=within)
    (other,) = drawing(demo, k=1).for_samples_in("eng", prompt_for(answer=pairs)).samples
    assert not reads_back(first.gold, Task.NER, pairs)
    assert reads_back(other.gold or (), Task.NER, pairs)


# ---- Which dataset


def test_the_first_listed_dataset_of_the_build_is_taken(demo: Benchmark) -> None:
    listed = prompt_for(demonstrations={"eng": ["demo-nature", "demo-everyday"]})
    drawn = drawing(demo, k=1).for_samples_in("eng", listed)
    assert (drawn.dataset, drawn.stands_in_for) == ("demo-nature", None)


def test_another_listed_dataset_stands_in_for_the_first(demo: Benchmark) -> None:
    listed = prompt_for(demonstrations={"eng": ["conll2003", "demo-nature"]})
    drawn = drawing(demo, k=1).for_samples_in("eng", listed)
    assert (drawn.dataset, drawn.stands_in_for) == ("demo-nature", "conll2003")


def test_where_none_is_listed_that_the_build_has_the_first_of_the_build_stands_in(demo: Benchmark) -> None:
    drawn = drawing(demo).for_samples_in("eng", prompt_for(demonstrations={"eng": ["conll2003"]}))
    assert (drawn.dataset, drawn.stands_in_for) == ("demo-everyday", "conll2003")


def test_a_build_without_english_train_samples_says_what_to_build(demo: Benchmark) -> None:
    listed = prompt_for(demonstrations={"eng": ["conll2003", "ewt-uner"]})
    with pytest.raises(BuildError) as error:
        drawing(without(demo, "eng")).for_samples_in("swa", listed)
    assert str(error.value) == (
        "the build of m-demo has no English train samples with gold for NER to show as demonstrations; "
        "build conll2003 or ewt-uner too, or run without any: --option method=zero-shot"
    )


def test_more_than_there_are_texts_with_gold_is_refused(demo: Benchmark) -> None:
    with pytest.raises(
        BuildError, match=r"^50 demonstrations are more than there are: demo-everyday has (\d) train te"
    ):
        drawing(demo, k=50).for_samples_in("eng", prompt_for())


# ---- Which language


def test_demonstrations_may_be_in_the_sample_s_language(demo: Benchmark) -> None:
    drawn = drawing(demo, shown_in=ShownIn.IN_LANGUAGE).for_samples_in("swa", prompt_for())
    assert drawn.language == "swa"
    assert {sample.language for sample in drawn.samples} == {"swa"}


def test_the_datasets_are_those_listed_for_that_language(demo: Benchmark) -> None:
    listed = prompt_for(demonstrations={"swa": ["demo-nature"], "eng": ["demo-everyday"]})
    shown = drawing(demo, k=1, shown_in=ShownIn.IN_LANGUAGE)
    assert shown.for_samples_in("swa", listed).dataset == "demo-nature"
    assert shown.for_samples_in("eng", listed).dataset == "demo-everyday"


def test_where_there_are_none_in_that_language_english_ones_are_shown(demo: Benchmark) -> None:
    shown = drawing(without(demo, "swa"), shown_in=ShownIn.IN_LANGUAGE)
    assert shown.for_samples_in("swa", prompt_for()).language == "eng"
    assert shown.for_samples_in("tha", prompt_for()).language == "tha"


# ---- What is told of them


def test_what_is_told_of_them_is_which_they_are_without_their_texts(demo: Benchmark) -> None:
    drawn = drawing(demo).for_samples_in("eng", prompt_for(demonstrations={"eng": ["conll2003"]}))
    told = drawn.as_json()
    assert told == {
        "dataset": "demo-everyday",
        "stands_in_for": "conll2003",
        "samples": ids(drawn.samples),
    }
    assert not any(sample.text in str(told) for sample in drawn.samples)


# ---- The lowest draws


def sample_of(id_: str, text: str) -> Sample:
    return Sample(id_, id_, Task.NER, "one", "eng", Split.TRAIN, text, ())


def is_odd(sample: Sample) -> bool:
    return int(sample.id) % 2 == 1


@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 10**9), st.sampled_from(["a", "A ", "b", "c", "d\n", " D"])),
        unique_by=lambda pair: pair[0],
    ),
    number=st.integers(1, 5),
)
def test_the_lowest_draws_of_distinct_texts_are_taken(drawn: list[tuple[int, str]], number: int) -> None:
    samples = [sample_of(str(key), text) for key, text in drawn]
    expected: dict[str, Sample] = {}
    for sample in sorted(samples, key=lambda sample: int(sample.id)):
        if is_odd(sample):
            expected.setdefault(normalised(sample.text), sample)
    assert lowest(samples, number, lambda sample: int(sample.id), is_odd) == tuple(expected.values())[:number]


def test_no_more_than_are_wanted_are_held() -> None:
    live: set[str] = set()

    class Counted(Sample):
        __slots__ = ()

        def __del__(self) -> None:
            live.discard(self.id)

    def many() -> Iterator[Sample]:
        for number in range(1000):
            live.add(str(number))
            assert len(live) < 10
            yield Counted(str(number), "i", Task.NER, "one", "eng", Split.TRAIN, f"text {number}", ())

    assert len(lowest(many(), 3, lambda sample: hash(sample.id), is_odd)) == 3


@pytest.mark.parametrize(
    ("one", "other"), [("Cafe\u0301  NOIR\n", "caf\u00e9 noir"), ("Straße", "STRASSE"), ("a\u00a0b", "a b")]
)
def test_texts_are_compared_without_case_white_space_and_form(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)
