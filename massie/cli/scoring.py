"""``massie score``."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import click

from massie._version import __version__
from massie.adapters import read_predictions
from massie.build import Benchmark
from massie.cli.datasets import TASKS_OPTION
from massie.cli.runs import (
    DATA_OPTION,
    FAILED_OPTION,
    JSON_OPTION,
    PARTIAL_OPTION,
    PRICES_OPTION,
    RUNS_OPTION,
    SPLIT_OPTION,
    WORKERS_OPTION,
    Ending,
    command_line,
    cost_of,
    finish,
    folder_name,
    now,
    open_benchmark,
)
from massie.results import RESULT, Result, read_result
from massie.running import STORE, Settings, Store, lock_run, open_run, read_settings, slug
from massie.types import IncompleteRunError, PredictionsError, RunError, SystemCard


@click.command()
@click.argument("run_or_file", type=click.Path(path_type=Path))
@click.option("--benchmark", help="The benchmark that a predictions file answers.")
@click.option("--name", help="What the board calls the system of a predictions file; by default the file's name.")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--language", "languages", multiple=True, help="Only this language (ISO 639-3); may be repeated.")
@click.option("--dataset", "datasets", multiple=True, help="Only this dataset; may be repeated.")
@SPLIT_OPTION
@DATA_OPTION
@RUNS_OPTION
@PARTIAL_OPTION
@FAILED_OPTION
@PRICES_OPTION
@click.option(
    "--text-overlap", is_flag=True, help="Add SacreBLEU and ROUGE-1 of the output texts (massie[text-overlap])."
)
@WORKERS_OPTION
@TASKS_OPTION
@JSON_OPTION
def score(
    run_or_file: Path,
    benchmark: str | None,
    name: str | None,
    tasks: tuple[str, ...],
    languages: tuple[str, ...],
    datasets: tuple[str, ...],
    split: str,
    data: Path | None,
    runs: Path,
    partial: bool,
    failed_as_invalid: bool,
    prices: Path | None,
    text_overlap: bool,
    workers: int | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Score a run again from its stored predictions, or a predictions file that was made elsewhere.

    A predictions file has a JSON line for each sample, {"id": ..., "records": [...]} or {"id": ..., "output": "..."};
    nothing in it is ever executed. It becomes a run of its own.

    \b
    massie score runs/local/lexicon/m-demo
    massie score predictions.jsonl --benchmark m-demo --name my-system
    """
    ending = Ending(
        partial=partial,
        failed_as_invalid=failed_as_invalid,
        text_overlap=text_overlap,
        workers=workers,
        as_json=as_json,
    )
    if run_or_file.is_dir():
        folder, settings = run_or_file, read_settings(run_or_file)
        cost = cost_of(settings, prices)
        ending = replace(ending, cost=cost and replace(cost, keep=prices is None))
        whole = open_benchmark(settings.benchmark, data or (Path(settings.data) if settings.data else None), folders)
        whole = whole.select(split=settings.split)
        named = tasks or languages or datasets or not (folder / RESULT).exists()
        part = (
            whole.select(tasks=tasks, languages=languages, datasets=datasets)
            if named
            else _part_of_result(read_result(folder / RESULT), whole)
        )
        with lock_run(folder):
            finish(folder, settings, part, _command_of(folder, settings), ending)
    elif not run_or_file.exists():
        raise RunError(f"{run_or_file}: there is no such run folder or predictions file")
    elif benchmark is None:
        raise PredictionsError(f"{run_or_file}: name the benchmark that it answers: --benchmark m-demo, say")
    else:
        whole = open_benchmark(benchmark, data, folders)
        part = whole.select(tasks=tasks, languages=languages, datasets=datasets, split=split)
        _check(run_or_file, part, partial, failed_as_invalid)
        settings = _settings_of_file(run_or_file, name, part, data)
        folder = runs / slug(settings.system.name) / folder_name(part)
        with lock_run(folder):
            open_run(folder, settings)
            with Store(folder / STORE) as store:
                answers = (prediction for _, prediction in read_predictions(run_or_file))
                store.add_all(answer for answer in answers if failed_as_invalid or answer.error is None)
            finish(folder, settings, part, command_line(), ending)


def _part_of_result(result: Result, whole: Benchmark) -> Benchmark:
    """The part of a benchmark that a result is about."""
    part = result.benchmark
    return whole.select(
        tasks=part.tasks,
        languages=part.languages,
        datasets=part.datasets,
        limit=part.limit,
        max_samples=part.max_samples,
    )


def _command_of(folder: Path, settings: Settings) -> str:
    """The command that made a run: what its result says, else its settings."""
    return read_result(folder / RESULT).command if (folder / RESULT).exists() else settings.command


def _settings_of_file(path: Path, name: str | None, benchmark: Benchmark, data: Path | None) -> Settings:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Settings(
        adapter="predictions file",
        options={"file": path.name, "sha256": digest},
        benchmark=benchmark.id,
        version=benchmark.manifest.version,
        manifest_digest=benchmark.digest,
        split=benchmark.split,
        system=SystemCard(name=(name or path.stem)[:200]),
        data=None if data is None else str(data.resolve()),
        command=command_line(),
        created=now(),
        massie_version=__version__,
    )


def _check(path: Path, benchmark: Benchmark, partial: bool, failed_as_invalid: bool) -> None:
    """Hold every line of a predictions file against the benchmark, before anything is written.

    A line that says that its sample failed is an answer only with ``failed_as_invalid``.
    """
    unanswered = {sample_id for cell in benchmark.cells() for sample_id in benchmark.sample_ids(cell)}
    total, failed = len(unanswered), 0
    for number, prediction in read_predictions(path):
        if prediction.sample_id not in unanswered:
            raise _unexpected(path, number, prediction.sample_id, benchmark, total)
        unanswered.remove(prediction.sample_id)
        failed += prediction.error is not None and not failed_as_invalid
    missing = len(unanswered) + failed
    if missing and not partial:
        raise IncompleteRunError(
            f"{path}: answers {total - missing} of {total} samples; answer the others, or add --partial for scores "
            "that never rank"
        )


def _unexpected(path: Path, number: int, key: str, benchmark: Benchmark, total: int) -> PredictionsError:
    """What is wrong with a line whose sample is answered already, or is none."""
    first = next(line for line, prediction in read_predictions(path) if prediction.sample_id == key)
    if first < number:
        return PredictionsError(f"{path}:{number}: sample {key!r} is answered twice, first in line {first}; keep one")
    return PredictionsError(
        f"{path}:{number}: sample {key!r} is not one of the {total} {benchmark.split} samples of "
        f"{benchmark.id} (build {benchmark.digest[:12]}); is the file for another benchmark, build or split?"
    )
