from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import csv_text, json_text, latex_text
from frames import pd
from hypothesis import given
from hypothesis import strategies as st
from metric_cards import metric_cards
from ranking import OVERALL, Place, benchmarks, of_benchmark, places, standings
from reading import RATES, TASKS, visible
from table import Board, cache_file, find, read_board

from massie.results import diagnostics_rates

Publish = Callable[..., Path]


def load(runs: Path, cache: Path | None = None) -> Board:
    return read_board(*find([runs]), cache)


def ranks(board: Board, task: str = OVERALL, place: Place | None = None, score: str = "lf1") -> dict[str, object]:
    systems = of_benchmark(board, benchmarks(board)[0])
    table = standings(board, systems, task, place or Place(), metric_cards()[score])
    return {row["label"]: None if pd.isna(row["rank"]) else int(row["rank"]) for _, row in table.iterrows()}


# ---- What is ranked


def test_systems_are_ranked_by_score(runs: Path, publish: Publish) -> None:
    publish("low", 40.0)
    publish("high", 60.0)
    assert ranks(load(runs)) == {"high": 1, "low": 2}


def test_equal_scores_share_a_rank(runs: Path, publish: Publish) -> None:
    publish("a", 60.0)
    publish("b", 60.0)
    publish("c", 50.0)
    assert ranks(load(runs)) == {"a": 1, "b": 1, "c": 3}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"partial": True}, "partial"),
        ({"coverage": {"cells": 9}}, "covers 9 of 10 cells"),
        ({"coverage": {"samples": 399}}, "covers 399 of 400 samples"),
        ({"benchmark": {"languages": ["eng", "swa"]}}, "restricted to languages: eng, swa"),
        ({"benchmark": {"limit": 5}}, "restricted to at most 5 instances of a cell"),
    ],
)
def test_what_covers_less_than_the_benchmark_is_never_ranked(
    runs: Path, publish: Publish, changes: dict[str, object], state: str
) -> None:
    publish("whole", 40.0)
    publish("less", 90.0, **changes)
    board = load(runs)
    assert ranks(board) == {"less": None, "whole": 1}
    assert of_benchmark(board, benchmarks(board)[0]).set_index("name")["state"]["less"] == state


def test_floor_and_ceiling_are_shown_without_a_rank(runs: Path, publish: Publish) -> None:
    publish("gold", 100.0, adapter="gold")
    publish("empty", 30.0, adapter="empty")
    publish("mine", 50.0)
    assert ranks(load(runs)) == {"gold": None, "mine": 1, "empty": None}


def test_results_of_other_samples_are_never_set_beside_each_other(runs: Path, publish: Publish) -> None:
    publish("a")
    publish("b")
    publish("other", 99.0, benchmark={"manifest_digest": "1" * 64})
    board = load(runs)
    assert [benchmark.systems for benchmark in benchmarks(board)] == [2, 1]
    assert set(ranks(board)) == {"a", "b"}


def test_the_benchmark_with_most_results_comes_first(runs: Path, publish: Publish) -> None:
    publish("old", benchmark={"version": "0"})
    publish("new-a")
    publish("new-b")
    assert benchmarks(load(runs))[0].version == "1"


def test_overlapping_intervals_are_told_for_the_system_above(runs: Path, publish: Publish) -> None:
    publish("first", 60.0, 1.0)
    publish("second", 58.5, 1.0)
    publish("third", 50.0, 1.0)
    board = load(runs)
    systems = of_benchmark(board, benchmarks(board)[0])
    table = standings(board, systems, OVERALL, Place(), metric_cards()["lf1"])
    assert [None if pd.isna(above) else above for above in table["above"]] == [None, "overlaps", "apart"]


def test_a_rate_that_is_better_when_lower_ranks_the_lowest_first(runs: Path, publish: Publish) -> None:
    publish("faulty", 60.0, rows=faulty_rows(60.0, invalid=50))
    publish("clean", 40.0)
    assert ranks(load(runs), score="invalid_rate") == {"clean": 1, "faulty": 2}


def faulty_rows(score: float, invalid: int) -> list[dict[str, object]]:
    value = {"value": score, "low": score, "high": score}
    counts = {"invalid": invalid, "predicted": 10, "malformed": 0}
    row = {"instances": 100, "samples": 200, "scores": {"lf1": value}, "diagnostics": counts}
    return [{"level": "overall", "task": None, "key": "overall", **row}]


def test_nothing_is_ranked_by_what_has_no_better_and_worse(runs: Path, publish: Publish) -> None:
    publish("a")
    assert ranks(load(runs), score="empty_rate") == {"a": None}


# ---- Languages, families, scripts


def test_a_place_takes_the_scores_of_its_own_rows(runs: Path, publish: Publish) -> None:
    publish("mine", 50.0)
    board = load(runs)
    systems = of_benchmark(board, benchmarks(board)[0])
    card = metric_cards()["lf1"]
    scores = {place: standings(board, systems, "NER", place, card)["score"].iloc[0] for place in places(board, systems)}
    assert scores[Place("language", "swa")] == 50 + 4 - 20
    assert scores[Place("family", "Indo-European")] == 50 + 4 + 20
    assert scores[Place("script", "Arab")] == 50 + 4 - 5


def test_over_all_tasks_a_place_has_the_mean_of_its_tasks_without_an_interval(runs: Path, publish: Publish) -> None:
    publish("mine", 50.0)
    board = load(runs)
    systems = of_benchmark(board, benchmarks(board)[0])
    row = standings(board, systems, OVERALL, Place("language", "eng"), metric_cards()["lf1"]).iloc[0]
    assert row["score"] == pytest.approx(70.0)
    assert pd.isna(row["low"])


def test_where_a_place_has_one_task_its_interval_is_kept(runs: Path, publish: Publish) -> None:
    publish("mine", 50.0, tasks={"NER": 0.0})
    board = load(runs)
    systems = of_benchmark(board, benchmarks(board)[0])
    row = standings(board, systems, OVERALL, Place("language", "eng"), metric_cards()["lf1"]).iloc[0]
    assert (row["score"], row["low"], row["high"]) == (70.0, 69.0, 71.0)


def test_no_system_is_dropped_where_it_has_no_score(runs: Path, publish: Publish) -> None:
    publish("both")
    publish("ner-only", 90.0, tasks={"NER": 0.0})
    assert ranks(load(runs), task="RE") == {"both": 1, "ner-only": None}


def test_a_system_that_lacks_a_task_of_a_place_has_no_mean_there(runs: Path, publish: Publish) -> None:
    publish("both", 40.0)
    publish("both-too", 30.0)
    publish("ner-only", 90.0, tasks={"NER": 0.0})
    assert ranks(load(runs), place=Place("language", "eng")) == {"both": 1, "both-too": 2, "ner-only": None}


# ---- Reading


def test_rates_are_those_of_the_scoring(runs: Path, publish: Publish) -> None:
    path = publish("mine")
    row = json.loads(path.read_text(encoding="utf-8"))["rows"][0]
    stored = load(runs).rows.iloc[0]
    expected = diagnostics_rates(row["diagnostics"], row["samples"])
    assert {name: stored[name] for name in RATES} == pytest.approx(expected)


def test_two_systems_of_one_name_can_be_told_apart(runs: Path, publish: Publish) -> None:
    publish("same", 40.0, folder="one")
    publish("same", 60.0, folder="two")
    assert set(ranks(load(runs))) == {"same [one/m-demo]", "same [two/m-demo]"}


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


# ---- Downloads


def test_csv_defuses_what_a_spreadsheet_would_run() -> None:
    table = pd.DataFrame({"System": ["=1+2", "-x", "plain"], "LF1": [-1.5, 2.0, 3.0]})
    assert csv_text(table).splitlines() == ["System,LF1", "'=1+2,-1.5", "'-x,2.0", "plain,3.0"]


def test_json_keeps_numbers_and_says_null() -> None:
    table = pd.DataFrame({"System": ["<b>"], "LF1": [float("nan")], "Rank": pd.array([None], dtype="Int64")})
    assert json.loads(json_text(table)) == [{"System": "<b>", "LF1": None, "Rank": None}]


def test_latex_escapes_every_text() -> None:
    table = pd.DataFrame({"System": [r"\input{x} & 50% $_^~#<>"], "LF1": [62.34]})
    cell = r"\textbackslash{}input\{x\} \& 50\% \$\_\textasciicircum{}\textasciitilde{}\#\textless{}\textgreater{}"
    lines = latex_text(table, "a_b").splitlines()
    assert rf"{cell} & 62.3 \\" in lines
    assert r"\caption{a\_b}" in lines
    assert r"\begin{tabular}{lr}" in lines


def test_every_ranked_score_has_a_metric_card_of_its_own() -> None:
    cards = metric_cards()
    assert next(iter(cards)) == "lf1"
    assert set(RATES) <= set(cards)
    assert len({card.title for card in cards.values()}) == len(cards)
    assert len(TASKS) == 5
