"""What a run is a run of: its folder, its settings, and the refusal to mix two systems in one run."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, cast

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from massie.catalogue import explain
from massie.prompting import AnswerFormat
from massie.running.store import Store
from massie.types import RunError, Split, SystemCard, Task

SETTINGS = "run.json"
STORE = "predictions.sqlite"
BATCHES = "batches"


class Mode(StrEnum):
    """How requests go to a server."""

    LIVE = "live"  # one by one, many in flight
    BATCH = "batch"  # in files, through the provider's batch API


class Settings(BaseModel):
    """The settings that every prediction of a run shares.

    ``adapter_digest`` is the SHA-256 of the adapter's own file, where it has one; ``details`` what beside the options
    makes the system what it is (prompts with their digests, demonstrations, sampling), ``answers`` how its output texts
    are laid out, ``tuning`` the options that change no answer; ``data`` is the folder of the build.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    adapter: str
    adapter_digest: str | None = None
    options: dict[str, Any] = {}
    tuning: list[str] = []
    details: dict[str, Any] = {}
    answers: dict[Task, AnswerFormat] = {}
    mode: Mode = Mode.LIVE
    benchmark: str
    version: str
    manifest_digest: str
    split: Split
    system: SystemCard
    data: str | None = None
    command: str = ""
    created: str
    massie_version: str


# What may differ between two starts of one run: where the data lie, and what only describes.
_FREE = {"command", "data", "created", "massie_version", "tuning"}


def slug(name: str) -> str:
    """A name as a folder's name: letters, digits, dot, minus and underscore of it."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"


def open_run(folder: Path, settings: Settings) -> Settings:
    """Begin a run in its (locked) folder, or check that the one that is there is of the same system and benchmark.

    Returns the run's settings: those that were given, with what earlier starts on other parts of the benchmark add to
    them. A run that has no answer yet takes any settings: what was mistyped at the first try may be mended. Raises
    RunError naming the setting that differs, or where the folder cannot be written.
    """
    path = folder / SETTINGS
    if path.exists() and _has_begun(folder):
        before = read_settings(folder)
        check_same(folder, before, settings)
        settings = settings.model_copy(update={"details": _joined(before.details, settings.details)})
        if settings.details == before.details:
            return settings
    elif not path.exists() and (folder / STORE).exists():
        raise RunError(f"{folder}: has predictions but no {SETTINGS}; it is damaged: name another run with --name")
    try:
        partial = path.with_name(f"{SETTINGS}.partial")
        partial.write_text(settings.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return settings


def _has_begun(folder: Path) -> bool:
    """Whether anything was answered, failed, or submitted."""
    if any((folder / BATCHES).glob("*")):
        return True
    if not (folder / STORE).exists():
        return False
    with Store(folder / STORE, read_only=True) as store:
        return store.holds_any()


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


def check_same(folder: Path, before: Settings, now: Settings) -> None:
    """Raise RunError, naming the setting, where the two could not be those of one run."""
    old, new = _flat(before.model_dump(mode="json")), _flat(now.model_dump(mode="json"))
    free = _FREE | {f"options.{name}" for name in now.tuning}
    for name in old | new:
        was, is_now = old.get(name), new.get(name)
        if was == is_now or _is_free(name, free) or _is_of_another_part(name, old, new):
            continue
        what = (
            "the adapter's file has changed"
            if name == "adapter_digest"
            else f"{name} was {was!r:.200} and is now {is_now!r:.200}"
        )
        raise RunError(
            f"{folder}: this run was begun with other settings: {what}; "
            "two systems in one run cannot be told apart: name a new run with --name, or restore the setting"
        )


# Of the details, what is there for each task and language of the part of the benchmark that a start is about.
_OF_PARTS = ("prompts", "demonstrations")


def _is_free(name: str, free: Collection[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in free)


def _is_of_another_part(name: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    return name.startswith(tuple(f"details.{group}." for group in _OF_PARTS)) and (name not in old or name not in new)


def _joined(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The details, with what only an earlier start had."""
    return now | {group: before[group] | now[group] for group in _OF_PARTS if group in before and group in now}


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with those of a group each under a name of its own: ``options.k``, ``details.llm.temperature``."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            inner = _flat(cast("dict[str, Any]", value))
            flat |= {f"{name}.{key}": part for key, part in inner.items()}
        else:
            flat[name] = value
    return flat


@contextmanager
def lock_run(folder: Path) -> Generator[None]:
    """Make the folder of a run and hold its lock, so that no two processes write one run.

    Raises RunError where another process holds the lock, or where the folder cannot be written.
    """
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunError(
            f"{folder}: another process is writing this run; wait for it, or name another with --name"
        ) from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _unwritable(folder: Path, error: OSError) -> RunError:
    return RunError(f"{folder}: cannot be written: {error.strerror}; name another folder with --runs")
