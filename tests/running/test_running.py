from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.adapters import Limits
from massie.build import Benchmark
from massie.running import Progress, Stopping, Store, run
from massie.types import (
    AdapterError,
    EndpointError,
    Failure,
    MassieError,
    MissingExtraError,
    Prediction,
    RunError,
    Sample,
    SystemCard,
    Usage,
)

Answer = Callable[[Sequence[Sample]], Any]


@dataclass
class System:
    """An adapter whose ``predict`` is a function; it remembers what it was asked, call by call."""

    answer: Answer
    asked: list[list[str]] = field(default_factory=list[list[str]])

    def describe(self) -> SystemCard:
        return SystemCard(name="system")

    def predict(self, samples: Sequence[Sample], /) -> Iterable[Prediction]:
        self.asked.append([sample.id for sample in samples])
        return self.answer(samples)


def good(samples: Sequence[Sample]) -> list[Prediction]:
    return [Prediction(sample.id, records=[]) for sample in samples]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "predictions.sqlite")


@pytest.fixture(scope="session")
def ids(part: Benchmark) -> list[str]:
    return [sample.id for sample in part.iter_samples()]


def test_every_sample_is_asked_once_and_stored(part: Benchmark, store: Store, ids: list[str]) -> None:
    system = System(good)
    progress = run(system, part, store, batch=5)
    assert [key for call in system.asked for key in call] == ids
    assert {len(call) for call in system.asked[:-1]} == {5}
    assert store.answered() == set(ids)
    assert progress == Progress(total=len(ids), done=len(ids), failed=0)


def test_samples_come_without_gold(part: Benchmark, store: Store) -> None:
    golds: list[object] = []
    run(System(lambda samples: golds.extend(s.gold for s in samples) or good(samples)), part, store)
    assert golds
    assert set(golds) == {None}


def test_what_is_answered_is_not_asked_again(part: Benchmark, store: Store, ids: list[str]) -> None:
    store.add_all(Prediction(key, output="kept") for key in ids[::2])
    system = System(good)
    run(system, part, store)
    assert [key for call in system.asked for key in call] == ids[1::2]
    assert sum(one.output == "kept" for one in store.predictions()) == len(ids[::2])


def test_a_finished_run_asks_nothing_and_prepares_nothing(part: Benchmark, store: Store, ids: list[str]) -> None:
    class Learner(System):
        def prepare(self, benchmark: Benchmark, /) -> None:
            pytest.fail("there is nothing to prepare for")

    store.add_all(Prediction(key, output="") for key in ids)
    system = Learner(good)
    assert run(system, part, store).done == len(ids)
    assert system.asked == []


def test_prepare_is_called_once_before_the_first_sample(part: Benchmark, store: Store) -> None:
    seen: list[object] = []

    class Learner(System):
        def prepare(self, benchmark: Benchmark, /) -> None:
            seen.append((benchmark, len(self.asked)))

    run(Learner(good), part, store, batch=3)
    assert seen == [(part, 0)]


def test_answers_may_come_in_any_order(part: Benchmark, store: Store, ids: list[str]) -> None:
    run(System(lambda samples: reversed(good(samples))), part, store)
    assert store.answered() == set(ids)


def test_each_answer_is_stored_before_the_next_is_asked_for(part: Benchmark, store: Store) -> None:
    def lazily(samples: Sequence[Sample]) -> Iterable[Prediction]:
        for number, sample in enumerate(samples):
            assert len(store.answered()) == number
            yield Prediction(sample.id, records=[])

    assert run(System(lazily), part, store, batch=1000).failed == 0


@pytest.mark.parametrize(
    "raised", [ValueError("boom"), AdapterError("boom"), SystemExit("boom"), RecursionError("boom")]
)
def test_a_sample_that_the_adapter_raises_on_fails_alone(
    part: Benchmark, store: Store, ids: list[str], raised: BaseException
) -> None:
    def answer(samples: Sequence[Sample]) -> list[Prediction]:
        if any(sample.id == ids[7] for sample in samples):
            raise raised
        return good(samples)

    progress = run(System(answer), part, store, batch=10)
    assert set(store.failed()) == {ids[7]}
    assert store.failed()[ids[7]].strip().endswith("boom")
    assert store.answered() == set(ids) - {ids[7]}
    assert (progress.done, progress.failed) == (len(ids) - 1, 1)


def test_a_failure_is_kept_with_its_traceback(part: Benchmark, store: Store) -> None:
    def answer_wrongly(samples: Sequence[Sample]) -> Any:
        return 1 / 0

    run(System(answer_wrongly), part, store)
    for failure in store.failed().values():
        assert "test_running.py" in failure
        assert "answer_wrongly" in failure
        assert "ZeroDivisionError: division by zero" in failure


def test_what_was_answered_before_the_batch_broke_off_is_not_asked_again(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    def answer(samples: Sequence[Sample]) -> Iterable[Prediction]:
        for sample in samples:
            if sample.id == ids[3]:
                raise ValueError
            yield Prediction(sample.id, records=[])

    system = System(answer)
    run(system, part, store, batch=6)
    assert system.asked[:4] == [ids[:6], [ids[3]], [ids[4]], [ids[5]]]
    assert set(store.failed()) == {ids[3]}


def test_an_interruption_ends_the_run_and_keeps_what_was_answered(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    def answer(samples: Sequence[Sample]) -> Iterable[Prediction]:
        yield from good(samples[:4])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(System(answer), part, store)
    assert store.answered() == set(ids[:4])
    assert store.failed() == {}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda samples: [], "the adapter gave no answer to this sample"),
        (lambda samples: None, "'NoneType' object is not iterable"),
        (lambda samples: [None for _ in samples], "predict yields NoneType, not massie.Prediction"),
        (lambda samples: [Prediction("stranger", records=[])], "answers 'stranger', which was not asked"),
        (lambda samples: [Prediction(["list"], records=[])], "unhashable"),
        (lambda samples: [Prediction(one.id) for one in samples], "exactly one of records, output and error"),
        (lambda samples: [Prediction(one.id, records=[], output="") for one in samples], "exactly one of records"),
        (lambda samples: [Prediction(one.id, output=5) for one in samples], "output: must be a valid string"),
        (lambda samples: [Prediction(one.id, records={}) for one in samples], "records: must be a valid list"),
        (
            lambda samples: [Prediction(one.id, output="", usage=Usage(1 << 70)) for one in samples],
            "input_tokens: must be less than",
        ),
        (lambda samples: [Prediction(one.id, error="no connection") for one in samples], "no connection"),
    ],
)
def test_each_breach_of_the_contract_is_a_failed_sample_that_says_why(
    part: Benchmark, store: Store, ids: list[str], answer: Answer, why: str
) -> None:
    progress = run(System(answer), part, store)
    assert store.answered() == set()
    assert set(store.failed()) == set(ids)
    assert all(why in failure for failure in store.failed().values()), next(iter(store.failed().values()))
    assert (progress.done, progress.failed) == (0, len(ids))


def test_of_two_answers_the_first_is_kept(part: Benchmark, store: Store, ids: list[str]) -> None:
    def twice(samples: Sequence[Sample]) -> Iterable[Prediction]:
        for sample in samples:
            yield Prediction(sample.id, output="first")
            yield Prediction(sample.id, output="second")

    run(System(twice), part, store)
    assert store.answered() == set(ids)
    assert {one.output for one in store.predictions()} == {"first"}


def test_a_sample_that_gets_no_answer_is_not_asked_again_within_a_run(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    system = System(lambda samples: good(samples)[1:])
    run(system, part, store, batch=6)
    assert [key for call in system.asked for key in call] == ids
    assert set(store.failed()) == set(ids[::6])


def test_failed_samples_are_asked_again_by_the_next_run(part: Benchmark, store: Store, ids: list[str]) -> None:
    run(
        System(lambda samples: [Prediction(one.id, error="no connection") for one in samples[:3]]), part, store, batch=6
    )
    missing = [key for key in ids if key in store.failed()]
    system = System(good)
    progress = run(system, part, store)
    assert [key for call in system.asked for key in call] == missing
    assert (store.answered(), store.failed()) == (set(ids), {})
    assert (progress.done, progress.failed) == (len(ids), 0)


def test_the_time_of_each_answer_is_kept_where_the_system_does_not_state_it(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    def answer(samples: Sequence[Sample]) -> Iterable[Prediction]:
        for sample in samples:
            usage = Usage(3, 4, 99.0) if sample.id == ids[0] else Usage(3, 4) if sample.id == ids[1] else None
            yield Prediction(sample.id, records=[], usage=usage)

    run(System(answer), part, store)
    usages = {one.sample_id: one.usage or Usage() for one in store.predictions()}
    assert usages[ids[0]] == Usage(3, 4, 99.0)
    assert (usages[ids[1]].input_tokens, usages[ids[1]].output_tokens) == (3, 4)
    assert all(0 <= (usages[key].seconds or -1) < 10 for key in ids[1:])


def test_progress_is_told_from_the_start_to_the_end(part: Benchmark, store: Store, ids: list[str]) -> None:
    store.add(Prediction(ids[0], output=""))
    told: list[tuple[int, int, int]] = []
    run(System(good), part, store, report=lambda now: told.append((now.total, now.done, now.failed)))
    assert told == [(len(ids), done, 0) for done in range(1, len(ids) + 1)]


# Systems that take a stream


@dataclass
class Stream(System):
    """A system that takes its samples as a stream, so many at once; ``answer`` says what comes of those."""

    at_once: int = 4

    def stream(self, samples: Iterable[Sample], limits: Limits, /) -> Iterator[Prediction]:
        waiting = iter(samples)
        while taken := list(islice(waiting, self.at_once)):
            self.asked.append([sample.id for sample in taken])
            yield from self.answer(taken)


def paid(samples: Sequence[Sample]) -> list[Prediction]:
    """Answers of 1,000 input tokens each."""
    return [Prediction(one.id, output="[]", usage=Usage(1000, 0, requests=1)) for one in samples]


def dollar(usage: Usage) -> float | None:
    """A price at which an answer of ``paid`` costs a dollar."""
    return None if usage.input_tokens is None else usage.input_tokens / 1000


def test_a_stream_is_given_each_sample_once_without_gold_and_stored(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    golds: list[object] = []
    system = Stream(lambda samples: golds.extend(one.gold for one in samples) or good(samples))
    progress = run(system, part, store)
    assert sorted(key for call in system.asked for key in call) == sorted(ids)
    assert store.answered() == set(ids)
    assert set(golds) == {None}
    assert progress == Progress(total=len(ids), done=len(ids))


def test_a_stream_is_given_samples_of_equal_heads_one_after_the_other(demo: Benchmark, store: Store) -> None:
    schemas = {sample.id: (sample.cell, sample.schemas) for sample in demo.iter_samples()}
    system = Stream(good)
    run(system, demo, store)
    assert len(list(groupby(schemas[key] for call in system.asked for key in call))) == len(set(schemas.values()))


def test_a_stream_is_resumed_where_it_was(part: Benchmark, store: Store, ids: list[str]) -> None:
    store.add_all(Prediction(key, output="kept") for key in ids[::2])
    system = Stream(good)
    run(system, part, store)
    assert {key for call in system.asked for key in call} == set(ids[1::2])


def test_samples_are_taken_only_as_the_stream_wants_them(part: Benchmark, store: Store) -> None:
    """Memory is bounded by what is in flight, however large the benchmark is."""
    most = 0

    def stream(samples: Iterable[Sample]) -> Iterator[Prediction]:
        nonlocal most
        for taken, sample in enumerate(samples, start=1):
            most = max(most, taken - store.number_answered())
            yield Prediction(sample.id, records=[])

    run(System(good), part, store, stream=stream)
    assert most == 1


def test_a_stream_in_place_of_the_adapter_answers_and_the_adapter_is_not_asked(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    class Elsewhere(System):
        def prepare(self, benchmark: Benchmark, /) -> None:
            pytest.fail("its replicas are prepared where they are")

    system = Elsewhere(good)
    run(system, part, store, stream=lambda samples: iter(good(list(samples))))
    assert system.asked == []
    assert store.answered() == set(ids)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda samples: [Prediction("stranger", records=[])], "answers 'stranger', which was not asked"),
        (lambda samples: [*good(samples), *good(samples)], "which was not asked or is already answered"),
        (lambda samples: [None], "predict yields NoneType, not massie.Prediction"),
        (lambda samples: [*good(samples[:1]), 1 / 0], "ZeroDivisionError: division by zero"),
        (lambda samples: sys.exit("boom"), "SystemExit: boom"),
        (lambda samples: None, "TypeError: 'NoneType' object is not iterable"),
        (lambda samples: [Prediction(["list"], records=[])], "TypeError: unhashable"),
    ],
)
def test_a_stream_that_breaks_the_contract_ends_the_run_with_one_clear_error(
    part: Benchmark, store: Store, answer: Answer, why: str
) -> None:
    with pytest.raises(AdapterError) as caught:
        run(Stream(answer), part, store)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert store.failed() == {}


def test_a_bug_of_a_stream_is_told_with_its_place_and_what_was_answered_is_kept(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    def answer(samples: Sequence[Sample]) -> Iterator[Prediction]:
        yield from good(samples[:2])
        raise ValueError("boom")

    with pytest.raises(AdapterError, match=r"ValueError: boom \(.*test_running\.py:\d+\); .* the same command goes on"):
        run(Stream(answer), part, store)
    assert len(store.answered()) == 2
    system = Stream(good)
    run(system, part, store)
    assert len([key for call in system.asked for key in call]) == len(ids) - 2


@pytest.mark.parametrize(
    "error", [EndpointError("wrong key"), MissingExtraError("vllm", "vllm", "this"), RunError("x")]
)
def test_an_error_of_the_family_ends_a_stream_as_it_is(part: Benchmark, store: Store, error: MassieError) -> None:
    def answer(samples: Sequence[Sample]) -> Any:
        raise error

    with pytest.raises(type(error)) as caught:
        run(Stream(answer), part, store)
    assert caught.value is error


def test_what_a_stream_leaves_without_an_answer_has_failed(part: Benchmark, store: Store, ids: list[str]) -> None:
    system = Stream(lambda samples: good(samples)[1:], at_once=6)
    progress = run(system, part, store)
    assert set(store.failed()) == {call[0] for call in system.asked}
    assert set(store.failed().values()) == {"the adapter gave no answer to this sample"}
    assert (progress.done, progress.failed) == (len(ids) - len(system.asked), len(system.asked))


def test_a_stream_whose_answer_breaks_the_rules_fails_at_that_sample_alone(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    def answer(samples: Sequence[Sample]) -> list[Prediction]:
        return [Prediction(one.id, output=5 if one.id == ids[3] else "[]") for one in samples]  # pyright: ignore

    run(Stream(answer), part, store)
    assert set(store.failed()) == {ids[3]}
    assert "the prediction breaks the contract: output: " in store.failed()[ids[3]]


# Failures


def failing(failure: Failure) -> Answer:
    return lambda samples: [Prediction(one.id, error="it failed", failure=failure) for one in samples]


@pytest.mark.parametrize("kind", [System, Stream])
def test_so_many_failures_in_a_row_end_the_run(demo: Benchmark, store: Store, kind: type[System]) -> None:
    with pytest.raises(RunError, match="50 samples failed one after the other, the last with: it failed; "):
        run(kind(failing(Failure.SERVER)), demo, store)
    assert len(store.failed()) == 50


def test_one_answer_among_the_failures_and_the_run_goes_on(demo: Benchmark, store: Store) -> None:
    number = 0

    def answer(samples: Sequence[Sample]) -> Iterator[Prediction]:
        nonlocal number
        for sample in samples:
            number += 1
            yield Prediction(sample.id, **({"output": "[]"} if number % 50 == 0 else {"error": "it failed"}))

    total = sum(demo.numbers().values())
    progress = run(System(answer), demo, store)
    assert (progress.done, progress.failed) == (total // 50, total - total // 50)


@pytest.mark.parametrize("failure", [Failure.CONTEXT_LENGTH, Failure.REJECTED])
def test_lasting_failures_are_the_samples_own_and_never_end_the_run(
    demo: Benchmark, store: Store, failure: Failure
) -> None:
    progress = run(System(failing(failure)), demo, store)
    assert progress.failed == sum(demo.numbers().values())
    assert progress.stopped is None


def test_lasting_failures_are_asked_again_only_where_that_is_wanted(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    run(System(lambda samples: failing(Failure.CONTEXT_LENGTH)(samples[:2]) + good(samples[2:])), part, store)
    again = System(good)
    progress = run(again, part, store)
    assert again.asked == []
    assert (progress.total, progress.done, progress.failed) == (len(ids), len(ids), 0)
    run(again, part, store, retry_failed=True)
    assert again.asked == [ids[:2]]
    assert store.failed() == {}


# Budgets


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("max_cost", [2.0, 7.5, 12.0])
def test_no_more_is_spent_than_the_budget_where_answers_cost_the_same(
    part: Benchmark, store: Store, at_once: int, max_cost: float
) -> None:
    stopping = Stopping(price=dollar, max_cost=max_cost)
    first, system = Stream(paid, at_once=1), Stream(paid, at_once=at_once)
    run(first, part, store, stopping=Stopping(price=dollar, max_cost=1.0))
    stopping.spent, stopping.dearest = 1.0, 1.0
    progress = run(system, part, store, stopping=stopping)
    assert stopping.spent == store.number_answered() == int(max_cost)
    assert progress.stopped == f"the next answer could exceed --max-cost {max_cost:g}"


@given(
    costs=st.lists(st.integers(1, 50), min_size=1, max_size=50).map(lambda costs: costs * 50),
    max_cost=st.integers(1, 800),
    at_once=st.integers(1, 6),
)
@settings(max_examples=40, deadline=None)
def test_what_is_spent_beyond_a_budget_is_no_more_than_what_was_in_flight(
    part: Benchmark, costs: list[int], max_cost: int, at_once: int
) -> None:
    prices = iter(costs)

    def answer(samples: Sequence[Sample]) -> list[Prediction]:
        return [Prediction(one.id, output="", usage=Usage(next(prices) * 1000, 0)) for one in samples]

    stopping = Stopping(price=dollar, max_cost=max_cost)
    with Store(Path(":memory:")) as store:
        run(Stream(answer, at_once=at_once), part, store, stopping=stopping)
        answered = store.number_answered()
    assert stopping.spent == sum(costs[:answered])
    assert stopping.spent - sum(costs[max(answered - at_once, 0) : answered]) <= max_cost


def test_a_budget_that_is_spent_asks_nothing_at_all(part: Benchmark, store: Store) -> None:
    system = Stream(paid)
    progress = run(system, part, store, stopping=Stopping(price=dollar, max_cost=3.0, spent=3.0, dearest=1.0))
    assert system.asked == []
    assert progress.stopped is not None
    assert store.number_answered() == 0


def test_a_budget_also_stops_a_system_that_is_asked_in_batches(part: Benchmark, store: Store) -> None:
    progress = run(System(paid), part, store, batch=2, stopping=Stopping(price=dollar, max_cost=8.0))
    assert store.number_answered() == 8
    assert progress.stopped is not None
    assert store.failed() == {}


def test_answers_from_a_cache_and_failures_cost_nothing(part: Benchmark, store: Store, ids: list[str]) -> None:
    def answer(samples: Sequence[Sample]) -> list[Prediction]:
        one, *others = samples
        cached = [Prediction(other.id, output="", usage=Usage(1000, 0, requests=0)) for other in others]
        return [Prediction(one.id, error="503", failure=Failure.SERVER, usage=Usage(requests=6)), *cached]

    stopping = Stopping(price=dollar, max_cost=0.5)
    progress = run(Stream(answer), part, store, stopping=stopping)
    assert (progress.stopped, stopping.spent, stopping.dearest) == (None, 0.0, 0.0)
    assert progress.cost == 0.0


def test_a_budget_is_kept_for_the_dearest_answer_so_far_not_for_their_mean(part: Benchmark, store: Store) -> None:
    costs = iter([5000, 1000, 1000, 1000, 5000, 5000])

    def answer(samples: Sequence[Sample]) -> list[Prediction]:
        return [Prediction(one.id, output="", usage=Usage(next(costs), 0)) for one in samples]

    stopping = Stopping(price=dollar, max_cost=12.0)
    run(Stream(answer, at_once=1), part, store, stopping=stopping)
    assert (stopping.spent, stopping.dearest) == (8.0, 5.0)


def test_a_failure_that_states_its_tokens_is_paid_and_one_that_does_not_is_not() -> None:
    stopping = Stopping(price=dollar, max_cost=5.0)
    stopping.count(Prediction("a", error="no answer", usage=Usage(1000, 0, requests=1)))
    stopping.count(Prediction("b", error="503", usage=Usage(requests=6)))
    assert (stopping.spent, stopping.unknown) == (1.0, False)


def test_a_budget_that_cannot_be_kept_stops_the_run(part: Benchmark, store: Store) -> None:
    """A server that does not say how many tokens an answer took would else be paid without end."""
    progress = run(Stream(good, at_once=1), part, store, stopping=Stopping(price=dollar, max_cost=5.0))
    assert progress.stopped == "what an answer cost cannot be told from its usage, so --max-cost 5 cannot be kept"
    assert store.number_answered() == 1


def test_without_a_budget_nothing_stops_for_its_cost(part: Benchmark, store: Store, ids: list[str]) -> None:
    progress = run(Stream(paid), part, store, stopping=Stopping(price=dollar))
    assert (progress.stopped, progress.cost) == (None, len(ids))
    assert (progress.input_tokens, progress.output_tokens) == (1000 * len(ids), 0)


# Interruptions


@pytest.mark.parametrize("at_once", [1, 5])
def test_who_asks_to_stop_gets_what_was_in_flight(part: Benchmark, store: Store, at_once: int) -> None:
    stopping = Stopping(asked=lambda: store.number_answered() >= 3)
    system = Stream(good, at_once=at_once)
    progress = run(system, part, store, stopping=stopping)
    assert progress.stopped == "interrupted"
    assert store.answered() == {key for call in system.asked for key in call}
    assert store.failed() == {}


def test_a_stream_that_leaves_samples_because_someone_asked_to_stop_has_not_failed_them(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    """A batch API, say: all is submitted, and nothing more is waited for."""
    asked = False

    def stream(samples: Iterable[Sample]) -> Iterator[Prediction]:
        nonlocal asked
        first, *_ = list(samples)
        yield Prediction(first.id, records=[])
        asked = True

    progress = run(System(good), part, store, stopping=Stopping(asked=lambda: asked), stream=stream)
    assert progress.stopped == "interrupted"
    assert (store.number_answered(), store.failed()) == (1, {})
    again = System(good)
    run(again, part, store)
    assert [key for call in again.asked for key in call] == ids[1:]


def test_a_system_that_is_asked_in_batches_is_left_after_the_answer_that_came(
    part: Benchmark, store: Store, ids: list[str]
) -> None:
    system = System(lambda samples: iter(good(samples)))
    progress = run(system, part, store, stopping=Stopping(asked=lambda: store.number_answered() >= 3))
    assert (progress.stopped, store.number_answered(), store.failed()) == ("interrupted", 3, {})


def test_who_asks_at_once_has_nothing_asked(part: Benchmark, store: Store) -> None:
    system = Stream(good)
    progress = run(system, part, store, stopping=Stopping(asked=lambda: True))
    assert (progress.stopped, system.asked, store.failed()) == ("interrupted", [], {})


# Time


def test_the_time_of_each_start_is_kept(part: Benchmark, store: Store, ids: list[str]) -> None:
    def slowly(samples: Sequence[Sample]) -> list[Prediction]:
        time.sleep(0.02)
        return good(samples)

    for _ in range(2):
        run(System(slowly), part, store, batch=4, stopping=Stopping(asked=lambda: store.number_answered() >= 8))
    once = store.wall_seconds()
    assert once is not None
    run(System(slowly), part, store, batch=4)
    twice = store.wall_seconds()
    assert twice is not None
    assert once >= 0.02
    assert twice >= once + 0.02
    run(System(slowly), part, store)
    assert store.wall_seconds() == twice  # there was nothing left to do


def test_the_time_is_kept_also_where_the_run_breaks_off(part: Benchmark, store: Store) -> None:
    def answer(samples: Sequence[Sample]) -> Iterable[Prediction]:
        yield good(samples)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(System(answer), part, store)
    assert (store.wall_seconds() or 0) > 0


def test_the_time_is_noted_every_second_so_that_a_kill_loses_no_more(
    part: Benchmark, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.0
    monkeypatch.setattr("massie.running.running.time.monotonic", lambda: seconds)
    noted: list[float | None] = []

    def answer(samples: Sequence[Sample]) -> Iterable[Prediction]:
        nonlocal seconds
        for sample in samples:
            noted.append(store.wall_seconds())
            seconds += 0.75
            yield Prediction(sample.id, records=[])

    run(System(answer), part, store)
    assert noted[:5] == [None, None, 1.5, 1.5, 3.0]
