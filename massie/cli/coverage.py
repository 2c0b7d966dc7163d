"""What ``massie datasets --coverage`` prints: the paper's collection beside what can be built, each gap with reason."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from massie.build import Coverage, LanguageCoverage, coverage_of, read_manifest
from massie.catalogue import Catalogue, Status, published
from massie.cli.output import bar, print_json, print_table
from massie.sources import SourceStore
from massie.types import Split

Row = tuple[object, ...]


def show_coverage(
    catalogue: Catalogue, data: Path | None, mirror: Path | None, raw: Path | None, *, as_json: bool
) -> None:
    """Print the comparison: with a build (``data``), or with the files of a mirror and those that the user brings.

    Raises BuildError where ``data`` holds no build that can be compared, UsageError where both are named.
    """
    if data and (mirror or raw):
        raise click.UsageError("--data shows what a build has: --mirror and --raw have no part in it")
    store = SourceStore.from_environment(mirror, raw)
    found = coverage_of(catalogue, store, read_manifest(data) if data else None)
    if as_json:
        print_json({"published": published().model_dump(mode="json")} | asdict(found))
        return
    if found.samples:
        _print_samples(found)
    local = "built" if data else "here" if store.mirror or raw else ""
    _print_datasets(found, local)
    _print_languages(found)
    _print_lacks(found)
    _print_splits(found)
    click.echo("\nmore     massie datasets --coverage --json, massie datasets show ID")
    if not data:
        click.echo("samples  massie datasets --coverage --data DIR (a build of m-heavy or m-light)")


def _print_samples(found: Coverage) -> None:
    click.echo(f"Samples of {found.benchmark} (table 1)\n")
    print_table(
        ("task", "split", "paper", "built", "%", "", "instances", "cells"),
        [
            (
                row.task or "all",
                row.split,
                f"{row.published:,}",
                f"{row.samples:,}",
                f"{row.percent:.1f}",
                bar(row.percent / 100),
                f"{row.instances:,}",
                row.cells,
            )
            for row in found.samples
        ],
        right=(2, 3, 4, 6, 7),
    )
    click.echo()


def _print_datasets(found: Coverage, local: str) -> None:
    """``local`` is the title of a column of what can be built here, or is built; none is shown where it is empty."""
    click.echo("Datasets (appendix L)\n")
    rows: list[Row] = []
    for row in found.tasks:
        here = row.buildable if local else row.ready
        mine: Row = (here,) if local else ()
        named = (row.task or "all", row.published, row.ready, row.tested, row.untested, row.described)
        rows.append((*named, *mine, f"{100 * here / row.published:.0f}", bar(here / row.published)))
    titles = ("task", "paper", "ready", "with test", "untested", "described", *((local,) if local else ()), "%", "")
    print_table(titles, rows, right=range(1, len(titles) - 1))


def _print_languages(found: Coverage) -> None:
    reached = sum(bool(entry.datasets) for entry in found.languages)
    click.echo(f"\nLanguages (appendix K): {reached} of {len(found.languages)} can be tested")
    click.echo("(appendix J shows samples by language and family as charts, without numbers)\n")
    rows: list[Row] = []
    families = {entry.family for entry in found.languages}
    for family in sorted(families, key=lambda family: (-sum(e.family == family for e in found.languages), family)):
        mine = [entry for entry in found.languages if entry.family == family]
        had = sum(bool(entry.datasets) for entry in mine)
        row: Row = (family, len(mine), had, bar(had / len(mine)))
        samples: Row = (f"{sum(entry.samples.get(Split.TEST, 0) for entry in mine):,}",) if found.samples else ()
        rows.append((*row, *samples))
    titles = ("family", "paper", "reached", "", *(("test samples",) if found.samples else ()))
    print_table(titles, rows, right=(1, 2, 4))
    _print_not_reached([entry for entry in found.languages if not entry.datasets])


def _print_not_reached(missing: Sequence[LanguageCoverage]) -> None:
    """The languages without a test split, with what would bring them; datasets that bring the same stand together."""
    if not missing:
        return
    named = _wrapped((f"{entry.code} {entry.name}" for entry in missing), 80)
    click.echo(f"\nNot reached: {len(missing)} languages\n\n{named}\n")
    brought: dict[tuple[str, Status], list[str]] = {}
    for entry in missing:
        for dataset, status in entry.waiting.items():
            brought.setdefault((dataset, status), []).append(entry.code)
    groups: dict[tuple[Status, tuple[str, ...]], list[str]] = {}
    for (dataset, status), codes in brought.items():
        groups.setdefault((status, tuple(codes)), []).append(dataset)
    rows = [
        (_wrapped(datasets, 36), status, _wrapped(codes, 24))
        for (status, codes), datasets in sorted(groups.items(), key=lambda group: -len(group[0][1]))
    ]
    print_table(("would come with", "status", "languages"), rows)
    others = [f"{entry.code} ({', '.join(entry.others)})" for entry in missing if entry.others]
    if others:
        click.echo(f"\nReached by datasets that are not the paper's:\n{_wrapped(others, 80)}")


def _print_lacks(found: Coverage) -> None:
    click.echo("\nWhy datasets of the paper, or parts of them, cannot be built\n")
    groups: dict[tuple[str, str], list[str]] = {}
    for lack in found.lacks:
        part = f" ({lack.cells}/{lack.of})" if 0 < lack.cells < lack.of else ""
        groups.setdefault((lack.reason, lack.sentence), []).append(lack.dataset + part)
    print_table(
        ("reason", "datasets", "which (missing of their languages and splits)"),
        [
            (reason, len(names), textwrap.fill(sentence, 54) + "\n" + _wrapped(names, 54))
            for (reason, sentence), names in groups.items()
        ],
        right=(1,),
    )


def _print_splits(found: Coverage) -> None:
    click.echo("\nSplits that the sources of ready datasets do not have\n")
    rows: list[Row] = []
    for split in Split:
        mine = [lack for lack in found.splits if lack.split is split]
        names = [
            lack.dataset + (f" ({len(lack.languages)} of {lack.of} languages)" if len(lack.languages) < lack.of else "")
            for lack in mine
        ]
        rows.append((split, len(mine), _wrapped(names, 60)))
    print_table(("split", "datasets", "which"), rows, right=(1,))


def _wrapped(names: Iterable[str], width: int) -> str:
    """Names with commas in lines of at most so many characters; none is broken, though it has spaces."""
    whole = ", ".join(name.replace(" ", "\N{NO-BREAK SPACE}") for name in names)
    lines = textwrap.fill(whole, width, break_on_hyphens=False, break_long_words=False)
    return lines.replace("\N{NO-BREAK SPACE}", " ")
