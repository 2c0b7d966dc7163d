"""One compact table of all results: built once from the result files, kept in memory and in the user's cache.

The table holds what the views of many systems need: the rows of tasks, languages, families and scripts with every
score and count. What only one system's page needs (cells, options, environment) is read from its own file again.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import platformdirs
from frames import Frame, pd
from reading import Found, Read, columns, read_one, rows_frame, systems_frame, visible

from massie._collector import collector_paused
from massie._content import content_folder
from massie.results import RESULT

RUNS = "MASSIE_RUNS"
_DEEPEST = 6  # folders below a folder of runs; published results lie two below it
_FORMAT = 2  # of the stored table; a change makes the stored ones be built anew


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file or folder that is left out, with the reason in one sentence."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Board:
    """The compact table.

    ``systems`` has one row for each result (indexed by ``id``), ``rows`` one for each result, level, task and key.
    """

    systems: Frame
    rows: Frame
    rejected: tuple[Rejected, ...]


def folders_of_runs() -> list[Path]:
    """The folders that ``MASSIE_RUNS`` names (separated as PATH is), else the project's own ``runs``."""
    named = [Path(part).expanduser() for part in os.environ.get(RUNS, "").split(os.pathsep) if part]
    return named or [content_folder("runs")]


def short_path(folder: Path) -> str:
    """A folder in words that do not tell where on this machine it lies."""
    place = folder.absolute()
    return visible(str(Path("…", *place.parts[-2:]) if len(place.parts) > 3 else place))


def cache_file(folders: Sequence[Path]) -> Path:
    """Where the table of these folders is kept: in ``MASSIE_CACHE``, else in the user's cache folder."""
    named = os.environ.get("MASSIE_CACHE")
    base = Path(named).expanduser() if named else platformdirs.user_cache_path("massie")
    said = json.dumps([_FORMAT, *columns(), *(str(folder.resolve()) for folder in folders)])
    return base / "board" / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.parquet"


def find(folders: Sequence[Path]) -> tuple[tuple[Found, ...], tuple[Rejected, ...]]:
    """The result files below the folders, and what cannot be looked into."""
    files: dict[str, Found] = {}
    rejected: list[Rejected] = []
    for folder in folders:
        if not folder.is_dir():
            rejected.append(Rejected(short_path(folder), "is not a folder; name one that exists"))
            continue
        for path in _result_files(folder):
            identity = _new_name(visible(path.parent.relative_to(folder).as_posix()), files)
            try:
                status = path.lstat()
            except OSError as error:
                rejected.append(Rejected(identity, f"cannot be read: {error.strerror}"))
                continue
            if stat.S_ISREG(status.st_mode):
                files[identity] = Found(identity, str(path), status.st_mtime_ns, status.st_size)
            else:
                rejected.append(Rejected(identity, "is no regular file; put the result itself there"))
    return tuple(files.values()), tuple(rejected)


def read_board(files: Sequence[Found], rejected: Sequence[Rejected] = (), cache: Path | None = None) -> Board:
    """The board of these result files; those that did not change are taken from the table in ``cache``.

    A file that cannot be used is in ``rejected`` of the board, after those given.
    """
    known, rows = _stored(cache) if cache else ({}, rows_frame([]))
    with collector_paused():
        read = {file: known[file] if file in known else read_one(file) for file in files}
    if set(read) != set(known):
        kept = rows[rows["id"].isin({file.id for file in read if file in known})]
        new = rows_frame([row for entry in read.values() for row in entry.rows])
        rows = pd.concat([part for part in (kept, new) if len(part)] or [new], ignore_index=True)
        if cache:
            _store(rows, read, cache)
    for column in ("id", "level", "task", "key"):
        rows[column] = rows[column].astype("category")
    systems = systems_frame([entry.system for entry in read.values() if entry.system])
    failed = [Rejected(file.id, entry.reason) for file, entry in read.items() if entry.reason]
    return Board(systems, rows, (*rejected, *failed))


def _result_files(folder: Path) -> Iterator[Path]:
    """Every result file below a folder, in order; links to folders are not followed."""
    for place, below, names in os.walk(folder):
        below.sort()
        if len(Path(place).relative_to(folder).parts) >= _DEEPEST:
            below.clear()
        if RESULT in names:
            yield Path(place) / RESULT


def _new_name(name: str, taken: Mapping[str, Found]) -> str:
    """The name, numbered where two folders of runs hold the same one."""
    if name not in taken:
        return name
    return next(numbered for number in count(2) if (numbered := f"{name} ({number})") not in taken)


# ---- The table in the user's cache


def _stored(cache: Path) -> tuple[dict[Found, Read], Frame]:
    """What an earlier start left: what each file gave, and the rows of all; empty where nothing can be used."""
    try:
        rows = pd.read_parquet(cache)
        known = {Found(**file): Read(system, (), str(reason)) for file, system, reason in rows.attrs["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}, rows_frame([])
    rows.attrs = {}
    return known, rows


def _store(rows: Frame, read: Mapping[Found, Read], cache: Path) -> None:
    """Keep the table, whole or not at all; a cache that cannot be written only makes the next start slower."""
    stored = rows.copy(deep=False)
    stored.attrs = {"files": [(asdict(file), entry.system, entry.reason) for file, entry in read.items()]}
    partial = cache.with_name(f"{cache.name}.{os.getpid()}.partial")
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        stored.to_parquet(partial)
        partial.replace(cache)
