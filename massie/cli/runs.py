"""What ``massie run`` and ``massie score`` share: their options, and how a run ends."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, cast

import click

from massie._version import __version__
from massie.adapters import OPENAI, Adapter, Prompted, Tuned, adapter_digest, described, load_adapter, prepare
from massie.build import Benchmark, load_benchmark
from massie.catalogue import Catalogue, Content, metric_cards, read_yaml, validated
from massie.cli.output import print_json, print_table, progress, warn, when_long
from massie.results import RESULT, Result
from massie.results.making import finish_run, has_complete_result, without_places
from massie.results.usage import Cost
from massie.running import Mode, Settings
from massie.running.prices import find_price
from massie.scoring.text_overlap import TEXT_OVERLAP
from massie.types import MissingExtraError, Split

RUNS = Path("runs/local")
Command = TypeVar("Command", bound=Callable[..., Any])

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
WORKERS_OPTION = click.option(
    "--workers", type=click.IntRange(min=1), help="Processes that score at once (default: as many as help)."
)
SPLIT_OPTION = click.option("--split", default="test", show_default=True, help="The split to answer.")
FAILED_OPTION = click.option(
    "--failed-as-invalid",
    is_flag=True,
    help="Score failed samples as answers without structure; the result counts them.",
)
PRICES_OPTION = click.option(
    "--prices", type=click.Path(path_type=Path), help="Your own prices, a YAML file, in place of the price library's."
)
_ADAPTER = click.option(
    "--adapter",
    "adapter_name",
    required=True,
    help="A built-in (empty, gold, lexicon, process, openai, vllm, transformers), package.module:Class, "
    "path/to/file.py:Class, or a run file (YAML: adapter, options).",
)
_OPTION = click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the adapter; repeatable."
)
_PART = (
    click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated."),
    click.option("--language", "languages", multiple=True, help="Only this language (ISO 639-3); may be repeated."),
    click.option("--dataset", "datasets", multiple=True, help="Only this dataset; may be repeated."),
    click.option("--limit", type=click.IntRange(min=1), help="At most so many samples of each cell."),
    click.option(
        "--max-samples", type=click.IntRange(min=1), help="At most so many samples in all; each cell keeps its share."
    ),
)

_SECRET = re.compile(r"api_?key|secret|password|passwd|credential|token$", re.IGNORECASE)


def adapter_options(command: Command) -> Command:
    """The options that name an adapter."""
    return _ADAPTER(_OPTION(command))


def part_options(command: Command) -> Command:
    """The options that name a part of a benchmark."""
    for option in reversed(_PART):
        command = option(command)
    return command


def named_adapter(name: str, options: tuple[str, ...]) -> tuple[Adapter, str, dict[str, Any]]:
    """The adapter that the command line names, by itself or in a run file, with its name and options.

    Options of the command line take the place of those in the file.
    """
    given = parse_options(options)
    if name.endswith((".yaml", ".yml")):
        run_file = validated(RunFile, read_yaml(Path(name)), Path(name))
        refuse_secrets(run_file.options, name)
        name, given = run_file.adapter, {**run_file.options, **given}
    return load_adapter(name, given), name, given


class RunFile(Content):
    """A run file: an adapter and its options."""

    adapter: str
    options: dict[str, Any] = {}


def settings_of(
    adapter: Adapter, name: str, options: Mapping[str, Any], part: Benchmark, data: Path | None, mode: Mode = Mode.LIVE
) -> Settings:
    """The settings of a run of an adapter, of that name and options, on a part of a benchmark.

    What its prompts need is found first, so that nothing is begun, let alone paid for, where it is not there.
    """
    system = described(adapter, name)
    prompted = adapter if isinstance(adapter, Prompted) else None
    if prompted is not None:
        prepare(adapter, part)
    return Settings(
        adapter=name,
        adapter_digest=adapter_digest(name),
        options=dict(options),
        tuning=sorted(adapter.tuning) if isinstance(adapter, Tuned) else [],
        details={} if prompted is None else dict(prompted.details()),
        answers={} if prompted is None else dict(prompted.formats),
        mode=mode,
        benchmark=part.id,
        version=part.manifest.version,
        manifest_digest=part.digest,
        split=part.split,
        system=system,
        data=None if data is None else str(data.resolve()),
        command=command_line(),
        created=now(),
        massie_version=__version__,
    )


def cost_of(settings: Settings, prices: Path | None) -> Cost | None:
    """By what a run's usage is priced: the user's file, or what the price library knows of the endpoint and model.

    None where there is no such price: what runs on one's own machines costs none.
    """
    model, llm = settings.system.model, settings.details.get("llm", {})
    endpoint = llm.get("endpoint")
    if model is None or (prices is None and endpoint is None):
        return None
    try:
        price = find_price(model, file=prices, base_url=None if endpoint == OPENAI else endpoint)
    except MissingExtraError:
        return None
    return None if price is None else Cost(price, batch=settings.mode is Mode.BATCH)


@contextmanager
def interruptible(then: str) -> Generator[Callable[[], bool]]:
    """Tells whether someone pressed Ctrl-C, and who did, what comes ``then``; a second one ends the command at once."""
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        click.echo(f"massie: {then}; Ctrl-C again ends at once", err=True)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def open_benchmark(benchmark: str, data: Path | None, folders: tuple[Path, ...]) -> Benchmark:
    """The benchmark of a name, with the cards of further folders."""
    return load_benchmark(benchmark, data=data, catalogue=Catalogue.default(folders))


def folder_name(benchmark: Benchmark) -> str:
    """What a run's folder is called within its system's: the benchmark, and the split where it is not test."""
    return benchmark.id if benchmark.split is Split.TEST else f"{benchmark.id}-{benchmark.split}"


def command_line() -> str:
    """The command as others can repeat it, without places that only this machine has."""
    return shlex.join(["massie", *map(without_places, sys.argv[1:])])


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_options(options: tuple[str, ...]) -> dict[str, Any]:
    """``key=value`` options; a value that is JSON is taken as such, any other as text."""
    parsed: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key.isidentifier():
            raise click.UsageError(f"--option {option!r}: must be KEY=VALUE")
        if key in parsed:
            raise click.UsageError(f"--option {key}: is given twice; several values are one JSON list: {key}='[1, 2]'")
        try:
            parsed[key] = json.loads(value)
        except ValueError:
            parsed[key] = value
    refuse_secrets(parsed, "--option")
    return parsed


def refuse_secrets(options: Mapping[str, Any], where: str) -> None:
    """Raise UsageError for an option, or a part of one, that holds a secret by its name.

    ``headers`` may name environment variables, which their adapter sees to.
    """
    for key, value in options.items():
        if _SECRET.search(key) and not key.endswith("_env"):
            raise click.UsageError(
                f"{where} {key}: options are written into the run and its result; let the adapter read secrets from "
                "the environment"
            )
        if isinstance(value, dict) and key != "headers":
            refuse_secrets(cast("dict[str, Any]", value), f"{where} {key}.")


@dataclass(frozen=True)
class Ending:
    """How a run is to end: whether scores of a part will do, what is scored beside the usual, and what is printed."""

    partial: bool
    as_json: bool
    failed_as_invalid: bool = False
    cost: Cost | None = None
    text_overlap: bool = False
    workers: int | None = None


def finish(
    folder: Path, settings: Settings, part: Benchmark, command: str, ending: Ending, failed: Mapping[str, str] = {}
) -> None:
    """Score, write the result, and print it; failed samples end the command with exit code 1."""
    if failed:
        for sample_id, error in list(failed.items())[:3]:
            reason = (error.strip().splitlines() or ["no reason was given"])[-1]
            click.echo(f"massie: sample {sample_id} failed: {reason[:300]}", err=True)
        if not (ending.partial or ending.failed_as_invalid):
            click.echo(
                f"massie: {len(failed)} samples failed; all others are answered and kept in {folder}; the same command "
                "asks them again (with --retry-failed also those that the server rejected or a context is too short "
                "for), --failed-as-invalid scores them as wrong, --partial scores without them",
                err=True,
            )
            sys.exit(1)
    with progress("scoring", quiet=ending.as_json, unit="samples") as advance:
        told = when_long(advance)
        result = finish_run(
            folder,
            settings,
            part,
            command,
            partial=ending.partial,
            failed_as_invalid=ending.failed_as_invalid,
            cost=ending.cost,
            text_overlap=ending.text_overlap,
            workers=ending.workers,
            report=lambda done, total, cell: told(done, total, cell if done < total else ""),
        )
    if ending.as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_result(result, folder)


def print_result(result: Result, folder: Path) -> None:
    """The result as people read it: scores of each task with 95% intervals, where the run lies, what to do next.

    The benchmark's headline score comes first; where a task's is a mean over datasets, theirs stand below it.
    """
    aggregation = result.benchmark.aggregation
    click.echo(
        f"{result.system.name} on {result.benchmark.id} {result.benchmark.version}, {result.benchmark.split} split\n"
    )
    _print_scores(result, [*dict.fromkeys([aggregation.score, "lf1", "f1"])][:2])
    if TEXT_OVERLAP[0] in result.rows[0].scores:
        click.echo()
        _print_scores(result, TEXT_OVERLAP)
    if aggregation.over == "datasets":
        title = metric_cards()[aggregation.score].title
        click.echo(f"\na dataset's {title} is that of all its cells together, a task's the mean over its datasets")
    counts = result.rows[0].diagnostics
    click.echo(
        f"\ninvalid answers {counts['invalid']}, malformed records {counts['malformed']}, "
        f"off-schema {counts['off_schema']}, not in the text {counts['hallucinated']}"
    )
    if counts.get("truncated"):
        warn(
            f"{counts['truncated']} answers ended at their limit; a higher one is another system: "
            "--option max_new_tokens=N --name NAME"
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


def _print_scores(result: Result, names: Sequence[str]) -> None:
    """A table of two scores, overall and of each task; of each dataset where a task's is a mean over them."""
    datasets = result.benchmark.aggregation.over == "datasets"
    rows: list[tuple[object, ...]] = []
    for row in result.rows:
        if row.level in ("overall", "task") or (datasets and row.level == "dataset" and row.task):
            title = {"overall": "overall", "task": str(row.task)}.get(row.level, f"  {row.key}")
            shown = [part for name in names for part in _shown(row.scores[name])]
            rows.append((title, *shown, row.instances, row.samples))
    first, second = (metric_cards()[name].title for name in names)
    print_table(("task", first, "95%", second, "95%", "texts", "samples"), rows, right=(1, 2, 3, 4, 5, 6))


def _shown(interval: Any) -> tuple[str, str]:
    if interval.value is None:
        return "-", ""
    return f"{interval.value:.1f}", f"{interval.low:.1f} to {interval.high:.1f}"
