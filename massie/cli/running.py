"""``massie run`` and ``massie score``."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from massie._version import __version__
from massie.adapters import Adapter, adapter_digest, described, load_adapter, read_predictions
from massie.build import Benchmark, load_benchmark
from massie.catalogue import Catalogue, language
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import print_json, print_table, progress, warn
from massie.results import RESULT, Result, read_result
from massie.results.making import finish_run, has_complete_result, without_places
from massie.running import STORE, Settings, Store, lock_run, open_run, read_settings, slug
from massie.running import run as run_adapter
from massie.types import IncompleteRunError, Prediction, PredictionsError, RunError, Split, SystemCard

RUNS = Path("runs/local")
_SECRET = re.compile(r"api_?key|secret|password|passwd|credential|token$", re.IGNORECASE)

DATA_OPTION = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The folder that massie build wrote (or set MASSIE_DATA); m-demo needs none.",
)
RUNS_OPTION = click.option(
    "--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Where runs are kept."
)
PARTIAL_OPTION = click.option(
    "--partial", is_flag=True, help="Score although samples have no answer; the result is marked and never ranks."
)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
SPLIT_OPTION = click.option("--split", default="test", show_default=True, help="The split to answer.")


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
    whole = _open(benchmark, data, folders)
    for code in languages:
        language(code)
    part = whole.select(tasks=tasks, languages=languages, datasets=datasets, limit=limit, split=split)
    adapter = load_adapter(adapter_name, parse_options(options))
    system = described(adapter, adapter_name)
    folder = runs / slug(name or system.name) / _folder_name(part)
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
        command=_command(),
        created=_now(),
        massie_version=__version__,
    )
    with lock_run(folder):
        open_run(folder, settings)
        failed = _answered(adapter, part, folder, title=f"{system.name} on {whole.id}", batch=batch, quiet=as_json)
        _finish(folder, settings, part, _command(), partial=partial, as_json=as_json, failed=failed)


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
    if run_or_file.is_dir():
        folder, settings = run_or_file, read_settings(run_or_file)
        whole = _open(settings.benchmark, data or (Path(settings.data) if settings.data else None), folders)
        whole = whole.select(split=settings.split)
        named = tasks or languages or datasets or not (folder / RESULT).exists()
        part = (
            whole.select(tasks=tasks, languages=languages, datasets=datasets)
            if named
            else _part_of_result(read_result(folder / RESULT), whole)
        )
        with lock_run(folder):
            _finish(folder, settings, part, _command_of(folder, settings), partial=partial, as_json=as_json, failed={})
    elif not run_or_file.exists():
        raise RunError(f"{run_or_file}: there is no such run folder or predictions file")
    elif benchmark is None:
        raise PredictionsError(f"{run_or_file}: name the benchmark that it answers: --benchmark m-demo, say")
    else:
        whole = _open(benchmark, data, folders)
        part = whole.select(tasks=tasks, languages=languages, datasets=datasets, split=split)
        predictions = _checked(run_or_file, part, partial)
        settings = _settings_of_file(run_or_file, name, part, data)
        folder = runs / slug(settings.system.name) / _folder_name(part)
        with lock_run(folder):
            open_run(folder, settings)
            with Store(folder / STORE) as store:
                store.add_all(predictions)
            _finish(folder, settings, part, _command(), partial=partial, as_json=as_json, failed={})


def _part_of_result(result: Result, whole: Benchmark) -> Benchmark:
    """The part of a benchmark that a result is about."""
    part = result.benchmark
    return whole.select(tasks=part.tasks, languages=part.languages, datasets=part.datasets, limit=part.limit)


def _command_of(folder: Path, settings: Settings) -> str:
    """The command that made a run: what its result says, else its settings."""
    return read_result(folder / RESULT).command if (folder / RESULT).exists() else settings.command


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
        command=_command(),
        created=_now(),
        massie_version=__version__,
    )


def _checked(path: Path, benchmark: Benchmark, partial: bool) -> list[Prediction]:
    """The predictions of a file, every line checked before anything is written."""
    open_ids = {sample_id for cell in benchmark.cells() for sample_id in benchmark.sample_ids(cell)}
    total = len(open_ids)
    lines: dict[str, int] = {}
    predictions: list[Prediction] = []
    for number, prediction in read_predictions(path):
        key = prediction.sample_id
        if key in lines:
            raise PredictionsError(
                f"{path}:{number}: sample {key!r} is answered twice, first in line {lines[key]}; keep one"
            )
        if key not in open_ids:
            raise PredictionsError(
                f"{path}:{number}: sample {key!r} is not one of the {total} {benchmark.split} samples of "
                f"{benchmark.id} (build {benchmark.digest[:12]}); is the file for another benchmark, build or split?"
            )
        lines[key] = number
        if prediction.error is None:
            predictions.append(prediction)
    if len(predictions) < total and not partial:
        raise IncompleteRunError(
            f"{path}: answers {len(predictions)} of {total} samples; answer the others, or add --partial for scores "
            "that never rank"
        )
    return predictions


def _open(benchmark: str, data: Path | None, folders: tuple[Path, ...]) -> Benchmark:
    return load_benchmark(benchmark, data=data, catalogue=Catalogue.default(folders))


def _folder_name(benchmark: Benchmark) -> str:
    """What a run's folder is called within its system's: the benchmark, and the split where it is not test."""
    return benchmark.id if benchmark.split is Split.TEST else f"{benchmark.id}-{benchmark.split}"


def _command() -> str:
    """The command as others can repeat it, without places that only this machine has."""
    return shlex.join(["massie", *map(without_places, sys.argv[1:])])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_options(options: tuple[str, ...]) -> dict[str, Any]:
    """``key=value`` options; a value that is JSON is taken as such, any other as text."""
    parsed: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key.isidentifier():
            raise click.UsageError(f"--option {option!r}: must be KEY=VALUE")
        if _SECRET.search(key):
            raise click.UsageError(
                f"--option {key}: options are written into the run and its result; let the adapter read secrets from "
                "the environment"
            )
        try:
            parsed[key] = json.loads(value)
        except ValueError:
            parsed[key] = value
    return parsed


def _finish(
    folder: Path,
    settings: Settings,
    part: Benchmark,
    command: str,
    *,
    partial: bool,
    as_json: bool,
    failed: dict[str, str],
) -> None:
    """Score, write the result, and print it; failed samples end the command with exit code 1."""
    if failed:
        for sample_id, error in list(failed.items())[:3]:
            reason = (error.strip().splitlines() or ["no reason was given"])[-1]
            click.echo(f"massie: sample {sample_id} failed: {reason[:300]}", err=True)
        if not partial:
            click.echo(
                f"massie: {len(failed)} samples failed; all others are answered and kept in {folder}; "
                "the same command asks them again, --partial scores without them",
                err=True,
            )
            sys.exit(1)
    result = finish_run(folder, settings, part, command, partial=partial)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_result(result, folder)


def print_result(result: Result, folder: Path) -> None:
    """The result as people read it: LF1 and F1 of each task with 95% intervals, where the run lies, what to do next."""
    rows: list[tuple[object, ...]] = []
    for row in result.rows:
        if row.level in ("overall", "task"):
            title = "overall" if row.level == "overall" else str(row.task)
            rows.append((title, *_shown(row.scores["lf1"]), *_shown(row.scores["f1"]), row.instances, row.samples))
    click.echo(
        f"{result.system.name} on {result.benchmark.id} {result.benchmark.version}, {result.benchmark.split} split\n"
    )
    print_table(("task", "LF1", "95%", "F1", "95%", "texts", "samples"), rows, right=(1, 2, 3, 4, 5, 6))
    counts = result.rows[0].diagnostics
    click.echo(
        f"\ninvalid answers {counts['invalid']}, malformed records {counts['malformed']}, "
        f"off-schema {counts['off_schema']}, not in the text {counts['hallucinated']}"
    )
    coverage = result.coverage
    if result.partial:
        warn(f"partial: {coverage.samples} of {coverage.samples_of} samples; a partial result is never ranked")
        if has_complete_result(folder):
            warn("the run's complete result stays as it is; massie score with the run's folder shows it")
    elif coverage.cells < coverage.cells_of:
        warn(
            f"the build has {coverage.cells} of the {coverage.cells_of} {result.benchmark.split} cells of "
            f"{result.benchmark.id}; the board shows that beside the result and does not rank it"
        )
    click.echo(f"\nrun     {folder}")
    click.echo(f"result  {folder / RESULT}")
    click.echo(f"board   massie leaderboard --runs {shlex.quote(str(folder.parent.parent))}")


def _shown(interval: Any) -> tuple[str, str]:
    if interval.value is None:
        return "-", ""
    return f"{interval.value:.1f}", f"{interval.low:.1f} to {interval.high:.1f}"
