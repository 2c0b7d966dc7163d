"""Scoring the stored answers of a run cell by cell, in this process or several: memory is bounded by a few cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from massie._collector import collector_paused
from massie.build import Benchmark
from massie.build.engines import cores, job_runner
from massie.prompting import answer_of
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
from massie.types import Cell

Progress = Callable[[int, int, str], None]
"""Called with the samples scored, those in all, and the cell that was scored last."""


@dataclass(frozen=True, slots=True)
class CellJob:
    """One cell of a run to score. ``benchmark`` holds nothing but this cell, ``store`` is the run's."""

    place: int
    benchmark: Benchmark
    cell: Cell
    store: Path
    marker: str | None
    replicates: int
    seed: int


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
    marker: str | None = None,
    replicates: int = REPLICATES,
    seed: int = SEED,
    workers: int | None = None,
    report: Progress | None = None,
) -> Iterator[ScoredCell]:
    """Score what a store answers of a benchmark's selection; the cells come in their order.

    ``workers`` is how many processes work at once (None for as many as help); it does not change any number. Raises
    RunError where the store is damaged and BuildError where the build is.
    """
    number = list(benchmark.numbers().values())
    jobs = [
        CellJob(place, only, cell, store, marker, replicates, seed)
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
    totals = None if scores is None else cell_totals(scores, job.replicates, job.seed)
    return ScoredCell(job.place, job.cell, scores, totals, len(failed))


_AT_ONCE = 4096
"""Samples whose answers are looked up together."""


def _scored(job: CellJob, store: Store, failed: list[str]) -> Iterator[ScoredSample]:
    """The samples that have an answer, scored; the ids of those whose answer failed go to ``failed``."""
    every = job.benchmark.cell_samples(job.cell)
    while samples := list(islice(every, _AT_ONCE)):
        answers = store.find([sample.id for sample in samples])
        for sample in samples:
            prediction = answers.get(sample.id)
            if prediction is None:
                continue
            if prediction.error is not None:
                failed.append(sample.id)
                continue
            answer = answer_of(prediction, sample.task, job.marker)
            scores = score_sample(sample.task, sample.schemas, sample.gold or (), answer, sample.text)
            yield ScoredSample(job.cell, sample.id, sample.instance_id, scores)


_FEW = 20_000
"""Samples that one process scores before others have started."""


def _workers(samples: Sequence[int]) -> int:
    return 1 if sum(samples) < _FEW else min(cores(), len(samples))
