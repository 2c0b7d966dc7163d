"""Sending, with language models whose every answer is laid down, and with the official client and a real server."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.adapters.completions import Completion, Outcome, ServedLLM
from massie.adapters.openai import Endpoint, OpenAIOptions
from massie.adapters.sending import Limits, send_all
from massie.prompting import Request
from massie.types import AdapterError, ContentError, EndpointError, Failure, RequestError, RunError
from tests.servers.processes import ServerProcess

Step = Failure | float | type[EndpointError]
"""What a sending comes to: a failure (that asks for a millisecond's wait), an answer after so many seconds, the end."""


@dataclass
class Scripted:
    """A served language model: message n goes through the n-th script, then is answered."""

    scripts: Sequence[Sequence[Step]] = ()
    sent: list[int] = field(default_factory=list[int])
    in_flight: int = 0
    most: int = 0
    opened: int = 0
    closed: int = 0

    model = "scripted"
    tuning: frozenset[str] = frozenset()

    def settings(self) -> dict[str, Any]:
        return {}

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1

    async def complete(self, request: Request, timeout: float) -> Completion:
        number = int(request.messages[0]["content"])
        attempt = self.sent.count(number)
        self.sent.append(number)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            return await self._step(number, attempt)
        finally:
            self.in_flight -= 1

    async def _step(self, number: int, attempt: int) -> Completion:
        script = self.scripts[number] if number < len(self.scripts) else ()
        step: Step = script[attempt] if attempt < len(script) else 0.0
        if isinstance(step, Failure):
            await asyncio.sleep(0)
            raise RequestError(step, f"{step} {number}", retry_after=0.001)
        if isinstance(step, type):
            raise step("no use")
        await asyncio.sleep(step)
        return Completion(str(number))


def request(number: int) -> Request:
    return Request([{"role": "user", "content": str(number)}], 16)


def numbered(count: int) -> Iterator[tuple[int, Request]]:
    return ((number, request(number)) for number in range(count))


def sent(llm: ServedLLM, count: int, **limits: Any) -> dict[int, Outcome]:
    """The outcomes by key, which must not come twice."""
    outcomes = list(send_all(llm, numbered(count), Limits(**limits)))
    keys = [key for key, _ in outcomes]
    assert len(set(keys)) == len(keys)
    return dict(outcomes)


def texts(outcomes: dict[int, Outcome]) -> dict[int, str]:
    return {key: one.text for key, one in outcomes.items() if isinstance(one, Completion)}


def failures(outcomes: dict[int, Outcome]) -> dict[int, Failure]:
    return {key: one.failure for key, one in outcomes.items() if isinstance(one, RequestError)}


scripts = st.lists(
    st.lists(st.one_of(st.sampled_from(Failure), st.floats(0, 0.002)), max_size=5), min_size=1, max_size=24
)


@settings(deadline=None)
@given(scripts=scripts, concurrency=st.integers(1, 9), attempts=st.integers(1, 4))
def test_whatever_fails_every_key_comes_once_and_never_too_many_are_in_flight(
    scripts: list[list[Step]], concurrency: int, attempts: int
) -> None:
    scripts[0] = []  # the server is one that answers
    llm = Scripted(scripts)
    outcomes = sent(llm, len(scripts), concurrency=concurrency, attempts=attempts)
    assert outcomes.keys() == set(range(len(scripts)))
    assert texts(outcomes) == {key: str(key) for key in outcomes if key not in failures(outcomes)}
    assert llm.most <= concurrency
    sendings = Counter(llm.sent)
    for key, script in enumerate(scripts):
        assert (failures(outcomes).get(key), sendings[key]) == expected(script, attempts)


def expected(script: Sequence[Step], attempts: int) -> tuple[Failure | None, int]:
    """The failure that a script ends with, if it does, and after how many sendings; a 429 is no attempt."""
    failed = 0
    for sending, step in enumerate(script, start=1):
        if not isinstance(step, Failure):
            return None, sending
        failed += step is not Failure.RATE_LIMIT
        if step.lasting or failed == attempts:
            return step, sending
    return None, len(script) + 1


@settings(deadline=None)
@given(scripts=scripts, concurrency=st.integers(1, 9))
def test_requests_are_taken_only_as_there_is_room_for_them(scripts: list[list[Step]], concurrency: int) -> None:
    scripts[0] = []
    taken = came = 0

    def requests() -> Iterator[tuple[int, Request]]:
        nonlocal taken
        for numbered_request in numbered(len(scripts)):
            taken += 1
            yield numbered_request

    for _ in send_all(Scripted(scripts), requests(), Limits(concurrency, attempts=2)):
        assert taken - came <= concurrency
        came += 1
    assert taken == came == len(scripts)


def test_answers_come_as_they_are_ready_whatever_the_order() -> None:
    llm = Scripted([[], [0.2], [0.0], [0.1]])
    assert [key for key, _ in send_all(llm, numbered(4), Limits())] == [0, 2, 3, 1]


def test_usage_has_the_requests_that_were_sent_and_the_seconds_of_the_last() -> None:
    outcomes = sent(Scripted([[Failure.SERVER, Failure.RATE_LIMIT, 0.05]]), 1)
    assert isinstance(outcomes[0], Completion)
    assert outcomes[0].usage.requests == 3
    assert 0.05 <= (outcomes[0].usage.seconds or 0) < 0.5


def test_a_failure_says_how_often_the_request_was_sent() -> None:
    outcomes = sent(Scripted([[], [Failure.SERVER] * 9]), 2, attempts=3)
    assert isinstance(outcomes[1], RequestError)
    assert outcomes[1].requests == 3


@pytest.mark.parametrize("failure", [one for one in Failure if one.lasting])
def test_what_would_fail_again_is_not_sent_again(failure: Failure) -> None:
    llm = Scripted([[], [failure] * 9])
    assert failures(sent(llm, 2)) == {1: failure}
    assert llm.sent == [0, 1]


@pytest.mark.parametrize(("asked", "least"), [(0.0, 0.2), (None, 0.2), (0.6, 0.6)])
def test_no_request_is_sent_again_at_once(asked: float | None, least: float) -> None:
    """Not even where the server says that it may, as some gateways do with every 429."""

    class Refusing(Scripted):
        async def _step(self, number: int, attempt: int) -> Completion:
            if attempt == 0:
                raise RequestError(Failure.RATE_LIMIT, "429", retry_after=asked)
            return Completion("")

    started = time.monotonic()
    sent(Refusing(), 1)
    assert least < time.monotonic() - started < least + 2


def test_a_429_is_no_attempt() -> None:
    llm = Scripted([[], [Failure.RATE_LIMIT] * 7])
    assert texts(sent(llm, 2, attempts=1)) == {0: "0", 1: "1"}


def test_the_first_request_goes_alone() -> None:
    llm = Scripted([[EndpointError]])
    with pytest.raises(EndpointError, match="no use"):
        sent(llm, 10)
    assert llm.sent == [0]


@pytest.mark.parametrize("failure", [Failure.CONNECTION, Failure.MALFORMED])
def test_where_no_language_model_answers_the_first_request_is_sent_four_times(failure: Failure) -> None:
    llm = Scripted([[failure] * 99])
    with pytest.raises(EndpointError, match=f"the first request failed, so no other was sent: {failure} 0"):
        sent(llm, 10)
    assert llm.sent == [0] * 4


def test_while_the_first_request_gets_no_answer_that_is_told() -> None:
    told: list[str] = []
    sent(Scripted([[Failure.TIMEOUT, Failure.SERVER], [Failure.TIMEOUT]]), 3, report=told.append)
    assert told == ["first request: timeout, sent again", "first request: server, sent again", ""]


def test_three_rejected_requests_and_none_that_was_taken_end_the_sending() -> None:
    llm = Scripted([[Failure.REJECTED]] * 10)
    came: list[int] = []
    with pytest.raises(EndpointError, match="the first 3 requests were rejected, so no other was sent: rejected 2"):
        came.extend(key for key, _ in send_all(llm, numbered(10), Limits()))
    assert llm.sent == [0, 1, 2]
    assert came == []  # nothing is recorded of them: the next run sends them again


def test_two_rejected_requests_before_the_first_that_is_taken_are_the_fault_of_their_samples() -> None:
    outcomes = sent(Scripted([[Failure.REJECTED], [Failure.REJECTED]]), 5)
    assert failures(outcomes) == {0: Failure.REJECTED, 1: Failure.REJECTED}
    assert texts(outcomes) == {2: "2", 3: "3", 4: "4"}


def test_all_rejected_but_only_two_asked() -> None:
    assert failures(sent(Scripted([[Failure.REJECTED]] * 2), 2)) == {0: Failure.REJECTED, 1: Failure.REJECTED}


def test_a_context_that_is_too_short_shows_a_language_model() -> None:
    outcomes = sent(Scripted([[Failure.CONTEXT_LENGTH]] * 5), 5)
    assert set(failures(outcomes).values()) == {Failure.CONTEXT_LENGTH}


def test_where_the_server_cannot_be_used_any_more_the_answers_in_flight_still_come() -> None:
    llm = Scripted([[], [0.1], [EndpointError], [0.1]])
    came: list[int] = []
    with pytest.raises(EndpointError, match="no use"):
        came.extend(key for key, _ in send_all(llm, numbered(40), Limits(3)))
    assert came == [0, 1, 3]
    assert llm.closed == 1


@pytest.mark.parametrize("error", [ContentError("the template fails"), RunError("the store is damaged")])
def test_what_the_requests_raise_is_raised_after_what_is_in_flight(error: Exception) -> None:
    def requests() -> Iterator[tuple[int, Request]]:
        yield from numbered(3)
        raise error

    came: list[int] = []
    with pytest.raises(type(error), match=str(error)):
        came.extend(key for key, _ in send_all(Scripted([[], [0.05], [0.02]]), requests(), Limits()))
    assert came == [0, 2, 1]


def test_a_fault_of_the_program_is_raised_as_it_is() -> None:
    class Broken(Scripted):
        async def complete(self, request: Request, timeout: float) -> Completion:
            raise ZeroDivisionError

    llm = Broken()
    with pytest.raises(ZeroDivisionError):
        sent(llm, 3)
    assert llm.closed == 1


def test_within_a_running_event_loop_as_in_a_notebook_one_line_says_what_to_do() -> None:
    async def cell() -> None:
        sent(Scripted(), 1)

    with pytest.raises(AdapterError, match=r"await asyncio\.to_thread"):
        asyncio.run(cell())
    asyncio.run(asyncio.to_thread(sent, Scripted(), 1))


def test_whoever_leaves_early_breaks_off_what_is_in_flight() -> None:
    llm = Scripted([[], [], *[[30.0]] * 8])
    outcomes = send_all(llm, numbered(10), Limits())
    assert [next(outcomes)[0], next(outcomes)[0]] == [0, 1]
    assert llm.in_flight == 8
    started = time.monotonic()
    outcomes.close()  # pyright: ignore[reportAttributeAccessIssue] (it is a generator)
    assert time.monotonic() - started < 5
    assert (llm.in_flight, llm.closed) == (0, 1)


def test_a_wait_ends_when_someone_wants_to_stop() -> None:
    class Busy(Scripted):
        async def _step(self, number: int, attempt: int) -> Completion:
            if number == 0:
                return await super()._step(number, attempt)
            raise RequestError(Failure.RATE_LIMIT, "429 later", retry_after=300)

    started = time.monotonic()

    def stopping() -> bool:
        return time.monotonic() - started > 0.3

    def requests() -> Iterator[tuple[int, Request]]:
        for numbered_request in numbered(1000):
            if stopping():
                return
            yield numbered_request

    llm = Busy()
    outcomes = dict(send_all(llm, requests(), Limits(4, stopping=stopping)))
    assert time.monotonic() - started < 2
    assert failures(outcomes) == dict.fromkeys([1, 2, 3, 4], Failure.RATE_LIMIT)
    assert len(llm.sent) == 5  # nothing was sent again


def test_a_server_that_asks_for_a_day_ends_the_sending() -> None:
    class Closed(Scripted):
        async def _step(self, number: int, attempt: int) -> Completion:
            raise RequestError(Failure.SERVER, "503 maintenance", retry_after=86_400)

    with pytest.raises(EndpointError, match=r"asks to wait for 86,400 s \(503 maintenance\): run the same command"):
        sent(Closed(), 3)


def test_patience_with_a_server_that_says_only_429_ends() -> None:
    started = time.monotonic()
    with pytest.raises(EndpointError, match="nothing but this for 0 s: rate limit 0"):
        sent(Scripted([[Failure.RATE_LIMIT] * 100_000]), 2, patience=0.3)
    assert 0.3 <= time.monotonic() - started < 5


def endpoint(server: ServerProcess) -> Endpoint:
    return Endpoint(OpenAIOptions(model="any", base_url=server.base_url))


def served(server: ServerProcess, count: int, **limits: Any) -> dict[int, Outcome]:
    return sent(endpoint(server), count, **limits)


@pytest.mark.parametrize("concurrency", [1, 5, 32])
def test_a_server_never_sees_more_than_were_allowed(fault_server: ServerProcess, concurrency: int) -> None:
    fault_server.behave(latency=[0.0, 0.02], rate=0.05, faults=["429", "duplicated"])
    assert len(texts(served(fault_server, 80, concurrency=concurrency))) == 80
    assert fault_server.counts()["most_in_flight"] <= concurrency


def test_all_places_are_used_where_the_server_takes_its_time(fault_server: ServerProcess) -> None:
    fault_server.behave(latency=0.2)
    served(fault_server, 65, concurrency=16)
    assert fault_server.counts()["most_in_flight"] == 16


def test_fewer_are_in_flight_where_the_server_takes_no_more(fault_server: ServerProcess) -> None:
    """The server takes 8 at once: of the last 200 requests some 25 are refused, 90 if none were held back."""
    fault_server.behave(latency=0.05, capacity=8)
    outcomes = dict[int, Outcome]()
    for number, outcome in send_all(endpoint(fault_server), numbered(400), Limits(32)):
        outcomes[number] = outcome
        if len(outcomes) == 200:
            fault_server.forget()
    assert len(texts(outcomes)) == 400
    assert fault_server.counts()["faults"]["429"] < 60


def test_after_a_burst_of_429_as_many_are_in_flight_as_before(fault_server: ServerProcess) -> None:
    """Of 300 requests some in the middle are refused; the last are as many at once as the first."""
    fault_server.behave(latency=0.02, plans=[{"fault": "429-milliseconds", "first": 60, "count": 8}])
    outcomes = send_all(endpoint(fault_server), numbered(300), Limits(8))
    for number, _ in enumerate(outcomes):
        if number == 150:
            fault_server.forget()
    assert fault_server.counts()["most_in_flight"] == 8
