"""From instances to samples: batches of schemas, sampled up to the benchmark's caps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from json import JSONEncoder

from massie.build.batching import asked_for
from massie.build.drawing import draw, short_hash
from massie.catalogue import BenchmarkDefinition, Caps
from massie.types import Cell, Event, Instance, Mention, Record, Relation, Sample, Schema, Span, Split, Task

_canonical = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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

    def with_gold(self) -> int:
        """How many samples have gold records."""
        positive = _positive(self.schemas, self.instances)
        return sum(not positive[row.instance].isdisjoint(row.schemas) for row in self.rows)

    def digest(self) -> str:
        """SHA-256 over the canonical form of the samples; depends on no order, file format or number of workers."""
        index_of = {schema.name: index for index, schema in enumerate(self.schemas)}
        lines: list[str] = []
        for row in self.rows:
            records = self.instances[row.instance].records
            gold = [_canonical(_plain(record)) for record in records if index_of[record.label] in row.schemas]
            lines.append(f"{row.id}\t[{','.join(sorted(gold))}]\n")
        lines.sort()
        return sha256("".join([schemas_digest(self.schemas), *lines]).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(record: Record) -> list[object]:
    def place(mention: Mention) -> list[object]:
        return [mention.surface, mention.fragments]

    match record:
        case Span(label, mention):
            return [label, place(mention)]
        case Relation(label, head, tail):
            return [label, place(head), place(tail)]
        case Event(label, trigger, arguments):
            return [label, place(trigger), [[argument.role, place(argument.mention)] for argument in arguments]]


def schemas_digest(schemas: Sequence[Schema]) -> str:
    """What names a list of schemas by content: names, descriptions and roles."""
    plain = [[s.name, s.description, [[role.name, role.description] for role in s.roles]] for s in schemas]
    return short_hash(_canonical(plain))


def cell_data(
    benchmark: BenchmarkDefinition, cell: Cell, split: Split, schemas: tuple[Schema, ...], instances: Sequence[Instance]
) -> CellData:
    """The samples of a cell and split: batched, then taken up to the caps (lowest keyed hash first).

    Only instances that a sample refers to are kept; both keep their order.
    """
    positive = _positive(schemas, instances)
    rows = list(_batched(benchmark, cell.task, split, schemas, instances, positive))
    if benchmark.caps and split in benchmark.caps:
        rows = _capped(rows, benchmark.caps[split], benchmark.key, positive)
    used = sorted({row.instance for row in rows})
    if len(used) < len(instances):
        place = {old: new for new, old in enumerate(used)}
        rows = [SampleRow(row.id, place[row.instance], row.schemas) for row in rows]
    return CellData(cell, split, schemas, [instances[old] for old in used], rows)


def _positive(schemas: Sequence[Schema], instances: Sequence[Instance]) -> list[set[int]]:
    index_of = {schema.name: index for index, schema in enumerate(schemas)}
    return [{index_of[record.label] for record in instance.records} for instance in instances]


def _batched(
    benchmark: BenchmarkDefinition,
    task: Task,
    split: Split,
    schemas: Sequence[Schema],
    instances: Sequence[Instance],
    positive: Sequence[set[int]],
) -> Iterator[SampleRow]:
    names = [schema.name for schema in schemas]
    hashes: dict[tuple[int, ...], str] = {}
    asked = asked_for(
        names,
        positive,
        [instance.id for instance in instances],
        benchmark.schemas_per_sample,
        training=split is not Split.TEST,
        key=benchmark.key,
        hard={},
    )
    for place, parts in enumerate(asked):
        for part in parts:
            if part not in hashes:
                hashes[part] = short_hash(task, *(names[index] for index in part))[:8]
            yield SampleRow(f"{instances[place].id}-{hashes[part]}", place, part)


def _capped(rows: Sequence[SampleRow], caps: Caps, key: str, positive: Sequence[set[int]]) -> list[SampleRow]:
    groups: dict[bool, list[SampleRow]] = {True: [], False: []}
    for row in rows:
        groups[not positive[row.instance].isdisjoint(row.schemas)].append(row)
    kept: set[str] = set()
    for with_gold, cap in ((True, caps.with_gold), (False, caps.empty)):
        group = groups[with_gold]
        if len(group) > cap:
            group = sorted(group, key=lambda row: (draw(key, row.id), row.id))[:cap]
        kept.update(row.id for row in group)
    return [row for row in rows if row.id in kept]
