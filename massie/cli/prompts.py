"""``massie prompts``: the prompts, as they are and as a model gets them."""

from __future__ import annotations

from itertools import islice

import click

from massie.build import load_benchmark
from massie.cli.output import print_json, print_table
from massie.prompting import load_prompt, prompt_ids, render


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def prompts(context: click.Context, as_json: bool) -> None:
    """List the prompts in prompts/."""
    if context.invoked_subcommand:
        return
    loaded = [load_prompt(prompt_id) for prompt_id in prompt_ids()]
    if as_json:
        print_json([prompt.model_dump(mode="json") for prompt in loaded])
        return
    print_table(
        ("id", "task", "language", "new tokens", "provenance"),
        [(p.id, p.task, p.language, p.max_new_tokens, p.provenance) for p in loaded],
        right=(3,),
    )


@prompts.command()
@click.argument("prompt")
@click.option("--language", help="A sample in this language (ISO 639-3).")
@click.option("--demonstrations", "k", type=click.IntRange(min=0), default=0, help="So many demonstrations from train.")
@click.option("--json", "as_json", is_flag=True, help="Print the messages as JSON.")
def show(prompt: str, language: str | None, k: int, as_json: bool) -> None:
    """Show the messages that a prompt makes of a sample of M-DEMO."""
    loaded = load_prompt(prompt)
    benchmark = load_benchmark("m-demo", task=loaded.task, language=language)
    demonstrations = list(islice((one for one in benchmark.iter_samples("train") if one.gold), k))
    messages = render(loaded, next(benchmark.iter_samples()), demonstrations)
    if as_json:
        print_json(messages)
        return
    for message in messages:
        click.echo(f"[{message['role']}]\n{message['content']}\n")
