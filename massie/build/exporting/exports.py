"""Exporting a build: its samples as plain files for other tools, with all that must be said of them beside."""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from massie.build.benchmark import Benchmark
from massie.build.exporting.croissant import CROISSANT, croissant
from massie.build.exporting.exported import EXPORT, Export, ExportedDataset, ExportedFile
from massie.build.exporting.flat import FIELDS, flat_row, write_lines, write_parquet
from massie.build.exporting.readme import README, readme
from massie.build.exporting.redistribution import Standing, passed_on, standings
from massie.build.folders import export_folder
from massie.build.manifest import Manifest
from massie.catalogue import Catalogue
from massie.types import BuildError, Cell, Sample, Split, Task

Progress = Callable[[int, int, str], None]
"""Called with the samples written, those in all, and the cell that is being written."""

Write = Callable[[Path, Iterable[Sample], Mapping[str, str]], None]
"""Writes samples to a file; the marks are for formats whose files have metadata."""

PRIVATE = "PRIVATE"
"""The file that a private export has in its folder, and no other."""

_PRIVATE = "Private: made for its maker's own use (--private); not to be published, uploaded or passed on."
_PUBLIC = "Each dataset of this export may be passed on under its own licence, which is named beside it."


@dataclass(frozen=True, slots=True)
class Form:
    """A form of export: how samples become files, what the fields of a record mean, which splits it takes by default.

    ``hub`` says that the folder is a dataset of the Hugging Face hub; ``prompts`` are the ids of the prompts that
    records are rendered with.
    """

    name: str
    suffix: str
    write: Write
    fields: Mapping[str, str]
    splits: tuple[Split, ...] = tuple(Split)
    prompts: Mapping[Task, str] = field(default_factory=dict[Task, str])
    hub: bool = False


def _lines(path: Path, samples: Iterable[Sample], marks: Mapping[str, str]) -> None:
    write_lines(path, map(flat_row, samples))


def _parquet(path: Path, samples: Iterable[Sample], marks: Mapping[str, str]) -> None:
    write_parquet(path, map(flat_row, samples), marks)


_IN_PARQUET = FIELDS | {key: f"{FIELDS[key]} As JSON text." for key in ("gold", "offsets")}

PARQUET = Form("parquet", ".parquet", _parquet, _IN_PARQUET)
JSONL = Form("jsonl", ".jsonl", _lines, FIELDS)
HF = Form("hf", ".parquet", _parquet, _IN_PARQUET, hub=True)


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is to be exported, and how.

    The catalogue has the datasets' citations and access. Without ``private`` only what may be passed on is taken.
    ``command`` and ``created`` (a time, UTC) are noted.
    """

    benchmark: Benchmark
    catalogue: Catalogue
    form: Form
    splits: Sequence[Split]
    command: str
    created: str
    private: bool = False

    def cells(self) -> list[tuple[Task, Split, list[Cell]]]:
        """The cells that have samples, by task and split."""
        by_split = {split: self.benchmark.cells(split) for split in Split if split in self.splits}
        grouped = [
            (task, split, [cell for cell in cells if cell.task is task])
            for task in Task
            for split, cells in by_split.items()
        ]
        return [group for group in grouped if group[2]]

    def standings(self) -> list[Standing]:
        """How the datasets of these cells stand with the licence gate."""
        datasets = {cell.dataset for _, _, cells in self.cells() for cell in cells}
        return standings(self.benchmark.manifest, datasets, self.catalogue)


def export_to(folder: Path, plan: ExportPlan, progress: Progress | None = None) -> Export:
    """Export into a folder, which must be new or empty, and return what the export says of itself.

    Each task and split is one file, written sample by sample. The folder is there when all is done, and where
    something fails nothing is left. Raises BuildError where there is nothing to export, where no dataset may be passed
    on and the export is not private, and where the folder cannot be written.
    """
    found = plan.standings()
    if not found:
        raise BuildError(
            f"{plan.benchmark.id}: nothing to export: no sample is in the chosen part of {' and '.join(plan.splits)}"
        )
    kept = found if plan.private else passed_on(found)
    with export_folder(folder) as place:
        writing = _Writing(plan, {standing.dataset for standing in kept}, place, progress)
        files = writing.files()
        export = _export(plan, found, kept, files, writing.counts)
        for name, text in _documents(export, plan.form).items():
            (place / name).write_text(text, encoding="utf-8", newline="\n")
    return export


@dataclass(slots=True)
class _Writing:
    """The samples on their way to the files: counted by dataset and split, and reported."""

    plan: ExportPlan
    datasets: set[str]
    place: Path
    progress: Progress | None
    counts: Counter[tuple[str, Split]] = field(default_factory=Counter[tuple[str, Split]])
    total: int = field(init=False)

    def __post_init__(self) -> None:
        limit = self.plan.benchmark.selection.limit
        groups = [(split, self._chosen(cells)) for _, split, cells in self.plan.cells()]
        chosen = {(cell, split) for split, cells in groups for cell in cells}
        entries = (entry for entry in self.plan.benchmark.manifest.cells if (entry.cell, entry.split) in chosen)
        self.total = sum(entry.samples if limit is None else min(entry.samples, limit) for entry in entries)

    def files(self) -> list[ExportedFile]:
        """Write all files."""
        written: list[ExportedFile] = []
        for task, split, cells in self.plan.cells():
            if chosen := self._chosen(cells):
                written.append(self._file(task, split, chosen))
        return written

    def _chosen(self, cells: Iterable[Cell]) -> list[Cell]:
        return [cell for cell in cells if cell.dataset in self.datasets]

    def _file(self, task: Task, split: Split, cells: Sequence[Cell]) -> ExportedFile:
        name = f"{task}/{split}{self.plan.form.suffix}"
        path = self.place / name
        path.parent.mkdir(exist_ok=True)
        before = self.counts.total()
        self.plan.form.write(path, self._samples(cells, split), self._marks())
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        samples = self.counts.total() - before
        return ExportedFile(
            path=name, task=task, split=split, samples=samples, bytes=path.stat().st_size, sha256=digest
        )

    def _samples(self, cells: Sequence[Cell], split: Split) -> Iterator[Sample]:
        done = self.counts.total()
        for cell in cells:
            for sample in self.plan.benchmark.cell_samples(cell, split):
                yield sample
                self.counts[cell.dataset, split] += 1
                done += 1
                if self.progress and done % 1000 == 0:
                    self.progress(done, self.total, str(cell))
            if self.progress:
                self.progress(done, self.total, str(cell))

    def _marks(self) -> dict[str, str]:
        """What every Parquet file says of itself, wherever it goes."""
        manifest = self.plan.benchmark.manifest
        return {
            "massie.benchmark": f"{manifest.benchmark} {manifest.version}",
            "massie.manifest_digest": manifest.digest,
            "massie.redistributable": "false" if self.plan.private else "true",
            "massie.notice": _notice(self.plan),
        }


def _notice(plan: ExportPlan) -> str:
    return _PRIVATE if plan.private else _PUBLIC


def _export(
    plan: ExportPlan,
    found: Sequence[Standing],
    kept: Sequence[Standing],
    files: list[ExportedFile],
    counts: Counter[tuple[str, Split]],
) -> Export:
    manifest = plan.benchmark.manifest
    names = {standing.dataset for standing in kept}
    cells = {cell for _, _, cells in plan.cells() for cell in cells}
    return Export(
        form=plan.form.name,
        redistributable=not plan.private,
        notice=_notice(plan),
        benchmark=manifest.benchmark,
        version=manifest.version,
        manifest_digest=manifest.digest,
        built_with=manifest.massie_version,
        created=plan.created,
        remake=[*_build_command(plan.benchmark), plan.command],
        prompts={
            task: prompt for task, prompt in plan.form.prompts.items() if any(file.task is task for file in files)
        },
        datasets={standing.dataset: _dataset(standing, cells, counts) for standing in kept},
        left_out={
            standing.dataset: standing.obstacle
            for standing in found
            if standing.obstacle is not None and standing.dataset not in names
        },
        files=files,
    )


def _dataset(standing: Standing, cells: Iterable[Cell], counts: Mapping[tuple[str, Split], int]) -> ExportedDataset:
    entry, card = standing.entry, standing.card
    own = [cell for cell in cells if cell.dataset == standing.dataset]
    return ExportedDataset(
        name=entry.name,
        licence=entry.licence,
        obstacle=standing.obstacle,
        access=card.access if card else None,
        citation=card.citation if card else None,
        homepage=card.homepage if card else None,
        pin=entry.pin,
        tasks=[task for task in Task if any(cell.task is task for cell in own)],
        languages=sorted({cell.language for cell in own}),
        samples={split: counts[standing.dataset, split] for split in Split if (standing.dataset, split) in counts},
    )


def _build_command(benchmark: Benchmark) -> list[str]:
    """The command that builds the benchmark again; a build in memory needs none."""
    if benchmark.folder is None:
        return []
    manifest = benchmark.manifest
    named = [f"--dataset={dataset}" for dataset in manifest.datasets] if _is_part(manifest) else []
    folder = benchmark.folder.name if benchmark.folder.is_absolute() else str(benchmark.folder)
    return [shlex.join(["massie", "build", manifest.benchmark, *named, "--out", folder])]


def _is_part(manifest: Manifest) -> bool:
    return sum(manifest.whole.values()) != len(manifest.cells)


def _documents(export: Export, form: Form) -> dict[str, str]:
    """The texts that stand beside the data, by file name."""
    documents = {
        README: readme(export, form.fields, hub=form.hub),
        EXPORT: export.model_dump_json(indent=1) + "\n",
    }
    if not export.redistributable:
        documents[PRIVATE] = export.notice + "\n"
    if form.hub:
        documents[CROISSANT] = croissant(export, documents)
    return documents
