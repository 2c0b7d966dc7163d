"""The two kinds of jobs that a build consists of, each independent of all others of its kind.

A *reading* turns the files of one language and raw split into staged instances; a *cell* turns the staged instances
of a cell and split into its samples. With a folder their results are files there, so that they can run on any process
or machine that sees it, and a job that is done is not done again; without one they stay in memory.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from massie._collector import collector_paused
from massie.build.cells import CellData
from massie.build.filters import FILTERS, CellSplit, Removals
from massie.build.instances import EQUAL, READ, REFINED, REPEATED, Steps, by_split, instances_of
from massie.build.manifest import CellEntry, Gap
from massie.build.samples import Samples, SamplesDigest, Sampling, schemas_digest
from massie.build.staged import Staged, merged
from massie.build.tables import CellWriter, has_tables, joined_cell_data, samples_table
from massie.catalogue import Card
from massie.readers import Faults, Joining, RawText, read_cell
from massie.sources import SourceStore, cell_digest, cell_files
from massie.types import Cell, NotInMirrorError, ReaderError, SourceError, Split, Task

ROWS = 16_384
"""How many instances are held at once; what a build needs in memory grows with this and not with the data."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The job of reading one language and raw split of a card; ``folder`` is where its staged instances go."""

    card: Card
    language: str
    raw_split: str
    store: SourceStore
    folder: Path | None = None

    def known_texts(self) -> int:
        """How many texts the card says there are; 0 where it does not."""
        counts = self.card.counts.get(self.language, {}).get(self.raw_split)
        return counts.texts if counts else 0


@dataclass(slots=True)
class Stage:
    """The staged instances of one cell and split, in runs (files, or in memory), with the counts so far.

    ``fingerprint`` names by content all that they were made of.
    """

    key: CellSplit
    runs: list[Path | Staged]
    steps: Steps
    fingerprint: str = ""

    def staged(self) -> list[Staged]:
        """The runs, opened."""
        return [Staged.read(run) if isinstance(run, Path) else run for run in self.runs]


def read_raw_cell(job: Reading) -> list[Stage] | Gap:
    """Read a raw cell into the stages of its tasks and splits; what cannot be had or read becomes a gap."""
    try:
        files = cell_files(job.card, job.language, job.raw_split, job.store)
        if job.folder is None:
            return _staged(job, read_cell(job.card, job.language, job.raw_split, files, faults := Faults()), faults)
        fingerprint = _fingerprint(_code_digest(), job.card.model_dump_json(), job.language, cell_digest(files))
        done = _read_stages(job.folder, fingerprint)
        if done is None:
            (job.folder / _DONE).unlink(missing_ok=True)  # the files that it names are written again
            texts = read_cell(job.card, job.language, job.raw_split, files, faults := Faults())
            done = _staged(job, texts, faults)
            _write_stages(job.folder, done, fingerprint)
        return done
    except NotInMirrorError as error:
        return _gap(job, "unavailable", error)
    except (SourceError, ReaderError) as error:
        return _gap(job, "failed", error)


def _gap(job: Reading, kind: str, error: Exception) -> Gap:
    plain = {"dataset": job.card.id, "language": job.language, "raw_split": job.raw_split}
    return Gap.model_validate(plain | {"kind": kind, "reason": str(error)})


def _staged(job: Reading, texts: Iterator[RawText], faults: Faults) -> list[Stage]:
    card, language = job.card, job.language
    splits = card.splits_of(job.raw_split)
    stages = {
        (task, split): Stage(CellSplit(Cell(task, card.id, language), split), [], Steps())
        for task in card.tasks
        for split in splits
    }
    schemas = {task: card.schemas(task) for task in card.tasks}
    glue = Joining.for_card(card, language).glue
    for stage in stages.values():
        stage.steps.count(READ, 0, 0)
    with collector_paused():
        while part := [*islice(texts, ROWS)]:
            for split, some in by_split(card, job.raw_split, part).items():
                for task in card.tasks if some else ():
                    stage = stages[task, split]
                    instances = instances_of(card, task, language, split, some, glue, stage.steps)
                    run = Staged.of(instances, schemas[task])
                    stage.runs.append(run if job.folder is None else _write_run(job.folder, stage, run))
    for task in card.tasks:
        stages[task, splits[0]].steps.dropped.merge(faults)  # the reader's counts are not told apart by split
    return [*stages.values()]


def _write_run(folder: Path, stage: Stage, run: Staged) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stage.key.cell.task}.{stage.key.split}.{len(stage.runs)}.arrow"
    run.write(path)
    return path


_DONE = "done.json"


def _write_stages(folder: Path, stages: list[Stage], fingerprint: str) -> None:
    """Say that a reading is done: written last, so that what it names is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for stage in stages:
        stage.fingerprint = fingerprint
    plain = [
        {
            "cell": stage.key.cell,
            "split": stage.key.split,
            "runs": [run.name for run in stage.runs if isinstance(run, Path)],
            "texts": stage.steps.texts,
            "records": stage.steps.records,
            "dropped": stage.steps.dropped.counts,
            "places": stage.steps.dropped.places,
        }
        for stage in stages
    ]
    _write(folder / _DONE, {"fingerprint": fingerprint, "stages": plain})


def _read_stages(folder: Path, fingerprint: str) -> list[Stage] | None:
    """What an earlier reading left of the same files by the same card; None where there is none."""
    done = _read(folder / _DONE, fingerprint)
    if done is None:
        return None
    return [
        Stage(
            CellSplit(Cell(Task(stage["cell"][0]), *stage["cell"][1:]), Split(stage["split"])),
            [folder / name for name in stage["runs"]],
            Steps(
                Counter(stage["texts"]), Counter(stage["records"]), Faults(Counter(stage["dropped"]), stage["places"])
            ),
            fingerprint,
        )
        for stage in done["stages"]
    ]


@dataclass(frozen=True, slots=True)
class Making:
    """The job of making the samples of one cell and split; ``folder`` is where the build's tables go."""

    sampling: Sampling
    stage: Stage
    removals: Removals
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A cell and split that is made: its entry in the manifest, and its data where they stay in memory."""

    entry: CellEntry
    data: CellData | None = None


def make_cell(job: Making) -> Made:
    """Filter, batch, sample and write one cell and split."""
    if job.folder is None:
        with collector_paused():
            return _Making(job).in_memory()
    key = job.stage.key
    benchmark = job.sampling.benchmark
    caps = job.sampling.caps
    fingerprint = _fingerprint(
        job.stage.fingerprint,
        str(key),
        job.removals.digest(),
        f"{benchmark.key}/{benchmark.schemas_per_sample}/{caps.model_dump_json() if caps else None}",
        schemas_digest(job.sampling.schemas),
        json.dumps(job.sampling.hard, sort_keys=True, default=list),
    )
    mark = job.folder / "cells" / f"{key.cell.task}.{key.split}.{key.cell.dataset}.{key.cell.language}.json"
    done = _read(mark, fingerprint)
    if done is None or not has_tables(job.folder / "build", *key):
        mark.unlink(missing_ok=True)  # what it says is not true while the tables are written again
        with collector_paused():
            entry = _Making(job).on_disk(job.folder / "build")
        mark.parent.mkdir(parents=True, exist_ok=True)
        _write(mark, {"fingerprint": fingerprint, "entry": entry.model_dump(mode="json")})
        return Made(entry)
    return Made(CellEntry.model_validate(done["entry"]))


@dataclass(slots=True)
class _Making:
    """Counts and digest of a cell while its parts go by."""

    job: Making
    instances: int = 0
    samples: int = 0
    with_gold: int = 0
    steps: Steps = field(default_factory=Steps)
    counted: bool = False
    digest: SamplesDigest = field(init=False)

    def __post_init__(self) -> None:
        self.digest = SamplesDigest(self.job.sampling.schemas)
        self.steps.merge(self.job.stage.steps)

    def on_disk(self, folder: Path) -> CellEntry:
        """Write the tables of the cell to a build's folder."""
        writer = CellWriter(folder, *self.job.stage.key)
        try:
            for part in self._parts():
                writer.add(part.instances.kept_columns(), samples_table(part.ids, part.asked))
        finally:
            writer.close()
        return self._entry()

    def in_memory(self) -> Made:
        """Keep the cell as objects."""
        tables = [(part.instances.kept_columns(), samples_table(part.ids, part.asked)) for part in self._parts()]
        data = joined_cell_data(*self.job.stage.key, self.job.sampling.schemas, tables)
        return Made(self._entry(), data)

    def _parts(self) -> Iterator[Samples]:
        for part in self.job.sampling.parts(self._filtered):
            self.digest.add(part)
            self.instances += len(part.instances)
            self.samples += len(part.ids)
            self.with_gold += int(part.with_gold().sum())
            yield part

    def _filtered(self) -> Iterator[Staged]:
        """The instances that the filters leave, runs merged, in the order of their ids; counted the first time."""
        runs = self.job.stage.staged()
        steps = Steps()
        where = str(self.job.stage.key.cell)
        for part in merged(runs, ROWS):
            steps.count(REFINED, len(part), part.number_of_records())
            gone = np.zeros(len(part), bool)
            for (step, reason), removed in zip(FILTERS, self.job.removals.masks(part), strict=False):
                if number := int(removed.sum()):
                    steps.dropped.add(reason, where, number)
                gone |= removed
                left = part.take(~gone)
                steps.count(step, len(left), left.number_of_records())
            yield part.take(~gone)
        if merged_runs := sum(map(len, runs)) - steps.texts[REFINED]:
            steps.dropped.add(REPEATED, where, merged_runs)
        if equal := sum(run.number_of_records() for run in runs) - steps.records[REFINED]:
            steps.dropped.add(EQUAL, where, equal)
        if not self.counted:
            self.steps.merge(steps)
            self.counted = True

    def _entry(self) -> CellEntry:
        cell, split = self.job.stage.key
        return CellEntry(
            task=cell.task,
            dataset=cell.dataset,
            language=cell.language,
            split=split,
            instances=self.instances,
            samples=self.samples,
            samples_with_gold=self.with_gold,
            digest=self.digest.hexdigest(),
            texts=dict(self.steps.texts),
            records=dict(self.steps.records),
            dropped=dict(sorted(self.steps.dropped.counts.items())),
            places=dict(sorted(self.steps.dropped.places.items())),
        )


def _fingerprint(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


@cache
def _code_digest() -> str:
    """What names the code that reads and builds, so that what an older one left is not taken for its own."""
    package = Path(__file__).parent.parent
    rooms = ("types", "catalogue", "sources", "readers", "build")
    files = sorted(path for room in rooms for path in (package / room).rglob("*.py"))
    return sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _write(path: Path, plain: dict[str, Any]) -> None:
    """Write JSON whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(plain), encoding="utf-8")
    partial.replace(path)


def _read(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The JSON of a job that is done, unless it was done with something else than this fingerprint names."""
    try:
        plain = json.loads(path.read_bytes())
        return plain if plain["fingerprint"] == fingerprint else None
    except (FileNotFoundError, ValueError, KeyError):  # damaged by a power cut, say: done again
        return None
