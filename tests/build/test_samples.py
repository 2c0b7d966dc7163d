"""From instances to samples: batches, gold, caps, and a digest that depends on content alone."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.drawing import draw
from massie.build.samples import CellData, SampleRow, cell_data
from massie.catalogue import BenchmarkDefinition
from massie.types import Argument, Cell, Event, Instance, Mention, Relation, Role, Schema, Span, Split, Task

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
    return schemas_of(count), [instance(number, each) for number, each in enumerate(labels)]


Case = tuple[tuple[Schema, ...], list[Instance]]
SPLITS = st.sampled_from(Split)


@settings(deadline=None)
@given(cases(), st.integers(1, 12))
def test_every_test_text_is_asked_for_every_schema_exactly_once(case: Case, size: int):
    schemas, instances = case
    data = cell_data(benchmark(schemas_per_sample=size), CELL, Split.TEST, schemas, instances)
    asked = Counter((sample.instance_id, schema) for sample in data.samples() for schema in sample.schemas)
    assert asked == Counter((each.id, schema) for each in instances for schema in schemas)


@settings(deadline=None)
@given(cases(), SPLITS)
def test_gold_is_the_texts_records_under_the_schemas_asked_for(case: Case, split: Split):
    schemas, instances = case
    by_id = {each.id: each for each in instances}
    for sample in cell_data(benchmark(), CELL, split, schemas, instances).samples():
        asked = {schema.name for schema in sample.schemas}
        records = by_id[sample.instance_id].records
        assert sample.gold == tuple(record for record in records if record.label in asked)
        assert sample.text == by_id[sample.instance_id].text


@settings(deadline=None)
@given(cases())
def test_for_training_every_gold_record_is_asked_for_once(case: Case):
    schemas, instances = case
    data = cell_data(benchmark(), CELL, Split.TRAIN, schemas, instances)
    gold = Counter((sample.instance_id, record) for sample in data.samples() for record in sample.gold or ())
    assert gold == Counter((each.id, record) for each in instances for record in each.records)
    assert {sample.instance_id for sample in data.samples()} == {each.id for each in instances}


@settings(deadline=None)
@given(cases(), SPLITS)
def test_a_samples_id_is_its_instances_with_the_hash_of_its_schemas(case: Case, split: Split):
    schemas, instances = case
    samples = list(cell_data(benchmark(), CELL, split, schemas, instances).samples())
    assert len({sample.id for sample in samples}) == len(samples)
    assert all(sample.id.startswith(f"{sample.instance_id}-") for sample in samples)
    hashes = {tuple(schema.name for schema in sample.schemas): sample.id.split("-")[1] for sample in samples}
    assert all(hashes[tuple(schema.name for schema in each.schemas)] == each.id.split("-")[1] for each in samples)


@settings(deadline=None)
@given(cases(), SPLITS, st.integers(0, 4), st.integers(0, 4))
def test_caps_take_the_samples_with_the_lowest_draws_of_the_empty_and_of_those_with_gold(
    case: Case, split: Split, empty: int, with_gold: int
):
    schemas, instances = case
    every = benchmark()
    capped = benchmark(caps={split: {"empty": empty, "with_gold": with_gold}})
    whole = list(cell_data(every, CELL, split, schemas, instances).samples())
    part = list(cell_data(capped, CELL, split, schemas, instances).samples())
    expected: set[str] = set()
    for has_gold, cap in ((False, empty), (True, with_gold)):
        ids = sorted((sample.id for sample in whole if bool(sample.gold) == has_gold), key=lambda id_: draw("1/0", id_))
        expected.update(ids[:cap])
    assert [sample for sample in whole if sample.id in expected] == part


@settings(deadline=None)
@given(cases(), SPLITS)
def test_caps_of_another_split_leave_a_cell_whole(case: Case, split: Split):
    schemas, instances = case
    other = {each: {"empty": 0, "with_gold": 0} for each in Split if each is not split}
    assert cell_data(benchmark(caps=other), CELL, split, schemas, instances) == cell_data(
        benchmark(), CELL, split, schemas, instances
    )


@settings(deadline=None)
@given(cases(), SPLITS)
def test_only_texts_that_a_sample_asks_about_are_kept(case: Case, split: Split):
    schemas, instances = case
    data = cell_data(benchmark(caps={split: {"empty": 1, "with_gold": 1}}), CELL, split, schemas, instances)
    assert {row.instance for row in data.rows} == set(range(len(data.instances)))
    assert len(data.instances) <= 2


@settings(deadline=None)
@given(cases(), SPLITS)
def test_samples_with_gold_are_counted(case: Case, split: Split):
    schemas, instances = case
    data = cell_data(benchmark(), CELL, split, schemas, instances)
    assert data.with_gold() == sum(bool(sample.gold) for sample in data.samples())


@settings(deadline=None)
@given(cases(), SPLITS, st.randoms(use_true_random=False))
def test_the_digest_depends_on_no_order_of_texts_or_records(case: Case, split: Split, dice: random.Random):
    schemas, instances = case
    caps = {split: {"empty": 3, "with_gold": 2}}
    shuffled = [
        replace(each, records=tuple(dice.sample(each.records, len(each.records))))
        for each in dice.sample(instances, len(instances))
    ]
    first = cell_data(benchmark(caps=caps), CELL, split, schemas, instances)
    again = cell_data(benchmark(caps=caps), CELL, split, schemas, shuffled)
    assert first.digest() == again.digest()
    assert {sample.id for sample in first.samples()} == {sample.id for sample in again.samples()}


def test_the_digest_depends_on_no_order_of_rows():
    data = cell_data(benchmark(), CELL, Split.TEST, schemas_of(20), [instance(1, [3]), instance(2, [])])
    backwards = [SampleRow(row.id, 1 - row.instance, row.schemas) for row in reversed(data.rows)]
    turned = replace(data, instances=[*reversed(data.instances)], rows=backwards)
    assert turned.digest() == data.digest()


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


def data_of(schemas: tuple[Schema, ...], *instances: Instance) -> CellData:
    return cell_data(benchmark(), CELL, Split.TEST, schemas, instances)


def test_the_digest_tells_gold_apart():
    digests = [data_of(schemas_of(2), replace(instance(1, []), records=(record,))).digest() for record in GOLD]
    assert len({*digests, data_of(schemas_of(2), instance(1, [])).digest()}) == len(GOLD) + 1


def test_the_digest_tells_what_is_asked_apart():
    lists = [
        (Schema("a"), Schema("b")),
        (Schema("b"), Schema("a")),
        (Schema("a"), Schema("b", "described")),
        (Schema("a"), Schema("b", None, (Role("r"),))),
        (Schema("a"), Schema("b", None, (Role("r", "described"),))),
        (Schema("a"),),
    ]
    assert len({data_of(schemas, instance(1, [])).digest() for schemas in lists}) == len(lists)


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_draws_other_samples(seed: int):
    instances = [instance(number, [0]) for number in range(40)]
    first = cell_data(benchmark(), CELL, Split.TRAIN, schemas_of(30), instances)
    other = cell_data(benchmark(seed=seed), CELL, Split.TRAIN, schemas_of(30), instances)
    assert first.digest() != other.digest()
