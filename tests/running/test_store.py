from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.running import Store
from massie.running.store import _MIGRATIONS  # pyright: ignore[reportPrivateUsage]
from massie.types import Failure, Prediction, RunError, Usage

GOOD = Prediction("a", records=[{"entity": "Bure", "entity_type": "person"}])
FAILED = Prediction("a", error="no connection")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ANSWERS = st.lists(JSON, max_size=3).map(lambda records: {"records": records}) | TEXTS.map(
    lambda text: {"output": text}
)
USAGES = st.builds(Usage, st.none() | st.integers(0, 1 << 53), st.none() | st.integers(0, 1 << 53), st.floats(0, 1e9))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "predictions.sqlite")


@given(answer=ANSWERS, usage=USAGES, reason=st.none() | TEXTS)
def test_every_prediction_comes_back_as_it_was_stored(answer: dict[str, Any], usage: Usage, reason: str | None) -> None:
    prediction = Prediction("a", **answer, finish_reason=reason, usage=usage)
    with Store(Path(":memory:")) as store:
        store.add(prediction)
        assert list(store.predictions()) == [prediction]


def test_an_answer_is_seen_by_another_reader_at_once(store: Store, tmp_path: Path) -> None:
    store.add(GOOD)
    with Store(tmp_path / "predictions.sqlite") as other:
        assert other.answered() == {"a"}


def test_a_failed_answer_gives_way_to_a_later_good_one(store: Store) -> None:
    store.add(FAILED)
    assert (store.answered(), store.failed()) == (set(), {"a": "no connection"})
    store.add(GOOD)
    assert (store.answered(), store.failed()) == ({"a"}, {})
    assert list(store.predictions()) == [GOOD]


@pytest.mark.parametrize("later", [FAILED, Prediction("a", output="other"), Prediction("a", records=[])])
def test_a_good_answer_never_gives_way(store: Store, later: Prediction) -> None:
    store.add(GOOD)
    store.add(later)
    assert list(store.predictions()) == [GOOD]
    assert store.answered() == {"a"}


def test_a_failed_answer_gives_way_to_the_next_failure(store: Store) -> None:
    store.add(FAILED)
    store.add(Prediction("a", error="no memory"))
    assert store.failed() == {"a": "no memory"}


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "a\ud800b", "\udfff", "", "\U0010ffff", "line\nline"])
@pytest.mark.parametrize("field", ["output", "error", "finish_reason"])
def test_any_text_can_be_stored(store: Store, field: str, text: str) -> None:
    plain: dict[str, Any] = {field: text} if field != "finish_reason" else {"output": "", field: text}
    store.add(Prediction("a", **plain))
    (kept,) = store.predictions()
    assert getattr(kept, field) == text.replace("\ud800", r"\ud800").replace("\udfff", r"\udfff")


def test_records_with_nul_and_lone_surrogates_come_back_unchanged(store: Store) -> None:
    store.add(Prediction("a", records=[{"entity": "a\x00\ud800"}]))
    assert next(store.predictions()).records == [{"entity": "a\x00\ud800"}]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_value_that_is_no_json_becomes_text_and_all_else_stands(store: Store) -> None:
    store.add(Prediction("a", records=[{"entity": "x", "score": {1}, (1, 2): 3}, b"bytes", {"entity": "y"}]))
    (kept,) = store.predictions()
    assert kept.records == [{"entity": "x", "score": "{1}"}, "b'bytes'", {"entity": "y"}]


def test_records_nested_without_end_are_kept_as_one_malformed_record(store: Store) -> None:
    store.add(Prediction("a", records=nested(100_000)))
    (kept,) = store.predictions()
    assert kept.records is not None
    assert len(kept.records) == 1
    assert str(kept.records[0]).startswith("not JSON: ")


def test_not_a_number_survives_as_a_value_that_scores_nothing(store: Store) -> None:
    store.add(Prediction("a", records=[math.nan]))
    (kept,) = store.predictions()
    assert kept.records is not None
    assert math.isnan(kept.records[0])


def test_many_are_added_together_or_not_at_all(store: Store) -> None:
    def predictions() -> Any:
        yield Prediction("a", output="x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add_all(predictions())
    assert store.answered() == set()
    store.add_all([Prediction("a", output="x"), Prediction("b", output="y")])
    assert store.answered() == {"a", "b"}


def test_usage_is_summed_over_those_that_state_it(store: Store) -> None:
    assert store.sums().usage == Usage()
    store.add(Prediction("a", output="x", usage=Usage(10, 2, 0.5)))
    store.add(Prediction("b", output="x", usage=Usage(None, 3, None)))
    store.add(Prediction("c", output="x"))
    assert store.sums().usage == Usage(10, 5, 0.5)


def test_predictions_come_sorted_by_sample(store: Store) -> None:
    for key in ("c", "a", "b"):
        store.add(Prediction(key, output=key))
    assert [one.sample_id for one in store.predictions()] == ["a", "b", "c"]


def test_a_file_that_is_no_store_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "predictions.sqlite").write_text("not a database " * 100, encoding="utf-8")
    with pytest.raises(RunError, match=r"predictions\.sqlite: cannot be used as the store of a run"):
        Store(tmp_path / "predictions.sqlite")


def test_a_store_that_was_cut_is_one_clear_error(store: Store, tmp_path: Path) -> None:
    store.add_all(Prediction(str(number), output="x" * 1000) for number in range(200))
    store.close()
    path = tmp_path / "predictions.sqlite"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(RunError, match=r"is damaged|cannot be used"), Store(path) as cut:
        list(cut.predictions())


def test_a_store_of_a_newer_massie_is_refused(store: Store, tmp_path: Path) -> None:
    store.close()
    connection = sqlite3.connect(tmp_path / "predictions.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RunError, match=r"newer MASSIE \(store version 99\); update massie"):
        Store(tmp_path / "predictions.sqlite")


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be used as the store"):
        Store(tmp_path / "absent" / "predictions.sqlite")


def test_a_full_disk_is_one_clear_error_that_says_what_is_kept(store: Store) -> None:
    store.add(GOOD)
    store._connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(RunError, match="is full; the answers so far are kept, the same command continues"):
        for number in range(1000):
            store.add(Prediction(str(number), output="x" * 4000))
    assert "a" in store.answered()


# What language models say beside the answer


COUNT = st.none() | st.integers(0, 1 << 53)
WHOLE_USAGES = st.builds(Usage, COUNT, COUNT, st.none() | st.floats(0, 1e9), COUNT, COUNT, COUNT)


@given(
    usage=WHOLE_USAGES,
    reasoning=st.none() | TEXTS,
    logprobs=st.none() | st.lists(st.floats(-1e9, 0), max_size=5),
    answer=ANSWERS
    | st.tuples(TEXTS, st.sampled_from(Failure)).map(lambda pair: {"error": pair[0], "failure": pair[1]}),
)
def test_all_that_a_language_model_says_comes_back_as_it_was_stored(
    usage: Usage, reasoning: str | None, logprobs: list[float] | None, answer: dict[str, Any]
) -> None:
    kept_usage = None if usage == Usage() else usage
    prediction = Prediction("a", **answer, usage=kept_usage, reasoning=reasoning, logprobs=logprobs)
    with Store(Path(":memory:")) as store:
        store.add(prediction)
        assert list(store.predictions()) == [prediction]
        assert store.find(["a"]) == {"a": prediction}


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b", "\udfff", "", "\U0010ffff", "</think>\n"])
def test_any_reasoning_can_be_stored(store: Store, text: str) -> None:
    store.add(Prediction("a", output="[]", reasoning=text))
    (kept,) = store.predictions()
    assert kept.reasoning == text.replace("\ud800", r"\ud800").replace("\udfff", r"\udfff")


def test_a_failure_of_no_kind_is_the_adapters(store: Store) -> None:
    store.add(FAILED)
    assert next(store.predictions()).failure is Failure.ADAPTER


def test_an_answer_takes_the_kind_of_its_failure_away(store: Store) -> None:
    store.add(Prediction("a", error="429", failure=Failure.RATE_LIMIT))
    store.add(GOOD)
    assert list(store.predictions()) == [GOOD]


def test_the_requests_of_a_failed_sample_and_of_its_answer_add_up(store: Store) -> None:
    store.add(Prediction("a", error="503", failure=Failure.SERVER, usage=Usage(requests=6)))
    store.add(Prediction("a", error="503", failure=Failure.SERVER, usage=Usage(requests=6)))
    store.add(Prediction("a", output="[]", usage=Usage(10, 2, 0.5, requests=1)))
    assert store.sums().usage == Usage(10, 2, 0.5, requests=13)
    assert store.sums().asked == 1


@pytest.mark.parametrize(("first", "then", "sum_of_both"), [(None, 2, 2), (3, None, 3), (None, None, None)])
def test_requests_that_are_not_stated_count_as_none(
    store: Store, first: int | None, then: int | None, sum_of_both: int | None
) -> None:
    store.add(Prediction("a", error="503", usage=Usage(requests=first)))
    store.add(Prediction("a", output="[]", usage=Usage(requests=then)))
    assert store.sums().usage.requests == sum_of_both


def test_what_came_from_a_cache_was_not_paid(store: Store) -> None:
    store.add(Prediction("a", output="[]", usage=Usage(10, 2, 0.5, requests=1)))
    store.add(Prediction("b", output="[]", usage=Usage(100, 20, 0.0, requests=0)))
    store.add(Prediction("c", output="[]", usage=Usage(7, 1, 0.1)))  # a system that does not count requests
    store.add(Prediction("d", error="503", usage=Usage(requests=2)))
    assert store.sums().usage == Usage(117, 23, 0.6, requests=3)
    paid = store.sums(paid=True)
    assert paid.usage == Usage(17, 3, 0.6, requests=3)
    assert (paid.predictions, paid.answers) == (3, 2)
    assert list(store.paid()) == [Usage(10, 2, 0.5, requests=1), Usage(7, 1, 0.1)]


def test_an_answer_from_a_cache_is_not_paid_though_the_sample_was_asked_for_before(store: Store) -> None:
    store.add(Prediction("a", error="timeout", failure=Failure.TIMEOUT, usage=Usage(requests=6)))
    store.add(Prediction("a", output="[]", usage=Usage(1000, 10, 0.0, requests=0)))
    assert store.sums().usage.requests == 6
    assert (list(store.paid()), store.sums(paid=True).answers, list(store.seconds())) == ([], 0, [])


@pytest.mark.parametrize("number", [0, 1, 4096, 5000])
def test_sums_over_some_samples_are_of_these_alone(store: Store, number: int) -> None:
    store.add_all(Prediction(str(each), output="x", usage=Usage(each, 1, 0.5, requests=1)) for each in range(6000))
    sums = store.sums(map(str, range(number)))
    assert (sums.predictions, sums.answers, sums.asked) == (number, number, number)
    assert (sums.usage.input_tokens or 0, sums.usage.output_tokens or 0) == (sum(range(number)), number)
    assert sums.longest == (number - 1 if number else None)
    assert len(list(store.seconds(map(str, range(number))))) == number
    assert store.sums(map(str, range(6000))) == store.sums()


def test_answers_that_state_no_tokens_are_counted(store: Store) -> None:
    store.add(Prediction("a", output="x", usage=Usage(10, 2)))
    store.add(Prediction("b", output="x", usage=Usage(None, 3)))
    store.add(Prediction("c", output="x"))
    store.add(Prediction("d", error="503"))
    sums = store.sums()
    assert (sums.predictions, sums.answers, sums.without_input, sums.without_output) == (4, 3, 2, 1)
    assert store.number() == 4


def test_latencies_are_of_answers_that_were_asked_for(store: Store) -> None:
    for key, seconds, requests in (("a", 0.5, 1), ("b", 0.1, 3), ("c", 0.0, 0), ("d", 9.0, None)):
        store.add(Prediction(key, output="[]", usage=Usage(seconds=seconds, requests=requests)))
    store.add(Prediction("e", error="503", usage=Usage(seconds=7.0, requests=1)))
    assert sorted(store.seconds()) == [0.1, 0.5]


def test_the_time_of_all_sessions_is_summed_and_that_of_each_is_its_last_note(store: Store) -> None:
    assert store.wall_seconds() is None
    for started, seconds in ((1000.0, 1.0), (1000.0, 2.5), (2000.0, 4.0)):
        store.spent(started, seconds)
    assert store.wall_seconds() == 6.5


def test_lasting_failures_are_told_apart(store: Store) -> None:
    for failure in Failure:
        store.add(Prediction(failure.name, error="it failed", failure=failure))
    store.add(Prediction("good", output="[]"))
    every = ["good", "absent", *(failure.name for failure in Failure)]
    lasting = {failure.name for failure in Failure if failure.lasting}
    assert lasting == {"CONTEXT_LENGTH", "REJECTED"}
    assert store.unanswered(every) == set(every) - {"good"}
    assert store.unanswered(every, lasting=True) == set(every) - {"good"} - lasting
    assert (store.number_kept(), store.number_kept(lasting=True)) == (1, 1 + len(lasting))
    assert len(store.failed()) == len(Failure)


# Stores of version 1


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as the first version made it: a good answer, a text, and a failure."""
    path = tmp_path / "old.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(f"{_MIGRATIONS[0]}; PRAGMA user_version = 1")
    connection.executemany(
        "INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            ("a", '[{"entity": "Bure"}]', None, None, None, None, None, None, 1),
            ("b", None, "text", "length", 10, 2, 0.5, None, 2),
            ("c", None, None, None, 5, None, None, "no connection", 3),
        ],
    )
    connection.commit()
    connection.close()
    return path


def test_a_store_of_version_1_keeps_everything(old: Path) -> None:
    for _ in range(2):  # while it is brought up to date, and after
        with Store(old) as store:
            assert list(store.predictions()) == [
                Prediction("a", records=[{"entity": "Bure"}]),
                Prediction("b", output="text", finish_reason="length", usage=Usage(10, 2, 0.5)),
                Prediction("c", error="no connection", failure=Failure.ADAPTER, usage=Usage(5)),
            ]
            assert store.sums().usage == Usage(15, 2, 0.5)
            assert store.wall_seconds() is None


def test_the_answers_of_a_store_of_version_2_stay_paid_or_from_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "second.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(f"{';'.join(_MIGRATIONS[:2])}; PRAGMA user_version = 2")
    rows = [("a", 10, 2), ("b", 100, 0), ("c", 1000, None)]
    connection.executemany(
        "INSERT INTO predictions (sample_id, input_tokens, requests, attempts) VALUES (?, ?, ?, 1)", rows
    )
    connection.commit()
    connection.close()
    with Store(path) as store:
        assert sorted(usage.input_tokens or 0 for usage in store.paid()) == [10, 1000]


def test_old_failures_are_asked_again(old: Path) -> None:
    with Store(old) as store:
        assert store.unanswered(["a", "b", "c"], lasting=True) == {"c"}
        store.add(Prediction("c", output="[]", usage=Usage(9, 1, 0.1, requests=1)))
        assert store.answered() == {"a", "b", "c"}


def test_an_old_store_takes_new_predictions(old: Path) -> None:
    new = Prediction("d", output="[]", usage=Usage(1, 2, 3.0, 4, 5, 6), reasoning="because", logprobs=[-0.5])
    with Store(old) as store:
        store.add(new)
        assert store.find(["d"]) == {"d": new}


def test_the_number_of_attempts_is_kept_and_counted_on(old: Path) -> None:
    with Store(old) as store:
        store.add(Prediction("c", output="[]"))
    connection = sqlite3.connect(old)
    assert connection.execute("SELECT attempts FROM predictions ORDER BY sample_id").fetchall() == [(1,), (2,), (4,)]
    connection.close()


def test_a_migration_that_breaks_off_leaves_the_old_store(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("massie.running.store._MIGRATIONS", (_MIGRATIONS[0], f"{_MIGRATIONS[1]}; SELECT * FROM absent"))
        with pytest.raises(RunError, match="cannot be used as the store of a run"):
            Store(old)
    with Store(old) as store:
        assert store.answered() == {"a", "b"}
        assert store.sums().usage == Usage(15, 2, 0.5)
