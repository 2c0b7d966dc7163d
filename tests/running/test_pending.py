from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from massie.build import Benchmark
from massie.prompting import Method, MethodOptions
from massie.running import Store
from massie.running.pending import Pending
from massie.types import Failure, Prediction, Sample

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "predictions.sqlite")


def pending(benchmark: Benchmark, store: Store, *, by_head: bool = True, failed_too: bool = False) -> list[Sample]:
    left = Pending(benchmark, store, failed_too)
    return list(left.samples(list(left.numbers()), by_head=by_head))


def ids_of(samples: Iterable[Sample]) -> list[str]:
    return [sample.id for sample in samples]


def changes(samples: Sequence[Sample]) -> int:
    """How often the asked schemas change from one sample to the next, within the cells."""
    return len(list(groupby(samples, key=lambda sample: (sample.cell, sample.schemas))))


def heads(samples: Sequence[Sample]) -> int:
    """How many sets of asked schemas there are, within the cells."""
    return len({(sample.cell, sample.schemas) for sample in samples})


def test_without_ordering_all_samples_come_as_the_build_has_them(demo: Benchmark, store: Store) -> None:
    assert pending(demo, store, by_head=False) == [sample.without_gold() for sample in demo.iter_samples()]


def test_samples_of_equal_heads_follow_each_other(demo: Benchmark, store: Store) -> None:
    unordered = pending(demo, store, by_head=False)
    assert changes(unordered) > heads(unordered)
    ordered = pending(demo, store)
    assert changes(ordered) == heads(ordered) == heads(unordered)


def test_what_stands_before_the_text_changes_no_more_often_than_the_heads(demo: Benchmark, store: Store) -> None:
    """The same in the words that are sent: all of a prompt up to the text of its sample."""
    part = demo.select(tasks=["NER"], languages=["swa", "jpn"])
    method = Method(MethodOptions(k=1))
    method.prepare(part)
    samples = pending(part, store)
    sent = [
        (sample.cell, str(method.request(sample).messages[-1]["content"]).rpartition(sample.text)[0])
        for sample in samples
    ]
    assert len(list(groupby(sent))) == len(set(sent)) == heads(samples)


def test_the_order_is_the_same_every_time(demo: Benchmark, store: Store) -> None:
    assert pending(demo, store) == pending(demo, store)


@quick
@given(data=st.data())
def test_ordering_changes_nothing_but_the_order_whatever_is_answered(
    demo: Benchmark, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    every = [key for cell in demo.cells() for key in demo.sample_ids(cell)]
    answered = data.draw(st.sets(st.sampled_from(every)))
    with Store(tmp_path_factory.mktemp("store") / "predictions.sqlite") as store:
        store.add_all(Prediction(key, output="") for key in answered)
        ordered, unordered = pending(demo, store), pending(demo, store, by_head=False)
        assert ids_of(unordered) == [key for key in every if key not in answered]
        assert sorted(ids_of(ordered)) == sorted(ids_of(unordered))
        assert sum(Pending(demo, store).numbers().values()) == len(ordered)


def test_samples_come_without_gold(demo: Benchmark, store: Store) -> None:
    assert {sample.gold for sample in pending(demo, store)} == {None}


def test_cells_that_are_answered_are_not_looked_at(part: Benchmark, store: Store) -> None:
    first, *others = part.cells()
    store.add_all(Prediction(key, output="") for key in part.sample_ids(first))
    assert list(Pending(part, store).numbers()) == others
    assert set(ids_of(pending(part, store))).isdisjoint(part.sample_ids(first))


@pytest.mark.parametrize("failure", list(Failure))
def test_what_failed_is_asked_again_unless_it_would_fail_again(part: Benchmark, store: Store, failure: Failure) -> None:
    key = part.sample_ids(part.cells()[0])[0]
    store.add(Prediction(key, error="it failed", failure=failure))
    assert (key in ids_of(pending(part, store))) is not failure.lasting
    assert key in ids_of(pending(part, store, failed_too=True))


@pytest.mark.parametrize("failure", list(Failure))
def test_as_many_are_told_to_be_left_as_are_asked(part: Benchmark, store: Store, failure: Failure) -> None:
    for cell in part.cells():
        store.add(Prediction(part.sample_ids(cell)[0], error="it failed", failure=failure))
        for failed_too in (True, False):
            told = sum(Pending(part, store, failed_too).numbers().values())
            assert told == len(pending(part, store, failed_too=failed_too))


def test_a_lasting_failure_that_was_answered_after_all_is_not_asked_again(part: Benchmark, store: Store) -> None:
    key = part.sample_ids(part.cells()[0])[0]
    store.add(Prediction(key, error="too long", failure=Failure.CONTEXT_LENGTH))
    store.add(Prediction(key, output="[]"))
    assert key not in ids_of(pending(part, store, failed_too=True))


def test_the_texts_are_read_as_they_are_asked_for(
    demo: Benchmark, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the cells behind the one that is being asked nothing is read: memory does not grow with the benchmark."""
    read: list[object] = []
    reading: Callable[..., object] = Benchmark.cell_samples

    def noted(self: Benchmark, cell: object, **options: object) -> object:
        read.append(cell)
        return reading(self, cell, **options)

    monkeypatch.setattr(Benchmark, "cell_samples", noted)
    left = Pending(demo, store)
    samples = left.samples(list(left.numbers()), by_head=True)
    assert read == []
    assert len(list(islice(samples, 1))) == 1
    assert read == demo.cells()[:1]


def test_no_more_samples_are_put_in_order_than_are_held_together(
    demo: Benchmark, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("massie.running.pending._TOGETHER", 2)
    cell = max(demo.numbers(), key=lambda cell: demo.numbers()[cell])
    in_build = ids_of(demo.cell_samples(cell))
    asked = ids_of(Pending(demo, store).samples([cell], by_head=True))
    assert [set(asked[at : at + 2]) for at in range(0, len(asked), 2)] == [
        set(in_build[at : at + 2]) for at in range(0, len(in_build), 2)
    ]
