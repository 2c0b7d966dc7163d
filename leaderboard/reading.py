"""Reads one result file into the rows of the board's table.

A broken or hostile file never gets further than this module: it is left out, with its reason in one sentence.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frames import Frame, pd

from massie.catalogue import MetricCard, metric_cards
from massie.results import RATES, Result, rates, read_result
from massie.results.schema import Latency, UsageTotals
from massie.types import ResultError

LEVELS = ("overall", "task", "language", "family", "script")
TASKS = ("NER", "SF", "RE", "ED", "EE")
COUNTS = (
    "invalid", "repairable", "truncated", "malformed", "off_schema", "hallucinated", "predicted", "gold", "boundary",
    "type", "both", "spurious", "missed", "empty_predictions", "empty_gold",
)  # fmt: skip
_LARGEST = 2**53  # beyond it a count is none, and a double would not hold it
_JOINERS = {"\u200c", "\u200d"}  # invisible, but letters of several scripts need them


@dataclass(frozen=True, slots=True)
class Found:
    """A result file: its name on the board (folders below the folder of runs), and what tells whether it changed."""

    id: str
    path: str
    changed: int
    size: int


def visible(text: str | None) -> str:
    """Text from a result file as it may be shown: one line, without characters that hide or reorder others."""
    if text is not None and text.isprintable():
        return " ".join(text.split())
    shown = (
        " " if char.isspace() else "\ufffd" if unicodedata.category(char)[0] == "C" and char not in _JOINERS else char
        for char in text or ""
    )
    return " ".join("".join(shown).split())


@dataclass(frozen=True, slots=True)
class Read:
    """What one result file gave: a system with its rows (in the order of ``columns``), or why it is left out."""

    system: dict[str, Any] | None = None
    rows: tuple[tuple[Any, ...], ...] = ()
    reason: str = ""


def read_one(file: Found) -> Read:
    """What a result file gives; never raises for what stands in it."""
    try:
        result = read_result(Path(file.path))
        _check_counts(result)
    except ResultError as error:
        return Read(reason=one_sentence(str(error), file.path))
    return Read(_system(result, file), tuple(_records(result, file.id)))


def one_sentence(message: str, path: str) -> str:
    """An error's message as the board shows it: the first fault, without this machine's path, of bounded length."""
    first, *others = message.replace(f"{path}: ", "").splitlines() or [""]
    first = visible(first[:1000])
    more = f" (and {len(others)} more faults)" if others else ""
    return (first if len(first) <= 240 else f"{first[:240]}…") + more


def _check_counts(result: Result) -> None:
    """Refuse what validates as numbers but cannot be any result's counts."""
    counts = [result.coverage.cells, result.coverage.cells_of, result.coverage.samples, result.coverage.samples_of]
    counts += [result.coverage.failed, result.system.parameters or 0]
    counts += [result.benchmark.limit or 0, result.benchmark.max_samples or 0]
    counts += [count for count in result.usage.model_dump().values() if isinstance(count, int)]
    for row in result.rows:
        counts += (row.instances, row.samples, *row.diagnostics.values())
    if not all(0 <= count <= _LARGEST for count in counts):
        raise ResultError("a count is negative or larger than any benchmark; score the run again")


def _system(result: Result, file: Found) -> dict[str, Any]:
    """The row of ``systems``: plain values, texts made visible."""
    system, benchmark = result.system, result.benchmark
    parts = ("tasks", "languages", "datasets")
    limits = [f"{part}: {', '.join(getattr(benchmark, part))}" for part in parts if getattr(benchmark, part)]
    limits += [f"at most {benchmark.limit} samples of a cell"] if benchmark.limit is not None else []
    limits += [f"{benchmark.max_samples} samples, drawn"] if benchmark.max_samples is not None else []
    return {
        "id": file.id,
        "path": file.path,
        "name": visible(system.name) or "(no name)",
        "kind": system.kind,
        "open_weights": system.open_weights,
        "parameters": float(system.parameters) if system.parameters is not None else None,
        **{name: visible(getattr(system, name)) for name in ("organisation", "model", "licence", "prompt", "url")},
        "adapter": visible(result.adapter),
        "benchmark": visible(benchmark.id),
        "version": visible(benchmark.version),
        "digest": benchmark.manifest_digest,
        "split": str(benchmark.split),
        "headline": benchmark.aggregation.score if benchmark.aggregation.score in _names("score") else "lf1",
        "only": visible("; ".join(limits)[:300]),
        "partial": result.partial,
        **result.coverage.model_dump(),
        **_usage(result.usage),
        "created": visible(result.created),
        "massie_version": visible(result.massie_version),
    }


def _usage(usage: UsageTotals) -> dict[str, float | str | None]:
    """Usage as plain columns: numbers, and the name of the price."""
    latency = usage.latency.model_dump() if usage.latency else dict.fromkeys(Latency.model_fields)
    plain = usage.model_dump(exclude={"latency", "price"})
    numbers = {name: None if value is None else float(value) for name, value in plain.items()}
    price = None if usage.price is None else visible(usage.price)
    return {**numbers, **{f"latency_{name}": value for name, value in latency.items()}, "price": price}


def _records(result: Result, identity: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a result in the order of the columns; of rows with one level, task and key the first counts."""
    scores, shares = _names("score"), _names("diagnostic")
    seen: set[tuple[str, str, str]] = set()
    for row in result.rows:
        place = (row.level, str(row.task or ""), visible(row.key))
        if row.level not in LEVELS or place in seen or row.level == ("overall" if row.task else "task"):
            continue
        seen.add(place)
        values: list[float | None] = []
        for name in scores:
            score = row.scores.get(name)
            values += [score.value, score.low, score.high] if score else [None, None, None]
        counts = {name: row.diagnostics.get(name, 0) for name in COUNTS} | {"samples": row.samples}
        found = rates(counts, row.samples)
        values += [found[name] for name in shares]
        yield (identity, *place, row.instances, row.samples, *values, *(counts[name] for name in COUNTS))


def _names(kind: str) -> list[str]:
    cards: dict[str, MetricCard] = metric_cards()
    return [name for name, card in cards.items() if card.kind == kind and (kind == "score" or name in RATES)]


def columns() -> list[str]:
    """The columns of the rows: the place, then every score with its interval, the rates and the counts."""
    scores = [f"{name}{part}" for name in _names("score") for part in ("", ".low", ".high")]
    return ["id", "level", "task", "key", "instances", "samples", *scores, *_names("diagnostic"), *COUNTS]


def rows_frame(records: Sequence[tuple[Any, ...]]) -> Frame:
    """The rows as a frame with fixed types."""
    names = columns()
    frame = pd.DataFrame.from_records(list(records), columns=names)
    numbers = dict.fromkeys(names[6:], "float64") | {"instances": "int64", "samples": "int64"}
    return frame.astype(numbers | dict.fromkeys(COUNTS, "int64"))


_USAGE = (
    *(name for name in UsageTotals.model_fields if name not in ("latency", "price")),
    *(f"latency_{name}" for name in Latency.model_fields),
)
_SYSTEM_COLUMNS = (
    "id", "path", "name", "kind", "open_weights", "parameters", "organisation", "model", "licence", "prompt", "url",
    "adapter", "benchmark", "version", "digest", "split", "headline", "only", "partial", "cells", "cells_of", "samples",
    "samples_of", "failed", *_USAGE, "price", "created", "massie_version",
)  # fmt: skip


def systems_frame(systems: list[dict[str, Any]]) -> Frame:
    """The systems as a frame, indexed by ``id``."""
    frame = pd.DataFrame(systems, columns=list(_SYSTEM_COLUMNS))
    return frame.astype(dict.fromkeys(("parameters", *_USAGE), "float64")).set_index("id", drop=False)
