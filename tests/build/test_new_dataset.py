"""A new dataset in a known raw format is one new card and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from massie._content import content_folder
from massie.build import load_benchmark
from massie.cli.main import cli
from massie.types import Mention, Span, Split

CARD = """\
id: njombe-ner
name: Njombe NER
tasks: [NER]
status: ready
in_paper: true
languages: [swa, nob]
licence: {spdx: CC0-1.0, redistributable: true}
access: on request
citation: nobody, 2026
homepage: null
source:
  path: the folder that the authors send on request
  language_codes: {nob: no, swa: sw}
  files:
    - {splits: [test], path: "{lang}.{split}.conll"}
reader:
  name: columns
  options: {columns: 2, delimiter: space, tags: [2]}
entities:
  PER: {name: person}
  LOC: {name: location, description: a named place}
  MISC: {drop: true}
counts:
  swa:
    test: {texts: 2, annotations: 3, empty: 0}
  nob:
    test: {texts: 1, annotations: 1, empty: 0}
"""
SWAHILI = "Amina B-PER\nanafika O\nDar B-LOC\nes I-LOC\nSalaam I-LOC\n\nIjumaa B-MISC\nnjema O\n\n"
SWAHILI_TRAIN = "Juma B-PER\nanaishi O\nMoshi B-LOC\n\nAmina B-PER\nanalala O\n\nMvua O\ninanyesha O\n\n"
NORWEGIAN = "Kari B-PER\nsover O\n"


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one card, found through the environment, and the raw files that its user brings."""
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "njombe-ner.yaml").write_text(CARD, encoding="utf-8")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "sw.test.conll").write_text(SWAHILI, encoding="utf-8")
    (tmp_path / "raw" / "no.test.conll").write_text(NORWEGIAN, encoding="utf-8")
    monkeypatch.setenv("MASSIE_TASKS_PATH", str(tmp_path / "cards"))
    return tmp_path


@pytest.fixture
def trained(brought: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same with a Swahili train split; the card is found through ``--tasks`` alone."""
    monkeypatch.delenv("MASSIE_TASKS_PATH")
    monkeypatch.chdir(brought)
    card = brought / "cards" / "njombe-ner.yaml"
    file = '    - {splits: [train], path: "{lang}.{split}.conll", languages: [swa]}\n'
    card.write_text(CARD.replace("  files:\n", f"  files:\n{file}"), encoding="utf-8")
    (brought / "raw" / "sw.train.conll").write_text(SWAHILI_TRAIN, encoding="utf-8")
    return brought


def massie(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def headline(result: dict[str, Any]) -> float:
    """The LF1 over all."""
    (overall,) = [row for row in result["rows"] if row["level"] == "overall"]
    return overall["scores"]["lf1"]["value"]


def test_one_card_makes_a_dataset_that_is_checked_built_and_loaded(brought: Path):
    massie("check", "njombe-ner", "--raw", brought / "raw")
    massie("build", "m-light", "--dataset", "njombe-ner", "--raw", brought / "raw", "--out", brought / "out")
    samples = load_benchmark("m-light", data=brought / "out").samples()
    assert [(sample.language, sample.text) for sample in samples] == [
        ("nob", "Kari sover"),
        ("swa", "Ijumaa njema"),
        ("swa", "Amina anafika Dar es Salaam"),
    ]
    assert [schema.name for schema in samples[0].schemas] == ["person", "location"]
    assert samples[2].gold == (
        Span("person", Mention("Amina", ((0, 5),))),
        Span("location", Mention("Dar es Salaam", ((14, 27),))),
    )
    assert samples[1].gold == ()


def test_the_card_is_listed_with_all_others(brought: Path):
    assert "njombe-ner" in massie("datasets", "--language", "nob")
    assert "njombe-ner" in massie("datasets", "show", "njombe-ner")


def test_it_is_run_and_scored_as_any_other_with_the_card_found_through_the_environment(
    brought: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(brought)
    massie("build", "m-light", "--dataset", "njombe-ner", "--raw", "raw", "--out", "out")
    # One of the three texts has no records, so that an empty answer is right for it.
    for adapter, score in (("gold", 100), ("empty", 100 / 3)):
        result = json.loads(massie("run", "m-light", "--data", "out", "--adapter", adapter, "--json"))
        cells = {row["key"] for row in result["rows"] if row["level"] == "cell"}
        assert cells == {"njombe-ner/nob", "njombe-ner/swa"}
        assert headline(result) == pytest.approx(score, abs=1e-3)
        again = json.loads(massie("score", brought / "runs" / "local" / adapter / "m-light", "--json"))
        assert again["rows"] == result["rows"]


TASKS = ("--tasks", "cards")


@pytest.mark.usefixtures("trained")
def test_a_card_with_a_train_split_needs_no_table_of_hard_negatives():
    massie("check", "njombe-ner", "--raw", "raw", *TASKS)
    done = massie("build", "m-light", "--dataset", "njombe-ner", "--raw", "raw", "--out", "out", "--json", *TASKS)
    assert json.loads(done)["negatives"]["mined"] == ["njombe-ner"]
    assert not json.loads(done)["gaps"]
    samples = load_benchmark("m-light", data="out").samples(Split.TRAIN)
    assert {sample.text for sample in samples} == {"Juma anaishi Moshi", "Amina analala", "Mvua inanyesha"}
    asked = {sample.text: {schema.name for schema in sample.schemas} for sample in samples}
    assert asked["Amina analala"] == {"person", "location"}
    massie("build", "m-light", "--dataset", "njombe-ner", "--raw", "raw", "--verify", "out", *TASKS)


@pytest.mark.usefixtures("trained")
def test_a_system_learns_from_its_train_split_and_is_scored():
    massie("build", "m-light", "--dataset", "njombe-ner", "--raw", "raw", "--out", "out", *TASKS)
    result = json.loads(massie("run", "m-light", "--data", "out", "--adapter", "lexicon", "--json", *TASKS))
    assert 0 < headline(result) < 100
    assert Path("runs", "local", "lexicon", "m-light", "result.json").is_file()
    assert "lexicon" in massie("score", "runs/local/lexicon/m-light", *TASKS)


@pytest.mark.usefixtures("trained")
def test_nothing_but_the_card_and_what_is_made_of_it_is_touched(monkeypatch: pytest.MonkeyPatch):
    content = {path: path.stat().st_mtime_ns for path in content_folder("tasks").rglob("*")}
    monkeypatch.setenv("MASSIE_CACHE", "cache")
    massie("build", "m-light", "--dataset", "njombe-ner", "--raw", "raw", "--out", "out", *TASKS)
    massie("run", "m-light", "--data", "out", "--adapter", "lexicon", *TASKS)
    assert sorted(path.name for path in Path().iterdir()) == ["cards", "out", "raw", "runs"]
    assert [path.name for path in Path("cards").rglob("*")] == ["njombe-ner.yaml"]
    assert {path: path.stat().st_mtime_ns for path in content_folder("tasks").rglob("*")} == content


@pytest.mark.usefixtures("trained")
def test_it_joins_the_datasets_of_the_benchmark_in_a_build_of_both():
    command = ("build", "m-light", "--dataset", "njombe-ner", "--dataset", "demo-nature")
    result = CliRunner().invoke(cli, [*command, "--raw", "raw", "--out", "out", *TASKS])
    assert result.exit_code == 0, result.output
    assert {sample.dataset for sample in load_benchmark("m-light", data="out").samples()} == {
        "njombe-ner",
        "demo-nature",
    }
