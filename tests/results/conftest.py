"""M-DEMO, and runs on it that are finished in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark, load_benchmark
from massie.results import Result
from massie.results.making import finish_run
from massie.running import STORE, Settings, Store, open_run
from massie.types import Prediction, SystemCard


@pytest.fixture(scope="session")
def demo() -> Benchmark:
    return load_benchmark("m-demo")


@pytest.fixture(scope="session")
def part(demo: Benchmark) -> Benchmark:
    """A part of M-DEMO: a few samples of every task."""
    return demo.select(languages=["swa", "jpn"], limit=2)


def settings_of(benchmark: Benchmark, **changed: Any) -> Settings:
    plain: dict[str, Any] = {
        "adapter": "empty",
        "benchmark": benchmark.id,
        "version": benchmark.manifest.version,
        "manifest_digest": benchmark.digest,
        "split": benchmark.split,
        "system": SystemCard(name="mine"),
        "created": "2026-01-01T00:00:00Z",
        "massie_version": "0.1.0",
    }
    return Settings.model_validate(plain | changed)


@pytest.fixture(scope="session")
def settings() -> Callable[..., Settings]:
    """The settings of a run on a benchmark, with some changed."""
    return settings_of


@pytest.fixture(scope="session")
def begin() -> Callable[[Path, Benchmark, Iterable[Prediction]], Settings]:
    """Begins a run in a folder with these predictions."""

    def begin(folder: Path, benchmark: Benchmark, predictions: Iterable[Prediction]) -> Settings:
        folder.mkdir(parents=True, exist_ok=True)
        settings = settings_of(benchmark)
        open_run(folder, settings)
        with Store(folder / STORE) as store:
            store.add_all(predictions)
        return settings

    return begin


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, demo: Benchmark, begin: Callable[..., Settings]
) -> tuple[Path, Result]:
    """A complete run on all of M-DEMO that answers nothing, and its result."""
    folder = tmp_path_factory.mktemp("finished")
    settings = begin(folder, demo, [Prediction(sample.id, records=[]) for sample in demo.iter_samples()])
    return folder, finish_run(folder, settings, demo, "massie run m-demo --adapter empty")
