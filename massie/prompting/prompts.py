"""Prompts: files that say how a sample is put to a language model.

id: ner-deu
task: NER
language: deu
translation_of: ner-en
system: Du findest benannte Entitäten. …
user: "Entitätstypen: … Text: {{ text }}"
provenance: translated by hand for MASSIE
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import Field

from massie._content import content_folder
from massie.catalogue import Content, language, read_yaml, validated
from massie.prompting.formats import JSON, AnswerFormat, Form
from massie.prompting.templates import template_fault
from massie.types import FLAT_TASKS, ContentError, Task, UnknownNameError

_VARIABLES = {"user": {"text", "schemas"}, "thought": {"text", "schemas", "answer"}}
"""The variables of each template of a prompt."""


class Prompt(Content):
    """A prompt file.

    ``system`` is the instruction, ``user`` the Jinja template of one sample (variables: ``text``; ``schemas``, each
    with ``name``, ``description`` and ``roles``), ``answer`` how the answer is laid out. ``thought`` makes it a prompt
    for chain of thought: the template of what a teacher is asked for a demonstration's thought (variables: these and
    ``answer``, the gold as the prompt wants it).

    ``demonstrations`` lists by language (ISO 639-3) the datasets that demonstrations are taken from: the first that the
    user's build has. ``translation_of`` is the prompt that this one says in another language; a translation asks for
    the same answer, and takes its original's demonstrations where it names none. ``provenance`` says who wrote it, or
    what optimised it with which data, metric and seed.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    task: Task
    language: str
    translation_of: str | None = None
    answer: AnswerFormat = JSON
    demonstrations: dict[str, list[str]] = {}
    system: str
    user: str
    thought: str | None = None
    max_new_tokens: int = Field(default=256, ge=1)
    provenance: str

    @property
    def reasons(self) -> bool:
        """Whether it asks for reasoning before the answer."""
        return self.thought is not None


_FLAT = ", ".join(task for task in Task if task in FLAT_TASKS)


def prompt_ids() -> list[str]:
    """The ids of all prompts in ``prompts/``."""
    return sorted(path.stem for path in content_folder("prompts").glob("*.yaml"))


def prompt_path(name: str) -> Path:
    """The file of a prompt: of an id in ``prompts/``, or a path that ends in ``.yaml``.

    Raises UnknownNameError for an unknown id, suggesting the nearest, and ContentError where there is no such file.
    """
    if name.endswith(".yaml"):
        if not (path := Path(name)).is_file():
            raise ContentError(f"{name}: there is no such prompt file")
        return path
    if name not in prompt_ids():
        raise UnknownNameError("prompt", name, prompt_ids(), "(or the path of a .yaml file)")
    return content_folder("prompts") / f"{name}.yaml"


def load_prompt(name: str) -> Prompt:
    """The prompt of an id or path; raises as ``prompt_path`` and ``read_prompt`` do."""
    return read_prompt(prompt_path(name))


def read_prompt(path: Path) -> Prompt:
    """The prompt in a file, a translation completed from its original beside it.

    Raises ContentError naming file and field where the file does not validate, a template is none or uses a variable
    that it does not have, a language is unknown, or a translation does not fit its original.
    """
    prompt = validated(Prompt, read_yaml(path), path)
    if prompt.id != path.stem:
        raise ContentError(f"{path}: id: is {prompt.id!r}, but the file is called {path.stem!r}")
    for field, fault in _faults(prompt):
        raise ContentError(f"{path}: {field}: {fault}")
    return prompt if prompt.translation_of is None else _as_its_original(prompt, prompt.translation_of, path)


def _faults(prompt: Prompt) -> Iterator[tuple[str, str]]:
    """What is wrong with a prompt beyond its fields' types: the field, and what."""
    for field, source in (("user", prompt.user), ("thought", prompt.thought)):
        if source is not None and (fault := template_fault(source, _VARIABLES[field])):
            yield field, fault
    if prompt.answer.form is not Form.RECORDS and prompt.task not in FLAT_TASKS:
        yield "answer.form", f"{prompt.answer.form} is for {_FLAT}; {prompt.task} needs records"
    if prompt.reasons and prompt.answer.marker is None:
        yield "answer.marker", "is missing; a prompt with 'thought' must say where the reasoning ends"
    for field, code in [("language", prompt.language), *(("demonstrations", code) for code in prompt.demonstrations)]:
        try:
            language(code)
        except UnknownNameError as error:
            yield field, str(error)


def _as_its_original(prompt: Prompt, original_id: str, path: Path) -> Prompt:
    file = path.with_name(f"{original_id}.yaml")
    if not file.is_file():
        raise ContentError(f"{path}: translation_of: there is no {file.name} in {path.parent}")
    original = validated(Prompt, read_yaml(file), file)
    if original.translation_of is not None:
        raise ContentError(
            f"{path}: translation_of: {original_id} is a translation itself; name {original.translation_of}"
        )
    for field in ("task", "answer"):
        ours, its = getattr(prompt, field), getattr(original, field)
        if ours != its:
            raise ContentError(f"{path}: {field}: must be as in {original_id} ({its}), whose translation this is")
    return prompt.model_copy(update={"demonstrations": prompt.demonstrations or original.demonstrations})


def translations_of(original: Path) -> list[Path]:
    """The files of a prompt's translations: those beside it that say so.

    Raises ContentError for a file beside it that is no YAML.
    """
    return [path for path in sorted(original.parent.glob("*.yaml")) if _translates(read_yaml(path), original.stem)]


def _translates(plain: Any, original_id: str) -> bool:
    return isinstance(plain, dict) and cast("dict[Any, Any]", plain).get("translation_of") == original_id


def file_digest(path: Path) -> str:
    """SHA-256 of a file, by which a prompt or thoughts are known."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
