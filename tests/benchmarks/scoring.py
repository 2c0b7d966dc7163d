"""Scoring runs of up to M-HEAVY's test size: from stored predictions and gold to all scores with intervals.

    make bench-scoring                        0.1, 0.3, 1 and 3.15 million samples
    python -m tests.benchmarks.scoring 1 --keep DIR

Cells are generated after the shapes of built ones (``shapes.json``: lengths of texts and spans, numbers of schemas, how
many samples are empty), three of each; answers are raw outputs of a language model that finds most of it. Then
``massie score RUN`` runs as a user would run it. Memory is that of all its processes together, pages that they share
counted once (PSS), looked at ten times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from massie._version import __version__
from massie.build import Benchmark
from massie.build.batching import Asked
from massie.build.manifest import MANIFEST, CellEntry, DatasetEntry, Manifest, manifest_digest
from massie.build.tables import CellWriter, instances_table, samples_table
from massie.catalogue import Licence
from massie.running import STORE, Settings, Store, open_run
from massie.types import (
    Argument,
    Cell,
    Event,
    Instance,
    Mention,
    Prediction,
    Record,
    Relation,
    Role,
    Sample,
    Schema,
    Span,
    Split,
    SystemCard,
    Task,
    record_as_json,
)
from tests.benchmarks.scale import memory_of
from tests.benchmarks.shapes import CellShape, Shape, read_shapes

COPIES = 3
"""Cells that are made after each measured one: what the mirror holds is about a third of M-HEAVY's cells."""
ALPHABETS = ("abcdefghijklmnoprstuvwyz", "абвгдежзиклмнопрстуфхя", "αβγδεζηθικλμνοπρστυω", "אבגדהוזחטיכלמנסעפצקרשת",
             "हिन्दीभाषाकमलनगर", "ภาษาไทยเมืองคน", "日本語中国人民大学東京", "áéíóúñçãõàèü")  # fmt: skip


def generate(folder: Path, samples: int) -> Path:
    """Write a build and a run on it with about so many samples; the folder of the run."""
    shapes = read_shapes()
    per_instance = [sum(len(batches) for _, batches in cell.shapes) / len(cell.shapes) for cell in shapes]
    measured = sum(cell.instances * mean for cell, mean in zip(shapes, per_instance, strict=True))
    jobs = [
        (place, copy, cell, max(1, round(cell.instances * samples / measured / COPIES)))
        for place, cell in enumerate(shapes)
        for copy in range(COPIES)
    ]
    jobs.sort(key=lambda job: -job[3])
    with ProcessPoolExecutor() as pool:
        entries = list(pool.map(partial(_cell, folder), jobs))
    build = folder / "build"
    manifest = _manifest(sorted(entries, key=lambda entry: entry.cell))
    (build / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
    run = folder / "runs" / "generated" / "m-heavy"
    run.mkdir(parents=True)
    open_run(run, _settings(manifest, build))
    with Store(run / STORE) as store:
        for path in sorted((folder / "answers").iterdir()):
            with path.open(encoding="utf-8") as lines:
                store.add_all(Prediction(*json.loads(line), finish_reason="stop") for line in lines)
    shutil.rmtree(folder / "answers")
    return run


def _cell(folder: Path, job: tuple[int, int, CellShape, int]) -> CellEntry:
    """Write one cell and the answers to its samples."""
    place, copy, shape, instances = job
    draw = random.Random(f"{place} {copy}")
    cell = Cell(Task(shape.task), f"generated-{place:03}-{copy}", "eng")
    alphabet = ALPHABETS[draw.randrange(len(ALPHABETS))] if draw.random() < 0.5 else ALPHABETS[0]
    words = ["".join(draw.choices(alphabet, k=draw.randint(2, 9))) for _ in range(4000)]
    made: list[Instance] = []
    asked: list[tuple[int, int, int]] = []  # instance, first and last schema
    ids: list[str] = []
    for number in sorted(draw.getrandbits(64) for _ in range(instances)):
        text, records, batches = _instance(draw, shape.task, words, draw.choice(shape.shapes))
        id_ = f"{number:016x}"
        for batch, (first, last) in enumerate(batches):
            ids.append(f"{id_}-{batch:08x}")
            asked.append((len(made), first, last))
        made.append(Instance(id_, cell.dataset, "eng", Split.TEST, text, tuple(records)))
    starts = np.cumsum([0, *(last - first for _, first, last in asked)])
    schemas = np.concatenate([np.arange(first, last) for _, first, last in asked]).astype(np.int16)
    columns = Asked(np.array([instance for instance, _, _ in asked], np.int32), starts.astype(np.int64), schemas)
    writer = CellWriter(folder / "build", cell, Split.TEST)
    writer.add(instances_table(made), samples_table(ids, columns))
    writer.close()
    entry = CellEntry(
        task=cell.task, dataset=cell.dataset, language="eng", split=Split.TEST, instances=instances, samples=len(ids),
        samples_with_gold=0, digest="0" * 64, texts={}, records={},
    )  # fmt: skip
    _write_answers(folder / "answers" / f"{place:03}-{copy}.jsonl", Benchmark(_manifest([entry]), folder / "build"))
    return entry


LABELS = 240
"""Schemas of every generated dataset; a batch asks for the next ones."""


def _instance(
    draw: random.Random, task: str, words: Sequence[str], shape: Shape
) -> tuple[str, list[Record], list[tuple[int, int]]]:
    """A text, its records, and the first and last schema of each of its samples."""
    length, samples = shape
    text = " ".join(draw.choices(words, k=length // 6 + 2))[:length].strip() or words[0]
    records: list[Record] = []
    batches: list[tuple[int, int]] = []
    first = 0
    for schemas, gold in samples:
        last = min(first + schemas, LABELS)
        batches.append((first, last))
        for mentions in gold:
            label = f"label {draw.randrange(first, last)}"
            records.append(_record(task, label, [_mention(draw, text, size) for size in mentions]))
        first = last % LABELS
    return text, records, batches


def _mention(draw: random.Random, text: str, size: int) -> Mention:
    start = draw.randrange(max(1, len(text) - size))
    surface = text[start : start + size].strip() or text[:1]
    return Mention(surface, ((start, start + len(surface)),))


def _record(task: str, label: str, mentions: list[Mention]) -> Record:
    if task in ("NER", "SF"):
        return Span(label, mentions[0])
    if task == "RE":
        return Relation(label, mentions[0], mentions[1])
    return Event(label, mentions[0], tuple(Argument("agent", mention) for mention in mentions[1:]))


def _write_answers(path: Path, benchmark: Benchmark) -> None:
    """A line for each sample: its id, null (no records), and an output text."""
    path.parent.mkdir(exist_ok=True)
    draw = random.Random(path.name)
    with path.open("w", encoding="utf-8") as file:
        for sample in benchmark.iter_samples():
            file.write(json.dumps([sample.id, None, _output(draw, sample)], ensure_ascii=False) + "\n")


def _output(draw: random.Random, sample: Sample) -> str:
    """What a model writes: of the gold 70% is found, 15% nearly, 15% not; one empty sample in twenty gets something."""
    records: list[dict[str, Any]] = []
    for record in sample.gold or ():
        luck = draw.random()
        if luck < 0.85:
            plain = record_as_json(record, sample.task)
            records.append(plain if luck < 0.7 else _nearly(plain, sample.text))
    if not sample.gold and draw.random() < 0.05:
        word = Mention(sample.text.split()[0], ())
        records.append(record_as_json(_record(sample.task, sample.schemas[0].name, [word, word]), sample.task))
    said = json.dumps(records, ensure_ascii=False)
    luck = draw.random()
    if luck < 0.60:
        return said
    if luck < 0.85:
        return f"```json\n{said}\n```"
    if luck < 0.95:
        return f"<think>Let me look for what is asked.</think>\n\n{said}"
    return f"Here is what I found:\n{said}" if luck < 0.99 else said[:-1]


def _nearly(record: dict[str, Any], text: str) -> dict[str, Any]:
    """The record with its main span a little longer or shorter."""
    key = next(key for key in ("entity", "slot", "head", "event_trigger") if key in record)
    span = record[key]
    return record | {key: span[:-2] if len(span) > 4 else f"{span} {text[:3]}"}


def _manifest(entries: Sequence[CellEntry]) -> Manifest:
    def schemas(task: Task) -> tuple[Schema, ...]:
        roles = (Role("agent"),) if task is Task.EE else ()
        return tuple(Schema(f"label {number}", None, roles) for number in range(LABELS))

    datasets = {
        entry.dataset: DatasetEntry(
            name=entry.dataset,
            pin="generated",
            licence=Licence(spdx="CC0-1.0"),
            schemas={entry.task: schemas(entry.task)},
        )
        for entry in entries
    }
    digest = manifest_digest("m-heavy", "1", 1, None, None, entries)
    return Manifest(
        benchmark="m-heavy", version="1", seed=1, schemas_per_sample=None, caps=None, massie_version=__version__,
        datasets=datasets, cells=list(entries), digest=digest,
    )  # fmt: skip


def _settings(manifest: Manifest, build: Path) -> Settings:
    return Settings(
        adapter="predictions file", benchmark="m-heavy", version="1", manifest_digest=manifest.digest,
        split=Split.TEST, system=SystemCard(name="generated"), data=str(build), created="", massie_version=__version__,
    )  # fmt: skip


def measured(run: Path, workers: int | None) -> tuple[float, int]:
    """Seconds and peak bytes of memory of ``massie score`` on a run."""
    command = [sys.executable, "-m", "massie.cli", "score", str(run)]
    command += ["--workers", str(workers)] if workers else []
    start, memory = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        memory = max(memory, memory_of(process.pid))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"scoring failed with {process.returncode}")
    return time.perf_counter() - start, memory


def rows(millions: Sequence[float], workers: int | None, keep: Path | None) -> Iterator[tuple[str, ...]]:
    """Measure runs of these sizes."""
    for size in millions:
        folder = keep or Path(tempfile.mkdtemp(prefix="massie-scoring-"))
        try:
            run = folder / "runs" / "generated" / "m-heavy"
            if not run.exists():
                generate(folder, int(size * 1e6))
            seconds, memory = measured(run, workers)
            result = json.loads((run / "result.json").read_bytes())
            samples, overall = result["coverage"]["samples"], result["rows"][0]
            empty = overall["diagnostics"]["empty_gold"] / samples
            yield (
                f"{samples:,}", f"{overall['instances']:,}", str(result["coverage"]["cells"]), f"{empty:.2f}",
                f"{seconds:.1f}", f"{samples / seconds:,.0f}", f"{memory / 2**30:.2f} GiB",
            )  # fmt: skip
        finally:
            if not keep:
                shutil.rmtree(folder)


def main() -> None:
    """Measure the sizes that are named, and print them in a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millions", nargs="*", type=float, default=[0.1, 0.3, 1, 3.15], help="millions of samples")
    parser.add_argument("--workers", type=int, help="processes at once (default: one for each core)")
    parser.add_argument("--keep", type=Path, help="generate (or find) build and run in this folder, and leave them")
    options = parser.parse_args()
    table = Table(title=f"{platform.platform(terse=True)}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for title in ("samples", "texts", "cells", "empty", "seconds", "samples/s", "peak memory"):
        table.add_column(title, justify="right")
    for row in rows(options.millions, options.workers, options.keep):
        table.add_row(*row)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
