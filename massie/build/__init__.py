"""Builds: from raw texts to the samples of a benchmark, and their readers."""

from massie.build.benchmark import Benchmark, Selection, load_benchmark
from massie.build.building import Build, build, chosen_cards, write_build
from massie.build.manifest import Gap, Manifest, read_manifest

__all__ = [
    "Benchmark",
    "Build",
    "Gap",
    "Manifest",
    "Selection",
    "build",
    "chosen_cards",
    "load_benchmark",
    "read_manifest",
    "write_build",
]
