"""Instances and samples as Arrow tables: the columns of a build's Parquet files.

Instances stand once in their file, samples refer to them by row, and schemas by index into their dataset's list.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# (pyarrow has no type stubs: all that the package does with it is in this file and in staged.py.)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massie.build.batching import Asked
from massie.build.cells import CellData, SampleRow
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


def has_tables(folder: Path, cell: Cell, split: Split) -> bool:
    """Whether both tables of a cell and split are in the folder of a build."""
    return all(cell_path(folder, cell, split, table).exists() for table in ("instances", "samples"))


def keep_only(folder: Path, cells: Iterable[tuple[Cell, Split]]) -> None:
    """Remove the tables of all other cells: what an interrupted build of something else left."""
    wanted = {cell_path(folder, *each, table) for each in cells for table in ("instances", "samples")}
    for path in folder.rglob("*.parquet"):
        if path not in wanted:
            path.unlink()


class CellWriter:
    """Writes the two tables of a cell and split, which come in parts."""

    def __init__(self, folder: Path, cell: Cell, split: Split) -> None:
        self._writers: list[Any] = []
        self._instances = 0
        for table, schema in (("instances", INSTANCES), ("samples", SAMPLES)):
            path = cell_path(folder, cell, split, table)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers.append(pq.ParquetWriter(path, schema, compression="zstd"))

    def add(self, instances: Any, samples: Any) -> None:
        """Write a part: its instances, and its samples with the rows of their instances within the part."""
        for writer, table in zip(self._writers, (instances, moved(samples, self._instances)), strict=True):
            if table.num_rows:
                writer.write_table(table, row_group_size=table.num_rows)  # a part is a row group of both files
        self._instances += instances.num_rows

    def close(self) -> None:
        """End both files."""
        for writer in self._writers:
            writer.close()


def read_sample_ids(folder: Path, cell: Cell, split: Split) -> list[str]:
    """The ids of a cell's samples; raises BuildError where the file cannot be read."""
    return _read(folder, cell, split, "samples", ["id"])["id"].to_pylist()


def read_cell_data(folder: Path, cell: Cell, split: Split, schemas: tuple[Schema, ...]) -> CellData:
    """Read the two tables of a cell and split; raises BuildError where a file cannot be read."""
    tables = [_read(folder, cell, split, table) for table in ("instances", "samples")]
    return cell_data(cell, split, schemas, *tables)


def read_parts(
    folder: Path, cell: Cell, split: Split, schemas: tuple[Schema, ...], *, gold: bool = True
) -> Iterator[CellData]:
    """The data of a cell and split in the parts in which it was written; raises BuildError as ``read_cell_data``.

    Without ``gold`` the instances have no records: they are most of what documents take.
    """
    columns = INSTANCES.names if gold else ["id", "text"]
    try:
        files = [_opened(folder, cell, split, table) for table in ("instances", "samples")]
        rows = 0
        for group in range(files[0].num_row_groups):
            instances = files[0].read_row_group(group, columns)
            samples = files[1].read_row_group(group)
            yield cell_data(cell, split, schemas, instances, moved(samples, -rows))
            rows += instances.num_rows
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(folder, cell, split, error) from error


def _unreadable(folder: Path, cell: Cell, split: Split, error: Exception) -> BuildError:
    return BuildError(f"{folder}: {cell} {split} cannot be read ({error}); build it again")


def _opened(folder: Path, cell: Cell, split: Split, table: str) -> Any:
    file = pq.ParquetFile(cell_path(folder, cell, split, table))
    if file.schema_arrow != (INSTANCES if table == "instances" else SAMPLES):
        raise pa.ArrowInvalid(f"the columns of {table} are not those of a build")
    return file


def _read(folder: Path, cell: Cell, split: Split, table: str, columns: list[str] | None = None) -> pa.Table:
    try:
        return _opened(folder, cell, split, table).read(columns)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(folder, cell, split, error) from error


def instances_table(instances: Sequence[Instance]) -> Any:
    """The columns of some instances."""
    columns = [
        pa.array([instance.id for instance in instances], pa.string()),
        pa.array([instance.text for instance in instances], pa.string()),
        _records_array([instance.records for instance in instances]),
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
            lists(fragments, lists(places, numbers)),
        ],
        fields=list(_MENTION),
    )
    record_array = pa.StructArray.from_arrays(
        [pa.array([record.label for record in records], pa.string()), lists(mentions, mention_array)],
        fields=list(_RECORDS.value_type),
    )
    return lists(texts, record_array)


def lists(of: Sequence[Sequence[Any]], values: Any) -> Any:
    """The flat values cut into lists as long as those of ``of``."""
    offsets = accumulate(map(len, of), initial=0)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def samples_table(ids: Sequence[str], asked: Asked) -> Any:
    """The columns of some samples; the rows of their instances are those of the same part."""
    schemas = pa.ListArray.from_arrays(pa.array(asked.starts, pa.int32()), pa.array(asked.schemas, pa.int16()))
    return pa.table([pa.array(ids, pa.string()), pa.array(asked.instance, pa.int32()), schemas], schema=SAMPLES)


def joined_cell_data(
    cell: Cell, split: Split, schemas: tuple[Schema, ...], parts: Sequence[tuple[Any, Any]]
) -> CellData:
    """The cell and split that the tables of its parts hold."""
    samples: list[Any] = []
    rows = 0
    for instances, some in parts:
        samples.append(moved(some, rows))
        rows += instances.num_rows
    instances = pa.concat_tables([INSTANCES.empty_table(), *(instances for instances, _ in parts)])
    return cell_data(cell, split, schemas, instances, pa.concat_tables([SAMPLES.empty_table(), *samples]))


def moved(samples: Any, rows: int) -> Any:
    """Samples of a part whose instances stand behind so many others."""
    if not rows:
        return samples
    instance = pc.add(samples["instance"], pa.scalar(rows, pa.int32()))
    return samples.set_column(1, SAMPLES.field("instance"), instance)


def cell_data(cell: Cell, split: Split, schemas: tuple[Schema, ...], instances: Any, samples: Any) -> CellData:
    """The cell and split that two tables hold."""
    kind = _KINDS[cell.task.value]
    read = [
        Instance(
            row["id"], cell.dataset, cell.language, split, row["text"], tuple(_records(row.get("records", ()), kind))
        )
        for row in _rows(instances)
    ]
    rows = [SampleRow(row["id"], row["instance"], tuple(row["schemas"])) for row in _rows(samples)]
    return CellData(cell, split, schemas, read, rows)


_ROWS_AT_ONCE = 256
_KINDS: dict[str, type[Record]] = {"NER": Span, "SF": Span, "RE": Relation, "ED": Event, "EE": Event}


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows, some at a time: a part's as Python's dicts would take more memory than all else."""
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from batch.to_pylist()


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
