"""``massie export``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from massie.build import Benchmark
from massie.build.exporting.exported import Export
from massie.build.exporting.exports import HF, JSONL, PARQUET, ExportPlan, Form, export_to
from massie.catalogue import Catalogue, language
from massie.cli.datasets import TASKS_OPTION
from massie.cli.output import print_json, print_table, progress, warn
from massie.cli.runs import DATA_OPTION, command_line, now, open_benchmark
from massie.prompting import load_prompt
from massie.prompting.chats import prompts_by_task, sft_form
from massie.types import BuildError, Split, UnknownNameError

_FORMS = {form.name: form for form in (PARQUET, JSONL, HF)}
_SFT = "sft"


@click.command()
@click.argument("benchmark")
@DATA_OPTION
@click.option(
    "--format",
    "form_name",
    required=True,
    type=click.Choice([*_FORMS, _SFT]),
    help="Parquet files, JSON lines, a Hugging Face dataset folder, or chat records for a trainer.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The folder to make; it must be new or empty."
)
@click.option(
    "--split", "split_names", multiple=True, help="Only this split; may be repeated. [default: all; sft: train, dev]"
)
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--language", "languages", multiple=True, help="Only this language (ISO 639-3); may be repeated.")
@click.option("--dataset", "datasets", multiple=True, help="Only this dataset; may be repeated.")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    help="With sft: this prompt for its task (massie prompts lists them); may be repeated. [default: English ones]",
)
@click.option(
    "--private", is_flag=True, help="For your own use: also what may not be passed on; the export is marked so."
)
@TASKS_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print what export.json says.")
def export(
    benchmark: str,
    data: Path | None,
    form_name: str,
    out: Path,
    split_names: tuple[str, ...],
    tasks: tuple[str, ...],
    languages: tuple[str, ...],
    datasets: tuple[str, ...],
    prompts: tuple[str, ...],
    private: bool,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Export the samples of a benchmark: a file for each task and split, with a README and export.json beside them.

    Only datasets whose licence lets their samples be passed on are taken; the others are named. With --private
    everything is, and the export says that it is for your own use.

    \b
    massie export m-demo --format hf --out m-demo-hf
    massie export m-light --data data/m-light --format sft --out sft
    """
    form = _form(form_name, prompts)
    splits = [_split(name) for name in split_names] or form.splits
    for code in languages:
        language(code)
    whole = open_benchmark(benchmark, data, folders)
    part = _selected(whole, splits, tasks, languages, datasets)
    _check_prompts(prompts, part, splits)
    plan = ExportPlan(part, Catalogue.default(folders), form, splits, command_line(), now(), private)
    with progress(f"exporting {benchmark}", quiet=as_json, unit="samples") as advance:
        made = export_to(out, plan, advance)
    if made.left_out:
        named = ", ".join(f"{dataset} ({reason})" for dataset, reason in made.left_out.items())
        warn(f"left out, since they may not be passed on: {named}; --private takes them too, for your own use")
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        _print_report(made, out)


def _form(name: str, prompts: tuple[str, ...]) -> Form:
    if name == _SFT:
        return sft_form(prompts_by_task(prompts))
    if prompts:
        raise click.UsageError(f"--prompt is for --format {_SFT}; {name} has the samples as they are")
    return _FORMS[name]


def _check_prompts(prompts: tuple[str, ...], part: Benchmark, splits: Sequence[Split]) -> None:
    """Raise UsageError for a prompt that was named and would not be used."""
    tasks = {cell.task for split in splits for cell in part.cells(split)}
    for prompt in map(load_prompt, prompts):
        if prompt.task not in tasks:
            raise click.UsageError(f"--prompt: {prompt.id} is for {prompt.task}, of which the export has no samples")


def _split(name: str) -> Split:
    try:
        return Split(name)
    except ValueError as error:
        raise UnknownNameError("split", name, Split) from error


def _selected(
    whole: Benchmark,
    splits: Sequence[Split],
    tasks: tuple[str, ...],
    languages: tuple[str, ...],
    datasets: tuple[str, ...],
) -> Benchmark:
    """The chosen part; raises BuildError where none of the splits has a sample of it."""
    faults: list[BuildError] = []
    for split in splits:
        try:
            return whole.select(tasks=tasks, languages=languages, datasets=datasets, split=split)
        except BuildError as error:
            faults.append(error)
    raise faults[0]


def _print_report(made: Export, out: Path) -> None:
    print_table(
        ("file", "samples", "MB"),
        [(file.path, f"{file.samples:,}", f"{file.bytes / 1e6:.2f}") for file in made.files],
        right=(1, 2),
    )
    click.echo(f"\n{made.notice}\n")
    click.echo(f"manifest digest  {made.manifest_digest}")
    click.echo(f"exported to      {out}")
