"""The scores of a run's samples as a Parquet file: a row for each sample, cell by cell."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# (pyarrow has no type stubs.)

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from massie.scoring import MEANS, CellScores, SampleScores

if TYPE_CHECKING:
    import pandas as pd

SCORES_TABLE = "scores.parquet"

_KEYS = ("task", "dataset", "language", "instance_id", "sample_id")
_COLUMNS = pa.schema(
    [(name, pa.string()) for name in _KEYS]
    + [(name, pa.float64() if name in MEANS else pa.int64()) for name in SampleScores._fields]
)
"""Keys, then the fields of ``SampleScores``: scores, 0 to 1, and counts."""


_ROWS_AT_ONCE = 1 << 17
"""Rows that are written together: groups of a few rows would make the file many times as large."""


class SamplesWriter:
    """Writes the table cell by cell, beside the place where it will stand when it is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._writer: Any = pq.ParquetWriter(self._partial, _COLUMNS, compression="zstd")
        self._waiting: list[pa.Table] = []

    def add(self, cell: CellScores) -> None:
        """Write the rows of a cell."""
        self._waiting.append(_table(cell))
        if sum(map(len, self._waiting)) >= _ROWS_AT_ONCE:
            self._write()

    def _write(self) -> None:
        self._writer.write_table(pa.concat_tables(self._waiting))
        self._waiting = []

    def keep(self) -> None:
        """End the table and let it take the place of the one before."""
        if self._waiting:
            self._write()
        self._writer.close()
        self._partial.replace(self._path)

    def discard(self) -> None:
        """Leave the one before as it is; nothing happens where this one was kept."""
        self._writer.close()
        self._partial.unlink(missing_ok=True)


@contextmanager
def samples_writer(path: Path) -> Generator[SamplesWriter]:
    """A writer of the table; what is not kept in the end leaves nothing behind."""
    writer = SamplesWriter(path)
    try:
        yield writer
    finally:
        writer.discard()


def samples_frame(cells: Sequence[CellScores]) -> pd.DataFrame:
    """The same table in memory."""
    return pa.concat_tables([_COLUMNS.empty_table(), *map(_table, cells)]).to_pandas()


def _table(cell: CellScores) -> pa.Table:
    names = [pa.repeat(str(name), len(cell)) for name in cell.cell]
    columns = [*names, cell.instance_ids, cell.sample_ids, *(cell.column(name) for name in SampleScores._fields)]
    arrays = [pa.array(column).cast(field.type) for column, field in zip(columns, _COLUMNS, strict=True)]
    return pa.table(arrays, schema=_COLUMNS)
