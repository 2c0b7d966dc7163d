"""What a run is a run of: its folder, its settings, and the refusal to mix two systems in one run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from massie.catalogue import explain
from massie.types import RunError, Split, SystemCard

SETTINGS = "run.json"
STORE = "predictions.sqlite"


class Settings(BaseModel):
    """The settings that every prediction of a run shares.

    ``adapter_digest`` is the SHA-256 of the adapter's own file, where it has one; ``data`` the folder of the build.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    adapter: str
    adapter_digest: str | None = None
    options: dict[str, Any] = {}
    benchmark: str
    version: str
    manifest_digest: str
    split: Split
    system: SystemCard
    data: str | None = None
    created: str
    massie_version: str


# What may differ between two starts of one run: where the data lie, and what only describes.
_FREE = {"data", "created", "massie_version"}


def slug(name: str) -> str:
    """A name as a folder's name: letters, digits, dot, minus and underscore of it."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"


def open_run(folder: Path, settings: Settings) -> None:
    """Make the folder of a run, or check that the one that is there is of the same system and benchmark.

    Raises RunError naming the setting that differs, or where the folder cannot be written.
    """
    path = folder / SETTINGS
    if path.exists():
        _check_same(folder, read_settings(folder), settings)
        return
    if (folder / STORE).exists():
        raise RunError(f"{folder}: has predictions but no {SETTINGS}; it is damaged: name another run with --name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{SETTINGS}.partial")
        partial.write_text(settings.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror}; name another folder with --runs") from error


def read_settings(folder: Path) -> Settings:
    """The settings of a run; raises RunError where the folder holds none."""
    path = folder / SETTINGS
    try:
        return Settings.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"{folder}: is not the folder of a run ({SETTINGS} is missing)") from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise RunError(explain(error, path)) from error


def _check_same(folder: Path, before: Settings, now: Settings) -> None:
    old, new = before.model_dump(mode="json"), now.model_dump(mode="json")
    for name in Settings.model_fields:
        if name not in _FREE and old[name] != new[name]:
            what = (
                "the adapter's file has changed"
                if name == "adapter_digest"
                else f"{name} was {old[name]!r} and is now {new[name]!r}"
            )
            raise RunError(
                f"{folder}: this run was begun with other settings: {what}; "
                "two systems in one run cannot be told apart: name a new run with --name, or restore the setting"
            )


def lock_run(folder: Path) -> FileLock:
    """The lock that keeps two processes from writing one run; raises RunError where another one holds it."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunError(
            f"{folder}: another process is writing this run; wait for it, or name another with --name"
        ) from error
    return lock
