"""``massie compare``."""

from __future__ import annotations

from pathlib import Path

import click

from massie.catalogue import Catalogue
from massie.cli.compared import print_comparison
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import print_json, progress, when_long
from massie.cli.runs import WORKERS_OPTION
from massie.results.comparing import DETAIL_LEVELS, FEWEST_REPLICATES, REPLICATES, compare
from massie.scoring.bootstrap import SEED
from massie.scoring.cells import SCORES


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--score", help=f"What is compared: {', '.join(SCORES)} (default: the benchmark's headline score).")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--language", "languages", multiple=True, help="Only this language (ISO 639-3); may be repeated.")
@click.option("--dataset", "datasets", multiple=True, help="Only this dataset; may be repeated.")
@click.option(
    "--level",
    "levels",
    multiple=True,
    default=DETAIL_LEVELS[:2],
    show_default=True,
    help=f"Where wins are counted: {', '.join(DETAIL_LEVELS)}; may be repeated.",
)
@click.option("--all", "whole", is_flag=True, help="List every language (dataset …), or every pair of systems.")
@click.option(
    "--replicates",
    type=click.IntRange(FEWEST_REPLICATES, 100_000),
    default=REPLICATES,
    show_default=True,
    help="Bootstrap replicates; the smallest p is 2 / (1 + replicates).",
)
@click.option("--seed", type=click.IntRange(0), default=SEED, show_default=True, help="Keys the replicates' draws.")
@WORKERS_OPTION
@TASKS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def compare_command(
    runs: tuple[Path, ...],
    score: str | None,
    tasks: tuple[str, ...],
    languages: tuple[str, ...],
    datasets: tuple[str, ...],
    levels: tuple[str, ...],
    whole: bool,
    replicates: int,
    seed: int,
    workers: int | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Compare scored runs of one benchmark: which system is better, by how much, and how sure that is.

    Only samples that every run answered count. Differences come with 95% intervals and two-sided p-values of a paired
    bootstrap over texts; where several are tested together, p is corrected by Holm's method, and below 0.05 a
    difference is called significant. Of more than two systems you see ranks, with the range that they take in 95% of
    the replicates, and tie groups: every system of a group is significantly better than all in the groups below.

    \b
    massie compare runs/lexicon/m-demo runs/empty/m-demo
    massie compare runs/*/m-light --score micro_f1 --task NER
    massie compare runs/a/m-light runs/b/m-light --level family --all
    """
    levels = tuple(dict.fromkeys(levels))
    with progress("comparing", quiet=as_json, unit="replicates") as advance:
        compared = compare(
            runs,
            score=score,
            tasks=tasks,
            languages=languages,
            datasets=datasets,
            levels=levels,
            replicates=replicates,
            seed=seed,
            workers=workers,
            catalogue=Catalogue.default(folders),
            report=when_long(advance),
        )
    if as_json:
        print_json(compared.plain())
    else:
        print_comparison(compared, levels, whole=whole)
