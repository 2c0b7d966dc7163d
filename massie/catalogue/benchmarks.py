"""Benchmark definitions: which datasets, splits and samples are taken, how schemas are batched, what the score is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from massie.catalogue.cards import Card, Status
from massie.catalogue.metrics import metric_cards
from massie.catalogue.negatives import DEFAULT_NEGATIVES
from massie.catalogue.yaml import Content, read_yaml, validated
from massie.types import ContentError, Split, UnknownNameError


class Caps(Content):
    """At most so much of a cell: samples that are ``empty`` or ``with_gold`` records, and ``instances`` before that.

    What has no cap is taken whole.
    """

    empty: int | None = Field(default=None, ge=0)
    with_gold: int | None = Field(default=None, ge=0)
    instances: int | None = Field(default=None, ge=0)


class Only(Content):
    """Which datasets may be taken, by what their cards say; what is not named does not matter.

    ``redistributable`` is whether the licence lets the built samples be passed on, ``fetchable`` whether anyone can
    have the raw files from the network as they are.
    """

    redistributable: bool | None = None
    fetchable: bool | None = None

    def takes(self, card: Card) -> bool:
        """Whether a card is such a one."""
        said = {"redistributable": card.licence.redistributable, "fetchable": card.fetchable}
        return all(said[name] is wanted for name, wanted in self.model_dump(exclude_none=True).items())

    def __str__(self) -> str:
        return " and ".join(name if wanted else f"not {name}" for name, wanted in self if wanted is not None)


class Over(StrEnum):
    """What the scores of a task are a mean over."""

    INSTANCES = "instances"  # of cells, each weighing as many instances as it has (paper, appendix I)
    DATASETS = "datasets"  # of datasets, each weighing the same, with the counts of its cells added up first


class Aggregation(Content):
    """How the scores of cells become one: the headline ``score`` (a metric card's name) and what it is a mean ``over``.

    ``as_one`` names groups of dataset ids that the evaluation holds for one dataset.
    """

    score: str = "lf1"
    over: Over = Over.INSTANCES
    as_one: dict[str, list[str]] = {}

    @field_validator("score")
    @classmethod
    def _is_a_score(cls, value: str) -> str:
        scores = [card.name for card in metric_cards().values() if card.kind == "score" and not card.on_request]
        if value not in scores:
            raise ValueError(f"no such score; there are {', '.join(scores)}")
        return value

    @model_validator(mode="after")
    def _groups_are_apart(self) -> Aggregation:
        if self.as_one and self.over is not Over.DATASETS:
            raise ValueError("as_one says what counts as one dataset, so it needs over: datasets")
        if twice := _repeated([dataset for group in self.as_one.values() for dataset in group]):
            raise ValueError(f"as_one names a dataset twice: {', '.join(twice)}")
        return self

    def dataset_of(self, dataset: str) -> str:
        """The evaluation's name for what a dataset is, or is a part of."""
        return next((name for name, group in self.as_one.items() if dataset in group), dataset)


class BenchmarkDefinition(Content):
    """A benchmark: one file in ``tasks/benchmarks``.

    ``datasets`` lists dataset ids; null takes every dataset of the paper that is ready and that ``only`` lets pass.
    ``languages`` are those taken of a dataset, where not all are. ``splits`` are those that the benchmark has; null:
    all. ``lacks`` names what the evaluation has and this file has not, each with the reason.
    ``schemas_per_sample`` is the paper's split_num (section 2.2); null asks for all at once. ``caps`` are upper bounds
    by split, as M-LIGHT has them (section 2.3); null takes all.
    ``negatives`` names the table of hard negatives (section 2.2) that train and dev samples are made with.
    ``bundled`` says that all its data are part of this project, so that it needs no building.
    ``seed`` keys every random draw, together with ``version``; ``id`` does not, so that M-LIGHT's samples are
    M-HEAVY's of the same version and seed.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name: str
    version: str
    summary: str
    datasets: list[str] | None
    only: Only | None = None
    languages: dict[str, list[str]] = {}
    splits: list[Split] | None = None
    lacks: dict[str, str] = {}
    schemas_per_sample: int | None = Field(default=6, ge=1)
    caps: dict[Split, Caps] | None = None
    negatives: str = DEFAULT_NEGATIVES
    aggregation: Aggregation = Field(default_factory=Aggregation)
    bundled: bool = False
    seed: int = 0

    @model_validator(mode="after")
    def _fits_together(self) -> BenchmarkDefinition:
        for field, names in {"datasets": self.datasets or [], "splits": self.splits or []}.items():
            if twice := _repeated(names):
                raise ValueError(f"{field}: named twice: {', '.join(twice)}")
        if self.only and self.datasets is not None:
            raise ValueError("only: chooses among the ready datasets of the paper, so it needs datasets: null")
        if self.splits is not None and Split.TEST not in self.splits:
            raise ValueError("splits: must have test, which the others are kept apart from")
        if strangers := [split for split in self.caps or {} if not self.has(split)]:
            raise ValueError(f"caps: are for splits that 'splits' leaves out: {', '.join(strangers)}")
        if self.datasets is not None and (strangers := sorted({*self.named()} - {*self.datasets})):
            raise ValueError(f"languages or as_one name what 'datasets' does not: {', '.join(strangers)}")
        return self

    @property
    def key(self) -> str:
        """What every random draw of the benchmark is keyed with."""
        return f"{self.version}/{self.seed}"

    def has(self, split: Split) -> bool:
        """Whether the benchmark has a split."""
        return self.splits is None or split in self.splits

    def languages_of(self, card: Card) -> list[str]:
        """The languages of a card that the benchmark takes."""
        return self.languages.get(card.id, card.languages)

    def raw_cells(self, card: Card) -> Iterator[tuple[str, str]]:
        """(language, raw split) of every group of a card's files that the benchmark needs."""
        languages = self.languages_of(card)
        for language, raw_split in card.raw_cells():
            if language in languages and self.splits_of(card, raw_split):
                yield language, raw_split

    def splits_of(self, card: Card, raw_split: str) -> list[Split]:
        """The benchmark's splits that texts of a card's raw split go to."""
        return [split for split in card.splits_of(raw_split) if self.has(split)]

    def named(self) -> list[str]:
        """The ids of all datasets that the file names as its own."""
        grouped = [dataset for group in self.aggregation.as_one.values() for dataset in group]
        return [*dict.fromkeys([*(self.datasets or []), *self.languages, *grouped])]

    def fault_with(self, card: Card) -> str | None:
        """What the file says of a dataset that its card does not bear out; None where all is well."""
        if card.status is Status.DESCRIBED:
            return f"datasets: the card of {card.id} only describes it; name it under 'lacks', with the reason"
        for language in self.languages_of(card):
            if language not in card.languages:
                return f"languages.{card.id}: {UnknownNameError('language', language, card.languages)}"
        if not any(self.raw_cells(card)):
            return f"datasets: {card.id} has no files for any of the splits; name it under 'lacks', with the reason"
        return None


def _repeated(names: list[str] | list[Split]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def read_benchmark(path: Path) -> BenchmarkDefinition:
    """The benchmark definition in a file; raises ContentError naming file and field."""
    definition = validated(BenchmarkDefinition, read_yaml(path), path)
    if path.stem != definition.id:
        raise ContentError(f"{path}: id: is {definition.id!r}, but the file is called {path.stem!r}")
    return definition
