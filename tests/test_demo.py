"""What M-DEMO promises: every task, many scripts, and the cases on which systems and scores trip."""

from __future__ import annotations

from collections import Counter

import pytest

from massie.build import Benchmark, load_benchmark
from massie.catalogue import Card, Catalogue, language
from massie.readers import Faults, RawText, count, read_cell
from massie.sources import SourceStore, cell_files
from massie.types import Event, Mention, Record, Split, Task, mentions_of


@pytest.fixture(scope="module")
def demo() -> Benchmark:
    return load_benchmark("m-demo")


@pytest.fixture(scope="module")
def cards() -> list[Card]:
    catalogue = Catalogue.default()
    return [catalogue.card(dataset) for dataset in catalogue.datasets_of(catalogue.benchmark("m-demo"))]


@pytest.fixture(scope="module")
def raw(cards: list[Card]) -> dict[tuple[str, str, str], list[RawText]]:
    """The texts of every raw cell by dataset, language and split; nothing about them may be odd."""
    store, faults = SourceStore.from_environment(), Faults()
    found = {
        (card.id, code, split): list(read_cell(card, code, split, cell_files(card, code, split, store), faults))
        for card in cards
        for code, split in card.raw_cells()
    }
    assert not faults.counts
    return found


def gold_of(demo: Benchmark, task: Task) -> list[tuple[str, tuple[Record, ...]]]:
    return [(each.text, each.records) for cell, each in demo.instances("test") if cell.task is task]


def test_there_are_at_least_twelve_languages_in_eight_scripts(cards: list[Card]):
    codes = {code for card in cards for code in card.languages}
    scripts = {language(code).script for code in codes}
    assert len(codes) >= 12
    assert len(scripts) >= 8
    assert {"Thai", "Ethi", "Deva", "Hebr", "Arab", "Jpan", "Hang"} <= scripts
    assert {"zho", "jpn", "kor"} <= codes
    assert {language(code).direction for code in codes} == {"ltr", "rtl"}
    assert {language(code).spaces for code in codes} == {True, False}


def test_texts_are_written_in_their_languages_script(raw: dict[tuple[str, str, str], list[RawText]]):
    blocks = {
        "Arab": (0x600, 0x6FF),
        "Cyrl": (0x400, 0x4FF),
        "Deva": (0x900, 0x97F),
        "Ethi": (0x1200, 0x137F),
        "Grek": (0x370, 0x3FF),
        "Hebr": (0x590, 0x5FF),
        "Hang": (0xAC00, 0xD7AF),
        "Thai": (0xE00, 0xE7F),
    }
    for (dataset, code, _), texts in raw.items():
        first, last = blocks.get(language(code).script, (0, 0x10FFFF))
        for text in texts:
            letters = [character for character in text.text if character.isalpha()]
            inside = sum(first <= ord(letter) <= last for letter in letters)
            assert inside > len(letters) / 2, f"{dataset} {text.where}"


@pytest.mark.parametrize("task", Task)
def test_each_task_has_at_least_25_test_texts_and_texts_to_learn_from(demo: Benchmark, task: Task):
    texts = {split: sum(cell.task is task for cell, _ in demo.instances(split)) for split in Split}
    assert texts[Split.TEST] >= 25
    assert texts[Split.TRAIN] >= 25
    assert texts[Split.DEV] > 0


@pytest.mark.parametrize("task", Task)
def test_every_language_that_is_tested_has_texts_to_learn_from(demo: Benchmark, task: Task):
    assert {cell for cell in demo.cells("test") if cell.task is task} == {
        cell for cell in demo.cells("train") if cell.task is task
    }


@pytest.mark.parametrize("task", Task)
def test_each_task_has_texts_with_nothing_to_find(demo: Benchmark, task: Task):
    empty = sum(not records for _, records in gold_of(demo, task))
    assert 0 < empty < len(gold_of(demo, task)) / 2


def test_some_spans_are_nested(demo: Benchmark):
    def is_inside(inner: Mention, outer: Mention) -> bool:
        (start, end), (left, right) = inner.fragments[0], outer.fragments[-1]
        return inner != outer and left <= start < end <= right

    spans = [[mentions_of(record)[0][1] for record in records] for _, records in gold_of(demo, Task.NER)]
    assert any(is_inside(inner, outer) for each in spans for inner in each for outer in each)


@pytest.mark.parametrize("task", [Task.NER, Task.SF])
def test_some_surface_is_gold_twice_in_a_text(demo: Benchmark, task: Task):
    surfaces = [Counter(mentions_of(record)[0][1].surface for record in records) for _, records in gold_of(demo, task)]
    assert any(each and max(each.values()) > 1 for each in surfaces)


def test_some_mentions_are_discontinuous(demo: Benchmark):
    gold = [record for _, records in gold_of(demo, Task.NER) for record in records]
    assert any(len(mention.fragments) > 1 for record in gold for _, mention in mentions_of(record))


@pytest.mark.parametrize("task", [Task.ED, Task.EE])
def test_some_texts_have_several_events_also_of_one_type(demo: Benchmark, task: Task):
    types = [Counter(record.label for record in records) for _, records in gold_of(demo, task)]
    assert any(len(each) > 1 for each in types)
    assert any(each.total() > len(each) for each in types)


def test_some_argument_is_shared_by_two_events(demo: Benchmark):
    shared = 0
    for _, records in gold_of(demo, Task.EE):
        played = Counter(mention for event in records for mention in {mention for _, mention in mentions_of(event)[1:]})
        shared += any(number > 1 for number in played.values())
    assert shared


def test_every_surface_stands_at_its_offsets(raw: dict[tuple[str, str, str], list[RawText]]):
    for texts in raw.values():
        for text in texts:
            for _, mention in (part for record in text.annotations for part in mentions_of(record)):
                pieces = [text.text[start:end] for start, end in mention.fragments]
                assert mention.surface in (" ".join(pieces), "".join(pieces)), text.where
                assert mention.surface == mention.surface.strip(), text.where


def test_the_cards_count_what_their_files_hold(cards: list[Card], raw: dict[tuple[str, str, str], list[RawText]]):
    for card in cards:
        for code, split in card.raw_cells():
            assert card.counts[code][split] == count(card, raw[card.id, code, split])


def test_nothing_is_dropped_and_nothing_missing_in_the_build(demo: Benchmark):
    assert demo.manifest.gaps == []
    for cell in demo.manifest.cells:
        assert cell.dropped == {}, f"{cell.cell} {cell.split}: {cell.places}"
        assert set(cell.texts.values()) == {cell.instances}
        assert len(set(cell.records.values())) == 1


def test_no_text_stands_twice_so_that_nothing_of_test_is_in_train(raw: dict[tuple[str, str, str], list[RawText]]):
    texts = Counter(" ".join(text.text.split()) for texts in raw.values() for text in texts)
    assert [text for text, times in texts.items() if times > 1] == []


def test_every_label_and_role_occurs(cards: list[Card], raw: dict[tuple[str, str, str], list[RawText]]):
    for card in cards:
        records = [
            record
            for (dataset, _, _), texts in raw.items()
            if dataset == card.id
            for text in texts
            for record in text.annotations
        ]
        assert {record.label for record in records} == set(card.labels(card.tasks[0]))
        roles = {(each.label, part.role) for each in records if isinstance(each, Event) for part in each.arguments}
        assert roles == {(name, role) for name, event in card.events.items() for role in event.roles}


def test_all_of_it_may_be_passed_on(cards: list[Card]):
    assert {(card.licence.spdx, card.licence.redistributable) for card in cards} == {("CC0-1.0", True)}
