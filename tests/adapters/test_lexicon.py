from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest

from massie.adapters import load_adapter
from massie.adapters.lexicon import Lexicon
from massie.build import Benchmark
from massie.catalogue import language
from massie.types import AdapterError, Event, Mention, Record, Relation, Sample, Span, Split


def surfaces(record: Record) -> list[str]:
    def of(*mentions: Mention) -> list[str]:
        return [mention.surface for mention in mentions]

    match record:
        case Span(_, mention):
            return of(mention)
        case Relation(_, head, tail):
            return of(head, tail)
        case Event(_, trigger, arguments):
            return of(trigger, *(argument.mention for argument in arguments))


def said(value: Any) -> list[str]:
    """The surfaces of a record in JSON form."""
    if isinstance(value, dict):
        keys = ("entity", "slot", "head", "tail", "event_trigger", "argument")
        return [value[key] for key in keys if key in value] + said(value.get("arguments", []))
    return [text for part in value for text in said(part)]


@pytest.fixture(scope="module")
def lexicon(demo: Benchmark) -> Lexicon:
    lexicon = Lexicon()
    lexicon.prepare(demo)
    return lexicon


def test_every_surface_that_it_finds_stands_in_train_and_in_the_text(demo: Benchmark, lexicon: Lexicon) -> None:
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    for cell, instance in demo.instances(Split.TRAIN):
        known[cell.task, cell.dataset].update(text for record in instance.records for text in surfaces(record))
    samples = {sample.id: sample.without_gold() for sample in demo.iter_samples()}
    found = 0
    for answer in lexicon.predict(list(samples.values())):
        sample = samples[answer.sample_id]
        for surface in said(answer.records):
            found += 1
            assert surface in known[sample.task, sample.dataset]
            assert surface in sample.text
    assert found > 100


def test_it_answers_the_same_whether_or_not_the_samples_hold_gold(demo: Benchmark, lexicon: Lexicon) -> None:
    with_gold = demo.samples()
    answers = list(lexicon.predict(with_gold))
    assert answers == list(lexicon.predict([sample.without_gold() for sample in with_gold]))


def test_it_answers_only_with_labels_that_are_asked_for(demo: Benchmark, lexicon: Lexicon) -> None:
    for sample in demo.samples():
        (answer,) = lexicon.predict([replace(sample.without_gold(), schemas=())])
        assert answer.records == []


def test_in_scripts_with_spaces_it_finds_whole_words_only(demo: Benchmark, lexicon: Lexicon) -> None:
    samples = {sample.id: sample.without_gold() for sample in demo.iter_samples() if language(sample.language).spaces}
    for answer in lexicon.predict(list(samples.values())):
        for surface in said(answer.records):
            assert re.search(rf"(?<!\w){re.escape(surface)}(?!\w)", samples[answer.sample_id].text)


def test_it_knows_the_train_texts_of_every_task_by_heart(demo: Benchmark, lexicon: Lexicon) -> None:
    """What stood in training is found again in at least nine of ten train samples with gold."""
    for task in ("NER", "SF", "ED"):
        samples = [sample for sample in demo.select(tasks=[task]).iter_samples(Split.TRAIN) if sample.gold]
        hits = sum(bool(answer.records) for answer in lexicon.predict([one.without_gold() for one in samples]))
        assert hits >= 0.9 * len(samples)


def test_preparing_anew_forgets_what_was_learned_before(demo: Benchmark) -> None:
    slots = demo.select(tasks=["SF"])
    samples = [sample.without_gold() for sample in slots.iter_samples()]
    lexicon = Lexicon()
    lexicon.prepare(slots)
    assert any(answer.records for answer in lexicon.predict(samples))
    lexicon.prepare(demo.select(tasks=["NER"]))
    assert not any(answer.records for answer in lexicon.predict(samples))


def test_it_learns_from_all_languages_of_a_dataset_where_some_are_selected(demo: Benchmark) -> None:
    part, whole = Lexicon(), Lexicon()
    part.prepare(demo.select(languages=["swa"]))
    whole.prepare(demo)
    samples = [sample.without_gold() for sample in demo.select(languages=["swa"]).iter_samples()]
    assert list(part.predict(samples)) == list(whole.predict(samples))


def test_it_answers_nothing_before_it_has_seen_the_benchmark(samples: list[Sample]) -> None:
    with pytest.raises(AdapterError, match=r"call prepare\(benchmark\) before predict"):
        list(load_adapter("lexicon").predict(samples))
