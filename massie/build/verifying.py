"""Holding a build against its manifest, and the manifest against a build made anew from the raw files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from massie.build.batching import Asked
from massie.build.building import Plan, Progress, build_to
from massie.build.cells import CellData
from massie.build.engines import cores, job_runner
from massie.build.filters import NEARLY, CellSplit
from massie.build.instances import READ, REFINED, instance_id
from massie.build.jobs import Reading
from massie.build.manifest import MANIFEST, CellEntry, Gap, Manifest, manifest_digest, read_manifest
from massie.build.near import NearDuplicates
from massie.build.samples import Samples, SamplesDigest, sample_ids
from massie.build.staged import Staged
from massie.build.tables import read_parts
from massie.sources import lacking
from massie.types import BuildError, Cell, Schema, Split

_FEW = 20_000
"""So many samples one process reads before others have started."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it should be: in a cell and split or, without one, in what the manifest says of the whole."""

    what: str
    cell: Cell | None = None
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a build found: the cells that were held against a new build, and what differs.

    ``unavailable`` are the build's raw cells whose files are not at hand: of theirs the tables alone were checked.
    ``undecided`` differ too, but may do so for want of those files: the filters look at all texts together.
    """

    manifest: Manifest
    compared: int
    differences: list[Difference]
    unavailable: list[Gap]
    undecided: list[Difference]


def verify_build(folder: Path, plan: Plan, progress: Progress | None = None) -> Verification:
    """Hold a build's tables against its manifest, and the manifest against what the plan builds now.

    Raises BuildError where the folder holds no build, one of another benchmark, version or seed, or another part of
    the benchmark than the plan.
    """
    manifest = read_manifest(folder)
    _check_definition(folder, manifest, plan)
    readings = plan.readings(plan.cards(), None)
    _check_part(folder, manifest, plan, readings)
    tables = _tables(folder, manifest, plan)
    absent = {(card.id, *raw_cell) for card in plan.cards() for raw_cell in lacking(card, plan.store)}
    anew = None
    if any((reading.card.id, reading.language, reading.raw_split) not in absent for reading in readings):
        with TemporaryDirectory(prefix="massie-verify-") as temporary:
            anew = build_to(Path(temporary) / "build", plan, progress)
    return _Comparison(manifest, anew, tables, readings, absent).verification()


def _check_definition(folder: Path, manifest: Manifest, plan: Plan) -> None:
    benchmark = plan.benchmark
    if benchmark.id != manifest.benchmark:
        raise BuildError(f"{folder}: holds {manifest.benchmark}, not {benchmark.id}; name the benchmark that it holds")
    for name in ("version", "seed", "schemas_per_sample", "caps", "aggregation"):
        theirs, mine = (
            each.model_dump(mode="json", include={name}, exclude_none=True).get(name) for each in (manifest, benchmark)
        )
        if theirs != mine:
            raise BuildError(
                f"{folder}: was built with another definition of {benchmark.id}: {name} is {theirs} in its manifest "
                f"and {mine} now; build it anew"
            )
    removed = any(overlap.reason == NEARLY and overlap.removed for overlap in manifest.overlaps)
    if removed and plan.near_duplicates is not NearDuplicates.REMOVE:
        raise BuildError(f"{folder}: was built with --near-duplicates {NearDuplicates.REMOVE}; verify it with the same")


def _check_part(folder: Path, manifest: Manifest, plan: Plan, readings: Sequence[Reading]) -> None:
    """Raise BuildError where the build is of other datasets and languages than the plan."""
    built = {(each.dataset, each.language) for each in (*manifest.cells, *manifest.gaps)}
    planned = {(reading.card.id, reading.language) for reading in readings}
    if more := built - planned:
        raise BuildError(
            f"{folder}: also holds {_some(more)}; verify it as it was built, with the same --dataset and --language "
            "(the filters look at all its texts together)"
        )
    if missing := planned - built:
        datasets = {dataset for dataset, _ in built}
        options = [f"--dataset {dataset}" for dataset in sorted(datasets)] if datasets < {d for d, _ in planned} else []
        if {language for dataset, language in missing if dataset in datasets}:
            options += [f"--language {language}" for language in sorted({language for _, language in built})]
        shown = " ".join(options[:8]) + (" …" if len(options) > 8 else "")
        raise BuildError(
            f"{folder}: does not hold {_some(missing)}; if it was built as a part of {plan.benchmark.id}, verify it "
            f"with the same options ({shown}); else the cards have changed since: build it anew"
        )


def _some(pairs: set[tuple[str, str]]) -> str:
    """The first few pairs of dataset and language, and how many more there are."""
    named = [" ".join(pair) for pair in sorted(pairs)]
    return ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")


def _tables(folder: Path, manifest: Manifest, plan: Plan) -> dict[CellSplit, str | BuildError]:
    """The digest of every cell's tables, or why they cannot be read."""
    jobs = [(entry, manifest.schemas(entry.dataset, entry.task)) for entry in manifest.cells]
    few = sum(entry.samples for entry in manifest.cells) < _FEW
    with job_runner(workers=plan.workers or (1 if few else cores())) as run:
        return dict(run(partial(_table, folder), jobs))


def _table(folder: Path, job: tuple[CellEntry, tuple[Schema, ...]]) -> tuple[CellSplit, str | BuildError]:
    entry, schemas = job
    key = CellSplit(entry.cell, entry.split)
    try:
        return key, digest_of(schemas, read_parts(folder, *key, schemas))
    except BuildError as error:
        return key, error
    except (LookupError, TypeError, ValueError) as error:  # a label, an index or a list that no build writes
        return key, BuildError(f"its tables are not those of a build ({type(error).__name__}: {error})")


def digest_of(schemas: tuple[Schema, ...], parts: Iterator[CellData]) -> str:
    """The digest of a cell's data, read back; raises BuildError where an id is not that of its text or schemas."""
    digest = SamplesDigest(schemas)
    names = [schema.name for schema in schemas]
    for part in parts:
        lengths = [len(row.schemas) for row in part.rows]
        asked = Asked(
            np.array([row.instance for row in part.rows], np.int32),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)]),
            np.array([index for row in part.rows for index in row.schemas], np.int16),
        )
        place = (part.cell.dataset, part.cell.language, part.split)
        ids = [instance_id(*place, instance.text) for instance in part.instances]
        rows = sample_ids(part.cell.task, ids, asked, names)
        if ids != [instance.id for instance in part.instances] or rows != [row.id for row in part.rows]:
            raise BuildError("its tables are not those of a build: an id does not go with its text or labels")
        digest.add(Samples(Staged.of(part.instances, schemas), asked, rows))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A manifest, its build's tables, and what is built now (None where no raw file is at hand)."""

    manifest: Manifest
    anew: Manifest | None
    tables: dict[CellSplit, str | BuildError]
    readings: Sequence[Reading]
    absent: set[tuple[str, str, str]]

    def verification(self) -> Verification:
        """All that differs, in the order of the cells."""
        before = {CellSplit(entry.cell, entry.split): entry for entry in self.manifest.cells}
        now = {CellSplit(entry.cell, entry.split): entry for entry in self.anew.cells} if self.anew else {}
        raw_cells = self._raw_cells()
        unavailable = [
            Gap(
                dataset=card,
                language=language,
                raw_split=raw_split,
                kind="unavailable",
                reason="its raw files are not at hand",
            )
            for card, language, raw_split in sorted(
                {raw_cells[key] for key in before if key in raw_cells} & self.absent
            )
        ]
        differences = list(self._of_manifest())
        undecided: list[Difference] = []
        for key in sorted(before.keys() | now.keys()):
            one, other = before.get(key), now.get(key)
            what = self._of_tables(key, one, other) or self._of_raw_files(raw_cells.get(key), one, other)
            if what is not None:
                undecidable = unavailable and one and other and self._may_be_filtered_otherwise(key, one, other)
                (undecided if undecidable else differences).append(Difference(what, *key))
        return Verification(self.manifest, len(before.keys() & now.keys()), differences, unavailable, undecided)

    def _raw_cells(self) -> dict[CellSplit, tuple[str, str, str]]:
        """Which raw cell the texts of each cell and split are from."""
        return {
            CellSplit(Cell(task, each.card.id, each.language), split): (each.card.id, each.language, each.raw_split)
            for each in self.readings
            for task in each.card.tasks
            for split in each.card.splits_of(each.raw_split)
        }

    def _of_manifest(self) -> Iterator[Difference]:
        found = self.manifest
        parameters = (found.benchmark, found.version, found.seed, found.schemas_per_sample, found.caps)
        if found.digest != manifest_digest(*parameters, found.cells, found.aggregation):
            yield Difference(f"{MANIFEST}: its digest is not that of what it says: it was changed after the build")
        for dataset, before in found.datasets.items():
            now = self.anew.datasets.get(dataset) if self.anew else None
            for name in ("pin", "licence") if now else ():
                one, other = getattr(before, name), getattr(now, name)
                if one != other:
                    yield Difference(f"{MANIFEST}: {dataset}: {name}: {one} in the build, {other} now")

    def _of_tables(self, key: CellSplit, before: CellEntry | None, now: CellEntry | None) -> str | None:
        """In what the tables of a cell are not what the manifest says; ``now`` tells which of them was changed."""
        found = self.tables.get(key)
        if before is None or found is None or found == before.digest:
            return None
        if isinstance(found, BuildError):
            return str(found)
        if now and now.digest == found:
            return "the manifest's digest; the tables are what the raw files give"
        if now and now.digest == before.digest:
            return self._of_schemas(key) or "its tables, which were changed after the build"
        return "its tables, which are not those that the manifest names"

    def _of_raw_files(
        self, raw_cell: tuple[str, str, str] | None, before: CellEntry | None, now: CellEntry | None
    ) -> str | None:
        """In what the manifest's entry of a cell is not what the raw files give."""
        if before is None:
            made_without = raw_cell in {(gap.dataset, gap.language, gap.raw_split) for gap in self.manifest.gaps}
            return (
                "the build was made without its raw files" if made_without else "the raw files give it, the build not"
            )
        if now is None:
            if raw_cell in self.absent:
                return None
            gaps = {(gap.dataset, gap.language, gap.raw_split): gap for gap in self.anew.gaps} if self.anew else {}
            return f"it cannot be built now: {gaps[raw_cell].reason}" if raw_cell in gaps else "the raw files lack it"
        key = CellSplit(before.cell, before.split)
        if before.digest == now.digest:
            return _of_counts(before, now)
        return self._of_schemas(key) or _of_counts(before, now) or self._of_negatives(key) or "its texts or records"

    def _of_schemas(self, key: CellSplit) -> str | None:
        assert self.anew is not None
        one, other = (each.schemas(key.cell.dataset, key.cell.task) for each in (self.manifest, self.anew))
        if [schema.name for schema in one] == [schema.name for schema in other]:
            changed = [before.name for before, now in zip(one, other, strict=True) if before != now]
            return f"the description or roles of the label {changed[0]!r}" if changed else None
        names, others = ([schema.name for schema in each] for each in (one, other))
        gone, new = (
            [name for name in each if name not in without] for each, without in ((names, others), (others, names))
        )
        if not gone and not new:
            return "the order of its labels"
        return f"labels: {_named(gone)} in the build, {_named(new)} now"

    def _may_be_filtered_otherwise(self, key: CellSplit, before: CellEntry, now: CellEntry) -> bool:
        """Whether all that differs may be what the texts of other cells took from a cell."""
        return (
            key.split is not Split.TEST
            and self.tables[key] == before.digest
            and all(before.texts.get(step) == now.texts.get(step) for step in (READ, REFINED))
            and all(before.records.get(step) == now.records.get(step) for step in (READ, REFINED))
            and not (self._of_schemas(key) or self._of_negatives(key))
        )

    def _of_negatives(self, key: CellSplit) -> str | None:
        before, now = self.manifest.negatives, self.anew.negatives if self.anew else None
        if key.split is Split.TEST or before == now:
            return None
        tables = [f"{each.table} ({each.digest or 'mined on the spot'})" if each else "none" for each in (before, now)]
        return f"hard negatives: the table {tables[0]} in the build, {tables[1]} now"


def _named(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none more"


def _of_counts(before: CellEntry, now: CellEntry) -> str | None:
    """The first count in which two entries of a cell differ."""
    for step in dict.fromkeys([*before.texts, *now.texts]):
        for what in ("texts", "records"):
            one, other = (getattr(entry, what).get(step, "no such step") for entry in (before, now))
            if one != other:
                return f"{what} after {step!r}: {one} in the build, {other} now"
    for what in ("instances", "samples", "samples_with_gold"):
        one, other = getattr(before, what), getattr(now, what)
        if one != other:
            return f"{what.replace('_', ' ')}: {one} in the build, {other} now"
    return None
