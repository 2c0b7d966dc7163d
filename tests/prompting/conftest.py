"""The samples of M-DEMO, and prompt files to be changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark, load_benchmark

WritePrompt = Callable[..., Path]


@pytest.fixture(scope="session")
def demo() -> Benchmark:
    return load_benchmark("m-demo")


@pytest.fixture
def write_prompt(tmp_path: Path) -> WritePrompt:
    """Writes a prompt file that is right but for what is said; what is None is left out."""

    def write(user: str = "{{ text }}", name: str = "mine", **changed: Any) -> Path:
        fields = {"id": name, "task": "NER", "language": "eng", "system": "Find.", "user": user, "provenance": "test"}
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps({key: value for key, value in (fields | changed).items() if value is not None}))
        return path

    return write
