from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from massie.catalogue import SCORE_NAMES, conformance_vectors

Massie = Callable[..., Any]

VECTORS = conformance_vectors()
NAIVE = shlex.join([sys.executable, str(Path(__file__).parents[1] / "scoring" / "naive.py")])


@pytest.fixture
def nothing_found(tmp_path: Path) -> str:
    """The command of a scorer that says 0 to everything."""
    (tmp_path / "zero.py").write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    print(json.dumps({'id': json.loads(line)['id'], 'lf1': 0, 'tp': float('nan')}))\n",
        encoding="utf-8",
    )
    return f"{sys.executable} zero.py"


def test_massie_s_own_scorer_conforms(massie: Massie) -> None:
    done = massie("conformance")
    assert done.code == 0
    assert f"{len(VECTORS)} of {len(VECTORS)} vectors met" in done.out
    assert " 0 failed, 0 not given" in done.out


def test_the_reference_as_a_command_conforms(massie: Massie) -> None:
    done = massie("conformance", NAIVE, "--json")
    assert done.code == 0
    assert done.json["conforms"]
    assert done.json["failed"] == done.json["findings"] == []
    assert done.json["vectors_met"] == done.json["vectors"] == len(VECTORS)
    assert list(done.json["scores"]) == list(SCORE_NAMES)


def test_a_wrong_scorer_is_shown_what_each_failed_vector_pins(massie: Massie, nothing_found: str) -> None:
    done = massie("conformance", nothing_found, "--task", "SF", "--score", "lf1")
    assert done.code == 1
    assert "transposition-costs-two (SF)\n" in done.out
    assert "  abdc/abcd: a swap of neighbours is two edits (Levenshtein, not Damerau), 1 -\n  2/4.\n" in done.out
    assert "  lf1: expected 0.5, got 0\n" in done.out
    assert "no-nfkc" not in done.out  # there 0 is right
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_report_as_json_has_numbers_that_json_has(massie: Massie, nothing_found: str) -> None:
    done = massie(
        "conformance", nothing_found, "--score", "tp", "--score", "f1", "--task", "SF", "--task", "RE", "--json"
    )
    assert done.code == 1
    report = json.loads(done.out, parse_constant=pytest.fail)
    assert set(report["scores"]) == {"f1", "tp"}
    assert report["scores"]["tp"]["failed"] == report["scores"]["f1"]["not_given"] == report["vectors"]
    first = report["failed"][0]
    assert {vector["task"] for vector in report["failed"]} == {"SF", "RE"}
    assert (first["id"], first["section"], first["got"]) == ("output-white-space", "Empty and invalid", {"tp": "nan"})
    assert first["expected"] == {"tp": 0}
    assert first["about"]


def test_what_is_wrong_beside_the_scores_is_told(massie: Massie, tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text("print('Loading ...')\nraise SystemExit(7)\n", encoding="utf-8")
    done = massie("conformance", f"{sys.executable} chatty.py")
    assert done.code == 1
    assert "  line 1: not JSON: 'Loading ...\\n'\n" in done.out
    assert "  the scorer ended with exit code 7\n" in done.out
    assert f"  {len(VECTORS)} of {len(VECTORS)} vectors were not answered" in done.out
    assert "  no score was given; the names are lf1" in done.out
    assert f"\n0 of {len(VECTORS)} vectors met" in done.out


def test_the_list_is_what_a_command_gets(massie: Massie, tmp_path: Path) -> None:
    (tmp_path / "copy.py").write_text(
        "import sys\nfrom pathlib import Path\nPath('got').write_bytes(sys.stdin.buffer.read())", encoding="utf-8"
    )
    massie("conformance", f"{sys.executable} copy.py", "--task", "ee")
    listed = massie("conformance", "--task", "EE", "--list")
    assert listed.code == 0
    assert listed.out == (tmp_path / "got").read_text(encoding="utf-8")
    assert [json.loads(line)["id"] for line in listed.out.splitlines()] == [
        vector.id for vector in VECTORS if vector.task == "EE"
    ]


def test_only_vectors_that_pin_the_score_are_asked(massie: Massie) -> None:
    listed = massie("conformance", "--score", "hallucinated", "--list")
    assert all("text" in json.loads(line) for line in listed.out.splitlines())


def test_the_scorer_of_the_help_runs_and_fails_what_it_says_that_it_leaves_out(massie: Massie, tmp_path: Path) -> None:
    shown = massie("conformance", "--help").out
    source = dedent(shown[shown.index("  # scorer.py") : shown.index("  Exit code 1")])
    (tmp_path / "scorer.py").write_text(source, encoding="utf-8")
    done = massie("conformance", f"{sys.executable} scorer.py", "--score", "f1", "--json")
    assert done.code == 1
    assert done.json["findings"] == []
    failed = {vector["id"] for vector in done.json["failed"]}
    assert {"nfc-nfd", "white-space-folded", "label-case-folded", "fence"} < failed
    assert failed.isdisjoint({"both-empty", "exact", "substitution", "duplicate-gold", "order-1"})


def test_a_scorer_that_does_not_end_is_ended(massie: Massie, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    done = massie("conformance", f"{sys.executable} slow.py", "--timeout", "1")
    assert done.code == 1
    assert "  the scorer was ended after 1 s; it must end when its input does" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-scorer",), "cannot start the scorer 'no-such-scorer': No such file or directory"),
        (("",), "the scorer's command is empty"),
        (("--task", "NRE"), "unknown task 'NRE'; did you mean"),
        (("--score", "lf"), "unknown score 'lf'; did you mean 'lf1'"),
        (("--timeout", "0"), "Invalid value for '--timeout'"),
        (("python", "scorer.py"), "Got unexpected extra argument (scorer.py)"),
    ],
)
def test_what_the_user_has_to_mend_ends_with_2(massie: Massie, words: tuple[str, ...], said: str) -> None:
    done = massie("conformance", *words)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
