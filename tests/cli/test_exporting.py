from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark

Massie = Callable[..., Any]


@pytest.mark.parametrize("form", ["parquet", "jsonl", "sft", "hf"])
def test_m_demo_is_exported_without_a_build(form: str, massie: Massie, tmp_path: Path) -> None:
    done = massie("export", "m-demo", "--format", form, "--out", "out")
    assert done.code == 0, done.err
    said = json.loads((tmp_path / "out" / "export.json").read_text(encoding="utf-8"))
    assert said["remake"] == [f"massie export m-demo --format {form} --out out"]
    assert "exported to      out" in done.out
    assert said["manifest_digest"] in done.out
    for file in said["files"]:
        assert file["path"] in done.out


def test_a_build_on_disk_is_exported(massie: Massie, built: tuple[Path, Any], demo: Benchmark) -> None:
    done = massie("export", "m-demo", "--data", built[0], "--format", "jsonl", "--out", "out", "--json")
    assert done.code == 0, done.err
    assert done.json["manifest_digest"] == demo.digest
    assert done.json["remake"][0] == "massie build m-demo --out data"
    assert sum(file["samples"] for file in done.json["files"] if file["split"] == "test") == len(demo.samples())


def test_a_part_is_exported(massie: Massie) -> None:
    done = massie(
        "export", "m-demo", "--format", "jsonl", "--out", "out", "--json",
        "--task", "ner", "--language", "swa", "--dataset", "demo-everyday", "--split", "dev", "--split", "train",
    )  # fmt: skip
    assert [file["path"] for file in done.json["files"]] == ["NER/train.jsonl", "NER/dev.jsonl"]
    assert done.json["datasets"]["demo-everyday"]["languages"] == ["swa"]


def test_the_test_split_is_exported_for_training_only_where_it_is_named(massie: Massie) -> None:
    splits = {file["split"] for file in massie("export", "m-demo", "--format=sft", "--out=a", "--json").json["files"]}
    assert splits == {"train", "dev"}
    done = massie("export", "m-demo", "--format=sft", "--out=b", "--split=test", "--json")
    assert {file["split"] for file in done.json["files"]} == {"test"}


def test_a_prompt_is_named_for_chat_records(massie: Massie) -> None:
    done = massie("export", "m-demo", "--format=sft", "--out=out", "--task=SF", "--prompt=sf-en", "--json")
    assert done.json["prompts"] == {"SF": "sf-en"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format=xml",), "'xml' is not one of"),
        (("--format=jsonl", "--split=tset"), "unknown split 'tset'; did you mean 'test'?"),
        (("--format=jsonl", "--task=NERR"), "did you mean 'NER'"),
        (("--format=jsonl", "--language=swh2"), "did you mean 'swh'"),
        (("--format=jsonl", "--dataset=demo-everday"), "did you mean 'demo-everyday'"),
        (("--format=sft", "--prompt=ner-em"), "did you mean 'ner-en'"),
        (("--format=sft", "--task=SF", "--prompt=ner-en"), "ner-en is for NER, of which the export has no samples"),
        (("--format=hf", "--prompt=ner-en"), "--prompt is for --format sft"),
        (("--format=jsonl", "--dataset=demo-nature", "--task=RE"), "no train samples of this selection"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments: tuple[str, ...], message: str, massie: Massie) -> None:
    done = massie("export", "m-demo", "--out=out", *arguments)
    assert done.code == 2
    assert message in done.err
    assert not Path("out").exists()


def test_a_folder_that_is_not_empty_is_refused(massie: Massie, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = massie("export", "m-demo", "--format=jsonl", "--out", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "is not an empty folder" in done.err


# ---- The licence gate


@pytest.fixture
def waters(massie: Massie, rivers: Path) -> tuple[str, ...]:
    """The options that name a build of ``rivers`` (on request) and ``lakes`` (open)."""
    card = (rivers / "cards" / "rivers.yaml").read_text(encoding="utf-8")
    lakes = card.replace("rivers", "lakes").replace("on request", "open").replace("counts:\n", "").split("  eng:")[0]
    (rivers / "cards" / "lakes.yaml").write_text(lakes, encoding="utf-8")
    definition = rivers / "cards" / "benchmarks" / "waters.yaml"
    definition.write_text(definition.read_text(encoding="utf-8").replace("[rivers]", "[rivers, lakes]"))
    options = ("--tasks", str(rivers / "cards"))
    done = massie("build", "waters", *options, "--raw", rivers / "raw", "--workers=1", "--out", "data")
    assert (rivers / "data" / "manifest.json").exists(), done.err
    return ("waters", "--data", "data", *options, "--format", "jsonl", "--out", "out")


def test_what_may_not_be_passed_on_is_left_out_and_named_in_one_note(waters: tuple[str, ...], massie: Massie) -> None:
    done = massie("export", *waters)
    assert done.code == 0, done.err
    (note,) = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert "rivers (CC0-1.0; access: on request)" in note
    assert "--private" in note
    assert [*json.loads(Path("out/export.json").read_text())["datasets"]] == ["lakes"]


def test_private_takes_everything_and_says_so(waters: tuple[str, ...], massie: Massie) -> None:
    done = massie("export", *waters, "--private")
    assert done.code == 0, done.err
    assert "note: " not in done.err
    assert "Private: made for its maker's own use" in done.out
    assert Path("out/PRIVATE").exists()
    said = json.loads(Path("out/export.json").read_text())
    assert ([*said["datasets"]], said["redistributable"]) == (["lakes", "rivers"], False)


def test_nothing_that_may_be_passed_on_is_an_error_that_names_private(waters: tuple[str, ...], massie: Massie) -> None:
    done = massie("export", *waters, "--dataset", "rivers")
    assert (done.code, done.out) == (2, "")
    assert "rivers (CC0-1.0; access: on request)" in done.err
    assert "--private" in done.err
    assert not Path("out").exists()
