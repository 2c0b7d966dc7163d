"""From instances to samples: batches of schemas, sampled up to the benchmark's caps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from heapq import nsmallest
from json import JSONEncoder

import numpy as np
from numpy.typing import NDArray

from massie.build.batching import Asked, asked_for_test, asked_for_training
from massie.build.drawing import draw, draws, short_hash
from massie.build.staged import Staged
from massie.catalogue import BenchmarkDefinition, Caps
from massie.types import Cell, Schema, Split, Task

_encoded = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Samples:
    """Some samples in columns: staged instances, what they are asked for, and the samples' ids."""

    instances: Staged
    asked: Asked
    ids: list[str]

    def of_records(self) -> NDArray[np.int64]:
        """Of every record of the instances the row of its sample; -1 where no sample asks for it."""
        rows, labels = self.instances.records()
        width = 1 + max(labels.max(initial=0), self.asked.schemas.max(initial=0))
        place = np.full((len(self.instances), width), -1, np.int64)
        samples = self.asked.sample_of_schema()
        place[self.asked.instance[samples], self.asked.schemas] = samples
        return place[rows, labels]

    def with_gold(self) -> NDArray[np.bool_]:
        """Which samples have gold records."""
        found = np.zeros(len(self.ids), bool)
        places = self.of_records()
        found[places[places >= 0]] = True
        return found

    def take(self, rows: NDArray[np.bool_]) -> Samples:
        """The samples where ``rows`` is true, and of the instances those that they ask about."""
        if rows.all():
            return self
        asked = self.asked.take(rows)
        used = np.zeros(len(self.instances), bool)
        used[asked.instance] = True
        instance = (np.cumsum(used) - 1)[asked.instance].astype(np.int32)
        ids = [id_ for id_, kept in zip(self.ids, rows.tolist(), strict=True) if kept]
        return Samples(self.instances.take(used), Asked(instance, asked.starts, asked.schemas), ids)

    def lines(self) -> list[str]:
        """The samples in canonical form, sorted: a line each with the id and the gold records."""
        gold: dict[int, list[str]] = {}
        for place, form in zip(self.of_records().tolist(), self.instances.canonical(), strict=True):
            if place >= 0:
                gold.setdefault(place, []).append(form)
        lines = [f"{id_}\t[]\n" for id_ in self.ids]
        for place, forms in gold.items():
            lines[place] = f"{self.ids[place]}\t[{','.join(sorted(forms))}]\n"
        lines.sort()
        return lines


Hard = Mapping[str, Sequence[str]]
"""The hard negatives of each schema of a dataset, by name."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the instances of one cell and split become samples."""

    benchmark: BenchmarkDefinition
    cell: Cell
    split: Split
    schemas: tuple[Schema, ...]
    hard: Hard

    @property
    def caps(self) -> Caps | None:
        """The benchmark's caps for the split."""
        return (self.benchmark.caps or {}).get(self.split)

    def samples(self, instances: Staged) -> Samples:
        """The samples of some instances, before any cap on samples."""
        names = [schema.name for schema in self.schemas]
        size = self.benchmark.schemas_per_sample
        ids = instances.ids()
        if self.split is Split.TEST:
            asked = asked_for_test(len(ids), len(names), size)
        else:
            positive = np.zeros((len(ids), len(names)), bool)
            positive[instances.records()] = True
            keys = draws(self.benchmark.key, ids)
            asked = asked_for_training(positive, self._hard(names), names, keys, size)
        return Samples(instances, asked, sample_ids(self.cell.task, ids, asked, names))

    def _hard(self, names: Sequence[str]) -> NDArray[np.bool_]:
        index_of = {name: index for index, name in enumerate(names)}
        hard = np.zeros((len(names), len(names)), bool)
        for name, negatives in self.hard.items():
            hard[index_of[name], [index_of[negative] for negative in negatives]] = True
        return hard

    def parts(self, instances: Callable[[], Iterable[Staged]]) -> Iterator[Samples]:
        """The samples of all parts of the instances, up to the caps: those with the lowest draws.

        ``instances`` is called for each time that they have to be gone through.
        """
        caps = self.caps
        if caps is None:
            yield from map(self.samples, instances())
            return
        parts = instances
        if caps.instances is not None:
            ids = _lowest((id_ for part in instances() for id_ in part.ids()), caps.instances, self.benchmark.key)
            parts = _only(instances, ids)
        kept: set[str] | None = None
        if caps.empty is not None or caps.with_gold is not None:
            kept = self._lowest_samples(map(self.samples, parts()), caps)
        for part in map(self.samples, parts()):
            yield part if kept is None else part.take(np.array([id_ in kept for id_ in part.ids], bool))

    def _lowest_samples(self, parts: Iterable[Samples], caps: Caps) -> set[str]:
        """The ids of the samples that both caps leave."""
        lowest: dict[bool, list[str]] = {True: [], False: []}
        for part in parts:
            flags = part.with_gold().tolist()
            for flag, cap in ((True, caps.with_gold), (False, caps.empty)):
                ids = [id_ for id_, gold in zip(part.ids, flags, strict=True) if gold is flag]
                lowest[flag] = [*_lowest((*lowest[flag], *ids), cap, self.benchmark.key)]
        return {*lowest[True], *lowest[False]}


def sample_ids(task: Task, ids: Sequence[str], asked: Asked, names: Sequence[str]) -> list[str]:
    """The samples' ids: of each its instance's with the hash of its list of schemas, by ``names``."""
    hashes: dict[bytes, str] = {}
    made: list[str] = []
    flat, width = asked.schemas.tobytes(), asked.schemas.itemsize
    starts = (asked.starts * width).tolist()
    for instance, start, end in zip(asked.instance.tolist(), starts, starts[1:], strict=False):
        part = flat[start:end]
        if part not in hashes:
            chosen = [names[int(index)] for index in np.frombuffer(part, np.int16)]
            hashes[part] = short_hash(task, *chosen)[:8]
        made.append(f"{ids[instance]}-{hashes[part]}")
    return made


def _lowest(ids: Iterable[str], cap: int | None, key: str) -> set[str]:
    """The ids with the ``cap`` lowest draws; all where it is None."""
    listed = [*ids]
    if cap is None or len(listed) <= cap:
        return {*listed}
    return {*nsmallest(cap, listed, key=lambda id_: (draw(key, id_), id_))}


def _only(instances: Callable[[], Iterable[Staged]], ids: set[str]) -> Callable[[], Iterator[Staged]]:
    def chosen() -> Iterator[Staged]:
        for part in instances():
            yield part.take(np.array([id_ in ids for id_ in part.ids()], bool))

    return chosen


def schemas_digest(schemas: Sequence[Schema]) -> str:
    """What names a list of schemas by content: names, descriptions and roles."""
    plain = [[s.name, s.description, [[role.name, role.description] for role in s.roles]] for s in schemas]
    return short_hash(_encoded(plain))


class SamplesDigest:
    """SHA-256 over the canonical form of samples that come in parts, in the order of their instances' ids.

    So it depends on no order of files, no file format and no number of workers.
    """

    def __init__(self, schemas: Sequence[Schema]) -> None:
        self._hash = sha256(schemas_digest(schemas).encode())

    def add(self, part: Samples) -> None:
        """Take in another part."""
        self._hash.update("".join(part.lines()).encode("utf-8", "surrogatepass"))

    def hexdigest(self) -> str:
        """The digest of all parts taken in."""
        return self._hash.hexdigest()
