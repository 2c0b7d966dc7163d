"""The store of a run: every prediction is committed at once, so that nothing that was answered is ever lost.

SQLite in WAL mode with ``synchronous = NORMAL``: a killed process loses nothing that was committed; a power cut may
lose what was committed in the last second.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from massie.types import Failure, Prediction, RunError, Usage

_MIGRATIONS = (
    """
    CREATE TABLE predictions (
        sample_id TEXT PRIMARY KEY,
        records TEXT,
        output TEXT,
        finish_reason TEXT,
        input_tokens INTEGER,
        output_tokens INTEGER,
        seconds REAL,
        error TEXT,
        attempts INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    ALTER TABLE predictions ADD COLUMN reasoning_tokens INTEGER;
    ALTER TABLE predictions ADD COLUMN cached_tokens INTEGER;
    ALTER TABLE predictions ADD COLUMN requests INTEGER;
    ALTER TABLE predictions ADD COLUMN failure TEXT;
    ALTER TABLE predictions ADD COLUMN reasoning TEXT;
    ALTER TABLE predictions ADD COLUMN logprobs TEXT;
    CREATE TABLE sessions (started REAL PRIMARY KEY, seconds REAL NOT NULL) WITHOUT ROWID
    """,
)
"""Numbered steps that bring a store to the newest form; only ever appended to."""

_USAGE = ("input_tokens", "output_tokens", "seconds", "reasoning_tokens", "cached_tokens", "requests")
_NAMES = ("sample_id", "records", "output", "finish_reason", "error", "failure", "reasoning", "logprobs", *_USAGE)
_COLUMNS = ", ".join(_NAMES)
_ADD = (
    f"INSERT INTO predictions ({_COLUMNS}, attempts) VALUES ({', '.join('?' * len(_NAMES))}, 1) "  # noqa: S608
    "ON CONFLICT (sample_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in ("sample_id", "requests"))
    + ", requests = coalesce(requests + excluded.requests, excluded.requests, requests), attempts = attempts + 1 "
    "WHERE predictions.error IS NOT NULL"
)
# The ids come as one JSON list; CROSS JOIN keeps SQLite from going through all predictions instead.
_FIND = f"SELECT {_COLUMNS} FROM json_each(?) CROSS JOIN predictions ON sample_id = value"  # noqa: S608
_PAID = "requests IS NULL OR requests > 0"
_MAPPED = 1 << 31
"""Bytes of the file that are read as memory: looking up many samples takes a third of the time so."""


class Store:
    """The predictions of a run, by sample id."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open or make the store; raises RunError where the file is none or cannot be written.

        A ``read_only`` store must be there, and may be open in many processes.
        """
        self._path = path
        try:
            if read_only:
                self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
                self._connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
                return
            self._connection = _up_to_date(path)
        except sqlite3.Error as error:
            raise RunError(f"{path}: cannot be used as the store of a run: {error}") from error

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self._connection.close()

    def add(self, prediction: Prediction) -> None:
        """Commit a prediction; a later answer to a sample takes the place of a failed one.

        Raises RunError where it cannot be written (a full disk, say).
        """
        usage = prediction.usage or Usage()
        row = (
            prediction.sample_id,
            None if prediction.records is None else as_json(prediction.records),
            _storable(prediction.output),
            _storable(prediction.finish_reason),
            _storable(prediction.error),
            None if prediction.error is None else str(prediction.failure or Failure.ADAPTER),
            _storable(prediction.reasoning),
            None if prediction.logprobs is None else as_json(prediction.logprobs),
            *(getattr(usage, name) for name in _USAGE),
        )
        try:
            self._connection.execute(_ADD, row)
        except sqlite3.Error as error:
            raise RunError(
                f"{self._path}: cannot be written: {error}; the answers so far are kept, the same command continues"
            ) from error

    def add_all(self, predictions: Iterable[Prediction]) -> None:
        """Commit many predictions together."""
        self._connection.execute("BEGIN")
        try:
            for prediction in predictions:
                self.add(prediction)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def answered(self) -> set[str]:
        """The ids of the samples that have an answer."""
        return {row[0] for row in self._rows("SELECT sample_id FROM predictions WHERE error IS NULL")}

    def failed(self) -> dict[str, str]:
        """The failed samples by id, with what went wrong."""
        return dict(self._rows("SELECT sample_id, error FROM predictions WHERE error IS NOT NULL"))

    def predictions(self) -> Iterator[Prediction]:
        """All predictions, failed ones too, by sample id."""
        return map(_prediction, self._rows(f"SELECT {_COLUMNS} FROM predictions ORDER BY sample_id"))  # noqa: S608

    def find(self, sample_ids: Sequence[str]) -> dict[str, Prediction]:
        """The predictions of these samples, failed ones too, as far as there are any."""
        with self._damage_told():
            rows = self._connection.execute(_FIND, (json.dumps(sample_ids),)).fetchall()
        return {row[0]: _prediction(row) for row in rows}

    def number_answered(self) -> int:
        """How many samples have an answer."""
        ((number,),) = self._rows("SELECT count(*) FROM predictions WHERE error IS NULL")
        return number

    def unanswered(self, sample_ids: Sequence[str], *, lasting: bool = False) -> set[str]:
        """Which of these samples have no answer yet; those that failed for a lasting reason are left out if asked."""
        query = f"SELECT sample_id FROM json_each(?) CROSS JOIN predictions ON sample_id = value WHERE {_kept(lasting)}"  # noqa: S608
        left = set(sample_ids)
        with self._damage_told():
            left.difference_update(row[0] for row in self._connection.execute(query, (json.dumps(sample_ids),)))
        return left

    def number_kept(self, *, lasting: bool = False) -> int:
        """How many samples have an answer, or failed for a lasting reason if these are asked for too."""
        ((number,),) = self._rows(f"SELECT count(*) FROM predictions WHERE {_kept(lasting)}")  # noqa: S608
        return number

    def number_failed(self) -> int:
        """How many samples failed."""
        ((number,),) = self._rows("SELECT count(*) FROM predictions WHERE error IS NOT NULL")
        return number

    def spent(self, started: float, seconds: float) -> None:
        """Note that a session that began at ``started`` (seconds since 1970) has lasted for so long."""
        with self._damage_told():
            self._connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (started, seconds))

    def wall_seconds(self) -> float | None:
        """The seconds that all sessions together took; None where none is known."""
        ((seconds,),) = self._rows("SELECT sum(seconds) FROM sessions")
        return seconds

    def usage(self) -> Usage:
        """The sums of tokens, seconds and requests; None where no prediction states them."""
        return self._summed("true")

    def paid_usage(self) -> Usage:
        """The same over the answers that were asked for, not read from a cache."""
        return self._summed(_PAID)

    def number_paid(self) -> int:
        """How many answers were asked for, not read from a cache."""
        ((number,),) = self._rows(f"SELECT count(*) FROM predictions WHERE error IS NULL AND ({_PAID})")  # noqa: S608
        return number

    def _summed(self, which: str) -> Usage:
        sums_of = ", ".join(f"sum({name})" for name in _USAGE)
        (sums,) = self._rows(f"SELECT {sums_of} FROM predictions WHERE {which}")  # noqa: S608
        return Usage(**dict(zip(_USAGE, sums, strict=True)))

    def number_asked(self) -> int:
        """For how many samples requests were sent."""
        ((number,),) = self._rows("SELECT count(*) FROM predictions WHERE requests > 0")
        return number

    def seconds(self) -> Iterator[float]:
        """The latency of each answer that was asked for and not read from a cache, from the shortest to the longest."""
        rows = self._rows(
            "SELECT seconds FROM predictions WHERE error IS NULL AND seconds IS NOT NULL AND requests > 0 ORDER BY 1"
        )
        return (row[0] for row in rows)

    def _rows(self, query: str, *parameters: str) -> Iterator[tuple[Any, ...]]:
        with self._damage_told():
            yield from self._connection.execute(query, parameters)

    @contextmanager
    def _damage_told(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise RunError(f"{self._path}: is damaged: {error}; name another run with --name") from error


def _up_to_date(path: Path) -> sqlite3.Connection:
    """A connection to the store, made or brought to the newest form; none stays open where that fails."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise RunError(f"{path}: is of a newer MASSIE (store version {version}); update massie to read it")
        for number, step in enumerate(_MIGRATIONS[version:], start=version + 1):
            connection.executescript(f"BEGIN; {step}; PRAGMA user_version = {number}; COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _kept(lasting: bool) -> str:
    failures = ", ".join(f"'{one}'" for one in Failure if one.lasting)
    return f"(error IS NULL OR failure IN ({failures}))" if lasting else "error IS NULL"


def _prediction(row: tuple[Any, ...]) -> Prediction:
    """The prediction of a row of ``_COLUMNS``."""
    sample_id, records, output, finish_reason, error, failure, reasoning, logprobs, *parts = row
    return Prediction(
        sample_id,
        None if records is None else json.loads(records),
        output,
        finish_reason,
        None if all(part is None for part in parts) else Usage(**dict(zip(_USAGE, parts, strict=True))),
        error,
        None if error is None else Failure(failure or Failure.ADAPTER),
        reasoning,
        None if logprobs is None else json.loads(logprobs),
    )


def as_json(records: Any) -> str:
    """Records as they are stored."""
    try:
        # A value that is no JSON (a NumPy number, say) becomes text; the other keys and records stand.
        return json.dumps(records, default=repr, skipkeys=True)
    except (TypeError, ValueError, RecursionError) as error:
        # What is no JSON can be no record either: it is kept as one that will count as malformed.
        return json.dumps([f"not JSON: {error}"])


def _storable(text: str | None) -> str | None:
    """The text without lone surrogates, which SQLite cannot hold."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")
