"""Runs that were scored, with their tables of sample scores, as they are read for comparing.

A table is a stranger's as often as not. It is held against what ``massie score`` writes and against its result, cell by
cell; what does not agree raises ResultError, which names the file.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# (pyarrow has no type stubs.)

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from massie.catalogue import language
from massie.results.samples import SCORES_TABLE
from massie.results.schema import RESULT, Result, read_result
from massie.scoring.cells import MEANS, QUOTIENTS
from massie.types import Cell, ResultError, Task, UnknownNameError

Array = NDArray[np.float64]
Places = NDArray[np.intp]

KEYS = ("sample_id", "task", "dataset", "language", "instance_id")
_MADE_OF = {"samples": (), "nonempty": ("gold",), "lf1_nonempty": ("lf1", "gold")}
"""The columns that a summand is made of, where it is not one itself."""
_GREATEST_COUNT = 1 << 31
_TOLERANCE = 1e-3
"""By how many points the score of a cell in a result may differ from that of its samples: both are rounded."""


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A run that was scored: what its system is called here, its folder and its result."""

    name: str
    folder: Path
    result: Result

    @property
    def table(self) -> Path:
        """The file with its samples' scores."""
        return self.folder / SCORES_TABLE


# ---- Runs


def read_runs(folders: Sequence[Path]) -> list[ScoredRun]:
    """The runs in folders: two or more, of one build and split.

    A system that comes twice (with another prompt, say) is told apart by where its run lies.
    """
    if len(folders) < 2:
        raise ResultError("a comparison needs the folders of two runs or more")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ResultError("a folder is named twice; a comparison is between different runs")
    results = [_read_result(folder) for folder in folders]
    names = _told_apart(
        [result.system.name for result in results],
        [
            f"{result.system.name} [{folder.resolve().parent.name}]"
            for folder, result in zip(folders, results, strict=True)
        ],
        [f"{result.system.name} [{folder}]" for folder, result in zip(folders, results, strict=True)],
    )
    runs = list(map(ScoredRun, names, folders, results))
    for run in runs[1:]:
        _check_same_samples(runs[0], run)
    return runs


def _told_apart(*namings: Sequence[str]) -> list[str]:
    """For each thing the first of its names that no other has in the same place; the last where there is none."""
    once = [{name for name, times in Counter(names).items() if times == 1} for names in namings]
    return [
        next((name for name, unique in zip(names, once, strict=True) if name in unique), names[-1])
        for names in zip(*namings, strict=True)
    ]


def _read_result(folder: Path) -> Result:
    if not folder.is_dir():
        raise ResultError(f"{folder}: there is no such folder of a run")
    for name in (RESULT, SCORES_TABLE):
        if not (folder / name).is_file():
            raise ResultError(f"{folder}: has no {name}; make it with: massie score {folder}")
    return read_result(folder / RESULT)


def _check_same_samples(one: ScoredRun, other: ScoredRun) -> None:
    first, second = one.result.benchmark, other.result.benchmark
    for what, was, is_now in (
        ("benchmark", first.id, second.id),
        ("split", first.split, second.split),
        ("build", first.manifest_digest[:12], second.manifest_digest[:12]),
    ):
        if was != is_now:
            raise ResultError(
                f"{one.folder} and {other.folder} cannot be compared: they are of different {what}s, {was} and "
                f"{is_now}; run both systems on the same one"
            )


# ---- Tables


@dataclass(frozen=True, slots=True)
class Samples:
    """Which samples the rows of a table are of."""

    keys: Any
    cells: Sequence[Cell]
    cell_of: Places


@dataclass(frozen=True, slots=True)
class Table:
    """The samples of a run, with one score of each as a quotient; ``gold`` is the number of its gold items, if read."""

    run: ScoredRun
    samples: Samples
    numerators: Array
    denominators: Array
    gold: Array | None


def read_table(run: ScoredRun, score: str, reference: Table | None) -> Table:
    """The table of a run, checked; where its rows are of the same samples as those of ``reference``, it shares them."""
    above, below = QUOTIENTS[score]
    columns = sorted({column for name in (*above, *below) for column in _MADE_OF.get(name, (name,))})
    table = _parquet(run, [*KEYS, *columns])
    keys = table.select(KEYS)
    same = reference is not None and keys.equals(reference.samples.keys)
    samples = reference.samples if reference and same else _samples(run, keys)
    values = {name: _numbers(run, table[name], name) for name in columns}
    numerators, denominators = (
        sum((times * _summand(name, values, len(keys)) for name, times in part.items()), np.zeros(len(keys)))
        for part in (above, below)
    )
    if (numerators > denominators).any():
        raise damaged(run, f"has samples with more than 100 for {score}")
    _check_result(run, samples, score, numerators, denominators)
    return Table(run, samples, numerators, denominators, values.get("gold"))


def _parquet(run: ScoredRun, columns: Sequence[str]) -> Any:
    """Columns of a run's file, of the types that they must have, with as many rows as the result has samples."""
    try:
        with pq.ParquetFile(run.table) as file:
            for name in columns:
                _check_column(run, file.schema_arrow, name)
            rows, samples = file.metadata.num_rows, run.result.coverage.samples
            if rows != samples or not rows:
                raise damaged(run, f"has {rows} samples, the result {samples}")
            return file.read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise ResultError(
            f"{run.table}: cannot be read as Parquet ({str(error)[:100]}); make it again: massie score {run.folder}"
        ) from error


def _check_column(run: ScoredRun, schema: Any, name: str) -> None:
    wanted = pa.string() if name in KEYS else pa.float64() if name in MEANS else pa.int64()
    places = schema.get_all_field_indices(name)
    if len(places) != 1:
        raise damaged(run, f"has {len(places)} columns {name!r} and must have one")
    if schema.field(places[0]).type != wanted:
        raise damaged(run, f"has the type {schema.field(places[0]).type} in column {name!r} and must have {wanted}")


def _samples(run: ScoredRun, keys: Any) -> Samples:
    """The samples of a table, no two of one id, in the cells that the result has."""
    for name in KEYS:
        if keys[name].null_count:
            raise damaged(run, f"has rows without {name}")
    if pc.count_distinct(keys["sample_id"]).as_py() != len(keys):
        raise damaged(run, "has a sample twice")
    codes = np.zeros(len(keys), dtype=np.int64)
    for name in ("task", "dataset", "language"):
        encoded = keys[name].combine_chunks().dictionary_encode()
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
    _, places, cell_of = np.unique(codes, return_index=True, return_inverse=True)
    named = keys.select(["task", "dataset", "language"]).take(places).to_pylist()
    known = {(str(row.task), row.key) for row in run.result.rows if row.level == "cell"}
    for names in named:
        if (names["task"], f"{names['dataset']}/{names['language']}") not in known:
            raise damaged(run, f"has the cell {'/'.join(names.values())!r:.100}, which the result has not")
        _check_language(run, names["language"])
    cells = [Cell(Task(names["task"]), names["dataset"], names["language"]) for names in named]
    return Samples(keys, cells, cell_of.reshape(-1))


def _check_language(run: ScoredRun, code: str) -> None:
    try:
        language(code)
    except UnknownNameError as error:
        raise damaged(run, f"has the language {code!r:.100}, which is not in the catalogue") from error


def _numbers(run: ScoredRun, column: Any, name: str) -> Array:
    """A column of scores, 0 to 1, or of counts."""
    greatest = 1 if name in MEANS else _GREATEST_COUNT
    values = column.to_numpy()
    if column.null_count or not ((values >= 0) & (values <= greatest)).all():
        raise damaged(run, f"has values in column {name!r} that are not between 0 and {greatest}")
    return values.astype(np.float64)


def _summand(name: str, values: dict[str, Array], rows: int) -> Array:
    """What is summed over samples under a name (``SUMMED`` of ``scoring.cells``)."""
    if name == "samples":
        return np.ones(rows)
    if name == "nonempty":
        return (values["gold"] > 0).astype(np.float64)
    return values["lf1"] * (values["gold"] > 0) if name == "lf1_nonempty" else values[name]


def _check_result(run: ScoredRun, samples: Samples, score: str, numerators: Array, denominators: Array) -> None:
    """Hold the number of samples and the score of every cell against those of the result."""
    number = len(samples.cells)
    counts = np.bincount(samples.cell_of, minlength=number).tolist()
    above, below = (np.bincount(samples.cell_of, part, number).tolist() for part in (numerators, denominators))
    row_of = {(row.task, row.key): row for row in run.result.rows if row.level == "cell"}
    for cell, count, numerator, denominator in zip(samples.cells, counts, above, below, strict=True):
        row = row_of[cell.task, f"{cell.dataset}/{cell.language}"]
        said = row.scores[score].value if score in row.scores else None
        if count != row.samples:
            raise damaged(run, f"has {count} samples of the cell {cell}, the result {row.samples}")
        if said is not None and not abs(said * denominator - 100 * numerator) <= _TOLERANCE * denominator:
            raise damaged(run, f"and the result do not agree on {score} of the cell {cell}")


def damaged(run: ScoredRun, what: str) -> ResultError:
    """The error that says what is wrong with a run's table."""
    return ResultError(f"{run.table}: {what}; make it again: massie score {run.folder}")
