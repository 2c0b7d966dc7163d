"""``massie run``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import click

from massie.adapters import OPENAI, Adapter, Limits, ResponseCache
from massie.adapters.completions import BatchLLM
from massie.adapters.language_models import LanguageModel
from massie.build import Benchmark
from massie.build.engines import Engine
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import progress
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
    adapter_options,
    command_line,
    cost_of,
    finish,
    folder_name,
    interruptible,
    named_adapter,
    open_benchmark,
    part_options,
    settings_of,
)
from massie.results.usage import Cost
from massie.running import BATCHES, STORE, Mode, Progress, Settings, Stopping, Store, lock_run, open_run, slug
from massie.running import run as run_adapter
from massie.running.on_ray import Replicas, stream_on_ray
from massie.running.prices import price_of
from massie.types import UserError


@click.command()
@click.argument("benchmark")
@adapter_options
@part_options
@SPLIT_OPTION
@DATA_OPTION
@RUNS_OPTION
@click.option("--name", help="The run's name; by default the system's.")
@click.option("--batch", type=click.IntRange(min=1), help="Samples of each predict call (256), of each batch (1,024).")
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), default=32, show_default=True, help="Requests in flight, at most."
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=600.0, help="Seconds of a request.")
@click.option("--attempts", type=click.IntRange(min=1), default=6, show_default=True, help="Sendings of a request.")
@click.option("--cache", type=click.Path(path_type=Path), help="A file of responses that runs share.")
@click.option("--max-cost", type=click.FloatRange(min=0, min_open=True), help="Stop before the run costs more dollars.")
@PRICES_OPTION
@click.option(
    "--mode",
    type=click.Choice([str(mode) for mode in Mode]),
    default=str(Mode.LIVE),
    show_default=True,
    help="batch: through the provider's batch API, within a day, for about half.",
)
@click.option(
    "--engine",
    type=click.Choice([str(engine) for engine in Engine]),
    default=str(Engine.LOCAL),
    show_default=True,
    help="ray: replicas of the system on a cluster (RAY_ADDRESS, else this machine).",
)
@click.option("--replicas", type=click.IntRange(min=1), help="With ray: so many.  [default: 1]")
@click.option("--gpus", type=click.FloatRange(min=0), help="With ray: of each replica.  [default: 0]")
@click.option("--cpus", type=click.FloatRange(min=0), help="With ray: of each replica.  [default: 1]")
@click.option("--retry-failed", is_flag=True, help="Ask again also what failed for a lasting reason (context length).")
@PARTIAL_OPTION
@FAILED_OPTION
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
    max_samples: int | None,
    split: str,
    data: Path | None,
    runs: Path,
    name: str | None,
    batch: int | None,
    concurrency: int,
    timeout: float,
    attempts: int,
    cache: Path | None,
    max_cost: float | None,
    prices: Path | None,
    mode: str,
    engine: str,
    replicas: int | None,
    gpus: float | None,
    cpus: float | None,
    retry_failed: bool,
    partial: bool,
    failed_as_invalid: bool,
    workers: int | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Run a system on a benchmark and score it.

    The same command continues a run that was interrupted: every answer is kept as it comes, and only what has no answer
    yet, or failed, is asked again. A part of a benchmark (--task, --language, --dataset, --limit, --max-samples) gives
    a partial result, which is never ranked. Ctrl-C waits for what is in flight; a second one does not.
    A run file names an adapter and its options: {adapter: openai, options: {model: ..., base_url: ...}}.

    \b
    massie run m-demo --adapter lexicon
    massie run m-light --data data/m-light --adapter my_system.py:MyAdapter
    massie run m-demo --adapter openai --option model=gpt-4o-mini --max-cost 1
    massie run m-light --data data/m-light --adapter my-model.yaml
    """
    whole = open_benchmark(benchmark, data, folders)
    part = whole.select(
        tasks=tasks, languages=languages, datasets=datasets, limit=limit, max_samples=max_samples, split=split
    )
    shares: dict[str, Any] = {
        name: value for name, value in [("replicas", replicas), ("cpus", cpus), ("gpus", gpus)] if value is not None
    }
    if shares and Engine(engine) is not Engine.RAY:
        raise UserError(f"--{next(iter(shares))}: needs --engine ray; add that, or leave it out")
    adapter, adapter_name, given = named_adapter(adapter_name, options)
    settings = settings_of(adapter, adapter_name, given, part, data, Mode(mode))
    system = settings.system
    folder = runs / slug(name or system.name) / folder_name(part)
    cost = cost_of(settings, prices)
    if max_cost is not None and cost is None:
        _refuse_unpriced(settings)
    if settings.mode is Mode.BATCH:
        _check_batch_mode(adapter, cache, max_cost)
    with lock_run(folder), ExitStack() as stack:
        settings = open_run(folder, settings)
        opened = None if cache is None else stack.enter_context(closing(ResponseCache(cache)))
        limits = Limits(
            concurrency,
            timeout,
            attempts,
            batch=batch or Limits().batch,
            cache=opened,
            batch_folder=folder / BATCHES if settings.mode is Mode.BATCH else None,
        )
        spec = None
        if Engine(engine) is Engine.RAY:
            spec = Replicas(adapter_name, given, part, batch=batch, limits=limits, **shares)
        asking = _Asking(adapter, part, folder, limits, batch, retry_failed, cost, max_cost, spec, quiet=as_json)
        failed = asking.ask(f"{system.name} on {whole.id}")
        ending = Ending(
            partial=partial, failed_as_invalid=failed_as_invalid, workers=workers, as_json=as_json, cost=cost
        )
        finish(folder, settings, part, command_line(), ending, failed)


def _refuse_unpriced(settings: Settings) -> NoReturn:
    """Raise for a budget where no price is known, with the nearest model that has one."""
    model, endpoint = settings.system.model, settings.details.get("llm", {}).get("endpoint")
    if model is None:
        raise UserError("--max-cost: the system names no model, so nothing that it does has a price; leave it out")
    if endpoint is not None:
        price_of(model, base_url=None if endpoint == OPENAI else endpoint)
    raise UserError(f"--max-cost: no price is known for the model {model!r}: give it in a file, --prices FILE")


def _check_batch_mode(adapter: Adapter, cache: Path | None, max_cost: float | None) -> None:
    """Raise UserError for what batch mode cannot do, before anything is begun."""
    if not (isinstance(adapter, LanguageModel) and isinstance(adapter.llm, BatchLLM)):
        raise UserError("--mode batch: the adapter has no batch API; leave it out")
    if cache is not None:
        raise UserError("--mode batch: all requests go out at once, past the --cache; leave one of them out")
    if max_cost is not None:
        raise UserError(
            "--mode batch: all requests go out at once, so --max-cost could not stop them; massie plan tells what they "
            "cost, --max-samples takes fewer"
        )


_IN_FLIGHT = "waiting for what is in flight"
_BATCHES_GO_ON = "submitted batches go on by themselves, and the same command collects them"


@dataclass(frozen=True)
class _Asking:
    """What is asked, of whom, and within which limits."""

    adapter: Adapter
    part: Benchmark
    folder: Path
    limits: Limits
    batch: int | None
    retry_failed: bool
    cost: Cost | None
    max_cost: float | None
    replicas: Replicas | None
    quiet: bool

    def ask(self, title: str) -> dict[str, str]:
        """Answer what has no answer yet; the samples that failed, with what went wrong.

        Ctrl-C ends the command with 130, a budget that is spent with 1.
        """
        with Store(self.folder / STORE) as store:
            try:
                then = _IN_FLIGHT if self.limits.batch_folder is None else _BATCHES_GO_ON
                with interruptible(then) as asked, progress(title, quiet=self.quiet, unit="samples") as advance:
                    stopping = self._stopping(asked, store)
                    state = run_adapter(
                        self.adapter,
                        self.part,
                        store,
                        batch=self.batch,
                        limits=replace(self.limits, stopping=asked),
                        stopping=stopping,
                        retry_failed=self.retry_failed,
                        stream=None if self.replicas is None else functools.partial(stream_on_ray, self.replicas),
                        report=lambda now: advance(now.done, now.total, _words(now)),
                    )
            except KeyboardInterrupt:
                self._end(store, "interrupted", 130)
            if state.stopped == "interrupted":
                self._end(store, state.stopped, 130)
            if state.stopped is not None:
                spent = f"{state.stopped}, {stopping.spent:.4f} dollars are spent"
                self._end(store, spent, 1, " with a higher --max-cost, or without one,")
            return self._failed(store)

    def _stopping(self, asked: Callable[[], bool], store: Store) -> Stopping:
        """What ends the run; a budget is for all of its starts together."""
        if self.cost is None:
            return Stopping(asked)
        stopping = Stopping(asked, self.cost.of, self.max_cost)
        for usage in store.paid():
            stopping.pay(usage)
        return stopping

    def _failed(self, store: Store) -> dict[str, str]:
        """What failed of the part that is run, now or before."""
        failed = store.failed()
        if not failed:
            return {}
        ids = (sample_id for cell in self.part.cells() for sample_id in self.part.sample_ids(cell))
        return {sample_id: failed[sample_id] for sample_id in ids if sample_id in failed}

    def _end(self, store: Store, why: str, code: int, how: str = "") -> NoReturn:
        kept = f"{store.number_answered()} answers are kept in {self.folder}"
        click.echo(f"massie: {why}; {kept}; the same command{how} goes on", err=True)
        sys.exit(code)


def _words(now: Progress) -> str:
    """Where things stand: batches, failures, tokens, dollars."""
    parts = [now.note] if now.note else []
    if now.failed:
        parts.append(f"{now.failed} failed")
    if now.input_tokens or now.output_tokens:
        parts.append(f"{_short(now.input_tokens)} in, {_short(now.output_tokens)} out")
    if now.cost is not None:
        parts.append(f"${now.cost:.2f}")
    return ", ".join(parts)


def _short(number: int) -> str:
    """A number of tokens in a few characters: 812, 4.1k, 2.3M."""
    if number < 1000:
        return str(number)
    return f"{number / 1e3:.1f}k" if number < 1e6 else f"{number / 1e6:.1f}M"
