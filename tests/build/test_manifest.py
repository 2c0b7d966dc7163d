"""The manifest: read back or refused, and the digest that names a build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from massie.build import read_manifest
from massie.build.manifest import manifest_digest
from massie.types import BuildError


@pytest.fixture
def folder(workshop: Any, line: Any, tmp_path: Path) -> Path:
    workshop.dataset("rivers", [line("Mto Nile", ("RIV", "Nile")), line("Der Rhein", language="deu")])
    workshop.build_to(tmp_path / "out")
    return tmp_path / "out"


def test_a_folder_without_a_manifest_holds_no_build(tmp_path: Path):
    with pytest.raises(BuildError, match=r"holds no build \(manifest.json is missing\); make one with: massie build"):
        read_manifest(tmp_path)
    with pytest.raises(BuildError, match="holds no build"):
        read_manifest(tmp_path / "nowhere")


def test_a_file_in_place_of_a_folder_cannot_be_read(tmp_path: Path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BuildError, match="cannot be read"):
        read_manifest(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", '{"format": 2}'])
def test_a_damaged_manifest_is_refused_with_the_way_out(folder: Path, text: str):
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=r"manifest\.json: .*\n(.*\n)*build it again with: massie build"):
        read_manifest(folder)


def test_a_manifest_of_another_format_says_so(folder: Path):
    plain = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(plain | {"format": 2}), encoding="utf-8")
    with pytest.raises(BuildError, match=r"manifest\.json: format: must be 1"):
        read_manifest(folder)


def test_a_wrong_type_in_a_manifest_is_named_by_field(folder: Path):
    plain = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    plain["cells"][0]["places"] = {"kind": [3]}
    (folder / "manifest.json").write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(BuildError, match=r"manifest\.json: cells\.0\.places\.kind\.0"):
        read_manifest(folder)


def test_a_cell_that_stands_twice_or_has_no_schemas_is_refused(folder: Path):
    plain = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    first = plain["cells"][0]
    strange = first | {"dataset": "x"}
    for more, said in ((first, "NER/rivers/deu dev stands twice"), (strange, "no schemas of NER/x/deu")):
        changed = plain | {"cells": [*plain["cells"], more]}
        (folder / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(BuildError, match=f"{said}\nbuild it again with: massie build"):
            read_manifest(folder)


def test_the_digest_can_be_computed_from_the_manifest_alone(folder: Path):
    read = read_manifest(folder)
    parameters = (read.benchmark, read.version, read.seed, read.schemas_per_sample, read.caps)
    assert manifest_digest(*parameters, read.cells) == read.digest
    assert manifest_digest(*parameters, read.cells[::-1]) == read.digest
    assert manifest_digest(*parameters, read.cells[1:]) != read.digest


def test_gaps_and_places_are_no_part_of_the_digest(folder: Path):
    read = read_manifest(folder)
    parameters = (read.benchmark, read.version, read.seed, read.schemas_per_sample, read.caps)
    moved = [cell.model_copy(update={"places": {"kind": ["elsewhere"]}}) for cell in read.cells]
    assert manifest_digest(*parameters, moved) == read.digest


def test_what_a_build_holds_in_a_split_are_its_cells_with_samples(folder: Path):
    read = read_manifest(folder)
    test, train = (read.cells_of(split) for split in (read.cells[0].split.TEST, read.cells[0].split.TRAIN))
    assert [str(cell.cell) for cell in test] == ["NER/rivers/deu", "NER/rivers/swa"]
    assert train == []
