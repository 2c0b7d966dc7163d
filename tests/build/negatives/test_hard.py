"""The hard negatives of a build: from the benchmark's table, or mined on the spot where that lacks a dataset."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from massie.build import Build
from massie.build.negatives.embedders import load_embedder
from massie.build.negatives.hard import hard_negatives
from massie.build.negatives.mining import mined
from massie.catalogue import EmbedderEntry, NegativesTable
from massie.types import Cell, ContentError, Split, Task, UnknownNameError

LABELS = ("river", "lake", "sea", "pond", "town", "village", "road", "hill")
CELL = Cell(Task.NER, "waters", "swa")


@pytest.fixture
def waters(workshop: Any, line: Any) -> Any:
    """A workshop with a dataset of eight labels, whose every text of train and dev names a river."""
    lines = [
        line(f"{name} flows in {split} {number}.", ("river", name), split=split)
        for split in ("train", "dev", "test")
        for number, name in enumerate(("Tana", "Congo", "Rufiji", "Nile"))
    ]
    workshop.dataset("waters", lines, entities={label: {"name": label} for label in LABELS})
    return workshop


def write_table(workshop: Any, name: str = "tfidf", **negatives: Any) -> NegativesTable:
    """Write a table that says of every river that its negatives are hill and road, unless told otherwise."""
    others = {label: ["hill", "road"] for label in LABELS} | {"hill": ["road", "town"], "road": ["hill", "town"]}
    tasks = {"waters": {Task.NER: others}} | negatives
    table = NegativesTable(embedder=EmbedderEntry(name="by hand"), k=2, negatives=tasks)
    folder = workshop.folder / "cards" / "negatives"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(table.text(), encoding="utf-8")
    return table


def asked(build: Build, split: Split) -> dict[str, set[str]]:
    """By text all labels that its samples ask for."""
    found: dict[str, set[str]] = {}
    for sample in build.cells[CELL, split].samples():
        found.setdefault(sample.text, set()).update(schema.name for schema in sample.schemas)
    return found


@pytest.mark.parametrize("split", [Split.TRAIN, Split.DEV])
def test_a_text_is_asked_for_the_hard_negatives_of_what_it_has_and_at_most_a_batch_of_others(waters: Any, split: Split):
    write_table(waters)
    for labels in asked(waters.build(schemas_per_sample=1), split).values():
        assert {"river", "hill", "road"} <= labels
        assert len(labels) == 4


def test_another_table_makes_other_training_samples_and_the_same_test_samples(waters: Any):
    write_table(waters)
    near = {label: [other for other in LABELS if other != label][:2] for label in LABELS}
    write_table(waters, "other", waters={Task.NER: near})
    one, other = waters.build(schemas_per_sample=1), waters.build(schemas_per_sample=1, negatives="other")
    digests = [{cell.split: cell.digest for cell in build.manifest.cells} for build in (one, other)]
    assert digests[0][Split.TEST] == digests[1][Split.TEST]
    assert digests[0][Split.TRAIN] != digests[1][Split.TRAIN]
    assert one.manifest.digest != other.manifest.digest


def test_the_manifest_names_the_table_by_its_content(waters: Any):
    table = write_table(waters)
    stated = waters.build().manifest.negatives
    assert (stated.table, stated.digest, stated.mined) == ("tfidf", table.digest, [])


def test_a_dataset_that_the_table_lacks_is_mined_on_the_spot_and_named(waters: Any, line: Any):
    table = write_table(waters)
    waters.dataset("towns", [line("Moshi is a town.", ("TOWN", "Moshi"), split="train")])
    build = waters.build()
    assert build.manifest.negatives.mined == ["towns"]
    assert build.manifest.negatives.digest == table.digest


def test_what_is_mined_on_the_spot_has_the_tables_k(waters: Any, make_card: Any):
    write_table(waters)
    card = make_card("towns", entities={label: {"name": label} for label in LABELS})
    found = hard_negatives(waters.definition(), waters.catalogue, [card]).of("towns", Task.NER, Split.TRAIN)
    assert {len(negatives) for negatives in found.values()} == {2}


def test_without_the_default_table_all_is_mined_on_the_spot(waters: Any):
    stated = waters.build().manifest.negatives
    assert (stated.table, stated.digest, stated.mined) == ("tfidf", None, ["waters"])


def test_the_miners_table_and_mining_on_the_spot_make_one_benchmark(waters: Any):
    without = waters.build()
    table = mined(waters.catalogue.cards(), load_embedder("tfidf"), 5)
    folder = waters.folder / "cards" / "negatives"
    folder.mkdir(exist_ok=True)
    (folder / "tfidf.json").write_text(table.text(), encoding="utf-8")
    assert waters.build().manifest.digest == without.manifest.digest


def test_a_card_with_test_texts_alone_needs_no_hard_negatives(workshop: Any, line: Any):
    workshop.dataset("waters", [line("The Tana.", ("RIV", "Tana"))], source={
        "path": "ours", "files": [{"splits": ["test"], "path": "texts.jsonl"}],
    })  # fmt: skip
    assert workshop.build().manifest.negatives.mined == []


def test_nor_does_a_benchmark_that_has_no_other_split(waters: Any):
    assert waters.build(splits=["test"]).manifest.negatives.mined == []


def test_a_table_that_is_not_there_suggests_the_nearest(waters: Any):
    write_table(waters, "by-hand")
    with pytest.raises(UnknownNameError, match="unknown table of negatives 'by-hnad'; did you mean 'by-hand'"):
        waters.build(negatives="by-hnad")


def test_a_label_that_the_card_no_longer_has_is_named_with_what_mends_it(waters: Any):
    write_table(waters)
    lines = waters.folder / "raw" / "waters" / "texts.jsonl"
    kept = lines.read_text(encoding="utf-8")
    waters.dataset("waters", [], entities={label: {"name": label} for label in LABELS if label != "hill"})
    lines.write_text(kept, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        waters.build()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{waters.folder / 'cards' / 'negatives' / 'tfidf.json'}: negatives.waters.NER: ")
    assert "no label 'hill' any more" in message
    assert message.endswith("massie mine-negatives waters --table tfidf")


def test_a_label_that_the_table_does_not_have_yet_is_named_too(waters: Any, make_card: Any):
    write_table(waters)
    card = make_card("waters", entities={label: {"name": label} for label in (*LABELS, "spring")})
    with pytest.raises(ContentError, match=r"the card's label 'spring' is not in it; .* massie mine-negatives waters"):
        hard_negatives(waters.definition(), waters.catalogue, [card])


def test_a_dataset_that_is_not_built_may_be_stale(waters: Any, make_card: Any):
    write_table(waters, seas={Task.NER: {"gone": []}})
    assert waters.build(datasets=["waters"]).manifest.negatives.mined == []


def test_builds_in_memory_and_in_a_folder_have_the_same_hard_negatives(waters: Any, tmp_path: Path):
    write_table(waters)
    manifest = waters.build_to(tmp_path / "out", workers=2)
    assert manifest.digest == waters.build().manifest.digest
    assert manifest.negatives == waters.build().manifest.negatives


def test_m_demo_is_loaded_without_mining():
    script = "import sys, massie; massie.load_benchmark('m-demo').manifest; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
