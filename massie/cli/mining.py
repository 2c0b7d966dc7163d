"""``massie mine-negatives``: the tables of hard negatives."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click

from massie.build.negatives.embedders import EMBEDDERS, Embedder, EmbedderModel, load_embedder
from massie.build.negatives.mining import Change, changes, mined
from massie.catalogue import DEFAULT_NEGATIVES, HARD_NEGATIVES, Card, Catalogue, EmbedderEntry, NegativesTable
from massie.catalogue.catalogue import NEGATIVES_FOLDER
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import print_json, print_table, progress
from massie.types import ContentError

_SHOWN = 40


@click.command("mine-negatives")
@click.argument("datasets", nargs=-1)
@click.option(
    "--table",
    "name",
    default=DEFAULT_NEGATIVES,
    show_default=True,
    help="The table, a file NAME.json in tasks/negatives.",
)
@click.option(
    "--embedder",
    type=click.Choice([*EMBEDDERS]),
    help="What embeds the labels (default: what the table was made with, or tfidf, which needs no model).",
)
@click.option("--model", help="For sentence-transformers: a model of the Hugging Face hub, or a folder with one.")
@click.option("--revision", help="The model's commit, branch or tag (default: the newest).")
@click.option("--trust-remote-code", is_flag=True, help="Let code run that the model brings; some models need it.")
@click.option(
    "-k",
    type=click.IntRange(min=1),
    help=f"Negatives of each label (default: as many as the table has, or {HARD_NEGATIVES}).",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file (default: the table's own).")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where the table would change.")
@TASKS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mine_negatives(
    datasets: tuple[str, ...],
    name: str,
    embedder: str | None,
    model: str | None,
    revision: str | None,
    trust_remote_code: bool,
    k: int | None,
    out: Path | None,
    check: bool,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Rebuild a table of hard negatives, and show what changes.

    The hard negatives of a label are the K other labels of its dataset that are most like it, by the cosine similarity
    of embeddings of "name: description". Without DATASETS those of all cards of the table's folder (and of the folders
    before it) are mined, with DATASETS only theirs.

    \b
    massie mine-negatives --check
    massie mine-negatives --table gte --embedder sentence-transformers \\
        --model Alibaba-NLP/gte-Qwen2-7B-instruct --trust-remote-code
    """
    place = _Place.of(Catalogue.default(folders), name)
    cards = [place.card(dataset) for dataset in datasets] or [*place.catalogue.cards()]
    chosen = _chosen(place.table, embedder, model, revision, trust_remote_code)
    number = k or (place.table.k if place.table else HARD_NEGATIVES)
    with progress("mining", quiet=as_json, unit="label sets") as advance:
        after = mined(cards, chosen, number, advance)
    if datasets and place.table:
        after = _joined(place, after)
    differs = place.table != after
    target = out or place.path
    if not check and (differs or out):
        _write(target, after)
    found = changes(place.table, after)
    if as_json:
        print_json(_plain(place, after, found, written=not check and (differs or out is not None)))
    else:
        _print_changes(place.table, after, found)
        _print_outcome(place, target, differs=differs, check=check, out=out)
    if check and differs:
        sys.exit(1)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a table is, what it holds now, and the cards that it is about: none of a folder after its own."""

    whole: Catalogue
    catalogue: Catalogue
    path: Path
    table: NegativesTable | None

    @classmethod
    def of(cls, catalogue: Catalogue, name: str) -> _Place:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise click.UsageError(f"--table {name}: a table's name has small letters, digits and hyphens only")
        path = catalogue.negatives_paths.get(name)
        if path is None:
            return cls(catalogue, catalogue, catalogue.folders[-1] / NEGATIVES_FOLDER / f"{name}.json", None)
        before = catalogue.folders[: catalogue.folders.index(path.parent.parent) + 1]
        return cls(catalogue, Catalogue(before), path, catalogue.negatives(name))

    def card(self, dataset: str) -> Card:
        card = self.whole.card(dataset)
        if dataset not in self.catalogue.card_paths:
            raise ContentError(
                f"{self.path}: is not about {dataset}, whose card is in a folder after the table's; "
                "its negatives are mined on the spot, or name another table with --table"
            )
        return card


def _chosen(
    table: NegativesTable | None, name: str | None, model: str | None, revision: str | None, trust_remote_code: bool
) -> Embedder:
    """The embedder asked for; what is not said is as it was when the table was made."""
    before = table.embedder if table else EmbedderEntry(name=DEFAULT_NEGATIVES)
    name = name or before.name
    if model is None and name == before.name and before.model:
        model, revision = before.model, revision or before.revision
    if model is None and (revision or trust_remote_code):
        raise click.UsageError("--revision and --trust-remote-code say something of a model: name it with --model")
    return load_embedder(name, EmbedderModel(model, revision, trust_remote_code) if model else None)


def _joined(place: _Place, some: NegativesTable) -> NegativesTable:
    """The table with the entries of some datasets replaced."""
    table = place.table
    assert table is not None, "there is a table to put them into"
    if (some.embedder, some.k) != (table.embedder, table.k):
        raise ContentError(
            f"{place.path}: was made with {_made_with(table)}, not with {_made_with(some)}; a table is made in "
            "one way: name no datasets, so that all are mined again, or another table with --table"
        )
    return table.model_copy(update={"negatives": {**table.negatives, **some.negatives}})


def _made_with(table: NegativesTable) -> str:
    return f"{table.embedder.title}, K = {table.k}"


def _write(path: Path, table: NegativesTable) -> None:
    """Write the table's file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(table.text(), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ContentError(f"{path}: cannot be written: {error.strerror}; name another file with --out") from error


def _plain(place: _Place, after: NegativesTable, found: Sequence[Change], *, written: bool) -> dict[str, object]:
    return {
        "table": place.path.stem,
        "embedder": after.embedder.model_dump(),
        "k": after.k,
        "digest": after.digest,
        **_counts(after, found),
        "changes": [change._asdict() for change in found],
        "written": written,
    }


def _counts(after: NegativesTable, found: Sequence[Change]) -> dict[str, int]:
    kinds = Counter(_kind(change) for change in found)
    same = after.number_of_labels() - kinds["added"] - kinds["changed"]
    return {kind: kinds[kind] for kind in ("added", "removed", "changed")} | {"unchanged": same}


def _kind(change: Change) -> str:
    if change.before is None:
        return "added"
    return "removed" if change.after is None else "changed"


def _print_changes(before: NegativesTable | None, after: NegativesTable, found: Sequence[Change]) -> None:
    if before and (before.embedder, before.k) != (after.embedder, after.k):
        click.echo(f"made with {_made_with(after)}; it was {_made_with(before)}\n")
    rows = [*_rows(before, after, found)]
    if rows:
        print_table(("dataset", "task", "label", "was", "is now"), rows[:_SHOWN])
        if len(rows) > _SHOWN:
            click.echo(f"and {len(rows) - _SHOWN} more (--json has them all)")
        click.echo()
    counts = _counts(after, found)
    told = ", ".join(f"{number:,} {kind}" for kind, number in counts.items())
    click.echo(f"{after.number_of_labels():,} labels: {told}")


def _rows(before: NegativesTable | None, after: NegativesTable, found: Sequence[Change]) -> Iterator[tuple[str, ...]]:
    """A row for each label that changed; one for all labels of a dataset's task that came or went as a whole."""
    for (dataset, task), group in groupby(found, key=lambda change: (change.dataset, change.task)):
        some = [*group]
        had = before is not None and task in before.negatives.get(dataset, {})
        has = task in after.negatives.get(dataset, {})
        if had and has:
            for _, _, label, was, now in some:
                shown = [", ".join(each) if each is not None else "not there" for each in (was, now)]
                yield (dataset, task, label, *shown)
        else:
            yield (dataset, task, f"all {len(some)}", "there" if had else "not there", "there" if has else "not there")


def _print_outcome(place: _Place, target: Path, *, differs: bool, check: bool, out: Path | None) -> None:
    if check:
        mend = "would change: massie mine-negatives writes it" if differs else "is what the miner gives"
        click.echo(f"{place.path} {mend}")
    elif differs or out:
        click.echo(f"written to {target}")
    else:
        click.echo(f"{place.path} is up to date")
