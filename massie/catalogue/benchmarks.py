"""Benchmark definitions: which datasets, how schemas are batched, and how many samples of each cell are taken."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from massie.catalogue.yaml import Content, read_yaml, validated
from massie.types import ContentError, Split


class Caps(Content):
    """At most so many samples of a cell: ``empty`` without gold records, ``with_gold`` with some."""

    empty: int = Field(ge=0)
    with_gold: int = Field(ge=0)


class BenchmarkDefinition(Content):
    """A benchmark: one file in ``tasks/benchmarks``.

    ``datasets`` lists dataset ids; null takes every dataset of the paper that is ready. ``schemas_per_sample`` is
    the paper's split_num (section 2.2). ``caps`` are M-LIGHT's upper bounds by split (section 2.3); null takes all.
    ``bundled`` says that all its data are part of this project, so that it needs no building.
    ``seed`` keys every random draw, together with ``version``; ``id`` does not, so that M-LIGHT's samples are
    M-HEAVY's of the same version and seed.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name: str
    version: str
    summary: str
    datasets: list[str] | None
    schemas_per_sample: int = Field(default=6, ge=1)
    caps: dict[Split, Caps] | None = None
    bundled: bool = False
    seed: int = 0

    @property
    def key(self) -> str:
        """What every random draw of the benchmark is keyed with."""
        return f"{self.version}/{self.seed}"


def read_benchmark(path: Path) -> BenchmarkDefinition:
    """The benchmark definition in a file; raises ContentError naming file and field."""
    definition = validated(BenchmarkDefinition, read_yaml(path), path)
    if path.stem != definition.id:
        raise ContentError(f"{path}: id: is {definition.id!r}, but the file is called {path.stem!r}")
    return definition
