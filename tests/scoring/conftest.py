"""Two scorers with one signature: MASSIE's, and the slow one of ``naive.py``.

Both take one sample as ``metrics/vectors.yaml`` writes it and give its scores under the names used there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

from massie.prompting import parse_answer
from massie.scoring import score_sample
from massie.types import Answer, Argument, Event, Mention, Record, Relation, Role, Schema, Span, Task

SPAN_KEYS = {"NER": ("entity", "entity_type"), "SF": ("slot", "slot_type")}


class Scorer(Protocol):
    """Scores one sample: ``prediction`` is an output text, a list of records, or None for an invalid structure."""

    def __call__(
        self,
        task: str,
        schemas: Sequence[Any],
        gold: Sequence[Any],
        prediction: str | Sequence[Any] | None,
        text: str | None = None,
    ) -> dict[str, Any]: ...


@pytest.fixture(scope="session")
def naive() -> ModuleType:
    """The reference written from the specification alone."""
    return module_at(Path(__file__).with_name("naive.py"))


@pytest.fixture(scope="session")
def product() -> Scorer:
    """MASSIE's own scoring, from output text or records to scores."""
    return score_with_massie


def module_at(path: Path) -> ModuleType:
    """The module in a file that is part of no package."""
    name = f"massie_tests_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def score_with_massie(
    task: str,
    schemas: Sequence[Any],
    gold: Sequence[Any],
    prediction: str | Sequence[Any] | None,
    text: str | None = None,
) -> dict[str, Any]:
    answer = parse_answer(prediction, Task(task)) if isinstance(prediction, str) else Answer(prediction)
    asked = tuple(schema_of(schema) for schema in schemas)
    records = [record_of(record, task) for record in gold]
    scores = score_sample(Task(task), asked, records, answer, text or "")._asdict()
    return scores | {"tp": scores["true_positives"], "invalid": bool(scores["invalid"])}


def schema_of(schema: Any) -> Schema:
    if isinstance(schema, str):
        return Schema(schema)
    return Schema(schema["event_type"], roles=tuple(Role(role) for role in schema["roles"]))


def record_of(record: dict[str, Any], task: str) -> Record:
    """A gold record from its JSON; scoring reads surfaces only, so the mentions have no offsets."""
    if task in SPAN_KEYS:
        span, label = SPAN_KEYS[task]
        return Span(record[label], Mention(record[span], ()))
    if task == "RE":
        return Relation(record["relation"], Mention(record["head"], ()), Mention(record["tail"], ()))
    arguments = [Argument(one["role"], Mention(one["argument"], ())) for one in record.get("arguments", ())]
    return Event(record["event_type"], Mention(record["event_trigger"], ()), tuple(arguments))
