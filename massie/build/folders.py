"""Folders that a build or an export makes: whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from massie.types import BuildError

_MADE = "build"
"""The folder within a place of work that takes the place of the one that was asked for."""


@contextmanager
def build_folder(folder: Path) -> Generator[Path]:
    """A place to work in, whose folder ``build`` takes the place of ``folder`` at the end.

    Where the work fails or is interrupted the place stays (``.NAME.partial``, beside the folder), and the next call
    finds what is there. Raises BuildError where the folder is not empty, is the current one, or cannot be written, and
    where another process is at work in the same place.
    """
    with _place(folder, "partial", "building") as place:
        yield place


@contextmanager
def export_folder(folder: Path) -> Generator[Path]:
    """A new folder that takes the place of ``folder`` at the end; where the work fails nothing of it stays.

    Raises BuildError as ``build_folder``.
    """
    with _place(folder, "export", "exporting") as place:
        try:
            shutil.rmtree(place / _MADE)  # what a process that was killed left
            (place / _MADE).mkdir()
            yield place / _MADE
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise


@contextmanager
def _place(folder: Path, ending: str, doing: str) -> Generator[Path]:
    """A locked place beside ``folder``, called after it, whose own folder takes its place at the end."""
    check_new(folder)
    place = folder.parent / f".{folder.name}.{ending}"
    try:
        (place / _MADE).mkdir(parents=True, exist_ok=True)
        with FileLock(place / "lock", timeout=0):
            yield place
            if folder.exists():
                folder.rmdir()
            (place / _MADE).replace(folder)
        shutil.rmtree(place)
    except Timeout as error:
        raise BuildError(f"{folder}: another process is {doing} it; wait for it, or name another folder") from error
    except OSError as error:
        file = f" ({error.filename})" if error.filename else ""
        raise BuildError(
            f"{folder}: cannot be written: {error.strerror}{file}; name another folder with --out"
        ) from error


def check_new(folder: Path) -> None:
    """Raise BuildError where a folder is not a new or an empty one."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BuildError(f"{folder}: is not an empty folder; name another with --out, or remove it first")
    if folder.resolve() == Path.cwd():
        raise BuildError(f"{folder}: is the current folder, which cannot be replaced; name a new one with --out")
