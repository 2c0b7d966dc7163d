"""Building a benchmark: from cards and raw files to cells of samples with a manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from massie._version import __version__
from massie.build.cells import CellData
from massie.build.engines import Engine, Runner, cores, job_runner
from massie.build.filters import NEARLY, CellSplit, Filtered, filtered
from massie.build.folders import build_folder
from massie.build.jobs import Made, Making, Reading, Stage, make_cell, read_raw_cell
from massie.build.manifest import (
    MANIFEST,
    DatasetEntry,
    Gap,
    Manifest,
    OverlapEntry,
    manifest_digest,
)
from massie.build.near import NearDuplicates, find_near_duplicates, minhash
from massie.build.negatives.hard import HardNegatives, hard_negatives
from massie.build.samples import Sampling
from massie.build.tables import keep_only
from massie.catalogue import BenchmarkDefinition, Card, Catalogue, Status
from massie.sources import SourceStore
from massie.types import BuildError, Cell, Schema, Split, Task, UnknownNameError

Progress = Callable[[int, int, str], None]
"""Called with the jobs done, those in all, and what was done last."""

Schemas = dict[tuple[str, Task], tuple[Schema, ...]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be built, and how: a benchmark, or the part of it that some datasets and languages make.

    ``near_duplicates`` says what becomes of train and dev texts that are nearly a test text. ``engine`` and ``workers``
    (how many processes run at once; None for as many as help) do not change what is built.
    """

    benchmark: BenchmarkDefinition
    catalogue: Catalogue
    store: SourceStore
    datasets: Sequence[str] | None = None
    languages: Sequence[str] | None = None
    near_duplicates: NearDuplicates = NearDuplicates.KEEP
    engine: Engine = Engine.LOCAL
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.near_duplicates is not NearDuplicates.KEEP:
            minhash()  # where it is not installed, that is told before hours of reading

    def cards(self) -> list[Card]:
        """The cards of the datasets to build; raises UnknownNameError for a dataset or language that is not there."""
        return chosen_cards(self.benchmark, self.catalogue, self.datasets, self.languages)

    def readings(self, cards: Iterable[Card], folder: Path | None) -> list[Reading]:
        """The raw cells to read, those with the most texts first.

        Raises BuildError where there is nothing to read, or two raw splits of a card give one split.
        """
        readings: list[Reading] = []
        for card in cards:
            _check_splits(card)
            for language, raw_split in self.benchmark.raw_cells(card):
                if not self.languages or language in self.languages:
                    place = folder / "readings" / card.id / f"{language}.{raw_split}" if folder else None
                    readings.append(Reading(card, language, raw_split, self.store, place))
        if not readings:
            named = f" in {', '.join(self.languages)}" if self.languages else ""
            raise BuildError(
                f"{self.benchmark.id}: nothing to build: the chosen datasets' cards name no raw files{named}"
            )
        return sorted(readings, key=lambda reading: -reading.known_texts())


@dataclass(frozen=True, slots=True)
class Build:
    """A built benchmark in memory: the manifest and the data of every cell and split."""

    manifest: Manifest
    cells: dict[tuple[Cell, Split], CellData]


def build(plan: Plan) -> Build:
    """Build in memory, in this process: for small benchmarks.

    A cell whose files cannot be had or read becomes a gap of the manifest, the others are built. Raises
    UnknownNameError for a dataset or language that the benchmark does not have, and BuildError where not one cell
    could be built.
    """
    cards = plan.cards()
    manifest, made = _built(plan, cards, plan.readings(cards, None), map, None)
    return Build(manifest, {CellSplit(each.entry.cell, each.entry.split): each.data for each in made if each.data})


def build_to(folder: Path, plan: Plan, progress: Progress | None = None) -> Manifest:
    """Build into a folder, which must be new or empty, and return the manifest.

    The folder is there when all is done. Until then what is done is kept beside it, and the same call goes on where
    another was interrupted. Raises what ``build`` raises, and BuildError where the folder cannot be written or another
    process is building it.
    """
    cards = plan.cards()
    plan.readings(cards, None)  # there is something to build, before any folder is made
    with build_folder(folder) as place:
        readings = plan.readings(cards, place)
        with job_runner(plan.engine, plan.workers or _workers(readings)) as run:
            manifest, _ = _built(plan, cards, readings, run, place, progress)
        keep_only(place / "build", [(entry.cell, entry.split) for entry in manifest.cells])
        (place / "build" / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return manifest


def _workers(readings: Sequence[Reading]) -> int:
    """As many workers as there are cores; one for so few texts that it is done before others have started."""
    texts = sum(reading.known_texts() or _UNKNOWN for reading in readings)
    return 1 if texts < _FEW else min(cores(), len(readings))


_FEW, _UNKNOWN = 20_000, 5_000
"""What one process reads in about a second, and what is supposed of files that the card does not count."""


def _built(
    plan: Plan,
    cards: Sequence[Card],
    readings: Sequence[Reading],
    run: Runner,
    folder: Path | None,
    progress: Progress | None = None,
) -> tuple[Manifest, list[Made]]:
    """All jobs of a build, and its manifest; cells are sorted."""
    schemas = {(card.id, task): card.schemas(task) for card in cards for task in card.tasks}
    hard = hard_negatives(plan.benchmark, plan.catalogue, cards)
    told = _Told(progress, len(readings))
    stages: list[Stage] = []
    gaps: list[Gap] = []
    for result in run(read_raw_cell, readings):
        if isinstance(result, Gap):
            gaps.append(result)
            told("a gap")
        else:
            stages += [stage for stage in result if plan.benchmark.has(stage.key.split)]
            told(str(result[0].key.cell))
    if not stages:
        reasons = sorted({gap.reason for gap in gaps})
        raise BuildError("\n".join(reasons[:3]) + (f"\n(and {len(reasons) - 3} more)" if len(reasons) > 3 else ""))
    stages.sort(key=lambda stage: stage.key)
    removed = filtered({stage.key: stage.staged for stage in stages})
    if plan.near_duplicates is not NearDuplicates.KEEP:
        _add_near_duplicates(plan, stages, removed, run)
    making = [_making(plan, stage, schemas, hard, removed, folder) for stage in stages]
    making.sort(key=lambda job: -job.stage.steps.texts["read"])
    told.expect(len(making))
    made: list[Made] = []
    for each in run(make_cell, making):
        made.append(each)
        told(str(each.entry.cell))
    made.sort(key=lambda each: (each.entry.cell, each.entry.split))
    gaps.sort(key=lambda gap: (gap.dataset, gap.language, gap.raw_split))
    return _manifest(plan, cards, schemas, hard, made, gaps, removed), made


def _add_near_duplicates(plan: Plan, stages: Sequence[Stage], removed: Filtered, run: Runner) -> None:
    keys, overlaps = find_near_duplicates(stages, removed.removals, run)
    removed.overlaps.update(overlaps)
    if plan.near_duplicates is NearDuplicates.REMOVE:
        for key, near in keys.items():
            removed.removals[key].nearly = near


@dataclass(slots=True)
class _Told:
    """Progress over both kinds of jobs; how many cells there will be is known when all is read."""

    progress: Progress | None
    total: int
    done: int = 0

    def __call__(self, what: str) -> None:
        self.done += 1
        if self.progress:
            self.progress(self.done, self.total, what)

    def expect(self, more: int) -> None:
        self.total += more


def _making(
    plan: Plan, stage: Stage, schemas: Schemas, hard: HardNegatives, removed: Filtered, folder: Path | None
) -> Making:
    cell, split = stage.key
    negatives = hard.of(cell.dataset, cell.task, split)
    sampling = Sampling(plan.benchmark, cell, split, schemas[cell.dataset, cell.task], negatives)
    return Making(sampling, stage, removed.removals[stage.key], folder)


def _check_splits(card: Card) -> None:
    seen: set[tuple[str, Split]] = set()
    for language, raw_split in card.raw_cells():
        for split in card.splits_of(raw_split):
            if (language, split) in seen:
                raise BuildError(f"card {card.id}: two raw splits of {language} give the split {split}")
            seen.add((language, split))


def _whole(benchmark: BenchmarkDefinition, cards: Iterable[Card]) -> dict[Split, int]:
    """How many cells a benchmark has of these cards by split, whether their files are at hand or not."""
    cells = {
        (split, task, card.id, language)
        for card in cards
        for language, raw_split in benchmark.raw_cells(card)
        for split in benchmark.splits_of(card, raw_split)
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
        if benchmark.only and not benchmark.only.takes(card):
            raise BuildError(f"{benchmark.id} does not take {dataset}: its data must be {benchmark.only}")
    cards = [catalogue.card(dataset) for dataset in sorted(set(datasets or members))]
    known = {language for card in cards for language in benchmark.languages_of(card)}
    for language in languages or ():
        if language not in known:
            raise UnknownNameError("language", language, known, "(in the chosen datasets)")
    return [card for card in cards if not languages or set(languages) & set(benchmark.languages_of(card))]


def _manifest(
    plan: Plan,
    cards: Sequence[Card],
    schemas: Schemas,
    hard: HardNegatives,
    made: Sequence[Made],
    gaps: list[Gap],
    removed: Filtered,
) -> Manifest:
    benchmark = plan.benchmark
    entries = [each.entry for each in made]
    used = {entry.dataset for entry in entries}
    members = [plan.catalogue.card(dataset) for dataset in plan.catalogue.datasets_of(benchmark)]
    return Manifest(
        benchmark=benchmark.id,
        version=benchmark.version,
        seed=benchmark.seed,
        schemas_per_sample=benchmark.schemas_per_sample,
        caps=benchmark.caps,
        aggregation=benchmark.aggregation,
        lacks=benchmark.lacks,
        massie_version=__version__,
        datasets={card.id: _dataset_entry(card, schemas) for card in cards if card.id in used},
        cells=entries,
        negatives=hard.entry,
        whole=_whole(benchmark, [*cards, *members]),
        gaps=gaps,
        overlaps=[
            OverlapEntry.model_validate(
                {
                    **overlap._asdict(),
                    "texts": texts,
                    "removed": overlap.reason != NEARLY or plan.near_duplicates is NearDuplicates.REMOVE,
                }
            )
            for overlap, texts in sorted(removed.overlaps.items())
        ],
        digest=manifest_digest(
            benchmark.id,
            benchmark.version,
            benchmark.seed,
            benchmark.schemas_per_sample,
            benchmark.caps,
            entries,
            benchmark.aggregation,
        ),
    )


def _dataset_entry(card: Card, schemas: Schemas) -> DatasetEntry:
    assert card.source is not None, "a card that was read has a source"
    return DatasetEntry(
        name=card.name,
        pin=card.source.pin,
        licence=card.licence,
        schemas={task: tuple(schemas[card.id, task]) for task in card.tasks},
    )
