"""``massie fetch`` and ``massie build``."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from massie.build import (
    Difference,
    Engine,
    Manifest,
    NearDuplicates,
    Plan,
    Verification,
    build_to,
    verify_build,
)
from massie.catalogue import Catalogue
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import print_json, print_table, progress, warn
from massie.sources import SourceStore
from massie.sources import fetch as fetch_files
from massie.types import BuildError, Split

MIRROR_OPTION = click.option(
    "--mirror",
    type=click.Path(path_type=Path),
    help="Read https://HOST/PATH from DIR/HOST/PATH and never touch the network (or set MASSIE_MIRROR).",
)
RAW_OPTION = click.option(
    "--raw", type=click.Path(path_type=Path), help="Folder with raw files that you must bring yourself."
)


@click.command()
@click.argument("dataset")
@click.option("--language", "languages", multiple=True, help="Only this language (ISO 639-3); may be repeated.")
@MIRROR_OPTION
@RAW_OPTION
@TASKS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fetch(
    dataset: str,
    languages: tuple[str, ...],
    mirror: Path | None,
    raw: Path | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Download a dataset's raw files to the cache (MASSIE_CACHE) and verify them.

    With a mirror the files are looked up and verified there.
    """
    card = Catalogue.default(folders).card(dataset)
    if card.source is None:
        raise BuildError(
            f"{dataset}: its card names no source yet (status: {card.status}); see {card.homepage or card.citation}"
        )
    store = SourceStore.from_environment(mirror, raw)
    with progress(f"fetching {dataset}", quiet=as_json, unit="files") as advance:
        report = fetch_files(
            card,
            store,
            languages=list(languages) or None,
            progress=lambda done, total, size: advance(done, total, f"{size / 1e6:.1f} MB"),
        )
    if as_json:
        print_json(asdict(report))
        return
    click.echo(f"{dataset}: {report.files} files, {report.bytes / 1e6:.1f} MB ({report.origin})")
    if report.missing:
        named = ", ".join(f"{language}/{split}" for language, split in report.missing[:6])
        warn(f"the mirror does not hold {len(report.missing)} cells: {named}{', …' if len(report.missing) > 6 else ''}")


@click.command()
@click.argument("benchmark")
@click.option("--dataset", "datasets", multiple=True, help="Only this dataset; may be repeated.")
@click.option("--language", "languages", multiple=True, help="Only this language (ISO 639-3); may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to make; it must be new or empty.")
@click.option(
    "--verify",
    type=click.Path(path_type=Path),
    help="Make nothing: hold the build in this folder against its manifest and against the raw files.",
)
@MIRROR_OPTION
@RAW_OPTION
@TASKS_OPTION
@click.option(
    "--near-duplicates",
    type=click.Choice([str(choice) for choice in NearDuplicates]),
    default=str(NearDuplicates.KEEP),
    show_default=True,
    help="Look for train and dev texts that are nearly a test text (MinHash), and report or remove them.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes at once (default: one for each core).")
@click.option(
    "--engine",
    type=click.Choice([str(engine) for engine in Engine]),
    default=str(Engine.LOCAL),
    show_default=True,
    help="Where the work is done: processes of this machine, or a Ray cluster that shares the folders.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def build(
    benchmark: str,
    datasets: tuple[str, ...],
    languages: tuple[str, ...],
    out: Path | None,
    verify: Path | None,
    mirror: Path | None,
    raw: Path | None,
    folders: tuple[Path, ...],
    near_duplicates: str,
    workers: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Build a benchmark (m-light, m-heavy, m-light-open ...), or the part that some datasets and languages make.

    Leaves a folder with Parquet files and a manifest: what every step kept and dropped, and the digest by which two
    builds can be compared. A cell whose files cannot be had is named, the others are built. What was interrupted goes
    on where it stopped when the same command is given again.

    \b
    massie build m-light --out data/m-light
    massie build m-light --verify data/m-light
    """
    if (out is None) == (verify is None):
        raise click.UsageError("give either --out DIR (to build there) or --verify DIR (to check what is there)")
    catalogue = Catalogue.default(folders)
    definition = catalogue.benchmark(benchmark)
    for dataset in datasets:
        catalogue.card(dataset)
    plan = Plan(
        definition,
        catalogue,
        SourceStore.from_environment(mirror, raw),
        datasets=list(datasets) or None,
        languages=list(languages) or None,
        near_duplicates=NearDuplicates(near_duplicates),
        engine=Engine(engine),
        workers=workers,
    )
    if verify is not None:
        _verify(verify, plan, as_json)
        return
    assert out is not None
    with progress(f"building {benchmark}", quiet=as_json, unit="jobs") as advance:
        manifest = build_to(out, plan, advance)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
    else:
        _print_report(manifest, out)
    failed = [gap for gap in manifest.gaps if gap.kind == "failed"]
    if failed:
        for reason in dict.fromkeys(gap.reason for gap in failed):
            click.echo(f"massie: not built: {reason}", err=True)
        sys.exit(2)


_NAMED = re.compile(r"'.*'")
"""What a kind of drop names: a label, a role."""


def _print_overlaps(manifest: Manifest) -> None:
    """The largest overlaps, by pairs of datasets; the manifest has all."""
    found = sorted(manifest.overlaps, key=lambda overlap: -overlap.texts)
    if not found:
        return
    click.echo()
    rows = [
        (each.task, each.dataset, each.other, each.texts, each.reason, "" if each.removed else "kept")
        for each in found[:_SHOWN_OVERLAPS]
    ]
    print_table(("task", "dataset", "shares with", "texts", "which is a", ""), rows, right=(3,))
    if len(found) > _SHOWN_OVERLAPS:
        click.echo(f"and {len(found) - _SHOWN_OVERLAPS} more pairs of datasets (manifest.json: overlaps)")


_SHOWN_OVERLAPS = 10


def _verify(folder: Path, plan: Plan, as_json: bool) -> None:
    """Verify a build and print what differs; exit code 1 where something does."""
    with progress(f"verifying {folder}", quiet=as_json, unit="jobs") as advance:
        found = verify_build(folder, plan, advance)
    if as_json:
        plain = {name: [_plain(each) for each in getattr(found, name)] for name in ("differences", "undecided")}
        unavailable = [gap.model_dump(mode="json") for gap in found.unavailable]
        numbers = {"digest": found.manifest.digest, "compared": found.compared}
        print_json(numbers | plain | {"unavailable": unavailable})
    else:
        _print_verification(found)
    if found.differences:
        sys.exit(1)


def _plain(difference: Difference) -> dict[str, str | None]:
    return {
        "cell": str(difference.cell) if difference.cell else None,
        "split": difference.split,
        "what": difference.what,
    }


def _print_verification(found: Verification) -> None:
    """What differs, cells with the same difference in one line."""
    languages: dict[tuple[str, str, str], list[str]] = {}
    for each in found.differences:
        if each.cell is None or each.split is None:
            click.echo(each.what)
        else:
            key = f"{each.cell.task}/{each.cell.dataset}", each.split, each.what
            languages.setdefault(key, []).append(each.cell.language)
    if languages:
        rows = [(cell, _some(found), split, what) for (cell, split, what), found in languages.items()]
        print_table(("dataset", "languages", "split", "differs in"), rows)
    cells = len([each for each in found.differences if each.cell])
    click.echo(f"{found.compared} cells compared with the raw files, {cells} differ")
    if found.unavailable:
        warn(f"of {len(found.unavailable)} raw cells the files are not at hand: their tables alone were checked")
    if found.undecided:
        warn(
            f"{len(found.undecided)} train and dev cells differ, perhaps for want of those files' texts in the filters"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _print_report(manifest: Manifest, out: Path) -> None:
    rows: list[tuple[object, ...]] = []
    keys = sorted({(cell.task, cell.dataset) for cell in manifest.cells})
    for task, dataset in keys:
        for split in Split:
            cells = [c for c in manifest.cells if (c.task, c.dataset, c.split) == (task, dataset, split)]
            if cells:
                read = sum(cell.texts["read"] for cell in cells)
                numbers = [
                    sum(getattr(cell, name) for cell in cells) for name in ("instances", "samples", "samples_with_gold")
                ]
                rows.append((task, dataset, split, len({cell.language for cell in cells}), read, *numbers))
    print_table(
        ("task", "dataset", "split", "languages", "texts read", "instances", "samples", "with gold"),
        rows,
        right=(3, 4, 5, 6, 7),
    )
    dropped: Counter[str] = Counter()
    for cell in manifest.cells:
        for kind, number in cell.dropped.items():
            dropped[_NAMED.sub("…", kind)] += number  # the manifest has them one by one
    if dropped:
        click.echo()
        print_table(("dropped or merged", "times"), dropped.most_common(), right=(1,))
    _print_overlaps(manifest)
    unavailable = [gap for gap in manifest.gaps if gap.kind == "unavailable"]
    if unavailable:
        named = sorted({f"{gap.dataset} {gap.raw_split}" for gap in unavailable})
        warn(f"{len(unavailable)} cells are not in the mirror and were left out: {', '.join(named[:8])}")
    if manifest.lacks:
        click.echo(f"\nThe evaluation that {manifest.benchmark} follows also has:")
        print_table(("dataset", "why it is not here"), list(manifest.lacks.items()))
    click.echo(f"\nmanifest digest  {manifest.digest}")
    click.echo(f"built in         {out}")
    click.echo(f"next             massie run {manifest.benchmark} --data {out} --adapter lexicon")
