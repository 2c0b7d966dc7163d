"""How much of a run's prompts a server's prefix cache has read before: few-shot NER of M-LIGHT, by default.

    massie build m-light --task NER --out data/m-light
    python -m tests.benchmarks.prefixes data/m-light                    samples NER --task RE --max-samples N

A prompt's shared prefix is the longest one that it has in common with a prompt before it: with any of the last 32 (what
a small cache still holds) and with any at all (a cache without bounds), as a radix tree would find it. It is counted in
UTF-8 bytes of the messages, of which a tokenizer makes nearly equal shares of tokens, for the order in which MASSIE
sends, for that of the build, and for a random one. The first prompt of a head (instruction, demonstrations, schemas) is
not counted: nobody can have read it before.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from massie.adapters import load_adapter
from massie.build import Benchmark
from massie.running import STORE, Store
from massie.running.pending import Pending
from massie.types import Sample

RECENT = 32


def common(first: bytes, second: bytes) -> int:
    """The length of the longest common prefix."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def shares(prompts: Iterable[tuple[object, bytes]]) -> tuple[float, float]:
    """The shared part of all prompts but the first of each head, in percent: with recent ones, and with any."""
    heads: set[object] = set()
    recent: deque[bytes] = deque(maxlen=RECENT)
    every: list[bytes] = []
    total = with_recent = with_any = 0
    for head, prompt in prompts:
        if head in heads:
            place = bisect_left(every, prompt)
            total += len(prompt)
            with_recent += max(common(prompt, other) for other in recent)
            with_any += max(common(prompt, other) for other in every[max(place - 1, 0) : place + 1])
        heads.add(head)
        recent.append(prompt)
        insort(every, prompt)
    return 100 * with_recent / total, 100 * with_any / total


def rendered(adapter: Any, samples: Iterable[Sample]) -> Iterator[tuple[object, bytes]]:
    """The head and the prompt of each sample."""
    for sample in samples:
        messages = adapter.method.request(sample).messages
        text = "\n".join(f"{message['role']}: {message['content']}" for message in messages)
        yield (sample.task, sample.schemas), text.encode("utf-8", "surrogatepass")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a build")
    parser.add_argument("--task", default="NER")
    parser.add_argument("--max-samples", type=int)
    chosen = parser.parse_args()
    part = Benchmark.open(chosen.data).select(tasks=[chosen.task], max_samples=chosen.max_samples)
    adapter: Any = load_adapter("openai", {"model": "any"})
    adapter.prepare(part)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / STORE) as store:
        sent = list(Pending(part, store).samples(part.cells(), by_head=True))
    as_built = list(part.iter_samples())
    shuffled = random.Random(1).sample(as_built, len(as_built))
    console, table = Console(width=100), Table()
    console.print(f"{part.id} {chosen.task}, {len(sent):,} few-shot prompts: shared prefix, % of bytes")
    for title in ("order", f"with the last {RECENT}", "with any before"):
        table.add_column(title, justify="left" if title == "order" else "right")
    for order, samples in (("as sent", sent), ("as built", as_built), ("random", shuffled)):
        table.add_row(order, *(f"{share:.1f}" for share in shares(rendered(adapter, samples))))
    console.print(table)


if __name__ == "__main__":
    main()
