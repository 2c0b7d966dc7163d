"""Holding a build against its manifest, and the manifest against a build made anew from the raw files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from massie.build.batching import Asked
from massie.build.building import Plan, Progress, build_to
from massie.build.cells import CellData
from massie.build.engines import cores, job_runner
from massie.build.manifest import CellEntry, Gap, Manifest, read_manifest
from massie.build.samples import Samples, SamplesDigest
from massie.build.staged import Staged
from massie.build.tables import read_parts
from massie.types import BuildError, Cell, Schema, Split


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell and split that is not what it should be, and in what."""

    cell: Cell
    split: Split
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a build found: the cells that were held against a new build, and what differs.

    ``unavailable`` are the cells' raw files that are not at hand, so that nothing can be said of them.
    """

    manifest: Manifest
    compared: int
    differences: list[Difference]
    unavailable: list[Gap]


def verify_build(folder: Path, plan: Plan, progress: Progress | None = None) -> Verification:
    """Hold a build's tables against its manifest, and the manifest against what the plan builds now.

    Raises BuildError where the folder holds no build, or one of another benchmark, version or seed.
    """
    manifest = read_manifest(folder)
    _check_same(folder, manifest, plan)
    differences = list(_tables(folder, manifest, plan))
    with TemporaryDirectory(prefix="massie-verify-") as temporary:
        anew = build_to(Path(temporary) / "build", plan, progress)
    missing = {(gap.dataset, gap.language) for gap in anew.gaps if gap.kind == "unavailable"}
    old = {(entry.cell, entry.split): entry for entry in manifest.cells}
    new = {(entry.cell, entry.split): entry for entry in anew.cells}
    for key in sorted(old.keys() | new.keys()):
        before, now = old.get(key), new.get(key)
        if before is None or now is None:
            if before is None or (key[0].dataset, key[0].language) not in missing:
                there = (
                    "the raw files give it, the build lacks it" if before is None else "the raw files do not give it"
                )
                differences.append(Difference(*key, there))
        elif before.digest != now.digest:
            differences.append(Difference(*key, _what(before, now)))
    unavailable = [gap for gap in anew.gaps if gap.kind == "unavailable"]
    return Verification(manifest, len(old.keys() & new.keys()), differences, unavailable)


def _check_same(folder: Path, manifest: Manifest, plan: Plan) -> None:
    for name in ("version", "seed", "schemas_per_sample", "caps"):
        mine, theirs = getattr(plan.benchmark, name), getattr(manifest, name)
        if mine != theirs or plan.benchmark.id != manifest.benchmark:
            raise BuildError(
                f"{folder}: was built as {manifest.benchmark} {manifest.version} (seed {manifest.seed}), and "
                f"{plan.benchmark.id} is version {plan.benchmark.version} now (seed {plan.benchmark.seed}): their "
                f"{name if plan.benchmark.id == manifest.benchmark else 'benchmarks'} differ; build it anew"
            )


def _tables(folder: Path, manifest: Manifest, plan: Plan) -> Iterator[Difference]:
    """The cells whose tables are not what the manifest says."""
    jobs = [(entry, manifest.schemas(entry.dataset, entry.task)) for entry in manifest.cells]
    with job_runner(workers=plan.workers or cores()) as run:
        yield from filter(None, run(partial(_table, folder), jobs))


def _table(folder: Path, job: tuple[CellEntry, tuple[Schema, ...]]) -> Difference | None:
    entry, schemas = job
    try:
        found = digest_of(schemas, read_parts(folder, entry.cell, entry.split, schemas))
    except BuildError as error:
        return Difference(entry.cell, entry.split, str(error))
    same = found == entry.digest
    return None if same else Difference(entry.cell, entry.split, "its tables are not those that the manifest names")


def digest_of(schemas: tuple[Schema, ...], parts: Iterator[CellData]) -> str:
    """The digest of a cell's data, read back."""
    digest = SamplesDigest(schemas)
    for part in parts:
        lengths = [len(row.schemas) for row in part.rows]
        asked = Asked(
            np.array([row.instance for row in part.rows], np.int32),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)]),
            np.array([index for row in part.rows for index in row.schemas], np.int16),
        )
        digest.add(Samples(Staged.of(part.instances, schemas), asked, [row.id for row in part.rows]))
    return digest.hexdigest()


def _what(before: CellEntry, now: CellEntry) -> str:
    """In what two entries of a cell differ first."""
    for step, texts in now.texts.items():
        if before.texts.get(step) != texts:
            return f"texts after {step!r}: {before.texts.get(step)} in the build, {texts} now"
        if before.records.get(step) != now.records.get(step):
            return f"records after {step!r}: {before.records.get(step)} in the build, {now.records.get(step)} now"
    if before.samples != now.samples:
        return f"samples: {before.samples} in the build, {now.samples} now"
    return "the same numbers of texts, records and samples, with other content (a label, a description, a draw)"
