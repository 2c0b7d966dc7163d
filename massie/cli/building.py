"""``massie fetch`` and ``massie build``."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from massie.build import Manifest, new_folder, write_tables
from massie.build import build as build_benchmark
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
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The folder to make; it must be new or empty."
)
@MIRROR_OPTION
@RAW_OPTION
@TASKS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def build(
    benchmark: str,
    datasets: tuple[str, ...],
    languages: tuple[str, ...],
    out: Path,
    mirror: Path | None,
    raw: Path | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Build a benchmark (m-light, m-heavy, m-demo), or the part of it that some datasets and languages make.

    Leaves a folder with Parquet files and a manifest: what every step kept and dropped, and the digest by which two
    builds can be compared. A cell whose files cannot be had is named, the others are built.

    \b
    massie build m-light --dataset masakhaner20 --dataset xsid --out data/m-light
    """
    catalogue = Catalogue.default(folders)
    definition = catalogue.benchmark(benchmark)
    for dataset in datasets:
        catalogue.card(dataset)
    store = SourceStore.from_environment(mirror, raw)
    with new_folder(out) as folder, progress(f"building {benchmark}", quiet=as_json, unit="raw cells") as advance:
        built = build_benchmark(
            definition,
            catalogue,
            store,
            datasets=list(datasets) or None,
            languages=list(languages) or None,
            progress=advance,
        )
        write_tables(built, folder)
    manifest = built.manifest
    if as_json:
        print_json(manifest.model_dump(mode="json"))
    else:
        _print_report(manifest, out)
    failed = [gap for gap in manifest.gaps if gap.kind == "failed"]
    if failed:
        for reason in dict.fromkeys(gap.reason for gap in failed):
            click.echo(f"massie: not built: {reason}", err=True)
        sys.exit(2)


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
        dropped.update(cell.dropped)
    if dropped:
        click.echo()
        print_table(("dropped or merged", "times"), dropped.most_common(), right=(1,))
    unavailable = [gap for gap in manifest.gaps if gap.kind == "unavailable"]
    if unavailable:
        named = sorted({f"{gap.dataset} {gap.raw_split}" for gap in unavailable})
        warn(f"{len(unavailable)} cells are not in the mirror and were left out: {', '.join(named[:8])}")
    click.echo(f"\nmanifest digest  {manifest.digest}")
    click.echo(f"built in         {out}")
    click.echo(f"next             massie run {manifest.benchmark} --data {out} --adapter lexicon")
