"""M-DEMO, and the real command in child processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from massie.build import Benchmark, load_benchmark

MASSIE = Path(sys.executable).with_name("massie")


@pytest.fixture(scope="session")
def demo() -> Benchmark:
    return load_benchmark("m-demo")


@pytest.fixture(scope="session")
def part(demo: Benchmark) -> Benchmark:
    """A part of M-DEMO: 24 samples of three cells at least."""
    return demo.select(tasks=["NER"], limit=8, languages=["swa", "jpn", "eng", "ara"])


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command in a folder, with further environment variables; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [MASSIE, *arguments],
            cwd=folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests run in the background, Ctrl-C is ignored, and children inherit that.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
