from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.catalogue import Catalogue

Massie = Callable[..., Any]


def ids(done: Any) -> list[str]:
    assert done.code == 0, done.err
    return [entry["id"] for entry in done.json]


def test_it_lists_every_card(massie: Massie) -> None:
    assert ids(massie("datasets", "--json")) == list(Catalogue.default().card_paths)


def test_the_list_for_people_ends_with_its_length(massie: Massie) -> None:
    done = massie("datasets", "--task", "EE")
    assert done.code == 0
    assert done.out.splitlines()[-1] == f"{len(done.out.splitlines()) - 3} datasets"
    assert "demo-happenings" in done.out


@pytest.mark.parametrize(
    ("filters", "keeps"),
    [
        (("--task", "NER"), lambda entry: "NER" in entry["tasks"]),
        (("--task", "ner"), lambda entry: "NER" in entry["tasks"]),
        (("--language", "swa"), lambda entry: "swa" in entry["languages"]),
        (("--status", "ready"), lambda entry: entry["status"] == "ready"),
        (("--access", "open"), lambda entry: entry["access"] == "open"),
        (("--redistributable",), lambda entry: entry["licence"]["redistributable"]),
        (("--task", "SF", "--language", "tha"), lambda entry: "SF" in entry["tasks"] and "tha" in entry["languages"]),
    ],
)
def test_a_filter_keeps_exactly_what_it_names(
    massie: Massie, filters: tuple[str, ...], keeps: Callable[[Any], bool]
) -> None:
    every = massie("datasets", "--json").json
    kept = [entry["id"] for entry in every if keeps(entry)]
    assert ids(massie("datasets", *filters, "--json")) == kept
    assert kept


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (("--task", "NRE"), "unknown task 'NRE'; did you mean 'RE' or 'NER'?"),
        (("--language", "swe_"), "unknown language 'swe_'; did you mean 'swe'"),
        (("--language", "Swahili"), "(swa is the code of Swahili)"),
        (("--status", "redy"), "'redy' is not one of"),
        (("--tasks", "absent"), "absent: is not a folder"),
    ],
)
def test_an_unknown_filter_value_suggests_the_nearest(massie: Massie, filters: tuple[str, ...], said: str) -> None:
    done = massie("datasets", *filters)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_a_card_is_shown_with_licence_labels_and_counts(massie: Massie) -> None:
    done = massie("datasets", "show", "demo-nature")
    assert done.code == 0
    for word in ("M-DEMO nature", "CC0-1.0", "swa (Swahili)", "a tree, flower or other growing plant", "test"):
        assert word in done.out


def test_a_card_is_shown_as_json(massie: Massie) -> None:
    shown = massie("datasets", "show", "demo-nature", "--json").json
    assert shown["id"] == "demo-nature"
    assert shown["entities"]["plant"]["description"] == "a tree, flower or other growing plant"


@pytest.mark.parametrize("dataset", list(Catalogue.default().card_paths))
def test_every_card_can_be_shown(massie: Massie, dataset: str) -> None:
    assert massie("datasets", "show", dataset).code == 0


def test_an_unknown_dataset_suggests_the_nearest(massie: Massie) -> None:
    done = massie("datasets", "show", "demo-natur")
    assert done.code == 2
    assert "unknown dataset 'demo-natur'; did you mean 'demo-nature'" in done.err


def test_a_card_of_a_further_folder_is_listed(massie: Massie, rivers: Path) -> None:
    assert "rivers" in ids(massie("datasets", "--tasks", rivers / "cards", "--json"))
    assert massie("datasets", "show", "rivers", "--tasks", rivers / "cards").code == 0


def test_a_card_with_a_wrong_key_names_file_and_key(massie: Massie, rivers: Path) -> None:
    path = rivers / "cards" / "rivers.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "colour: blue\n", encoding="utf-8")
    for words in (("datasets",), ("datasets", "show", "rivers"), ("fetch", "rivers"), ("check", "rivers")):
        done = massie(*words, "--tasks", rivers / "cards")
        assert done.code == 2
        assert done.err == f"massie: {path}: colour: unknown key; remove it or check its spelling\n"


def test_a_card_that_is_no_yaml_names_file_and_line(massie: Massie, rivers: Path) -> None:
    path = rivers / "cards" / "rivers.yaml"
    path.write_text("id: rivers\nname: [\n", encoding="utf-8")
    done = massie("datasets", "show", "rivers", "--tasks", rivers / "cards")
    assert done.code == 2
    assert f"massie: {path}:" in done.err
    assert "not valid YAML" in done.err
