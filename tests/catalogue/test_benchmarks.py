"""Benchmark definitions: the numbers of the paper, and files that do not validate."""

from __future__ import annotations

from pathlib import Path

import pytest

from massie.catalogue import BenchmarkDefinition, Caps, Catalogue
from massie.types import ContentError, Split


def benchmark_of(folder: Path, text: str, name: str = "own") -> BenchmarkDefinition:
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Catalogue((folder,)).benchmark(name)


def test_m_light_has_the_papers_caps_and_batches_of_six():
    light = Catalogue.default().benchmark("m-light")
    assert light.caps == {
        Split.TRAIN: Caps(empty=10_000, with_gold=3_000),
        Split.DEV: Caps(empty=100, with_gold=30),
        Split.TEST: Caps(empty=1_000, with_gold=300),
    }
    assert light.schemas_per_sample == 6


def test_m_heavy_takes_everything():
    heavy = Catalogue.default().benchmark("m-heavy")
    assert heavy.caps is None
    assert heavy.datasets is None


def test_draws_are_keyed_by_version_and_seed_so_that_m_light_is_part_of_m_heavy():
    catalogue = Catalogue.default()
    light, heavy = catalogue.benchmark("m-light"), catalogue.benchmark("m-heavy")
    assert light.key == heavy.key
    assert light.model_copy(update={"seed": 1}).key != light.key
    assert light.model_copy(update={"version": "2"}).key != light.key


def test_only_m_demo_needs_no_building():
    catalogue = Catalogue.default()
    assert [name for name in catalogue.benchmark_paths if catalogue.benchmark(name).bundled] == ["m-demo"]


WHOLE = 'id: own\nname: Own\nversion: "1"\nsummary: mine\ndatasets: [rivers]\n'


def test_a_definition_of_the_users_own_is_read(tmp_path: Path):
    assert benchmark_of(tmp_path, WHOLE).datasets == ["rivers"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (WHOLE + "cap: null\n", "cap: unknown key"),
        (WHOLE + "caps: {tset: {empty: 1, with_gold: 1}}\n", r"caps\.tset"),
        (WHOLE + "caps: {test: {empty: -1, with_gold: 1}}\n", r"caps\.test\.empty"),
        (WHOLE + "schemas_per_sample: 0\n", "schemas_per_sample"),
        (WHOLE.replace('"1"', "1"), "version"),
        ("id: own\n", "name: this key is missing"),
    ],
)
def test_a_fault_names_file_and_field(tmp_path: Path, text: str, field: str):
    with pytest.raises(ContentError, match=rf"own\.yaml: {field}"):
        benchmark_of(tmp_path, text)


def test_the_file_is_called_as_the_id(tmp_path: Path):
    with pytest.raises(ContentError, match="'own', but the file is called 'other'"):
        benchmark_of(tmp_path, WHOLE, "other")
