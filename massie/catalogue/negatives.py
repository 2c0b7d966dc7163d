"""Tables of hard negatives: for every label of a dataset those that are most like it (paper, section 2.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from massie.catalogue.yaml import Content, validated
from massie.types import ContentError, Task

DEFAULT_NEGATIVES = "tfidf"
"""The table that a benchmark takes unless it names another: the one that needs no model."""

HARD_NEGATIVES = 5
"""The paper's K (section 2.2)."""

Labels = dict[str, list[str]]
"""Every label of a dataset's task with its hard negatives, nearest first."""


class EmbedderEntry(Content):
    """What the labels were embedded with: MASSIE's name for the embedder, and of a model its name and revision."""

    name: str
    model: str | None = None
    revision: str | None = None

    @property
    def title(self) -> str:
        """The embedder in words."""
        return " ".join(part for part in (self.name, self.model, f"({self.revision})") if part)


def _of_one_set(labels: Labels) -> Labels:
    for label, negatives in labels.items():
        if label in negatives:
            raise ValueError(f"{label!r} is among its own negatives")
        if len(set(negatives)) != len(negatives):
            raise ValueError(f"{label!r} has a negative twice")
        if strangers := [negative for negative in negatives if negative not in labels]:
            raise ValueError(f"{label!r} has {strangers[0]!r} as a negative, which is not a label here")
    return labels


class NegativesTable(Content):
    """The hard negatives of datasets: one file in ``tasks/negatives``, written by ``massie mine-negatives``.

    ``negatives`` goes from dataset and task to labels; each has its ``k`` nearest, or all others where these are fewer.
    """

    embedder: EmbedderEntry
    k: int = Field(ge=1)
    negatives: dict[str, dict[Task, Annotated[Labels, AfterValidator(_of_one_set)]]]

    @model_validator(mode="after")
    def _has_k_of_each(self) -> NegativesTable:
        for dataset, tasks in self.negatives.items():
            for task, labels in tasks.items():
                number = min(self.k, len(labels) - 1)
                for label, negatives in labels.items():
                    if len(negatives) != number:
                        place = f"negatives.{dataset}.{task}: {label!r}"
                        raise ValueError(f"{place} has {len(negatives)} negatives and not {number}")
        return self

    def number_of_labels(self) -> int:
        """How many labels of all datasets and tasks have their negatives here."""
        return sum(len(labels) for tasks in self.negatives.values() for labels in tasks.values())

    def text(self) -> str:
        """The table as its file holds it: sorted, and a line for each label, so that one sees what changes."""
        head = {"embedder": self.embedder.model_dump(), "k": self.k}
        datasets = {
            dataset: _object({task: _object(_lines(labels), 3) for task, labels in sorted(tasks.items())}, 2)
            for dataset, tasks in sorted(self.negatives.items())
        }
        return _object({**_lines(head), "negatives": _object(datasets, 1)}, 0) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the file's text."""
        return sha256(self.text().encode()).hexdigest()


def _lines(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: json.dumps(value, ensure_ascii=False) for key, value in sorted(values.items())}


def _object(members: Mapping[str, str], depth: int) -> str:
    """A JSON object whose members, which are JSON already, have a line each."""
    if not members:
        return "{}"
    indent = " " * (depth + 1)
    lines = [f"{indent}{json.dumps(key, ensure_ascii=False)}: {value}" for key, value in members.items()]
    return "{\n" + ",\n".join(lines) + f"\n{' ' * depth}}}"


def read_negatives(path: Path) -> NegativesTable:
    """The table in a file; raises ContentError naming the file and what is wrong."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ContentError(f"{path}:{error.lineno}: not valid JSON: {error.msg}; {_way_out(path)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ContentError(f"{path}: cannot be read: {error}; {_way_out(path)}") from error
    return validated(NegativesTable, plain, path)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {key!r} stands twice")
        members[key] = value
    return members


def _way_out(path: Path) -> str:
    return f"remove it and make it again with: massie mine-negatives --table {path.stem}"
