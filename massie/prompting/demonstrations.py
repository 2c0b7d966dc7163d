"""Demonstrations: train samples that show a model what is asked, drawn by rule from the user's own build.

Of the train samples with gold of a dataset those with the lowest draws over (seed, sample id) are taken: the same on
every machine, and those for a smaller k are the first of those for a larger one. The dataset is the first that the
prompt lists for the language (paper, appendix I) and the build has; where it has none of them, the first by id of all
its datasets with train samples of task and language. They come from the whole build, whatever part of it is run.

No text is taken twice, nor a sample whose gold the prompt's layout cannot say (a separator within a pair's span).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from massie.build import Benchmark
from massie.build.drawing import draw
from massie.prompting.formats import AnswerFormat
from massie.prompting.gold import reads_back
from massie.prompting.options import ShownIn
from massie.prompting.prompts import Prompt
from massie.types import BuildError, Cell, Sample, Split, Task
from massie.types.text import nfc

ENGLISH = "eng"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The demonstrations of a task in a language: train samples of one dataset, in the order in which they are shown.

    ``stands_in_for`` is the dataset that the prompt would rather have and the build lacks.
    """

    task: Task
    language: str
    dataset: str
    samples: tuple[Sample, ...]
    stands_in_for: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What they are, without their texts."""
        return {
            "dataset": self.dataset,
            "stands_in_for": self.stands_in_for,
            "samples": [sample.id for sample in self.samples],
        }


def normalised(text: str) -> str:
    """The text as it is compared with others: NFC, without case, its white space as single spaces."""
    return " ".join(nfc(text).casefold().split())


class Drawing:
    """Draws demonstrations from a build, each set once."""

    def __init__(self, benchmark: Benchmark, k: int, seed: int, shown_in: ShownIn) -> None:
        self._benchmark = benchmark
        self._k = k
        self._seed = seed
        self._shown_in = shown_in
        self._drawn: dict[tuple[str, str], Drawn | None] = {}

    def for_samples_in(self, language: str, prompt: Prompt) -> Drawn:
        """The demonstrations of a prompt for samples in a language: English, unless others are wanted and there.

        Raises BuildError where the build has none, or fewer texts than are wanted.
        """
        drawn = self._in(language, prompt) if self._shown_in is ShownIn.IN_LANGUAGE else None
        drawn = drawn or self._in(ENGLISH, prompt)
        if drawn is None:
            listed = " or ".join(prompt.demonstrations.get(ENGLISH, [])[:3]) or "an English dataset"
            raise BuildError(
                f"the build of {self._benchmark.id} has no English train samples with gold for {prompt.task} to show "
                f"as demonstrations; build {listed} too, or run without any: --option method=zero-shot"
            )
        return drawn

    def _in(self, language: str, prompt: Prompt) -> Drawn | None:
        key = language, prompt.id
        if key not in self._drawn:
            self._drawn[key] = self._draw(language, prompt)
        return self._drawn[key]

    def _draw(self, language: str, prompt: Prompt) -> Drawn | None:
        """The demonstrations in a language; None where the build has no train samples with gold in it."""
        preferred = prompt.demonstrations.get(language, [])
        for cell in _candidates(self._benchmark, prompt.task, language, preferred):
            train = (sample for part in self._benchmark.parts(cell, Split.TRAIN) for sample in part.samples())
            samples = lowest(train, self._k, self._key, partial(_can_be_shown, form=prompt.answer))
            if not samples:
                continue
            if len(samples) < self._k:
                raise BuildError(
                    f"{self._k} demonstrations are more than there are: {cell.dataset} has {len(samples)} train texts "
                    f"with gold for {cell.task} in {language} in this build; take k={len(samples)} at most"
                )
            first = preferred[0] if preferred else cell.dataset
            return Drawn(prompt.task, language, cell.dataset, samples, first if first != cell.dataset else None)
        return None

    def _key(self, sample: Sample) -> int:
        return draw("demonstration", str(self._seed), sample.id)


def _candidates(benchmark: Benchmark, task: Task, language: str, preferred: Sequence[str]) -> list[Cell]:
    """The train cells of a task and language: the preferred datasets in their order, then the others by id."""
    cells = [cell for cell in benchmark.cells(Split.TRAIN, whole=True) if cell.task is task]
    rank = {dataset: place for place, dataset in enumerate(preferred)}
    fitting = [cell for cell in cells if cell.language == language]
    return sorted(fitting, key=lambda cell: (rank.get(cell.dataset, len(rank)), cell.dataset))


def _can_be_shown(sample: Sample, form: AnswerFormat) -> bool:
    return bool(sample.gold) and reads_back(sample.gold, sample.task, form)


def lowest(
    samples: Iterable[Sample], number: int, key: Callable[[Sample], int], fits: Callable[[Sample], bool]
) -> tuple[Sample, ...]:
    """The samples with the lowest keys of those that fit, of each text only the lowest.

    No more than ``number`` are ever held.
    """
    held: dict[str, tuple[int, Sample]] = {}
    for sample in samples:
        drawn = key(sample)
        if len(held) == number and drawn >= max(other for other, _ in held.values()):
            continue
        text = normalised(sample.text)
        if (text not in held or drawn < held[text][0]) and fits(sample):
            held[text] = (drawn, sample)
        if len(held) > number:
            del held[max(held, key=lambda name: held[name][0])]
    return tuple(sample for _, sample in sorted(held.values(), key=lambda pair: pair[0]))
