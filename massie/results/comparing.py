"""``massie.compare``: systems on the samples that all of them answered, with paired differences and ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from massie.build.engines import cores, job_runner
from massie.catalogue import Aggregation, Catalogue
from massie.results.aligning import Aligned, Part, align
from massie.results.schema import Result
from massie.results.scored import read_runs
from massie.results.scores import levels_of
from massie.scoring.bootstrap import SEED
from massie.scoring.cells import SCORES
from massie.scoring.comparison import (
    ComparedRow,
    RankedRow,
    detail_rows,
    differences_of,
    pairs_of,
    ranked_row,
)
from massie.scoring.paired import PairedCell, batch_sizes, paired_groups
from massie.types import Task, UnknownNameError, UserError, task_of

if TYPE_CHECKING:
    import pandas as pd

REPLICATES = 10_000
"""So many that, of the pairs of twenty systems, one can still be significant after Holm's correction."""
FEWEST_REPLICATES = 100
DETAIL_LEVELS = ("language", "dataset", "family", "script")

Array = NDArray[np.float64]
Progress = Callable[[int, int, str], None]
"""Called with the replicates that are done, those in all, and a few words."""
_Key = tuple[str, Task | None, str]


class Compared(NamedTuple):
    """One of the systems: its name, its run's folder, and how many samples of the part it answered."""

    name: str
    folder: Path
    samples: int


class Wins(NamedTuple):
    """On how many keys of a level one system is ahead of another, behind and equal, and where that is significant.

    ``undefined`` counts keys on which one of the scores is undefined.
    """

    ahead: int
    behind: int
    equal: int
    significantly_ahead: int
    significantly_behind: int
    undefined: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """How systems compare on the samples that all of them answered.

    ``totals`` are the overall row and one for each task, with ranks; ``details`` the rows of languages, datasets and
    the like over all tasks. Systems are meant by their places everywhere, in the order of ``systems``.
    """

    benchmark: str
    version: str
    split: str
    manifest_digest: str
    score: str
    systems: Sequence[Compared]
    samples: int
    instances: int
    replicates: int
    seed: int
    totals: Sequence[RankedRow]
    details: Sequence[ComparedRow]

    def row(self, task: Task | str | None = None) -> RankedRow:
        """The overall row, or that of a task; raises KeyError where there is none."""
        wanted = None if task is None else task_of(task)
        for row in self.totals:
            if row.task == wanted:
                return row
        raise KeyError(task)

    def level(self, level: str) -> list[ComparedRow]:
        """The rows of languages, datasets, families or scripts."""
        return [row for row in self.details if row.level == level]

    def wins(self, level: str, first: int = 0, second: int = 1) -> Wins:
        """On how many keys of a level the first system is ahead of the second."""
        found = [row.between(first, second) for row in self.level(level)]
        defined = [difference for difference in found if difference]
        ahead = [difference for difference in defined if difference.value > 0]
        behind = [difference for difference in defined if difference.value < 0]
        return Wins(
            ahead=len(ahead),
            behind=len(behind),
            equal=len(defined) - len(ahead) - len(behind),
            significantly_ahead=sum(difference.significant for difference in ahead),
            significantly_behind=sum(difference.significant for difference in behind),
            undefined=len(found) - len(defined),
        )

    def table(self) -> pd.DataFrame:
        """All differences as a table: level, task, key, the two systems and their scores, difference, interval, p."""
        import pandas as pd

        return pd.DataFrame(list(self._pairs()))

    def plain(self) -> dict[str, Any]:
        """Everything as JSON has it, systems by their names."""
        names = [system.name for system in self.systems]
        return {
            "benchmark": self.benchmark,
            "version": self.version,
            "split": self.split,
            "manifest_digest": self.manifest_digest,
            "score": self.score,
            "systems": [system._asdict() | {"folder": str(system.folder)} for system in self.systems],
            "samples": self.samples,
            "instances": self.instances,
            "bootstrap": {"replicates": self.replicates, "seed": self.seed},
            "standings": [
                {"level": row.level, "task": row.task, "system": name} | asdict(standing)
                for row in self.totals
                for name, standing in zip(names, row.standings, strict=True)
            ],
            "differences": list(self._pairs()),
        }

    def _pairs(self) -> Iterator[dict[str, Any]]:
        names = [system.name for system in self.systems]
        for row in (*self.totals, *self.details):
            for (first, second), difference in zip(pairs_of(len(names)), row.differences, strict=True):
                yield {
                    "level": row.level,
                    "task": row.task,
                    "key": row.key,
                    "first": names[first],
                    "second": names[second],
                    "first_score": row.scores[first],
                    "second_score": row.scores[second],
                    "difference": difference and difference.value,
                    "low": difference and difference.low,
                    "high": difference and difference.high,
                    "p": difference and difference.p,
                    "p_holm": difference and difference.adjusted,
                }

    def __repr__(self) -> str:
        row = self.totals[0]
        shown = ", ".join(
            f"{system.name} {'-' if score is None else f'{score:.1f}'}"
            for system, score in zip(self.systems, row.scores, strict=True)
        )
        return f"Comparison({self.score} on {self.benchmark}: {shown}; {self.samples} common samples)"


def compare(
    runs: Sequence[Path | str],
    *,
    score: str | None = None,
    tasks: Sequence[Task | str] = (),
    languages: Sequence[str] = (),
    datasets: Sequence[str] = (),
    levels: Sequence[str] = DETAIL_LEVELS[:2],
    replicates: int = REPLICATES,
    seed: int = SEED,
    workers: int | None = None,
    catalogue: Catalogue | None = None,
    report: Progress | None = None,
) -> Comparison:
    """Compare two or more runs, by their folders, on the samples that all of them answered.

    ``score`` is one of ``massie.scoring.SCORES`` (by default the benchmark's headline). ``tasks``, ``languages`` and
    ``datasets`` restrict the samples, ``levels`` says what is compared key by key. ``workers`` is how many processes
    work at once (None for as many as help); it changes no number. ``catalogue`` is where the benchmark is defined.
    Raises ResultError where the runs cannot be compared, and UnknownNameError for an unknown name.
    """
    folders = [Path(run) for run in runs]
    read = read_runs(folders)
    result = read[0].result
    score = score or result.benchmark.aggregation.score
    _check_names("score", [score], SCORES)
    _check_names("level", levels, DETAIL_LEVELS)
    if replicates < FEWEST_REPLICATES:
        raise UserError(f"{replicates} replicates are too few for intervals; take {FEWEST_REPLICATES} or more")
    part = Part([task_of(task) for task in tasks], languages, datasets)
    aligned = align(read, score, part)
    aggregation = _aggregation(result, catalogue)
    scores = _scores(aligned, _Plan(aggregation, tuple(levels), replicates, seed), workers, report)
    reference = result.benchmark
    return Comparison(
        benchmark=reference.id,
        version=reference.version,
        split=reference.split,
        manifest_digest=reference.manifest_digest,
        score=score,
        systems=[Compared(run.name, run.folder, n) for run, n in zip(read, aligned.answered, strict=True)],
        samples=aligned.samples,
        instances=aligned.instances,
        replicates=replicates,
        seed=seed,
        totals=[ranked_row(*key, of_row) for key, of_row in scores.items() if key[0] in ("overall", "task")],
        details=list(_details(levels, scores)),
    )


def _check_names(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, known)


def _aggregation(result: Result, catalogue: Catalogue | None) -> Aggregation:
    """How the benchmark aggregates; which datasets count as one only its definition says."""
    if result.benchmark.aggregation.over == "instances":
        return Aggregation(score=result.benchmark.aggregation.score)
    return (catalogue or Catalogue.default()).benchmark(result.benchmark.id).aggregation


# ---- Replicates


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be made of aligned samples."""

    aggregation: Aggregation
    levels: Sequence[str]
    replicates: int
    seed: int


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One batch of replicates to make: its number, and how many they are."""

    plan: _Plan
    cells: Sequence[PairedCell]
    batch: int
    replicates: int


def scores_of_batch(job: BatchJob) -> tuple[int, dict[_Key, Array]]:
    """The number of a batch, and for each row that is wanted all systems' scores, then their replicates."""
    plan = job.plan
    groups = paired_groups(
        job.cells, levels_of(plan.aggregation), batch=job.batch, replicates=job.replicates, seed=plan.seed
    )
    return job.batch, {
        (group.level, group.task, group.key): group.scores
        for group in groups
        if group.level in ("overall", "task") or (group.task is None and group.level in plan.levels)
    }


_FEW_DRAWS = 30_000_000
"""Draws that one process makes before others have started."""


def _scores(aligned: Aligned, plan: _Plan, workers: int | None, report: Progress | None) -> dict[_Key, Array]:
    """For each row all systems' scores, then all replicates."""
    sizes = batch_sizes(plan.replicates)
    jobs = [BatchJob(plan, aligned.cells, batch, size) for batch, size in enumerate(sizes)]
    workers = workers or (1 if aligned.instances * plan.replicates < _FEW_DRAWS else min(cores(), len(jobs)))
    whole: dict[_Key, Array] = {}
    done = 0
    with job_runner(workers=workers) as run:
        for batch, scores in run(scores_of_batch, jobs):
            start = 1 + sum(sizes[:batch])
            for key, of_batch in scores.items():
                mine = whole.setdefault(key, np.empty((len(of_batch), 1 + plan.replicates)))
                mine[:, :1], mine[:, start : start + sizes[batch]] = of_batch[:, :1], of_batch[:, 1:]
            done += sizes[batch]
            if report:
                report(done, plan.replicates, "")
    return whole


def _details(levels: Sequence[str], scores: Mapping[_Key, Array]) -> Iterator[ComparedRow]:
    """The rows of levels."""
    # In threads, since nearly all of it is NumPy's, which lets others work meanwhile.
    with ThreadPoolExecutor(cores()) as pool:
        for level in levels:
            mine = {key: of_key for (of, task, key), of_key in scores.items() if of == level and task is None}
            yield from detail_rows(level, mine, list(pool.map(differences_of, mine.values())))
