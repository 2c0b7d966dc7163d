"""``massie compare`` of runs of M-LIGHT's test size.

    python -m tests.benchmarks.comparing                20 systems
    python -m tests.benchmarks.comparing 2 5 20 --score micro_f1

Tables of sample scores are generated (300 cells of very different sizes, four in ten samples without gold, systems that
differ by a point or less from one to the next and find the same texts hard), then ``massie compare`` runs as a user
would run it. Memory is that of all its processes together, pages that they share counted once (PSS), looked at ten
times a second; core-seconds tell what it takes on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from massie._version import __version__
from massie.catalogue import languages
from massie.results import RESULT, Result, write_result
from massie.results.samples import SCORES_TABLE, samples_writer
from massie.results.schema import BenchmarkReference, Coverage, IntervalValue, Row, UsageTotals
from massie.results.scores import aggregate
from massie.scoring import CellScores, SampleScores, ScoreRow
from massie.types import Cell, Split, SystemCard, Task
from tests.benchmarks.scale import memory_of

SAMPLES, INSTANCES, CELLS = 371_864, 270_000, 300
Array = NDArray[np.float64]


def generate(folder: Path, systems: int) -> list[Path]:
    """Write the runs of so many systems; their folders."""
    with Pool() as pool:
        return pool.map(partial(_run, folder), range(systems))


def _run(folder: Path, system: int) -> Path:
    """Write the result and the sample scores of one system."""
    run = folder / f"system-{system:02}" / "m-light"
    run.mkdir(parents=True)
    cells = [_cell(place, instances, system) for place, instances in enumerate(_sizes())]
    with samples_writer(run / SCORES_TABLE) as table:
        for cell in cells:
            table.add(cell)
        table.keep()
    rows = aggregate(cells, replicates=10).rows
    write_result(_result(f"system {system:02}", rows), run / RESULT)
    return run


def _sizes() -> list[int]:
    """How many instances each cell has."""
    weights = np.random.default_rng(0).lognormal(sigma=1.2, size=CELLS)
    return [int(size) for size in np.maximum(1, weights / weights.sum() * INSTANCES)]


def _cell(place: int, instances: int, system: int) -> CellScores:
    """The scores of a system in one cell: the texts are the same for all systems, and as hard."""
    of_texts = np.random.default_rng([1, place])
    more = of_texts.poisson(SAMPLES / INSTANCES - 1, instances)
    instance_of = np.repeat(np.arange(instances), 1 + more)
    gold = np.where(of_texts.random(len(instance_of)) < 0.4, 0, 1 + of_texts.poisson(1.5, len(instance_of)))
    hard = of_texts.normal(size=instances)[instance_of]
    codes = sorted(languages())
    cell = Cell(list(Task)[place % len(Task)], f"generated-{place // 5:02}", codes[place * 7 % 90])
    ids = [f"{place:08x}{text:08x}" for text in instance_of.tolist()]
    sample_ids = [f"{text}-{number:08x}" for number, text in enumerate(ids)]
    kinds = _kinds(np.random.default_rng([2, place, system]), 0.3 + system / 40, hard, gold)
    return CellScores(cell, sample_ids, ids, kinds, np.arange(len(ids), dtype=np.int32))


def _kinds(draw: np.random.Generator, skill: float, hard: Array, gold: NDArray[np.int64]) -> Array:
    """A row of ``SampleScores`` for each sample."""
    ease = 1 / (1 + np.exp(hard - skill - 0.5 * draw.normal(size=len(gold))))
    found = draw.binomial(gold, ease)
    predicted = found + draw.binomial(gold, 0.2) + (draw.random(len(gold)) < 0.05 + 0.05 * (1 - ease))
    empty = (gold == 0) & (predicted == 0)
    f1 = np.where(empty, 1.0, 2 * found / np.maximum(gold + predicted, 1))
    near = np.where((gold > 0) & (predicted > 0), (1 - f1) * draw.random(len(gold)), 0.0)
    named = {"lf1": f1 + near, "lf1_by_schema": f1 + near, "matched_lf1": f1 + near / 2, "f1": f1}
    named |= {"true_positives": found, "predicted": predicted, "gold": gold}
    nothing = np.zeros(len(gold))
    return np.stack([named.get(name, nothing) for name in SampleScores._fields], axis=1).astype(np.float64)


def _result(system: str, rows: Sequence[ScoreRow]) -> Result:
    cells = [row for row in rows if row.level == "cell"]
    samples = sum(row.samples for row in cells)
    return Result(
        system=SystemCard(name=system),
        benchmark=BenchmarkReference(id="m-light", version="1", manifest_digest="0" * 64, split=Split.TEST),
        adapter="generated", command="none", created="2025-01-01T00:00:00Z", massie_version=__version__,
        environment={}, bootstrap={}, partial=False, usage=UsageTotals(seconds=0),
        coverage=Coverage(cells=len(cells), cells_of=len(cells), samples=samples, samples_of=samples),
        rows=[_row(row) for row in rows],
    )  # fmt: skip


def _row(row: ScoreRow) -> Row:
    scores = {name: IntervalValue(value=i.value, low=i.low, high=i.high) for name, i in row.scores.items()}
    plain = {"level": row.level, "task": row.task, "key": row.key, "instances": row.instances, "samples": row.samples}
    return Row.model_validate(plain | {"scores": scores, "diagnostics": dict(row.diagnostics)})


def measured(runs: Sequence[Path], options: Sequence[str]) -> tuple[float, float, int]:
    """Seconds, seconds of all cores, and peak bytes of memory of ``massie compare`` of these runs."""
    command = [sys.executable, "-m", "massie.cli", "compare", *map(str, runs), *options]
    start, cpu, memory = time.perf_counter(), _cpu(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        memory = max(memory, memory_of(process.pid))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"comparing failed with {process.returncode}")
    return time.perf_counter() - start, _cpu() - cpu, memory


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows(numbers: Sequence[int], options: Sequence[str], keep: Path | None) -> Iterator[tuple[str, ...]]:
    """Measure so many systems at a time."""
    with tempfile.TemporaryDirectory(prefix="massie-comparing-") as temporary:
        folder = keep or Path(temporary)
        runs = sorted(folder.glob("*/m-light")) or generate(folder, max(numbers))
        for number in numbers:
            seconds, cpu, memory = measured(runs[:number], options)
            yield str(number), f"{seconds:.1f}", f"{cpu:.1f}", f"{memory / 2**30:.2f} GiB"


def main() -> None:
    """Measure the numbers of systems that are named, and print them in a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", type=int, default=[20], help="numbers of systems")
    parser.add_argument("--score", default="lf1", help="the score that is compared")
    parser.add_argument("--keep", type=Path, help="generate (or find) the runs in this folder, and leave them")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    machine = f"{platform.platform(terse=True)}, {os.cpu_count()} cores, Python {platform.python_version()}"
    table = Table(title=f"{SAMPLES:,} samples, {CELLS} cells; {machine}; load before: {load:.1f}")
    for title in ("systems", "seconds", "core-seconds", "peak memory"):
        table.add_column(title, justify="right")
    for row in rows(options.systems, ["--score", options.score], options.keep):
        table.add_row(*row)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
