"""Sending requests to a server: many in flight, fewer where it says that they are too many, again where one failed.

As soon as an answer has come the next request goes out. The number in flight follows the server (additive increase,
multiplicative decrease, as in TCP). The first request goes alone: where the key is wrong or the endpoint is no such
server, no other is sent.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from massie.adapters.completions import Completion, Outcome, ServedLLM
from massie.adapters.pace import Pace
from massie.adapters.response_cache import ResponseCache
from massie.prompting import Request
from massie.types import AdapterError, EndpointError, Failure, MassieError, RequestError

Key = TypeVar("Key")

_FIRST_ATTEMPTS = 4
"""How often the first request is sent where nobody answers, or nobody who speaks the protocol."""
_REJECTED_AT_FIRST = 3
"""So many requests that a server will not take, with none that it took, are the fault of what all have in common."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
"""Seconds of back-off."""
_SOON = 0.25
"""Seconds within which Ctrl-C is noticed while nothing is in flight."""


def _never() -> bool:
    return False


def _silent(words: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a language model is driven; none of it changes an answer.

    ``concurrency`` is the most requests in flight, ``timeout`` the seconds that one may take, ``attempts`` how often it
    is sent before it counts as failed (a 429 does not count), ``patience`` the seconds to go on while the server says
    429 and nothing else. ``batch`` is how many requests a model in this process gets at once, ``cache`` what earlier
    runs were answered, ``batch_folder`` where the jobs of a server's batch API are noted, where that is to be used.
    Once ``stopping`` says so, nothing is waited for but what is in flight. ``report`` gets a few words, from time to
    time, on where batches stand, and on a first request that is sent again.
    """

    concurrency: int = 32
    timeout: float = 600.0
    attempts: int = 6
    patience: float = 1800.0
    batch: int = 1024
    cache: ResponseCache | None = None
    batch_folder: Path | None = None
    stopping: Callable[[], bool] = _never
    report: Callable[[str], None] = _silent


def send_all(llm: ServedLLM, requests: Iterable[tuple[Key, Request]], limits: Limits) -> Iterator[tuple[Key, Outcome]]:
    """Send the requests and yield what comes of each, as it comes; ``usage`` has seconds and number of requests.

    The requests are taken one by one, as there is room for them, never more than ``concurrency`` before their outcomes
    are yielded: whoever gives no more of them ends the sending, once what is in flight has come. Raises EndpointError
    where the server cannot be used, and what ``requests`` raise, after all that was in flight has come; AdapterError
    where an event loop runs already.
    """
    _refuse_nesting()
    with asyncio.Runner() as runner:
        sender = _Sender(llm, iter(requests), limits, runner.get_loop())
        try:
            runner.run(llm.open())
            while sender.send():
                yield from sender.receive()
            if sender.fatal is not None:
                raise sender.fatal
        finally:
            runner.run(sender.close())


def _refuse_nesting() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise AdapterError(
        "an event loop runs in this thread already, as in a notebook: call this in a thread of its own, "
        "await asyncio.to_thread(...), or use the command massie run"
    )


@dataclass(slots=True)
class _Asked(Generic[Key]):
    """A request that was taken and has no outcome yet.

    How often it was sent, when the last time (time.monotonic), and how often it failed other than by a 429.
    """

    key: Key
    request: Request
    sent: int = 0
    sent_at: float = 0.0
    failed: int = 0


@dataclass(order=True, slots=True)
class _Again(Generic[Key]):
    """A request that is to be sent again, and when (time.monotonic), with why it failed the last time."""

    due: float
    asked: _Asked[Key] = field(compare=False)
    error: RequestError = field(compare=False)


class _Sender(Generic[Key]):
    """What is in flight, what is to be sent again, and what came. Each sending is a task of the event loop.

    Only the tasks run in the loop. Requests are taken and outcomes yielded outside of it, so that whatever goes wrong
    there is raised where it belongs.
    """

    def __init__(
        self, llm: ServedLLM, requests: Iterator[tuple[Key, Request]], limits: Limits, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.fatal: MassieError | None = None
        self._llm = llm
        self._requests = requests
        self._more = True
        self._limits = limits
        self._loop = loop
        self._pace = Pace(limits.concurrency, limits.patience)
        self._in_flight: dict[asyncio.Task[Completion], _Asked[Key]] = {}
        self._landed: list[asyncio.Task[Completion]] = []
        self._again: list[_Again[Key]] = []
        self._came: list[tuple[Key, Outcome]] = []
        self._known = False  # whether the server is one that answers
        self._rejected: list[tuple[Key, Outcome]] = []  # before it was known
        self._receiving = False

    def send(self) -> bool:
        """Send what there is room for; whether anything is left to be received."""
        while (asked := self._next()) is not None:
            asked.sent += 1
            asked.sent_at = time.monotonic()
            task = self._loop.create_task(self._attempt(asked.request))
            self._in_flight[task] = asked
            task.add_done_callback(self._land)
        return bool(self._in_flight or self._again or self._came or self._more)

    def receive(self) -> list[tuple[Key, Outcome]]:
        """What has come; nothing, where it is time to send something again."""
        if not self._landed and (self._in_flight or self._again):
            self._run_loop()
        landed, self._landed = self._landed, []
        for task in landed:
            self._settle(self._in_flight.pop(task), task)
        if self._ends():
            self._came += [(again.asked.key, again.error) for again in self._again]
            self._again = []
        came, self._came = self._came, []
        return came

    def _run_loop(self) -> None:
        """Let the tasks run until one has landed, or it is time to send something again."""
        timer = self._loop.call_later(self._wait(), self._loop.stop)
        self._receiving = True
        try:
            self._loop.run_forever()
        finally:
            self._receiving = False
            timer.cancel()

    def _land(self, task: asyncio.Task[Completion]) -> None:
        self._landed.append(task)
        if self._receiving:  # not where connections are being closed
            self._loop.stop()

    def _wait(self) -> float:
        """Seconds to wait for what is in flight; only so long that Ctrl-C is noticed."""
        if not self._again or not self._pace.has_room(len(self._in_flight)):
            return _SOON
        return min(max(self._again[0].due - time.monotonic(), self._pace.closed_for(), 0.0), _SOON)

    async def close(self) -> None:
        """Break off what is in flight and close the connections."""
        for task in self._in_flight:
            task.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)
        await self._llm.close()

    def _ends(self) -> bool:
        """Whether nothing is to be sent again."""
        return self.fatal is not None or self._limits.stopping()

    def _next(self) -> _Asked[Key] | None:
        """What is to be sent now: what has waited long enough, else a new request; None where there is no room."""
        if not self._ends():
            if self._pace.closed_for() > 0 or not self._pace.has_room(len(self._in_flight)):
                return None
            if self._again and self._again[0].due <= time.monotonic():
                return heapq.heappop(self._again).asked
        held = len(self._in_flight) + len(self._again)
        if not self._more or held >= (self._limits.concurrency if self._known else 1):
            return None
        return self._take()

    def _take(self) -> _Asked[Key] | None:
        try:
            taken = next(self._requests, None)
        except MassieError as error:  # what is in flight is still to come
            self._end(error)
            return None
        if taken is None:
            self._more = False
            self._release_rejected()
            return None
        return _Asked(*taken)

    def _end(self, error: MassieError) -> None:
        self.fatal = self.fatal or error
        self._more = False

    async def _attempt(self, request: Request) -> Completion:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._limits.timeout):
                completion = await self._llm.complete(request, self._limits.timeout)
        except TimeoutError as error:
            raise RequestError(Failure.TIMEOUT, f"no answer within {self._limits.timeout:g} s") from error
        if completion.usage.requests == 0:  # it comes from the cache
            return completion
        return replace(completion, usage=replace(completion.usage, seconds=time.perf_counter() - started))

    def _settle(self, asked: _Asked[Key], task: asyncio.Task[Completion]) -> None:
        """Note what became of a sending."""
        try:
            completion = task.result()
        except RequestError as error:
            self._failed(asked, error)
        except MassieError as error:
            self._end(error)
        else:
            if completion.usage.requests != 0:
                completion = replace(completion, usage=replace(completion.usage, requests=asked.sent))
                self._pace.succeeded()
                self._server_is_known()
            self._came.append((asked.key, completion))

    def _failed(self, asked: _Asked[Key], error: RequestError) -> None:
        """Have a request sent again, or count it as failed."""
        error.requests = asked.sent
        if error.failure is not Failure.RATE_LIMIT:
            asked.failed += 1
        if (why := self._pace.failed(error, asked.sent_at)) is not None:
            self._end(EndpointError(why))
        elif error.failure.lasting or asked.failed >= self._attempts(error):
            self._give_up(asked, error)
        else:
            if not self._known:
                self._limits.report(f"first request: {error.failure}, sent again")
            heapq.heappush(self._again, _Again(time.monotonic() + _wait(error, asked.sent), asked, error))

    def _attempts(self, error: RequestError) -> int:
        if not self._known and error.failure in (Failure.CONNECTION, Failure.MALFORMED):
            return min(self._limits.attempts, _FIRST_ATTEMPTS)
        return self._limits.attempts

    def _give_up(self, asked: _Asked[Key], error: RequestError) -> None:
        if error.failure is Failure.CONTEXT_LENGTH:  # only a language model says so
            self._server_is_known()
        if self._known:
            self._came.append((asked.key, error))
            return
        self._rejected.append((asked.key, error))
        if error.failure is not Failure.REJECTED:
            self._end(EndpointError(f"the first request failed, so no other was sent: {error}"))
        elif len(self._rejected) == _REJECTED_AT_FIRST:
            self._end(
                EndpointError(f"the first {_REJECTED_AT_FIRST} requests were rejected, so no other was sent: {error}")
            )

    def _server_is_known(self) -> None:
        if not self._known:
            self._known = True
            self._limits.report("")
            self._release_rejected()

    def _release_rejected(self) -> None:
        self._came += self._rejected
        self._rejected = []


def _wait(error: RequestError, sent: int) -> float:
    """Seconds before the next attempt: what the server asks for, else exponential back-off; both with jitter.

    Who asks for 0 seconds, as some gateways always do, asks for none in particular.
    """
    if error.retry_after:
        return error.retry_after * random.uniform(1, 1.1)  # noqa: S311 (no secret)
    return random.uniform(0.5, 1) * min(_FIRST_WAIT * 2 ** (sent - 1), _LONGEST_WAIT)  # noqa: S311
