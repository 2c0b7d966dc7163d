"""From instances to samples: batches, gold, caps, and a digest that depends on content alone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.cells import CellData
from massie.build.drawing import draw
from massie.build.samples import Hard, Samples, SamplesDigest, Sampling
from massie.build.staged import Staged, merged
from massie.build.tables import joined_cell_data, samples_table
from massie.catalogue import BenchmarkDefinition
from massie.types import Argument, Cell, Event, Instance, Mention, Relation, Role, Sample, Schema, Span, Split, Task

CELL = Cell(Task.NER, "rivers", "swa")


def benchmark(**more: Any) -> BenchmarkDefinition:
    plain: dict[str, Any] = {"id": "own", "name": "Own", "version": "1", "summary": "mine", "datasets": []}
    return BenchmarkDefinition.model_validate(plain | more)


def schemas_of(count: int) -> tuple[Schema, ...]:
    return tuple(Schema(f"label {number}") for number in range(count))


def instance(number: int, labels: list[int], split: Split = Split.TEST) -> Instance:
    text = f"text {number}"
    records = tuple(Span(f"label {label}", Mention("text", ((0, 4),))) for label in dict.fromkeys(labels))
    return Instance(f"{number:016x}", CELL.dataset, CELL.language, split, text, records)


@st.composite
def cases(draw_: st.DrawFn) -> tuple[tuple[Schema, ...], list[Instance]]:
    count = draw_(st.integers(1, 30))
    labels = draw_(st.lists(st.lists(st.integers(0, count - 1), max_size=4), max_size=12))
    spread = 2**64 // 13  # so that instances fall into different parts
    return schemas_of(count), [instance(number * spread, each) for number, each in enumerate(labels)]


Case = tuple[tuple[Schema, ...], list[Instance]]
SPLITS = st.sampled_from(Split)
CAPS = st.integers(0, 4) | st.none()


def parts_of(
    definition: BenchmarkDefinition,
    split: Split,
    schemas: tuple[Schema, ...],
    instances: Sequence[Instance],
    rows: int = 1000,
    hard: Hard | None = None,
) -> list[Samples]:
    """The samples of a cell and split, made of parts of about so many instances."""
    runs = [Staged.of([replace(each, split=split) for each in instances], schemas)]
    sampling = Sampling(definition, CELL, split, schemas, hard or {})
    return list(sampling.parts(lambda: merged(runs, rows)))


def data_of(split: Split, schemas: tuple[Schema, ...], parts: Sequence[Samples]) -> CellData:
    tables = [(part.instances.kept_columns(), samples_table(part.ids, part.asked)) for part in parts]
    return joined_cell_data(CELL, split, schemas, tables)


def made(
    definition: BenchmarkDefinition,
    split: Split,
    schemas: tuple[Schema, ...],
    instances: Sequence[Instance],
    rows: int = 1000,
    hard: Hard | None = None,
) -> list[Sample]:
    """The samples of a cell and split, as objects."""
    return list(data_of(split, schemas, parts_of(definition, split, schemas, instances, rows, hard)).samples())


def digest(
    schemas: tuple[Schema, ...], *instances: Instance, split: Split = Split.TEST, rows: int = 1000, **more: Any
) -> str:
    found = SamplesDigest(schemas)
    for part in parts_of(benchmark(**more), split, schemas, instances, rows):
        found.add(part)
    return found.hexdigest()


@settings(deadline=None)
@given(cases(), st.integers(1, 12) | st.none())
def test_every_test_text_is_asked_for_every_schema_exactly_once(case: Case, size: int | None):
    schemas, instances = case
    samples = made(benchmark(schemas_per_sample=size), Split.TEST, schemas, instances)
    asked = Counter((sample.instance_id, schema) for sample in samples for schema in sample.schemas)
    assert asked == Counter((each.id, schema) for each in instances for schema in schemas)
    order = {schema: place for place, schema in enumerate(schemas)}
    for each in instances:
        places = [order[schema] for sample in samples if sample.instance_id == each.id for schema in sample.schemas]
        assert places == sorted(places)


@settings(deadline=None)
@given(cases(), SPLITS)
def test_without_a_size_all_schemas_of_a_text_with_gold_are_asked_for_at_once(case: Case, split: Split):
    schemas, instances = case
    samples = made(benchmark(schemas_per_sample=None), split, schemas, instances)
    assert [sample.instance_id for sample in samples] == sorted(each.id for each in instances)
    assert all({*sample.schemas} == {*schemas} for sample in samples if sample.gold or split is Split.TEST)


@settings(deadline=None)
@given(cases(), SPLITS)
def test_gold_is_the_texts_records_under_the_schemas_asked_for(case: Case, split: Split):
    schemas, instances = case
    by_id = {each.id: each for each in instances}
    for sample in made(benchmark(), split, schemas, instances):
        asked = {schema.name for schema in sample.schemas}
        records = by_id[sample.instance_id].records
        assert sample.gold == tuple(record for record in records if record.label in asked)
        assert sample.text == by_id[sample.instance_id].text


@settings(deadline=None)
@given(cases(), st.sampled_from([Split.TRAIN, Split.DEV]))
def test_for_training_every_gold_record_is_asked_for_once(case: Case, split: Split):
    schemas, instances = case
    samples = made(benchmark(), split, schemas, instances)
    gold = Counter((sample.instance_id, record) for sample in samples for record in sample.gold or ())
    assert gold == Counter((each.id, record) for each in instances for record in each.records)
    assert {sample.instance_id for sample in samples} == {each.id for each in instances}


@settings(deadline=None)
@given(cases(), st.sampled_from([Split.TRAIN, Split.DEV]), st.data())
def test_for_training_the_hard_negatives_of_positive_schemas_are_asked_for(case: Case, split: Split, data: Any):
    schemas, instances = case
    names = st.sampled_from([schema.name for schema in schemas])
    hard: dict[str, list[str]] = data.draw(st.dictionaries(names, st.lists(names, max_size=5, unique=True)))
    samples = made(benchmark(), split, schemas, instances, hard=hard)
    for each in instances:
        asked = Counter(s.name for sample in samples if sample.instance_id == each.id for s in sample.schemas)
        assert set(asked.values()) == {1}
        positive = {record.label for record in each.records}
        assert positive.union(*(hard.get(name, ()) for name in positive)) <= set(asked)


@settings(deadline=None)
@given(cases(), SPLITS)
def test_samples_stand_in_the_order_of_their_instances_ids(case: Case, split: Split):
    schemas, instances = case
    data = data_of(split, schemas, parts_of(benchmark(), split, schemas, instances, 3))
    assert [each.id for each in data.instances] == sorted(each.id for each in instances)
    assert [row.instance for row in data.rows] == sorted(row.instance for row in data.rows)


@settings(deadline=None)
@given(cases(), SPLITS)
def test_a_samples_id_is_its_instances_with_the_hash_of_its_schemas(case: Case, split: Split):
    schemas, instances = case
    samples = made(benchmark(), split, schemas, instances)
    assert len({sample.id for sample in samples}) == len(samples)
    assert all(sample.id.startswith(f"{sample.instance_id}-") for sample in samples)
    hashes = {tuple(schema.name for schema in sample.schemas): sample.id.split("-")[1] for sample in samples}
    assert all(hashes[tuple(schema.name for schema in each.schemas)] == each.id.split("-")[1] for each in samples)
    assert len(set(hashes.values())) == len(hashes)


def lowest(samples: Sequence[Sample], empty: int | None, with_gold: int | None) -> list[Sample]:
    """Up to so many of the empty samples and of those with gold: those with the lowest draws."""
    expected: set[str] = set()
    for has_gold, cap in ((False, empty), (True, with_gold)):
        ids = sorted((each.id for each in samples if bool(each.gold) == has_gold), key=lambda id_: draw("1/0", id_))
        expected.update(ids[:cap])
    return [sample for sample in samples if sample.id in expected]


@settings(deadline=None)
@given(cases(), SPLITS, CAPS, CAPS, st.integers(1, 12))
def test_caps_take_the_samples_with_the_lowest_draws_of_the_empty_and_of_those_with_gold(
    case: Case, split: Split, empty: int | None, with_gold: int | None, rows: int
):
    schemas, instances = case
    capped = benchmark(caps={split: {"empty": empty, "with_gold": with_gold}})
    whole = made(benchmark(), split, schemas, instances)
    assert made(capped, split, schemas, instances, rows) == lowest(whole, empty, with_gold)


@settings(deadline=None)
@given(cases(), SPLITS, st.integers(0, 8), CAPS, CAPS, st.integers(1, 12))
def test_a_cap_of_instances_takes_those_with_the_lowest_draws_before_their_samples_are_capped(
    case: Case, split: Split, cap: int, empty: int | None, with_gold: int | None, rows: int
):
    schemas, instances = case
    capped = benchmark(caps={split: {"instances": cap, "empty": empty, "with_gold": with_gold}})
    chosen = {each.id for each in sorted(instances, key=lambda each: draw("1/0", each.id))[:cap]}
    some = [sample for sample in made(benchmark(), split, schemas, instances) if sample.instance_id in chosen]
    assert made(capped, split, schemas, instances, rows) == lowest(some, empty, with_gold)


@settings(deadline=None)
@given(cases(), SPLITS)
def test_caps_of_another_split_leave_a_cell_whole(case: Case, split: Split):
    schemas, instances = case
    other = {each: {"empty": 0, "with_gold": 0, "instances": 0} for each in Split if each is not split}
    assert made(benchmark(caps=other), split, schemas, instances) == made(benchmark(), split, schemas, instances)


@settings(deadline=None)
@given(cases(), SPLITS)
def test_only_texts_that_a_sample_asks_about_are_kept(case: Case, split: Split):
    schemas, instances = case
    capped = benchmark(caps={split: {"empty": 1, "with_gold": 1}})
    data = data_of(split, schemas, parts_of(capped, split, schemas, instances))
    assert {row.instance for row in data.rows} == set(range(len(data.instances)))
    assert len(data.instances) <= 2


@settings(deadline=None)
@given(cases(), SPLITS)
def test_samples_with_gold_are_counted(case: Case, split: Split):
    schemas, instances = case
    parts = parts_of(benchmark(), split, schemas, instances, 3)
    flags = [flag for part in parts for flag in part.with_gold().tolist()]
    assert flags == [bool(sample.gold) for sample in data_of(split, schemas, parts).samples()]


@settings(deadline=None)
@given(cases(), SPLITS, st.integers(1, 12), st.randoms(use_true_random=False))
def test_the_digest_depends_on_no_order_of_texts_or_records_and_on_no_size_of_parts(
    case: Case, split: Split, rows: int, dice: random.Random
):
    schemas, instances = case
    caps = {split: {"empty": 3, "with_gold": 2, "instances": 7}}
    shuffled = [
        replace(each, records=tuple(dice.sample(each.records, len(each.records))))
        for each in dice.sample(instances, len(instances))
    ]
    definitions: list[dict[str, Any]] = [{}, {"caps": caps}]
    for more in definitions:
        first = digest(schemas, *instances, split=split, **more)
        assert digest(schemas, *shuffled, split=split, rows=rows, **more) == first
        samples = made(benchmark(**more), split, schemas, instances)
        again = made(benchmark(**more), split, schemas, shuffled, rows)
        assert [sample.id for sample in samples] == [sample.id for sample in again]
        assert [{*(sample.gold or ())} for sample in samples] == [{*(sample.gold or ())} for sample in again]


@settings(deadline=None)
@given(cases(), SPLITS, st.integers(1, 12))
def test_the_digest_is_that_of_schemas_and_of_a_sorted_line_for_each_sample(
    digest_of: Any, case: Case, split: Split, rows: int
):
    schemas, instances = case
    found = data_of(split, schemas, parts_of(benchmark(), split, schemas, instances))
    assert digest(schemas, *instances, split=split, rows=rows) == digest_of(found)


def mention(surface: str, *fragments: tuple[int, int]) -> Mention:
    return Mention(surface, fragments)


GOLD = [
    Span("label 0", mention("text", (0, 4))),
    Span("label 0", mention("text", (0, 2), (2, 4))),
    Span("label 1", mention("text", (0, 4))),
    Span("label 0", mention("tex", (0, 3))),
    Relation("label 0", mention("text", (0, 4)), mention("1", (5, 6))),
    Relation("label 0", mention("1", (5, 6)), mention("text", (0, 4))),
    Event("label 0", mention("text", (0, 4))),
    Event("label 0", mention("text", (0, 4)), (Argument("who", mention("1", (5, 6))),)),
    Event("label 0", mention("text", (0, 4)), (Argument("what", mention("1", (5, 6))),)),
]


def test_the_digest_tells_gold_apart():
    digests = [digest(schemas_of(2), replace(instance(1, []), records=(record,))) for record in GOLD]
    assert len({*digests, digest(schemas_of(2), instance(1, []))}) == len(GOLD) + 1


def test_the_digest_tells_what_is_asked_apart():
    lists = [
        (Schema("a"), Schema("b")),
        (Schema("b"), Schema("a")),
        (Schema("a"), Schema("b", "described")),
        (Schema("a"), Schema("b", None, (Role("r"),))),
        (Schema("a"), Schema("b", None, (Role("r", "described"),))),
        (Schema("a"),),
    ]
    assert len({digest(schemas, instance(1, [])) for schemas in lists}) == len(lists)


def test_the_digest_tells_texts_apart():
    assert digest(schemas_of(2), instance(1, [])) != digest(schemas_of(2), instance(2, []))
    assert digest(schemas_of(2), instance(1, [])) != digest(schemas_of(2), instance(1, []), instance(2, []))


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_draws_other_samples(seed: int):
    instances = [instance(number, [0]) for number in range(40)]
    first = digest(schemas_of(30), *instances, split=Split.TRAIN)
    assert digest(schemas_of(30), *instances, split=Split.TRAIN, seed=seed) != first
    assert digest(schemas_of(30), *instances, split=Split.TRAIN) == first


def test_a_cell_without_instances_has_no_samples():
    for split in Split:
        assert made(benchmark(), split, schemas_of(3), []) == []
        assert made(benchmark(caps={split: {"empty": 1, "instances": 1}}), split, schemas_of(3), []) == []
