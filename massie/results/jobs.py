"""Scoring the stored answers of a run cell by cell, in this process or several: memory is bounded by a few cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from massie._collector import collector_paused
from massie.build import Benchmark
from massie.build.engines import cores, job_runner
from massie.catalogue import language
from massie.prompting import JSON, AnswerFormat, answer_of, answer_text
from massie.running import Store
from massie.scoring import (
    REPLICATES,
    SEED,
    CellScores,
    CellTotals,
    ScoredSample,
    cell_scores,
    cell_totals,
    score_sample,
)
from massie.scoring.text_overlap import TEXT_OVERLAP, TextOverlap
from massie.types import Cell, Prediction, Sample, Task

Progress = Callable[[int, int, str], None]
"""Called with the samples scored, those in all, and the cell that was scored last."""


@dataclass(frozen=True, slots=True)
class CellJob:
    """One cell of a run to score. ``benchmark`` holds nothing but this cell, ``store`` is the run's.

    ``form`` is how its answers are laid out; ``text_overlap`` asks for SacreBLEU and ROUGE-1 too;
    ``failed_as_invalid`` scores failed samples as answers without structure.
    """

    place: int
    benchmark: Benchmark
    cell: Cell
    store: Path
    form: AnswerFormat
    replicates: int
    seed: int
    text_overlap: bool
    failed_as_invalid: bool = False


@dataclass(frozen=True, slots=True)
class ScoredCell:
    """A cell of a run, scored: ``failed`` counts the samples whose answer failed; they, and those without any answer,
    are not among the scores. ``scores`` and ``totals`` are None where not one sample has an answer.
    """

    place: int
    cell: Cell
    scores: CellScores | None
    totals: CellTotals | None
    failed: int


def score_stored(
    benchmark: Benchmark,
    store: Path,
    *,
    formats: Mapping[Task, AnswerFormat] | None = None,
    replicates: int = REPLICATES,
    seed: int = SEED,
    text_overlap: bool = False,
    failed_as_invalid: bool = False,
    workers: int | None = None,
    report: Progress | None = None,
) -> Iterator[ScoredCell]:
    """Score what a store answers of a benchmark's selection; the cells come in their order.

    ``formats`` say how the answers to a task are laid out; ``failed_as_invalid`` scores failed samples as answers
    without structure. ``workers`` is how many processes work at once (None for as many as help); it does not change any
    number. Raises RunError where the store is damaged, BuildError where the build is, and MissingExtraError where
    ``text_overlap`` is asked for and its libraries are missing.
    """
    number, forms = list(benchmark.numbers().values()), formats or {}
    jobs = [
        CellJob(place, only, cell, store, forms.get(cell.task, JSON), replicates, seed, text_overlap, failed_as_invalid)
        for place, (cell, only) in enumerate(benchmark.by_cell().items())
    ]
    done, waiting, following = 0, dict[int, ScoredCell](), 0
    with job_runner(workers=workers or _workers(number)) as run:
        for scored in run(score_cell, jobs):
            done += number[scored.place]
            if report:
                report(done, sum(number), str(scored.cell))
            waiting[scored.place] = scored
            while following in waiting:
                yield waiting.pop(following)
                following += 1


def score_cell(job: CellJob) -> ScoredCell:
    """Score one cell."""
    failed: list[str] = []
    with Store(job.store, read_only=True) as store, collector_paused():
        (scores,) = cell_scores(_scored(job, store, failed)) or (None,)
        if scores and job.text_overlap:
            scores = replace(scores, further=_text_overlap(job, store))
    totals = None if scores is None else cell_totals(scores, job.replicates, job.seed)
    return ScoredCell(job.place, job.cell, scores, totals, len(failed))


def _scored(job: CellJob, store: Store, failed: list[str]) -> Iterator[ScoredSample]:
    """The samples that have an answer, scored; the ids of those whose answer failed go to ``failed``."""
    for sample, prediction in _answered(job, store):
        if prediction.error is not None:
            failed.append(sample.id)
            if not job.failed_as_invalid:
                continue
        answer = answer_of(prediction, sample.task, job.form)
        scores = score_sample(sample.task, sample.schemas, sample.gold or (), answer, sample.text)
        yield ScoredSample(job.cell, sample.id, sample.instance_id, scores)


def _text_overlap(job: CellJob, store: Store) -> dict[str, NDArray[np.float64]]:
    """SacreBLEU and ROUGE-1 of the samples that have an answer, in their order."""
    overlap = TextOverlap(job.cell.task, spaced=language(job.cell.language).spaces)
    of_samples = [
        overlap.scores(_said(prediction, job.form), sample.gold or ())
        for sample, prediction in _answered(job, store)
        if prediction.error is None or job.failed_as_invalid
    ]
    return dict(zip(TEXT_OVERLAP, np.array(of_samples).T, strict=True))


def _said(prediction: Prediction, form: AnswerFormat) -> str:
    """What a prediction says, as text: its answer, the whole output where that holds none, or its records as JSON."""
    if prediction.records is not None:
        return json.dumps(prediction.records, ensure_ascii=False)
    output = prediction.output or ""
    return answer_text(output, form) or output


def _answered(job: CellJob, store: Store) -> Iterator[tuple[Sample, Prediction]]:
    """The samples that have an answer, or one that failed, with it."""
    every = job.benchmark.cell_samples(job.cell)
    while samples := list(islice(every, _AT_ONCE)):
        answers = store.find([sample.id for sample in samples])
        yield from ((sample, answers[sample.id]) for sample in samples if sample.id in answers)


_AT_ONCE = 4096
"""Samples whose answers are looked up together."""
_FEW = 20_000
"""Samples that one process scores before others have started."""


def _workers(samples: Sequence[int]) -> int:
    return 1 if sum(samples) < _FEW else min(cores(), len(samples))
