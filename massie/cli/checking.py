"""``massie check`` and ``massie check-adapter``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import click

from massie.adapters import check_adapter as findings_of
from massie.adapters import load_adapter
from massie.build import load_benchmark
from massie.build.instances import DROPPED_BY_THE_CARD, EQUAL, NOT_IN_THE_CARD, REPEATED, Steps, instances_of
from massie.build.jobs import ROWS
from massie.catalogue import Card, Catalogue, Counts, Status
from massie.cli.building import MIRROR_OPTION, RAW_OPTION
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import print_json, print_table, progress
from massie.cli.runs import parse_options
from massie.readers import Faults, Joining, RawText, count, read_cell
from massie.sources import SourceStore, cell_digest, cell_files
from massie.types import ContentError, NotInMirrorError, ReaderError, SourceError, Split


@dataclass(frozen=True, slots=True)
class Finding:
    """What the check of one raw cell found: ``agrees``, ``differs``, ``uncounted`` (none in the card), or not read.

    ``faults`` counts by kind what a build would drop or mend of it.
    """

    dataset: str
    language: str
    raw_split: str
    outcome: str
    detail: str
    faults: dict[str, int]


@click.command()
@click.argument("datasets", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All cards that are ready.")
@MIRROR_OPTION
@RAW_OPTION
@TASKS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    datasets: tuple[str, ...],
    everything: bool,
    mirror: Path | None,
    raw: Path | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Hold cards against their raw files: what the reader finds must be what the card counts and names.

    Exit code 1 where a count differs or the card lacks a label. Cells that a mirror does not hold are passed over and
    counted.
    """
    if not datasets and not everything:
        raise click.UsageError("name datasets, or --all")
    catalogue = Catalogue.default(folders)
    cards = [catalogue.card(dataset) for dataset in datasets] or [
        card for card in catalogue.cards() if card.status is Status.READY
    ]
    cells = [(card, language, split) for card in cards for language, split in card.raw_cells()]
    store = SourceStore.from_environment(mirror, raw)
    found: list[Finding] = []
    with progress("checking", quiet=as_json, unit="raw cells") as advance:
        for done, (card, language, raw_split) in enumerate(cells):
            advance(done, len(cells), f"{card.id} {language} {raw_split}")
            found.append(_checked(card, language, raw_split, store))
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        _print(found)
    if any(finding.outcome == "differs" for finding in found):
        sys.exit(1)
    if any(finding.outcome == "not read" for finding in found):
        sys.exit(2)


def _checked(card: Card, language: str, raw_split: str, store: SourceStore) -> Finding:
    faults = Faults()
    outcome, detail = _outcome(card, language, raw_split, store, faults)
    return Finding(card.id, language, raw_split, outcome, detail, dict(faults.counts))


def _outcome(card: Card, language: str, raw_split: str, store: SourceStore, faults: Faults) -> tuple[str, str]:
    try:
        files = cell_files(card, language, raw_split, store)
        texts = read_cell(card, language, raw_split, files, faults)
        found = count(card, _sifted(card, language, texts, faults), cell_digest(files))
    except NotInMirrorError:
        return "not in the mirror", ""
    except (SourceError, ReaderError, ContentError) as error:
        return "not read", str(error)
    stated = card.counts.get(language, {}).get(raw_split)
    differences = [*(_differences(stated, found) if stated else ()), *_missing(faults)]
    if differences:
        return "differs", "; ".join(differences)
    return ("agrees", "") if stated else ("uncounted", f"{found.texts} texts, {found.annotations} annotations")


def _sifted(card: Card, language: str, texts: Iterator[RawText], faults: Faults) -> Iterator[RawText]:
    """The texts as they come; what a build would drop of them as faulty is counted."""
    glue = Joining.for_card(card, language).glue
    while part := [*islice(texts, ROWS)]:
        for task in card.tasks:
            steps = Steps()
            instances_of(card, task, language, Split.TEST, part, glue, steps)
            for kind, number in steps.dropped.counts.items():
                if kind not in (REPEATED, EQUAL) and not kind.endswith(DROPPED_BY_THE_CARD):
                    faults.merge(Faults(Counter({kind: number}), {kind: steps.dropped.places[kind]}))
        yield from part


def _missing(faults: Faults) -> Iterator[str]:
    """What the files have and the card has not: labels and roles."""
    for kind, number in faults.counts.items():
        if NOT_IN_THE_CARD in kind:
            yield f"{kind}: {number} (first at {faults.places[kind][0]})"


def _differences(stated: Counts, found: Counts) -> Iterator[str]:
    for name in Counts.model_fields:
        before, now = getattr(stated, name), getattr(found, name)
        if before is not None and before != now:
            yield f"{name}: the card says {before}, the reader finds {now}"


def _print(found: list[Finding]) -> None:
    rows: list[tuple[object, ...]] = []
    for dataset in dict.fromkeys(finding.dataset for finding in found):
        mine = [finding for finding in found if finding.dataset == dataset]
        outcomes = {outcome: sum(finding.outcome == outcome for finding in mine) for outcome in _OUTCOMES}
        rows.append((dataset, *(number or "" for number in outcomes.values())))
    print_table(("dataset", *_OUTCOMES), rows, right=range(1, len(_OUTCOMES) + 1))
    faults = sum((Counter(finding.faults) for finding in found), Counter[str]())
    if faults:
        click.echo()
        print_table(("dropped or mended", "times"), faults.most_common(), right=(1,))
    for finding in found:
        if finding.outcome in ("differs", "not read"):
            place = f"{finding.dataset} {finding.language} {finding.raw_split}"
            click.echo(f"massie: {place}: {finding.outcome}: {finding.detail}", err=True)


_OUTCOMES = ("agrees", "differs", "uncounted", "not in the mirror", "not read")


@click.command("check-adapter")
@click.argument("adapter")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the adapter; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check_adapter(adapter: str, options: tuple[str, ...], as_json: bool) -> None:
    """Run an adapter's contract on M-DEMO and say in plain words what is wrong.

    ADAPTER is a built-in name, package.module:Class or path/to/file.py:Class. Exit code 1 where there is a problem.
    """
    loaded = load_adapter(adapter, parse_options(options))
    found = list(findings_of(loaded, load_benchmark("m-demo")))
    problems = sum(finding.outcome == "problem" for finding in found)
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        print_table(("", ""), [(finding.outcome, finding.what) for finding in found])
        click.echo(f"\n{adapter}: {'keeps the contract' if not problems else f'{problems} problems'}")
    if problems:
        sys.exit(1)
