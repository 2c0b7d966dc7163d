"""Thoughts: the reasoning that leads from a demonstration to its gold, told by a teacher (paper, section 4.1).

T ~ P(T | x, y): a language model is given a text and its gold, and writes down how one gets from the one to the other.
That is done once; the thoughts are kept in a JSON file with what they were made from. They tell of a dataset's texts,
so they stay with whoever made them, as the build does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from massie.build import Benchmark
from massie.catalogue import Content, explain
from massie.prompting.answers import without_reasoning
from massie.prompting.choosing import PromptFile, choose_prompts
from massie.prompting.demonstrations import Drawing, Drawn
from massie.prompting.options import MethodName, MethodOptions, ShownIn
from massie.prompting.prompts import Prompt
from massie.prompting.rendering import thought_question
from massie.prompting.requests import Request
from massie.types import ContentError, Sample, SystemCard

LONGEST = 20_000
"""The most characters of a thought."""

LARGEST = 64_000_000
"""The most bytes of a file of thoughts: the longest of thousands."""

Asked = tuple[PromptFile, Drawn]
"""A prompt and demonstrations of its task."""

Ask = Callable[[Sequence[Request]], Iterator[tuple[int, str, str | None]]]
"""Gives requests to the teacher and yields for each its place, what the teacher says and why it ended, in any order.

Why it ended is the ``finish_reason``, None where that is not told.
"""


class Thought(Content):
    """The thought of one demonstration of a prompt."""

    prompt: str
    dataset: str
    sample: str
    thought: str = Field(min_length=1, max_length=LONGEST)


class Thoughts(Content):
    """A file of thoughts: what they were made from, by whom, and the thoughts.

    ``prompts`` has the SHA-256 of each prompt's file by its id, ``settings`` what the teacher's answers depend on.
    """

    version: Literal[1] = 1
    benchmark: str
    manifest_digest: str
    prompts: dict[str, str]
    k: int
    demonstration_seed: int
    teacher: SystemCard
    settings: dict[str, Any]
    created: str
    thoughts: list[Thought] = []

    def provenance(self) -> dict[str, Any]:
        """All but the thoughts themselves, as JSON values."""
        return self.model_dump(mode="json", exclude={"thoughts"})

    def of(self, drawn: Drawn, file: PromptFile, benchmark: Benchmark, options: MethodOptions) -> list[str]:
        """The thoughts of demonstrations, in their order.

        Raises ContentError, naming what differs, where the file was made from another build or prompt, or for other
        demonstrations.
        """
        where, prompt_id = f"thoughts: {options.thoughts}", file.prompt.id
        refuse_difference(where, "manifest_digest", self.manifest_digest, benchmark.digest)
        refuse_difference(where, f"prompts.{prompt_id}", self.prompts.get(prompt_id), file.sha256)
        refuse_difference(where, "demonstration_seed", self.demonstration_seed, options.demonstration_seed)
        known = {(one.prompt, one.dataset, one.sample): one.thought for one in self.thoughts}
        keys = [(prompt_id, drawn.dataset, sample.id) for sample in drawn.samples]
        if lacking := [key for key in keys if key not in known]:
            raise ContentError(
                f"{where}: has none for {lacking[0][2]} ({drawn.task}, {drawn.dataset}), one of {len(lacking)} "
                f"demonstrations that it lacks; it was made for k={self.k}: make them with 'massie prompts think' and "
                "the same settings as here"
            )
        return [known[key] for key in keys]


def refuse_difference(where: str, name: str, there: Any, here: Any) -> None:
    """Raise ContentError, naming it, where something in a file of thoughts is not what is wanted here."""
    if there != here:
        raise ContentError(
            f"{where}: was made otherwise: {name} is {there!r} there and {here!r} here; make thoughts for these "
            "settings with 'massie prompts think', into another file"
        )


def read_thoughts(path: Path) -> Thoughts:
    """The thoughts in a file; raises ContentError where it cannot be read, is too large or does not validate."""
    try:
        if path.stat().st_size > LARGEST:
            raise ContentError(f"{path}: is no file of thoughts: it has more than {LARGEST} bytes")
        return Thoughts.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ContentError(f"{path}: cannot be read: {error.strerror}; make it with 'massie prompts think'") from error
    except ValidationError as error:
        raise ContentError(explain(error, path)) from error


def thoughts_to_make(benchmark: Benchmark, prompts: Sequence[str], k: int, seed: int, shown_in: ShownIn) -> list[Asked]:
    """The demonstrations that chain of thought shows in a benchmark, for the prompts named or for all its tasks.

    Raises as ``choose_prompts`` and ``Drawing.for_samples_in`` do.
    """
    options = MethodOptions(method=MethodName.CHAIN_OF_THOUGHT, prompt=tuple(prompts), k=0)
    files = choose_prompts(options, named_only=bool(prompts))
    drawing = Drawing(benchmark, k, seed, shown_in)
    asked: dict[tuple[str, str], Asked] = {}
    for cell in benchmark.cells():
        if (file := files.get(cell.task)) is not None:
            drawn = drawing.for_samples_in(cell.language, file.prompt)
            asked[file.prompt.id, drawn.language] = file, drawn
    return [asked[key] for key in sorted(asked)]


def make_thoughts(path: Path, wanted: Thoughts, asked: Sequence[Asked], ask: Ask) -> Iterator[tuple[Thoughts, int]]:
    """Ask the teacher for the thoughts that the file lacks; after each, yield what it holds and how many it lacks.

    ``wanted`` says what they are made from. A file that is there is continued, with other prompts too, and never
    overwritten: it is written whole after each answer. Raises ContentError where it was made otherwise, and where an
    answer is no thought.
    """
    held = _continued(path, wanted)
    known = {(one.prompt, one.dataset, one.sample) for one in held.thoughts}
    left = [
        (file, sample)
        for file, drawn in asked
        for sample in drawn.samples
        if (file.prompt.id, drawn.dataset, sample.id) not in known
    ]
    yield held, len(left)
    if left:
        _refuse_unwritable(path)  # before anything is paid
    requests = [Request(thought_question(file.prompt, sample), file.prompt.max_new_tokens) for file, sample in left]
    answers = ask(requests) if requests else ()
    for number, (place, said, finish_reason) in enumerate(answers, 1):
        file, sample = left[place]
        _refuse_unfinished(finish_reason, sample)
        thought = clean(said, file.prompt, sample)
        made = Thought(prompt=file.prompt.id, dataset=sample.dataset, sample=sample.id, thought=thought)
        held = held.model_copy(update={"thoughts": [*held.thoughts, made]})
        _write(path, held)
        yield held, len(left) - number


def _continued(path: Path, wanted: Thoughts) -> Thoughts:
    if not path.exists():
        return wanted
    held = read_thoughts(path)
    here = wanted.provenance()
    for name, there in held.provenance().items():
        if name not in ("created", "prompts"):
            refuse_difference(str(path), name, there, here[name])
    for prompt_id in held.prompts.keys() & wanted.prompts.keys():
        refuse_difference(str(path), f"prompts.{prompt_id}", held.prompts[prompt_id], wanted.prompts[prompt_id])
    return held.model_copy(update={"prompts": held.prompts | wanted.prompts})


def _refuse_unwritable(path: Path) -> None:
    with _written(path) as part:
        part.touch()
        part.unlink()


def _write(path: Path, thoughts: Thoughts) -> None:
    with _written(path) as part:
        part.write_text(thoughts.model_dump_json(indent=1) + "\n", encoding="utf-8")
        part.replace(path)


@contextmanager
def _written(path: Path) -> Generator[Path]:
    """The file beside ``path`` in which it is prepared; raises ContentError where it cannot be written."""
    try:
        yield path.with_name(f"{path.name}.part")
    except OSError as error:
        raise ContentError(f"{path}: cannot be written: {error.strerror}") from error


def _refuse_unfinished(finish_reason: str | None, sample: Sample) -> None:
    """Raise ContentError where a teacher's answer was cut off, refused or filtered."""
    if finish_reason not in ("stop", None):
        raise ContentError(
            f"the teacher's thought on {sample.id} did not come to its end (finish_reason {finish_reason!r}) and is "
            "not kept: run the same command again, with another teacher or a larger limit where it stays so"
        )


def clean(said: str, prompt: Prompt, sample: Sample) -> str:
    """The thought in what a teacher said: without reasoning of its own, up to the prompt's marker.

    Teachers go on to the answer although they should not; what stands from the marker on is the demonstration's own
    affair. Raises ContentError where nothing is left, or too much.
    """
    marker = prompt.answer.marker
    thought = without_reasoning(said)
    thought = thought.strip() if marker is None else thought.partition(marker)[0].strip()
    if not 0 < len(thought) <= LONGEST:
        raise ContentError(
            f"the teacher's thought on {sample.id} has {len(thought)} characters; it must have 1 to {LONGEST}: "
            "try another teacher"
        )
    return thought
