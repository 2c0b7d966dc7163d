"""From a run to its result: scores, coverage, usage, and the files that a run ends with."""

from __future__ import annotations

import platform
import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from massie._version import __version__
from massie.build import Benchmark
from massie.prompting import load_prompt, prompt_ids
from massie.results.schema import (
    RESULT,
    AggregationReference,
    BenchmarkReference,
    Coverage,
    IntervalValue,
    Result,
    Row,
    UsageTotals,
    read_result,
    write_result,
)
from massie.results.scores import Scores, score
from massie.running import STORE, Settings, Store
from massie.scoring import REPLICATES, SEED, SampleScores, ScoreRow
from massie.types import IncompleteRunError, RunError

SCORES_TABLE = "scores.parquet"

_LONGEST_NAME, _LONGEST_TEXT = 200, 4000
# An absolute path within a word or a text; the slashes of a web address follow a colon or a name.
_ABSOLUTE = re.compile(r"(?:file://|(?<![\w:/.~-]))/(?:[^\s'\"/]+/)*([^\s'\"/]+)/?")


def finish_run(
    folder: Path, settings: Settings, benchmark: Benchmark, command: str, *, partial: bool = False
) -> Result:
    """Score a run from its stored predictions and write ``result.json`` and the scores of its samples.

    Raises IncompleteRunError where samples have no answer, unless ``partial`` is asked for; such a result, and one of
    a part of the benchmark, is marked partial, never ranks, and never takes the place of a complete one.
    """
    if benchmark.digest != settings.manifest_digest:
        raise RunError(
            f"{folder}: the run is of another build ({settings.manifest_digest[:12]}) than this one "
            f"({benchmark.digest[:12]}); name the run's own build with --data"
        )
    if not (folder / STORE).exists():
        raise IncompleteRunError(f"{folder}: the run has no answers yet; there is nothing to score")
    wanted = {sample_id for cell in benchmark.cells() for sample_id in benchmark.sample_ids(cell)}
    with Store(folder / STORE) as store:
        failed = {sample_id: error for sample_id, error in store.failed().items() if sample_id in wanted}
        missing = len(wanted - store.answered())
        if missing and not partial:
            raise IncompleteRunError(
                f"{folder}: {missing} of {len(wanted)} samples have no answer ({len(failed)} of them failed); run the "
                "same command again to answer them, or add --partial for scores that never rank"
            )
        usage = store.usage()
        predictions = (one for one in store.predictions() if one.sample_id in wanted)
        scores = score(benchmark, predictions, partial=partial, marker=_marker(settings.system.prompt))
    if not scores.samples:
        raise IncompleteRunError(f"{folder}: no sample has an answer yet; there is nothing to score")
    coverage = _coverage(benchmark, scores, len(failed))
    result = Result(
        system=settings.system,
        benchmark=_reference(benchmark),
        adapter=without_places(settings.adapter)[:_LONGEST_NAME],
        options={name: without_places(str(value))[:_LONGEST_TEXT] for name, value in settings.options.items()},
        command=command[:_LONGEST_TEXT],
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        massie_version=__version__,
        environment={"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()},
        bootstrap={"replicates": REPLICATES, "seed": SEED},
        partial=coverage.samples < coverage.samples_of,
        coverage=coverage,
        usage=UsageTotals(
            seconds=round(usage.seconds or 0.0, 3), input_tokens=usage.input_tokens, output_tokens=usage.output_tokens
        ),
        rows=[_row(row) for row in scores.rows],
    )
    if result.partial and has_complete_result(folder):
        return result
    try:
        scores_table(scores).to_parquet(folder / f"{SCORES_TABLE}.partial", compression="zstd", index=False)
        (folder / f"{SCORES_TABLE}.partial").replace(folder / SCORES_TABLE)
        write_result(result, folder / RESULT)
    except OSError as error:
        raise RunError(
            f"{folder}: the result cannot be written: {error.strerror or error}; the answers are kept: make room, then "
            f"massie score {folder}"
        ) from error
    return result


def has_complete_result(folder: Path) -> bool:
    """Whether a run has a result that covers the whole of its build."""
    return (folder / RESULT).exists() and not read_result(folder / RESULT).partial


def _marker(prompt: str | None) -> str | None:
    """What a system's prompt lets stand before the answer, where it is one of the project's prompts."""
    return load_prompt(prompt).answer_marker if prompt is not None and prompt in prompt_ids() else None


def without_places(text: str) -> str:
    """A setting without the folders that only this machine has: of an absolute path its last name stays."""
    return _ABSOLUTE.sub(r"\1", text)


def scores_table(scores: Scores) -> pd.DataFrame:
    """The scores of each sample: task, dataset, language, instance_id, sample_id, then scores and counts."""
    table = pd.DataFrame.from_records([sample.scores for sample in scores.samples], columns=list(SampleScores._fields))
    for place, name in enumerate(("task", "dataset", "language")):
        table.insert(place, name, [str(sample.cell[place]) for sample in scores.samples])
    table.insert(3, "instance_id", [sample.instance_id for sample in scores.samples])
    table.insert(4, "sample_id", [sample.sample_id for sample in scores.samples])
    return table


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
        aggregation=AggregationReference.model_validate(
            benchmark.manifest.aggregation.model_dump(mode="json", include={"score", "over"})
        ),
    )


def _coverage(benchmark: Benchmark, scores: Scores, failed: int) -> Coverage:
    whole = benchmark.manifest.cells_of(benchmark.split)
    return Coverage(
        cells=len({sample.cell for sample in scores.samples}),
        cells_of=max(len(whole), benchmark.manifest.whole.get(benchmark.split, 0)),
        samples=len(scores.samples),
        samples_of=sum(entry.samples for entry in whole),
        failed=failed,
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
