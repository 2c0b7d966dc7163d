"""Methods: how a sample becomes a request to a language model. A method knows no vendor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from massie.build import Benchmark
from massie.prompting.choosing import Instructions, PromptFile, choose_prompts, instructions
from massie.prompting.demonstrations import Drawing, Drawn, normalised
from massie.prompting.formats import AnswerFormat
from massie.prompting.json_schema import RECORDS_KEY, answer_schema
from massie.prompting.options import MethodName, MethodOptions, StructuredOutput
from massie.prompting.prompts import Prompt, file_digest
from massie.prompting.rendering import Demonstration, Message, head, question
from massie.prompting.requests import Request
from massie.prompting.thoughts import read_thoughts
from massie.types import AdapterError, Sample, Task

__all__ = ["Method", "MethodName", "MethodOptions"]


class Method:
    """Turns samples into requests, and says how the answers are to be read."""

    def __init__(self, options: MethodOptions) -> None:
        """Raises UnknownNameError or ContentError where a prompt or thoughts file is not there, wrong, or unfit."""
        self._options = options
        self._files = choose_prompts(options)
        self._thoughts = None if options.thoughts is None else read_thoughts(options.thoughts)
        self._thoughts_sha256 = None if options.thoughts is None else file_digest(options.thoughts)
        self._instructions: dict[Task, Instructions] = {}
        self._heads: dict[tuple[str, str | None], _Heads] = {}
        self._puts: dict[tuple[Task, str], _Put] = {}
        self._prepared_for: Benchmark | None = None

    @property
    def name(self) -> str:
        """The method in a few words: its name, and the prompts that were named."""
        named = ", ".join(self._options.prompt)
        return f"{self._options.method} with {named}" if named else str(self._options.method)

    @property
    def formats(self) -> dict[Task, AnswerFormat]:
        """How each task's answers are laid out."""
        return {task: file.prompt.answer for task, file in self._files.items()}

    def prepare(self, benchmark: Benchmark) -> None:
        """Find the demonstrations in the user's build, for the tasks and languages that are looked at.

        Once for the same benchmark object, however often it is called with it.

        Raises BuildError where the build has none or too few, ContentError where their thoughts are missing or a
        prompt has no translation.
        """
        if benchmark is self._prepared_for:
            return
        self._prepared_for = None
        options = self._options
        drawing = Drawing(benchmark, options.shots, options.demonstration_seed, options.demonstrations)
        self._puts.clear()
        self._heads.clear()
        for task, language in dict.fromkeys((cell.task, cell.language) for cell in benchmark.cells()):
            drawn = drawing.for_samples_in(language, self._files[task].prompt) if options.shots else None
            self._puts[task, language] = self._put(task, language, drawn, benchmark)
        self._prepared_for = benchmark

    def request(self, sample: Sample) -> Request:
        """What is sent for a sample.

        Raises AdapterError where there are to be demonstrations and ``prepare`` was not called, or not for this task
        and language; ContentError where the template fails on the sample.
        """
        put = self._puts.get((sample.task, sample.language))
        if put is None:
            put = self._unprepared(sample.task, sample.language)
        prompt = put.file.prompt
        schema = None
        if self._options.structured_output is StructuredOutput.JSON_SCHEMA:
            schema = answer_schema(sample.task, sample.schemas, prompt.answer.form, prompt.answer.key or RECORDS_KEY)
        return Request([*put.heads.of(sample), question(prompt, sample)], prompt.max_new_tokens, schema)

    def details(self) -> dict[str, Any]:
        """What was resolved, as JSON values without any text of a dataset.

        The prompts with the SHA-256 of their files, and the demonstrations of each task and language by dataset and
        sample ids; samples in a language that has none are shown the English ones.
        """
        options = self._options
        resolved: dict[str, Any] = {
            "method": str(options.method),
            "prompts": {file.prompt.id: _prompt_details(file) for file in self._used()},
            "structured_output": str(options.structured_output),
            "instruction_language": options.instruction_language,
            "k": options.shots,
        }
        if options.shots:
            resolved["demonstration_seed"] = options.demonstration_seed
            resolved["demonstrations_in"] = str(options.demonstrations)
            resolved["demonstrations"] = {f"{drawn.task}/{drawn.language}": drawn.as_json() for drawn in self._shown()}
        if self._thoughts is not None:
            resolved["thoughts"] = self._thoughts.provenance() | {"sha256": self._thoughts_sha256}
        return resolved

    def _put(self, task: Task, language: str, drawn: Drawn | None, benchmark: Benchmark | None) -> _Put:
        file = self._instructions_of(task).for_samples_in(language)
        key = file.prompt.id, None if drawn is None else drawn.language
        if key not in self._heads:
            self._heads[key] = _heads(file.prompt, self._with_thoughts(task, drawn, benchmark))
        return _Put(file, drawn, self._heads[key])

    def _instructions_of(self, task: Task) -> Instructions:
        if task not in self._instructions:
            self._instructions[task] = instructions(self._files[task], self._options)
        return self._instructions[task]

    def _with_thoughts(self, task: Task, drawn: Drawn | None, benchmark: Benchmark | None) -> list[Demonstration]:
        if drawn is None:
            return []
        if self._thoughts is None or benchmark is None:
            return [Demonstration(sample) for sample in drawn.samples]
        thoughts = self._thoughts.of(drawn, self._files[task], benchmark, self._options)
        return [Demonstration(sample, thought) for sample, thought in zip(drawn.samples, thoughts, strict=True)]

    def _unprepared(self, task: Task, language: str) -> _Put:
        if self._options.shots:
            raise AdapterError(
                f"no demonstrations were drawn for {task} in {language}: call prepare(benchmark) with a benchmark that "
                "has such samples before request(sample)"
            )
        self._puts[task, language] = self._put(task, language, None, None)
        return self._puts[task, language]

    def _used(self) -> list[PromptFile]:
        """The prompts in use: of what was prepared, else of all tasks."""
        files = [put.file for put in self._puts.values()] or list(self._files.values())
        return sorted({file.prompt.id: file for file in files}.values(), key=lambda file: file.prompt.id)

    def _shown(self) -> list[Drawn]:
        drawn = {(put.drawn.task, put.drawn.language): put.drawn for put in self._puts.values() if put.drawn}
        return [drawn[key] for key in sorted(drawn)]


@dataclass(frozen=True, slots=True)
class _Heads:
    """What stands before a sample, shared by many.

    ``without`` has for the text of each demonstration (normalised) the head that leaves it out: no sample is shown its
    own text with its gold.
    """

    whole: Sequence[Message]
    without: Mapping[str, Sequence[Message]]

    def of(self, sample: Sample) -> Sequence[Message]:
        return self.without.get(normalised(sample.text), self.whole) if self.without else self.whole


@dataclass(frozen=True, slots=True)
class _Put:
    """How the samples of a task and language are put."""

    file: PromptFile
    drawn: Drawn | None
    heads: _Heads


def _heads(prompt: Prompt, shown: Sequence[Demonstration]) -> _Heads:
    whole = head(prompt, shown)
    places = {normalised(one.sample.text): 1 + 2 * place for place, one in enumerate(shown)}
    return _Heads(whole, {text: whole[:place] + whole[place + 2 :] for text, place in places.items()})


def _prompt_details(file: PromptFile) -> dict[str, Any]:
    prompt = file.prompt
    return {
        "task": str(prompt.task),
        "language": prompt.language,
        "form": str(prompt.answer.form),
        "sha256": file.sha256,
    }
