"""From samples to cells, tasks, languages, families, scripts, datasets and the overall score."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from random import Random
from statistics import mean

import numpy as np
import pytest

from massie.scoring import (
    DIAGNOSTICS,
    SCORES,
    Interval,
    Levels,
    SampleScores,
    ScoredSample,
    ScoreRow,
    cell_scores,
    cell_totals,
    totals,
)
from massie.types import Cell, Task

NONE = Interval(None, None, None)
FAMILIES = {"swa": "Niger-Congo", "yor": "Niger-Congo", "deu": "Indo-European", "rus": "Indo-European"}
SCRIPTS = {"swa": "Latn", "yor": "Latn", "deu": "Latn", "rus": "Cyrl"}


def table(scored: Iterable[ScoredSample], replicates: int = 100, seed: int = 1) -> list[ScoreRow]:
    levels = Levels(family=FAMILIES.__getitem__, script=SCRIPTS.__getitem__)
    return totals((cell_totals(cell, replicates, seed) for cell in cell_scores(scored)), levels)


def row(rows: Iterable[ScoreRow], level: str, key: str, task: Task | None = Task.NER) -> ScoreRow:
    (found,) = [one for one in rows if (one.level, one.key, one.task) == (level, key, task)]
    return found


def value(rows: Iterable[ScoreRow], level: str, key: str, score: str = "lf1", task: Task | None = Task.NER) -> float:
    found = row(rows, level, key, task).scores[score].value
    assert found is not None
    return found


def cell_of(
    language: str = "swa",
    dataset: str = "one",
    task: Task = Task.NER,
    *,
    instances: int = 1,
    batches: int = 1,
    lf1: float = 1.0,
    counts: Mapping[str, int] = {},
) -> list[ScoredSample]:
    """A cell's samples, all alike: so many instances, each with so many samples."""
    scores = SampleScores(lf1, lf1, lf1, lf1, **counts)
    return [
        ScoredSample(Cell(task, dataset, language), f"i{instance}-{batch}", f"i{instance}", scores)
        for instance in range(instances)
        for batch in range(batches)
    ]


def random_cell(
    seed: int,
    language: str = "swa",
    dataset: str = "one",
    task: Task = Task.NER,
    *,
    instances: int = 30,
    batches: int = 3,
) -> list[ScoredSample]:
    """A cell's samples with scores and counts at random."""
    draw = np.random.default_rng(seed)
    return [
        one._replace(scores=SampleScores(*draw.random(4).tolist(), *sorted(draw.integers(0, 5, 3).tolist())))
        for one in cell_of(language, dataset, task, instances=instances, batches=batches)
    ]


# ---- What a table holds


def test_no_samples_make_no_rows() -> None:
    assert table([]) == []


def test_a_single_cell_is_its_own_task_language_family_script_dataset_and_overall() -> None:
    rows = table(cell_of(instances=3, batches=2, lf1=0.25))
    assert [(one.level, one.task, one.key) for one in rows] == [
        ("overall", None, "overall"),
        ("task", Task.NER, "NER"),
        ("language", Task.NER, "swa"),
        ("family", Task.NER, "Niger-Congo"),
        ("script", Task.NER, "Latn"),
        ("dataset", Task.NER, "one"),
        ("cell", Task.NER, "one/swa"),
        ("language", None, "swa"),
        ("family", None, "Niger-Congo"),
        ("script", None, "Latn"),
        ("dataset", None, "one"),
    ]
    assert {one.scores["lf1"] for one in rows} == {Interval(25.0, 25.0, 25.0)}
    assert {(one.instances, one.samples) for one in rows} == {(3, 6)}


def test_every_row_has_every_score_and_every_diagnostic() -> None:
    for one in table(cell_of() + cell_of("deu", task=Task.EE)):
        assert set(one.scores) == set(SCORES)
        assert set(one.diagnostics) == {*DIAGNOSTICS, "empty_predictions", "empty_gold"}


# ---- Weights


def test_a_cell_s_score_is_the_mean_over_its_samples() -> None:
    samples = cell_of(lf1=1.0, batches=3) + [one._replace(instance_id="other") for one in cell_of(lf1=0.0, batches=1)]
    assert value(table(samples), "cell", "one/swa") == 75.0


def test_a_cell_weighs_as_many_instances_as_it_has_not_samples() -> None:
    rows = table(cell_of("swa", instances=1, batches=9, lf1=1.0) + cell_of("deu", instances=3, batches=1, lf1=0.0))
    assert value(rows, "task", "NER") == 25.0


def test_totals_do_not_depend_on_the_batch_size() -> None:
    def scores(batches: int) -> list[float | None]:
        samples = cell_of("swa", instances=2, batches=batches, lf1=0.5) + cell_of("deu", instances=5, lf1=0.9)
        return [one.scores["lf1"].value for one in table(samples)]

    assert scores(1) == scores(7)


def test_languages_families_scripts_and_datasets_take_the_cells_that_are_theirs() -> None:
    rows = table(
        cell_of("swa", "one", instances=1, lf1=1.0)
        + cell_of("swa", "two", instances=3, lf1=0.0)
        + cell_of("yor", "two", instances=4, lf1=0.5)
        + cell_of("rus", "two", instances=2, lf1=0.8)
    )
    assert value(rows, "language", "swa") == 25.0
    assert value(rows, "family", "Niger-Congo") == pytest.approx(100 * (1 * 1.0 + 4 * 0.5) / 8)
    assert value(rows, "script", "Cyrl") == 80.0
    assert value(rows, "dataset", "two") == pytest.approx(round(100 * (4 * 0.5 + 2 * 0.8) / 9, 4))
    assert value(rows, "cell", "two/yor") == 50.0
    assert value(rows, "task", "NER") == pytest.approx(100 * (1 + 4 * 0.5 + 2 * 0.8) / 10)


def test_a_language_has_a_score_in_each_task() -> None:
    rows = table(cell_of(task=Task.NER, lf1=1.0) + cell_of(task=Task.EE, lf1=0.0))
    assert (value(rows, "language", "swa", task=Task.NER), value(rows, "language", "swa", task=Task.EE)) == (100, 0)


@pytest.mark.parametrize(
    ("level", "key"), [("language", "swa"), ("family", "Niger-Congo"), ("script", "Latn"), ("dataset", "one")]
)
def test_over_all_tasks_a_place_is_the_plain_mean_of_its_tasks_and_narrower_than_each(level: str, key: str) -> None:
    rows = table(random_cell(1, instances=50) + random_cell(2, task=Task.EE, instances=200))
    tasks = [row(rows, level, key, task) for task in (Task.NER, Task.EE)]
    both = row(rows, level, key, None)
    assert both.samples == sum(each.samples for each in tasks)
    assert value([both], level, key, task=None) == pytest.approx(
        mean(value([each], level, key, task=each.task) for each in tasks), abs=1e-3
    )
    assert width_of(both) < max(map(width_of, tasks))


def test_the_overall_score_is_the_plain_mean_of_the_tasks() -> None:
    rows = table(cell_of(task=Task.NER, instances=50, lf1=1.0) + cell_of(task=Task.RE, instances=1, lf1=0.0))
    assert value(rows, "overall", "overall", task=None) == 50.0


# ---- Scores of sums


def test_micro_scores_are_made_of_the_sums_over_all_samples_of_a_cell() -> None:
    samples = cell_of(counts={"true_positives": 3, "predicted": 4, "gold": 6}) + [
        one._replace(instance_id="other") for one in cell_of(counts={"predicted": 2})
    ]
    rows = table(samples)
    assert value(rows, "cell", "one/swa", "micro_precision") == 50.0
    assert value(rows, "cell", "one/swa", "micro_recall") == 50.0
    assert value(rows, "cell", "one/swa", "micro_f1") == 50.0


def test_micro_scores_without_any_item_are_undefined() -> None:
    scores = row(table(cell_of()), "cell", "one/swa").scores
    assert {scores[name] for name in ("micro_precision", "micro_recall", "micro_f1")} == {NONE}


def test_micro_precision_of_no_prediction_is_undefined() -> None:
    scores = row(table(cell_of(counts={"gold": 2})), "cell", "one/swa").scores
    assert [scores[f"micro_{name}"].value for name in ("precision", "recall", "f1")] == [None, 0.0, 0.0]


def test_micro_recall_is_undefined_where_there_is_no_gold() -> None:
    scores = row(table(cell_of(counts={"predicted": 2})), "cell", "one/swa").scores
    assert [scores[f"micro_{name}"].value for name in ("precision", "recall", "f1")] == [0.0, None, 0.0]


def test_lf1_with_gold_looks_at_samples_with_gold_alone() -> None:
    samples = cell_of(lf1=0.5, counts={"gold": 1}) + [one._replace(sample_id="other") for one in cell_of(lf1=1.0)]
    rows = table(samples)
    assert (value(rows, "cell", "one/swa"), value(rows, "cell", "one/swa", "lf1_nonempty")) == (75.0, 50.0)


def test_a_score_that_is_undefined_in_a_cell_gives_it_no_weight() -> None:
    rows = table(cell_of("swa", instances=99, lf1=1.0) + cell_of("deu", lf1=0.5, counts={"gold": 1, "predicted": 1}))
    assert row(rows, "language", "swa").scores["lf1_nonempty"] == NONE
    assert value(rows, "task", "NER", "lf1_nonempty") == 50.0
    assert value(rows, "task", "NER", "micro_f1") == 0.0
    assert value(rows, "task", "NER") == 99.5


# ---- Diagnostics


def test_diagnostics_add_up_over_samples_cells_and_tasks() -> None:
    once = {name: place + 1 for place, name in enumerate(DIAGNOSTICS)}
    rows = table(
        cell_of("swa", instances=2, batches=2, counts=once)
        + cell_of("deu", instances=1, counts=once)
        + cell_of("deu", task=Task.ED, instances=3, counts=once)
    )

    def counted(level: str, key: str, task: Task | None) -> list[int]:
        return [row(rows, level, key, task).diagnostics[name] for name in DIAGNOSTICS]

    assert counted("cell", "one/swa", Task.NER) == [4 * number for number in once.values()]
    assert counted("task", "NER", Task.NER) == [5 * number for number in once.values()]
    assert counted("overall", "overall", None) == [8 * number for number in once.values()]


def test_an_invalid_structure_is_no_empty_prediction() -> None:
    samples = cell_of("swa", instances=3) + cell_of("deu", instances=2, counts={"invalid": 1, "gold": 1})
    diagnostics = row(table(samples), "task", "NER").diagnostics
    assert (diagnostics["empty_predictions"], diagnostics["empty_gold"]) == (3, 3)


# ---- Uncertainty


def test_one_seed_gives_one_table_and_another_seed_other_intervals() -> None:
    samples = random_cell(1)
    assert table(samples, seed=4) == table(samples, seed=4)
    low = [row(table(samples, seed=seed), "task", "NER").scores["lf1"].low for seed in (4, 5)]
    assert low[0] != low[1]


def test_the_order_of_samples_and_cells_does_not_matter() -> None:
    samples = random_cell(1) + random_cell(2, language="deu") + random_cell(3, task=Task.EE)
    assert table(Random(0).sample(samples, len(samples))) == table(samples)
    cells = [cell_totals(cell, 100) for cell in cell_scores(samples)]
    levels = Levels(family=FAMILIES.__getitem__, script=SCRIPTS.__getitem__)
    assert totals(cells[::-1], levels) == totals(cells, levels)


def test_the_order_of_samples_does_not_matter_where_sums_round_differently() -> None:
    # 0.1 + 0.2 + 0.3 is 0.6000000000000001 and 0.3 + 0.2 + 0.1 is 0.6: instances that are alike must stay so.
    shapes = list(permutations((0.1, 0.2, 0.3)))
    samples = [
        ScoredSample(Cell(Task.NER, "one", "swa"), f"i{number}-{batch}", f"i{number}", SampleScores(lf1, lf1, lf1, lf1))
        for number in range(12)
        for batch, lf1 in enumerate(shapes[number % len(shapes)] if number < 8 else (number / 12,) * 3)
    ]
    by_score = sorted(samples, key=lambda one: one.scores.lf1)
    assert table(by_score) == table(samples)


def test_intervals_do_not_depend_on_other_cells() -> None:
    samples = random_cell(1)
    alone, among = table(samples), table(samples + random_cell(2, dataset="two"))
    assert row(alone, "cell", "one/swa") == row(among, "cell", "one/swa")


def test_intervals_do_not_depend_on_threads() -> None:
    samples = [one for number in range(6) for one in random_cell(number, dataset=f"d{number}")]
    with ThreadPoolExecutor(8) as pool:
        tables = list(pool.map(table, [samples] * 8))
    assert all(one == table(samples) for one in tables)


def test_intervals_are_the_same_in_a_process_with_another_hash_seed_and_one_thread() -> None:
    program = (
        "import json, sys; from massie.scoring import *; from massie.types import Cell, Task\n"
        "cell = Cell(Task.NER, 'one', 'swa')\n"
        "scored = [ScoredSample(cell, s, i, SampleScores(*scores)) for s, i, scores in json.load(sys.stdin)]\n"
        "rows = totals(map(cell_totals, cell_scores(scored)), Levels(str, str))\n"
        "print(json.dumps([[s.value, s.low, s.high] for row in rows for s in row.scores.values()]))"
    )
    samples = random_cell(1, instances=200)
    answer = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([(one.sample_id, one.instance_id, one.scores) for one in samples]),
        env=os.environ | {"PYTHONHASHSEED": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    here = [
        score
        for one in totals(map(cell_totals, cell_scores(samples)), Levels(str, str))
        for score in one.scores.values()
    ]
    assert json.loads(answer.stdout) == [[score.value, score.low, score.high] for score in here]


def test_the_interval_of_a_constant_is_that_constant() -> None:
    for one in table(cell_of("swa", instances=40, lf1=0.3) + cell_of("deu", instances=9, lf1=0.3)):
        assert one.scores["lf1"] == Interval(30.0, 30.0, 30.0)


def test_every_interval_holds_its_value() -> None:
    for one in table(random_cell(1) + random_cell(2, language="deu"), replicates=1000):
        for score in one.scores.values():
            assert score.low is not None
            assert score.high is not None
            assert score.value is not None
            assert 0 <= score.low <= score.value <= score.high <= 100


def test_the_samples_of_one_text_are_drawn_together() -> None:
    once = random_cell(1, instances=200, batches=1)
    twice = [one._replace(sample_id=f"{one.sample_id}-{copy}") for one in once for copy in range(2)]
    apart = [one._replace(instance_id=one.sample_id) for one in twice]
    together_width, apart_width = (width(table(samples, replicates=2000)) for samples in (twice, apart))
    assert together_width / apart_width == pytest.approx(2**0.5, rel=0.1)


def test_the_interval_of_a_total_narrows_as_cells_add_up() -> None:
    one = random_cell(1, instances=100)
    many = [sample for number in range(9) for sample in random_cell(number, instances=100, dataset=f"d{number}")]
    assert width(table(many, 2000)) / width(table(one, 2000)) == pytest.approx(1 / 3, rel=0.15)


def width(rows: Iterable[ScoreRow]) -> float:
    """How wide the interval of the task's LF1 is."""
    return width_of(row(rows, "task", "NER"))


def width_of(row: ScoreRow) -> float:
    score = row.scores["lf1"]
    assert score.low is not None
    assert score.high is not None
    return score.high - score.low
