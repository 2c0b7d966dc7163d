"""A card that does not validate names file and field; one that does says all that is particular to its dataset."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie._content import content_folder
from massie.catalogue import Card, Catalogue, Status, read_card
from massie.types import ContentError, Role, Schema, Task

Plain = dict[str, Any]
WriteCard = Callable[..., Path]


def refused(path: Path, field: str, words: str) -> None:
    """The card is refused in one line that names its file and field and says what is wrong."""
    with pytest.raises(ContentError) as caught:
        read_card(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: {field}: ")
    assert re.search(words, message), message


def test_a_whole_card_is_read(plain_card: Plain, write_card: WriteCard):
    card = read_card(write_card(plain_card))
    assert card.id == "rivers"
    assert card.schemas(Task.NER) == (Schema("river"),)
    assert list(card.raw_cells()) == [("swa", "train"), ("deu", "train"), ("swa", "test"), ("deu", "test")]


@pytest.mark.parametrize(
    "key", ["id", "name", "tasks", "status", "in_paper", "languages", "licence", "access", "citation"]
)
def test_a_missing_key_is_named(plain_card: Plain, write_card: WriteCard, key: str):
    del plain_card[key]
    refused(write_card(plain_card, "rivers"), key, "this key is missing")


def test_a_homepage_may_be_null_but_must_be_said(plain_card: Plain, write_card: WriteCard):
    del plain_card["homepage"]
    refused(write_card(plain_card), "homepage", "missing")


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ((), "licens"),
        (("licence",), "licence.licens"),
        (("source",), "source.licens"),
        (("source", "files", 0), "source.files.0.licens"),
        (("reader",), "reader.licens"),
        (("entities", "RIV"), "entities.RIV.licens"),
    ],
)
def test_an_unknown_key_is_named_wherever_it_stands(
    plain_card: Plain, write_card: WriteCard, place: tuple[Any, ...], field: str
):
    spoilt: Any = plain_card
    for step in place:
        spoilt = spoilt[step]
    spoilt["licens"] = "x"
    refused(write_card(plain_card), field, "unknown key")


def test_a_key_that_stands_twice_is_named_with_its_line(plain_card: Plain, write_card: WriteCard):
    path = write_card(plain_card)
    path.write_text("id: rivers\nname: Rivers\nid: rivers\n", encoding="utf-8")
    with pytest.raises(ContentError, match=rf"^{re.escape(str(path))}:3: [^\n]*'id' stands twice$"):
        read_card(path)


@pytest.mark.parametrize("commit", ["main", "0" * 39, "0" * 41, "A" * 40, "v1.0"])
def test_a_commit_is_forty_lower_case_hexadecimal_digits(plain_card: Plain, write_card: WriteCard, commit: str):
    plain_card["source"]["commit"] = commit
    refused(write_card(plain_card), "source.commit", re.escape(f"(got '{commit}')"))


def test_a_github_source_is_pinned_to_a_commit(plain_card: Plain, write_card: WriteCard):
    del plain_card["source"]["commit"]
    refused(write_card(plain_card), "source", "github and commit belong together")


@pytest.mark.parametrize("more", [{"url": "https://host/data"}, {"path": "on a disc"}, {"bundled": "demo"}])
def test_a_source_is_in_one_place_only(plain_card: Plain, write_card: WriteCard, more: Plain):
    plain_card["source"] |= more
    refused(write_card(plain_card), "source", "exactly one of github, url, bundled, path")


def test_a_source_is_somewhere(plain_card: Plain, write_card: WriteCard):
    plain_card["source"] = {"files": plain_card["source"]["files"]}
    refused(write_card(plain_card), "source", "exactly one of .* none")


def test_an_address_without_encryption_is_refused(plain_card: Plain, write_card: WriteCard):
    plain_card["source"] = {"url": "http://host/data", "files": plain_card["source"]["files"]}
    refused(write_card(plain_card), "source.url", "https")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a\\b"])
def test_a_path_that_leads_out_of_the_source_is_refused(plain_card: Plain, write_card: WriteCard, path: str):
    plain_card["source"]["files"][0]["path"] = path
    refused(write_card(plain_card), "source.files.0.path", "must be a relative path")


def test_an_event_may_only_name_declared_roles(plain_card: Plain, write_card: WriteCard):
    plain_card |= {"tasks": ["EE"], "events": {"Flood": {"name": "flood", "roles": ["Where"]}}}
    refused(write_card(plain_card), r"(the whole file)", "roles that 'roles' does not declare: Where")


def test_a_raw_split_that_is_no_split_needs_a_rule(plain_card: Plain, write_card: WriteCard):
    plain_card["source"]["files"][0]["splits"] = ["all"]
    refused(write_card(plain_card), "(the whole file)", "raw split 'all' .*'splits' must say")
    plain_card["splits"] = [{"of": "all", "shares": {"train": 0.8, "test": 0.2}}]
    assert read_card(write_card(plain_card)).raw_splits() == ["all"]


@pytest.mark.parametrize(
    "shares", [{"train": 0.8, "test": 0.1}, {"train": 1.2, "test": -0.2}, {"train": 1.0, "dev": 0}]
)
def test_shares_are_positive_and_sum_to_one(plain_card: Plain, write_card: WriteCard, shares: Plain):
    plain_card["splits"] = [{"of": "train", "shares": shares}]
    refused(write_card(plain_card), "splits.0.shares", "positive and sum to 1")


def test_data_without_a_licence_are_not_redistributable(plain_card: Plain, write_card: WriteCard):
    plain_card["licence"] = {"spdx": None, "redistributable": True}
    refused(write_card(plain_card), "licence", "without a stated licence cannot be redistributable")


def test_the_file_is_called_as_the_id(plain_card: Plain, write_card: WriteCard):
    refused(write_card(plain_card, "lakes"), "id", "'rivers', but the file is called 'lakes'")


@pytest.mark.parametrize("dataset", ["Rivers", "-rivers", "ri vers", "ri/vers", ""])
def test_an_id_is_fit_for_a_file_name(plain_card: Plain, write_card: WriteCard, dataset: str):
    plain_card["id"] = dataset
    refused(write_card(plain_card, "rivers"), "id", "pattern")


def test_a_language_is_listed_once(plain_card: Plain, write_card: WriteCard):
    plain_card["languages"] = ["swa", "deu", "swa"]
    refused(write_card(plain_card), "(the whole file)", "a language is listed twice")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"counts": {"fra": {}}}, "counts name languages .*: fra"),
        ({"counts": {"swa": {"tset": {"texts": 1, "annotations": 1}}}}, "counts name raw splits .*: tset"),
        ({"splits": [{"of": "trian", "shares": {"train": 1}}]}, "splits name raw splits .*: trian"),
        ({"text": {"join_by_language": {"fra": "none"}}}, r"text\.join_by_language name languages .*: fra"),
    ],
)
def test_languages_and_raw_splits_named_elsewhere_are_the_cards_own(
    plain_card: Plain, write_card: WriteCard, spoil: Plain, words: str
):
    refused(write_card(plain_card | spoil), "(the whole file)", words)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"language_codes": {"fra": "fr"}}, r"source\.language_codes name languages .*: fra"),
        ({"split_codes": {"dev": "valid"}}, r"source\.split_codes name raw splits .*: dev"),
        ({"files": [{"splits": ["test"], "path": "x", "languages": ["fra"]}]}, r"source\.files\.0\.languages .*: fra"),
    ],
)
def test_languages_and_raw_splits_of_the_source_are_the_cards_own(
    plain_card: Plain, write_card: WriteCard, spoil: Plain, words: str
):
    plain_card["source"] |= spoil
    refused(write_card(plain_card), "(the whole file)", words)


@pytest.mark.parametrize("label", [{}, {"name": "river", "drop": True}, {"description": "flows"}])
def test_a_label_has_either_a_name_or_is_dropped(plain_card: Plain, write_card: WriteCard, label: Plain):
    plain_card["entities"] = {"RIV": label}
    refused(write_card(plain_card), "entities.RIV", "either a name or drop")


@pytest.mark.parametrize("name", [" river", "river ", "big  river", "big\nriver"])
def test_a_name_has_no_stray_white_space(plain_card: Plain, write_card: WriteCard, name: str):
    plain_card["entities"] = {"RIV": {"name": name}}
    refused(write_card(plain_card), "entities.RIV", "white space")


@pytest.mark.parametrize("labels", [{}, {"MISC": {"drop": True}}])
def test_each_task_has_a_label_to_ask_for(plain_card: Plain, write_card: WriteCard, labels: Plain):
    refused(write_card(plain_card | {"entities": labels}), "(the whole file)", "task NER needs labels under 'entities'")


@pytest.mark.parametrize("key", ["source", "reader"])
def test_only_a_described_card_does_without_source_and_reader(plain_card: Plain, write_card: WriteCard, key: str):
    del plain_card[key]
    refused(write_card(plain_card), "(the whole file)", "status ready needs source and reader")
    assert read_card(write_card(plain_card | {"status": "described"})).status is Status.DESCRIBED


def test_replacements_keep_offsets(plain_card: Plain, write_card: WriteCard):
    plain_card["text"] = {"replace": {"_": ""}}
    refused(write_card(plain_card), "text.replace", "single characters")


@pytest.mark.parametrize("digest", ["abc", "G" * 64, "0" * 63])
def test_a_digest_is_a_sha256(plain_card: Plain, write_card: WriteCard, digest: str):
    plain_card["counts"] = {"swa": {"test": {"texts": 1, "annotations": 1, "sha256": digest}}}
    refused(write_card(plain_card), "counts.swa.test.sha256", "pattern")


def test_raw_labels_with_one_name_are_one_schema_and_dropped_ones_are_none(plain_card: Plain):
    plain_card["entities"] = {
        "B": {"name": "lake"},
        "RIV": {"name": "river"},
        "STREAM": {"name": "river", "description": "flowing water"},
        "MISC": {"drop": True},
    }
    card = Card.model_validate(plain_card)
    assert card.schemas(Task.NER) == (Schema("lake"), Schema("river", "flowing water"))


def test_event_types_have_roles_for_ee_and_none_for_ed(plain_card: Plain):
    plain_card |= {
        "tasks": ["ED", "EE"],
        "events": {
            "Flood": {"name": "flood", "roles": ["Where", "Noise"]},
            "Deluge": {"name": "flood", "roles": ["Place", "When"]},
        },
        "roles": {
            "Where": {"name": "place", "description": "under water"},
            "Place": {"name": "place"},
            "When": {"name": "time"},
            "Noise": {"drop": True},
        },
    }
    card = Card.model_validate(plain_card)
    assert card.schemas(Task.ED) == (Schema("flood"),)
    assert card.schemas(Task.EE) == (Schema("flood", None, (Role("place", "under water"), Role("time"))),)


def test_the_pin_says_where_the_files_are_from(plain_card: Plain):
    assert Card.model_validate(plain_card).source.pin == f"github.com/someone/rivers@{'0' * 40}"  # pyright: ignore
    files = plain_card["source"]["files"]
    for source, pin in (
        ({"url": "https://host/data/"}, "https://host/data/"),
        ({"bundled": "demo"}, "bundled:demo"),
        ({"path": "LDC2006T06"}, "brought by the user: LDC2006T06"),
    ):
        card = Card.model_validate(plain_card | {"source": source | {"files": files}})
        assert card.source is not None
        assert card.source.pin == pin


def test_addresses_are_below_the_source(plain_card: Plain):
    card = Card.model_validate(plain_card)
    assert card.source is not None
    expected = f"https://raw.githubusercontent.com/someone/rivers/{'0' * 40}/swa/test.txt"
    assert card.source.address("swa/test.txt", card.source.files[0]) == expected
    files = plain_card["source"]["files"]
    for url in ("https://host/data", "https://host/data/"):
        card = Card.model_validate(plain_card | {"source": {"url": url, "files": files}})
        assert card.source is not None
        assert card.source.address("a/b.zip", card.source.files[0]) == "https://host/data/a/b.zip"


def test_files_may_be_in_a_repository_of_their_own_and_the_pin_names_all(plain_card: Plain):
    own = {"github": "someone/lakes", "commit": "1" * 40}
    (files,) = plain_card["source"]["files"]
    plain_card["source"]["files"] = [files | {"languages": ["swa"]}, files | {"languages": ["deu"]} | own, files | own]
    source = Card.model_validate(plain_card).source
    assert source is not None
    rivers, lakes = (f"someone/rivers@{'0' * 40}", f"someone/lakes@{'1' * 40}")
    assert source.pin == f"github.com/{rivers}, github.com/{lakes}"
    assert source.address("a", source.files[0]) == f"https://raw.githubusercontent.com/someone/rivers/{'0' * 40}/a"
    assert source.address("a", source.files[1]) == f"https://raw.githubusercontent.com/someone/lakes/{'1' * 40}/a"


@pytest.mark.parametrize("half", [{"github": "someone/lakes"}, {"commit": "1" * 40}])
def test_the_repository_of_files_is_pinned_too(plain_card: Plain, write_card: WriteCard, half: Plain):
    plain_card["source"]["files"][0] |= half
    refused(write_card(plain_card), "source.files.0", "github and commit belong together")


def test_only_files_of_a_github_source_have_a_repository_of_their_own(plain_card: Plain, write_card: WriteCard):
    own = {"github": "someone/lakes", "commit": "1" * 40}
    plain_card["source"] = {"url": "https://host/data", "files": [plain_card["source"]["files"][0] | own]}
    refused(write_card(plain_card), "source", "repository of their own")


CARDS = sorted(Catalogue((content_folder("tasks"),)).card_paths)


@pytest.mark.parametrize("dataset", CARDS)
def test_every_card_of_the_project_validates_and_stands_in_a_folder_of_one_of_its_tasks(dataset: str):
    catalogue = Catalogue((content_folder("tasks"),))
    card = catalogue.card(dataset)
    folder = catalogue.card_paths[dataset].parent.name
    assert folder == "demo" or folder.upper() in card.tasks


@pytest.mark.parametrize("dataset", CARDS)
def test_every_ready_card_of_the_project_counts_what_it_reads(dataset: str):
    card = Catalogue((content_folder("tasks"),)).card(dataset)
    if card.status is Status.READY:
        assert card.counts
        assert all(counts.texts > 0 for by_split in card.counts.values() for counts in by_split.values())
