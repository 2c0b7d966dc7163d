from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from frames import pd
from ranking import OVERALL, Place, benchmarks, of_benchmark, places, standings
from table import Board, find, read_board

from massie.catalogue import metric_cards

Publish = Callable[..., Path]


def load(runs: Path) -> Board:
    return read_board(*find([runs]))


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
        ({"benchmark": {"limit": 5}}, "restricted to at most 5 samples of a cell"),
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


def test_a_benchmark_goes_by_the_score_that_its_results_name(runs: Path, publish: Publish) -> None:
    publish("mine", benchmark={"aggregation": {"score": "micro_f1", "over": "datasets"}})
    assert benchmarks(load(runs))[0].headline == "micro_f1"


@pytest.mark.parametrize("changes", [{}, {"aggregation": {"score": "<b>no score</b>", "over": "datasets"}}])
def test_a_benchmark_whose_results_name_no_known_score_goes_by_lf1(
    runs: Path, publish: Publish, changes: dict[str, object]
) -> None:
    publish("mine", benchmark=changes)
    assert benchmarks(load(runs))[0].headline == "lf1"


def test_overlapping_intervals_are_told_for_the_system_above(runs: Path, publish: Publish) -> None:
    publish("first", 60.0, 1.0)
    publish("second", 58.5, 1.0)
    publish("third", 50.0, 1.0)
    board = load(runs)
    systems = of_benchmark(board, benchmarks(board)[0])
    table = standings(board, systems, OVERALL, Place(), metric_cards()["lf1"])
    assert [None if pd.isna(above) else above for above in table["above"]] == [None, "overlaps", "apart"]


def test_a_diagnostic_sorts_but_never_ranks(runs: Path, publish: Publish) -> None:
    publish("faulty", 60.0, rows=faulty_rows(60.0, invalid=50))
    publish("clean", 40.0)
    assert list(ranks(load(runs), score="invalid_rate").items()) == [("clean", None), ("faulty", None)]


def faulty_rows(score: float, invalid: int) -> list[dict[str, object]]:
    value = {"value": score, "low": score, "high": score}
    counts = {"invalid": invalid, "predicted": 10, "malformed": 0}
    row = {"instances": 100, "samples": 200, "scores": {"lf1": value}, "diagnostics": counts}
    return [{"level": "overall", "task": None, "key": "overall", **row}]


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


def test_over_all_tasks_a_place_has_the_mean_of_its_tasks_with_its_interval(runs: Path, publish: Publish) -> None:
    publish("mine", 50.0)
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


def test_two_systems_of_one_name_can_be_told_apart(runs: Path, publish: Publish) -> None:
    publish("same", 40.0, folder="one")
    publish("same", 60.0, folder="two")
    assert set(ranks(load(runs))) == {"same [one/m-demo]", "same [two/m-demo]"}
