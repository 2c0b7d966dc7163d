"""Scores of predictions on a benchmark: parsed, scored sample by sample, aggregated with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from massie.build import Benchmark
from massie.catalogue import Aggregation, Over, language, metric_cards
from massie.prompting import JSON, AnswerFormat, answer_of
from massie.results.samples import samples_frame
from massie.scoring import (
    REPLICATES,
    SCORES,
    SEED,
    CellScores,
    Interval,
    Levels,
    ScoreRow,
    cell_totals,
    score_samples,
    totals,
)
from massie.types import Answer, IncompleteRunError, Prediction, PredictionsError, Sample, Task, task_of

if TYPE_CHECKING:
    import pandas as pd

_OF_THE_PAPER = Aggregation()


@dataclass(frozen=True)
class Scores:
    """All scores of a system: one row for each level and key, and the scores of each sample by cell.

    ``headline`` names the score that the benchmark goes by.
    """

    rows: list[ScoreRow]
    cells: list[CellScores]
    headline: str = "lf1"

    def interval(self, score: str | None = None, *, task: Task | str | None = None) -> Interval:
        """A score (by default the headline), 0 to 100, with its 95% interval: overall, or of a task.

        Raises KeyError where there is no such score or task.
        """
        level = "overall" if task is None else "task"
        for row in self.rows:
            if row.level == level and (task is None or row.task == task_of(task)):
                return row.scores[score or self.headline]
        raise KeyError(task)

    def table(self) -> pd.DataFrame:
        """The rows as a table: level, task, key, instances, samples, then each score with its low and high."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "level": row.level,
                    "task": row.task,
                    "key": row.key,
                    "instances": row.instances,
                    "samples": row.samples,
                }
                | {
                    name: value
                    for score in SCORES
                    for name, value in (
                        (score, row.scores[score].value),
                        (f"{score}_low", row.scores[score].low),
                        (f"{score}_high", row.scores[score].high),
                    )
                }
                for row in self.rows
            ]
        )

    def samples(self) -> pd.DataFrame:
        """The scores of each sample: task, dataset, language, instance_id, sample_id, then scores and counts."""
        return samples_frame(self.cells)

    def __repr__(self) -> str:
        tasks = {row.task: row.scores[self.headline] for row in self.rows if row.level == "task"}
        shown = ", ".join(f"{task} {_shown(value)}" for task, value in tasks.items())
        return f"Scores({metric_cards()[self.headline].title}: {shown}; {sum(map(len, self.cells))} samples)"


def _shown(interval: Interval) -> str:
    return f"{interval.value:.1f} [{interval.low:.1f}, {interval.high:.1f}]" if interval.value is not None else "-"


def score(
    benchmark: Benchmark,
    predictions: Iterable[Prediction],
    *,
    partial: bool = False,
    formats: Mapping[Task, AnswerFormat] | None = None,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Scores:
    """Score predictions on the selected split and part of a benchmark.

    ``formats`` say how output texts are laid out (the ``formats`` of an adapter that has prompts); JSON where not.
    Raises PredictionsError for an id that the selection does not have or that comes twice, and IncompleteRunError
    where samples are without an answer, unless ``partial`` is asked for.
    """
    answers = dict(_by_id(predictions))
    scored = score_samples(_answered(benchmark, answers, formats or {}, partial))
    if answers:
        raise PredictionsError(
            f"sample {next(iter(answers))!r} is not one of {benchmark.id}'s selection ({len(answers)} such)"
        )
    return aggregate(scored, benchmark.manifest.aggregation, replicates=replicates, seed=seed)


def aggregate(
    cells: list[CellScores],
    aggregation: Aggregation = _OF_THE_PAPER,
    *,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Scores:
    """The scores of cells at every level, as a benchmark aggregates them."""
    rows = totals((cell_totals(cell, replicates, seed) for cell in cells), levels_of(aggregation))
    return Scores(rows, cells, aggregation.score)


def levels_of(aggregation: Aggregation) -> Levels:
    """How a benchmark groups and combines its cells."""
    return Levels(
        family=lambda code: language(code).family,
        script=lambda code: language(code).script,
        counts_as=lambda code: language(code).counts_as or code,
        pooled=aggregation.dataset_of if aggregation.over is Over.DATASETS else None,
    )


def _by_id(predictions: Iterable[Prediction]) -> Iterator[tuple[str, Prediction]]:
    seen: set[str] = set()
    for prediction in predictions:
        if prediction.error is None:
            if prediction.sample_id in seen:
                raise PredictionsError(f"sample {prediction.sample_id!r} is answered twice; keep one answer")
            seen.add(prediction.sample_id)
            yield prediction.sample_id, prediction


def _answered(
    benchmark: Benchmark, answers: dict[str, Prediction], formats: Mapping[Task, AnswerFormat], partial: bool
) -> Iterator[tuple[Sample, Answer]]:
    """Every sample that has an answer, with it; takes the answers that it uses."""
    missing: list[str] = []
    for sample in benchmark.iter_samples():
        prediction = answers.pop(sample.id, None)
        if prediction is None:
            missing.append(sample.id)
        else:
            yield sample, answer_of(prediction, sample.task, formats.get(sample.task, JSON))
    if missing and not partial:
        raise IncompleteRunError(
            f"{len(missing)} samples have no answer ({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}); "
            "answer them, or ask for partial scores, which are never ranked"
        )
