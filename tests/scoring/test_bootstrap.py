"""The cluster bootstrap: what is drawn, that it is pinned, and that its intervals hold what they promise."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from math import comb, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from massie.scoring import REPLICATES, SEED
from massie.scoring.bootstrap import _Numbers, intervals, replicate_sums  # pyright: ignore[reportPrivateUsage]

Array = NDArray[np.float64]
Row = tuple[float, ...]

KEY = "NER/demo/eng"


def interval(replicates: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    (low,), (high,) = intervals(replicates[None], level)
    return float(low), float(high)


def test_there_are_1000_replicates_by_default() -> None:
    assert REPLICATES == 1000
    assert replicate_sums(np.eye(3), KEY).shape == (REPLICATES, 3)


def test_every_replicate_draws_as_many_instances_as_there_are() -> None:
    for rows in (np.eye(7), with_repeats(np.eye(7), 5)):
        drawn = replicate_sums(np.column_stack([np.ones(len(rows)), rows]), KEY)
        assert (drawn[:, 0] == len(rows)).all()
        assert (drawn[:, 1:].sum(axis=1) == rows.sum(axis=1)[0] * len(rows)).all()


def test_a_single_instance_is_drawn_every_time() -> None:
    assert (replicate_sums(np.array([[0.25, 2.0]]), KEY) == [0.25, 2.0]).all()


# ---- The draws are pinned


@pytest.mark.parametrize(
    "rows",
    [
        [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)],
        [(0.5, 1.0), (1.0, 1.0), (0.5, 1.0), (0.0, 3.0), (0.5, 1.0), (1.0, 1.0)],
        [(0.0,), (0.25,), (1.0,), (0.25,), (1.0,), (0.75,), (0.5,)],
        [(1.0, 2.0)] * 4,
    ],
    ids=["all-different", "one-frequent", "a-tie", "all-equal"],
)
def test_the_draws_are_those_of_the_documented_algorithm(rows: list[Row]) -> None:
    expected = slow_replicate_sums(rows, KEY, replicates=200, seed=SEED)
    assert (replicate_sums(np.array(rows), KEY, replicates=200, seed=SEED) == np.array(expected)).all()


def test_the_stream_of_a_cell_is_the_same_for_ever() -> None:
    # The first draws of NumPy's PCG64 for this key: should they change, every published interval would.
    assert list(islice(halves(KEY, SEED), 4)) == [575346447, 2064232605, 1023600720, 752774915]


@given(st.lists(st.integers(0, 5)))
def test_no_number_is_lost_or_drawn_twice_however_many_are_taken_at_once(taken: list[int]) -> None:
    numbers = _Numbers(SEED, KEY)
    drawn = [number for times in taken for number in numbers.take(times).tolist()]
    assert drawn == list(islice(halves(KEY, SEED), sum(taken)))


def slow_replicate_sums(rows: list[Row], key: str, replicates: int, seed: int) -> list[Row]:
    """The algorithm of ``massie.scoring.bootstrap`` number by number, for a few instances.

    The most frequent row (of several, the first by its last column, then the one before …) is drawn a binomial number
    of times in each replicate; then the other rows, in the same order, are drawn one by one.
    """
    ordered = sorted(rows, key=lambda row: row[::-1])
    number = Counter(ordered)
    modal = max(number, key=lambda row: number[row])
    others = [row for row in ordered if row != modal]
    stream = halves(key, seed)
    times = [inverse_binomial(next(stream), len(rows), len(others)) for _ in range(replicates)]
    replicate: list[Row] = []
    for drawn in times:
        chosen = [others[next(stream) * len(others) >> 32] for _ in range(drawn)]
        chosen += [modal] * (len(rows) - drawn)
        replicate.append(tuple(sum(column) for column in zip(*chosen, strict=True)))
    return replicate


def halves(key: str, seed: int) -> Iterator[int]:
    """32-bit draws: PCG64 seeded by SHA-256 of seed and key, of each raw 64-bit word the lower half, then the upper."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    generator = np.random.PCG64(int.from_bytes(digest[:16], "big"))
    while True:
        word = int(generator.random_raw())
        yield word & 0xFFFFFFFF
        yield word >> 32


def inverse_binomial(draw: int, total: int, chosen: int) -> int:
    """The least k with P(at most k) > draw / 2**32, for ``total`` draws with probability ``chosen / total``."""
    share = Fraction(chosen, total)
    below = Fraction(0)
    for k in range(total + 1):
        below += comb(total, k) * share**k * (1 - share) ** (total - k)
        if below > Fraction(draw, 1 << 32):
            return k
    raise AssertionError("probabilities sum to 1")


# ---- Seeds, keys, order


def test_one_seed_gives_one_interval() -> None:
    sums = some_sums(50)
    assert (replicate_sums(sums, KEY, seed=7) == replicate_sums(sums, KEY, seed=7)).all()


def test_another_seed_gives_other_draws() -> None:
    sums = some_sums(50)
    assert (replicate_sums(sums, KEY, seed=7) != replicate_sums(sums, KEY, seed=8)).any()


def test_the_order_of_instances_does_not_matter() -> None:
    for sums in (some_sums(50), with_repeats(some_sums(50), 80)):
        turned = sums[np.random.default_rng(3).permutation(len(sums))]
        assert replicate_sums(turned, KEY) == pytest.approx(replicate_sums(sums, KEY))


def test_different_cells_are_drawn_independently() -> None:
    sums = some_sums(200)
    one, other = (replicate_sums(sums, key, 4000)[:, 0] for key in ("NER/demo/eng", "NER/demo/deu"))
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.05


def test_replicates_are_independent_of_each_other() -> None:
    means = replicate_sums(some_sums(200), KEY, 4000)[:, 0]
    assert abs(float(np.corrcoef(means[1:], means[:-1])[0, 1])) < 0.05


def test_columns_share_their_draws() -> None:
    sums = some_sums(50)
    drawn = replicate_sums(np.column_stack([sums, 2 * sums]), KEY)
    assert drawn[:, 1] == pytest.approx(2 * drawn[:, 0])


# ---- The distribution


@pytest.mark.parametrize("equal", [0, 200, 390], ids=["all-different", "half-equal", "nearly-all-equal"])
def test_the_standard_error_of_a_mean_is_the_analytic_one(equal: int) -> None:
    scores = some_sums(400)
    scores[:equal] = 1.0
    means = replicate_sums(scores, KEY, 8000)[:, 0] / len(scores)
    assert means.mean() == pytest.approx(scores.mean(), abs=5 * scores.std() / np.sqrt(400 * 8000))
    assert means.std() == pytest.approx(scores.std() / np.sqrt(len(scores)), rel=0.04)


@pytest.mark.parametrize("rows", [np.eye(3), np.array([[1.0], [1.0], [5.0]]), np.array([[0.0], [0.0], [1.0], [2.0]])])
def test_every_draw_is_as_likely_as_it_should_be(rows: Array) -> None:
    replicates = 40_000
    seen: Counter[Row] = Counter(tuple(row) for row in replicate_sums(rows, KEY, replicates).tolist())
    likely: Counter[Row] = Counter()
    for places in np.ndindex(*[len(rows)] * len(rows)):
        likely[tuple(rows[list(places)].sum(axis=0).tolist())] += 1
    assert set(seen) == set(likely)
    for outcome, ways in likely.items():
        share = ways / len(rows) ** len(rows)
        assert seen[outcome] / replicates == pytest.approx(share, abs=5 * (share * (1 - share) / replicates) ** 0.5)


@pytest.mark.parametrize("share_of_empty", [0.0, 0.6], ids=["all-different", "mostly-empty"])
def test_95_percent_intervals_hold_the_truth_in_95_percent_of_cases(share_of_empty: float) -> None:
    generator = np.random.default_rng(11)
    instances, simulations = 120, 1500
    truth = share_of_empty + (1 - share_of_empty) * 0.5
    held = 0
    for number in range(simulations):
        scores = np.where(generator.random(instances) < share_of_empty, 1.0, generator.random(instances))
        low, high = interval(replicate_sums(scores[:, None], str(number), 400)[:, 0] / instances)
        held += low <= truth <= high
    assert 0.93 <= held / simulations <= 0.97


# ---- The interval


def test_the_interval_of_a_constant_is_that_constant() -> None:
    drawn = replicate_sums(np.full((30, 1), 0.375), KEY)[:, 0] / 30
    assert interval(drawn) == (0.375, 0.375)


def test_the_interval_leaves_out_two_and_a_half_percent_on_either_side() -> None:
    assert interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))


def test_the_interval_of_another_level() -> None:
    assert interval(np.arange(1001.0), level=0.9) == pytest.approx((50.0, 950.0))


def test_replicates_in_which_the_score_is_undefined_are_left_out() -> None:
    assert interval(np.array([np.nan, 1.0, 1.0, np.nan])) == (1.0, 1.0)


def test_a_score_that_is_undefined_throughout_has_no_interval() -> None:
    low, high = interval(np.full(10, np.nan))
    assert isnan(low)
    assert isnan(high)


def some_sums(instances: int) -> Array:
    """A column of scores, all different."""
    return np.random.default_rng(5).random((instances, 1))


def with_repeats(rows: Array, times: int) -> Array:
    """The rows, the first of them ``times`` more often."""
    return np.concatenate([rows, np.repeat(rows[:1], times, axis=0)])
