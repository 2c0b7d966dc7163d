"""The benchmarks whose figures the README quotes: ``make bench``.

Each figure is the median of several runs on this machine, beside a peer in the same run where one exists. Times are
printed, never asserted.
"""

from __future__ import annotations

import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.scheme import IOB2

from massie.build import Plan, build, build_to
from massie.catalogue import Catalogue
from massie.results.scores import aggregate
from massie.scoring import score_samples
from massie.sources import SourceStore
from massie.types import Answer, Mention, Sample, Schema, Span, Split, Task

Row = tuple[str, str, str, str]


def median_seconds(job: Callable[[], object], runs: int) -> float:
    def timed() -> float:
        start = time.perf_counter()
        job()
        return time.perf_counter() - start

    return statistics.median(timed() for _ in range(runs))


def starting() -> Iterator[Row]:
    """Time to start, beside an interpreter that does nothing."""

    def process(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    bare = median_seconds(process("-c", "pass"), 9)
    for title, limit, arguments in [
        ("import massie", "0.3 s", ("-c", "import massie")),
        ("massie --help", "0.5 s", ("-m", "massie.cli", "--help")),
    ]:
        seconds = median_seconds(process(*arguments), 9)
        yield title, f"{seconds:.3f} s", f"< {limit}", f"{seconds / bare:.1f} x python -c pass"


def building() -> Iterator[Row]:
    """Reading and building masakhaner20 (all samples) in one process, with and without writing it."""
    if not os.environ.get("MASSIE_MIRROR"):
        yield "build masakhaner20", "not run", "", "set MASSIE_MIRROR=DIR"
        return
    catalogue, store = Catalogue.default(), SourceStore.from_environment()
    plan = Plan(catalogue.benchmark("m-heavy"), catalogue, store, datasets=["masakhaner20"], workers=1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "build"

        def made() -> int:
            return sum(cell.texts["read"] for cell in build(plan).manifest.cells)

        def written() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            build_to(folder, plan)

        texts = made()
        written()
        for title, job in [("read and build masakhaner20", made), ("  the same, Parquet written", written)]:
            yield title, f"{texts / median_seconds(job, 5):,.0f} texts/s", "≥ 20,000", ""


LABELS = ("person", "location", "organization", "date", "product", "event")
SCHEMAS = tuple(Schema(label) for label in LABELS)
NAMES = [f"{first}{last}" for first in ("Ana", "Ben", "Chi", "Dao", "Eun") for last in ("mar", "tov", "ski", "moto")]


def ner_samples(number: int, empty: float) -> Iterator[tuple[Sample, Answer, list[str], list[str]]]:
    """Generated NER samples in 80 cells, each with an answer, and gold and answer as tags.

    ``empty`` is the share without gold. Of the gold spans 70% are found, 15% found with a wrong boundary, 15% missed;
    one text in twenty without gold gets a span.
    """
    draw = random.Random(7)
    for place in range(number):
        words = [draw.choice(NAMES).lower() for _ in range(24)]
        starts = [] if draw.random() < empty else sorted(draw.sample(range(0, 22, 3), draw.randint(1, 4)))
        gold, said = ["O"] * 24, ["O"] * 24
        spans: list[Span] = []
        records: list[dict[str, str]] = []
        for start in starts:
            label, length = draw.choice(LABELS), draw.randint(1, 2)
            tag(gold, start, length, label)
            spans.append(Span(label, Mention(" ".join(words[start : start + length]), ())))
            luck = draw.random()
            if luck < 0.85:
                found = length if luck < 0.7 else 3 - length
                tag(said, start, found, label)
                records.append({"entity": " ".join(words[start : start + found]), "entity_type": label})
        if not starts and draw.random() < 0.05:
            tag(said, 22, 1, "event")
            records.append({"entity": words[22], "entity_type": "event"})
        dataset, key, text = f"dataset-{place % 80}", str(place), " ".join(words)
        sample = Sample(key, key, Task.NER, dataset, "eng", Split.TEST, text, SCHEMAS, tuple(spans))
        yield sample, Answer(records), gold, said


def tag(tags: list[str], place: int, length: int, label: str) -> None:
    tags[place] = f"B-{label}"
    tags[place + 1 : place + length] = [f"I-{label}"] * (length - 1)


def scoring() -> Iterator[Row]:
    """All scores and intervals of 100,000 NER samples, beside seqeval's strict F1 without intervals."""
    number = 100_000
    for title, empty in [("M-LIGHT's share of empty samples, 0.77", 0.77), ("half of them empty, 0.5", 0.5)]:
        samples = list(ner_samples(number, empty))
        answered = [(sample, answer) for sample, answer, _, _ in samples]
        gold = [tags for _, _, tags, _ in samples]
        said = [tags for _, _, _, tags in samples]
        seconds = median_seconds(lambda: aggregate(score_samples(answered)), 5)  # noqa: B023 (called at once)
        peer = median_seconds(lambda: seqeval_f1(gold, said, mode="strict", scheme=IOB2), 3)  # noqa: B023
        yield (
            f"score NER, {title}",
            f"{number / seconds:,.0f} samples/s",
            "≥ 100,000",
            f"{peer / seconds:.1f} x seqeval strict F1 ({number / peer:,.0f}/s, no intervals)",
        )


def main() -> None:
    table = Table("figure", "measured", "asked for", "peer in the same run", box=None, pad_edge=False)
    for part in (starting, building, scoring):
        for row in part():
            table.add_row(*row)
    console = Console(width=160)
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    console.print(table)


if __name__ == "__main__":
    main()
