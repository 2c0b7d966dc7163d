"""The paper's figures: table 1 as it is printed, and counts that agree with the tables of languages and datasets."""

from __future__ import annotations

import pytest

from massie.catalogue import Catalogue, languages, published
from massie.types import Split, Task

# The rows of table 1 (train, dev, test of M-HEAVY, then of M-LIGHT), typed from the paper a second time.
TABLE_1 = """
RE 127490 28384 116471 70600 2461 29068
NER 2023810 336215 844693 808595 13621 194588
SF 6199870 1089221 1688019 780789 9880 95119
EE 1510244 209193 215990 89918 2250 22002
ED 2049052 310980 282119 197930 4333 31087
All 11910466 1973993 3147292 1947832 32545 371864
"""


@pytest.mark.parametrize(("benchmark", "first"), [("m-heavy", 0), ("m-light", 3)])
def test_the_samples_are_those_of_table_1(benchmark: str, first: int):
    printed = {row.split()[0]: [*map(int, row.split()[1:])][first : first + 3] for row in TABLE_1.strip().splitlines()}
    ours = published().samples[benchmark]
    assert {str(task): [ours[task][split] for split in Split] for task in Task} | {"All": printed["All"]} == printed
    assert [sum(ours[task][split] for task in Task) for split in Split] == printed["All"]


def test_the_languages_and_families_are_those_of_the_table_of_languages():
    in_paper = [entry for entry in languages().values() if entry.in_paper]
    assert len(in_paper) == published().languages
    assert len({entry.family for entry in in_paper}) == published().families


def test_the_datasets_are_as_many_as_the_cards_of_the_paper():
    cards = [card for card in Catalogue.default().cards() if card.in_paper]
    assert len(cards) == published().datasets_in_all
    assert {task: sum(task in card.tasks for card in cards) for task in Task} == published().datasets


def test_the_benchmarks_of_table_1_are_defined():
    assert set(published().samples) <= set(Catalogue.default().benchmark_paths)


def test_the_file_of_figures_is_no_card():
    assert "paper" not in Catalogue.default().card_paths
