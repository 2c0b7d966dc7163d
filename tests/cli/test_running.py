from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.results import read_result
from massie.running import Store

Massie = Callable[..., Any]

PART = ("--task", "EE", "--language", "swa")
RUN = ("run", "m-demo", "--adapter", "mine.py:Mine", *PART)


# The first journey


def test_the_first_run_succeeds_and_leaves_a_result(lexicon: tuple[Path, Any]) -> None:
    folder, done = lexicon
    assert done.code == 0, done.err
    result = read_result(folder / "runs/local/lexicon/m-demo/result.json")
    assert result.ranked
    assert result.system.name == "lexicon"
    assert result.command == "massie run m-demo --adapter lexicon"


def test_the_first_run_fits_80_columns(lexicon: tuple[Path, Any]) -> None:
    _, done = lexicon
    lines = done.out.splitlines()
    assert max(map(len, [*lines, *done.err.splitlines()])) <= 80
    assert lines[0] == "lexicon on m-demo 1, test split"
    assert [line.split()[0] for line in lines[4:10]] == ["overall", "NER", "RE", "SF", "ED", "EE"]


def test_the_first_run_says_where_it_lies_and_what_is_next(lexicon: tuple[Path, Any]) -> None:
    assert lexicon[1].out.splitlines()[-3:] == [
        "run     runs/local/lexicon/m-demo",
        "result  runs/local/lexicon/m-demo/result.json",
        "board   massie leaderboard --runs runs/local",
    ]


def test_the_same_command_again_asks_nothing_and_says_the_same(lexicon: tuple[Path, Any], massie: Massie) -> None:
    folder, first = lexicon
    shutil.copytree(folder, Path(), dirs_exist_ok=True)
    again = massie("run", "m-demo", "--adapter", "lexicon")
    assert (again.code, again.out) == (0, first.out)


# Parts, names, folders


@pytest.mark.usefixtures("system")
def test_a_part_gives_a_result_that_is_marked_partial(massie: Massie, ids: list[str]) -> None:
    done = massie(*RUN)
    assert done.code == 0, done.err
    assert f"note: partial: {len(ids)} of 432 samples; a partial result is never ranked" in done.err


@pytest.mark.usefixtures("system")
def test_the_result_is_printed_as_json(massie: Massie) -> None:
    done = massie(*RUN, "--json")
    assert done.err == ""
    assert done.json == json.loads(Path("runs/local/mine/m-demo/result.json").read_text(encoding="utf-8"))
    assert done.json["partial"] is True


@pytest.mark.usefixtures("system")
def test_a_part_is_extended_to_the_whole_without_asking_again(massie: Massie, ids: list[str]) -> None:
    massie(*RUN)
    assert massie("run", "m-demo", "--adapter", "mine.py:Mine", "--task", "EE").code == 0
    with Store(Path("runs/local/mine/m-demo/predictions.sqlite")) as store:
        assert len(store.answered()) == 48
        assert set(ids) < store.answered()


@pytest.mark.usefixtures("system")
def test_name_and_folder_of_a_run_can_be_chosen(massie: Massie) -> None:
    assert massie(*RUN, "--name", "My System (2)", "--runs", "elsewhere").code == 0
    assert Path("elsewhere/My-System-2/m-demo/result.json").exists()


def test_a_run_on_a_build_is_the_run_on_the_bundled_data(massie: Massie, built: tuple[Path, Any]) -> None:
    first = massie("run", "m-demo", "--adapter", "gold", *PART, "--json").json
    second = massie("run", "m-demo", "--adapter", "gold", *PART, "--data", built[0], "--name", "again", "--json").json
    assert first["benchmark"] == second["benchmark"]
    assert first["rows"] == second["rows"]
    assert second["rows"][0]["scores"]["lf1"] == {"value": 100, "low": 100, "high": 100}


def test_no_folder_of_this_machine_is_in_the_result(massie: Massie, built: tuple[Path, Any], system: Path) -> None:
    words = ("--adapter", f"{system}:Mine", f"--data={built[0]}", "--runs", system.parent / "runs")
    assert massie("run", "m-demo", *words, *PART).code == 0
    text = (system.parent / "runs/mine/m-demo/result.json").read_text(encoding="utf-8")
    assert str(system.parent) not in text
    assert str(built[0].parent) not in text


# Faults


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("m-dmo", "--adapter", "empty"), "unknown benchmark 'm-dmo'; did you mean 'm-demo'"),
        (("m-demo", "--adapter", "emty"), "unknown adapter 'emty'; did you mean 'empty'"),
        (("m-demo", "--adapter", "empty", "--task", "NEE"), "unknown task 'NEE'; did you mean "),
        (("m-demo", "--adapter", "empty", "--language", "swaa"), "unknown language 'swaa'; did you mean 'swa'"),
        (("m-demo", "--adapter", "empty", "--language", "fra"), "unknown language 'fra'"),
        (("m-demo", "--adapter", "empty", "--dataset", "demo-natur"), "did you mean 'demo-nature'"),
        (("m-demo", "--adapter", "empty", "--split", "tset"), "unknown split 'tset'; did you mean 'test'"),
        (("m-demo", "--adapter", "empty", "--option", "x=1"), "unexpected keyword argument 'x'"),
        (("m-demo", "--adapter", "empty", "--task", "RE", "--dataset", "demo-nature"), "no test samples"),
        (("m-demo", "--adapter", "empty", "--data", "absent"), "absent: holds no build"),
        (("m-demo", "--adapter", "process", "--option", "command=/no/such"), "cannot start '/no/such'"),
        (("m-light", "--adapter", "empty"), "m-light has to be built first: massie build m-light --out DIR"),
    ],
)
def test_what_is_wrong_in_the_input_is_one_line_and_code_2(massie: Massie, words: tuple[str, ...], said: str) -> None:
    done = massie("run", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""


def test_a_folder_that_cannot_be_written_is_one_line_and_code_2(massie: Massie, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = massie("run", "m-demo", "--adapter", "empty", "--runs", "file/runs")
    assert done.code == 2
    assert done.err.startswith("massie: file/runs/empty/m-demo: cannot be written: Not a directory; ")


@pytest.mark.usefixtures("system")
def test_failed_samples_end_with_1_and_are_asked_again_by_the_same_command(
    massie: Massie, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE_FAILS", ids[1])
    done = massie(*RUN)
    assert done.code == 1
    assert f"massie: sample {ids[1]} failed: ValueError: boom" in done.err
    assert "1 samples failed; all others are answered and kept in runs/local/mine/m-demo" in done.err
    assert not Path("runs/local/mine/m-demo/result.json").exists()
    monkeypatch.delenv("MINE_FAILS")
    again = massie(*RUN)
    assert again.code == 0
    assert f"note: partial: {len(ids)} of 432" in again.err


@pytest.mark.usefixtures("system")
def test_failed_samples_are_left_out_of_partial_scores(
    massie: Massie, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE_FAILS", ids[1])
    done = massie(*RUN, "--partial", "--json")
    assert done.code == 0
    assert (done.json["coverage"]["samples"], done.json["coverage"]["failed"]) == (len(ids) - 1, 1)


@pytest.mark.usefixtures("system")
def test_a_changed_option_is_refused_by_name(massie: Massie) -> None:
    assert massie(*RUN).code == 0
    done = massie(*RUN, "--option", "label=place")
    assert done.code == 2
    assert "options.label was None and is now 'place'" in done.err
    assert "name a new run with --name" in done.err
    assert massie(*RUN, "--option", "label=place", "--name", "second").code == 0


@pytest.mark.usefixtures("system")
def test_each_split_is_a_run_of_its_own(massie: Massie) -> None:
    assert massie(*RUN).code == 0
    assert massie(*RUN, "--split", "dev").code == 0
    assert read_result(Path("runs/local/mine/m-demo/result.json")).benchmark.split == "test"
    assert read_result(Path("runs/local/mine/m-demo-dev/result.json")).benchmark.split == "dev"


def test_a_changed_adapter_file_is_refused(massie: Massie, system: Path) -> None:
    assert massie(*RUN).code == 0
    system.write_text(system.read_text(encoding="utf-8") + "# mended\n", encoding="utf-8")
    done = massie(*RUN)
    assert done.code == 2
    assert "the adapter's file has changed" in done.err


def test_another_build_is_refused(massie: Massie, system: Path) -> None:
    assert massie(*RUN).code == 0
    assert massie("build", "m-demo", "--language", "swa", "--out", "data").code == 0
    done = massie(*RUN, "--data", "data")
    assert done.code == 2
    assert "manifest_digest was " in done.err


def test_an_adapter_whose_card_is_none_is_refused(massie: Massie, system: Path) -> None:
    code = system.read_text(encoding="utf-8").replace('SystemCard(name="mine")', '{"name": "mine"}')
    system.write_text(code, encoding="utf-8")
    done = massie(*RUN)
    assert done.code == 2
    assert "describe() must return a massie.SystemCard, not dict" in done.err


def test_a_partial_result_never_takes_the_place_of_a_complete_one(massie: Massie) -> None:
    assert massie("run", "m-demo", "--adapter", "empty").code == 0
    done = massie("run", "m-demo", "--adapter", "empty", "--task", "NER")
    assert done.code == 0
    assert "the run's complete result stays as it is" in done.err
    assert read_result(Path("runs/local/empty/m-demo/result.json")).ranked


def test_a_secret_is_refused_as_an_option(massie: Massie) -> None:
    done = massie("run", "m-demo", "--adapter", "mine.py:Mine", "--option", "api_key=abc")
    assert done.code == 2
    assert "let the adapter read secrets from the environment" in " ".join(done.err.split())
    assert not Path("runs").exists()


@pytest.mark.usefixtures("system")
def test_m_demo_needs_no_data_also_where_the_environment_names_some(
    massie: Massie, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASSIE_DATA", "absent")
    assert massie(*RUN).code == 0
    done = massie("run", "m-light", "--adapter", "empty")
    assert done.code == 2
    assert "absent: holds no build" in done.err


# Real exit codes


def test_the_installed_command_ends_with_2_for_what_the_user_can_mend(command: Massie, tmp_path: Path) -> None:
    done = command(tmp_path, "run", "m-dmo", "--adapter", "empty")
    assert (done.code, done.out) == (2, "")
    assert done.err == "massie: unknown benchmark 'm-dmo'; did you mean 'm-demo'?\n"


def test_the_installed_command_ends_with_1_for_a_system_that_fails(
    command: Massie, tmp_path: Path, system: Path, ids: list[str]
) -> None:
    done = command(tmp_path, *RUN, MINE_FAILS=ids[0])
    assert done.code == 1
    assert f"sample {ids[0]} failed: ValueError: boom" in done.err


def test_a_result_of_a_part_of_a_benchmark_says_how_much_it_covers(massie: Massie) -> None:
    assert massie("build", "m-demo", "--dataset", "demo-nature", "--out", "part").code == 0
    done = massie("run", "m-demo", "--data", "part", "--adapter", "empty")
    assert done.code == 0
    assert "the build has 6 of the 104 test cells of m-demo" in done.err
    coverage = read_result(Path("runs/local/empty/m-demo/result.json")).coverage
    assert (coverage.cells, coverage.cells_of) == (6, 104)
