"""Instances and samples as Arrow tables: the columns of a build's Parquet files.

Instances stand once in their file, samples refer to them by row, and schemas by index into their dataset's list.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownArgumentType=false
# (pyarrow has no type stubs: all that the package does with it is in this file.)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from massie.build.samples import CellData, SampleRow
from massie.types import (
    Argument,
    BuildError,
    Cell,
    Event,
    Instance,
    Mention,
    Record,
    Relation,
    Schema,
    Span,
    Split,
    mentions_of,
)

_MENTION = pa.struct(
    [
        ("part", pa.string()),  # span, head, tail, trigger, or the role of an argument
        ("surface", pa.string()),
        ("fragments", pa.list_(pa.list_(pa.int32()))),
    ]
)
_RECORDS = pa.list_(pa.struct([("label", pa.string()), ("mentions", pa.list_(_MENTION))]))
INSTANCES = pa.schema([("id", pa.string()), ("text", pa.string()), ("records", _RECORDS)])
SAMPLES = pa.schema([("id", pa.string()), ("instance", pa.int32()), ("schemas", pa.list_(pa.int16()))])


def cell_path(folder: Path, cell: Cell, split: Split, table: str) -> Path:
    """The Parquet file of a cell's table (``instances`` or ``samples``) in the folder of a build."""
    return folder / cell.task / split / f"{cell.dataset}.{cell.language}.{table}.parquet"


def write_cell(folder: Path, data: CellData) -> None:
    """Write the two tables of a cell and split."""
    for table, content in (("instances", _instances_table(data)), ("samples", _samples_table(data))):
        path = cell_path(folder, data.cell, data.split, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(content, path, compression="zstd")


def read_sample_ids(folder: Path, cell: Cell, split: Split) -> list[str]:
    """The ids of a cell's samples; raises BuildError where the file cannot be read."""
    return _read(folder, cell, split, "samples", ["id"])["id"].to_pylist()


def read_cell_data(folder: Path, cell: Cell, split: Split, schemas: tuple[Schema, ...]) -> CellData:
    """Read the two tables of a cell and split; raises BuildError where a file cannot be read."""
    tables = [_read(folder, cell, split, table) for table in ("instances", "samples")]
    return _cell_data(cell, split, schemas, *tables)


def _read(folder: Path, cell: Cell, split: Split, table: str, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(cell_path(folder, cell, split, table), columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise BuildError(f"{folder}: {cell} {split} cannot be read ({error}); build it again") from error


def _instances_table(data: CellData) -> pa.Table:
    """The instances of a cell and split."""
    columns = [
        pa.array([instance.id for instance in data.instances], pa.string()),
        pa.array([instance.text for instance in data.instances], pa.string()),
        _records_array([instance.records for instance in data.instances]),
    ]
    return pa.table(columns, schema=INSTANCES)


def _records_array(texts: Sequence[Sequence[Record]]) -> pa.Array:
    """The records of texts as nested lists, put together from flat columns (much faster than from dicts)."""
    records = [record for text in texts for record in text]
    mentions = [mentions_of(record) for record in records]
    parts = [part for parts in mentions for part in parts]
    fragments = [mention.fragments for _, mention in parts]
    places = list(chain.from_iterable(fragments))
    numbers = pa.array(chain.from_iterable(places), pa.int32())
    mention_array = pa.StructArray.from_arrays(
        [
            pa.array([part for part, _ in parts], pa.string()),
            pa.array([mention.surface for _, mention in parts], pa.string()),
            _lists(fragments, _lists(places, numbers)),
        ],
        fields=list(_MENTION),
    )
    record_array = pa.StructArray.from_arrays(
        [pa.array([record.label for record in records], pa.string()), _lists(mentions, mention_array)],
        fields=list(_RECORDS.value_type),
    )
    return _lists(texts, record_array)


def _lists(of: Sequence[Sequence[Any]], values: pa.Array) -> pa.Array:
    """The flat values cut into lists as long as those of ``of``."""
    offsets = accumulate(map(len, of), initial=0)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def _samples_table(data: CellData) -> pa.Table:
    """The samples of a cell and split."""
    columns = [
        pa.array([row.id for row in data.rows], pa.string()),
        pa.array([row.instance for row in data.rows], pa.int32()),
        pa.array([row.schemas for row in data.rows], pa.list_(pa.int16())),
    ]
    return pa.table(columns, schema=SAMPLES)


def _cell_data(
    cell: Cell, split: Split, schemas: tuple[Schema, ...], instances: pa.Table, samples: pa.Table
) -> CellData:
    """The cell and split that two tables hold."""
    kind = _KINDS[cell.task.value]
    read = [
        Instance(row["id"], cell.dataset, cell.language, split, row["text"], tuple(_records(row["records"], kind)))
        for row in _rows(instances)
    ]
    rows = [SampleRow(row["id"], row["instance"], tuple(row["schemas"])) for row in _rows(samples)]
    return CellData(cell, split, schemas, read, rows)


_KINDS: dict[str, type[Record]] = {"NER": Span, "SF": Span, "RE": Relation, "ED": Event, "EE": Event}


def _rows(table: pa.Table) -> Sequence[dict[str, Any]]:
    return table.to_pylist()


def _records(plain: Sequence[dict[str, Any]], kind: type[Record]) -> Iterator[Record]:
    for record in plain:
        mentions = [
            Mention(mention["surface"], tuple((start, end) for start, end in mention["fragments"]))
            for mention in record["mentions"]
        ]
        if kind is Span:
            yield Span(record["label"], mentions[0])
        elif kind is Relation:
            yield Relation(record["label"], mentions[0], mentions[1])
        else:
            roles = [mention["part"] for mention in record["mentions"][1:]]
            arguments = tuple(Argument(role, mention) for role, mention in zip(roles, mentions[1:], strict=True))
            yield Event(record["label"], mentions[0], arguments)
