"""Builds: from raw texts to the samples of a benchmark, and their readers."""

from massie.build.benchmark import Benchmark, Selection, load_benchmark
from massie.build.building import Build, build, chosen_cards, new_folder, write_build, write_tables
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
    "new_folder",
    "read_manifest",
    "write_build",
    "write_tables",
]
