"""M-DEMO, samples of it as an adapter sees them, and adapter files written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from massie.build import Benchmark, load_benchmark
from massie.types import Sample


@pytest.fixture(scope="session")
def demo() -> Benchmark:
    return load_benchmark("m-demo")


@pytest.fixture(scope="session")
def samples(demo: Benchmark) -> list[Sample]:
    """Ten samples without gold."""
    return [sample.without_gold() for sample in demo.select(tasks=["NER"]).samples()[:10]]


@pytest.fixture
def adapter_file(tmp_path: Path) -> Callable[[str], str]:
    """Writes a file and returns the adapter name of its class ``Mine``."""

    def write(text: str) -> str:
        path = tmp_path / "my_system.py"
        path.write_text("from massie import Prediction, SystemCard\n" + dedent(text), encoding="utf-8")
        return f"{path}:Mine"

    return write
