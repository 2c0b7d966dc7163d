"""Comparing systems: paired differences, p, Holm's correction, ranks, tie groups, and that they keep their promises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from massie.scoring import Levels
from massie.scoring.bootstrap import SEED
from massie.scoring.comparison import (
    ComparedRow,
    Difference,
    RankedRow,
    detail_rows,
    differences_of,
    holm,
    p_values,
    pairs_of,
    ranked_row,
    ranks,
    replicates_needed,
    tie_groups,
)
from massie.scoring.paired import PairedCell, batch_sizes, paired_cell, paired_groups
from massie.types import Cell, Task

Array = NDArray[np.float64]

LEVELS = Levels(family=lambda code: "family", script=lambda code: "script")
CELL = Cell(Task.NER, "demo", "eng")


def means(cells: Sequence[tuple[Cell, Array]]) -> list[PairedCell]:
    """Cells whose instances have one sample each: ``values`` are its scores, a column for each system."""
    return [
        paired_cell(cell, [f"{number}" for number in range(len(values))], values, np.ones((len(values), 1)))
        for cell, values in cells
    ]


def overall(cells: Sequence[PairedCell], replicates: int = 1000, seed: int = SEED) -> Array:
    """The overall scores of all systems: point estimates, then replicates."""
    return next(iter(paired_groups(cells, LEVELS, batch=0, replicates=replicates, seed=seed))).scores


def compared(values: Array, replicates: int = 1000) -> RankedRow:
    return ranked_row("overall", None, "overall", overall(means([(CELL, values)]), replicates))


def row_of(scores: Array) -> RankedRow:
    return ranked_row("overall", None, "overall", scores)


def only(differences: Sequence[Difference | None]) -> Difference:
    (difference,) = differences
    assert difference is not None
    return difference


# ---- Holm


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.01, 0.011], [0.02, 0.02]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.03], [0.03]),
        ([], []),
    ],
    ids=["four", "equal", "never less than a smaller one's", "at most 1", "one test is not corrected", "none"],
)
def test_holm_multiplies_the_smallest_by_all_the_next_by_one_less(p: list[float], adjusted: list[float]) -> None:
    assert holm(p) == pytest.approx(adjusted)


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(one <= corrected <= min(1, len(p) * one) + 1e-12 for one, corrected in zip(p, adjusted, strict=True))
    by_p = [corrected for _, corrected in sorted(zip(p, adjusted, strict=True))]
    assert by_p == sorted(by_p)


def test_so_many_replicates_are_needed_that_the_smallest_p_survives_the_correction() -> None:
    for tests in (1, 7, 190):
        needed = replicates_needed(tests)
        assert tests * 2 / (1 + needed) < 0.05 <= tests * 2 / needed


# ---- Differences


@pytest.mark.parametrize(
    ("drawn", "p"),
    [
        ([1, 2, 3, 4], 2 * 1 / 5),
        ([-1, 2, 3, 4], 2 * 2 / 5),
        ([-4, -3, -2, 1], 2 * 2 / 5),
        ([0, 2, 3, 4], 2 * 2 / 5),
        ([-1, -1, 1, 1], 1.0),
        ([0, 0, 0, 0], 1.0),
    ],
)
def test_p_is_twice_the_share_of_replicates_beyond_0(drawn: list[float], p: float) -> None:
    assert p_values(np.array([drawn], dtype=np.float64))[0] == pytest.approx(p)


def test_a_difference_is_that_of_the_scores_and_of_each_replicate() -> None:
    replicates = np.arange(1.0, 1001.0)
    scores = np.array([[60.0, *(50 + replicates)], [50.0, *np.full(1000, 50.0)]])
    difference = only(differences_of(scores))
    assert (difference.value, difference.low, difference.high) == (10.0, 25.0, 976.0)
    assert difference.p == pytest.approx(2 / 1001)


@settings(max_examples=60)
@given(st.integers(100, 1300), st.floats(0.01, 0.04), st.integers(0, 2**16))
def test_the_interval_leaves_out_0_just_where_p_is_at_most_5_percent(replicates: int, share: float, seed: int) -> None:
    drawn = np.random.default_rng(seed).permutation(replicates) - round(share * replicates)
    difference = only(differences_of(np.stack([[1.0, *drawn], np.zeros(1 + replicates)])))
    assert (difference.low > 0) == (difference.p <= 0.05)


def test_pairs_come_in_the_order_of_their_first_system() -> None:
    scores = np.array([[3.0, 3, 3], [2.0, 2, 2], [0.0, 0, 0]])
    assert pairs_of(3) == [(0, 1), (0, 2), (1, 2)]
    assert [difference and difference.value for difference in differences_of(scores)] == [1, 3, 2]
    row = row_of(scores)
    for first, second in pairs_of(3):
        there, back = row.between(first, second), row.between(second, first)
        assert there and back
        assert there.value == scores[first, 0] - scores[second, 0] == -back.value
        assert (there.low, there.high, there.p) == (-back.high, -back.low, back.p)


def test_an_undefined_score_is_not_compared_and_not_counted_as_a_test() -> None:
    generator = np.random.default_rng(1)
    scores = np.array([[50.0], [40.0], [np.nan]]) + generator.normal(scale=6, size=(3, 1001))
    row = row_of(scores)
    assert [difference is None for difference in row.differences] == [False, True, True]
    assert row.scores[2] is None
    assert (row.standings[2].rank, row.standings[2].group, row.standings[2].score.value) == (None, None, None)
    assert only(row.differences[:1]).adjusted == only(row.differences[:1]).p


def test_replicates_in_which_a_score_is_undefined_do_not_count() -> None:
    scores = np.array([[5.0, 5, np.nan, 7, 6], [4.0, 4, 1, 4, np.nan]])
    assert only(differences_of(scores)).p == pytest.approx(2 * 1 / 3)


def test_a_score_that_is_undefined_in_every_replicate_is_not_compared() -> None:
    assert differences_of(np.array([[5.0, np.nan], [4.0, 1.0]])) == [None]


# ---- Rows


def test_a_total_is_corrected_over_its_pairs() -> None:
    row = row_of(np.random.default_rng(3).normal(50, 1, size=(4, 201)) + np.array([[0], [2], [3], [3]]))
    tested = [difference for difference in row.differences if difference]
    assert [difference.adjusted for difference in tested] == holm([difference.p for difference in tested])


def test_details_are_corrected_over_the_keys_for_each_pair() -> None:
    generator = np.random.default_rng(4)
    scores = {key: generator.normal(50, 1, size=(3, 201)) for key in ("eng", "deu", "swa")}
    rows = detail_rows("language", scores, [differences_of(of_key) for of_key in scores.values()])
    assert [row.key for row in rows] == ["eng", "deu", "swa"]
    for place in range(3):
        of_pair = [only([row.differences[place]]) for row in rows]
        assert [each.adjusted for each in of_pair] == holm([each.p for each in of_pair])


# ---- Ranks


def test_equal_systems_share_the_better_rank() -> None:
    assert ranks(np.array([[3.0, 1.0], [3.0, 2.0], [1.0, 3.0]])).tolist() == [[1, 3], [1, 2], [3, 1]]


def test_the_rank_interval_leaves_out_two_and_a_half_percent_of_the_replicates_on_either_side() -> None:
    behind = np.zeros(1000)
    for number, expected in ((25, (1, 1)), (26, (1, 2))):
        behind[:number] = 10.0
        standing = row_of(np.array([[5.0, *np.full(1000, 5.0)], [1.0, *behind]])).standings[0]
        assert (standing.rank, standing.best, standing.worst) == (1, *expected)


def row_with(adjusted: Sequence[float]) -> ComparedRow:
    """A row of four systems, each better than the next, with these p for (0, 1), (0, 2), … after the correction."""
    differences = [Difference(1.0, 0.0, 2.0, p, p) for p in adjusted]
    return ComparedRow("overall", None, "overall", [4.0, 3.0, 2.0, 1.0], differences)


@pytest.mark.parametrize(
    ("adjusted", "groups"),
    [
        ([0.01, 0.01, 0.01, 0.01, 0.01, 0.01], [1, 2, 3, 4]),
        ([0.2, 0.01, 0.01, 0.01, 0.01, 0.01], [1, 1, 2, 3]),
        ([0.2, 0.01, 0.01, 0.2, 0.01, 0.01], [1, 1, 1, 2]),
        ([0.01, 0.01, 0.05, 0.01, 0.01, 0.01], [1, 1, 1, 1]),
    ],
    ids=["all apart", "two tie", "a chain is one group", "one pair that ties holds all between together"],
)
def test_a_line_stands_only_where_all_above_are_better_than_all_below(adjusted: list[float], groups: list[int]) -> None:
    assert tie_groups([0, 1, 2, 3], [1, 2, 3, 4], row_with(adjusted)) == groups


def test_equal_systems_have_no_difference_and_one_group() -> None:
    values = np.random.default_rng(8).random((80, 1)).repeat(3, axis=1)
    row = compared(values)
    assert {(d.value, d.low, d.high, d.p, d.adjusted) for d in row.differences if d} == {(0.0, 0.0, 0.0, 1.0, 1.0)}
    assert {(s.rank, s.best, s.worst, s.group) for s in row.standings} == {(1, 1, 1, 1)}


# ---- Replicates


def test_batches_have_a_thousand_replicates_and_the_last_one_the_rest() -> None:
    assert batch_sizes(2500) == [1000, 1000, 500]
    assert batch_sizes(1000) == [1000]


def test_batches_are_drawn_independently() -> None:
    cells = means([(CELL, np.random.default_rng(5).random((200, 1)))])
    first, second = (next(paired_groups(cells, LEVELS, batch=n, replicates=1000, seed=1)).scores[0, 1:] for n in (0, 1))
    assert abs(float(np.corrcoef(first, second)[0, 1])) < 0.1


def test_the_order_of_samples_does_not_matter() -> None:
    generator = np.random.default_rng(6)
    ids, values = [f"{number % 40}" for number in range(100)], generator.random((100, 3))
    order: list[int] = generator.permutation(100).tolist()
    one = paired_cell(CELL, ids, values, np.ones((100, 1)))
    other = paired_cell(CELL, [ids[place] for place in order], values[order], np.ones((100, 1)))
    assert (overall([one]) == overall([other])).all()


def test_all_systems_are_drawn_on_the_same_texts() -> None:
    score = np.random.default_rng(7).random(60) / 2
    difference = only(compared(np.stack([score + 0.25, score], axis=1)).differences)
    assert (difference.value, difference.low, difference.high) == pytest.approx((25, 25, 25))


def test_the_samples_of_a_text_go_together() -> None:
    """Four samples of a text that say the same are worth one: the interval is twice that of independent ones."""
    generator = np.random.default_rng(9)
    values = generator.random((150, 2)).repeat(4, axis=0)
    widths: list[float] = []
    for ids in ([f"{number // 4}" for number in range(600)], [f"{number}" for number in range(600)]):
        difference = only(differences_of(overall([paired_cell(CELL, ids, values, np.ones((600, 1)))], 4000)))
        widths.append(difference.high - difference.low)
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.1)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 2**16))
def test_the_order_of_systems_does_not_matter(order: list[int], seed: int) -> None:
    values = np.round(np.random.default_rng(seed).random((25, 4)), 1)
    row, turned = compared(values, 200), compared(values[:, order], 200)
    assert turned.scores == [row.scores[place] for place in order]
    for first, second in pairs_of(4):
        there, here = turned.between(first, second), row.between(order[first], order[second])
        assert there and here
        assert there.value == here.value


# ---- What is promised


SIMULATIONS, REPLICATES = 1000, 1000


def simulated(effect: float) -> tuple[Array, Array]:
    """Pairs of systems on three cells of different sizes: for each its difference in truth and its ``Difference``.

    The scores of a text depend on one another, as hard texts are hard for all. All pairs are drawn at once, a column
    for each system.
    """
    generator = np.random.default_rng(12)
    cells: list[tuple[Cell, Array]] = []
    for language, instances in (("eng", 200), ("deu", 80), ("swa", 40)):
        hard = generator.beta(2, 2, size=(instances, SIMULATIONS, 1))
        scores = np.clip(hard + generator.normal(scale=0.2, size=(instances, SIMULATIONS, 2)), 0, 1) * 0.8
        scores[:, :, 0] += effect
        cells.append((Cell(Task.NER, "demo", language), scores.reshape(instances, 2 * SIMULATIONS)))
    drawn = overall(means(cells), REPLICATES)
    found = [only(differences_of(drawn[place : place + 2])) for place in range(0, 2 * SIMULATIONS, 2)]
    return np.array([each.p for each in found]), np.array([(each.low, each.high) for each in found])


def test_p_is_uniform_where_systems_do_not_differ() -> None:
    p, _ = simulated(0.0)
    for share in (0.01, 0.05, 0.1, 0.5):
        assert abs((p <= share).mean() - share) < 4 * (share * (1 - share) / SIMULATIONS) ** 0.5
    steps = np.arange(1, SIMULATIONS + 1) / SIMULATIONS
    assert np.abs(np.sort(p) - steps).max() < 1.63 / SIMULATIONS**0.5  # Kolmogorov and Smirnov, at 1%


def test_95_percent_intervals_of_differences_hold_the_truth_in_95_percent_of_cases() -> None:
    _, ends = simulated(0.1)
    held = (ends[:, 0] <= 10.0) & (ends[:, 1] >= 10.0)
    assert 0.93 <= held.mean() <= 0.97


def test_a_real_difference_is_found() -> None:
    p, ends = simulated(0.1)
    assert (p < 0.05).mean() > 0.99
    assert (ends[:, 0] > 0).mean() > 0.99
