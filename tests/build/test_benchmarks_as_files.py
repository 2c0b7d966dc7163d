"""A new benchmark is one file: written into a folder of one's own, it is built and scored, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from massie.build import Manifest, load_benchmark, read_manifest
from massie.catalogue import Aggregation, Over
from massie.cli.main import cli
from massie.types import BuildError, Cell, Split, Task, UnknownNameError

OWN = """\
id: own
name: Somebody's waters
version: "3"
summary: What somebody evaluated.
datasets: [lakes, ponds, rivers]
languages: {rivers: [deu]}
splits: [test]
schemas_per_sample: null
caps: {test: {instances: 3}}
aggregation:
  score: micro_f1
  over: datasets
  as_one: {Standing: [lakes, ponds]}
lacks:
  seas: there is no card for it
  oceans: on request, and nobody answers
"""
CELLS = [
    Cell(Task.NER, dataset, language)
    for dataset, language in [("lakes", "deu"), ("lakes", "swa"), ("ponds", "deu"), ("ponds", "swa"), ("rivers", "deu")]
]


@pytest.fixture
def waters(workshop: Any, line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three datasets with five texts in each of two languages and three splits, and the one file, in a folder."""
    for dataset in ("lakes", "ponds", "rivers"):
        texts = [
            line(f"{dataset} {language} {split} {number}: Rhine, Bonn", ("RIV", "Rhine"), ("TOWN", "Bonn"), **place)
            for language in ("swa", "deu")
            for split in Split
            for number in range(5)
            if (place := {"language": language, "split": split})
        ]
        workshop.dataset(dataset, texts)
    write(workshop, OWN)
    monkeypatch.setenv("MASSIE_TASKS_PATH", str(workshop.folder / "cards"))
    monkeypatch.setenv("MASSIE_CACHE", str(workshop.folder / "cache"))
    return workshop


def write(workshop: Any, text: str, name: str = "own") -> None:
    (workshop.folder / "cards" / "benchmarks").mkdir(exist_ok=True)
    (workshop.folder / "cards" / "benchmarks" / f"{name}.yaml").write_text(text, encoding="utf-8")


def massie(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def built(workshop: Any, name: str = "own", *more: str) -> Manifest:
    folder = workshop.folder / f"built-{name}"
    massie("build", name, "--raw", workshop.folder / "raw", "--out", folder, "--workers", "1", "--json", *more)
    return read_manifest(folder)


def test_the_file_is_built_with_its_splits_languages_caps_and_all_schemas_at_once(waters: Any) -> None:
    manifest = built(waters)
    assert [(entry.cell, entry.split) for entry in manifest.cells] == [(cell, Split.TEST) for cell in CELLS]
    assert {entry.instances for entry in manifest.cells} == {entry.samples for entry in manifest.cells} == {3}
    assert manifest.whole == {Split.TEST: 5}
    benchmark = load_benchmark("own", data=waters.folder / "built-own")
    assert {len(sample.schemas) for sample in benchmark.iter_samples()} == {3}


def test_files_of_splits_and_languages_that_it_does_not_have_are_not_read(waters: Any) -> None:
    (waters.folder / "raw" / "rivers" / "texts.jsonl").unlink()
    # Each gap is a group of files that the build wanted.
    assert [(gap.dataset, gap.language, gap.raw_split) for gap in built_with_gaps(waters)] == [
        ("rivers", "deu", "test")
    ]


def built_with_gaps(waters: Any) -> list[Any]:
    folder = waters.folder / "built-own"
    massie("build", "own", "--raw", waters.folder / "raw", "--out", folder, "--json", code=2)
    return read_manifest(folder).gaps


def test_the_build_keeps_how_it_is_aggregated_and_what_it_lacks(waters: Any) -> None:
    manifest = built(waters)
    assert manifest.aggregation == Aggregation(
        score="micro_f1", over=Over.DATASETS, as_one={"Standing": ["lakes", "ponds"]}
    )
    assert list(manifest.lacks) == ["seas", "oceans"]


def test_the_command_line_tells_what_the_evaluation_has_and_the_benchmark_lacks(waters: Any) -> None:
    said = massie("build", "own", "--raw", waters.folder / "raw", "--out", waters.folder / "said")
    assert "The evaluation that own follows also has:" in said
    assert "on request, and nobody answers" in said


def test_it_is_scored_by_its_own_score_over_its_own_datasets(waters: Any) -> None:
    """Rivers: all found, 100. Lakes and ponds, as one: 6 found of 24, with 6 predicted, 2 x 6 / 30 = 40."""
    built(waters)
    data = waters.folder / "built-own"
    river = {"entity": "Rhine", "entity_type": "river"}
    answers = {"rivers": [river, {"entity": "Bonn", "entity_type": "town"}], "lakes": [river], "ponds": []}
    predictions = waters.folder / "somebody.jsonl"
    predictions.write_text(
        "".join(
            json.dumps({"id": sample.id, "records": answers[sample.dataset]}) + "\n"
            for sample in load_benchmark("own", data=data).iter_samples()
        ),
        encoding="utf-8",
    )
    runs = waters.folder / "runs"
    said = massie("score", predictions, "--benchmark", "own", "--data", data, "--runs", runs)
    assert "Micro F1" in said.splitlines()[2]
    assert [line.split()[:2] for line in said.splitlines()[4:8]] == [
        ["overall", "70.0"],
        ["NER", "70.0"],
        ["Standing", "40.0"],
        ["rivers", "100.0"],
    ]
    result = json.loads((runs / "somebody" / "own" / "result.json").read_text(encoding="utf-8"))
    assert result["benchmark"]["aggregation"] == {"score": "micro_f1", "over": "datasets"}
    assert result["coverage"] | {"failed": 0} == {
        "cells": 5, "cells_of": 5, "samples": 15, "samples_of": 15, "failed": 0,
    }  # fmt: skip


def test_the_papers_aggregation_leaves_digest_and_result_as_they_were(waters: Any) -> None:
    plain = OWN[: OWN.index("aggregation:")]
    write(waters, plain)
    before = built(waters)
    usual = plain.replace("id: own", "id: usual") + "aggregation: {score: lf1, over: instances}\nlacks: {seas: no}\n"
    write(waters, usual, "usual")
    assert [entry.digest for entry in built(waters, "usual").cells] == [entry.digest for entry in before.cells]
    said = json.loads(
        massie(
            "run", "usual", "--data", waters.folder / "built-usual", "--adapter", "gold",
            "--runs", waters.folder / "runs", "--json",
        )
    )  # fmt: skip
    assert "aggregation" not in said["benchmark"]


def test_only_the_aggregation_makes_another_digest(waters: Any) -> None:
    before = built(waters)
    again = waters.folder / "again"
    write(waters, OWN.replace("lacks:", "lacks:\n  bays: there is no card for it"))
    massie("build", "own", "--raw", waters.folder / "raw", "--out", again, "--json")
    assert read_manifest(again).digest == before.digest
    other = waters.folder / "other"
    write(waters, OWN.replace("  score: micro_f1\n", ""))
    massie("build", "own", "--raw", waters.folder / "raw", "--out", other, "--json")
    assert read_manifest(other).digest != before.digest


def test_a_language_that_it_does_not_take_of_a_dataset_cannot_be_asked_for(waters: Any) -> None:
    rivers = OWN.replace("[lakes, ponds, rivers]", "[rivers]").replace("  as_one: {Standing: [lakes, ponds]}\n", "")
    write(waters, rivers)
    with pytest.raises(UnknownNameError, match="unknown language 'swa'"):
        massie("build", "own", "--raw", waters.folder / "raw", "--out", waters.folder / "no", "--language", "swa")


def test_a_dataset_that_it_does_not_let_pass_cannot_be_named(waters: Any) -> None:
    write(waters, 'id: free\nname: F\nversion: "1"\nsummary: s\ndatasets: null\nonly: {fetchable: true}\n', "free")
    with pytest.raises(BuildError, match="free does not take lakes: its data must be fetchable"):
        massie("build", "free", "--raw", waters.folder / "raw", "--out", waters.folder / "no", "--dataset", "lakes")


def test_train_texts_that_stand_in_a_test_split_are_no_matter_where_there_is_only_a_test_split(waters: Any) -> None:
    assert built(waters).overlaps == []
