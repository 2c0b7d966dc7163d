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

from massie.types import Prediction, RunError, Usage

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
)
"""Numbered steps that bring a store to the newest form; only ever appended to."""

_COLUMNS = "sample_id, records, output, finish_reason, input_tokens, output_tokens, seconds, error"
# The ids come as one JSON list; CROSS JOIN keeps SQLite from going through all predictions instead.
_FIND = f"SELECT {_COLUMNS} FROM json_each(?) CROSS JOIN predictions ON sample_id = value"  # noqa: S608
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
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > len(_MIGRATIONS):
                raise RunError(f"{path}: is of a newer MASSIE (store version {version}); update massie to read it")
            for number, step in enumerate(_MIGRATIONS[version:], start=version + 1):
                self._connection.execute("BEGIN")
                self._connection.execute(step)
                self._connection.execute(f"PRAGMA user_version = {number}")
                self._connection.execute("COMMIT")
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
            None if prediction.records is None else _json(prediction.records),
            None if prediction.output is None else _storable(prediction.output),
            None if prediction.finish_reason is None else _storable(prediction.finish_reason),
            usage.input_tokens,
            usage.output_tokens,
            usage.seconds,
            None if prediction.error is None else _storable(prediction.error),
        )
        try:
            self._connection.execute(
                f"INSERT INTO predictions ({_COLUMNS}, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1) "  # noqa: S608
                "ON CONFLICT (sample_id) DO UPDATE SET records = excluded.records, output = excluded.output, "
                "finish_reason = excluded.finish_reason, input_tokens = excluded.input_tokens, "
                "output_tokens = excluded.output_tokens, seconds = excluded.seconds, error = excluded.error, "
                "attempts = attempts + 1 WHERE predictions.error IS NOT NULL",
                row,
            )
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

    def usage(self) -> Usage:
        """The sums of tokens and seconds; None where no prediction states them."""
        (sums,) = self._rows("SELECT sum(input_tokens), sum(output_tokens), sum(seconds) FROM predictions")
        return Usage(*sums)

    def _rows(self, query: str, *parameters: str) -> Iterator[tuple[Any, ...]]:
        with self._damage_told():
            yield from self._connection.execute(query, parameters)

    @contextmanager
    def _damage_told(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise RunError(f"{self._path}: is damaged: {error}; name another run with --name") from error


def _prediction(row: tuple[Any, ...]) -> Prediction:
    """The prediction of a row of ``_COLUMNS``."""
    sample_id, records, output, finish_reason, input_tokens, output_tokens, seconds, error = row
    parts = (input_tokens, output_tokens, seconds)
    usage = None if parts == (None, None, None) else Usage(*parts)
    return Prediction(sample_id, None if records is None else json.loads(records), output, finish_reason, usage, error)


def _json(records: Any) -> str:
    try:
        # A value that is no JSON (a NumPy number, say) becomes text; the other keys and records stand.
        return json.dumps(records, default=repr, skipkeys=True)
    except (TypeError, ValueError, RecursionError) as error:
        # What is no JSON can be no record either: it is kept as one that will count as malformed.
        return json.dumps([f"not JSON: {error}"])


def _storable(text: str) -> str:
    """The text without lone surrogates, which SQLite cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
