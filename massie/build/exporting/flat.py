"""Samples written out flat, one row each with text, schemas and gold, as JSON lines or as Parquet.

    {"id": "…", "task": "NER", "dataset": "…", "language": "kor", "text": "강리나는 …", "schemas": [{"name": "person",
     "description": null, "roles": []}, …], "instance_id": "…", "gold": [{"entity": "강리나", "entity_type": "person"}],
     "offsets": [[[[0, 3]]]]}

Rows are written as they come, so that memory does not grow with their number.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (pyarrow has no type stubs.)

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from massie.types import Sample, mentions_of, record_as_json, sample_as_json

ROW_GROUP = 10_000
"""How many rows are held at once: those of one row group of a Parquet file."""

FIELDS = {
    "id": "The sample's id.",
    "task": "NER, RE, SF, ED or EE.",
    "dataset": "The dataset's id.",
    "language": "ISO 639-3; code-switched data have both codes, as in eng+hin.",
    "text": "The text.",
    "schemas": "The labels that are asked for: name, description (or null), and the roles of an event type.",
    "instance_id": "What the samples of one text share.",
    "gold": "The records to find, under the schemas that are asked for.",
    "offsets": (
        "The places of the gold records, one entry each: of every mention (the span; head and tail; the trigger and "
        "then the arguments in order) its fragments [start, end], in code points, end exclusive."
    ),
}
"""The fields of a row, in order, and what they mean."""

_ROLE = pa.struct([("name", pa.string()), ("description", pa.string())])
_SCHEMA = pa.struct([("name", pa.string()), ("description", pa.string()), ("roles", pa.list_(_ROLE))])
_TABLE = pa.schema([(name, pa.list_(_SCHEMA) if name == "schemas" else pa.string()) for name in FIELDS])


def flat_row(sample: Sample) -> dict[str, Any]:
    """The row of a sample; its records have the keys of the paper's figure 1."""
    gold = sample.gold or ()
    return {
        **sample_as_json(sample),
        "instance_id": sample.instance_id,
        "gold": [record_as_json(record, sample.task) for record in gold],
        "offsets": [[mention.fragments for _, mention in mentions_of(record)] for record in gold],
    }


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, in UTF-8."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], marks: Mapping[str, str]) -> None:
    """Write the rows of samples as Parquet, gold and offsets as JSON text; ``marks`` go into the file's metadata."""
    plain = map(_as_text, rows)
    with pq.ParquetWriter(path, _TABLE.with_metadata(marks), compression="zstd") as writer:
        while group := [*islice(plain, ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=writer.schema), row_group_size=len(group))


def _as_text(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{key: json.dumps(row[key], ensure_ascii=False) for key in ("gold", "offsets")}}
