"""A new dataset in a known raw format is one new card and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from massie.build import load_benchmark
from massie.cli.main import cli
from massie.types import Mention, Span

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


def massie(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


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
