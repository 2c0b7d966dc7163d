"""What samples of built test cells look like, in numbers alone: what generated runs are made after.

    python -m tests.benchmarks.shapes DATA    measure a build and write shapes.json beside this file

Of each cell: its task, its numbers of schemas and instances, and for some of its instances the length of the text and,
for each of its samples, the lengths of the gold spans.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from massie.build import Benchmark
from massie.types import Sample, mentions_of

FILE = Path(__file__).with_name("shapes.json")
_INSTANCES = 24
"""Instances of each cell whose shapes are kept."""

Shape = tuple[int, list[tuple[int, list[list[int]]]]]
"""An instance: code points of its text, and for each of its samples how many schemas are asked for, and of each gold
record the lengths of its mentions."""


@dataclass(frozen=True, slots=True)
class CellShape:
    """A cell: ``instances`` is how many it has, ``shapes`` those of some of them."""

    task: str
    instances: int
    shapes: list[Shape]


def read_shapes() -> list[CellShape]:
    """The shapes of the cells that were measured."""
    return [CellShape(**cell) for cell in json.loads(FILE.read_text(encoding="utf-8"))]


def measure(benchmark: Benchmark) -> Iterator[CellShape]:
    """The shapes of a build's test cells; its instances are drawn with a seed."""
    for cell in benchmark.cells():
        samples = groupby(benchmark.cell_samples(cell), key=lambda sample: sample.instance_id)
        shapes = [_shape(list(of_instance)) for _, of_instance in samples]
        chosen = random.Random(str(cell)).sample(shapes, min(_INSTANCES, len(shapes)))
        yield CellShape(str(cell.task), len(shapes), chosen)


def _shape(samples: list[Sample]) -> Shape:
    return len(samples[0].text), [
        (len(sample.schemas), [[len(m.surface) for _, m in mentions_of(record)] for record in sample.gold or ()])
        for sample in samples
    ]


if __name__ == "__main__":
    measured = list(measure(Benchmark.open(Path(sys.argv[1]))))
    lines = ",\n".join(json.dumps(asdict(cell), separators=(",", ":")) for cell in measured)
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(measured)} cells, {sum(cell.instances for cell in measured):,} instances -> {FILE}")
