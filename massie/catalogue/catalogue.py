"""The catalogue: every card, benchmark definition and table of negatives of ``tasks/`` and of the user's folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from massie._content import content_folder
from massie.catalogue.benchmarks import BenchmarkDefinition, read_benchmark
from massie.catalogue.cards import Card, Status, read_card
from massie.catalogue.languages import language
from massie.catalogue.negatives import NegativesTable, read_negatives
from massie.types import ContentError, UnknownNameError

_NOT_CARDS = {"languages.yaml", "paper.yaml"}
_NO_FOLDERS_OF_CARDS = {"benchmarks"}
DEMO_FOLDER = "demo"
NEGATIVES_FOLDER = "negatives"


@dataclass(frozen=True)
class Catalogue:
    """The cards, benchmark definitions and tables of negatives below some folders, read when first asked for."""

    folders: tuple[Path, ...]

    @classmethod
    def default(cls, extra: Sequence[Path] = ()) -> Catalogue:
        """The project's own ``tasks/``, then ``MASSIE_TASKS_PATH`` (separated as PATH is), then ``extra``."""
        named = [Path(part) for part in os.environ.get("MASSIE_TASKS_PATH", "").split(os.pathsep) if part]
        for folder in [*named, *extra]:
            if not folder.is_dir():
                raise ContentError(f"{folder}: is not a folder; --tasks and MASSIE_TASKS_PATH name folders with cards")
        return cls((content_folder("tasks"), *named, *extra))

    @cached_property
    def card_paths(self) -> dict[str, Path]:
        """The file of every card by dataset id, sorted by id."""
        paths: dict[str, Path] = {}
        for folder in self.folders:
            for path in sorted(folder.rglob("*.yaml")):
                if path.parent.name in _NO_FOLDERS_OF_CARDS or path.name in _NOT_CARDS:
                    continue
                if path.stem in paths:
                    raise ContentError(f"{path}: a card {path.stem!r} is already in {paths[path.stem]}")
                paths[path.stem] = path
        return dict(sorted(paths.items()))

    @cached_property
    def benchmark_paths(self) -> dict[str, Path]:
        """The file of every benchmark definition by id."""
        paths: dict[str, Path] = {}
        for folder in self.folders:
            for path in sorted((folder / "benchmarks").glob("*.yaml")):
                if path.stem in paths:
                    raise ContentError(f"{path}: a benchmark {path.stem!r} is already in {paths[path.stem]}")
                paths[path.stem] = path
        return paths

    @cached_property
    def negatives_paths(self) -> dict[str, Path]:
        """The file of every table of hard negatives by name."""
        paths: dict[str, Path] = {}
        for folder in self.folders:
            for path in sorted((folder / NEGATIVES_FOLDER).glob("*.json")):
                if path.stem in paths:
                    raise ContentError(f"{path}: a table {path.stem!r} is already in {paths[path.stem]}")
                paths[path.stem] = path
        return paths

    def card(self, dataset: str) -> Card:
        """The card of a dataset.

        Raises UnknownNameError, suggesting the nearest id, or ContentError where the card does not validate.
        """
        if dataset not in self.card_paths:
            raise UnknownNameError("dataset", dataset, self.card_paths, "(massie datasets lists them)")
        if dataset not in self._cards:
            self._cards[dataset] = self._read(dataset)
        return self._cards[dataset]

    @cached_property
    def _cards(self) -> dict[str, Card]:
        """The cards that were read: reading all takes the time of reading 10,000 texts."""
        return {}

    def _read(self, dataset: str) -> Card:
        card = read_card(self.card_paths[dataset])
        for code in card.languages:
            try:
                language(code)
            except UnknownNameError as error:
                raise ContentError(f"{self.card_paths[dataset]}: languages: {error}") from error
        return card

    def cards(self) -> Iterator[Card]:
        """Every card, sorted by dataset id."""
        for dataset in self.card_paths:
            yield self.card(dataset)

    def benchmark(self, name: str) -> BenchmarkDefinition:
        """The definition of a benchmark; raises UnknownNameError, suggesting the nearest id, or ContentError.

        The datasets that it names are there and have what it wants of them.
        """
        if name not in self.benchmark_paths:
            raise UnknownNameError("benchmark", name, self.benchmark_paths)
        path = self.benchmark_paths[name]
        definition = read_benchmark(path)
        for dataset in definition.named():
            try:
                card = self.card(dataset)
            except UnknownNameError as error:
                raise ContentError(f"{path}: {error}") from error
            if fault := definition.fault_with(card):
                raise ContentError(f"{path}: {fault}")
        return definition

    def negatives(self, name: str) -> NegativesTable:
        """A table of hard negatives; raises UnknownNameError, suggesting the nearest name, or ContentError."""
        if name not in self.negatives_paths:
            raise UnknownNameError(
                "table of negatives", name, self.negatives_paths, "(massie mine-negatives --table NAME makes one)"
            )
        return read_negatives(self.negatives_paths[name])

    def datasets_of(self, benchmark: BenchmarkDefinition) -> list[str]:
        """The dataset ids that a benchmark takes, sorted."""
        if benchmark.datasets is not None:
            return sorted(benchmark.datasets)
        return [
            card.id
            for card in self.cards()
            if card.status is Status.READY
            and card.in_paper
            and (benchmark.only is None or benchmark.only.takes(card))
            and self.card_paths[card.id].parent.name != DEMO_FOLDER
        ]
