"""A workshop: cards and raw files of our own, written on the spot and built."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark, Build, Manifest, Plan, build, build_to, load_benchmark
from massie.build.cells import CellData
from massie.build.instances import canonical
from massie.build.samples import schemas_digest
from massie.catalogue import BenchmarkDefinition, Card, Catalogue
from massie.sources import SourceStore

Line = dict[str, Any]


def line(text: str, *spans: tuple[str, str], language: str = "swa", split: str = "test", **more: Any) -> Line:
    """A line of MASSIE's JSON lines; each span is (label, surface), at the surface's first place in the text."""
    annotations = [
        {"label": label, "start": text.index(surface), "end": text.index(surface) + len(surface), "surface": surface}
        for label, surface in spans
    ]
    return {"language": language, "split": split, "text": text, "annotations": annotations} | more


def plain_card(dataset: str, **more: Any) -> dict[str, Any]:
    """The content of a NER card whose files the user brings."""
    return {
        "id": dataset,
        "name": dataset.title(),
        "tasks": ["NER"],
        "status": "ready",
        "in_paper": False,
        "languages": ["swa", "deu"],
        "licence": {"spdx": "CC0-1.0", "redistributable": True},
        "access": "open",
        "citation": "nobody, 2026",
        "homepage": None,
        "source": {
            "path": "a folder of our own",
            "files": [{"splits": ["train", "dev", "test"], "path": "texts.jsonl"}],
        },
        "reader": {"name": "jsonl", "options": {"where": {"language": "{lang}", "split": "{split}"}}},
        "entities": {"RIV": {"name": "river"}, "LAKE": {"name": "lake"}, "TOWN": {"name": "town"}},
    } | more


def digest_of(data: CellData) -> str:
    """The digest of a cell by its definition: schemas, then a sorted line for each sample with its id and gold."""
    lines = sorted(
        f"{sample.id}\t[{','.join(sorted(map(canonical, sample.gold or ())))}]\n" for sample in data.samples()
    )
    return sha256("".join([schemas_digest(data.schemas), *lines]).encode()).hexdigest()


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass
class Workshop:
    """A folder with cards and raw files, and the benchmark of all of them."""

    folder: Path

    def dataset(self, dataset: str, lines: Iterable[Line], **more: Any) -> None:
        """Write (or write again) a card and its raw file."""
        cards, raw = self.folder / "cards", self.folder / "raw" / dataset
        cards.mkdir(parents=True, exist_ok=True)
        raw.mkdir(parents=True, exist_ok=True)
        (cards / f"{dataset}.yaml").write_text(json.dumps(plain_card(dataset, **more)), encoding="utf-8")
        (raw / "texts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue((self.folder / "cards",))

    @property
    def store(self) -> SourceStore:
        return SourceStore(cache=self.folder / "cache", raw=self.folder / "raw")

    def definition(self, **more: Any) -> BenchmarkDefinition:
        plain = {
            "id": "own",
            "name": "Own",
            "version": "1",
            "summary": "mine",
            "datasets": [*self.catalogue.card_paths],
        }
        return BenchmarkDefinition.model_validate(plain | more)

    def plan(self, **more: Any) -> Plan:
        """A plan of the workshop for one process; what a plan does not know goes into the benchmark's definition."""
        of_plan = {"workers": 1} | {name: more.pop(name) for name in Plan.__dataclass_fields__ if name in more}
        return Plan(self.definition(**more), self.catalogue, self.store, **of_plan)

    def build(self, **more: Any) -> Build:
        return build(self.plan(**more))

    def build_to(self, folder: Path, **more: Any) -> Manifest:
        return build_to(folder, self.plan(**more))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture(name="line", scope="session")
def line_fixture() -> Any:
    return line


@pytest.fixture(name="digest_of", scope="session")
def digest_of_fixture() -> Any:
    return digest_of


@pytest.fixture(name="files_of", scope="session")
def files_of_fixture() -> Any:
    return files_of


@pytest.fixture(scope="session")
def make_card() -> Any:
    def make(dataset: str = "rivers", **more: Any) -> Card:
        return Card.model_validate(plain_card(dataset, **more))

    return make


@pytest.fixture(scope="session")
def make_workshop() -> Any:
    """For property tests, which need a fresh folder for each example."""
    return Workshop


@pytest.fixture(scope="session")
def demo() -> Benchmark:
    return load_benchmark("m-demo")
