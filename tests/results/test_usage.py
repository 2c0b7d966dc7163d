from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.results.usage import Cost, usage_totals
from massie.running import Store
from massie.running.prices import Price, Rates
from massie.types import Failure, Prediction, Usage

PRICE = Price(
    "small",
    Rates(input=1.0, output=4.0, cached_input=0.25),
    "prices.yaml",
    batch=Rates(input=0.5, output=2.0, cached_input=0.125),
)
MILLION = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "predictions.sqlite")


def answer(key: str, usage: Usage | None) -> Prediction:
    return Prediction(key, output="[]", usage=usage)


def test_a_run_of_a_language_model_tells_all_that_it_used(store: Store) -> None:
    store.add(answer("a", Usage(100, 20, 0.5, reasoning_tokens=15, cached_tokens=64, requests=1)))
    store.add(answer("b", Usage(200, 10, 1.5, reasoning_tokens=0, cached_tokens=0, requests=3)))
    store.spent(1000.0, 4.0)
    totals = usage_totals(store)
    assert (totals.input_tokens, totals.output_tokens) == (300, 30)
    assert (totals.reasoning_tokens, totals.cached_tokens) == (15, 64)
    assert (totals.requests, totals.retries) == (4, 2)
    assert (totals.seconds, totals.wall_seconds, totals.per_second) == (2.0, 4.0, 0.5)
    assert (totals.cost, totals.price) == (None, None)


def test_what_is_not_known_is_null(store: Store) -> None:
    store.add(answer("a", None))
    totals = usage_totals(store)
    assert totals.seconds == 0
    assert set(totals.model_dump(exclude={"seconds"}).values()) == {None}


@pytest.mark.parametrize("numbers", [range(1, 101), [0.25], [3, 1], [5] * 7, range(1000, 0, -1)])
def test_percentiles_of_latency_are_those_of_numpy(store: Store, numbers: list[int]) -> None:
    seconds = [number / 100 for number in numbers]
    store.add_all(answer(str(place), Usage(seconds=each, requests=1)) for place, each in enumerate(seconds))
    latency = usage_totals(store).latency
    assert latency is not None
    expected = np.percentile(seconds, [50, 90, 95, 99])
    assert [latency.p50, latency.p90, latency.p95, latency.p99] == pytest.approx(expected, abs=5e-5)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_percentiles_of_latency_rise(seconds: list[float]) -> None:
    with Store(Path(":memory:")) as store:
        store.add_all(answer(str(place), Usage(seconds=each, requests=1)) for place, each in enumerate(seconds))
        latency = usage_totals(store).latency
    assert latency is not None
    assert min(seconds) - 1e-4 <= latency.p50 <= latency.p90 <= latency.p95 <= latency.p99 <= max(seconds) + 1e-4


def test_answers_from_a_cache_cost_nothing_and_do_not_count_in_latency(store: Store) -> None:
    store.add(answer("a", Usage(MILLION, 0, 2.0, requests=1)))
    store.add_all(answer(f"cached-{number}", Usage(MILLION, 0, 0.0, requests=0)) for number in range(9))
    totals = usage_totals(store, Cost(PRICE))
    assert totals.cost == 1.0
    assert totals.latency is not None
    assert totals.latency.p50 == totals.latency.p99 == 2.0
    assert (totals.requests, totals.retries, totals.input_tokens) == (1, 0, 10 * MILLION)


def test_failures_count_as_requests_and_not_in_latency(store: Store) -> None:
    failed = Usage(seconds=60.0, requests=6)
    store.add(Prediction("a", error="no answer", failure=Failure.TIMEOUT, usage=failed))
    store.add(answer("b", Usage(10, 2, 0.5, requests=1)))
    totals = usage_totals(store)
    assert totals.latency is not None
    assert totals.latency.p99 == 0.5
    assert (totals.requests, totals.retries) == (7, 5)


def test_all_requests_of_a_sample_that_failed_at_first_count_and_all_but_one_are_retries(store: Store) -> None:
    store.add(Prediction("a", error="503", failure=Failure.SERVER, usage=Usage(requests=6)))
    store.add(answer("a", Usage(10, 2, 0.5, requests=2)))
    totals = usage_totals(store)
    assert (totals.requests, totals.retries) == (8, 7)


@pytest.mark.parametrize(
    ("usage", "batch", "cost"),
    [
        (Usage(MILLION, 0, requests=1), False, 1.0),
        (Usage(0, MILLION, requests=1), False, 4.0),
        (Usage(MILLION, MILLION, cached_tokens=MILLION // 2, requests=1), False, 0.5 + 0.125 + 4.0),
        (Usage(MILLION, MILLION, reasoning_tokens=MILLION, requests=1), False, 5.0),
        (Usage(MILLION, MILLION, cached_tokens=MILLION // 2, requests=1), True, 0.25 + 0.0625 + 2.0),
        (Usage(None, 5, requests=1), False, None),
    ],
)
def test_what_a_run_cost_is_by_fresh_cached_and_output_tokens_and_by_the_batch_price_in_batches(
    store: Store, usage: Usage, batch: bool, cost: float | None
) -> None:
    store.add(answer("a", usage))
    totals = usage_totals(store, Cost(PRICE, batch=batch))
    assert totals.cost == cost
    assert totals.price == ("small: prices.yaml, batch" if batch else "small: prices.yaml")


def test_a_batch_price_that_is_not_known_gives_no_cost(store: Store) -> None:
    store.add(answer("a", Usage(10, 2, requests=1)))
    without = Price("small", Rates(1.0, 4.0), "prices.yaml")
    assert usage_totals(store, Cost(without, batch=True)).cost is None


def test_the_throughput_is_of_answers_over_all_sessions(store: Store) -> None:
    store.add_all(answer(str(number), None) for number in range(30))
    store.add(Prediction("failed", error="503"))
    store.spent(1000.0, 2.0)
    store.spent(2000.0, 4.0)
    totals = usage_totals(store)
    assert (totals.wall_seconds, totals.per_second) == (6.0, 5.0)


def test_a_part_has_what_its_own_samples_used_and_no_time_of_the_whole(store: Store) -> None:
    store.add(answer("a", Usage(100, 20, 0.5, cached_tokens=10, requests=1)))
    store.add(answer("b", Usage(1000, 200, 9.0, cached_tokens=90, requests=4)))
    store.spent(1000.0, 4.0)
    part = usage_totals(store, Cost(PRICE), sample_ids=lambda: ["a", "never asked"])
    assert (part.input_tokens, part.output_tokens, part.cached_tokens) == (100, 20, 10)
    assert (part.requests, part.retries, part.seconds) == (1, 0, 0.5)
    assert part.latency is not None
    assert part.latency.p99 == 0.5
    assert part.cost == pytest.approx((90 * 1.0 + 10 * 0.25 + 20 * 4.0) / MILLION)
    assert (part.wall_seconds, part.per_second) == (None, None)
    whole = usage_totals(store, Cost(PRICE), sample_ids=lambda: ["a", "b", "never asked"])
    assert whole == usage_totals(store, Cost(PRICE))
    assert (whole.wall_seconds, whole.per_second) == (4.0, 0.5)


def test_one_answer_without_tokens_and_the_sums_are_not_known(store: Store) -> None:
    store.add(answer("a", Usage(1000, 1000, 1.0, reasoning_tokens=5, cached_tokens=5, requests=1)))
    store.add(answer("b", Usage(seconds=1.0, requests=1)))
    totals = usage_totals(store, Cost(PRICE))
    tokens = (totals.input_tokens, totals.output_tokens, totals.reasoning_tokens, totals.cached_tokens)
    assert (*tokens, totals.cost) == (None,) * 5
    assert totals.requests == 2


def test_a_failure_without_tokens_leaves_the_sums_known(store: Store) -> None:
    store.add(answer("a", Usage(MILLION, 0, 1.0, requests=1)))
    store.add(Prediction("b", error="503", failure=Failure.SERVER, usage=Usage(requests=6)))
    totals = usage_totals(store, Cost(PRICE))
    assert (totals.input_tokens, totals.cost) == (MILLION, 1.0)


def test_an_answer_from_a_cache_after_a_failure_costs_nothing(store: Store) -> None:
    store.add(Prediction("a", error="timeout", failure=Failure.TIMEOUT, usage=Usage(requests=6)))
    store.add(answer("a", Usage(MILLION, 0, 0.0, requests=0)))
    totals = usage_totals(store, Cost(PRICE))
    assert (totals.requests, totals.cost, totals.latency) == (6, 0.0, None)


def test_no_throughput_is_told_of_a_batch_api(store: Store) -> None:
    store.add(answer("a", Usage(10, 2, requests=1)))
    store.spent(1000.0, 4.0)
    totals = usage_totals(store, batch=True)
    assert (totals.wall_seconds, totals.per_second) == (4.0, None)


def test_one_answer_beyond_the_length_that_a_price_holds_for_has_no_cost(store: Store) -> None:
    cost = Cost(Price("m", Rates(1.0, 1.0), "prices.yaml", up_to=200_000))
    store.add_all(answer(str(number), Usage(1000, 0, requests=1)) for number in range(50))
    assert usage_totals(store, cost).cost == pytest.approx(0.05)
    store.add(answer("long", Usage(300_000, 0, requests=2)))
    assert usage_totals(store, cost).cost is None
    assert cost.of(Usage(300_000, 0, requests=2)) is None
