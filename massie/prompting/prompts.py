"""Prompts: files that say how a sample is put to a language model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field

from massie._content import content_folder
from massie.catalogue import Content, read_yaml, validated
from massie.types import ContentError, Sample, Task, UnknownNameError, record_as_json

Message = dict[Literal["role", "content"], str]

_VARIABLES = {"text", "schemas"}

# What a template's expressions may raise besides Jinja's own errors: {{ 1 / 0 }}, {{ text + 1 }}, range(10**9) …
_FAILURES = (TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Prompt(Content):
    """A prompt file.

    ``system`` is the instruction, ``user`` the Jinja template of one sample (variables: ``text``; ``schemas``, each
    with ``name``, ``description`` and ``roles``), ``answer_marker`` what stands before the answer where the prompt asks
    for reasoning first. ``provenance`` says who wrote it, or what optimised it with which data, metric and seed.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    task: Task
    language: str
    system: str
    user: str
    answer_marker: str | None = None
    max_new_tokens: int = Field(default=256, ge=1)
    provenance: str


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


def prompt_ids() -> list[str]:
    """The ids of all prompts."""
    return sorted(path.stem for path in content_folder("prompts").glob("*.yaml"))


def load_prompt(prompt_id: str) -> Prompt:
    """The prompt of an id.

    Raises UnknownNameError, suggesting the nearest, and ContentError where the file does not validate or its template
    uses a variable that prompts do not have.
    """
    if prompt_id not in prompt_ids():
        raise UnknownNameError("prompt", prompt_id, prompt_ids())
    return read_prompt(content_folder("prompts") / f"{prompt_id}.yaml")


def read_prompt(path: Path) -> Prompt:
    """The prompt in a file; raises ContentError naming file and field."""
    prompt = validated(Prompt, read_yaml(path), path)
    if prompt.id != path.stem:
        raise ContentError(f"{path}: id: is {prompt.id!r}, but the file is called {path.stem!r}")
    try:
        unknown = find_undeclared_variables(_environment().parse(prompt.user)) - _VARIABLES
        _template(prompt.user)  # parsing alone lets unknown filters pass
    except TemplateError as error:
        raise ContentError(f"{path}: user: not a valid template: {error}") from error
    if unknown:
        raise ContentError(
            f"{path}: user: unknown variable {', '.join(sorted(unknown))}; a prompt has {', '.join(sorted(_VARIABLES))}"
        )
    return prompt


def render(prompt: Prompt, sample: Sample, demonstrations: Sequence[Sample] = ()) -> list[Message]:
    """The chat messages of a sample: instruction, demonstrations with their gold, the sample itself.

    What samples share comes first, so that a server's prefix cache does it once. Raises ContentError where the
    template fails.
    """
    messages: list[Message] = [{"role": "system", "content": prompt.system.strip()}]
    for demonstration in demonstrations:
        gold = [record_as_json(record, prompt.task) for record in demonstration.gold or ()]
        messages.append({"role": "user", "content": _user(prompt, demonstration)})
        messages.append({"role": "assistant", "content": json.dumps(gold, ensure_ascii=False)})
    messages.append({"role": "user", "content": _user(prompt, sample)})
    return messages


def _user(prompt: Prompt, sample: Sample) -> str:
    variables: dict[str, Any] = {"text": sample.text, "schemas": sample.schemas}
    try:
        return _template(prompt.user).render(variables)
    except _FAILURES as error:
        raise ContentError(f"prompt {prompt.id}: user: fails on the sample {sample.id}: {error}") from error


@lru_cache(maxsize=256)
def _template(source: str) -> Template:
    """The template without the white space around it; the text that it holds keeps its own."""
    return _environment().from_string(source.strip())
