"""Building a benchmark: from cards and raw files to cells of samples with a manifest."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from massie._collector import collector_paused
from massie._version import __version__
from massie.build.filters import decontaminate, deduplicate
from massie.build.instances import Steps, by_split, instances_of, splits_of
from massie.build.manifest import (
    MANIFEST,
    CellEntry,
    DatasetEntry,
    Gap,
    Manifest,
    RoleEntry,
    SchemaEntry,
    manifest_digest,
)
from massie.build.samples import CellData, cell_data
from massie.build.tables import write_cell
from massie.catalogue import BenchmarkDefinition, Card, Catalogue, Status
from massie.readers import Faults, Joining, read_cell
from massie.sources import SourceStore, cell_files
from massie.types import (
    BuildError,
    Cell,
    Instance,
    NotInMirrorError,
    ReaderError,
    Schema,
    SourceError,
    Split,
    Task,
    UnknownNameError,
)

Progress = Callable[[int, int, str], None]
"""Called with the raw cells done, those in all, and the one at hand."""


@dataclass(frozen=True, slots=True)
class Build:
    """A built benchmark in memory: the manifest and the data of every cell and split."""

    manifest: Manifest
    cells: dict[tuple[Cell, Split], CellData]


@dataclass(slots=True)
class _Collected:
    """What reading leaves: instances by cell and split, with the counts of every step, and the gaps."""

    instances: dict[tuple[Cell, Split], list[Instance]] = field(
        default_factory=dict[tuple[Cell, Split], list[Instance]]
    )
    steps: dict[tuple[Cell, Split], Steps] = field(default_factory=dict[tuple[Cell, Split], Steps])
    gaps: list[Gap] = field(default_factory=list[Gap])


def build(
    benchmark: BenchmarkDefinition,
    catalogue: Catalogue,
    store: SourceStore,
    *,
    datasets: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Build:
    """Build a benchmark, or the part of it that some datasets and languages make.

    A cell whose files cannot be had or read becomes a gap of the manifest, the others are built. Raises
    UnknownNameError for a dataset or language that the benchmark does not have, and BuildError where not one cell
    could be built.
    """
    cards = chosen_cards(benchmark, catalogue, datasets, languages)
    work = [
        (card, language, raw_split)
        for card in cards
        for language, raw_split in card.raw_cells()
        if not languages or language in languages
    ]
    if not work:
        named = f" in {', '.join(languages)}" if languages else ""
        raise BuildError(f"{benchmark.id}: nothing to build: the chosen datasets' cards name no raw files{named}")
    collected = _Collected()
    with collector_paused():
        for done, (card, language, raw_split) in enumerate(work):
            if progress:
                progress(done, len(work), f"{card.id} {language} {raw_split}")
            _collect(card, language, raw_split, store, collected)
        if progress:
            progress(len(work), len(work), "")
        if not collected.instances:
            reasons = list(dict.fromkeys(gap.reason for gap in collected.gaps))
            raise BuildError("\n".join(reasons[:3]) + (f"\n(and {len(reasons) - 3} more)" if len(reasons) > 3 else ""))
        members = [catalogue.card(dataset) for dataset in catalogue.datasets_of(benchmark)]
        return _built(benchmark, cards, collected, _whole([*cards, *members]))


def _built(
    benchmark: BenchmarkDefinition, cards: Sequence[Card], collected: _Collected, whole: dict[Split, int]
) -> Build:
    """Steps 6 and 7 over all cells, then samples and manifest."""
    kept = decontaminate(deduplicate(collected.instances, collected.steps), collected.steps)
    schemas = {(card.id, task): card.schemas(task) for card in cards for task in card.tasks}
    cells = {
        (cell, split): cell_data(benchmark, cell, split, schemas[cell.dataset, cell.task], instances)
        for (cell, split), instances in sorted(kept.items())
    }
    return Build(_manifest(benchmark, cards, schemas, cells, collected, whole), cells)


def _whole(cards: Iterable[Card]) -> dict[Split, int]:
    """How many cells these cards have by split, whether their files are at hand or not."""
    cells = {
        (split, task, card.id, language)
        for card in cards
        for language, raw_split in card.raw_cells()
        for split in splits_of(card, raw_split)
        for task in card.tasks
    }
    return {split: number for split in Split if (number := sum(cell[0] is split for cell in cells))}


def chosen_cards(
    benchmark: BenchmarkDefinition,
    catalogue: Catalogue,
    datasets: Sequence[str] | None,
    languages: Sequence[str] | None,
) -> list[Card]:
    """The cards of a benchmark, or those of some datasets, that have one of the languages.

    A benchmark that lists no datasets takes any other ready dataset too, where it is named: a card of one's own, say.
    """
    members = catalogue.datasets_of(benchmark)
    for dataset in datasets or ():
        card = catalogue.card(dataset)
        if card.status is Status.DESCRIBED:
            raise BuildError(
                f"{dataset} cannot be built: its card only describes it (massie datasets show {dataset} says more)"
            )
        if benchmark.datasets is not None and dataset not in members:
            raise UnknownNameError("dataset", dataset, members, f"(the benchmark {benchmark.id} does not have it)")
    cards = [catalogue.card(dataset) for dataset in sorted(set(datasets or members))]
    known = {language for card in cards for language in card.languages}
    for language in languages or ():
        if language not in known:
            raise UnknownNameError("language", language, known, "(in the chosen datasets)")
    return [card for card in cards if not languages or set(languages) & set(card.languages)]


def _collect(card: Card, language: str, raw_split: str, store: SourceStore, collected: _Collected) -> None:
    """Read one raw cell into instances for each of its tasks and splits; what goes wrong becomes a gap."""
    faults = Faults()
    try:
        files = cell_files(card, language, raw_split, store)
        parts = by_split(card, raw_split, read_cell(card, language, raw_split, files, faults))
    except NotInMirrorError as error:
        collected.gaps.append(_gap(card, language, raw_split, "unavailable", error))
        return
    except (SourceError, ReaderError) as error:
        collected.gaps.append(_gap(card, language, raw_split, "failed", error))
        return
    glue = Joining.for_card(card, language).glue
    for task in card.tasks:
        for split, texts in parts.items():
            steps = Steps()
            key = (Cell(task, card.id, language), split)
            if key in collected.instances:
                raise BuildError(f"card {card.id}: two raw splits of {language} give the split {split}")
            collected.instances[key] = instances_of(card, task, language, split, texts, glue, steps)
            if split is next(iter(parts)):  # of the splits made of one raw split, the first has its reader's counts
                steps.dropped.merge(faults)
            collected.steps[key] = steps


def _gap(card: Card, language: str, raw_split: str, kind: str, error: Exception) -> Gap:
    return Gap.model_validate(
        {"dataset": card.id, "language": language, "raw_split": raw_split, "kind": kind, "reason": str(error)}
    )


def _manifest(
    benchmark: BenchmarkDefinition,
    cards: Iterable[Card],
    schemas: dict[tuple[str, Task], tuple[Schema, ...]],
    cells: dict[tuple[Cell, Split], CellData],
    collected: _Collected,
    whole: dict[Split, int],
) -> Manifest:
    entries = [_cell_entry(data, collected.steps[key]) for key, data in cells.items()]
    used = {entry.dataset for entry in entries}
    return Manifest(
        benchmark=benchmark.id,
        version=benchmark.version,
        seed=benchmark.seed,
        schemas_per_sample=benchmark.schemas_per_sample,
        caps=benchmark.caps,
        massie_version=__version__,
        datasets={card.id: _dataset_entry(card, schemas) for card in cards if card.id in used},
        cells=entries,
        whole=whole,
        gaps=collected.gaps,
        digest=manifest_digest(
            benchmark.id, benchmark.version, benchmark.seed, benchmark.schemas_per_sample, benchmark.caps, entries
        ),
    )


def _dataset_entry(card: Card, schemas: dict[tuple[str, Task], tuple[Schema, ...]]) -> DatasetEntry:
    def entry(schema: Schema) -> SchemaEntry:
        roles = [RoleEntry(name=role.name, description=role.description) for role in schema.roles]
        return SchemaEntry(name=schema.name, description=schema.description, roles=roles)

    assert card.source is not None, "a card that was read has a source"
    return DatasetEntry(
        name=card.name,
        pin=card.source.pin,
        licence=card.licence,
        schemas={task: [entry(schema) for schema in schemas[card.id, task]] for task in card.tasks},
    )


def _cell_entry(data: CellData, steps: Steps) -> CellEntry:
    return CellEntry(
        task=data.cell.task,
        dataset=data.cell.dataset,
        language=data.cell.language,
        split=data.split,
        instances=len(data.instances),
        samples=len(data.rows),
        samples_with_gold=data.with_gold(),
        digest=data.digest(),
        texts=steps.texts,
        records=steps.records,
        dropped=dict(sorted(steps.dropped.counts.items())),
        places=dict(sorted(steps.dropped.places.items())),
    )


def write_build(built: Build, folder: Path) -> None:
    """Write a build to a folder that is new or empty, whole or not at all; raises BuildError where that cannot be."""
    with new_folder(folder) as partial:
        write_tables(built, partial)


@contextmanager
def new_folder(folder: Path) -> Generator[Path]:
    """A folder to fill, which takes the place of ``folder`` at the end, and goes where what fills it fails.

    It is made at once, so that a build of hours does not end in a place that cannot be written. Raises BuildError
    where the folder is not empty, is the current one, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BuildError(f"{folder}: is not an empty folder; name another with --out, or remove it first")
    if folder.resolve() == Path.cwd():
        raise BuildError(f"{folder}: is the current folder, which cannot be replaced; name a new one with --out")
    partial: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
        yield partial
        partial.chmod(0o755)
        partial.replace(folder)
    except OSError as error:
        raise BuildError(f"{folder}: cannot be written: {error.strerror}; name another folder with --out") from error
    finally:
        if partial is not None and partial.exists():
            shutil.rmtree(partial)


def write_tables(built: Build, folder: Path) -> None:
    """Write the tables and the manifest of a build to a folder."""
    for data in built.cells.values():
        write_cell(folder, data)
    (folder / MANIFEST).write_text(built.manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
