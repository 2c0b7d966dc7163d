from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Massie = Callable[..., Any]

GOOD = """
from massie import Prediction, SystemCard
class Mine:
    def __init__(self, answer="[]"):
        self.answer = answer
    def describe(self):
        return SystemCard(name="mine")
    def predict(self, samples):
        return [Prediction(sample.id, output=self.answer) for sample in samples]
"""


@pytest.fixture
def system(tmp_path: Path) -> None:
    """A file ``mine.py`` with an adapter."""
    (tmp_path / "mine.py").write_text(GOOD, encoding="utf-8")


@pytest.mark.parametrize("adapter", ["lexicon", "gold", "mine.py:Mine"])
@pytest.mark.usefixtures("system")
def test_an_adapter_that_keeps_the_contract_ends_with_0(massie: Massie, adapter: str) -> None:
    done = massie("check-adapter", adapter)
    assert done.code == 0
    assert done.out.splitlines()[-1] == f"{adapter}: keeps the contract"


@pytest.mark.usefixtures("system")
def test_an_adapter_that_breaks_the_contract_ends_with_1(massie: Massie) -> None:
    done = massie("check-adapter", "mine.py:Mine", "--option", "answer=I do not know")
    assert done.code == 1
    assert "no JSON answer in 'I do not know'" in done.out
    assert done.out.splitlines()[-1] == "mine.py:Mine: 5 problems"


@pytest.mark.usefixtures("system")
def test_the_findings_are_printed_as_json(massie: Massie) -> None:
    found = massie("check-adapter", "mine.py:Mine", "--json").json
    assert {finding["outcome"] for finding in found} == {"ok"}
    assert all(finding["what"] for finding in found)


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lexikon",), "unknown adapter 'lexikon'; did you mean 'lexicon'"),
        (("mine.py:Mime",), "unknown class 'Mime'; did you mean 'Mine'"),
        (("absent.py:Mine",), "there is no file absent.py"),
        (("mine.py:Mine", "--option", "colour=red"), "unexpected keyword argument 'colour'"),
        (("process",), "missing a required argument: 'command'"),
        (("process", "--option", "command='"), "No closing quotation"),
    ],
)
def test_an_adapter_that_cannot_be_loaded_ends_with_2(massie: Massie, words: tuple[str, ...], said: str) -> None:
    done = massie("check-adapter", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_a_process_that_cannot_be_started_is_a_problem_in_one_line(massie: Massie) -> None:
    done = massie("check-adapter", "process", "--option", "command=/no/such/program")
    assert done.code == 1
    assert "cannot start '/no/such/program': No such file or directory" in done.out


def test_cards_that_agree_with_their_files_end_with_0(massie: Massie) -> None:
    done = massie("check", "demo-nature", "demo-travel", "--json")
    assert done.code == 0
    assert {finding["outcome"] for finding in done.json} == {"agrees"}
    assert {finding["dataset"] for finding in done.json} == {"demo-nature", "demo-travel"}


def test_a_count_that_differs_ends_with_1_and_says_both_numbers(massie: Massie, rivers: Path) -> None:
    path = rivers / "cards" / "rivers.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("annotations: 1", "annotations: 7"), encoding="utf-8")
    (rivers / "raw" / "swa.jsonl").write_bytes((rivers / "raw" / "eng.jsonl").read_bytes())
    done = massie("check", "rivers", "--tasks", "cards", "--raw", "raw")
    assert done.code == 1
    assert "rivers eng test: differs: annotations: the card says 7, the reader finds 1" in done.err


def test_a_cell_without_counts_is_uncounted_and_no_fault(massie: Massie, rivers: Path) -> None:
    (rivers / "raw" / "swa.jsonl").write_bytes((rivers / "raw" / "eng.jsonl").read_bytes())
    done = massie("check", "rivers", "--tasks", "cards", "--raw", "raw", "--json")
    assert done.code == 0
    outcomes = {(one["language"], one["raw_split"]): one["outcome"] for one in done.json}
    assert outcomes == {
        ("eng", "train"): "uncounted",
        ("eng", "test"): "agrees",
        ("swa", "train"): "uncounted",
        ("swa", "test"): "uncounted",
    }


def test_a_file_that_cannot_be_read_ends_with_2_and_names_file_and_line(massie: Massie, rivers: Path) -> None:
    (rivers / "raw" / "swa.jsonl").write_text('{"split": "test", "text": "half a li', encoding="utf-8")
    done = massie("check", "rivers", "--tasks", "cards", "--raw", "raw")
    assert done.code == 2
    assert "rivers swa test: not read: raw/swa.jsonl:1: " in done.err


def test_a_label_that_the_card_lacks_ends_with_1_and_names_label_and_place(massie: Massie, rivers: Path) -> None:
    path = rivers / "cards" / "rivers.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("RIV:", "LAKE:"), encoding="utf-8")
    done = massie("check", "rivers", "--tasks", "cards", "--raw", "raw", "--json")
    assert done.code == 1
    assert [(one["outcome"], one["detail"]) for one in done.json if one["language"] == "eng"] == [
        ("differs", "label 'RIV' not in the card: 1 (first at eng.jsonl:1)"),
        ("differs", "label 'RIV' not in the card: 1 (first at eng.jsonl:2)"),
    ]


def test_what_a_build_would_drop_is_counted_by_kind_and_no_difference(massie: Massie, rivers: Path) -> None:
    path = rivers / "raw" / "eng.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"start": 4', '"start": 400'), encoding="utf-8")
    (rivers / "raw" / "swa.jsonl").write_bytes(path.read_bytes() * 2)
    done = massie("check", "rivers", "--tasks", "cards", "--raw", "raw")
    assert done.code == 0
    assert done.out.splitlines()[-1].split() == ["offsets", "outside", "the", "text", "3"]
    found = massie("check", "rivers", "--tasks", "cards", "--raw", "raw", "--json").json
    assert {(one["language"], one["raw_split"]): one["faults"] for one in found} == {
        ("eng", "train"): {"offsets outside the text": 1},
        ("eng", "test"): {},
        ("swa", "train"): {"offsets outside the text": 2},
        ("swa", "test"): {},
    }


def test_an_unknown_dataset_suggests_the_nearest(massie: Massie) -> None:
    done = massie("check", "demo-natur")
    assert done.code == 2
    assert "did you mean 'demo-nature'" in done.err


@pytest.mark.realdata
def test_a_real_card_agrees_with_its_files(massie: Massie, mirror: Path) -> None:
    done = massie("check", "kluner", "--mirror", mirror, "--json")
    assert done.code == 0, done.out
    assert "agrees" in {finding["outcome"] for finding in json.loads(done.out)}
