"""Instances and samples as Arrow tables: the columns of a build's Parquet files.

Instances stand once in their file, samples refer to them by row, and schemas by index into their dataset's list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from massie.build.samples import CellData, SampleRow
from massie.types import Argument, Cell, Event, Instance, Mention, Record, Relation, Schema, Span, Split

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


def instances_table(data: CellData) -> pa.Table:
    """The instances of a cell and split."""
    columns = [
        pa.array([instance.id for instance in data.instances], pa.string()),
        pa.array([instance.text for instance in data.instances], pa.string()),
        pa.array([[_plain(record) for record in instance.records] for instance in data.instances], _RECORDS),
    ]
    return pa.table(columns, schema=INSTANCES)


def samples_table(data: CellData) -> pa.Table:
    """The samples of a cell and split."""
    columns = [
        pa.array([row.id for row in data.rows], pa.string()),
        pa.array([row.instance for row in data.rows], pa.int32()),
        pa.array([row.schemas for row in data.rows], pa.list_(pa.int16())),
    ]
    return pa.table(columns, schema=SAMPLES)


def cell_data_of(
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


def _plain(record: Record) -> dict[str, Any]:
    match record:
        case Span(label, mention):
            mentions = [_plain_mention("span", mention)]
        case Relation(label, head, tail):
            mentions = [_plain_mention("head", head), _plain_mention("tail", tail)]
        case Event(label, trigger, arguments):
            mentions = [_plain_mention("trigger", trigger)]
            mentions += [_plain_mention(argument.role, argument.mention) for argument in arguments]
    return {"label": label, "mentions": mentions}


def _plain_mention(part: str, mention: Mention) -> dict[str, Any]:
    return {"part": part, "surface": mention.surface, "fragments": mention.fragments}


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
