"""A benchmark as its users meet it: samples to answer, and the data behind them."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import nsmallest
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING

from massie.build.building import Build, Plan, build
from massie.build.cells import CellData
from massie.build.drawing import draw
from massie.build.manifest import CellEntry, Manifest, read_manifest
from massie.build.tables import read_cell_data, read_parts, read_sample_ids
from massie.catalogue import Catalogue
from massie.catalogue import language as language_of
from massie.sources import SourceStore
from massie.types import (
    BuildError,
    Cell,
    Instance,
    Sample,
    Split,
    Task,
    UnknownNameError,
    record_as_json,
    sample_as_json,
    task_of,
)

if TYPE_CHECKING:
    from datasets import Dataset  # pyright: ignore[reportMissingTypeStubs]


DATA = "MASSIE_DATA"
_DRAWN = "max-samples"


@dataclass(frozen=True)
class Selection:
    """The part of a benchmark that is looked at: None takes all.

    ``limit`` is the most samples of each cell, ``max_samples`` the most in all, and ``quotas`` how many of these each
    cell has; which ones is drawn by their ids.
    """

    tasks: tuple[Task, ...] | None = None
    languages: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    limit: int | None = None
    max_samples: int | None = None
    quotas: Mapping[Cell, int] | None = None

    def has(self, cell: Cell) -> bool:
        """Whether a cell is part of the selection."""
        return (
            (self.tasks is None or cell.task in self.tasks)
            and (self.languages is None or cell.language in self.languages)
            and (self.datasets is None or cell.dataset in self.datasets)
        )


@dataclass(frozen=True)
class Benchmark:
    """A built benchmark, or a part of one, read from its folder (or from memory) cell by cell.

    ``split`` is the split that ``samples`` and the others take when none is named.
    """

    manifest: Manifest
    folder: Path | None = None
    selection: Selection = Selection()
    split: Split = Split.TEST
    _cells: dict[tuple[Cell, Split], CellData] = field(default_factory=dict[tuple[Cell, Split], CellData], repr=False)

    @classmethod
    def of_build(cls, built: Build) -> Benchmark:
        """A build that is still in memory."""
        return cls(built.manifest, _cells=built.cells)

    @classmethod
    def open(cls, folder: Path) -> Benchmark:
        """A build on disk; raises BuildError where the folder holds none."""
        return cls(read_manifest(folder), folder)

    @property
    def id(self) -> str:
        """The id of the benchmark's definition."""
        return self.manifest.benchmark

    @property
    def digest(self) -> str:
        """The manifest's digest: what two equal builds share."""
        return self.manifest.digest

    def cells(self, split: Split | str | None = None, *, whole: bool = False) -> list[Cell]:
        """The cells that have samples in a split: those selected, or of the ``whole`` build."""
        found = sorted(entry.cell for entry in self.manifest.cells_of(self._split(split)))
        if whole:
            return found
        quotas = self._quotas(split)
        return [cell for cell in found if self.selection.has(cell) and (quotas is None or cell in quotas)]

    def select(
        self,
        *,
        tasks: Collection[Task | str] | None = None,
        languages: Collection[str] | None = None,
        datasets: Collection[str] | None = None,
        limit: int | None = None,
        max_samples: int | None = None,
        split: Split | str | None = None,
    ) -> Benchmark:
        """The same benchmark seen in part; what is not named stays as it is.

        Of ``max_samples`` samples each cell gets the share that it has of all, to within one. Raises
        UnknownNameError for a name that the build does not have, and BuildError where the split has no sample of what
        is left.
        """
        if limit is not None and limit < 1:
            raise BuildError(f"the limit of samples of a cell must be at least 1, not {limit}")
        if max_samples is not None and max_samples < 1:
            raise BuildError(f"the most samples must be at least 1, not {max_samples}")
        known = {entry.cell for entry in self.manifest.cells}
        before = self.selection
        chosen = Selection(
            tasks=tuple(task_of(task) for task in tasks) if tasks else before.tasks,
            languages=_known("language", languages, {cell.language for cell in known}) or before.languages,
            datasets=_known("dataset", datasets, {cell.dataset for cell in known}) or before.datasets,
            limit=before.limit if limit is None else limit,
        )
        part = replace(self, selection=chosen, split=self._split(split))
        if not part.cells():
            others = sorted({entry.split for entry in self.manifest.cells if entry.samples and chosen.has(entry.cell)})
            hint = f"it has them in {' and '.join(others)} (--split)" if others else "no split has any"
            raise BuildError(f"the build of {self.id} has no {part.split} samples of this selection; {hint}")
        most = max_samples or before.max_samples
        return part if most is None else part._drawn(most)

    def _drawn(self, most: int) -> Benchmark:
        """The selection with at most so many samples: each cell keeps its share, and so do tasks and datasets.

        Quotas are differences of the rounded sums over the sorted cells. Largest remainders would leave out a whole
        task whose cells are all small.
        """
        numbers = self.numbers()
        total = sum(numbers.values())
        if most >= total:
            return self
        ends = [most * end // total for end in accumulate(numbers.values())]
        quotas = {cell: end - start for cell, start, end in zip(numbers, [0, *ends], ends, strict=False)}
        kept = {cell: quota for cell, quota in quotas.items() if quota}
        return replace(self, selection=replace(self.selection, max_samples=most, quotas=kept))

    def cell_data(self, cell: Cell, split: Split | str | None = None) -> CellData:
        """The data of one cell and split; raises BuildError where a file of the build cannot be read."""
        split = self._split(split)
        if self.folder is None:
            return self._cells[cell, split]
        return read_cell_data(self.folder, cell, split, self.manifest.schemas(cell.dataset, cell.task))

    def iter_samples(self, split: Split | str | None = None) -> Iterator[Sample]:
        """The samples with their gold records, cell by cell, in the build's order."""
        for cell in self.cells(split):
            yield from self.cell_samples(cell, split)

    def cell_samples(self, cell: Cell, split: Split | str | None = None, *, gold: bool = True) -> Iterator[Sample]:
        """The samples of one cell, up to the selection's limit, with their gold or without."""
        samples = (sample for part in self.parts(cell, split, gold=gold) for sample in part.samples())
        if not gold:
            samples = (sample.without_gold() for sample in samples)
        if self._quotas(split) is None:
            return islice(samples, self.selection.limit)
        drawn = set(self.sample_ids(cell, split))
        return (sample for sample in samples if sample.id in drawn)

    def parts(self, cell: Cell, split: Split | str | None = None, *, gold: bool = True) -> Iterator[CellData]:
        """The data of one cell and split in parts, so that a large one need not be held at once.

        Without ``gold`` the records of the instances need not be there.
        """
        split = self._split(split)
        if self.folder is None:
            return iter([self._cells[cell, split]])
        return read_parts(self.folder, cell, split, self.manifest.schemas(cell.dataset, cell.task), gold=gold)

    def numbers(self, split: Split | str | None = None) -> dict[Cell, int]:
        """How many samples each cell of the selection has, up to its limit; the cells are sorted."""
        if (quotas := self._quotas(split)) is not None:
            return {cell: quotas[cell] for cell in self.cells(split)}
        limit = self.selection.limit
        entries = {entry.cell: entry.samples for entry in self.manifest.cells_of(self._split(split))}
        return {cell: min(entries[cell], limit or entries[cell]) for cell in self.cells(split)}

    def _quotas(self, split: Split | str | None) -> Mapping[Cell, int] | None:
        """How many samples of each cell were drawn of all; None where none were, as in every split but its own."""
        return self.selection.quotas if self._split(split) is self.split else None

    def by_cell(self) -> dict[Cell, Benchmark]:
        """The selection cell by cell, each as if the benchmark had nothing else: little to send to another process."""
        entries: dict[Cell, list[CellEntry]] = {}
        for entry in self.manifest.cells:
            entries.setdefault(entry.cell, []).append(entry)
        return {cell: self._only(cell, entries[cell]) for cell in self.cells()}

    def _only(self, cell: Cell, entries: list[CellEntry]) -> Benchmark:
        dataset = {cell.dataset: self.manifest.datasets[cell.dataset]}
        manifest = self.manifest.model_copy(update={"datasets": dataset, "cells": entries})
        data = {(cell, split): self._cells[cell, split] for split in Split if (cell, split) in self._cells}
        return replace(self, manifest=manifest, _cells=data)

    def sample_ids(self, cell: Cell, split: Split | str | None = None) -> list[str]:
        """The ids of the samples of one cell, up to the selection's limit, without reading its texts."""
        split = self._split(split)
        if self.folder is None:
            ids = [row.id for row in self._cells[cell, split].rows]
        else:
            ids = read_sample_ids(self.folder, cell, split)
        ids = ids[: self.selection.limit]
        if (quotas := self._quotas(split)) is None:
            return ids
        drawn = set(nsmallest(quotas[cell], ids, key=partial(draw, _DRAWN)))
        return [id_ for id_ in ids if id_ in drawn]

    def samples(self, split: Split | str | None = None) -> list[Sample]:
        """All of ``iter_samples`` as a list."""
        return list(self.iter_samples(split))

    def instances(self, split: Split | str | None = None) -> Iterator[tuple[Cell, Instance]]:
        """The instances (texts with all their gold records), cell by cell."""
        for cell in self.cells(split):
            for part in self.parts(cell, split):
                yield from ((cell, instance) for instance in part.instances)

    def dataset(self, split: Split | str | None = None) -> Dataset:
        """The samples as a ``datasets.Dataset``.

        Columns: id, task, dataset, language, text, schemas (name, description, roles), instance_id, and gold (records
        as JSON text).
        """
        from datasets import Dataset  # pyright: ignore[reportMissingTypeStubs]

        def row(sample: Sample) -> dict[str, object]:
            gold = [record_as_json(record, sample.task) for record in sample.gold or ()]
            gold_text = json.dumps(gold, ensure_ascii=False)
            return {**sample_as_json(sample), "instance_id": sample.instance_id, "gold": gold_text}

        return Dataset.from_list([row(sample) for sample in self.iter_samples(split)])  # pyright: ignore[reportUnknownMemberType]

    def _split(self, split: Split | str | None) -> Split:
        if split is None:
            return self.split
        try:
            return Split(split)
        except ValueError as error:
            raise UnknownNameError("split", str(split), map(str, Split)) from error


def _known(kind: str, names: Collection[str] | None, known: Collection[str]) -> tuple[str, ...] | None:
    """The names, checked; None where there are none."""
    for name in names or ():
        if name not in known:
            raise UnknownNameError(kind, name, known, "(in this build)")
    return tuple(names) if names else None


def load_benchmark(
    name: str,
    *,
    data: Path | str | None = None,
    task: Task | str | None = None,
    language: str | None = None,
    dataset: str | None = None,
    split: Split | str | None = None,
    catalogue: Catalogue | None = None,
) -> Benchmark:
    """A benchmark by name: M-DEMO at once, any other from the folder ``data`` that ``massie build`` wrote.

    Raises UnknownNameError for an unknown benchmark, task, language or dataset (suggesting the nearest), BuildError
    where ``data`` is missing or holds another benchmark.
    """
    catalogue = catalogue or Catalogue.default()
    definition = catalogue.benchmark(name)
    if language is not None:
        language_of(language)
    if data is None and not definition.bundled:
        data = os.environ.get(DATA) or None
    if data is not None:
        benchmark = Benchmark.open(Path(data))
        if benchmark.id != definition.id:
            raise BuildError(f"{data}: holds {benchmark.id}, not {definition.id}; name the right folder with --data")
    elif definition.bundled:
        benchmark = Benchmark.of_build(build(Plan(definition, catalogue, SourceStore.from_environment())))
    else:
        raise BuildError(
            f"{name} has to be built first: massie build {name} --out DIR; then name the folder with --data DIR"
        )
    return benchmark.select(
        tasks=[task] if task else None,
        languages=[language] if language else None,
        datasets=[dataset] if dataset else None,
        split=split,
    )
