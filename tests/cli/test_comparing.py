"""``massie compare``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.cli.compared import plot
from massie.scoring.comparison import Difference

Massie = Callable[..., Any]

PUBLISHED = Path(__file__).parents[2] / "runs"
LEXICON, EMPTY, GOLD = (PUBLISHED / name / "m-demo" for name in ("lexicon", "empty", "gold"))
QUICK = ("--replicates", "1000")


def copy(run: Path, folder: Path, name: str) -> Path:
    """A copy of a run under another name."""
    to = folder / name / "m-demo"
    shutil.copytree(run, to)
    result = to / "result.json"
    plain = json.loads(result.read_bytes())
    plain["system"]["name"] = name
    result.write_text(json.dumps(plain), encoding="utf-8")
    return to


def line_of(out: str, start: str) -> str:
    (line,) = (line for line in out.splitlines() if line.split()[:1] == [start])
    return line


# ---- Two systems


def test_two_systems_differ_overall_and_in_each_task(massie: Massie) -> None:
    done = massie("compare", LEXICON, EMPTY, *QUICK)
    assert done.code == 0, done.err
    assert "compared on the 432 samples (288 texts) that all runs answered" in done.out
    assert line_of(done.out, "overall").split()[:4] == ["overall", "41.3", "17.1", "+24.2"]
    assert all(line_of(done.out, task) for task in ("NER", "RE", "SF", "ED", "EE"))


def test_wins_and_the_largest_differences_either_way_are_listed(massie: Massie) -> None:
    done = massie("compare", LEXICON, EMPTY, *QUICK)
    assert line_of(done.out, "languages").split() == ["languages", "16", "16", "0", "0", "0"]
    assert line_of(done.out, "datasets").split() == ["datasets", "8", "8", "0", "0", "0"]
    assert "amh" in done.out and "eng" in done.out
    assert "jpn" not in done.out
    assert "--all lists them" in done.out


def test_all_languages_are_listed_where_that_is_asked_for(massie: Massie) -> None:
    done = massie("compare", LEXICON, EMPTY, *QUICK, "--all")
    assert "jpn" in done.out
    assert "--all" not in done.out


def test_levels_are_those_that_are_asked_for(massie: Massie) -> None:
    done = massie("compare", LEXICON, EMPTY, *QUICK, "--level", "family", "--level", "script")
    assert line_of(done.out, "families")
    assert line_of(done.out, "scripts")
    assert "languages" not in done.out


def test_an_undefined_score_is_shown_as_such(massie: Massie) -> None:
    done = massie("compare", LEXICON, EMPTY, *QUICK, "--score", "micro_precision")
    assert done.code == 0, done.err
    assert line_of(done.out, "overall").split() == ["overall", "99.2", "-", "-", "undefined"]


@pytest.mark.parametrize(
    ("ends", "drawn"),
    [
        ((5.0, 3.0, 8.0), "          │  ├─●──┤"),
        ((-10.0, -10.0, -10.0), "●         │"),
        ((10.0, 10.0, 10.0), "          │         ●"),
        ((0.0, -5.0, 5.0), "     ├────●────┤"),
        ((1.0, -5.0, 7.0), "     ├────┼●─────┤"),
        ((0.0, 0.0, 0.0), "          ●"),
    ],
)
def test_an_interval_is_drawn_around_0(ends: tuple[float, float, float], drawn: str) -> None:
    value, low, high = ends
    assert plot(Difference(value, low, high, 0.5, 0.5), 10.0) == drawn


# ---- More


def test_more_systems_are_ranked_in_tie_groups(massie: Massie) -> None:
    done = massie("compare", EMPTY, GOLD, LEXICON, *QUICK)
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    ranked = [line for line in lines if line[1:2] and line[1] in ("gold", "lexicon", "empty")]
    assert [(line[0], line[1], line[-3], line[-2], line[-1]) for line in ranked] == [
        ("1", "gold", "1", "1-1", "1"),
        ("2", "lexicon", "2", "2-2", "2"),
        ("3", "empty", "3", "3-3", "3"),
    ]
    assert ["2", "-58.7*", "+24.2*"] in lines
    assert ["1", "16", "16"] in lines


def test_equal_systems_share_rank_and_group(massie: Massie, tmp_path: Path) -> None:
    done = massie("compare", LEXICON, copy(LEXICON, tmp_path, "twin"), GOLD, *QUICK)
    for name in ("lexicon", "twin"):
        (line,) = (line.split() for line in done.out.splitlines() if line.split()[1:2] == [name])
        assert line[-3:] == ["2", "2-2", "2"]


def test_all_pairs_are_listed_where_that_is_asked_for(massie: Massie) -> None:
    done = massie("compare", EMPTY, GOLD, LEXICON, *QUICK, "--all")
    pairs = [line.split()[:4] for line in done.out.splitlines() if line.split()[1:2] == ["-"]]
    assert pairs == [["1", "-", "2", "+58.7"], ["1", "-", "3", "+82.9"], ["2", "-", "3", "+24.2"]]


def test_of_many_systems_the_matrix_shows_what_is_significant(massie: Massie, tmp_path: Path) -> None:
    twins = [copy(LEXICON, tmp_path, f"twin-{number}") for number in range(8)]
    done = massie("compare", EMPTY, *twins, "--replicates", "2000")
    matrix = done.out[done.out.index("▲ a row's") :].splitlines()
    assert matrix[3].split() == ["1", *"·······", "▲"]
    assert matrix[11].split() == ["9", *"▼▼▼▼▼▼▼▼"]


def test_a_run_that_answered_less_shows_how_much(massie: Massie) -> None:
    part = ("--language", "swa", "--adapter", "empty", "--partial", "--runs", "mine")
    assert massie("run", "m-demo", *part).code == 0
    done = massie("compare", LEXICON, GOLD, "mine/empty/m-demo", *QUICK)
    assert done.code == 0, done.err
    answered = json.loads(Path("mine/empty/m-demo/result.json").read_bytes())["coverage"]["samples"]
    assert f"compared on the {answered} samples" in done.out
    assert [line.split()[-1] for line in done.out.splitlines() if "gold" in line] == ["432"]


# ---- For machines and for terminals


def test_json_has_every_number(massie: Massie) -> None:
    plain = massie("compare", LEXICON, EMPTY, GOLD, *QUICK, "--json", "--task", "NER", "--language", "eng").json
    assert [system["name"] for system in plain["systems"]] == ["lexicon", "empty", "gold"]
    assert {row["level"] for row in plain["differences"]} == {"overall", "task", "language", "dataset"}
    assert {row["task"] for row in plain["standings"]} == {None, "NER"}
    assert plain["bootstrap"] == {"replicates": 1000, "seed": 20250101}


@pytest.mark.parametrize("runs", [(LEXICON, EMPTY), (LEXICON, EMPTY, GOLD)])
def test_everything_fits_80_columns(massie: Massie, runs: tuple[Path, ...]) -> None:
    shutil.copytree(PUBLISHED, "runs")
    done = massie("compare", *(run.relative_to(PUBLISHED.parent) for run in runs), *QUICK, "--all")
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_name_that_a_terminal_would_act_on_is_shown_without_it(massie: Massie, tmp_path: Path) -> None:
    run = copy(LEXICON, tmp_path, "mine")
    result = run / "result.json"
    result.write_text(result.read_text(encoding="utf-8").replace('"mine"', '"\\u001b[2Jmine"'), encoding="utf-8")
    done = massie("compare", run, EMPTY, *QUICK)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert "\N{REPLACEMENT CHARACTER}[2Jmine" in done.out


# ---- Notes and errors


def test_a_note_says_where_the_replicates_are_too_few_for_anything_to_be_significant(massie: Massie) -> None:
    done = massie("compare", LEXICON, EMPTY, "--replicates", "500")
    assert "of 16 tests together none can be significant with 500 replicates; take --replicates 640" in done.err
    assert "note" not in massie("compare", LEXICON, EMPTY, "--replicates", "640").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LEXICON,), "a comparison needs the folders of two runs or more"),
        ((LEXICON, LEXICON), "a folder is named twice; a comparison is between different runs"),
        ((LEXICON, "nowhere"), "nowhere: there is no such folder of a run"),
        ((LEXICON, "."), ".: has no result.json; make it with: massie score ."),
        ((LEXICON, EMPTY, "--score", "lf2"), "unknown score 'lf2'; did you mean 'lf1'"),
        (
            (LEXICON, EMPTY, "--level", "continent"),
            "unknown level 'continent'; known: dataset, family, language, script",
        ),
        ((LEXICON, EMPTY, "--task", "NERR"), "unknown task 'NERR'"),
        ((LEXICON, EMPTY, "--language", "enG"), "unknown language 'enG'; did you mean 'eng'?"),
        ((LEXICON, EMPTY, "--replicates", "10"), "10 is not in the range"),
        ((), "Missing argument"),
    ],
)
def test_what_cannot_be_compared_ends_with_2_and_one_sentence(
    massie: Massie, arguments: tuple[str | Path, ...], message: str
) -> None:
    done = massie("compare", *arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_help_shows_how_to_compare(massie: Massie) -> None:
    done = massie("compare", "--help")
    assert "massie compare runs/lexicon/m-demo runs/empty/m-demo" in done.out
    assert "Only samples that every run answered count." in " ".join(done.out.split())
