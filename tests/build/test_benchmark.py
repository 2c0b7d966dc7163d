"""A benchmark as its users meet it: loaded by name, seen in part, read cell by cell."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build import Benchmark, load_benchmark
from massie.types import BuildError, Cell, Split, Task, UnknownNameError


@pytest.fixture
def folder(workshop: Any, line: Any, tmp_path: Path) -> Path:
    """A build that calls itself m-light, with 3 Swahili test texts, and German in train only."""
    swahili = [line(f"Mto Nile {number}", ("RIV", "Nile")) for number in range(3)]
    german = [line("Der Rhein", ("RIV", "Rhein"), language="deu", split="train")]
    workshop.dataset("rivers", swahili + german)
    workshop.dataset("waters", [line("Ziwa Chad", ("LAKE", "Chad"))], languages=["swa"])
    workshop.build_to(tmp_path / "out", id="m-light")
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "m-demoo"}, "unknown benchmark 'm-demoo'; did you mean 'm-demo'"),
        ({"name": "M-DEMO"}, "did you mean 'm-demo'"),
        ({"name": "m-demo", "task": "NERR"}, "unknown task 'NERR'; did you mean 'NER'"),
        ({"name": "m-demo", "language": "sw"}, "unknown language 'sw'; did you mean .*'swa'"),
        ({"name": "m-demo", "language": "Swahili"}, "swa is the code of Swahili"),
        ({"name": "m-demo", "language": "xho"}, r"unknown language 'xho'.*\(in this build\)"),
        ({"name": "m-demo", "dataset": "demo-everyda"}, "unknown dataset 'demo-everyda'; did you mean 'demo-everyday'"),
        ({"name": "m-demo", "split": "validation"}, "unknown split 'validation'; known: dev, test, train"),
    ],
)
def test_an_unknown_name_suggests_the_nearest_known(options: dict[str, Any], words: str):
    with pytest.raises(UnknownNameError, match=words):
        load_benchmark(**options)


def test_a_benchmark_that_is_not_built_says_how_to_build_it():
    with pytest.raises(
        BuildError, match=r"m-light has to be built first: massie build m-light --out DIR; .* --data DIR"
    ):
        load_benchmark("m-light")


def test_a_folder_without_a_build_or_with_another_is_named(folder: Path, tmp_path: Path):
    with pytest.raises(BuildError, match=r"holds no build"):
        load_benchmark("m-light", data=tmp_path / "nowhere")
    with pytest.raises(BuildError, match=r"out: holds m-light, not m-heavy; name the right folder with --data"):
        load_benchmark("m-heavy", data=folder)


@pytest.mark.parametrize("as_text", [True, False])
def test_a_build_is_loaded_by_name_and_folder(folder: Path, as_text: bool):
    benchmark = load_benchmark("m-light", data=str(folder) if as_text else folder)
    assert benchmark.id == "m-light"
    assert len(benchmark.samples()) == 4


@pytest.mark.parametrize("table", ["instances", "samples"])
@pytest.mark.parametrize("spoil", ["cut", "garbage", "empty", "missing"])
def test_a_damaged_file_of_a_build_is_named_by_cell_with_the_way_out(folder: Path, table: str, spoil: str):
    path = folder / "NER" / "test" / f"rivers.swa.{table}.parquet"
    whole = path.read_bytes()
    if spoil == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "garbage": b"x" * 100, "empty": b""}[spoil])
    benchmark = load_benchmark("m-light", data=folder)
    with pytest.raises(BuildError, match=r"NER/rivers/swa test cannot be read .*; build it again"):
        benchmark.samples()
    assert benchmark.select(datasets=["waters"]).samples()


def test_a_benchmark_is_seen_by_task_language_and_dataset(demo: Benchmark):
    part = demo.select(tasks=["ner", Task.RE], languages=["swa", "tha"], datasets=["demo-nature", "demo-biography"])
    assert part.cells() == [
        Cell(Task.NER, "demo-nature", "swa"),
        Cell(Task.NER, "demo-nature", "tha"),
        Cell(Task.RE, "demo-biography", "swa"),
        Cell(Task.RE, "demo-biography", "tha"),
    ]
    assert {sample.cell for sample in part.samples()} == set(part.cells())
    assert part.cells(whole=True) == demo.cells()
    assert part.digest == demo.digest


def test_a_part_loaded_by_name_is_the_part_selected(demo: Benchmark):
    part = load_benchmark("m-demo", task="ee", language="amh", dataset="demo-happenings", split="dev")
    assert part.split is Split.DEV
    selected = demo.select(tasks=["EE"], languages=["amh"], datasets=["demo-happenings"])
    assert part.samples() == selected.samples("dev")
    assert part.samples("test") == selected.samples()


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
def test_a_limit_is_the_most_samples_of_each_cell_and_takes_the_first(demo: Benchmark, limit: int):
    part = demo.select(limit=limit)
    for cell in demo.cells():
        whole = [sample for sample in demo.samples() if sample.cell == cell]
        assert [sample for sample in part.samples() if sample.cell == cell] == whole[:limit]


def test_the_number_of_samples_of_each_cell_is_known_without_reading_them(folder: Path):
    benchmark = Benchmark.open(folder)
    for part in (benchmark, benchmark.select(limit=2), benchmark.select(split="train")):
        assert part.numbers() == {cell: len(list(part.cell_samples(cell))) for cell in part.cells()}


def test_a_benchmark_cell_by_cell_is_the_same_benchmark(folder: Path, demo: Benchmark):
    for part in (Benchmark.open(folder).select(limit=2), demo):
        alone = part.by_cell()
        assert list(alone) == part.cells()
        assert all(only.samples() == list(part.cell_samples(cell)) for cell, only in alone.items())


def test_a_split_without_samples_names_the_splits_that_have_some(folder: Path):
    benchmark = Benchmark.open(folder)
    with pytest.raises(
        BuildError, match=r"m-light has no test samples of this selection; it has them in train \(--split\)"
    ):
        benchmark.select(languages=["deu"])
    with pytest.raises(BuildError, match="no dev samples of this selection; it has them in test and train"):
        benchmark.select(datasets=["rivers"], split="dev")
    assert len(benchmark.select(languages=["deu"], split="train").samples()) == 1


def test_a_selection_that_no_split_has_says_so(folder: Path):
    with pytest.raises(BuildError, match="no split has any"):
        Benchmark.open(folder).select(datasets=["waters"], languages=["deu"])


def test_names_are_held_against_the_build(folder: Path):
    with pytest.raises(UnknownNameError, match=r"unknown dataset 'river'; did you mean 'rivers'\? \(in this build\)"):
        Benchmark.open(folder).select(datasets=["river"])


def test_samples_come_cell_by_cell_each_time_in_the_same_order(demo: Benchmark):
    samples = demo.samples()
    cells = [sample.cell for sample in samples]
    assert cells == sorted(cells)
    assert demo.samples() == samples == list(demo.iter_samples("test")) == load_benchmark("m-demo").samples()


def test_without_gold_a_sample_is_what_an_adapter_sees(demo: Benchmark):
    sample = next(sample for sample in demo.iter_samples() if sample.gold)
    assert sample.without_gold().gold is None
    assert sample.without_gold().id == sample.id


def test_the_samples_of_a_cell_are_had_without_gold(folder: Path, demo: Benchmark):
    for part in (Benchmark.open(folder), demo.select(max_samples=50)):
        for cell in part.cells():
            whole = part.cell_samples(cell)
            assert list(part.cell_samples(cell, gold=False)) == [sample.without_gold() for sample in whole]


@pytest.mark.parametrize("split", ["test", "train"])
def test_the_samples_are_had_as_a_dataset_with_gold_as_json(folder: Path, split: str):
    from datasets import Dataset  # pyright: ignore[reportMissingTypeStubs]

    benchmark = Benchmark.open(folder)
    table: Any = benchmark.dataset(split)
    assert isinstance(table, Dataset)
    table = cast(Any, table)
    assert table.column_names == ["id", "task", "dataset", "language", "text", "schemas", "instance_id", "gold"]
    samples = benchmark.samples(split)
    assert table["id"] == [sample.id for sample in samples]
    assert [json.loads(gold) for gold in table["gold"]] == [
        [{"entity": record.mention.surface, "entity_type": record.label} for record in sample.gold or ()]  # pyright: ignore
        for sample in samples
    ]
    names = [[schema["name"] for schema in row["schemas"]] for row in table]
    assert names == [[schema.name for schema in sample.schemas] for sample in samples]


def test_the_dataset_says_the_roles_that_are_asked_for():
    table: Any = load_benchmark("m-demo", task="EE", language="eng").dataset("test")
    roles = {schema["name"]: [role["name"] for role in schema["roles"]] for schema in table[0]["schemas"]}
    assert roles["acquisition"] == ["buyer", "acquired company", "price"]


def test_a_part_of_a_part_keeps_what_is_not_named(folder: Path):
    part = load_benchmark("m-demo", task="NER").select(limit=1)
    assert {cell.task for cell in part.cells()} == {Task.NER}
    assert part.select(languages=["swa"]).selection.limit == 1
    with pytest.raises(BuildError, match="at least 1, not 0"):
        part.select(limit=0)


def test_a_build_of_a_part_says_how_many_cells_the_whole_has(workshop: Any, line: Any):
    workshop.dataset("rivers", [line("Mto Nile", ("RIV", "Nile"))])
    workshop.dataset("waters", [line("Ziwa Chad", ("LAKE", "Chad"))], languages=["swa"])
    whole = workshop.build(datasets=["waters"]).manifest
    assert len(whole.cells_of(Split.TEST)) == 1
    assert whole.whole[Split.TEST] == 3


# At most so many samples in all


def shares(demo: Benchmark, most: int) -> dict[Cell, float]:
    """What each cell would have of so many samples if samples could be parted."""
    numbers = demo.numbers()
    return {cell: most * number / sum(numbers.values()) for cell, number in numbers.items()}


@given(most=st.integers(1, 431))
@settings(max_examples=60, deadline=None)
def test_of_at_most_so_many_samples_each_cell_has_its_share_within_one(demo: Benchmark, most: int):
    drawn = demo.select(max_samples=most).numbers()
    assert sum(drawn.values()) == most
    for cell, share in shares(demo, most).items():
        assert abs(drawn.get(cell, 0) - share) < 1
    assert 0 not in drawn.values()


@given(most=st.integers(1, 431))
@settings(max_examples=60, deadline=None)
def test_of_at_most_so_many_samples_each_task_and_dataset_has_its_share_within_one(demo: Benchmark, most: int):
    """However small its cells are: a task of many cells with a few samples each is not left out."""
    drawn = demo.select(max_samples=most).numbers()
    expected, got = Counter[Any](), Counter[Any]()
    for cell, share in shares(demo, most).items():
        for group in (cell.task, (cell.task, cell.dataset)):
            expected[group] += share
            got[group] += drawn.get(cell, 0)
    for group, share in expected.items():
        assert abs(got[group] - share) < 1 + 1e-9


@pytest.mark.parametrize("most", [1, 7, 50, 400])
def test_at_most_so_many_samples_are_of_the_whole_and_as_many_as_are_told(demo: Benchmark, most: int):
    part = demo.select(max_samples=most)
    samples = part.samples()
    assert len(samples) == most
    assert part.numbers() == Counter(sample.cell for sample in samples)
    assert [sample.id for sample in samples] == [key for cell in part.cells() for key in part.sample_ids(cell)]
    drawn = {sample.id for sample in samples}
    assert samples == [sample for sample in demo.iter_samples() if sample.id in drawn]
    assert part.cells() == [cell for cell in demo.cells() if cell in part.numbers()]


def test_the_samples_drawn_are_the_same_whatever_the_order_of_calls(demo: Benchmark):
    drawn = demo.select(tasks=["NER", "RE"], languages=["swa", "eng"], max_samples=10)
    assert drawn.select(split="test").samples() == drawn.samples() == drawn.samples()
    assert demo.select(max_samples=10).select(tasks=["NER", "RE"]).select(languages=["swa", "eng"]) == drawn
    assert demo.select(languages=["swa", "eng"]).select(max_samples=10, tasks=["NER", "RE"]) == drawn
    assert demo.select(max_samples=3).select(max_samples=10, tasks=["NER", "RE"], languages=["swa", "eng"]) == drawn


def test_the_samples_drawn_are_the_same_from_memory_and_from_disk(folder: Path, workshop: Any):
    from_disk = Benchmark.open(folder).select(max_samples=2)
    in_memory = Benchmark.of_build(workshop.build(id="m-light")).select(max_samples=2)
    assert from_disk.samples() == in_memory.samples()


def test_the_samples_drawn_are_not_the_first_of_their_cells(demo: Benchmark):
    part = demo.select(max_samples=200)
    firsts = {key for cell, number in part.numbers().items() for key in demo.sample_ids(cell)[:number]}
    assert {sample.id for sample in part.samples()} != firsts


def test_a_cell_that_keeps_as_many_keeps_the_same_and_one_that_gets_more_keeps_its_own(demo: Benchmark):
    few, many = demo.select(max_samples=100), demo.select(max_samples=300)
    for cell in few.cells():
        less, more = set(few.sample_ids(cell)), set(many.sample_ids(cell))
        assert less <= more or more <= less


@pytest.mark.parametrize("most", [432, 433, 10**9])
def test_at_most_as_many_as_there_are_is_the_whole(demo: Benchmark, most: int):
    whole = demo.select(max_samples=most)
    assert whole == demo
    assert whole.selection.max_samples is None


def test_a_part_widened_to_all_samples_is_whole_again(demo: Benchmark):
    assert demo.select(max_samples=5).select(max_samples=1000) == demo


def test_a_limit_of_each_cell_comes_before_the_most_in_all(demo: Benchmark):
    part = demo.select(limit=1, max_samples=20)
    firsts = {demo.sample_ids(cell)[0] for cell in demo.cells()}
    assert {sample.id for sample in part.samples()} <= firsts
    assert len(part.samples()) == 20


def test_at_most_so_many_test_samples_leave_the_other_splits_whole(demo: Benchmark):
    part = demo.select(max_samples=3)
    for split in ("train", "dev"):
        assert part.cells(split) == demo.cells(split)
        assert part.numbers(split) == demo.numbers(split)
        assert part.samples(split) == demo.samples(split)
        assert [part.sample_ids(cell, split) for cell in part.cells(split)] == [
            demo.sample_ids(cell, split) for cell in demo.cells(split)
        ]


def test_the_most_samples_are_drawn_of_the_split_that_is_named(demo: Benchmark):
    part = demo.select(max_samples=5, split="dev")
    assert len(part.samples()) == 5
    assert {sample.split for sample in part.samples()} == {Split.DEV}
    assert part.samples("test") == demo.samples()
    assert len(part.select(split="test").samples()) == 5


def test_a_draw_cell_by_cell_is_the_same_draw(folder: Path, demo: Benchmark):
    for part in (Benchmark.open(folder).select(max_samples=2), demo.select(max_samples=30)):
        alone = part.by_cell()
        assert list(alone) == part.cells()
        assert all(only.samples() == list(part.cell_samples(cell)) for cell, only in alone.items())
        assert sum(sum(only.numbers().values()) for only in alone.values()) == len(part.samples())


@pytest.mark.parametrize("most", [0, -1])
def test_fewer_samples_than_one_are_refused(demo: Benchmark, most: int):
    with pytest.raises(BuildError, match=f"the most samples must be at least 1, not {most}"):
        demo.select(max_samples=most)
