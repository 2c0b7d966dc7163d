"""The Parquet files of a cell: what goes in comes out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.samples import CellData, SampleRow
from massie.build.tables import read_cell_data, write_cell
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
    rows = [
        SampleRow(f"{number}-x", draw(st.integers(0, len(instances) - 1)), draw(indices))
        for number in range(draw(st.integers(0, 5)) if instances else 0)
    ]
    schemas = tuple(Schema(name) for name in ("river", "lake", "span", "head"))
    return CellData(cell, split, schemas, instances, rows)


@settings(deadline=None, max_examples=60)
@given(cells())
def test_a_cell_survives_its_files(data: CellData):
    with TemporaryDirectory() as folder:
        write_cell(Path(folder), data)
        again = read_cell_data(Path(folder), data.cell, data.split, data.schemas)
    assert again == data
    assert again.digest() == data.digest()
    assert list(again.samples()) == list(data.samples())
