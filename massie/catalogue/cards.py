"""Dataset cards: one YAML file for each dataset, with everything that is particular to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from massie.catalogue.source import Source
from massie.catalogue.yaml import Content, read_yaml, validated
from massie.types import ContentError, Role, Schema, Split, Task


class Status(StrEnum):
    """How far a card can be trusted."""

    READY = "ready"  # the reader is proved on real files and the counts agree
    UNTESTED = "untested"  # the format is known, the files were not at hand
    DESCRIBED = "described"  # citation, languages and access only; no reader yet


class Access(StrEnum):
    """How the raw files are had."""

    OPEN = "open"
    ON_REQUEST = "on request"
    LDC = "LDC"
    UNKNOWN = "unknown"


class Join(StrEnum):
    """How the tokens of a tokenised source become text."""

    AUTO = "auto"  # by the language: with spaces, or without where its script has none
    SPACE = "space"
    NONE = "none"
    MIXED = "mixed"  # with spaces, but none between Chinese or Japanese characters nor beside their punctuation


class Licence(Content):
    """The licence of the data; ``spdx`` is null where none is stated or no SPDX identifier exists."""

    spdx: str | None
    note: str | None = None
    redistributable: bool = False

    @model_validator(mode="after")
    def _unstated_is_not_redistributable(self) -> Licence:
        if self.redistributable and self.spdx is None:
            raise ValueError("data without a stated licence cannot be redistributable")
        return self

    @property
    def title(self) -> str:
        """The licence in words."""
        return self.spdx or self.note or "none stated"


class ReaderChoice(Content):
    """The reader of the raw format, by name, with its options (checked by the reader)."""

    name: str
    options: dict[str, Any] = {}


class TextRules(Content):
    """How tokens become text.

    ``space_token`` is a token that stands for a space of the original text; ``replace`` maps single characters to
    single characters (offsets keep), for marks that the source put into the text, such as ``_`` within words.
    """

    join: Join = Join.AUTO
    join_by_language: dict[str, Join] = {}
    space_token: str | None = None
    replace: dict[str, str] = {}

    @field_validator("replace")
    @classmethod
    def _one_to_one(cls, value: dict[str, str]) -> dict[str, str]:
        for old, new in value.items():
            if len(old) != 1 or len(new) != 1:
                raise ValueError(f"{old!r}: {new!r} must both be single characters, so that offsets keep")
        return value


class Label(Content):
    """What a model is asked for in place of a raw label; ``drop`` takes the label out (catch-alls such as Misc)."""

    name: str | None = None
    description: str | None = None
    drop: bool = False

    @model_validator(mode="after")
    def _named_or_dropped(self) -> Label:
        if self.drop == (self.name is not None):
            raise ValueError("a label has either a name or drop: true")
        if self.name is not None and self.name != " ".join(self.name.split()):
            raise ValueError("a name has no white space at its ends nor runs of it")
        return self


class EventLabel(Label):
    """An event type with the raw names of its roles."""

    roles: list[str] = []


class MadeSplits(Content):
    """How missing splits are made: texts of the raw split ``of`` go by hash to the splits with these shares."""

    of: str
    shares: dict[Split, float]

    @field_validator("shares")
    @classmethod
    def _sum_to_one(cls, value: dict[Split, float]) -> dict[Split, float]:
        if abs(sum(value.values()) - 1) > 1e-9 or any(share <= 0 for share in value.values()):
            raise ValueError("shares must be positive and sum to 1")
        return value


class Counts(Content):
    """What the reader finds in the files with this digest.

    ``texts`` are the texts as they stand in the files (duplicates included), ``annotations`` the spans, relations or
    events (as the card's tasks use them, before any label is dropped), ``empty`` the texts without any. ``sha256`` is
    the digest of the cell's file; of several files, the digest of their ``sha256sum`` lines in order.
    """

    texts: int
    annotations: int
    empty: int | None = None
    arguments: int | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


_KIND_OF_TASK = {Task.NER: "entities", Task.SF: "slots", Task.RE: "relations", Task.ED: "events", Task.EE: "events"}


class Card(Content):
    """A dataset: what it is, where its raw files are, how they are read, and which labels are asked for.

    ``gap`` says in one sentence why the dataset, or a part of it, cannot be built, where status and access do not say
    it all; ``massie datasets --coverage`` shows it.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")
    name: str
    tasks: list[Task] = Field(min_length=1)
    status: Status
    in_paper: bool
    languages: list[str] = Field(min_length=1)
    licence: Licence
    access: Access
    citation: str
    homepage: str | None
    notes: str | None = None
    gap: str | None = Field(default=None, min_length=1)
    source: Source | None = None
    reader: ReaderChoice | None = None
    text: TextRules = TextRules()
    splits: list[MadeSplits] = []
    entities: dict[str, Label] = {}
    slots: dict[str, Label] = {}
    relations: dict[str, Label] = {}
    events: dict[str, EventLabel] = {}
    roles: dict[str, Label] = {}
    counts: dict[str, dict[str, Counts]] = {}

    @model_validator(mode="after")
    def _is_whole(self) -> Card:
        if len(set(self.languages)) != len(self.languages):
            raise ValueError("a language is listed twice")
        if self.status is not Status.DESCRIBED:
            if self.source is None or self.reader is None:
                raise ValueError(f"a card with status {self.status} needs source and reader")
            for task in self.tasks:
                if all(label.drop for label in self.labels(task).values()):
                    raise ValueError(f"the task {task} needs labels under {_KIND_OF_TASK[task]!r}")
        undeclared = sorted({role for event in self.events.values() for role in event.roles} - set(self.roles))
        if undeclared:
            raise ValueError(f"events name roles that 'roles' does not declare: {', '.join(undeclared)}")
        for where, languages, raw_splits in self._named():
            if strangers := sorted(set(languages) - set(self.languages)):
                raise ValueError(f"{where} name languages that 'languages' does not: {', '.join(strangers)}")
            if self.source and (strangers := sorted(set(raw_splits) - set(self.raw_splits()))):
                raise ValueError(f"{where} name raw splits that the source's files do not: {', '.join(strangers)}")
        made = {made.of for made in self.splits}
        for raw_split in self.raw_splits():
            if raw_split not in made and raw_split not in set(Split):
                raise ValueError(
                    f"the raw split {raw_split!r} is not train, dev or test: 'splits' must say what becomes of it"
                )
        return self

    def _named(self) -> Iterator[tuple[str, Iterable[str], Iterable[str]]]:
        """The places that name languages and raw splits, with those that they name."""
        yield "counts", self.counts, {split for counts in self.counts.values() for split in counts}
        yield "splits", (), (made.of for made in self.splits)
        yield "text.join_by_language", self.text.join_by_language, ()
        if self.source:
            yield "source.language_codes", self.source.language_codes, ()
            yield "source.split_codes", (), self.source.split_codes
            for place, files in enumerate(self.source.files):
                yield f"source.files.{place}.languages", files.languages or (), ()

    def labels(self, task: Task) -> dict[str, Label] | dict[str, EventLabel]:
        """The labels of a task: raw label to what is asked for."""
        return getattr(self, _KIND_OF_TASK[task])

    def raw_splits(self) -> list[str]:
        """The raw splits that the source has, in the card's order."""
        files = self.source.files if self.source else []
        return list(dict.fromkeys(split for entry in files for split in entry.splits))

    @property
    def fetchable(self) -> bool:
        """Whether anyone can have the raw files as they are, without asking or bringing them."""
        return self.access is Access.OPEN and self.source is not None and self.source.path is None

    def splits_of(self, raw_split: str) -> list[Split]:
        """The splits that the texts of a raw split go to."""
        made = next((made for made in self.splits if made.of == raw_split), None)
        return [Split(raw_split)] if made is None else [split for split in Split if split in made.shares]

    def raw_cells(self) -> Iterator[tuple[str, str]]:
        """(language, raw split) of every group of files that the source has, without repetition."""
        seen: set[tuple[str, str]] = set()
        for entry in self.source.files if self.source else []:
            for split in entry.splits:
                for language in entry.languages or self.languages:
                    if (language, split) not in seen:
                        seen.add((language, split))
                        yield language, split

    def schemas(self, task: Task) -> tuple[Schema, ...]:
        """The schemas of a task in the card's order; labels with one name are one schema, dropped ones are none."""
        schemas: dict[str, Schema] = {}
        for label in self.labels(task).values():
            if label.name is None:
                continue
            roles: dict[str, Role] = {}
            if task is Task.EE and isinstance(label, EventLabel):
                earlier = schemas.get(label.name)
                roles = {role.name: role for role in earlier.roles} if earlier else {}
                for raw in label.roles:
                    role = self.roles[raw]
                    if role.name is not None:
                        roles.setdefault(role.name, Role(role.name, role.description))
            description = label.description or (schemas[label.name].description if label.name in schemas else None)
            schemas[label.name] = Schema(label.name, description, tuple(roles.values()))
        return tuple(schemas.values())


def read_card(path: Path) -> Card:
    """The card in a file.

    Raises ContentError naming file and field where it does not validate, or where file name and id differ.
    """
    card = validated(Card, read_yaml(path), path)
    if path.stem != card.id:
        raise ContentError(f"{path}: id: is {card.id!r}, but the file is called {path.stem!r}; they must be the same")
    return card
