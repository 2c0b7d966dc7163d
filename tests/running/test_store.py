from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.running import Store
from massie.types import Prediction, RunError, Usage

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
    assert store.usage() == Usage()
    store.add(Prediction("a", output="x", usage=Usage(10, 2, 0.5)))
    store.add(Prediction("b", output="x", usage=Usage(None, 3, None)))
    store.add(Prediction("c", output="x"))
    assert store.usage() == Usage(10, 5, 0.5)


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
