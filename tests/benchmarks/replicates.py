"""Bootstrap replicates of all scores of a run of M-LIGHT's size, beside plain resampling with NumPy.

    python -m tests.benchmarks.replicates

The run is generated as in ``scoring``. From the scores of its samples, in memory and in one process: the sums of every
cell's replicates, then the table of all rows with their intervals. The peer draws the instances of each cell with
NumPy's own generator, a replicate at a time, and sums one score (LF1), where MASSIE sums ten columns.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from massie.build import Benchmark
from massie.catalogue import Aggregation
from massie.results.jobs import score_stored
from massie.results.scores import levels_of
from massie.running import STORE
from massie.scoring import CellScores, cell_totals, totals
from massie.scoring.cells import instance_sums
from tests.benchmarks.scoring import generate

SAMPLES = 371_864
"""The test samples of M-LIGHT (paper, table 1)."""


def scores_of_a_run(samples: int = SAMPLES) -> list[CellScores]:
    """The scores of the samples of a generated run."""
    with tempfile.TemporaryDirectory(prefix="massie-replicates-") as folder:
        run = generate(Path(folder), samples)
        stored = score_stored(Benchmark.open(Path(folder) / "build"), run / STORE, replicates=1)
        return [cell.scores for cell in stored if cell.scores]


def with_massie(cells: Sequence[CellScores], replicates: int) -> tuple[float, float]:
    """Seconds for the sums, and for the table."""
    start = time.perf_counter()
    sums = [cell_totals(cell, replicates) for cell in cells]
    summed = time.perf_counter()
    totals(sums, levels_of(Aggregation()))
    return summed - start, time.perf_counter() - summed


def with_numpy(cells: Sequence[CellScores], replicates: int) -> float:
    """Seconds for the sums of LF1 alone."""
    start, generator = time.perf_counter(), np.random.default_rng(1)
    for cell in cells:
        values = instance_sums(cell.instance_ids, cell.column("lf1")[:, None])[:, 0]
        for _ in range(replicates):
            values[generator.integers(0, len(values), len(values))].sum()
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print a table."""
    cells = scores_of_a_run()
    table = Table(
        title=f"{sum(map(len, cells)):,} samples in {len(cells)} cells; {platform.platform(terse=True)}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}"
    )
    for title in ("replicates", "sums, s", "table, s", "together, s", "NumPy, LF1 alone, s", "ratio of sums"):
        table.add_column(title, justify="right")
    for replicates in (1000, 10_000):
        sums, rows = with_massie(cells, replicates)
        plain = with_numpy(cells, replicates)
        numbers = (sums, rows, sums + rows, plain, plain / sums)
        table.add_row(f"{replicates:,}", *(f"{number:.1f}" for number in numbers))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
