"""``massie run``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from massie._version import __version__
from massie.adapters import Adapter, adapter_digest, described, load_adapter
from massie.build import Benchmark
from massie.catalogue import language
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import progress
from massie.cli.runs import (
    DATA_OPTION,
    JSON_OPTION,
    PARTIAL_OPTION,
    RUNS_OPTION,
    SPLIT_OPTION,
    WORKERS_OPTION,
    Ending,
    command_line,
    finish,
    folder_name,
    now,
    open_benchmark,
    parse_options,
)
from massie.running import STORE, Settings, Store, lock_run, open_run, slug
from massie.running import run as run_adapter


@click.command()
@click.argument("benchmark")
@click.option(
    "--adapter",
    "adapter_name",
    required=True,
    help="empty, gold, lexicon, process, package.module:Class or path/to/file.py:Class.",
)
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the adapter; repeatable.")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--language", "languages", multiple=True, help="Only this language (ISO 639-3); may be repeated.")
@click.option("--dataset", "datasets", multiple=True, help="Only this dataset; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many samples of each cell.")
@SPLIT_OPTION
@DATA_OPTION
@RUNS_OPTION
@click.option("--name", help="The run's name; by default the system's.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=256, show_default=True, help="Samples for each predict call."
)
@PARTIAL_OPTION
@WORKERS_OPTION
@TASKS_OPTION
@JSON_OPTION
def run(
    benchmark: str,
    adapter_name: str,
    options: tuple[str, ...],
    tasks: tuple[str, ...],
    languages: tuple[str, ...],
    datasets: tuple[str, ...],
    limit: int | None,
    split: str,
    data: Path | None,
    runs: Path,
    name: str | None,
    batch: int,
    partial: bool,
    workers: int | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Run a system on a benchmark and score it.

    The same command continues a run that was interrupted: every answer is kept as it comes, and only what has no answer
    yet, or failed, is asked again. A part of a benchmark (--task, --language, --dataset, --limit) gives a partial
    result, which is never ranked.

    \b
    massie run m-demo --adapter lexicon
    massie run m-light --data data/m-light --adapter my_system.py:MyAdapter
    massie run m-demo --adapter my_system.py:MyAdapter --option threshold=0.5
    """
    whole = open_benchmark(benchmark, data, folders)
    for code in languages:
        language(code)
    part = whole.select(tasks=tasks, languages=languages, datasets=datasets, limit=limit, split=split)
    adapter = load_adapter(adapter_name, parse_options(options))
    system = described(adapter, adapter_name)
    folder = runs / slug(name or system.name) / folder_name(part)
    settings = Settings(
        adapter=adapter_name,
        adapter_digest=adapter_digest(adapter_name),
        options=parse_options(options),
        benchmark=whole.id,
        version=whole.manifest.version,
        manifest_digest=whole.digest,
        split=part.split,
        system=system,
        data=None if data is None else str(data.resolve()),
        command=command_line(),
        created=now(),
        massie_version=__version__,
    )
    with lock_run(folder):
        open_run(folder, settings)
        failed = _answered(adapter, part, folder, title=f"{system.name} on {whole.id}", batch=batch, quiet=as_json)
        ending = Ending(partial=partial, workers=workers, as_json=as_json)
        finish(folder, settings, part, command_line(), ending, failed)


def _answered(
    adapter: Adapter, part: Benchmark, folder: Path, *, title: str, batch: int, quiet: bool
) -> dict[str, str]:
    """Answer what has no answer yet; the samples that failed now, with what went wrong. Ctrl-C ends with 130."""
    with Store(folder / STORE) as store:
        try:
            with progress(title, quiet=quiet, unit="samples") as advance:
                state = run_adapter(
                    adapter,
                    part,
                    store,
                    batch=batch,
                    report=lambda now: advance(now.done, now.total, f"{now.failed} failed" if now.failed else ""),
                )
        except KeyboardInterrupt:
            click.echo(
                f"massie: interrupted; {len(store.answered())} answers are kept in {folder}; the same command goes on",
                err=True,
            )
            sys.exit(130)
        return store.failed() if state.failed else {}
