from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from frames import pd
from hypothesis import given
from hypothesis import strategies as st
from reading import TASKS, visible
from table import Board, cache_file, find, read_board

from massie.catalogue import metric_cards
from massie.results import RATES, rates

Publish = Callable[..., Path]


def load(runs: Path, cache: Path | None = None) -> Board:
    return read_board(*find([runs]), cache)


# ---- Reading


def test_rates_are_those_of_the_scoring(runs: Path, publish: Publish) -> None:
    path = publish("mine")
    row = json.loads(path.read_text(encoding="utf-8"))["rows"][0]
    stored = load(runs).rows.iloc[0]
    expected = rates(row["diagnostics"], row["samples"])
    assert {name: stored[name] for name in RATES} == pytest.approx(expected)


def test_the_same_folder_name_in_two_folders_of_runs_counts_twice(runs: Path, publish: Publish) -> None:
    publish("mine")
    files, _ = find([runs, runs])
    assert [file.id for file in files] == ["mine/m-demo", "mine/m-demo (2)"]


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    files, rejected = find([tmp_path / "nowhere"])
    assert not files
    assert "is not a folder" in rejected[0].reason


HOSTILE = {
    "truncated JSON": '{"schema_version": 1, "system": {',
    "a list": "[]",
    "deep nesting": "[" * 100_000,
    "wrong types": json.dumps({"schema_version": 1, "system": 5, "rows": "many"}),
    "a newer schema": json.dumps({"schema_version": 99}),
    "a lone surrogate as key": '{"schema_version": 1, "\\ud800<script>": 1}',
    "a number too long": '{"schema_version": ' + "9" * 5000 + "}",
    "not UTF-8": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_broken_file_is_left_out_with_a_reason_in_one_line(
    runs: Path, publish: Publish, content: str | bytes
) -> None:
    publish("mine")
    bad = runs / "bad" / "m-demo" / "result.json"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    board = load(runs)
    assert list(board.systems["name"]) == ["mine"]
    (rejected,) = board.rejected
    assert rejected.id == "bad/m-demo"
    assert 0 < len(rejected.reason) < 400
    assert "\n" not in rejected.reason
    assert str(runs) not in rejected.reason
    rejected.reason.encode()


@pytest.mark.parametrize(
    "change",
    [
        {"system": {"name": "x" * 10_000_000}},
        {"system": {"parameters": 10**30}},
        {"coverage": {"cells": -1}},
        {"coverage": {"samples": 10**40}},
        {"usage": {"seconds": 1.0, "input_tokens": -5}},
    ],
)
def test_impossible_values_are_left_out(runs: Path, publish: Publish, change: dict[str, dict[str, object]]) -> None:
    path = publish("mine")
    plain = json.loads(path.read_text(encoding="utf-8"))
    for field, values in change.items():
        plain[field] |= values
    path.write_text(json.dumps(plain), encoding="utf-8")
    board = load(runs)
    assert board.systems.empty
    assert len(board.rejected[0].reason) < 400


def test_what_is_no_regular_file_is_left_out_unopened(runs: Path) -> None:
    (runs / "pipe").mkdir()
    os.mkfifo(runs / "pipe" / "result.json")
    (runs / "link").mkdir()
    (runs / "link" / "result.json").symlink_to("/etc/hostname")
    board = load(runs)
    assert [rejected.id for rejected in board.rejected] == ["link", "pipe"]


def test_characters_that_hide_or_reorder_others_are_made_visible() -> None:
    assert visible("a\u202eb\x00c\nd") == "a\ufffdb\ufffdc d"
    assert visible("می\u200cخواهم") == "می\u200cخواهم"
    assert visible(None) == ""


@given(st.text())
def test_visible_text_is_one_line_that_can_be_encoded(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1


def test_of_rows_with_one_place_the_first_counts(runs: Path, publish: Publish) -> None:
    path = publish("mine", 50.0)
    plain = json.loads(path.read_text(encoding="utf-8"))
    plain["rows"].append(plain["rows"][0] | {"scores": {"lf1": {"value": 99.0, "low": 99.0, "high": 99.0}}})
    path.write_text(json.dumps(plain), encoding="utf-8")
    rows = load(runs).rows
    assert list(rows[rows["level"] == "overall"]["lf1"]) == [50.0]


# ---- The table in the cache


def test_the_stored_table_gives_the_same_board(runs: Path, publish: Publish, tmp_path: Path) -> None:
    publish("a", 40.0)
    publish("b", 60.0, system={"parameters": 8_000_000_000, "open_weights": True})
    (runs / "bad").mkdir()
    (runs / "bad" / "result.json").write_text("{", encoding="utf-8")
    cache = cache_file([runs])
    first = load(runs, cache)
    assert cache.is_file()
    again = load(runs, cache)
    pd.testing.assert_frame_equal(first.rows, again.rows)
    pd.testing.assert_frame_equal(first.systems, again.systems)
    assert first.rejected == again.rejected


def test_a_changed_file_is_read_again_and_a_deleted_one_forgotten(runs: Path, publish: Publish) -> None:
    cache = cache_file([runs])
    gone, changed = publish("gone", 40.0), publish("changed", 60.0)
    load(runs, cache)
    gone.unlink()
    text = changed.read_text(encoding="utf-8").replace('"value": 60.0', '"value": 61.0')
    changed.write_text(text + " ", encoding="utf-8")
    board = load(runs, cache)
    assert list(board.systems["name"]) == ["changed"]
    assert list(board.rows[board.rows["level"] == "overall"]["lf1"]) == [61.0]
    assert set(board.rows["id"]) == {"changed/m-demo"}


@pytest.mark.parametrize("content", [b"", b"PAR1 rubbish PAR1"])
def test_a_damaged_cache_is_built_anew(runs: Path, publish: Publish, content: bytes) -> None:
    publish("mine")
    cache = cache_file([runs])
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content)
    assert list(load(runs, cache).systems["name"]) == ["mine"]
    assert len(cache.read_bytes()) > len(content)


def test_a_cache_that_cannot_be_written_is_no_hindrance(runs: Path, publish: Publish, tmp_path: Path) -> None:
    publish("mine")
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert list(load(runs, tmp_path / "file" / "board.parquet").systems["name"]) == ["mine"]


def test_every_ranked_score_has_a_metric_card_of_its_own() -> None:
    cards = metric_cards()
    assert next(iter(cards)) == "lf1"
    assert set(RATES) <= set(cards)
    assert len({card.title for card in cards.values()}) == len(cards)
    assert len(TASKS) == 5
