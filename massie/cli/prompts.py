"""``massie prompts``: the prompts, as they are, as a model gets them, and the thoughts of their demonstrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from massie.adapters import load_adapter
from massie.adapters.language_models import LanguageModel
from massie.build import load_benchmark
from massie.catalogue import explain
from massie.cli.output import print_json, print_table, progress
from massie.cli.runs import DATA_OPTION, now, parse_options
from massie.prompting import Method, MethodName, MethodOptions, Prompt, Request, load_prompt, prompt_ids
from massie.prompting.options import ShownIn
from massie.prompting.thoughts import Ask, Asked, Thoughts, make_thoughts, thoughts_to_make
from massie.types import AdapterError, ContentError, RequestError

_BENCHMARK_OPTION = click.option("--benchmark", default="m-demo", show_default=True, help="The benchmark.")
_SEED_OPTION = click.option("--seed", type=int, help="Draws other demonstrations.  [default: 0]")
_IN_LANGUAGE_OPTION = click.option(
    "--in-language", is_flag=True, help="Demonstrations in the sample's language, where there are any."
)


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
        ("id", "task", "language", "form", "translation of", "tokens"),
        [(p.id, p.task, p.language, _form(p), p.translation_of, p.max_new_tokens) for p in loaded],
        right=(5,),
    )


def _form(prompt: Prompt) -> str:
    return f"reasoning, {prompt.answer.form}" if prompt.reasons else str(prompt.answer.form)


@prompts.command()
@click.argument("prompt")
@_BENCHMARK_OPTION
@DATA_OPTION
@click.option("--language", help="A sample in this language (ISO 639-3).")
@click.option(
    "--method",
    type=click.Choice([str(name) for name in MethodName]),
    help="The method. [default: as the prompt and --demonstrations say]",
)
@click.option("--demonstrations", "k", type=click.IntRange(min=0), help="So many demonstrations from train.")
@_SEED_OPTION
@_IN_LANGUAGE_OPTION
@click.option("--thoughts", type=click.Path(path_type=Path), help="The file with the demonstrations' thoughts.")
@click.option("--json", "as_json", is_flag=True, help="Print the messages as JSON.")
def show(
    prompt: str,
    benchmark: str,
    data: Path | None,
    language: str | None,
    method: str | None,
    k: int | None,
    seed: int | None,
    in_language: bool,
    thoughts: Path | None,
    as_json: bool,
) -> None:
    """Show the messages that a prompt makes of a sample.

    PROMPT is an id, or the path of a .yaml file.

    \b
    massie prompts show ner-en
    massie prompts show my-prompt.yaml --demonstrations 3 --language swa
    massie prompts show re-en --benchmark m-light --data data/m-light
    """
    loaded = load_prompt(prompt)
    part = load_benchmark(benchmark, data=data, task=loaded.task, language=language)
    shown = _method(_options(prompt, loaded, method, k, seed, in_language, thoughts))
    shown.prepare(part)
    request = shown.request(next(part.iter_samples()).without_gold())
    if as_json:
        print_json(list(request.messages))
        return
    for message in request.messages:
        click.echo(f"[{message['role']}]\n{message['content']}\n")


def _options(
    name: str,
    prompt: Prompt,
    method: str | None,
    k: int | None,
    seed: int | None,
    in_language: bool,
    thoughts: Path | None,
) -> dict[str, Any]:
    """The method's options; what was not said is left to the prompt: reasoning, or no demonstrations."""
    chosen: dict[str, Any] = {"prompt": name}
    if method is not None:
        chosen["method"] = method
    elif prompt.reasons:
        chosen["method"] = MethodName.CHAIN_OF_THOUGHT
    else:
        chosen["method"] = MethodName.FEW_SHOT if k else MethodName.ZERO_SHOT
    if k or (method is not None and k is not None):
        chosen["k"] = k
    elif chosen["method"] == MethodName.CHAIN_OF_THOUGHT and thoughts is None:
        chosen["k"] = 0
    named = {"demonstration_seed": seed, "demonstrations": ShownIn.IN_LANGUAGE if in_language else None}
    return chosen | {key: value for key, value in (named | {"thoughts": thoughts}).items() if value is not None}


def _method(options: dict[str, Any]) -> Method:
    try:
        return Method(MethodOptions.model_validate(options))
    except ValidationError as error:
        raise ContentError(explain(error, "options")) from error


@prompts.command()
@click.argument("prompt_names", metavar="[PROMPT]...", nargs=-1)
@_BENCHMARK_OPTION
@DATA_OPTION
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--language", "languages", multiple=True, help="Only samples in this language; may be repeated.")
@click.option("--adapter", "adapter_name", required=True, help="The teacher: a language model, such as openai.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the teacher; repeatable.")
@click.option("--demonstrations", "k", type=click.IntRange(min=1), default=3, show_default=True, help="How many.")
@_SEED_OPTION
@_IN_LANGUAGE_OPTION
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file of thoughts to make or continue.")
def think(
    prompt_names: tuple[str, ...],
    benchmark: str,
    data: Path | None,
    tasks: tuple[str, ...],
    languages: tuple[str, ...],
    adapter_name: str,
    options: tuple[str, ...],
    k: int,
    seed: int | None,
    in_language: bool,
    out: Path,
) -> None:
    """Have a teacher write the thoughts of demonstrations, for chain of thought.

    The teacher is shown each demonstration with its gold and asked, greedily, how one gets from the one to the other.
    It is done once; the same command continues a file that is not complete, one for other tasks adds to it. PROMPT is
    an id or path, one for each task; by default those of the project. Use the file with --option
    method=chain-of-thought --option thoughts=FILE.

    Thoughts tell of the texts of a dataset: the file stays with you, as its licence says of the dataset itself.

    \b
    massie prompts think --adapter openai --option model=NAME --out thoughts.json
    """
    part = load_benchmark(benchmark, data=data).select(tasks=tasks, languages=languages)
    teacher = load_adapter(adapter_name, parse_options(options))
    if not isinstance(teacher, LanguageModel):
        raise AdapterError(f"{adapter_name}: is no language model; a teacher is one, such as openai")
    shown_in = ShownIn.IN_LANGUAGE if in_language else ShownIn.ENGLISH
    asked = thoughts_to_make(part, prompt_names, k, seed or 0, shown_in)
    wanted = Thoughts(
        benchmark=part.id,
        manifest_digest=part.digest,
        prompts={file.prompt.id: file.sha256 for file, _ in asked},
        k=k,
        demonstration_seed=seed or 0,
        teacher=teacher.describe().model_copy(update={"prompt": None}),  # it is asked in the prompts' own words
        settings=teacher.llm.settings(),
        created=now(),
    )
    _make(out, wanted, asked, _asking(teacher))


def _make(out: Path, wanted: Thoughts, asked: list[Asked], ask: Ask) -> None:
    number = 0
    with progress("thinking", unit="thoughts") as advance:
        for held, left in make_thoughts(out, wanted, asked, ask):
            number = len(held.thoughts)
            advance(number, number + left, "")
    click.echo(f"{out}: {number} thoughts of {wanted.teacher.model or wanted.teacher.name}")


def _asking(teacher: LanguageModel) -> Ask:
    """Gives requests to the teacher; raises RequestError where one failed."""

    def ask(requests: Sequence[Request]) -> Iterator[tuple[int, str, str | None]]:
        for place, outcome in teacher.complete(requests):
            if isinstance(outcome, RequestError):
                raise outcome
            yield place, outcome.text, outcome.finish_reason

    return ask
