"""The result of a run: plain JSON with a versioned schema that needs nothing of this package to be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from massie.catalogue import first_fault
from massie.types import ResultError, Split, SystemCard, Task
from massie.types.systems import Name, Text

RESULT = "result.json"
SCHEMA_VERSION = 2
MAXIMAL_BYTES = 64 << 20
MOST_DETAILS, DEEPEST_DETAIL = 5000, 20
"""So many values, at so many levels, say all of a system; what is beyond that is no description of one."""

Score = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Plain(BaseModel):
    """Base of what a result file holds: unknown keys and changed types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AggregationReference(Plain):
    """The headline score of a benchmark, and what the scores of a task are a mean over."""

    score: Name
    over: Literal["instances", "datasets"]


OF_THE_PAPER = AggregationReference(score="lf1", over="instances")


class BenchmarkReference(Plain):
    """Which samples a result is about: only results with one ``manifest_digest`` can be compared.

    The ``aggregation`` is written only where it is not the paper's, so that a version of MASSIE that knew no other
    reads all other results.
    """

    id: Name
    version: Name
    manifest_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    split: Split = Field(strict=False)
    tasks: list[Name] | None = None
    languages: list[Name] | None = None
    datasets: list[Name] | None = None
    limit: int | None = None
    max_samples: int | None = None
    aggregation: AggregationReference = OF_THE_PAPER

    @model_serializer(mode="wrap")
    def _plain(self, plainly: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain = plainly(self)
        if self.aggregation == OF_THE_PAPER:
            plain.pop("aggregation", None)
        return plain


class Coverage(Plain):
    """How much of the benchmark's split the result covers.

    ``cells_of`` counts the cells of the whole benchmark, built or not, ``samples_of`` the samples of the build.
    """

    cells: int
    cells_of: int
    samples: int
    samples_of: int
    failed: int = 0


class IntervalValue(Plain):
    """A score and its 95% interval, 0 to 100; all null where the score is undefined."""

    value: Score | None
    low: Score | None
    high: Score | None


class Row(Plain):
    """One row of the score table: a level and its key, with every score and the diagnostics' counts."""

    level: Literal["overall", "task", "language", "family", "script", "dataset", "cell"]
    task: Task | None = Field(strict=False)
    key: Name
    instances: int = Field(ge=0)
    samples: int = Field(ge=0)
    scores: dict[Name, IntervalValue]
    diagnostics: dict[Name, int]


RATES = {
    "invalid_rate": ("invalid", "samples", None),
    "malformed_rate": ("malformed", "predicted", None),
    "off_schema_rate": ("off_schema", "predicted", "malformed"),
    "hallucination_rate": ("hallucinated", "predicted", "malformed"),
    "empty_rate": ("empty_predictions", "samples", None),
}
"""The diagnostics as rates (``metrics/``): what is counted, out of what, and what is taken off that."""


def rates(counts: Mapping[str, int], samples: int) -> dict[str, float | None]:
    """The diagnostics of a row as rates in percent; None where there is nothing to count."""
    of = {**counts, "samples": samples}
    found: dict[str, float | None] = {}
    for name, (counted, total, less) in RATES.items():
        out_of = of.get(total, 0) - (of.get(less, 0) if less else 0)
        found[name] = min(100.0, 100 * of.get(counted, 0) / out_of) if out_of > 0 else None
    return found


class Latency(Plain):
    """Percentiles of the seconds from sending a request to its answer."""

    p50: Seconds
    p90: Seconds
    p95: Seconds
    p99: Seconds


class UsageTotals(Plain):
    """What the run used, as far as it is known.

    ``seconds`` are summed over answers, ``wall_seconds`` over the times that the run was at work, in which it answered
    ``per_second`` samples each second. Input tokens include those that were read from a cache, output tokens those of
    reasoning. ``requests`` counts all that were sent, ``retries`` those after the first for a sample. ``cost`` is in US
    dollars, by the price that ``price`` names.
    """

    seconds: Seconds
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None
    requests: Count | None = None
    retries: Count | None = None
    wall_seconds: Seconds | None = None
    per_second: Seconds | None = None
    latency: Latency | None = None
    cost: Seconds | None = None
    price: Text | None = None


class Result(Plain):
    """The result of a run."""

    schema_version: Literal[2] = SCHEMA_VERSION
    system: SystemCard
    benchmark: BenchmarkReference
    adapter: Name
    options: dict[Name, Text] = {}
    details: dict[Name, Any] = {}
    command: Text
    created: Name
    massie_version: Name
    environment: dict[Name, Text]
    bootstrap: dict[Name, int]
    partial: bool
    coverage: Coverage
    usage: UsageTotals
    rows: list[Row]

    @property
    def ranked(self) -> bool:
        """Whether the result may be ranked: only complete ones are."""
        return not self.partial

    def row(self, level: str, task: Task | None = None, key: str | None = None) -> Row | None:
        """The first row of a level, task and key (any key where None)."""
        for row in self.rows:
            if row.level == level and row.task == task and (key is None or row.key == key):
                return row
        return None


def _with_usage(plain: dict[str, Any]) -> dict[str, Any]:
    """From 1 to 2: usage in full and the system's details, all of which may be missing."""
    return {**plain, "schema_version": 2}


_UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _with_usage}
"""Numbered functions that bring a result of a schema version to the next one; only ever appended to."""


def read_result(path: Path) -> Result:
    """The result in a file, of this or any older schema version.

    Raises ResultError in one sentence where the file cannot be read, is not JSON, or does not validate.
    """
    try:
        if path.stat().st_size > MAXIMAL_BYTES:
            raise ResultError(f"{path}: is larger than {MAXIMAL_BYTES >> 20} MiB; that is no result file")
        plain: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path}: is not JSON: {str(error)[:200]}") from error
    version: object = cast("dict[str, object]", plain).get("schema_version") if isinstance(plain, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= SCHEMA_VERSION:
        raise ResultError(f"{path}: schema_version: is {str(version)[:40]}; this MASSIE reads 1 to {SCHEMA_VERSION}")
    upgraded = cast("dict[str, Any]", plain)
    try:
        for step in range(version, SCHEMA_VERSION):
            upgraded = _UPGRADES[step](upgraded)
        result = Result.model_validate(upgraded)
    except ValidationError as error:
        raise ResultError(f"{path}: {first_fault(error)}") from error
    _check_details(result.details, path)
    return result


def _check_details(details: Mapping[str, Any], path: Path) -> None:
    """Raise ResultError where they hold too many values, or are too deep."""
    level, values = list[Any](details.values()), 0
    for _ in range(DEEPEST_DETAIL):
        values += len(level)
        level = [inner for value in level for inner in _within(value)]
        if not level and values <= MOST_DETAILS:
            return
    raise ResultError(
        f"{path}: details: more than {MOST_DETAILS:,} values or {DEEPEST_DETAIL} levels; let the system say less of "
        "itself"
    )


def _within(value: Any) -> Iterable[Any]:
    """The values of a JSON array or object; none of any other."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def write_result(result: Result, path: Path) -> None:
    """Write the result as JSON, a row of the score table to a line, whole or not at all."""
    plain = result.model_dump(mode="json")
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in plain.pop("rows"))
    head = json.dumps(plain, ensure_ascii=False, indent=1).removesuffix("\n}")
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(f'{head},\n "rows": [\n{rows}\n ]\n}}\n', encoding="utf-8")
    partial.replace(path)
