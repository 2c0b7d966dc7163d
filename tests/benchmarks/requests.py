"""Requests to a server that answers at once: what the harness itself costs, beside its peers in the same run.

    make bench-requests                                    all of it (some minutes)
    LM_EVAL=/path/to/lm_eval python -m tests.benchmarks.requests    beside lm-evaluation-harness

The server is the null server of the tests, a process of its own on loopback, as the client has one core to itself. All
clients send the same prompts, 32 in flight. Rates are those of one process from the first request to the last answer;
what MASSIE answers is stored durably. Peers: the official client in a loop, with its own transport and with aiohttp's,
and lm-evaluation-harness's ``local-chat-completions`` as a whole process, start included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import psutil
import yaml
from rich.console import Console
from rich.table import Table

from massie.adapters import Limits, load_adapter
from massie.adapters.chat_completions import OpenAIOptions, body_of
from massie.build import Benchmark
from massie.running import STORE, Store, run
from massie.types import Prediction
from tests.benchmarks.scoring import generate
from tests.servers.processes import ServerProcess, started

Row = tuple[str, str, str]

IN_FLIGHT = 32
MASSIE = (sys.executable, "-m", "massie.cli")
LM_EVAL = "LM_EVAL"


def options(base_url: str) -> dict[str, Any]:
    """The adapter's options: generated builds have no train split, so no demonstrations."""
    return {"model": "tiny", "base_url": base_url, "method": "zero-shot"}


def bodies(part: Benchmark, base_url: str) -> list[dict[str, Any]]:
    """The bodies of the requests that the adapter sends."""
    adapter: Any = load_adapter("openai", options(base_url))
    adapter.prepare(part)
    endpoint = OpenAIOptions(model="tiny", base_url=base_url)
    return [body_of(endpoint, adapter.method.request(sample)) for sample in part.iter_samples()]


def bare_seconds(base_url: str, asked: Sequence[dict[str, Any]], *, aiohttp: bool) -> float:
    """The official client in a loop."""

    async def ask() -> float:
        transport: Any = {"http_client": openai.DefaultAioHttpClient()} if aiohttp else {}
        client = openai.AsyncOpenAI(api_key="none", base_url=base_url, max_retries=0, **transport)
        left = iter(asked)

        async def worker() -> None:
            for body in left:
                await client.chat.completions.create(**body)

        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        seconds = time.perf_counter() - start
        await client.close()
        return seconds

    return asyncio.run(ask())


def massie_seconds(base_url: str, part: Benchmark) -> float:
    """``massie.running.run`` with the adapter ``openai``, every answer stored."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / STORE) as store:
        adapter = load_adapter("openai", options(base_url))
        start = time.perf_counter()
        state = run(adapter, part, store, limits=Limits(concurrency=IN_FLIGHT))
        seconds = time.perf_counter() - start
        assert state.done == state.total == store.number_answered()
    return seconds


def in_flight(base_url: str, whole: Benchmark, number: int, times: int) -> Iterator[Row]:
    """Requests a second, in turns, medians."""
    part = whole.select(max_samples=number)
    asked = bodies(part, base_url)
    jobs: dict[str, Callable[[], float]] = {
        "official client": lambda: bare_seconds(base_url, asked, aiohttp=False),
        "official client, aiohttp": lambda: bare_seconds(base_url, asked, aiohttp=True),
        "massie": lambda: massie_seconds(base_url, part),
    }
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(times):
        for name, job in jobs.items():
            seconds[name].append(job())
    rates = {name: len(asked) / statistics.median(found) for name, found in seconds.items()}
    for name, rate in rates.items():
        ratios = f"{rate / rates['official client']:.2f} x, {rate / rates['official client, aiohttp']:.2f} x"
        yield f"{name}, {len(asked):,} requests", f"{rate:,.0f} requests/s", f"{ratios} (with aiohttp)"


def command(build: Path, folder: Path, base_url: str, *further: str) -> list[str]:
    """``massie run`` on a build, its runs in a folder."""
    chosen = [word for name, value in options(base_url).items() for word in ("--option", f"{name}={value}")]
    words = ["run", "m-heavy", "--data", str(build), "--adapter", "openai", *chosen, "--runs", str(folder)]
    return [*MASSIE, *words, *further]


def peak_memory(words: Sequence[str]) -> tuple[float, int]:
    """Seconds and peak resident bytes of the process itself while it asks; its scoring is not waited for."""
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watched = psutil.Process(process.pid)
    while process.poll() is None and not watched.children():  # scoring starts processes
        peak = max(peak, watched.memory_info().rss)
        time.sleep(0.05)
    process.terminate()
    process.wait()
    return time.perf_counter() - start, peak


def whole_process(base_url: str, build: Path, number: int) -> Iterator[Row]:
    """All of ``massie run``, start and scores included, beside lm-evaluation-harness on the same prompts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = seconds_of(command(build, folder, base_url, "--max-samples", str(number)))
        yield f"massie run, {number:,} samples, whole process", f"{ours:.1f} s", ""
        if not os.environ.get(LM_EVAL):
            yield "lm-evaluation-harness", "not run", f"set {LM_EVAL}=/path/to/lm_eval"
            return
        asked = bodies(Benchmark.open(build).select(max_samples=number), base_url)
        prompts = ["\n\n".join(message["content"] for message in body["messages"]) for body in asked]
        theirs = seconds_of(lm_eval(folder, prompts, base_url))
        yield "lm-evaluation-harness, local-chat-completions", f"{theirs:.1f} s", f"massie takes {ours / theirs:.2f} x"


def lm_eval(folder: Path, prompts: Iterable[str], base_url: str) -> list[str]:
    """Its command, with a task that sends these prompts."""
    data, task = folder / "prompts.jsonl", folder / "task.yaml"
    data.write_text("".join(json.dumps({"prompt": prompt, "answer": ""}) + "\n" for prompt in prompts), "utf-8")
    plain = {
        "task": "prompts", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test", "output_type": "generate_until",
        "doc_to_text": "{{prompt}}", "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": [], "max_gen_toks": 256, "temperature": 0.0},
        "metric_list": [{"metric": "exact_match"}],
    }  # fmt: skip
    task.write_text(yaml.safe_dump(plain), encoding="utf-8")
    arguments = f"model=tiny,base_url={base_url}/chat/completions,num_concurrent={IN_FLIGHT},tokenized_requests=False"
    return [
        os.environ[LM_EVAL], "run", "--model", "local-chat-completions", "--model_args", arguments,
        "--tasks", "prompts", "--include_path", str(folder), "--apply_chat_template",
    ]  # fmt: skip


def seconds_of(words: Sequence[str]) -> float:
    """Seconds of a command."""
    start = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"OPENAI_API_KEY": "none"})
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return time.perf_counter() - start


def answered_but(build: Path, folder: Path, base_url: str, left: int) -> int:
    """Begin a run and answer all but so many of its samples without asking; how many it has."""
    whole = Benchmark.open(build)
    seconds_of(command(build, folder, base_url, "--max-samples", "1"))
    with closing(Store(next(folder.glob(f"*/*/{STORE}")))) as store:
        ids = [sample_id for cell in whole.cells() for sample_id in whole.sample_ids(cell)]
        store.add_all(Prediction(sample_id, output="[]", finish_reason="stop") for sample_id in ids[left:])
    return len(ids)


def resumed(server: ServerProcess, samples: int, left: int) -> Iterator[Row]:
    """A run that has all answers but the last ones: until the first of these is asked, and its memory to the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, samples)
        total = answered_but(folder / "build", folder / "resumed", server.base_url, left)
        words = command(folder / "build", folder / "resumed", server.base_url)
        seconds = until_asked(words, server)
        yield f"resumed run, {total:,} samples, until it asks", f"{seconds:.1f} s", ""
        _, memory = peak_memory(words)
        yield f"  its memory, {left:,} samples asked", f"{memory / 1e6:,.0f} MB", ""


def until_asked(words: Sequence[str], server: ServerProcess) -> float:
    """Seconds from the start of a command to the first request that the server sees."""
    before = server.counts()["arrived"]
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while server.counts()["arrived"] == before and process.poll() is None:
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    process.terminate()
    process.wait()
    return seconds


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--times", type=int, default=5, help="turns of which the median counts")
    parser.add_argument("--resumed", type=int, nargs="*", default=[371_864, 1_000_000], help="samples of resumed runs")
    parser.add_argument("--left", type=int, default=20_000, help="samples of these that are still to be asked")
    chosen = parser.parse_args()
    table = Table(title=f"{platform.platform(terse=True)}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for title in ("what", "measured", "ratio"):
        table.add_column(title)
    folder = Path(tempfile.mkdtemp(prefix="massie-requests-"))
    try:
        generate(folder, 20_000)
        with started("faults") as server:
            for row in in_flight(server.base_url, Benchmark.open(folder / "build"), chosen.requests, chosen.times):
                table.add_row(*row)
            for row in whole_process(server.base_url, folder / "build", chosen.requests):
                table.add_row(*row)
            for samples in chosen.resumed:
                for row in resumed(server, samples, chosen.left):
                    table.add_row(*row)
    finally:
        shutil.rmtree(folder)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
