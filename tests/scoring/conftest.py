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
from massie.results.conformance import plain_scores
from massie.types import Answer, Task


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
    return plain_scores(Task(task), schemas, gold, answer, text)
