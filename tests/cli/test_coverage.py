"""``massie datasets --coverage``: what people see within 80 columns, and all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.cli.output import bar
from massie.types import Split, Task

Massie = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASSIE_MIRROR", raising=False)


@pytest.fixture
def as_heavy(built: tuple[Path, Any], tmp_path: Path) -> Path:
    """A manifest that says of a build of M-DEMO that it is one of M-HEAVY: none of its datasets is the paper's."""
    plain = json.loads((built[0] / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "manifest.json").write_text(json.dumps(plain | {"benchmark": "m-heavy"}), encoding="utf-8")
    return tmp_path / "heavy"


def test_the_comparison_has_tasks_languages_reasons_and_splits(massie: Massie) -> None:
    done = massie("datasets", "--coverage")
    assert done.code == 0
    for words in (
        "Datasets (appendix L)",
        "Languages (appendix K)",
        "Why datasets",
        "Splits that",
        "215",
        "--data DIR",
    ):
        assert words in done.out
    assert "Samples of" not in done.out


def test_it_keeps_to_80_columns(massie: Massie, as_heavy: Path) -> None:
    for more in ((), ("--data", as_heavy)):
        out = massie("datasets", "--coverage", *more).out
        assert not [line for line in out.splitlines() if len(line.rstrip()) > 80]


def test_it_says_that_appendix_j_prints_no_numbers(massie: Massie) -> None:
    assert (
        "appendix J shows samples by language and family as charts, without numbers"
        in massie("datasets", "--coverage").out
    )


def test_json_has_the_published_figures_and_every_gap(massie: Massie) -> None:
    plain = massie("datasets", "--coverage", "--json").json
    assert plain["published"]["samples"]["m-heavy"]["RE"]["test"] == 116471
    assert len(plain["languages"]) == 96
    assert {lack["status"] for lack in plain["lacks"]} <= {"ready", "untested", "described"}
    assert plain["samples"] == []


def test_a_build_adds_the_samples_of_table_1(massie: Massie, as_heavy: Path) -> None:
    done = massie("datasets", "--coverage", "--data", as_heavy)
    assert "Samples of m-heavy (table 1)" in done.out
    rows = massie("datasets", "--coverage", "--data", as_heavy, "--json").json["samples"]
    assert [(row["task"], row["split"]) for row in rows] == [
        (each, str(split)) for each in (*map(str, Task), None) for split in Split
    ]
    assert {row["samples"] for row in rows} == {0}


def test_a_build_of_m_demo_cannot_be_compared(massie: Massie, built: tuple[Path, Any]) -> None:
    done = massie("datasets", "--coverage", "--data", built[0])
    assert done.code == 2
    assert "a build of m-demo has nothing to be compared with" in done.err


def test_a_mirror_is_looked_through(massie: Massie, tmp_path: Path) -> None:
    done = massie("datasets", "--coverage", "--mirror", tmp_path)
    assert done.code == 0
    assert "not at hand" in done.out
    assert "0 of 96 can be tested" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--coverage", "--task", "NER"), "--coverage takes no filter"),
        (("--coverage", "--redistributable"), "--coverage takes no filter"),
        (("--coverage", "--data", "x", "--mirror", "."), "--mirror and --raw have no part in it"),
        (("--coverage", "--data", "x"), "holds no build"),
        (("--mirror", "."), "say what --coverage is to compare"),
    ],
)
def test_options_that_do_not_fit_are_refused(massie: Massie, words: tuple[str, ...], said: str) -> None:
    done = massie("datasets", *words)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, ""), (0.05, "▌"), (0.5, "█████"), (0.51, "█████▏"), (1, "█" * 10), (1.4, "█" * 10), (-1, "")],
)
def test_a_bar_is_as_long_as_its_share(share: float, shown: str) -> None:
    assert bar(share) == shown


def test_a_list_of_cards_does_not_load_what_builds_need(command: Callable[..., Any], tmp_path: Path) -> None:
    done = command(tmp_path, "datasets", "--task", "EE", PYTHONPROFILEIMPORTTIME="1")
    assert done.code == 0
    assert "massie.catalogue" in done.err
    assert "massie.build" not in done.err
