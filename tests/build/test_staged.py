"""Staged instances: columns of what reading leaves, and runs of them merged into one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.drawing import short_hash
from massie.build.instances import Steps, canonical, instances_of
from massie.build.staged import Staged, folded, merged, text_keys
from massie.catalogue import Card
from massie.readers import RawText
from massie.types import Argument, Event, Instance, Mention, Record, Relation, Role, Schema, Span, Split, Task

LABELS = ("river", "lake", "town")
SCHEMAS = tuple(Schema(name) for name in LABELS)
PIECES = st.tuples(st.integers(0, 9), st.integers(0, 9))
MENTIONS = st.builds(Mention, st.text("aé字", max_size=2), st.lists(PIECES, min_size=1, max_size=2).map(tuple))
NAMES = st.sampled_from(LABELS)
RECORDS: dict[Task, st.SearchStrategy[Record]] = {
    Task.NER: st.builds(Span, NAMES, MENTIONS),
    Task.RE: st.builds(Relation, NAMES, MENTIONS, MENTIONS),
    Task.EE: st.builds(
        Event,
        NAMES,
        MENTIONS,
        st.lists(st.builds(Argument, st.sampled_from(["who", "where"]), MENTIONS), max_size=2).map(tuple),
    ),
}


@st.composite
def instances(draw: st.DrawFn) -> list[Instance]:
    records = RECORDS[draw(st.sampled_from([*RECORDS]))]
    texts = draw(st.lists(st.text("aé字 ", min_size=1, max_size=4), unique=True, max_size=12))
    return [
        Instance(short_hash(text), "rivers", "swa", Split.TRAIN, text, tuple(draw(st.lists(records, max_size=3))))
        for text in texts
    ]


def columns(staged: Staged) -> list[Any]:
    return staged.table.to_pylist()


@settings(deadline=None)
@given(instances())
def test_instances_are_staged_in_the_order_of_their_ids_with_all_that_sifting_needs(found: list[Instance]):
    staged = Staged.of(found, SCHEMAS)
    ordered = sorted(found, key=lambda instance: instance.id)
    records = [(row, record) for row, instance in enumerate(ordered) for record in instance.records]
    assert len(staged) == len(found)
    assert staged.ids() == [instance.id for instance in ordered]
    assert staged.texts() == [instance.text for instance in ordered]
    assert staged.number_of_records() == len(records)
    rows, labels = staged.records()
    assert rows.tolist() == [row for row, _ in records]
    assert [LABELS[label] for label in labels.tolist()] == [record.label for _, record in records]
    assert staged.canonical() == [canonical(record) for _, record in records]
    assert staged.text_keys().tolist() == text_keys(staged.texts()).tolist()
    assert staged.folded_keys().tolist() == text_keys(map(folded, staged.texts())).tolist()


@settings(deadline=None)
@given(instances())
def test_staged_instances_survive_their_file(found: list[Instance]):
    staged = Staged.of(found, SCHEMAS)
    with TemporaryDirectory() as folder:
        staged.write(Path(folder) / "run.arrow")
        assert columns(Staged.read(Path(folder) / "run.arrow")) == columns(staged)


@settings(deadline=None)
@given(instances(), st.data())
def test_those_that_are_taken_stay_as_they_are(found: list[Instance], data: st.DataObject):
    staged = Staged.of(found, SCHEMAS)
    chosen = data.draw(st.lists(st.booleans(), min_size=len(found), max_size=len(found)))
    taken = staged.take(np.array(chosen, bool))
    assert columns(taken) == [row for row, kept in zip(columns(staged), chosen, strict=True) if kept]
    rows, _ = taken.records()
    assert len(taken.canonical()) == len(rows) == taken.number_of_records()


NER: dict[str, Any] = {"entities": {"RIV": {"name": "river"}, "LAKE": {"name": "lake"}, "TOWN": {"name": "town"}}}
EVENTS: dict[str, Any] = {
    "tasks": ["EE"],
    "events": {"Flood": {"name": "flood", "roles": ["Where"]}, "Storm": {"name": "storm", "roles": ["Where"]}},
    "roles": {"Where": {"name": "place"}},
}
WORD, OTHER, BOTH = (
    Mention("Nile", ((0, 4),)),
    Mention("Chad", ((5, 9),)),
    Mention("Nile Chad", ((0, 4), (5, 9))),
)
SPANS = st.builds(Span, st.sampled_from(["RIV", "LAKE", "TOWN"]), st.sampled_from([WORD, OTHER, BOTH]))
FLOODS = st.builds(
    Event,
    st.sampled_from(["Flood", "Storm"]),
    st.sampled_from([WORD, OTHER]),
    st.lists(st.builds(Argument, st.just("Where"), st.sampled_from([WORD, OTHER])), max_size=2).map(tuple),
)


@st.composite
def raw_texts(draw: st.DrawFn) -> tuple[dict[str, Any], Task, list[RawText]]:
    """A card, its task, and texts that often repeat, with records that often repeat."""
    card, task, records = draw(st.sampled_from([(NER, Task.NER, SPANS), (EVENTS, Task.EE, FLOODS)]))
    ends = draw(st.lists(st.text("ab ", max_size=2), max_size=25))
    texts = [
        RawText(f"Nile Chad{end}", tuple(draw(st.lists(records, max_size=4))), f"file:{line}")
        for line, end in enumerate(ends)
    ]
    return card, task, texts


def staged_runs(card: Card, task: Task, runs: Sequence[Sequence[RawText]]) -> list[Staged]:
    return [
        Staged.of(instances_of(card, task, "swa", Split.TRAIN, run, " ", Steps()), card.schemas(task)) for run in runs
    ]


@settings(deadline=None, max_examples=150)
@given(raw_texts(), st.integers(1, 8), st.integers(1, 30), st.randoms(use_true_random=False))
def test_texts_in_whatever_runs_and_order_give_the_same_instances_and_records(
    make_card: Any, case: tuple[dict[str, Any], Task, list[RawText]], number: int, rows: int, dice: random.Random
):
    plain, task, texts = case
    card: Card = make_card(**plain)
    runs: list[list[RawText]] = [[] for _ in range(number)]
    for text in dice.sample(texts, len(texts)):
        dice.choice(runs).append(text)
    (whole,) = staged_runs(card, task, [texts])
    parts = list(merged(staged_runs(card, task, runs), rows))
    assert [row for part in parts for row in columns(part)] == columns(whole)


@settings(deadline=None)
@given(raw_texts(), st.integers(1, 30))
def test_parts_hold_ranges_of_ids_that_follow_one_another(
    make_card: Any, case: tuple[dict[str, Any], Task, list[RawText]], rows: int
):
    plain, task, texts = case
    half = len(texts) // 2
    parts = list(merged(staged_runs(make_card(**plain), task, [texts[:half], texts[half:]]), rows))
    ids = [id_ for part in parts for id_ in part.ids()]
    assert ids == sorted(set(ids))
    assert all(len(part.records()[0]) == part.number_of_records() for part in parts)


@pytest.mark.parametrize("runs", [1, 3, 10])
def test_parts_are_about_as_large_as_asked_for_however_many_runs_there_are(runs: int):
    found = [Instance(short_hash(str(n)), "rivers", "swa", Split.TRAIN, str(n), ()) for n in range(20_000)]
    staged = [Staged.of(found[run::runs], SCHEMAS) for run in range(runs)]
    sizes = [len(part) for part in merged(staged, 1000)]
    assert sum(sizes) == 20_000
    assert len(sizes) == 20
    assert max(sizes) < 1200


def test_no_runs_are_one_empty_part():
    (part,) = merged([], 10)
    assert (part.ids(), part.texts(), part.canonical(), part.number_of_records()) == ([], [], [], 0)
    assert [array.tolist() for array in part.records()] == [[], []]


def test_a_record_of_several_runs_is_kept_once_and_all_stand_in_their_order(make_card: Any):
    card: Card = make_card(**NER)
    first = RawText("Nile Chad", (Span("LAKE", OTHER), Span("RIV", WORD)), "file:1")
    second = RawText("Nile Chad", (Span("TOWN", WORD), Span("RIV", WORD)), "file:2")
    (part,) = merged(staged_runs(card, Task.NER, [[first], [second]]), 10)
    (row,) = columns(part)
    assert [record["label"] for record in row["records"]] == ["river", "town", "lake"]
    assert [LABELS[label] for label in row["labels"]] == ["river", "town", "lake"]


def test_records_are_told_apart_by_all_that_they_are(make_card: Any):
    schemas = (Schema("flood", None, (Role("who"), Role("where"))),)
    records = [
        Event("flood", WORD),
        Event("flood", WORD, (Argument("who", OTHER),)),
        Event("flood", WORD, (Argument("where", OTHER),)),
        Event("flood", WORD, (Argument("who", BOTH),)),
        Event("flood", OTHER),
    ]
    runs = [
        Staged.of([Instance("0" * 16, "rivers", "swa", Split.TRAIN, "Nile Chad", (record,))], schemas)
        for record in records
    ]
    (part,) = merged([*runs, *runs], 10)
    assert sorted(part.canonical()) == sorted(map(canonical, records))


@pytest.mark.parametrize(
    ("text", "other", "same"),
    [
        ("caf\u00e9", "cafe\u0301", True),
        ("a  b", "a b", True),
        (" a\u00a0b\n", "a\u3000b", True),
        ("a b", "ab", False),
        ("Caf\u00e9", "caf\u00e9", False),
        ("\ufb01n", "fin", False),
    ],
)
def test_folding_takes_unicode_forms_and_white_space_and_nothing_else(text: str, other: str, same: bool):
    assert (folded(text) == folded(other)) is same
    keys = text_keys([folded(text), folded(other), text, other])
    assert (keys[0] == keys[1]) == same
    assert keys[2] != keys[3]


def test_keys_of_texts_are_the_same_on_every_machine():
    assert text_keys(["", "Nile"]).tolist() == [0xB4B2797457A0A6E4, 0x390D5D93B59468BE]
