"""Builds of a generated catalogue of M-HEAVY's size: time, memory and whether both grow as the data do.

    make bench-scale                  1, 4 and 17 million samples
    python -m tests.benchmarks.scale 17 --workers 8

A catalogue of 120 datasets with 24 to 200 labels each is written to a temporary folder (token-tag columns and JSON
lines; four in five texts are for training; two in a hundred are also in another dataset), then ``massie build m-scale``
runs as a user would run it. Memory is that of all its processes together, pages that they share counted once (PSS),
looked at ten times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

DATASETS = 120
LANGUAGES = ("eng", "deu", "swa", "fin", "tur", "zul", "ind", "por", "tgl", "vie", "yor", "hun", "ron", "est", "lat")
LABELS = (24, 60, 100, 130, 168, 200)
"""Numbers of labels that datasets have, in turn."""
SHARES = {"train": 0.79, "dev": 0.13, "test": 0.08}
SAMPLES_PER_TEXT = 5.47
"""What the mixture above comes to; it decides how many texts are written for so many samples."""
KINDS = {"NER": "entities", "SF": "slots", "RE": "relations", "EE": "events"}


def generate(folder: Path, samples: int) -> int:
    """Write cards and raw files for about so many samples; how many texts they have."""
    texts = int(samples / SAMPLES_PER_TEXT)
    jobs = [(folder, place, texts // DATASETS) for place in range(DATASETS)]
    with Pool() as pool:
        written = sum(pool.imap_unordered(_dataset, jobs))
    names = [_name(place) for place in range(DATASETS)]
    plain = {"id": "m-scale", "name": "M-SCALE", "version": "1", "summary": "Generated.", "datasets": names}
    plain["negatives"] = "m-scale"  # as M-HEAVY has a table, which is not mined again by every build
    (folder / "cards" / "benchmarks").mkdir()
    (folder / "cards" / "benchmarks" / "m-scale.yaml").write_text(json.dumps(plain), encoding="utf-8")
    table = folder / "cards" / "negatives" / "m-scale.json"
    table.parent.mkdir()
    command = [sys.executable, "-m", "massie.cli", "mine-negatives", "--tasks", str(folder / "cards")]
    subprocess.run([*command, "--table", "m-scale", "--out", str(table)], check=True, capture_output=True)
    return written


def _name(place: int) -> str:
    return f"generated-{place:03}"


def _dataset(job: tuple[Path, int, int]) -> int:
    """Write one dataset: a card and a file for each language and split."""
    folder, place, texts = job
    draw = random.Random(place)
    task = ("NER", "NER", "NER", "SF", "RE", "EE")[place % 6]
    labels = [f"{word} {number}" for number, word in enumerate(draw.choices(_WORDS, k=LABELS[place // 6 % 6]))]
    languages = sorted(draw.sample(LANGUAGES, 1 + place % 5))
    columns = task in ("NER", "SF")
    card: dict[str, Any] = {
        "id": _name(place),
        "name": f"Generated {place}",
        "tasks": [task],
        "status": "ready",
        "in_paper": False,
        "languages": languages,
        "licence": {"spdx": "CC0-1.0", "redistributable": True},
        "access": "open",
        "citation": "generated",
        "homepage": None,
        "source": {"path": "generated", "files": [{"splits": [*SHARES], "path": "{lang}.{split}"}]},
        "reader": {"name": "columns", "options": {"columns": 2, "tags": [2]}} if columns else {"name": "jsonl"},
        KINDS[task]: {f"L{number}": {"name": label} for number, label in enumerate(labels)},
    }
    if task == "EE":
        card["roles"] = {role: {"name": role} for role in ("agent", "place")}
        for event in card["events"].values():
            event["roles"] = ["agent", "place"]
    (folder / "cards").mkdir(exist_ok=True)
    (folder / "cards" / f"{_name(place)}.yaml").write_text(json.dumps(card), encoding="utf-8")
    raw = folder / "raw" / _name(place)
    raw.mkdir(parents=True)
    written = 0
    for language in languages:
        for split, share in SHARES.items():
            number = max(1, int(texts * share / len(languages)))
            lines = (
                _columns(draw, place, number, len(labels)) if columns else _json(draw, place, number, len(labels), task)
            )
            with (raw / f"{language}.{split}").open("w", encoding="utf-8") as file:
                file.writelines(lines)
            written += number
    return written


_WORDS = ["river", "mountain", "village", "person", "company", "disease", "remedy", "dish", "tool", "animal", "song"]
_BODIES = 400
"""Bodies of texts that a file draws from; a first word of its own makes each text another one."""


def _first_words(draw: random.Random, place: int, number: int) -> Iterator[str]:
    for _ in range(number):
        if draw.random() < 0.02:
            yield f"s{draw.randrange(50_000)}"  # the same in all datasets
        else:
            yield f"d{place}x{draw.getrandbits(48):x}"


def _columns(draw: random.Random, place: int, number: int, labels: int) -> Iterator[str]:
    shared = random.Random(1)  # bodies are the same in all datasets, so that equal first words make equal texts
    bodies: list[str] = []
    for _ in range(_BODIES):
        rows: list[str] = []
        spans = shared.choice((0, 0, 1, 1, 2, 3))
        for token in range(shared.randint(8, 30)):
            tag = f"B-L{shared.randrange(labels)}" if token % 5 == 1 and token < 5 * spans else "O"
            rows.append(f"{shared.choice(_WORDS)}{shared.randrange(500)}\t{tag}\n")
        bodies.append("".join(rows))
    for word in _first_words(draw, place, number):
        yield f"{word}\tO\n{bodies[hash_of(word) % _BODIES]}\n"


def _json(draw: random.Random, place: int, number: int, labels: int, task: str) -> Iterator[str]:
    shared = random.Random(2)
    lengths = [shared.randint(20, 60) for _ in range(_BODIES)]
    bodies = [[f"{shared.choice(_WORDS)}{shared.randrange(500)}" for _ in range(length)] for length in lengths]
    for word in _first_words(draw, place, number):
        body = bodies[hash_of(word) % _BODIES]
        first = len(word) + 1
        second = first + len(body[0]) + 1
        head = {"start": first, "end": second - 1, "surface": body[0]}
        tail = {"start": second, "end": second + len(body[1]), "surface": body[1]}
        annotations: list[dict[str, Any]] = []
        for _ in range(draw.choice((0, 1, 1, 2))):
            label = f"L{draw.randrange(labels)}"
            if task == "RE":
                annotations.append({"label": label, "head": head, "tail": tail})
            else:
                annotations.append({"label": label, "trigger": head, "arguments": [{"role": "place"} | tail]})
        yield json.dumps({"text": " ".join([word, *body]), "annotations": annotations}) + "\n"


def hash_of(word: str) -> int:
    """A number that depends on the word alone."""
    return random.Random(word).getrandbits(32)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a build took: seconds, seconds of processor time over all processes, bytes of memory; and its manifest."""

    seconds: float
    cpu: float
    memory: int
    manifest: dict[str, Any]


def measured(folder: Path, workers: int | None, engine: str) -> Measured:
    """Build the catalogue in a folder as a user would."""
    command = [sys.executable, "-m", "massie.cli", "build", "m-scale", "--tasks", str(folder / "cards")]
    command += ["--raw", str(folder / "raw"), "--out", str(folder / "built"), "--json", "--engine", engine]
    command += ["--workers", str(workers)] if workers else []
    start, cpu, memory = time.perf_counter(), _cpu(), 0
    with (folder / "manifest.json").open("wb") as stdout:
        process = subprocess.Popen(command, stdout=stdout)
        while process.poll() is None:
            memory = max(memory, memory_of(process.pid))
            time.sleep(0.1)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"the build failed with {process.returncode}")
    return Measured(seconds, _cpu() - cpu, memory, json.loads((folder / "manifest.json").read_bytes()))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory_of(pid: int) -> int:
    """Bytes of memory of a process and its children; pages that they share are counted once (PSS)."""
    total = 0
    try:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_full_info().pss
    except psutil.Error:
        return total
    return total


def main() -> None:
    """Measure the sizes that are named, and print them in a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millions", nargs="*", type=float, default=[1, 4, 17], help="millions of samples")
    parser.add_argument("--workers", type=int, help="processes at once (default: one for each core)")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="where the work is done")
    options = parser.parse_args()
    table = Table(title=f"{platform.platform(terse=True)}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for title in ("texts", "samples", "seconds", "samples/s", "core-s per million", "peak memory", "on disk"):
        table.add_column(title, justify="right")
    for millions in options.millions:
        folder = Path(tempfile.mkdtemp(prefix="massie-scale-"))
        try:
            texts = generate(folder, int(millions * 1e6))
            found = measured(folder, options.workers, options.engine)
            samples = sum(cell["samples"] for cell in found.manifest["cells"])
            size = sum(path.stat().st_size for path in (folder / "built").rglob("*") if path.is_file())
            table.add_row(
                f"{texts:,}",
                f"{samples:,}",
                f"{found.seconds:.1f}",
                f"{samples / found.seconds:,.0f}",
                f"{found.cpu / samples * 1e6:.1f}" if options.engine == "local" else "not counted",
                f"{found.memory / 2**30:.2f} GiB",
                f"{size / 1e6:,.0f} MB",
            )
        finally:
            shutil.rmtree(folder)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
