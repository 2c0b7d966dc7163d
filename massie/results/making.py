"""From a run to its result: scores, coverage, usage, and the files that a run ends with."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from massie._version import __version__
from massie.build import Benchmark
from massie.results.jobs import Progress, ScoredCell, score_stored
from massie.results.samples import SCORES_TABLE, SamplesWriter, samples_writer
from massie.results.schema import (
    RESULT,
    AggregationReference,
    BenchmarkReference,
    Coverage,
    IntervalValue,
    Result,
    Row,
    read_result,
    write_result,
)
from massie.results.scores import levels_of
from massie.results.usage import Cost, usage_totals
from massie.running import STORE, Mode, Settings, Store
from massie.scoring import REPLICATES, SEED, ScoreRow, totals
from massie.types import IncompleteRunError, ResultError, RunError

_LONGEST_NAME, _LONGEST_TEXT = 200, 4000
_PRICED = ("input_tokens", "output_tokens", "cached_tokens", "requests")
# An absolute path within a word or a text; the slashes of a web address follow a colon or a name.
_ABSOLUTE = re.compile(r"(?:file://|(?<![\w:/.~-]))/(?:[^\s'\"/]+/)*([^\s'\"/]+)/?")


def finish_run(
    folder: Path,
    settings: Settings,
    benchmark: Benchmark,
    command: str,
    *,
    partial: bool = False,
    failed_as_invalid: bool = False,
    text_overlap: bool = False,
    workers: int | None = None,
    cost: Cost | None = None,
    report: Progress | None = None,
) -> Result:
    """Score a run from its stored predictions and write ``result.json`` and the scores of its samples.

    ``failed_as_invalid`` scores failed samples as answers without structure, which the result counts. ``text_overlap``
    adds SacreBLEU and ROUGE-1 to the scores, ``cost`` what the run cost; without it, what an earlier result of the same
    part and usage says stands. ``workers`` processes score at once (None for as many as help); ``report`` is told how
    far they are.

    Raises IncompleteRunError where samples have no answer, unless ``partial`` is asked for; such a result, and one of a
    part of the benchmark, is marked partial, never ranks, and never takes the place of a complete one.
    """
    if benchmark.digest != settings.manifest_digest:
        raise RunError(
            f"{folder}: the run is of another build ({settings.manifest_digest[:12]}) than this one "
            f"({benchmark.digest[:12]}); name the run's own build with --data"
        )
    if not (folder / STORE).exists():
        raise IncompleteRunError(f"{folder}: the run has no answers yet; there is nothing to score")
    try:
        with samples_writer(folder / SCORES_TABLE) as table:
            scored = score_stored(
                benchmark,
                folder / STORE,
                formats=settings.answers,
                text_overlap=text_overlap,
                failed_as_invalid=failed_as_invalid,
                workers=workers,
                report=report,
            )
            cells = _keep_scores(folder, benchmark, scored, table, partial or failed_as_invalid)
            if failed_as_invalid and not partial:
                _check_asked(folder, benchmark, cells)
            result = _as_priced_before(folder, _result(folder, settings, benchmark, command, cells, cost), cost)
            if not (result.partial and has_complete_result(folder)):
                table.keep()
                write_result(result, folder / RESULT)
            return result
    except OSError as error:
        raise RunError(
            f"{folder}: the result cannot be written: {error.strerror or error}; the answers are kept: make room, then "
            f"massie score {folder}"
        ) from error


def _keep_scores(
    folder: Path, benchmark: Benchmark, scored: Iterator[ScoredCell], table: SamplesWriter, partial: bool
) -> list[ScoredCell]:
    """The scored cells; the scores of their samples go to the table and are not kept in memory."""
    cells: list[ScoredCell] = []
    wanted = sum(benchmark.numbers().values())
    with Store(folder / STORE) as store:
        if store.number_answered() < wanted and not partial:
            raise _incomplete(folder, benchmark, store, wanted)
        for cell in scored:
            if cell.scores is not None:
                table.add(cell.scores)
            cells.append(replace(cell, scores=None))
        answered = sum(cell.totals.samples for cell in cells if cell.totals)
        if answered < wanted and not partial:  # there are answers to other samples, so that their number was enough
            raise _incomplete(folder, benchmark, store, wanted)
    if not answered:
        raise IncompleteRunError(f"{folder}: no sample has an answer yet; there is nothing to score")
    return cells


def _check_asked(folder: Path, benchmark: Benchmark, cells: Sequence[ScoredCell]) -> None:
    """Raise IncompleteRunError where samples were never asked, let alone failed."""
    wanted = sum(benchmark.numbers().values())
    if sum(cell.totals.samples for cell in cells if cell.totals) < wanted:
        with Store(folder / STORE) as store:
            raise _incomplete(folder, benchmark, store, wanted)


def _incomplete(folder: Path, benchmark: Benchmark, store: Store, wanted: int) -> IncompleteRunError:
    answered = failed = 0
    for cell in benchmark.cells():
        found = store.find(benchmark.sample_ids(cell)).values()
        failed += sum(prediction.error is not None for prediction in found)
        answered += sum(prediction.error is None for prediction in found)
    return IncompleteRunError(
        f"{folder}: {wanted - answered} of {wanted} samples have no answer ({failed} of them failed); run the "
        "same command again to answer them, or add --partial for scores that never rank"
    )


def _result(
    folder: Path,
    settings: Settings,
    benchmark: Benchmark,
    command: str,
    cells: Sequence[ScoredCell],
    cost: Cost | None,
) -> Result:
    rows = totals([cell.totals for cell in cells if cell.totals], levels_of(benchmark.manifest.aggregation))
    coverage = _coverage(benchmark, cells)
    whole = coverage.samples_of == sum(benchmark.numbers().values())
    with Store(folder / STORE) as store:
        usage = usage_totals(
            store,
            cost,
            sample_ids=None if whole else lambda: _sample_ids(benchmark),
            batch=settings.mode is Mode.BATCH,
        )
    return Result(
        system=settings.system,
        benchmark=_reference(benchmark),
        adapter=without_places(settings.adapter)[:_LONGEST_NAME],
        options={name: without_places(str(value))[:_LONGEST_TEXT] for name, value in settings.options.items()},
        details=_without_places_within(settings.details),
        command=command[:_LONGEST_TEXT],
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        massie_version=__version__,
        environment={"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()},
        bootstrap={"replicates": REPLICATES, "seed": SEED},
        partial=coverage.samples < coverage.samples_of,
        coverage=coverage,
        usage=usage,
        rows=[_row(row) for row in rows],
    )


def _sample_ids(benchmark: Benchmark) -> Iterator[str]:
    return (sample_id for cell in benchmark.cells() for sample_id in benchmark.sample_ids(cell))


def _as_priced_before(folder: Path, result: Result, cost: Cost | None) -> Result:
    """The result with the cost that an earlier one of the same part and usage states, unless it is priced anew."""
    if (cost is not None and not cost.keep) or not (folder / RESULT).exists():
        return result
    try:
        earlier = read_result(folder / RESULT)
    except ResultError:  # a file that is no result says nothing of the cost
        return result
    before, usage = earlier.usage, result.usage
    same = all(getattr(before, name) == getattr(usage, name) for name in _PRICED)
    if before.cost is None or not same or earlier.benchmark != result.benchmark:
        return result
    return result.model_copy(update={"usage": usage.model_copy(update={"cost": before.cost, "price": before.price})})


def has_complete_result(folder: Path) -> bool:
    """Whether a run has a result that covers the whole of its build."""
    return (folder / RESULT).exists() and not read_result(folder / RESULT).partial


def without_places(text: str) -> str:
    """A setting without the folders that only this machine has: of an absolute path its last name stays."""
    return _ABSOLUTE.sub(r"\1", text)


def _without_places_within(value: Any) -> Any:
    """A JSON value, all of whose texts are without places."""
    if isinstance(value, str):
        return without_places(value)
    if isinstance(value, list):
        return [_without_places_within(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _without_places_within(inner) for name, inner in cast("dict[str, Any]", value).items()}
    return value


def _reference(benchmark: Benchmark) -> BenchmarkReference:
    chosen = benchmark.selection
    return BenchmarkReference(
        id=benchmark.id,
        version=benchmark.manifest.version,
        manifest_digest=benchmark.digest,
        split=benchmark.split,
        tasks=[str(task) for task in chosen.tasks] if chosen.tasks else None,
        languages=list(chosen.languages) if chosen.languages else None,
        datasets=list(chosen.datasets) if chosen.datasets else None,
        limit=chosen.limit,
        max_samples=chosen.max_samples,
        aggregation=AggregationReference.model_validate(
            benchmark.manifest.aggregation.model_dump(mode="json", include={"score", "over"})
        ),
    )


def _coverage(benchmark: Benchmark, cells: Sequence[ScoredCell]) -> Coverage:
    whole = benchmark.manifest.cells_of(benchmark.split)
    scored = [cell.totals for cell in cells if cell.totals]
    return Coverage(
        cells=len(scored),
        cells_of=max(len(whole), benchmark.manifest.whole.get(benchmark.split, 0)),
        samples=sum(each.samples for each in scored),
        samples_of=sum(entry.samples for entry in whole),
        failed=sum(cell.failed for cell in cells),
    )


def _row(row: ScoreRow) -> Row:
    return Row.model_validate(
        {
            "level": row.level,
            "task": row.task,
            "key": row.key,
            "instances": row.instances,
            "samples": row.samples,
            "scores": {name: IntervalValue(value=i.value, low=i.low, high=i.high) for name, i in row.scores.items()},
            "diagnostics": dict(row.diagnostics),
        }
    )
