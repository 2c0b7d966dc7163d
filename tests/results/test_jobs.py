from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from massie.build import Benchmark
from massie.prompting import AnswerFormat
from massie.prompting.formats import Form
from massie.results.jobs import ScoredCell, score_stored
from massie.results.scores import levels_of, score
from massie.running import STORE, Settings
from massie.scoring import score_sample, totals
from massie.types import Answer, Prediction, RunError, Task, record_as_json

Begin = Callable[..., Settings]


def answers(benchmark: Benchmark) -> list[Prediction]:
    """The gold of every other sample, nothing for the rest."""
    return [
        Prediction(sample.id, [record_as_json(each, sample.task) for each in (sample.gold or ())[number % 2 :]])
        for number, sample in enumerate(benchmark.iter_samples())
    ]


def stored(folder: Path, benchmark: Benchmark, **options: int) -> list[ScoredCell]:
    return list(score_stored(benchmark, folder / STORE, **options))


def test_a_stored_run_scores_as_its_predictions_do(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    begin(tmp_path, part, answers(part))
    cells = stored(tmp_path, part)
    rows = totals([cell.totals for cell in cells if cell.totals], levels_of(part.manifest.aggregation))
    assert rows == score(part, answers(part)).rows


def test_the_number_of_processes_changes_no_number(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    begin(tmp_path, part, answers(part))
    alone, together = stored(tmp_path, part, workers=1), stored(tmp_path, part, workers=2)
    assert [cell.cell for cell in alone] == [cell.cell for cell in together] == part.cells()
    for one, other in zip(alone, together, strict=True):
        assert one.scores is not None and other.scores is not None
        assert one.totals is not None and other.totals is not None
        assert list(one.scores.samples()) == list(other.scores.samples())
        assert np.array_equal(one.totals.sums, other.totals.sums)


def test_failed_answers_are_counted_and_not_scored(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    first, second, *others = answers(part)
    begin(tmp_path, part, [Prediction(first.sample_id, error="timeout"), second, *others])
    cells = stored(tmp_path, part)
    assert [cell.failed for cell in cells] == [1] + [0] * (len(cells) - 1)
    assert first.sample_id not in {id_ for cell in cells if cell.scores for id_ in cell.scores.sample_ids}


def test_a_cell_without_an_answer_has_no_scores(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    answered = set(part.sample_ids(part.cells()[0]))
    begin(tmp_path, part, [each for each in answers(part) if each.sample_id in answered])
    cells = stored(tmp_path, part)
    assert [cell.scores is None for cell in cells] == [False] + [True] * (len(cells) - 1)


def test_progress_is_told_in_samples(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    begin(tmp_path, part, answers(part))
    told: list[tuple[int, int, str]] = []
    list(score_stored(part, tmp_path / STORE, report=lambda done, total, words: told.append((done, total, words))))
    number = len(part.samples())
    assert [words for _, _, words in told] == [str(cell) for cell in part.cells()]
    assert told[-1][:2] == (number, number)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_store_is_named(part: Benchmark, tmp_path: Path, begin: Begin, workers: int) -> None:
    begin(tmp_path, part, answers(part))
    path = tmp_path / STORE
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192)
    with pytest.raises(RunError, match="is damaged"):
        stored(tmp_path, part, workers=workers)


def test_failed_answers_may_be_scored_as_answers_without_structure(
    part: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    first, second, *others = answers(part)
    begin(tmp_path, part, [Prediction(first.sample_id, error="timeout"), second, *others])
    cells = list(score_stored(part, tmp_path / STORE, failed_as_invalid=True))
    assert [cell.failed for cell in cells] == [1] + [0] * (len(cells) - 1)
    scored = {one.sample_id: one for cell in cells if cell.scores for one in cell.scores.samples()}
    assert set(scored) == {one.sample_id for one in answers(part)}
    assert scored[first.sample_id].scores == invalid_score(part, first.sample_id)


def invalid_score(part: Benchmark, key: str) -> Any:
    """The score of a sample whose answer has no structure."""
    sample = next(one for one in part.iter_samples() if one.id == key)
    return score_sample(sample.task, sample.schemas, sample.gold or (), Answer(None), sample.text)


def test_answers_are_read_by_the_format_of_their_task(demo: Benchmark, tmp_path: Path, begin: Begin) -> None:
    part = demo.select(tasks=["NER", "ED"], languages=["swa"], limit=1)
    begin(tmp_path, part, [Prediction(one.id, output="None") for one in part.iter_samples()])
    cells = list(score_stored(part, tmp_path / STORE, formats={Task.NER: AnswerFormat(form=Form.PAIRS)}))
    invalid = {cell.cell.task: cell.totals.diagnostics["invalid"] for cell in cells if cell.totals}
    assert invalid == {Task.NER: 0, Task.ED: 1}


def test_a_drawn_part_scores_its_samples_alone_in_any_number_of_processes(
    demo: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    drawn = demo.select(max_samples=12)
    begin(tmp_path, demo, answers(demo))
    for workers in (1, 2):
        cells = stored(tmp_path, drawn, workers=workers)
        scored = [id_ for cell in cells if cell.scores for id_ in cell.scores.sample_ids]
        assert sorted(scored) == sorted(sample.id for sample in drawn.iter_samples())
