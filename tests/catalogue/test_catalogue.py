"""The catalogue: cards and benchmark definitions of the project and of the user's folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie._content import content_folder
from massie.catalogue import Catalogue, Status
from massie.types import ContentError, UnknownNameError

Plain = dict[str, Any]
WriteCard = Callable[..., Path]


def test_an_unknown_dataset_suggests_the_nearest():
    with pytest.raises(
        UnknownNameError, match="unknown dataset 'masakhanner20'; did you mean 'masakhaner20'"
    ) as caught:
        Catalogue.default().card("masakhanner20")
    assert caught.value.nearest[0] == "masakhaner20"


def test_an_unknown_benchmark_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown benchmark 'M-Lite'; did you mean 'm-light'"):
        Catalogue.default().benchmark("M-Lite")


def test_a_language_that_is_not_in_the_table_names_file_field_and_the_nearest(plain_card: Plain, write_card: WriteCard):
    path = write_card(plain_card | {"languages": ["swaa", "deu"]})
    with pytest.raises(ContentError) as caught:
        Catalogue((path.parent,)).card("rivers")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: languages: unknown language 'swaa'; did you mean 'swa'")


def test_folders_of_the_environment_come_before_those_of_the_call(
    plain_card: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv("MASSIE_TASKS_PATH", os.pathsep.join(map(str, folders[:2])))
    assert Catalogue.default([folders[2]]).folders == (content_folder("tasks"), *folders)


def test_a_folder_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASSIE_TASKS_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ContentError, match=r"nowhere: is not a folder; --tasks and MASSIE_TASKS_PATH"):
        Catalogue.default()


def test_cards_are_found_below_a_folder_and_sorted_by_id(plain_card: Plain, write_card: WriteCard):
    first = write_card(plain_card | {"id": "zambezi"})
    deep = first.parent / "ner" / "africa"
    deep.mkdir(parents=True)
    first.rename(deep / first.name)
    write_card(plain_card | {"id": "amur"})
    catalogue = Catalogue((first.parent,))
    assert [card.id for card in catalogue.cards()] == ["amur", "zambezi"]


def test_two_cards_with_one_id_are_refused_and_both_files_named(
    plain_card: Plain, write_card: WriteCard, tmp_path: Path
):
    path = write_card(plain_card)
    other = tmp_path / "other"
    other.mkdir()
    (other / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ContentError) as caught:
        _ = Catalogue((path.parent, other)).card_paths
    assert str(path) in str(caught.value)
    assert str(other / path.name) in str(caught.value)


def test_a_folder_of_the_user_does_not_replace_a_benchmark(tmp_path: Path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "m-light.yaml").write_text("id: m-light\n", encoding="utf-8")
    with pytest.raises(ContentError, match="a benchmark 'm-light' is already in"):
        Catalogue.default([tmp_path]).benchmark("m-light")


def test_m_light_and_m_heavy_take_the_ready_datasets_of_the_paper():
    catalogue = Catalogue.default()
    members = catalogue.datasets_of(catalogue.benchmark("m-heavy"))
    assert members == catalogue.datasets_of(catalogue.benchmark("m-light")) == sorted(members)
    for card in catalogue.cards():
        assert (card.id in members) == (card.status is Status.READY and card.in_paper)


def test_m_demo_takes_the_datasets_of_the_demo_folder():
    catalogue = Catalogue.default()
    members = catalogue.datasets_of(catalogue.benchmark("m-demo"))
    assert members == [dataset for dataset, path in catalogue.card_paths.items() if path.parent.name == "demo"]
