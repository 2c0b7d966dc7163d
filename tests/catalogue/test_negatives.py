"""Tables of hard negatives: their files, and what is wrong with those that do not validate."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from massie.catalogue import DEFAULT_NEGATIVES, HARD_NEGATIVES, Catalogue, EmbedderEntry, NegativesTable
from massie.types import ContentError, Task, UnknownNameError

PLAIN: dict[str, Any] = {
    "embedder": {"name": "by hand"},
    "k": 2,
    "negatives": {
        "waters": {
            "NER": {"river": ["lake", "sea"], "lake": ["sea", "river"], "sea": ["lake", "river"]},
            "RE": {"flows into": ["ends in"], "ends in": ["flows into"]},
        },
        "alps": {"NER": {"peak": []}},
    },
}


def read(folder: Path, text: str, name: str = "own") -> NegativesTable:
    (folder / "negatives").mkdir(exist_ok=True)
    (folder / "negatives" / f"{name}.json").write_text(text, encoding="utf-8")
    return Catalogue((folder,)).negatives(name)


def ner(**labels: list[str]) -> str:
    return json.dumps(PLAIN | {"k": 1, "negatives": {"waters": {"NER": labels}}})


def test_a_table_says_what_it_was_made_with_and_the_negatives_nearest_first(tmp_path: Path):
    table = read(tmp_path, json.dumps(PLAIN))
    assert (table.embedder, table.k) == (EmbedderEntry(name="by hand"), 2)
    assert table.negatives["waters"][Task.NER]["lake"] == ["sea", "river"]
    assert table.number_of_labels() == 6


def test_a_file_has_a_line_for_each_label_and_is_sorted(tmp_path: Path):
    assert read(tmp_path, json.dumps(PLAIN)).text() == (
        '{\n "embedder": {"name": "by hand", "model": null, "revision": null},\n "k": 2,\n "negatives": {\n'
        '  "alps": {\n   "NER": {\n    "peak": []\n   }\n  },\n'
        '  "waters": {\n   "NER": {\n'
        '    "lake": ["sea", "river"],\n    "river": ["lake", "sea"],\n    "sea": ["lake", "river"]\n   },\n'
        '   "RE": {\n    "ends in": ["flows into"],\n    "flows into": ["ends in"]\n   }\n  }\n }\n}\n'
    )


def test_what_is_written_is_read_again(tmp_path: Path):
    table = NegativesTable.model_validate(
        PLAIN | {"negatives": {"水": {"NER": {'a "b"\\c': ["河\u2028"], "河\u2028": ['a "b"\\c']}}, "empty": {}}}
    )
    assert read(tmp_path, table.text()) == table


def test_the_digest_is_of_the_content_and_not_of_how_the_file_is_laid_out(tmp_path: Path):
    laid_out = read(tmp_path, json.dumps(PLAIN, indent=8), "laid-out")
    assert laid_out.digest == read(tmp_path, json.dumps(PLAIN), "plain").digest
    assert laid_out.digest != NegativesTable.model_validate(PLAIN | {"k": 2, "negatives": {}}).digest


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"k": 1,\n"k" 2}', "own.json:2: not valid JSON"),
        ('{"k": 1, "k": 2}', "cannot be read: the key 'k' stands twice"),
        ("[]", "(the whole file)"),
        ("[" * 100_000, "cannot be read: "),
        (json.dumps(PLAIN | {"K": 5}), "K: unknown key"),
        (json.dumps(PLAIN | {"k": 0}), "k: must be greater than or equal to 1"),
        (json.dumps({"k": 1, "negatives": {}}), "embedder: this key is missing"),
        (json.dumps(PLAIN).replace('"RE"', '"REL"'), "negatives.waters.REL"),
        (ner(river=["river"]), "negatives.waters.NER: 'river' is among its own negatives"),
        (ner(river=["lake"]), "negatives.waters.NER: 'river' has 'lake' as a negative, which is not a label here"),
        (ner(river=["lake", "lake"], lake=["river"]), "negatives.waters.NER: 'river' has a negative twice"),
        (ner(river=[], lake=["river"]), "negatives.waters.NER: 'river' has 0 negatives and not 1"),
    ],
)
def test_a_fault_is_one_sentence_that_names_file_and_place(tmp_path: Path, text: str, fault: str):
    with pytest.raises(ContentError, match=re.escape(fault)) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "negatives" / "own.json"))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_says_how_to_make_it_again(tmp_path: Path):
    with pytest.raises(ContentError, match="remove it and make it again with: massie mine-negatives --table own"):
        read(tmp_path, "{")


def test_an_unknown_table_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown table of negatives 'tf-idf'; did you mean 'tfidf'"):
        Catalogue.default().negatives("tf-idf")


def test_a_folder_of_the_user_brings_tables_and_does_not_replace_one(tmp_path: Path):
    assert read(tmp_path, json.dumps(PLAIN)).k == 2
    assert Catalogue.default([tmp_path]).negatives("own").k == 2
    read(tmp_path, json.dumps(PLAIN), DEFAULT_NEGATIVES)
    with pytest.raises(ContentError, match="a table 'tfidf' is already in"):
        Catalogue.default([tmp_path]).negatives("own")


def test_tables_are_not_taken_for_cards(tmp_path: Path):
    read(tmp_path, json.dumps(PLAIN))
    assert not Catalogue((tmp_path,)).card_paths


def test_the_projects_table_has_the_papers_k_and_needs_no_model():
    table = Catalogue.default().negatives(DEFAULT_NEGATIVES)
    assert (table.k, HARD_NEGATIVES) == (5, 5)
    assert (table.embedder.name, table.embedder.model) == ("tfidf", None)


def test_the_projects_tables_are_laid_out_as_the_miner_writes_them():
    catalogue = Catalogue.default()
    for name, path in catalogue.negatives_paths.items():
        assert path.read_text(encoding="utf-8") == catalogue.negatives(name).text()
