from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark
from massie.running import Progress, Store, run
from massie.types import AdapterError, Prediction, Sample, SystemCard, Usage

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
        (lambda samples: [Prediction(one.id, output=5) for one in samples], "output: Input should be a valid string"),
        (lambda samples: [Prediction(one.id, records={}) for one in samples], "records: Input should be a valid list"),
        (
            lambda samples: [Prediction(one.id, output="", usage=Usage(1 << 70)) for one in samples],
            "input_tokens: Input should be less than",
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
