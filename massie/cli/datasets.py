"""``massie datasets``: the catalogue."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from massie.catalogue import Access, Card, Catalogue, Status, language
from massie.cli.output import console, print_json, print_table
from massie.types import Split, task_of

TASKS_OPTION = click.option(
    "--tasks", "folders", multiple=True, type=click.Path(path_type=Path), help="A further folder with cards."
)


@click.group(invoke_without_command=True)
@click.option("--task", help="Only datasets for this task (NER, RE, SF, ED, EE).")
@click.option("--language", "code", help="Only datasets that have this language (ISO 639-3).")
@click.option("--status", type=click.Choice([str(status) for status in Status]), help="Only cards of this status.")
@click.option("--access", type=click.Choice([str(access) for access in Access]), help="Only datasets with this access.")
@click.option("--redistributable", is_flag=True, help="Only data whose licence lets the built samples be passed on.")
@click.option("--coverage", is_flag=True, help="The paper's datasets, languages and samples beside what can be built.")
@click.option("--data", type=click.Path(path_type=Path), help="With --coverage: a build of m-heavy or m-light.")
@click.option("--mirror", type=click.Path(path_type=Path), help="With --coverage: only files of this mirror are there.")
@click.option("--raw", type=click.Path(path_type=Path), help="With --coverage: the folder of files that you bring.")
@TASKS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def datasets(
    context: click.Context,
    task: str | None,
    code: str | None,
    status: str | None,
    access: str | None,
    redistributable: bool,
    coverage: bool,
    data: Path | None,
    mirror: Path | None,
    raw: Path | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """List the datasets of the catalogue: id, tasks, languages, licence, access, size.

    Texts are those counted in raw files at hand when the card was written; "massie datasets show ID" has them all.
    With --coverage: what the paper has, what of it can be built, and why the rest cannot.
    """
    if context.invoked_subcommand:
        return
    if coverage:
        if task or code or status or access or redistributable:
            raise click.UsageError("--coverage takes no filter: it compares the whole catalogue with the paper")
        # Loaded when it is called, as the commands themselves are: a list of cards does not wait for what builds need.
        show_coverage = import_module("massie.cli.coverage").show_coverage
        show_coverage(Catalogue.default(folders), data, mirror, raw, as_json=as_json)
        return
    if data or mirror or raw:
        raise click.UsageError("--data, --mirror and --raw say what --coverage is to compare: give it too")
    wanted = task_of(task) if task else None
    if code:
        language(code)
    cards = [
        card
        for card in Catalogue.default(folders).cards()
        if (wanted is None or wanted in card.tasks)
        and (code is None or code in card.languages)
        and (status is None or card.status == status)
        and (access is None or card.access == access)
        and (not redistributable or card.licence.redistributable)
    ]
    if as_json:
        print_json([_summary(card) for card in cards])
        return
    rows = [
        (
            card.id,
            ", ".join(card.tasks),
            _languages(card),
            card.licence.spdx or ("other" if card.licence.note else "none stated"),
            card.access,
            _texts(card) or "",
            card.status,
        )
        for card in cards
    ]
    print_table(("id", "tasks", "languages", "licence", "access", "texts", "status"), rows, right=(5,))
    click.echo(f"{len(cards)} datasets")


@datasets.command()
@click.argument("dataset")
@TASKS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(dataset: str, folders: tuple[Path, ...], as_json: bool) -> None:
    """Show one card: what it is, licence, source, labels, counts, how to cite it."""
    card = Catalogue.default(folders).card(dataset)
    if as_json:
        print_json(card.model_dump(mode="json"))
        return
    facts: list[tuple[str, object]] = [
        ("id", card.id),
        ("name", card.name),
        ("tasks", ", ".join(card.tasks)),
        ("status", card.status),
        ("in the paper", "yes" if card.in_paper else "no"),
        ("languages", ", ".join(f"{code} ({language(code).name})" for code in card.languages)),
        ("licence", card.licence.title),
        ("redistributable", "yes" if card.licence.redistributable else "no: built samples are for your own use"),
        ("access", card.access),
        ("homepage", card.homepage or "none"),
        ("source", card.source.pin if card.source else "none"),
        ("cite", card.citation),
        ("notes", card.notes or ""),
        ("gap", card.gap or ""),
    ]
    print_table(("", ""), facts)
    for task in card.tasks:
        console().print(f"\nLabels asked for ({task})\n")
        print_table(
            ("label", "description", "roles"),
            [(s.name, s.description or "", ", ".join(role.name for role in s.roles)) for s in card.schemas(task)],
        )
    console().print("\nCounts in the raw files\n")
    print_table(
        ("language", "raw split", "texts", "annotations", "empty texts"),
        [
            (code, split, counts.texts, counts.annotations, "" if counts.empty is None else counts.empty)
            for code, splits in card.counts.items()
            for split, counts in splits.items()
        ],
        right=(2, 3, 4),
    )


def _languages(card: Card) -> str:
    shown = ", ".join(card.languages[:4])
    return shown if len(card.languages) <= 4 else f"{shown} and {len(card.languages) - 4} more"


def _texts(card: Card) -> int:
    return sum(counts.texts for splits in card.counts.values() for counts in splits.values())


def _summary(card: Card) -> dict[str, Any]:
    plain = card.model_dump(
        mode="json", include={"id", "name", "tasks", "languages", "licence", "access", "status", "in_paper", "citation"}
    )
    return plain | {"texts": _texts(card), "splits": sorted(set(card.raw_splits()) & set(Split)) or card.raw_splits()}
