"""Builds: from raw texts to the samples of a benchmark, and their readers."""

from massie.build.benchmark import Benchmark, Selection, load_benchmark
from massie.build.building import Build, Plan, build, build_to, chosen_cards
from massie.build.coverage import Coverage, LanguageCoverage, coverage_of
from massie.build.engines import Engine
from massie.build.manifest import Gap, Manifest, read_manifest
from massie.build.near import NearDuplicates
from massie.build.verifying import Difference, Verification, verify_build

__all__ = [
    "Benchmark",
    "Build",
    "Coverage",
    "Difference",
    "Engine",
    "Gap",
    "LanguageCoverage",
    "Manifest",
    "NearDuplicates",
    "Plan",
    "Selection",
    "Verification",
    "build",
    "build_to",
    "chosen_cards",
    "coverage_of",
    "load_benchmark",
    "read_manifest",
    "verify_build",
]
