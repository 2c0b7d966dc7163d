"""Requests through an OpenAI-style Batch API: files of them, answered within a day, for about half the price.

All that is needed to go on is on disk before the server is asked (batch_files.py), so a run may end at any moment and
nothing is paid for twice: a batch whose creation was not seen to succeed is looked for before another is created, and
its answers are taken again until the run has them. Batches go on while nobody watches.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from massie.adapters.batch_api import Batch, BatchApi, Counts
from massie.adapters.batch_files import Job, line_of, read_jobs, write_jobs, write_whole
from massie.adapters.batch_results import Result
from massie.adapters.chat_completions import message_of
from massie.adapters.completions import Completion, Outcome
from massie.types import EndpointError, Failure, RequestError

_TOKEN = "massie"  # noqa: S105 (the name of a batch's mark, no secret)
_QUEUE_FULL = re.compile(r"token_limit_exceeded|enqueued|request_limit_exceeded", re.IGNORECASE)
"""How servers say that too much of an account's is waiting."""
_PATIENCE_OF_PEOPLE = 0.25
"""Seconds within which Ctrl-C is noticed."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What a file may hold, and how the server is waited for; by default what OpenAI takes.

    ``attempts`` is how often a request is sent before it counts as failed. ``first_pause`` and ``longest_pause`` are
    the seconds between two looks at the batches: a tenth of the time since anything happened, within these.
    ``patience`` is for how many seconds the server may fail to answer at all, ``window`` for how many a batch may stay
    in a state that is not known here: as long as a batch may take.
    """

    requests: int = 50_000
    bytes: int = 200_000_000
    attempts: int = 3
    first_pause: float = 2.0
    longest_pause: float = 60.0
    patience: float = 3600.0
    window: float = 86_400.0


class Batches:
    """The jobs of one run: what waits to be submitted, what was, and whose answers are still wanted."""

    def __init__(
        self,
        api: BatchApi,
        folder: Path,
        limits: BatchLimits,
        stopping: Callable[[], bool],
        report: Callable[[str], None],
    ) -> None:
        """``folder`` keeps the jobs; ``stopping`` ends the watching, ``report`` gets a few words on where it stands."""
        self._api = api
        self._folder = folder
        self._limits = limits
        self._stopping = stopping
        self._report = report
        self._wanted: set[str] = set()
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._counts: dict[Job, Counts] = {}
        self._ended = 0
        self._unsure: set[Job] = set()  # of these a batch may be there, although the server did not say so
        self._most = limits.requests
        self._room = True  # the server's queue was not seen to be full since the last batch ended
        self._valid = False  # the server has taken a file: before that, one goes alone
        self._happened = self._heard = 0.0

    def complete(self, requests: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, Outcome]]:
        """Submit the bodies that no batch holds yet, and yield what comes of all, each with its key, batch by batch.

        All bodies are taken, and written to disk, before the first answer is given. Once ``stopping`` says so, no more
        is submitted or waited for, and what has no answer yet has none. Raises EndpointError where the server cannot be
        used, RunError where the folder cannot.
        """
        recovered = self._begin()
        held = {key: job for job in recovered for key, _ in job.lines()}
        lines = self._lines(requests, held)
        self._waiting += write_jobs(self._folder, lines, self._limits.requests, self._limits.bytes)
        wanted = {job for key, job in held.items() if key in self._wanted}
        self._running = [job for job in recovered if job in wanted]
        self._happened = self._heard = time.monotonic()
        try:
            while (self._waiting or self._running) and not self._stopping():
                submitted = self._submit()
                yield from self._look()
                self._tell()
                if not submitted:
                    self._pause()
        except EndpointError as error:
            also = "; what else was submitted goes on, and the same command collects it" if self._running else ""
            raise EndpointError(f"{error}{also}") from error

    def _begin(self) -> list[Job]:
        """The jobs of earlier starts that have a batch, once the server is seen to have a batch API and take the key.

        A batch whose creation nobody noted is looked for; a job without one is given up, for its requests come again.
        """
        try:
            self._api.check()
            jobs = read_jobs(self._folder)
            self._find([job for job in jobs if job.batch is None])
        except RequestError as error:
            raise EndpointError(f"the endpoint's batch API cannot be used: {error}; nothing was submitted") from error
        for job in jobs:
            if job.batch is None:
                job.remove()
        return [job for job in jobs if job.batch is not None]

    def _find(self, jobs: Sequence[Job]) -> None:
        """Give each of the jobs the batch that was created of it, if there is one."""
        left = {name: job for job in jobs for name in (job.file, job.token)}
        if not left:
            return
        for batch in self._api.batches():
            job = left.get(batch.input_file_id) or left.get(batch.metadata.get(_TOKEN))
            if job is not None and batch.status != "failed":
                self._note(job, batch.id)
                left = {name: other for name, other in left.items() if other is not job}
                if not left:
                    return

    def _note(self, job: Job, batch: str | None) -> None:
        job.batch = batch
        job.save()

    def _lines(self, requests: Iterable[tuple[str, dict[str, Any]]], held: Container[str]) -> Iterator[bytes]:
        for key, body in requests:
            self._wanted.add(key)
            if key not in held:
                yield line_of(key, body)

    def _submit(self) -> bool:
        """Submit the next job, if the server may take one; whether it did."""
        if not self._waiting or (self._running and not (self._room and self._valid)):
            return False
        while self._waiting[0].requests > self._most:
            self._split(self._waiting.pop(0))
        job = self._waiting[0]
        try:
            self._create(job)
        except RequestError as error:
            if error.failure is Failure.RATE_LIMIT and self._running:
                self._room = False
            else:
                self._missed(error)
            return False
        self._running.append(self._waiting.pop(0))
        if self._room:  # else it was refused before, and may be again
            self._happened = time.monotonic()
        return True

    def _create(self, job: Job) -> None:
        if job.file is None:
            job.file = self._api.upload(job.input, f"{self._folder.parent.name}-{job.folder.name}.jsonl")
            job.save()
        if job in self._unsure:
            self._find([job])
        if job.batch is None:
            try:
                batch = self._api.create(job.file, {_TOKEN: job.token, "run": self._folder.parent.name[:500]})
            except RequestError as error:
                if error.failure is not Failure.RATE_LIMIT:
                    self._unsure.add(job)
                raise
            self._note(job, batch.id)
        self._unsure.discard(job)

    def _split(self, job: Job) -> None:
        """Put smaller jobs in the place of one that is too large for the server's queue."""
        lines = (line for _, line in job.lines())
        self._waiting[:0] = write_jobs(self._folder, lines, self._most, self._limits.bytes, job.attempt)
        job.remove()

    def _look(self) -> Iterator[tuple[str, Outcome]]:
        """What came of the batches that have ended since the last look."""
        for job in list(self._running):
            if self._stopping():
                return
            yield from self._look_at(job)

    def _look_at(self, job: Job) -> Iterator[tuple[str, Outcome]]:
        """What came of a job's requests, once its batch has ended."""
        try:
            if not job.collected:
                batch = self._api.batch(job)
                if batch.open:
                    self._see(job, batch)
                    return
                if batch.status == "failed":
                    self._refused(job, batch)
                    return
                self._fetch(job, batch)
            self._heard = self._happened = time.monotonic()
        except RequestError as error:
            self._missed(error)
            return
        self._room = self._valid = True
        self._ended += 1
        self._running.remove(job)
        self._tell()
        yield from self._take(job)

    def _see(self, job: Job, batch: Batch) -> None:
        self._heard = time.monotonic()
        self._valid = self._valid or batch.status != "validating"
        if self._counts.get(job) != batch.counts:
            self._happened = self._heard
            self._counts[job] = batch.counts
        if not batch.known and self._heard - self._happened > self._limits.window:
            raise self._api.cleaned(
                EndpointError(
                    f"the batch {batch.id} is {message_of(batch.status)!r} for {self._limits.window:,.0f} s now, of "
                    f"which MASSIE does not know whether it ends; {job.hint}"
                )
            )

    def _missed(self, error: RequestError) -> None:
        """The server gave no answer; raises EndpointError where that has been so for too long."""
        if time.monotonic() - self._heard > self._limits.patience:
            raise EndpointError(f"the endpoint's batch API gives no answer: {error}")

    def _refused(self, job: Job, batch: Batch) -> None:
        """The server will not take a job's file; raises EndpointError unless that is for its queue's being full.

        What others have in the queue is waited for; what is alone there and too large for it is split.
        """
        problem = next((problem for problem in batch.problems if _QUEUE_FULL.search(str(problem))), None)
        full = problem is not None and (len(self._running) > 1 or any(other.open for other in self._api.recent()))
        self._heard = time.monotonic()
        self._note(job, None)
        self._running.remove(job)
        if problem is None:
            raise self._api.cleaned(EndpointError(f"the endpoint refuses {job.input}: {batch.problems[0]}"))
        self._room = not full
        if not full and job.requests == 1:
            why = f"the endpoint's queue has no room for a single request: {problem}"
            raise self._api.cleaned(EndpointError(why))
        if not full:
            self._most = (job.requests + 1) // 2
        self._waiting.insert(0, job)

    def _fetch(self, job: Job, batch: Batch) -> None:
        """Bring both files of a batch that has ended."""
        if batch.output_file_id is None and batch.answered:
            raise RequestError(Failure.MALFORMED, f"the batch {batch.id} has ended, but names no file of its answers")
        for file, path in ((batch.output_file_id, job.answers), (batch.error_file_id, job.errors)):
            if not path.exists():
                write_whole(path, [] if file is None else [self._api.content(file, job)])

    def _take(self, job: Job) -> Iterator[tuple[str, Outcome]]:
        """Yield what is wanted of a batch's results; what failed for the moment goes into another job.

        A job's folder goes only after that, when whoever takes the results has kept them. Raises EndpointError, after
        all that was answered, where a result says that no further request could fare better.
        """
        left = {key for key, _ in job.lines()}
        spare: set[str] = set()
        failed: dict[str, RequestError] = {}
        fatal: EndpointError | None = None
        for result in job.results():
            key = result.custom_id
            if key not in left:
                continue
            outcome = self._outcome(result, job.attempt)
            if isinstance(outcome, EndpointError):
                fatal = outcome
            elif isinstance(outcome, RequestError) and not outcome.failure.lasting:
                failed[key] = outcome
            else:
                left.discard(key)
                if key in self._wanted:
                    self._wanted.discard(key)
                    yield key, outcome
                elif isinstance(outcome, Completion):
                    spare.add(key)
        if fatal is None:
            yield from self._again(job, left & self._wanted, failed)
        job.keep_only(spare)
        if fatal is not None:
            raise fatal

    def _outcome(self, result: Result, attempt: int) -> Outcome | EndpointError:
        outcome = result.outcome()
        if isinstance(outcome, Completion):
            return replace(outcome, usage=replace(outcome.usage, requests=attempt))
        cleaned = self._api.cleaned(outcome)
        if isinstance(cleaned, RequestError):
            cleaned.requests = attempt
        return cleaned

    def _again(
        self, job: Job, left: Collection[str], failed: Mapping[str, RequestError]
    ) -> Iterator[tuple[str, Outcome]]:
        """Ask what is left of a job again, or yield why there is no answer where that was done often enough."""
        if job.attempt < self._limits.attempts:
            lines = (line for key, line in job.lines() if key in left)
            self._waiting += write_jobs(self._folder, lines, self._most, self._limits.bytes, job.attempt + 1)
            return
        for key in left:
            self._wanted.discard(key)
            missing = RequestError(Failure.SERVER, "its batch ended without an answer to it", requests=job.attempt)
            yield key, failed.get(key, missing)

    def _tell(self) -> None:
        jobs = [*self._running, *self._waiting]
        words = f"{self._ended} of {self._ended + len(jobs)} batches collected"
        if jobs:
            asked = sum(job.requests for job in jobs)
            done = sum(self._counts[job].completed + self._counts[job].failed for job in jobs if job in self._counts)
            words += f", of the others {done:,} of {asked:,} requests done"
        self._report(words if self._room else f"{words}; the server has no room for more")

    def _pause(self) -> None:
        """Wait before the next look: the longer, the longer nothing has happened."""
        since = time.monotonic() - self._happened
        until = time.monotonic() + min(max(since / 10, self._limits.first_pause), self._limits.longest_pause)
        while (left := until - time.monotonic()) > 0 and not self._stopping():
            time.sleep(min(left, _PATIENCE_OF_PEOPLE))
