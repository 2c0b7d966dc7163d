"""Simulations: 95% intervals hold the truth in 93 to 97 of 100 cases, and standard errors are the analytic ones.

Many data sets are simulated at once, as columns of the same bootstrap: they share the draws of instances, not the
scores. What is simulated here are totals, micro scores and samples that hang together; a mean over one cell is in
``test_bootstrap.py``.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from massie.scoring import Levels
from massie.scoring.bootstrap import intervals, replicate_sums
from massie.scoring.cells import instance_sums
from massie.scoring.levels import Quotients
from massie.types import Cell, Task

Array = NDArray[np.float64]

SIMULATIONS = 3000

# The cells of a task: instances, and the shape of their scores' distribution (from nearly always 0 to nearly always 1).
CELLS = [(15, 2.0, 2.0), (40, 0.3, 0.6), (120, 0.5, 3.0), (600, 4.0, 0.4)]


def test_task_scores_over_cells_of_very_different_size() -> None:
    generator = np.random.default_rng(1)
    cells = [
        mean_of_cell(f"cell-{place}", generator.beta(a, b, size=(size, SIMULATIONS)))
        for place, (size, a, b) in enumerate(CELLS)
    ]
    truth = sum(size * a / (a + b) for size, a, b in CELLS) / sum(size for size, _, _ in CELLS)
    assert 0.93 <= coverage(task_scores(cells), 100 * truth) <= 0.97


def test_overall_scores_over_tasks() -> None:
    generator = np.random.default_rng(2)
    tasks = [Task.NER, Task.RE, Task.EE]
    cells = [
        mean_of_cell("cell", generator.beta(a, b, size=(size, SIMULATIONS)), task)
        for task, (size, a, b) in zip(tasks, CELLS[1:], strict=True)
    ]
    truth = sum(a / (a + b) for _, a, b in CELLS[1:]) / len(tasks)
    (overall,) = [group.scores for group in LEVELS.groups(cells) if group.level == "overall"]
    assert 0.93 <= coverage(overall, 100 * truth) <= 0.97


def test_micro_f1_of_a_cell() -> None:
    generator = np.random.default_rng(3)
    shape = (250, SIMULATIONS)
    gold = generator.poisson(1.2, shape)
    found = generator.binomial(gold, 0.7)
    spurious = generator.poisson(0.4, shape)
    truth = 2 * 1.2 * 0.7 / (1.2 + 1.2 * 0.7 + 0.4)
    assert 0.93 <= coverage(task_scores([micro_f1_of_cell(found, found + spurious, gold)]), 100 * truth) <= 0.97


def test_micro_f1_where_gold_is_rare() -> None:
    generator = np.random.default_rng(4)
    shape = (600, SIMULATIONS)
    gold = generator.poisson(0.2, shape)
    found = generator.binomial(gold, 0.5)
    spurious = generator.poisson(0.05, shape)
    truth = 2 * 0.2 * 0.5 / (0.2 + 0.2 * 0.5 + 0.05)
    assert 0.93 <= coverage(task_scores([micro_f1_of_cell(found, found + spurious, gold)]), 100 * truth) <= 0.97


@pytest.fixture(scope="module")
def clustered() -> tuple[Array, list[str]]:
    """Scores of samples, one to eight for each of 150 texts, that are alike within a text; the mean is 0.5."""
    generator = np.random.default_rng(5)
    samples = generator.integers(1, 9, size=150)
    of_texts = np.repeat(generator.beta(0.7, 0.7, size=(150, SIMULATIONS)), samples, axis=0)
    scores = 0.8 * of_texts + 0.2 * generator.random(of_texts.shape)
    return scores, [f"text-{place}" for place in np.repeat(np.arange(150), samples)]


def test_samples_that_hang_together_in_texts(clustered: tuple[Array, list[str]]) -> None:
    scores, texts = clustered
    sums = instance_sums(texts, np.column_stack([scores, np.ones(len(scores))]))
    assert 0.93 <= coverage(task_scores([cell("cell", sums[:, :-1], sums[:, -1:])]), 50.0) <= 0.97


def test_were_samples_drawn_one_by_one_intervals_would_be_far_too_narrow(clustered: tuple[Array, list[str]]) -> None:
    scores, _ = clustered
    assert coverage(task_scores([mean_of_cell("cell", scores)]), 50.0) < 0.75


def test_the_standard_error_of_a_task_score_is_the_analytic_one() -> None:
    generator = np.random.default_rng(6)
    scores = [generator.beta(a, b, size=(size, 20)) for size, a, b in CELLS]
    cells = [mean_of_cell(f"cell-{place}", each, replicates=8000) for place, each in enumerate(scores)]
    weights = np.array([size for size, _, _ in CELLS]) / sum(size for size, _, _ in CELLS)
    variances = [
        weight**2 * each.var(axis=0) / len(each) for weight, each in zip(weights.tolist(), scores, strict=True)
    ]
    expected = 100 * np.sqrt(np.sum(variances, axis=0))
    assert task_scores(cells)[:, 1:].std(axis=1) == pytest.approx(expected, rel=0.04)


def test_the_standard_error_of_micro_f1_is_that_of_a_ratio_to_first_order() -> None:
    generator = np.random.default_rng(7)
    gold = generator.poisson(2.0, size=(2000, 10))
    found = generator.binomial(gold, 0.6)
    predicted = found + generator.poisson(0.5, size=gold.shape)
    f1 = 2 * found.sum(axis=0) / (predicted + gold).sum(axis=0)
    residuals = 2 * found - f1 * (predicted + gold)
    expected = 100 * np.sqrt((residuals**2).sum(axis=0)) / (predicted + gold).sum(axis=0)
    scores = task_scores([micro_f1_of_cell(found, predicted, gold, replicates=4000)])
    assert scores[:, 1:].std(axis=1) == pytest.approx(expected, rel=0.05)


# ---- Scores of simulated cells: instances in rows, simulations in columns

LEVELS = Levels(family=str, script=str)


def mean_of_cell(name: str, scores: Array, task: Task = Task.NER, replicates: int = 1000) -> Quotients:
    return cell(name, scores, np.ones((len(scores), 1)), task, replicates)


def micro_f1_of_cell(
    found: NDArray[np.int64], predicted: NDArray[np.int64], gold: NDArray[np.int64], replicates: int = 1000
) -> Quotients:
    return cell("cell", 2.0 * found, 1.0 * predicted + gold, replicates=replicates)


def cell(name: str, above: Array, below: Array, task: Task = Task.NER, replicates: int = 1000) -> Quotients:
    """A cell whose scores are quotients of sums; a single column below the line counts for all simulations."""
    columns = np.column_stack([above, below])
    sums = np.concatenate([columns.sum(axis=0, keepdims=True), replicate_sums(columns, f"{task}/{name}", replicates)])
    numerators = sums[:, : above.shape[1]].T
    denominators = np.broadcast_to(sums[:, above.shape[1] :].T, numerators.shape)
    return Quotients(Cell(task, name, "eng"), len(above), numerators, denominators)


def task_scores(cells: list[Quotients]) -> Array:
    """The scores of the only task: a row for each simulation, its point estimate and its replicates."""
    (scores,) = [group.scores for group in LEVELS.groups(cells) if group.level == "task"]
    return scores


def coverage(scores: Array, truth: float) -> float:
    """The share of simulations whose interval holds the truth."""
    low, high = intervals(scores[:, 1:])
    return float(((low <= truth) & (truth <= high)).mean())
