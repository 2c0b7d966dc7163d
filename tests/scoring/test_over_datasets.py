"""Totals that are plain means over datasets, each with the counts of its cells added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.catalogue import Aggregation, Over
from massie.results.scores import aggregate
from massie.scoring import SampleScores, ScoredSample, ScoreRow, cell_scores
from massie.types import Cell, Task

_numbers = count()


def answered(
    dataset: str,
    language: str,
    true_positives: int,
    predicted: int,
    gold: int,
    *,
    lf1: float = 0.0,
    task: Task = Task.NER,
) -> ScoredSample:
    """A sample of an instance of its own, with these counts."""
    name = f"i{next(_numbers)}"
    scores = SampleScores(lf1, lf1, lf1, lf1, true_positives=true_positives, predicted=predicted, gold=gold)
    return ScoredSample(Cell(task, dataset, language), name, name, scores)


def table(
    samples: Iterable[ScoredSample], as_one: Mapping[str, list[str]] = {}, replicates: int = 50
) -> dict[tuple[str, str], ScoreRow]:
    """The rows by level and key."""
    aggregation = Aggregation(score="micro_f1", over=Over.DATASETS, as_one=dict(as_one))
    rows = aggregate(cell_scores(samples), aggregation, replicates=replicates, seed=1).rows
    return {(row.level, row.key): row for row in rows}


def micro_f1(rows: Mapping[tuple[str, str], ScoreRow], level: str, key: str) -> float | None:
    return rows[level, key].scores["micro_f1"].value


# Rivers: 3 of 4 and 1 of 4 found in Swahili (8 predicted, 12 in the gold), 2 of 2 in German.
# 2 x (4 + 2) / ((8 + 2) + (12 + 2)) = 12 / 24 = 50. Lakes: 2 x 9 / (10 + 10) = 90. The mean is 70.
GOLDEN = [
    answered("rivers", "swa", 3, 4, 6),
    answered("rivers", "swa", 1, 4, 6),
    answered("rivers", "deu", 2, 2, 2),
    answered("lakes", "deu", 9, 10, 10),
]


def test_a_dataset_s_score_is_that_of_the_counts_of_all_its_languages() -> None:
    rows = table(GOLDEN)
    assert micro_f1(rows, "cell", "rivers/swa") == 40.0
    assert micro_f1(rows, "cell", "rivers/deu") == 100.0
    assert micro_f1(rows, "dataset", "rivers") == 50.0  # not the mean of 40 and 100, weighted or not
    assert rows["dataset", "rivers"].scores["micro_precision"].value == 60.0  # 6 / 10
    assert rows["dataset", "rivers"].scores["micro_recall"].value == pytest.approx(100 * 6 / 14, abs=1e-4)


def test_a_task_s_score_is_the_plain_mean_over_its_datasets_however_large_they_are() -> None:
    assert micro_f1(table(GOLDEN), "task", "NER") == 70.0
    many = [answered("lakes", "deu", 9, 10, 10) for _ in range(40)]
    assert micro_f1(table([*GOLDEN, *many]), "task", "NER") == 70.0


def test_a_language_s_score_is_the_mean_over_what_it_has_of_each_dataset() -> None:
    rows = table(GOLDEN)
    assert micro_f1(rows, "language", "deu") == 95.0  # of 100 and 90
    assert micro_f1(rows, "language", "swa") == 40.0
    assert micro_f1(rows, "script", "Latn") == 70.0


def test_the_overall_score_stays_the_plain_mean_of_the_tasks() -> None:
    rows = table([*GOLDEN, answered("floods", "deu", 1, 2, 2, task=Task.ED)])
    assert micro_f1(rows, "overall", "overall") == 60.0  # of 70 and 50


def test_datasets_that_the_evaluation_holds_for_one_are_pooled_under_its_name() -> None:
    # Together 2 x 15 / (20 + 24) = 68.18; ponds 2 x 1 / (2 + 2) = 50.
    rows = table([*GOLDEN, answered("ponds", "deu", 1, 2, 2)], {"Waters": ["rivers", "lakes"]})
    assert micro_f1(rows, "dataset", "Waters") == 68.1818
    assert micro_f1(rows, "task", "NER") == pytest.approx((100 * 30 / 44 + 50) / 2, abs=1e-4)
    assert [key for level, key in rows if level == "dataset"] == ["Waters", "ponds"]
    assert micro_f1(rows, "cell", "rivers/deu") == 100.0


def test_other_scores_are_means_over_a_dataset_s_samples_then_over_datasets() -> None:
    samples = [
        answered("rivers", "swa", 0, 0, 0, lf1=1.0),
        answered("rivers", "deu", 0, 0, 0, lf1=0.5),
        answered("rivers", "deu", 0, 0, 0, lf1=0.0),
        answered("lakes", "deu", 0, 0, 0, lf1=0.2),
    ]
    rows = table(samples)
    assert rows["dataset", "rivers"].scores["lf1"].value == 50.0
    assert rows["task", "NER"].scores["lf1"].value == 35.0


def test_a_dataset_where_a_score_is_undefined_has_no_part_in_it() -> None:
    rows = table([*GOLDEN, answered("deserts", "deu", 0, 0, 0)])
    assert micro_f1(rows, "dataset", "deserts") is None
    assert micro_f1(rows, "task", "NER") == 70.0
    assert micro_f1(table([answered("deserts", "deu", 0, 0, 0)]), "task", "NER") is None


def test_counts_of_a_row_are_those_of_all_its_cells() -> None:
    rows = table(GOLDEN, {"Waters": ["rivers", "lakes"]})
    assert (rows["dataset", "Waters"].instances, rows["task", "NER"].samples) == (4, 4)
    assert rows["task", "NER"].diagnostics["predicted"] == 20


def test_intervals_are_of_the_same_replicates_as_those_of_cells() -> None:
    """With one sample in each other cell, only the Swahili rivers vary, and every level varies as they do."""
    rows = table(GOLDEN, replicates=2000)
    cell = rows["cell", "rivers/swa"].scores["micro_f1"]
    assert (cell.low, cell.high) == (20.0, 60.0)  # both instances drawn are the second, or the first
    dataset = rows["dataset", "rivers"].scores["micro_f1"]
    assert dataset.low == pytest.approx(100 * 2 * (2 + 2) / 24, abs=1e-4)
    assert dataset.high == pytest.approx(100 * 2 * (6 + 2) / 24, abs=1e-4)
    task = rows["task", "NER"].scores["micro_f1"]
    assert task.low == pytest.approx((100 * 8 / 24 + 90) / 2, abs=1e-4)
    assert task.high == pytest.approx((100 * 16 / 24 + 90) / 2, abs=1e-4)


def test_over_instances_the_table_is_what_it_was() -> None:
    rows = {(row.level, row.key): row for row in aggregate(cell_scores(GOLDEN), replicates=10).rows}
    assert micro_f1(rows, "dataset", "rivers") == 60.0  # (2 x 40 + 1 x 100) / 3
    assert micro_f1(rows, "task", "NER") == 67.5  # (2 x 40 + 100 + 90) / 4


@st.composite
def some_samples(draw: st.DrawFn) -> list[ScoredSample]:
    places = st.tuples(st.sampled_from(["one", "two", "three", "four"]), st.sampled_from(["swa", "deu", "rus"]))
    samples: list[ScoredSample] = []
    for dataset, language in draw(st.lists(places, min_size=1, max_size=12)):
        predicted, gold = draw(st.integers(0, 5)), draw(st.integers(0, 5))
        found = draw(st.integers(0, min(predicted, gold)))
        lf1 = draw(st.integers(0, 64)) / 64
        samples.append(answered(dataset, language, found, predicted, gold, lf1=lf1))
    return samples


@settings(deadline=None, max_examples=60)
@given(
    samples=some_samples(), as_one=st.sampled_from([{}, {"both": ["one", "two"]}, {"A": ["one"], "B": ["two", "four"]}])
)
def test_totals_over_datasets_are_those_of_the_reference(
    samples: list[ScoredSample], as_one: dict[str, list[str]], naive: ModuleType
) -> None:
    plain = [
        {
            "dataset": sample.cell.dataset,
            "tp": sample.scores.true_positives,
            "predicted": sample.scores.predicted,
            "gold": sample.scores.gold,
            "lf1": sample.scores.lf1,
        }
        for sample in samples
    ]
    scores = table(samples, as_one, replicates=2)["task", "NER"].scores
    assert scores["micro_f1"].value == pytest.approx(naive.micro_f1_over_datasets(plain, as_one), abs=1e-4)
    assert scores["lf1"].value == pytest.approx(naive.lf1_over_datasets(plain, as_one), abs=1e-4)
