"""The manifest of a build: what it holds, from where, counted after every step, and the digest that names it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ValidationError, model_validator

from massie.catalogue import Aggregation, Caps, Content, Licence, explain
from massie.types import BuildError, Cell, Schema, Split, Task

FORMAT = 1
MANIFEST = "manifest.json"


def _escaped(words: object) -> object:
    return words.encode("utf-8", "backslashreplace").decode() if isinstance(words, str) else words


Words = Annotated[str, BeforeValidator(_escaped)]
"""Words that may hold a file's name; bytes in it that are not UTF-8, which Python keeps as surrogates, are escaped."""


class DatasetEntry(Content):
    """A dataset of the build: source, licence and, for each task, the schemas in order."""

    name: str
    pin: str
    licence: Licence
    schemas: dict[Task, tuple[Schema, ...]]


class CellEntry(Content):
    """A cell and split of the build.

    ``texts`` and ``records`` are the counts after every step, ``dropped`` what was dropped by kind, with some
    ``places``; ``digest`` is the SHA-256 over the canonical form of the samples.
    """

    task: Task
    dataset: str
    language: str
    split: Split
    instances: int
    samples: int
    samples_with_gold: int
    digest: str
    texts: dict[str, int]
    records: dict[str, int]
    dropped: dict[str, int] = {}
    places: dict[str, list[Words]] = {}

    @property
    def cell(self) -> Cell:
        """The cell."""
        return Cell(self.task, self.dataset, self.language)


class Gap(Content):
    """Raw files that could not be had or read: ``unavailable`` (a mirror does not hold them) or ``failed``."""

    dataset: str
    language: str
    raw_split: str
    kind: Literal["unavailable", "failed"]
    reason: Words


class OverlapEntry(Content):
    """How many train and dev texts of a dataset were found in another (or in its own test split), and why that counts.

    ``removed`` says whether they were taken out.
    """

    reason: str
    task: Task
    dataset: str
    other: str
    texts: int
    removed: bool = True


class NegativesEntry(Content):
    """Where the hard negatives of train and dev samples come from: a table, by name and SHA-256 of its file.

    ``mined`` are the datasets that the table lacks and that were mined on the spot; without a digest there is no table.
    """

    table: str
    digest: str | None = None
    mined: list[str] = []


class Manifest(Content):
    """The manifest: benchmark and parameters, datasets, cells, gaps, and the digest over all of it that matters.

    ``lacks`` names what the original evaluation has and the benchmark has not, with the reasons. ``overlaps`` are the
    texts that datasets share, by pairs. ``whole`` counts the cells that the whole benchmark has by
    its cards, built here or not.
    """

    format: Literal[1] = FORMAT
    benchmark: str
    version: str
    seed: int
    schemas_per_sample: int | None
    caps: dict[Split, Caps] | None
    aggregation: Aggregation = Aggregation()
    lacks: dict[str, str] = {}
    massie_version: str
    datasets: dict[str, DatasetEntry]
    cells: list[CellEntry]
    negatives: NegativesEntry | None = None
    whole: dict[Split, int] = {}
    gaps: list[Gap] = []
    overlaps: list[OverlapEntry] = []
    digest: str

    @model_validator(mode="after")
    def _cells_are_those_of_the_datasets(self) -> Manifest:
        seen: set[tuple[Cell, Split]] = set()
        for entry in self.cells:
            if entry.dataset not in self.datasets or entry.task not in self.datasets[entry.dataset].schemas:
                raise ValueError(f"cells: datasets names no schemas of {entry.cell}")
            if (entry.cell, entry.split) in seen:
                raise ValueError(f"cells: {entry.cell} {entry.split} stands twice")
            seen.add((entry.cell, entry.split))
        return self

    def schemas(self, dataset: str, task: Task) -> tuple[Schema, ...]:
        """The schemas of a dataset's task, in order."""
        return self.datasets[dataset].schemas[task]

    def cells_of(self, split: Split) -> list[CellEntry]:
        """The cells that have samples in a split."""
        return [cell for cell in self.cells if cell.split is split and cell.samples]


def manifest_digest(
    benchmark: str,
    version: str,
    seed: int,
    schemas_per_sample: int | None,
    caps: dict[Split, Caps] | None,
    cells: Sequence[CellEntry],
    aggregation: Aggregation | None = None,
) -> str:
    """What two builds share when they are the same benchmark: the hash of parameters and cells' digests."""
    # What a cap leaves open is left out, and what is usual in the aggregation: so caps of other kinds and other
    # aggregations can come without changing what is published.
    plain: dict[str, object] = {
        "benchmark": [benchmark, version, seed, schemas_per_sample],
        "caps": {split: caps[split].model_dump(exclude_none=True) for split in Split if split in caps}
        if caps
        else None,
        "cells": sorted([*map(str, entry.cell), entry.split, entry.digest] for entry in cells),
    }
    if unusual := aggregation.model_dump(mode="json", exclude_defaults=True) if aggregation else {}:
        plain["aggregation"] = unusual
    return sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a build.

    Raises BuildError where the folder does not hold a build that this version reads.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise BuildError(
            f"{folder}: holds no build ({MANIFEST} is missing); make one with: massie build BENCHMARK --out {folder}"
        ) from error
    except OSError as error:
        raise BuildError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BuildError(f"{explain(error, path)}\nbuild it again with: massie build") from error
