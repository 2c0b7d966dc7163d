"""The conformance vectors of ``metrics/vectors.yaml``: samples with what any scorer has to make of them.

The file maps sections to lists of vectors; its head explains their keys.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import ConfigDict, Field, ValidationError, model_validator

from massie._content import content_folder
from massie.catalogue.yaml import Content, explain, read_yaml
from massie.types import ContentError, Task, record_fault

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
ERROR_KINDS = ("boundary", "type", "both", "spurious", "missed")


class Strict(Content):
    """Content in which no value is taken for one of another type, as ``true`` would be for 1."""

    model_config = ConfigDict(strict=True)


class EventSchema(Strict):
    """A label that an EE sample asks for: an event type with its roles."""

    event_type: Text
    roles: tuple[Text, ...] = Field(strict=False)


class Expected(Strict):
    """What a scorer makes of a vector.

    Scores are on 0..1, to six decimals. ``tp``, ``predicted`` and ``gold`` count items (``predicted`` with malformed
    records), the others are diagnostics. ``hallucinated`` stands where there is a text; the error kinds stand together
    where a vector pins them. None is for what a vector does not pin.
    """

    lf1: Share
    f1: Share
    lf1_by_schema: Share
    matched_lf1: Share
    tp: Count
    predicted: Count
    gold: Count
    invalid: bool
    malformed: Count
    off_schema: Count
    hallucinated: Count | None = None
    boundary: Count | None = None
    type: Count | None = None
    both: Count | None = None
    spurious: Count | None = None
    missed: Count | None = None

    @model_validator(mode="after")
    def _all_error_kinds(self) -> Expected:
        given = [name for name in ERROR_KINDS if getattr(self, name) is not None]
        if given and len(given) < len(ERROR_KINDS):
            raise ValueError(f"of the error kinds only {', '.join(given)} are given; give all five or none")
        return self

    def pinned(self) -> dict[str, float | int | bool]:
        """The names that the vector pins, with their values."""
        return {name: value for name, value in self if value is not None}


SCORE_NAMES = tuple(Expected.model_fields)
"""The names under which vectors hold scores, counts and diagnostics."""


class Vector(Strict):
    """One case: a sample with its gold and an answer, and what a scorer makes of it.

    ``schemas`` are labels, for EE event types with roles; ``gold`` are canonical records. The answer is either
    ``prediction`` (records as an adapter returns them, which may be malformed) or ``output`` (a model's raw text).
    ``text`` is there where hallucinations are counted. ``about`` says which rule is pinned and how the numbers come
    about; ``section`` is the part of the file that the vector stands in.
    """

    id: Text
    section: Text
    task: Task = Field(strict=False)
    about: Text
    schemas: tuple[Text | EventSchema, ...] = Field(min_length=1, strict=False)
    gold: tuple[dict[str, Any], ...] = Field(strict=False)
    prediction: list[Any] | None = None
    output: str | None = None
    text: str | None = None
    expect: Expected

    @model_validator(mode="after")
    def _consistent(self) -> Vector:
        if (self.prediction is None) == (self.output is None):
            raise ValueError("give either a prediction or an output")
        if (self.text is None) != (self.expect.hallucinated is None):
            raise ValueError("hallucinated is expected where there is a text, and only there")
        with_roles = [isinstance(schema, EventSchema) for schema in self.schemas]
        if set(with_roles) != {self.task is Task.EE}:
            raise ValueError("the schemas of EE have an event_type and roles, those of other tasks are labels")
        for record in self.gold:
            if fault := record_fault(record, self.task):
                raise ValueError(f"a gold record is malformed: {fault}")
        return self

    def question(self) -> dict[str, Any]:
        """What a scorer is told, as plain JSON values: the sample and the answer, without expectations."""
        schemas = [schema if isinstance(schema, str) else schema.model_dump(mode="json") for schema in self.schemas]
        told: dict[str, Any] = {"id": self.id, "task": str(self.task), "schemas": schemas, "gold": [*self.gold]}
        answer = {"prediction": self.prediction} if self.output is None else {"output": self.output}
        return told | answer | ({} if self.text is None else {"text": self.text})


@cache
def conformance_vectors() -> tuple[Vector, ...]:
    """The vectors of ``metrics/``; raises ContentError as ``read_vectors`` does."""
    return read_vectors(content_folder("metrics") / "vectors.yaml")


def read_vectors(path: Path) -> tuple[Vector, ...]:
    """The vectors of a file, in its order; raises ContentError naming file, vector and field."""
    sections = read_yaml(path)
    if not isinstance(sections, dict):
        raise ContentError(f"{path}: must map sections to lists of vectors")
    vectors: dict[str, Vector] = {}
    for section, entries in cast("dict[Any, Any]", sections).items():
        if not isinstance(entries, list):
            raise ContentError(f"{path}: {section}: must be a list of vectors")
        for place, entry in enumerate(cast("list[Any]", entries), start=1):
            vector = _vector(entry, section, f"{path}: vector {place} of {section!r}")
            if vector.id in vectors:
                raise ContentError(f"{path}: id: two vectors are called {vector.id!r}; rename one")
            vectors[vector.id] = vector
    return tuple(vectors.values())


def _vector(entry: Any, section: Any, where: str) -> Vector:
    if not isinstance(entry, dict):
        raise ContentError(f"{where}: must be an object with id, task, about, ...")
    plain = cast("dict[Any, Any]", entry)
    if "section" in plain:
        raise ContentError(f"{where}: section: unknown key; remove it, the vector's place says its section")
    try:
        return Vector.model_validate({**plain, "section": section})
    except ValidationError as error:
        raise ContentError(explain(error, f"{where} ({plain.get('id')})")) from error
