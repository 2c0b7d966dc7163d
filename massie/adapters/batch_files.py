"""The jobs of a batch API on disk: each with a folder of its own, in which the next start of a run finds it again.

===================  ==================================================================================================
``requests.jsonl``   the requests, as they are uploaded; written once
``job.json``         what the server calls the file and the batch; written whole, before and after the server is asked
``answers.jsonl``    the batch's output file, once it has come whole
``errors.jsonl``     the batch's error file, likewise
===================  ==================================================================================================

A job whose requests were never uploaded is none: its folder goes at the next start, and its requests come again. The
folder of a job that was collected goes once all its answers are taken.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from massie.adapters.batch_results import Result, read_result
from massie.catalogue import Content, explain
from massie.types import RunError

ADDRESS = "/v1/chat/completions"
"""What a line of a batch asks for."""
_START = '{"custom_id": '
_DECODER = json.JSONDecoder()


class _Noted(Content):
    """What ``job.json`` holds."""

    token: str
    requests: int
    file: str | None = None
    batch: str | None = None


@dataclass(slots=True, eq=False)
class Job:
    """A file of requests, and the batch that is made of it.

    ``token`` is unique and goes with the batch, so that it can be found by it; ``requests`` is their number. ``file``
    and ``batch`` are the server's names, once it has given them. ``attempt`` is how often these requests are sent with
    this job, since the run was started.
    """

    folder: Path
    token: str
    requests: int = 0
    file: str | None = None
    batch: str | None = None
    attempt: int = 1

    @property
    def input(self) -> Path:
        """The file of requests."""
        return self.folder / "requests.jsonl"

    @property
    def answers(self) -> Path:
        """Where the batch's output file is kept."""
        return self.folder / "answers.jsonl"

    @property
    def errors(self) -> Path:
        """Where the batch's error file is kept."""
        return self.folder / "errors.jsonl"

    @property
    def collected(self) -> bool:
        """Whether both files of the batch have come."""
        return self.answers.exists() and self.errors.exists()

    @property
    def hint(self) -> str:
        """What to do where the job cannot be used."""
        return f"remove the folder {self.folder} to have its requests asked again"

    def save(self) -> None:
        """Note on disk where the job stands; raises RunError where that cannot be written."""
        noted = _Noted(token=self.token, requests=self.requests, file=self.file, batch=self.batch)
        write_whole(self.folder / "job.json", [noted.model_dump_json().encode()])

    def lines(self) -> Iterator[tuple[str, bytes]]:
        """The lines of the file of requests, each with its key; raises RunError where it is damaged."""
        with self.input.open("rb") as file:
            for line in file:
                yield self._key(line), line

    def _key(self, line: bytes) -> str:
        try:
            return _DECODER.raw_decode(line.decode("ascii"), len(_START))[0]
        except ValueError as error:
            raise RunError(f"{self.input}: is damaged: {error}; {self.hint}") from error

    def results(self) -> Iterator[Result]:
        """What the batch says of its requests, those that were answered first; a line that is broken says nothing."""
        for path in (self.answers, self.errors):
            with path.open("rb") as file:
                for line in file:
                    if (result := read_result(line)) is not None:
                        yield result

    def keep_only(self, keys: Collection[str]) -> None:
        """Keep the answers of these requests and nothing else; without any, nothing at all."""
        if not keys:
            self.remove()
            return
        kept = (line for key, line in self.lines() if key in keys)
        write_whole(self.input, kept)
        with self.answers.open("rb") as file:
            write_whole(self.answers, (line for line in file if (told := read_result(line)) and told.custom_id in keys))
        write_whole(self.errors, [])

    def remove(self) -> None:
        """Remove the job's folder; what the server has stays there."""
        shutil.rmtree(self.folder)


def line_of(key: str, body: dict[str, Any]) -> bytes:
    """The line of a request: ASCII, so that no reader finds the end of a line within a text."""
    line = {"custom_id": key, "method": "POST", "url": ADDRESS, "body": body}
    return json.dumps(line).encode("ascii") + b"\n"


def write_jobs(folder: Path, lines: Iterable[bytes], requests: int, size: int, attempt: int = 1) -> Iterator[Job]:
    """Write the lines into new jobs, each of at most so many requests and bytes, and give each once it is written.

    Raises RunError where they cannot be written.
    """
    left = iter(lines)
    line = next(left, None)
    while line is not None:
        job = Job(_new_folder(folder), uuid4().hex, attempt=attempt)
        written = 0
        with _told(job.input), job.input.open("wb") as file:
            while line is not None and job.requests < requests and (not written or written + len(line) <= size):
                written += file.write(line)
                job.requests += 1
                line = next(left, None)
            file.flush()
            os.fsync(file.fileno())
        job.save()
        yield job


def read_jobs(folder: Path) -> list[Job]:
    """The jobs whose requests were uploaded, in the order in which they were written; the folders of others go.

    Raises RunError for a job whose note is damaged.
    """
    jobs: list[Job] = []
    for place in _folders(folder):
        note = place / "job.json"
        noted = _read(note) if note.exists() else None
        if noted is None or noted.file is None:
            shutil.rmtree(place)
        else:
            jobs.append(Job(place, noted.token, noted.requests, noted.file, noted.batch))
    return jobs


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut; raises RunError where it fails."""
    partial = path.with_suffix(".partial")
    with _told(path), partial.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
        partial.replace(path)


def _read(path: Path) -> _Noted:
    try:
        return _Noted.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise RunError(
            f"{explain(error, str(path))}; the note of a batch is damaged: remove the folder {path.parent} to have its "
            "requests asked again"
        ) from error


def _folders(folder: Path) -> list[Path]:
    return sorted((place for place in folder.glob("*") if place.name.isdigit()), key=lambda place: int(place.name))


def _new_folder(folder: Path) -> Path:
    taken = _folders(folder)
    place = folder / f"{int(taken[-1].name) + 1 if taken else 1:04}"
    with _told(place):
        place.mkdir(parents=True)
    return place


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Tells of a disk that is full, say, as of a fault of the run's folder."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written: {error.strerror}; what was submitted is noted, the same command goes on"
        ) from error
