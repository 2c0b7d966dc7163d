from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.results import read_result
from massie.running import Store
from massie.running.store import _MIGRATIONS  # pyright: ignore[reportPrivateUsage]

Massie = Callable[..., Any]

PART = ("--task", "EE", "--language", "swa")
RUN = ("run", "m-demo", "--adapter", "mine.py:Mine", *PART)


# Runs


def test_scoring_a_run_again_changes_nothing(massie: Massie, lexicon: tuple[Path, Any]) -> None:
    shutil.copytree(lexicon[0] / "runs", "runs")
    before = read_result(Path("runs/local/lexicon/m-demo/result.json"))
    done = massie("score", "runs/local/lexicon/m-demo", "--json")
    assert done.code == 0, done.err
    assert done.json["rows"] == [row.model_dump(mode="json") for row in before.rows]


def test_the_number_of_processes_that_score_changes_nothing(massie: Massie, lexicon: tuple[Path, Any]) -> None:
    shutil.copytree(lexicon[0] / "runs", "runs")
    one, two = (massie("score", "runs/local/lexicon/m-demo", "--workers", number, "--json") for number in "12")
    assert (one.code, one.json["rows"]) == (0, two.json["rows"])


def test_sacrebleu_and_rouge_are_scored_where_they_are_asked_for_and_change_no_other_score(
    massie: Massie, lexicon: tuple[Path, Any]
) -> None:
    shutil.copytree(lexicon[0] / "runs", "runs")
    without = massie("score", "runs/local/lexicon/m-demo", "--json").json["rows"]
    done = massie("score", "runs/local/lexicon/m-demo", "--text-overlap", "--json")
    assert done.code == 0, done.err
    for row, plain in zip(done.json["rows"], without, strict=True):
        added = {name: row["scores"].pop(name) for name in ("sacrebleu", "rouge1")}
        assert row == plain
        assert all(0 <= each["low"] <= each["value"] <= each["high"] <= 100 for each in added.values())
    shown = massie("score", "runs/local/lexicon/m-demo", "--text-overlap").out
    assert "SacreBLEU" in shown and "ROUGE-1" in shown


def test_a_part_of_a_run_is_scored(massie: Massie, lexicon: tuple[Path, Any]) -> None:
    shutil.copytree(lexicon[0] / "runs", "runs")
    done = massie("score", "runs/local/lexicon/m-demo", "--task", "ED", "--json")
    assert (done.json["partial"], done.json["coverage"]["samples"]) == (True, 60)


@pytest.mark.usefixtures("system")
def test_a_run_of_a_part_is_scored_on_that_part_again(massie: Massie) -> None:
    assert massie(*RUN, "--limit", "1").code == 0
    assert massie("score", "runs/local/mine/m-demo").code == 0
    result = read_result(Path("runs/local/mine/m-demo/result.json"))
    assert (result.benchmark.tasks, result.benchmark.languages, result.benchmark.limit) == (["EE"], ["swa"], 1)
    assert result.command.startswith("massie run m-demo --adapter mine.py:Mine ")


@pytest.mark.usefixtures("system")
def test_scoring_more_than_what_was_answered_needs_partial(massie: Massie) -> None:
    massie(*RUN)
    done = massie("score", "runs/local/mine/m-demo", "--task", "ED")
    assert done.code == 2
    assert "samples have no answer" in done.err
    assert massie("score", "runs/local/mine/m-demo", "--task", "EE", "--partial").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("absent",), "absent: there is no such run folder or predictions file"),
        (("empty",), "empty: is not the folder of a run (run.json is missing)"),
        (("file.jsonl",), "file.jsonl: name the benchmark that it answers: --benchmark m-demo, say"),
        (("file.jsonl", "--benchmark", "m-dmo"), "unknown benchmark 'm-dmo'; did you mean 'm-demo'"),
    ],
)
def test_what_cannot_be_scored_is_one_line_and_code_2(
    massie: Massie, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.jsonl").touch()
    done = massie("score", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1


# Predictions files


SCORE = ("score", "answers.jsonl", "--benchmark", "m-demo", *PART)


@pytest.fixture
def lines(ids: list[str]) -> list[str]:
    """The lines of a file that answers a part of M-DEMO."""
    return [json.dumps({"id": key, "records": []}) for key in ids]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[str]], None]:
    """Writes ``answers.jsonl``."""

    def write(lines: list[str]) -> None:
        (tmp_path / "answers.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return write


Write = Callable[[list[str]], None]


def test_a_predictions_file_scores_as_the_run_that_it_came_from(massie: Massie, lexicon: tuple[Path, Any]) -> None:
    folder = lexicon[0] / "runs/local/lexicon/m-demo"
    with Store(folder / "predictions.sqlite") as store:
        lines = [json.dumps({"id": one.sample_id, "records": one.records}) for one in store.predictions()]
    Path("answers.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = massie("score", "answers.jsonl", "--benchmark", "m-demo", "--name", "my-system", "--json")
    assert done.code == 0, done.err
    assert done.json["rows"] == [row.model_dump(mode="json") for row in read_result(folder / "result.json").rows]
    assert done.json["system"]["name"] == "my-system"
    assert done.json["partial"] is False
    assert Path("runs/local/my-system/m-demo/result.json").exists()


def test_a_predictions_file_is_named_after_its_file(massie: Massie, write: Write, lines: list[str]) -> None:
    write(lines)
    assert massie(*SCORE, "--json").json["system"]["name"] == "answers"


def test_scoring_a_predictions_file_twice_gives_the_same(massie: Massie, write: Write, lines: list[str]) -> None:
    write(lines)
    assert massie(*SCORE).out == massie(*SCORE).out


def test_a_changed_predictions_file_is_another_system(massie: Massie, write: Write, lines: list[str]) -> None:
    write(lines)
    assert massie(*SCORE).code == 0
    write(lines[::-1])
    done = massie(*SCORE)
    assert done.code == 2
    assert "options.sha256 was " in done.err
    assert massie(*SCORE, "--name", "second").code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda lines: [*lines, '{"id": "stranger", "records": []}'],
            "answers.jsonl:4: sample 'stranger' is not one of",
        ),
        (lambda lines: [*lines, lines[0]], "is answered twice, first in line 1; keep one"),
        (lambda lines: [lines[0], lines[1][:-5], lines[2]], "answers.jsonl:2: Invalid JSON: "),
        (lambda lines: [lines[0], '{"id": "x"}'], "answers.jsonl:2: exactly one of records, output and error"),
        (lambda lines: [lines[0], lines[1].replace("records", "record")], "answers.jsonl:2: record: unknown key"),
        (lambda lines: lines[1:], "answers.jsonl: answers 2 of 3 samples; answer the others, or add --partial"),
        (lambda lines: [], "answers.jsonl: answers 0 of 3 samples"),
    ],
)
def test_a_faulty_predictions_file_is_one_line_and_leaves_nothing(
    massie: Massie, write: Write, lines: list[str], change: Callable[[list[str]], list[str]], said: str
) -> None:
    write(change(lines))
    done = massie(*SCORE)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("runs").exists()


def test_an_incomplete_predictions_file_is_scored_in_part(massie: Massie, write: Write, lines: list[str]) -> None:
    write([*lines[1:], '{"id": "' + json.loads(lines[0])["id"] + '", "error": "no connection"}'])
    done = massie(*SCORE, "--partial", "--json")
    assert done.code == 0, done.err
    assert (done.json["partial"], done.json["coverage"]["samples"]) == (True, 2)


def test_failed_lines_of_a_predictions_file_are_scored_as_invalid_where_that_is_asked_for(
    massie: Massie, write: Write, lines: list[str], ids: list[str]
) -> None:
    write([*lines[1:], json.dumps({"id": ids[0], "error": "no connection"})])
    assert massie(*SCORE).code == 2
    done = massie(*SCORE, "--failed-as-invalid", "--json")
    assert done.code == 0, done.err
    assert (done.json["coverage"]["samples"], done.json["coverage"]["failed"]) == (3, 1)
    assert done.json["rows"][0]["diagnostics"]["invalid"] == 1


def test_lines_that_are_missing_are_not_scored_as_invalid(massie: Massie, write: Write, lines: list[str]) -> None:
    write(lines[1:])
    done = massie(*SCORE, "--failed-as-invalid")
    assert done.code == 2
    assert "answers 2 of 3 samples" in done.err


def test_a_predictions_file_without_any_answer_cannot_be_scored(massie: Massie, write: Write) -> None:
    write([])
    done = massie(*SCORE, "--partial")
    assert done.code == 2
    assert "no sample has an answer yet" in done.err


def test_a_name_that_is_too_long_is_cut(massie: Massie, write: Write, lines: list[str]) -> None:
    write(lines)
    done = massie(*SCORE, "--name", "n" * 300, "--json")
    assert done.code == 0, done.err
    assert len(done.json["system"]["name"]) == 200


# Failed samples and drawn parts


@pytest.mark.usefixtures("system")
def test_a_run_with_failures_is_scored_without_them_or_with_them_as_invalid(
    massie: Massie, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE_FAILS", ids[1])
    assert massie(*RUN).code == 1
    words = ("score", "runs/local/mine/m-demo", *PART, "--json")
    assert massie(*words).code == 2
    in_part = massie(*words, "--partial").json
    assert (in_part["coverage"]["samples"], in_part["rows"][0]["diagnostics"]["invalid"]) == (len(ids) - 1, 0)
    as_invalid = massie(*words, "--failed-as-invalid").json
    assert (as_invalid["coverage"]["samples"], as_invalid["rows"][0]["diagnostics"]["invalid"]) == (len(ids), 1)
    assert in_part["coverage"]["failed"] == as_invalid["coverage"]["failed"] == 1


@pytest.mark.usefixtures("system")
def test_what_was_never_asked_is_not_scored_as_invalid(massie: Massie) -> None:
    assert massie(*RUN).code == 0
    done = massie("score", "runs/local/mine/m-demo", "--task", "EE", "--failed-as-invalid")
    assert done.code == 2
    assert "45 of 48 samples have no answer (0 of them failed)" in done.err


def test_a_whole_run_with_failures_as_invalid_is_whole_and_says_how_many(
    massie: Massie, lexicon: tuple[Path, Any]
) -> None:
    shutil.copytree(lexicon[0] / "runs", "runs")
    folder = Path("runs/local/lexicon/m-demo")
    connection = sqlite3.connect(folder / "predictions.sqlite")
    with connection:
        connection.execute(
            "UPDATE predictions SET error = 'too long', failure = 'context length', records = NULL WHERE sample_id IN "
            "(SELECT sample_id FROM predictions LIMIT 2)"
        )
    connection.close()
    assert massie("score", folder).code == 2
    done = massie("score", folder, "--failed-as-invalid", "--json")
    assert done.code == 0, done.err
    coverage = done.json["coverage"]
    assert (done.json["partial"], coverage["samples"], coverage["failed"]) == (False, 432, 2)


@pytest.mark.usefixtures("system")
def test_a_run_of_so_many_samples_is_scored_on_the_same_again(massie: Massie) -> None:
    first = massie("run", "m-demo", "--adapter", "mine.py:Mine", "--max-samples", "12", "--json").json
    again = massie("score", "runs/local/mine/m-demo", "--json").json
    assert first["benchmark"]["max_samples"] == again["benchmark"]["max_samples"] == 12
    assert first["coverage"] == again["coverage"]
    assert first["rows"] == again["rows"]


def test_a_run_whose_store_is_of_the_first_version_is_scored(massie: Massie, lexicon: tuple[Path, Any]) -> None:
    shutil.copytree(lexicon[0] / "runs", "runs")
    folder = Path("runs/local/lexicon/m-demo")
    with Store(folder / "predictions.sqlite") as store:
        rows = [(one.sample_id, json.dumps(one.records)) for one in store.predictions()]
    for path in folder.glob("predictions.sqlite*"):
        path.unlink()
    connection = sqlite3.connect(folder / "predictions.sqlite")
    connection.executescript(f"{_MIGRATIONS[0]}; PRAGMA user_version = 1")
    connection.executemany("INSERT INTO predictions (sample_id, records, attempts) VALUES (?, ?, 1)", rows)
    connection.commit()
    connection.close()
    before = read_result(folder / "result.json")
    done = massie("score", folder, "--json")
    assert done.code == 0, done.err
    assert done.json["rows"] == [row.model_dump(mode="json") for row in before.rows]
