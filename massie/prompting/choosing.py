"""Which prompt puts a task: one that is named, else the one that method and form call for; and its translations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from massie.prompting.formats import Form
from massie.prompting.json_schema import RECORDS_KEY
from massie.prompting.options import OF_THE_SAMPLE, MethodName, MethodOptions, StructuredOutput
from massie.prompting.prompts import Prompt, file_digest, prompt_path, read_prompt, translations_of
from massie.types import FLAT_TASKS, ContentError, Task


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt, adapted to the options that it was chosen for, with its file and the file's SHA-256."""

    prompt: Prompt
    path: Path
    sha256: str


def choose_prompts(options: MethodOptions, *, named_only: bool = False) -> dict[Task, PromptFile]:
    """The prompts of all tasks, or of those alone whose prompt is named, in the languages that they were written in.

    Raises UnknownNameError for a prompt that is not there, ContentError for one that is wrong or does not go with the
    other options, and for two of one task.
    """
    chosen: dict[Task, PromptFile] = {}
    for name in options.prompt:
        file = _read(prompt_path(name), options)
        if (other := chosen.get(file.prompt.task)) is not None:
            raise ContentError(
                f"the prompts {other.prompt.id} and {file.prompt.id} are both for {file.prompt.task}; name one of them"
            )
        chosen[file.prompt.task] = file
    for task in Task:
        if task not in chosen and not named_only:
            chosen[task] = _read(prompt_path(default_prompt(task, options.method, options.form)), options)
    return chosen


def default_prompt(task: Task, method: MethodName, form: Form) -> str:
    """The id of the English prompt of a task; tasks that are not flat have no grouped one, but records."""
    if method is MethodName.CHAIN_OF_THOUGHT:
        return f"{task.lower()}-cot-en"
    return f"{task.lower()}-grouped-en" if form is Form.GROUPED and task in FLAT_TASKS else f"{task.lower()}-en"


@dataclass(frozen=True, slots=True)
class Instructions:
    """A prompt in the languages that samples are put in: one for all, or by the language of the sample."""

    default: PromptFile
    by_language: Mapping[str, PromptFile]

    def for_samples_in(self, language: str) -> PromptFile:
        """The prompt in a language; where there is none, the default."""
        return self.by_language.get(language, self.default)


def instructions(file: PromptFile, options: MethodOptions) -> Instructions:
    """The prompt in the option's ``instruction_language``.

    Raises ContentError where there is no translation into it; with ``sample``, where there is none at all.
    """
    wanted = options.instruction_language
    if wanted is None:
        return Instructions(file, {})
    if (original_id := file.prompt.translation_of) is not None:
        file = _read(file.path.with_name(f"{original_id}.yaml"), options)
    translations = [_read(path, options) for path in translations_of(file.path)]
    by_language = {each.prompt.language: each for each in (file, *translations)}
    if wanted == OF_THE_SAMPLE and translations:
        return Instructions(file, by_language)
    if wanted in by_language:
        return Instructions(by_language[wanted], {})
    where = "any other language" if wanted == OF_THE_SAMPLE else wanted
    raise ContentError(
        f"instruction_language: {file.prompt.id} has no translation into {where}; it is there in "
        f"{', '.join(sorted(by_language))}"
    )


def _read(path: Path, options: MethodOptions) -> PromptFile:
    return PromptFile(_adapted(read_prompt(path), options), path, file_digest(path))


def _adapted(prompt: Prompt, options: MethodOptions) -> Prompt:
    """The prompt as the options want its answer; raises ContentError where they do not go together."""
    reasons = options.method is MethodName.CHAIN_OF_THOUGHT
    if prompt.reasons and not reasons:
        raise ContentError(f"the prompt {prompt.id} asks for reasoning; take it with method=chain-of-thought")
    if reasons and not prompt.reasons:
        raise ContentError(f"the prompt {prompt.id} asks for no reasoning (it has no 'thought'); name one that does")
    if "form" in options.model_fields_set and prompt.task in FLAT_TASKS and prompt.answer.form is not options.form:
        raise ContentError(f"the prompt {prompt.id} asks for {prompt.answer.form}; leave the option form out")
    if options.structured_output is StructuredOutput.OFF:
        return prompt
    if prompt.answer.form is Form.PAIRS:
        raise ContentError(f"the prompt {prompt.id} asks for pairs, which no JSON schema describes")
    if prompt.answer.form is Form.GROUPED or prompt.answer.key is not None:
        return prompt
    return prompt.model_copy(update={"answer": prompt.answer.model_copy(update={"key": RECORDS_KEY})})
