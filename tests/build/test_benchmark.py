"""A benchmark as its users meet it: loaded by name, seen in part, read cell by cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

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
