"""The Parquet files of a cell: what goes in comes out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.batching import Asked
from massie.build.cells import CellData, SampleRow
from massie.build.tables import (
    CellWriter,
    cell_path,
    instances_table,
    joined_cell_data,
    keep_only,
    read_cell_data,
    read_sample_ids,
    samples_table,
)
from massie.types import Argument, Cell, Event, Instance, Mention, Record, Relation, Schema, Span, Split, Task

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
PLACES = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
MENTIONS = st.builds(Mention, TEXT, st.lists(PLACES, max_size=3).map(tuple))
LABELS = st.sampled_from(["river", "lake", "span", "head"])
RECORDS: dict[Task, st.SearchStrategy[Record]] = {
    Task.NER: st.builds(Span, LABELS, MENTIONS),
    Task.SF: st.builds(Span, LABELS, MENTIONS),
    Task.RE: st.builds(Relation, LABELS, MENTIONS, MENTIONS),
    Task.ED: st.builds(Event, LABELS, MENTIONS, st.just(())),
    Task.EE: st.builds(Event, LABELS, MENTIONS, st.lists(st.builds(Argument, LABELS, MENTIONS), max_size=3).map(tuple)),
}


@st.composite
def cells(draw: st.DrawFn) -> CellData:
    task, split = draw(st.sampled_from(Task)), draw(st.sampled_from(Split))
    cell = Cell(task, "rivers", "eng+hin")
    instances = [
        Instance(f"{number}", *cell[1:], split, draw(TEXT), tuple(draw(st.lists(RECORDS[task], max_size=3))))
        for number in range(draw(st.integers(0, 4)))
    ]
    indices = st.lists(st.integers(0, 3), max_size=4).map(tuple)
    places = draw(st.lists(st.integers(0, len(instances) - 1), max_size=5)) if instances else []
    rows = [SampleRow(f"{number}-x", place, draw(indices)) for number, place in enumerate(sorted(places))]
    schemas = tuple(Schema(name) for name in ("river", "lake", "span", "head"))
    return CellData(cell, split, schemas, instances, rows)


def asked(rows: Sequence[SampleRow]) -> Asked:
    starts = np.cumsum([0, *(len(row.schemas) for row in rows)])
    schemas = [index for row in rows for index in row.schemas]
    return Asked(np.array([row.instance for row in rows], np.int32), starts, np.array(schemas, np.int16))


def tables(data: CellData, cuts: Sequence[int]) -> list[tuple[Any, Any]]:
    """The tables of a cell in parts that begin at these instances."""
    parts: list[tuple[Any, Any]] = []
    for start, end in pairwise([0, *sorted(cuts), len(data.instances)]):
        rows = [row for row in data.rows if start <= row.instance < end]
        moved = [SampleRow(row.id, row.instance - start, row.schemas) for row in rows]
        instances = instances_table(data.instances[start:end])
        parts.append((instances, samples_table([row.id for row in moved], asked(moved))))
    return parts


def write(folder: Path, data: CellData, cuts: Sequence[int] = ()) -> None:
    writer = CellWriter(folder, data.cell, data.split)
    for part in tables(data, cuts):
        writer.add(*part)
    writer.close()


@settings(deadline=None, max_examples=60)
@given(cells(), st.data())
def test_a_cell_survives_its_files_in_whatever_parts_it_is_written(digest_of: Any, data: CellData, draw: st.DataObject):
    cuts = draw.draw(st.lists(st.integers(0, len(data.instances)), max_size=3))
    with TemporaryDirectory() as folder:
        write(Path(folder), data, cuts)
        again = read_cell_data(Path(folder), data.cell, data.split, data.schemas)
        ids = read_sample_ids(Path(folder), data.cell, data.split)
    assert again == data
    assert digest_of(again) == digest_of(data)
    assert list(again.samples()) == list(data.samples())
    assert ids == [row.id for row in data.rows]


@settings(deadline=None, max_examples=60)
@given(cells(), st.data())
def test_parts_that_stay_in_memory_are_joined_into_the_cell(data: CellData, draw: st.DataObject):
    cuts = draw.draw(st.lists(st.integers(0, len(data.instances)), max_size=3))
    assert joined_cell_data(data.cell, data.split, data.schemas, tables(data, cuts)) == data


CELL = Cell(Task.NER, "rivers", "swa")


def test_of_a_folder_only_the_tables_of_the_cells_named_are_kept(tmp_path: Path):
    data = CellData(CELL, Split.TEST, (), [], [])
    others = [(CELL, Split.DEV), (Cell(Task.SF, *CELL[1:]), Split.TEST), (Cell(Task.NER, "lakes", "swa"), Split.TEST)]
    for cell, split in [(CELL, Split.TEST), *others]:
        write(tmp_path, CellData(cell, split, (), [], []))
    (tmp_path / "notes.txt").touch()
    keep_only(tmp_path, [(data.cell, data.split)])
    kept = [cell_path(tmp_path, CELL, Split.TEST, table) for table in ("instances", "samples")]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted([*kept, tmp_path / "notes.txt"])


@pytest.mark.parametrize("numbers", [(0,), (3, 0, 2), (70_000,)])
def test_large_and_empty_parts_are_written_alike(tmp_path: Path, numbers: tuple[int, ...]):
    instances = [Instance(f"{number}", *CELL[1:], Split.TEST, f"text {number}", ()) for number in range(sum(numbers))]
    rows = [SampleRow(f"{number}-x", number, (0,)) for number in range(len(instances))]
    data = CellData(CELL, Split.TEST, (Schema("river"),), instances, rows)
    write(tmp_path, data, [sum(numbers[:place]) for place in range(1, len(numbers))])
    assert read_cell_data(tmp_path, CELL, Split.TEST, data.schemas) == data
