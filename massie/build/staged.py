"""Staged instances: what reading leaves in columns, so that millions of them are sifted without making objects.

A row is an instance with its records; beside them stand, for each record, the index of its schema and its canonical
form, and for the text the keys by which texts of the whole catalogue are compared.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# (pyarrow has no type stubs.)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from massie.build.instances import canonical
from massie.build.tables import INSTANCES, instances_table, lists
from massie.types import Instance, Schema
from massie.types.text import nfc

_SIFTED = [
    ("labels", pa.list_(pa.int16())),
    ("canonical", pa.list_(pa.string())),
    ("text_key", pa.uint64()),
    ("folded_key", pa.uint64()),
]
_STAGED = pa.schema([*INSTANCES, *_SIFTED])
_PER_RECORD = ("records", "labels", "canonical")


@dataclass(frozen=True, slots=True)
class Staged:
    """Some staged instances, sorted by id."""

    table: Any

    @classmethod
    def of(cls, instances: Sequence[Instance], schemas: Sequence[Schema]) -> Staged:
        """Instances put into columns; their labels are names of the schemas."""
        index_of = {schema.name: index for index, schema in enumerate(schemas)}
        records = [instance.records for instance in instances]
        flat = [record for each in records for record in each]
        columns = [
            *instances_table(instances).columns,
            lists(records, pa.array([index_of[record.label] for record in flat], pa.int16())),
            lists(records, pa.array(list(map(canonical, flat)), pa.string())),
            pa.array(text_keys(instance.text for instance in instances)),
            pa.array(text_keys(folded(instance.text) for instance in instances)),
        ]
        return cls(_sorted(pa.table(columns, schema=_STAGED)))

    @classmethod
    def read(cls, path: Path) -> Staged:
        """Staged instances that ``write`` left; the file is mapped, so that only what is used takes memory."""
        with pa.memory_map(str(path)) as source:
            return cls(pa.ipc.open_file(source).read_all())

    def write(self, path: Path) -> None:
        """Write the instances to a file."""
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _STAGED) as writer:
            writer.write_table(self.table.combine_chunks())

    def __len__(self) -> int:
        return self.table.num_rows

    def ids(self) -> list[str]:
        """The ids of the instances."""
        return self.table["id"].to_pylist()

    def text_keys(self) -> NDArray[np.uint64]:
        """The keys of the texts as they stand."""
        return self.table["text_key"].to_numpy()

    def folded_keys(self) -> NDArray[np.uint64]:
        """The keys of the texts after NFC and white-space folding."""
        return self.table["folded_key"].to_numpy()

    def texts(self) -> list[str]:
        """The texts."""
        return self.table["text"].to_pylist()

    def text(self, row: int) -> str:
        """The text of one instance."""
        return self.table["text"][row].as_py()

    def records(self) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        """Of every record the row of its instance, and its schema."""
        lengths = pc.list_value_length(self.table["labels"]).to_numpy()
        return np.repeat(np.arange(len(self)), lengths), pc.list_flatten(self.table["labels"]).to_numpy()

    def canonical(self) -> list[str]:
        """The canonical form of every record."""
        return pc.list_flatten(self.table["canonical"]).to_pylist()

    def number_of_records(self) -> int:
        """How many records the instances have."""
        return len(pc.list_flatten(self.table["labels"]))

    def take(self, rows: NDArray[np.bool_]) -> Staged:
        """The instances where ``rows`` is true."""
        return self if rows.all() else Staged(self.table.filter(pa.array(rows)))

    def kept_columns(self) -> Any:
        """The columns that a build keeps."""
        return self.table.select(INSTANCES.names)


def merged(runs: Sequence[Staged], rows: int) -> Iterator[Staged]:
    """All instances of some runs in the order of their ids, in parts of about ``rows``.

    Instances with one id are merged into one: their records together, equal ones once. Ids are hashes, so that equal
    ranges of them hold about equally many.
    """
    number = max(1, -(-sum(map(len, runs)) // rows))
    if number == 1 and len(runs) == 1:
        yield runs[0]
        return
    bounds = [f"{(part << 64) // number:016x}" for part in range(1, number)]
    cuts = [[0, *np.searchsorted(np.array(run.ids(), "U16"), bounds).tolist(), len(run)] for run in runs]
    for part in range(number):
        slices = [run.table.slice(cut[part], cut[part + 1] - cut[part]) for run, cut in zip(runs, cuts, strict=True)]
        yield Staged(_once(_sorted(pa.concat_tables([_STAGED.empty_table(), *slices]))))


def _sorted(table: Any) -> Any:
    return table.take(pc.sort_indices(table["id"])).combine_chunks()


def _once(table: Any) -> Any:
    """The sorted table with rows of one id merged."""
    ids = np.array(table["id"].to_pylist(), "U16")
    same = np.zeros(len(ids), bool)
    same[1:] = ids[1:] == ids[:-1]
    if not same.any():
        return table
    repeated = same.copy()
    repeated[:-1] |= same[1:]
    rows = table.filter(pa.array(repeated)).to_pylist()
    once = [_one([*group]) for _, group in groupby(rows, key=itemgetter("id"))]
    kept = table.filter(pa.array(~repeated))
    return _sorted(pa.concat_tables([kept, pa.Table.from_pylist(once, schema=_STAGED)]))


def _one(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of several with the same text: every record once, in the order of their places in the text."""
    records = {
        form: (record, label)
        for row in rows
        for record, label, form in zip(row["records"], row["labels"], row["canonical"], strict=True)
    }
    found = sorted(records.items(), key=lambda item: _place(item[1][0]))
    return rows[0] | {
        "records": [record for _, (record, _) in found],
        "labels": [label for _, (_, label) in found],
        "canonical": [form for form, _ in found],
    }


def _place(record: dict[str, Any]) -> Any:
    """As records of an instance are sorted, in plain form."""
    return [(mention["fragments"], mention["part"]) for mention in record["mentions"]], record["label"]


def folded(text: str) -> str:
    """A text after NFC and white-space folding: what texts of the whole catalogue are compared by."""
    return " ".join((text if text.isascii() else nfc(text)).split())


def text_keys(texts: Iterable[str]) -> NDArray[np.uint64]:
    """A 64-bit hash of each text.

    Among ten million texts the chance that any two differ and share a key is 3 in a million; a training text would be
    left out for no reason.
    """
    digests = (blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype="<u8")
