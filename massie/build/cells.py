"""The instances and samples of a cell as objects: what a build is read into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from massie.types import Cell, Instance, Sample, Schema, Split


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample as a build keeps it: the row of its instance, and its schemas as indices of its dataset's."""

    id: str
    instance: int
    schemas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CellData:
    """The instances and samples of one cell and split, with the schemas of its dataset."""

    cell: Cell
    split: Split
    schemas: tuple[Schema, ...]
    instances: Sequence[Instance]
    rows: Sequence[SampleRow]

    def samples(self) -> Iterator[Sample]:
        """The samples with their gold records, in the order of the build."""
        index_of = {schema.name: index for index, schema in enumerate(self.schemas)}
        chosen: dict[tuple[int, ...], tuple[Schema, ...]] = {}
        for row in self.rows:
            instance = self.instances[row.instance]
            if row.schemas not in chosen:
                chosen[row.schemas] = tuple(self.schemas[index] for index in row.schemas)
            gold = tuple(record for record in instance.records if index_of[record.label] in row.schemas)
            yield Sample(
                id=row.id,
                instance_id=instance.id,
                task=self.cell.task,
                dataset=instance.dataset,
                language=instance.language,
                split=self.split,
                text=instance.text,
                schemas=chosen[row.schemas],
                gold=gold,
            )
