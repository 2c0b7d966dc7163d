"""``massie plan``: what a run will take, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import click

from massie.adapters import Adapter
from massie.adapters.language_models import LanguageModel
from massie.build import Benchmark
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import print_json, progress, when_long
from massie.cli.planned import Plan
from massie.cli.runs import (
    DATA_OPTION,
    JSON_OPTION,
    PRICES_OPTION,
    RUNS_OPTION,
    SPLIT_OPTION,
    adapter_options,
    cost_of,
    folder_name,
    named_adapter,
    open_benchmark,
    part_options,
    settings_of,
)
from massie.running import SETTINGS, STORE, Store, check_same, read_settings, slug
from massie.running.hugging_face import TOKENIZER
from massie.running.pending import Pending
from massie.running.planning import Planned, numbers_planned, plan_requests
from massie.running.tokens import TokenCounter, token_counter
from massie.types import Task


@click.command()
@click.argument("benchmark")
@adapter_options
@part_options
@SPLIT_OPTION
@DATA_OPTION
@RUNS_OPTION
@click.option("--name", help="The run's name; by default the system's.")
@click.option("--retry-failed", is_flag=True, help="Count also what failed for a lasting reason (context length).")
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    help="The model's tokenizer.json, or the folder that holds it and its chat template.",
)
@PRICES_OPTION
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Requests a second, to tell the time.")
@click.option(
    "--tokens-per-second",
    type=click.FloatRange(min=0, min_open=True),
    help="Tokens a second, in and out, of all requests together; with --rate the slower one holds.",
)
@TASKS_OPTION
@JSON_OPTION
def plan(
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
    retry_failed: bool,
    tokenizer: Path | None,
    prices: Path | None,
    rate: float | None,
    tokens_per_second: float | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Tell what a run would take: requests, tokens, dollars, time. Nothing is sent, and no key is needed.

    The words are those of massie run; where that run is begun, what it has left is planned. Every prompt is rendered
    and counted, with the model's tokenizer where that is known, else by an estimate.

    \b
    massie plan m-demo --adapter openai --option model=gpt-4o-mini
    massie plan m-light --data data/m-light --adapter my-model.yaml --rate 40
    """
    whole = open_benchmark(benchmark, data, folders)
    part = whole.select(
        tasks=tasks, languages=languages, datasets=datasets, limit=limit, max_samples=max_samples, split=split
    )
    adapter, adapter_name, given = named_adapter(adapter_name, options)
    settings = settings_of(adapter, adapter_name, given, part, data)
    system = settings.system
    folder = runs / slug(name or system.name) / folder_name(part)
    begun = (folder / SETTINGS).exists()
    if begun:
        before = read_settings(folder)
        check_same(folder, before, settings.model_copy(update={"mode": before.mode}))
    priced = cost_of(settings, prices)
    counter = _counter(adapter, tokenizer, Path(str(given.get("model"))))
    store = folder / STORE if begun and (folder / STORE).exists() else Path(":memory:")
    planned = _planned(adapter, part, store, counter, retry_failed=retry_failed, quiet=as_json)
    shown = Plan(
        settings,
        folder if begun else None,
        planned,
        counter,
        None if priced is None else priced.price,
        rate,
        tokens_per_second,
    )
    if as_json:
        print_json(shown.as_json())
    else:
        shown.print()


def _counter(adapter: Adapter, tokenizer: Path | None, folder: Path) -> TokenCounter | None:
    """What counts tokens: by the tokenizer that is named, or that lies in the model's folder."""
    if not isinstance(adapter, LanguageModel):
        return None
    if tokenizer is None and (folder / TOKENIZER).is_file():
        tokenizer = folder
    return token_counter(adapter.llm.model, tokenizer)


def _planned(
    adapter: Adapter, part: Benchmark, store: Path, counter: TokenCounter | None, *, retry_failed: bool, quiet: bool
) -> dict[Task, Planned]:
    with Store(store) as answers:
        pending = Pending(part, answers, retry_failed)
        if counter is None or not isinstance(adapter, LanguageModel):
            return numbers_planned(pending)
        with progress("counting tokens", quiet=quiet, unit="requests") as advance:
            told = when_long(advance)
            return plan_requests(adapter, pending, counter, lambda done, total: told(done, total, ""))
