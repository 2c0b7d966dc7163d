"""The store of a run: every prediction is committed at once, so that nothing that was answered is ever lost.

SQLite in WAL mode with ``synchronous = NORMAL``: a killed process loses nothing that was committed; a power cut may
lose what was committed in the last second.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from itertools import islice
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
    # The requests of the last prediction alone, which say whether it came from a cache.
    """
    ALTER TABLE predictions ADD COLUMN own_requests INTEGER;
    UPDATE predictions SET own_requests = requests
    """,
)
"""Numbered steps that bring a store to the newest form; only ever appended to."""

_USAGE = ("input_tokens", "output_tokens", "seconds", "reasoning_tokens", "cached_tokens", "requests")
_NAMES = ("sample_id", "records", "output", "finish_reason", "error", "failure", "reasoning", "logprobs", *_USAGE)
_COLUMNS = ", ".join(_NAMES)
_ADD = (
    f"INSERT INTO predictions ({_COLUMNS}, own_requests, attempts) "  # noqa: S608
    f"VALUES ({', '.join('?' * (len(_NAMES) + 1))}, 1) ON CONFLICT (sample_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in ("sample_id", "requests"))
    + ", requests = coalesce(requests + excluded.requests, excluded.requests, requests), "
    "own_requests = excluded.own_requests, attempts = attempts + 1 WHERE predictions.error IS NOT NULL"
)
# The ids come as one JSON list; CROSS JOIN keeps SQLite from going through all predictions instead.
_FIND = f"SELECT {_COLUMNS} FROM json_each(?) CROSS JOIN predictions ON sample_id = value"  # noqa: S608
_PAID = "(own_requests IS NULL OR own_requests > 0)"
_SUMS = (
    ", ".join(f"sum({name})" for name in _USAGE)
    + ", count(*), sum(error IS NULL), sum(requests > 0), sum(error IS NULL AND input_tokens IS NULL), "
    "sum(error IS NULL AND output_tokens IS NULL), max(input_tokens)"
)
_AT_ONCE = 4096
"""Samples that are looked up together."""
_MAPPED = 1 << 31
"""Bytes of the file that are read as memory: looking up many samples takes a third of the time so."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What some predictions, failed ones too, used together.

    ``usage`` is summed over those that state it, each part None where none does. ``predictions``, ``answers`` and those
    of the answers that are ``without_input`` or ``without_output`` tokens are counted; ``asked`` are the samples that
    requests were sent for. ``longest`` is the most input tokens of one prediction.
    """

    usage: Usage = field(default_factory=Usage)
    predictions: int = 0
    answers: int = 0
    asked: int = 0
    without_input: int = 0
    without_output: int = 0
    longest: int | None = None

    def __add__(self, other: Sums) -> Sums:
        pairs = zip(astuple(self.usage), astuple(other.usage), strict=True)
        longest = [one for one in (self.longest, other.longest) if one is not None]
        return Sums(
            Usage(*(one if two is None else two if one is None else one + two for one, two in pairs)),
            self.predictions + other.predictions,
            self.answers + other.answers,
            self.asked + other.asked,
            self.without_input + other.without_input,
            self.without_output + other.without_output,
            max(longest, default=None),
        )


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
            usage.requests,
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

    def holds_any(self) -> bool:
        """Whether any sample has an answer, or failed."""
        ((found,),) = self._rows("SELECT EXISTS (SELECT 1 FROM predictions)")
        return bool(found)

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

    def spent(self, started: float, seconds: float) -> None:
        """Note that a session that began at ``started`` (seconds since 1970) has lasted for so long."""
        with self._damage_told():
            self._connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (started, seconds))

    def wall_seconds(self) -> float | None:
        """The seconds that all sessions together took; None where none is known."""
        ((seconds,),) = self._rows("SELECT sum(seconds) FROM sessions")
        return seconds

    def number(self) -> int:
        """How many predictions there are, failed ones too."""
        ((number,),) = self._rows("SELECT count(*) FROM predictions")
        return number

    def sums(self, sample_ids: Iterable[str] | None = None, *, paid: bool = False) -> Sums:
        """What the predictions of these samples (None for all) used together.

        With ``paid``, only of those that were asked for: an answer that was read from a cache is none of them.
        """
        found = (_sums(row) for row in self._of(sample_ids, _SUMS, _PAID if paid else "true"))
        return sum(found, Sums())

    def seconds(self, sample_ids: Iterable[str] | None = None) -> Iterator[float]:
        """The latency of each answer of these samples (None for all) that was asked for, not read from a cache."""
        which = "error IS NULL AND seconds IS NOT NULL AND own_requests > 0"
        return (row[0] for row in self._of(sample_ids, "seconds", which))

    def paid(self) -> Iterator[Usage]:
        """The usage of each answer that was asked for, not read from a cache, and of failures that state tokens."""
        told = "(error IS NULL OR (input_tokens IS NOT NULL AND output_tokens IS NOT NULL))"
        return (_usage(row) for row in self._of(None, ", ".join(_USAGE), f"{_PAID} AND {told}"))

    def _of(self, sample_ids: Iterable[str] | None, what: str, which: str) -> Iterator[tuple[Any, ...]]:
        """Rows of the predictions of these samples; sums come a row for each part of them."""
        if sample_ids is None:
            yield from self._rows(f"SELECT {what} FROM predictions WHERE {which}")  # noqa: S608
            return
        query = f"SELECT {what} FROM json_each(?) CROSS JOIN predictions ON sample_id = value WHERE {which}"  # noqa: S608
        left = iter(sample_ids)
        while part := list(islice(left, _AT_ONCE)):
            yield from self._rows(query, json.dumps(part))

    def _rows(self, query: str, *parameters: str) -> Iterator[tuple[Any, ...]]:
        with self._damage_told():
            yield from self._connection.execute(query, parameters)

    @contextmanager
    def _damage_told(self) -> Generator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # no room, no permission, another process
            raise RunError(
                f"{self._path}: cannot be used: {error}; the answers so far are kept, the same command continues"
            ) from error
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


def _sums(row: tuple[Any, ...]) -> Sums:
    """The sums of a row of ``_SUMS``."""
    predictions, *counts, longest = row[len(_USAGE) :]
    answers, asked, without_input, without_output = (count or 0 for count in counts)
    usage = _usage(row[: len(_USAGE)])
    return Sums(usage, predictions, answers, asked, without_input, without_output, longest)


def _usage(parts: Sequence[Any]) -> Usage:
    """The usage of the columns ``_USAGE``."""
    return Usage(**dict(zip(_USAGE, parts, strict=True)))


def _prediction(row: tuple[Any, ...]) -> Prediction:
    """The prediction of a row of ``_COLUMNS``."""
    sample_id, records, output, finish_reason, error, failure, reasoning, logprobs, *parts = row
    return Prediction(
        sample_id,
        None if records is None else json.loads(records),
        output,
        finish_reason,
        None if all(part is None for part in parts) else _usage(parts),
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
