"""``massie mine-negatives``: tables are rebuilt, changes are shown, the project's own is what the miner gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Massie = Callable[..., Any]

CARD: dict[str, Any] = {
    "id": "waters",
    "name": "Waters",
    "tasks": ["NER"],
    "status": "ready",
    "in_paper": False,
    "languages": ["eng"],
    "licence": {"spdx": "CC0-1.0"},
    "access": "open",
    "citation": "nobody, 2026",
    "homepage": None,
    "source": {"path": "ours", "files": [{"splits": ["train"], "path": "texts.jsonl"}]},
    "reader": {"name": "jsonl"},
}


@dataclass(frozen=True)
class Cards:
    """A folder with cards of our own, and the command that mines some of them into the table ``own``."""

    folder: Path
    massie: Massie

    @property
    def file(self) -> Path:
        return self.folder / "negatives" / "own.json"

    @property
    def plain(self) -> Any:
        return json.loads(self.file.read_bytes())

    def write(self, dataset: str, *labels: str) -> None:
        card = CARD | {"id": dataset, "entities": {label: {"name": label} for label in labels}}
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{dataset}.yaml").write_text(json.dumps(card), encoding="utf-8")

    def mine(self, *arguments: str | Path) -> Any:
        return self.massie("mine-negatives", "--tasks", self.folder, "--table", "own", *arguments)


@pytest.fixture
def cards(tmp_path: Path, massie: Massie) -> Cards:
    made = Cards(tmp_path / "cards", massie)
    made.write("waters", "river", "riverbank", "lake")
    made.write("alps", "peak", "pass")
    return made


def test_the_projects_own_table_is_what_the_miner_gives(massie: Massie):
    done = massie("mine-negatives", "--check")
    assert done.code == 0, done.out
    assert "is what the miner gives" in done.out


def test_a_new_table_is_written_into_the_last_folder_of_cards(cards: Cards):
    done = cards.mine("waters", "-k", "1")
    assert done.code == 0
    assert "3 labels: 3 added, 0 removed, 0 changed, 0 unchanged" in done.out
    assert f"written to {cards.file}" in "".join(done.out.splitlines())
    assert cards.plain["k"] == 1
    assert cards.plain["embedder"]["name"] == "tfidf"
    assert cards.plain["negatives"]["waters"]["NER"]["river"] == ["riverbank"]
    assert not [*cards.file.parent.glob(".*")]


def test_five_negatives_are_mined_unless_another_number_is_asked_for(cards: Cards):
    cards.mine("waters")
    assert cards.plain["k"] == 5


def test_a_second_time_nothing_changes_and_nothing_is_written(cards: Cards):
    cards.mine("waters")
    cards.file.chmod(0o444)
    before = cards.file.stat().st_mtime_ns
    done = cards.mine("waters")
    assert "3 labels: 0 added, 0 removed, 0 changed, 3 unchanged" in done.out
    assert "is up to date" in done.out
    assert cards.file.stat().st_mtime_ns == before


def test_what_changes_is_shown_label_by_label(cards: Cards):
    cards.mine("waters", "-k", "1")
    cards.write("waters", "river", "rivers", "lake")
    done = cards.mine("waters", "--json")
    assert done.code == 0
    assert {change["label"]: (change["before"], change["after"]) for change in done.json["changes"]} == {
        "river": (["riverbank"], ["rivers"]),
        "riverbank": (["river"], None),
        "rivers": (None, ["river"]),
    }
    counts = {kind: done.json[kind] for kind in ("added", "removed", "changed", "unchanged")}
    assert counts == {"added": 1, "removed": 1, "changed": 1, "unchanged": 1}
    assert done.json["written"] is True


def test_the_change_of_a_label_is_shown_from_old_to_new(cards: Cards):
    cards.mine("waters", "-k", "1")
    cards.write("waters", "river", "rivers", "lake")
    rows = [line.split() for line in cards.mine("waters").out.splitlines()]
    assert ["waters", "NER", "river", "riverbank", "rivers"] in rows
    assert ["waters", "NER", "riverbank", "river", "not", "there"] in rows


def test_check_writes_nothing_and_fails_where_the_table_would_change(cards: Cards):
    cards.mine("waters")
    assert cards.mine("waters", "--check").code == 0
    before = cards.file.read_bytes()
    cards.write("waters", "river", "rivers", "lake")
    done = cards.mine("waters", "--check", "--json")
    assert (done.code, done.json["written"]) == (1, False)
    assert cards.file.read_bytes() == before
    assert "would change" in cards.mine("waters", "--check").out


def test_check_of_a_table_that_is_not_there_fails_and_makes_none(cards: Cards):
    assert cards.mine("waters", "--check").code == 1
    assert not cards.file.exists()


def test_with_names_only_these_datasets_are_mined_again(cards: Cards):
    cards.mine("waters", "alps")
    alps = cards.plain["negatives"]["alps"]
    cards.write("waters", "river", "rivers", "lake")
    cards.write("alps", "summit", "pass")
    cards.mine("waters")
    assert "rivers" in cards.plain["negatives"]["waters"]["NER"]
    assert cards.plain["negatives"]["alps"] == alps


def test_without_names_all_cards_are_mined_and_what_has_no_card_goes(cards: Cards):
    cards.mine("waters", "alps")
    (cards.folder / "alps.yaml").unlink()
    done = cards.mine("--json")
    assert [change["dataset"] for change in done.json["changes"] if change["after"] is None] == ["alps", "alps"]
    assert {"waters", "demo-everyday"} <= set(cards.plain["negatives"])
    assert "alps" not in cards.plain["negatives"]


def test_the_result_goes_to_another_file_where_that_is_asked_for(cards: Cards, tmp_path: Path):
    cards.mine("waters")
    before = cards.file.read_bytes()
    cards.write("waters", "river", "rivers", "lake")
    cards.mine("waters", "--out", tmp_path / "new" / "table.json")
    assert cards.file.read_bytes() == before
    assert "rivers" in (tmp_path / "new" / "table.json").read_text(encoding="utf-8")


def test_the_number_of_negatives_is_the_tables_own_unless_all_are_mined_again(cards: Cards):
    cards.mine("waters", "-k", "1")
    assert cards.mine("alps").code == 0
    assert cards.plain["k"] == 1
    done = cards.mine("waters", "-k", "2")
    assert done.code == 2
    assert "K = 1, not with tfidf (char_wb 2-4), K = 2" in done.err
    assert cards.plain["k"] == 1


def test_the_projects_table_is_not_about_cards_of_later_folders(cards: Cards):
    done = cards.massie("mine-negatives", "waters", "--tasks", cards.folder)
    assert done.code == 2
    assert "is not about waters, whose card is in a folder after the table's" in done.err


def test_an_unknown_dataset_suggests_the_nearest(cards: Cards):
    done = cards.mine("watrs")
    assert done.code == 2
    assert "unknown dataset 'watrs'; did you mean 'waters'" in done.err


@pytest.mark.parametrize("name", ["../own", "Own", ""])
def test_a_tables_name_is_no_path(massie: Massie, name: str):
    done = massie("mine-negatives", "--table", name)
    assert done.code == 2
    assert "small letters, digits and hyphens" in done.err


def test_a_model_needs_the_embedder_that_takes_one(massie: Massie):
    done = massie("mine-negatives", "--model", "someone/model")
    assert done.code == 2
    assert "needs --embedder sentence-transformers" in done.err


def test_a_revision_without_a_model_is_refused(massie: Massie):
    done = massie("mine-negatives", "--revision", "main")
    assert done.code == 2
    assert "name it with --model" in done.err


def test_a_file_that_cannot_be_written_is_one_sentence(cards: Cards, tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = cards.mine("waters", "--out", tmp_path / "file" / "table.json")
    assert done.code == 2
    assert "cannot be written" in done.err
    assert "Traceback" not in done.err
