"""A chat-completions server that fails as it is told: the fault server, and without faults the null server.

    python tests/servers/faults.py --port 0 --log requests.jsonl --behaviour '{"rate": 0.2, "seed": 7}'

The first line on standard output is its URL; everything is on loopback and nothing is kept but the log. Endpoints:

======================  ===============================================================================================
POST /v1/chat/completions  an answer, or the fault whose turn it is
GET /v1/models          the models that it serves
POST /behaviour         sets the whole behaviour (the fields of ``Behaviour``; what is not named is as by default)
GET /counts             requests, answers, every fault's count, requests in flight now and at most
GET /log                the same, and one entry for each finished request
GET /requests           what clients sent with the last 1,000 requests: headers (the key masked) and body
DELETE /log             forgets all of these
GET /faults             the names of all faults, by kind
======================  ===============================================================================================

``--log FILE`` gets one JSON line for each finished request, at once, so that a killed client can be audited:
``{"n": 17, "id": "9f86d081884c7d65", "authorization": true, "fault": "429", "answered": false, "at": 1763726400.123}``.
``id`` stands for the last user message (``completions.message_id``), and ``answered`` says that a whole valid
completion was handed to a client that was still there.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from random import Random
from typing import Any, TextIO

from behaviours import KnownFault, Strict, run, told
from completions import BadRequestError, Call, failure, models, read_call, shared_head, tokens, usage
from fault_kinds import FAULTS, TRANSIENT, Case, Kind, answer, wrong_key
from http1 import Reply, Request, json_reply
from pydantic import Field

MASKED = "***"
LAST_REQUESTS = 1_000


class Plan(Strict):
    """What happens to certain requests: a fault, or an answer's content.

    Counted are the requests whose last user message holds ``contains`` and which no plan before it took: over all of
    them, or for ``each`` message by itself. The plan is for number ``first`` of them on, and for ``count`` of them (all
    that follow, if none is named).
    """

    fault: KnownFault | None = None
    content: str | None = None
    contains: str = ""
    first: int = Field(default=1, ge=1)
    count: int | None = Field(default=None, ge=1)
    each: bool = False


class Behaviour(Strict):
    """How the server answers.

    ``content`` is every answer's text, where ``{text}`` stands for the last user message and ``{id}`` for its id.
    Plans come first, in their order; then each request fails with probability ``rate`` by one of ``faults`` (by
    default all transient ones), drawn from the seed, the message and how often it was asked: whatever the order in
    which requests arrive, the same ones fail. ``latency`` is in seconds, fixed or drawn between two bounds. More than
    ``capacity`` requests in flight are refused with 429. Where ``models`` are named, others are unknown (404); where
    an ``api_key`` is named, others are wrong (401). ``stall`` and ``retry_after`` are the seconds of those faults.
    """

    content: str = "[]"
    plans: tuple[Plan, ...] = ()
    rate: float = Field(default=0.0, ge=0.0, le=1.0)
    faults: tuple[KnownFault, ...] = TRANSIENT
    seed: int = 0
    latency: float | tuple[float, float] = 0.0
    capacity: int | None = None
    models: tuple[str, ...] = ()
    api_key: str | None = None
    stall: float = 30.0
    retry_after: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one request (see the module's docstring)."""

    n: int
    id: str
    authorization: bool
    fault: str | None
    answered: bool
    at: float


@dataclass(slots=True)
class Seen:
    """What the server has seen since it was started or its log deleted; requests in flight then are in neither log."""

    arrived: int = 0
    most_in_flight: int = 0
    answered: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    entries: list[Entry] = field(default_factory=list[Entry])
    requests: deque[Request] = field(default_factory=lambda: deque[Request](maxlen=LAST_REQUESTS))


class FaultServer:
    """The server's state: its behaviour, and what it has seen."""

    def __init__(self, behaviour: Behaviour, log: TextIO | None) -> None:
        self._log = log
        self._seen = Seen()
        self._in_flight = 0
        self._behave(behaviour)

    def _behave(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._matched: list[Counter[str]] = [Counter() for _ in behaviour.plans]
        self._asked: Counter[str] = Counter()
        self._last_prompt = ""

    def reply(self, request: Request) -> Reply:
        """The reply to any request."""
        match request.method, request.path:
            case "POST", "/v1/chat/completions":
                return self._complete(request)
            case "GET", "/v1/models":
                return json_reply(models(self._behaviour.models or ("any",)))
            case "POST", "/behaviour":
                return told(request, Behaviour, self._behave)
            case "GET", "/counts":
                return json_reply(self._counts())
            case "GET", "/log":
                return json_reply(self._counts() | {"entries": [asdict(entry) for entry in self._seen.entries]})
            case "GET", "/requests":
                return json_reply([sent(request) for request in self._seen.requests])
            case "DELETE", "/log":
                self._seen = Seen()
                return json_reply({})
            case "GET", "/faults":
                return json_reply({kind.value: [name for name in FAULTS if FAULTS[name].kind is kind] for kind in Kind})
            case method, path:
                return json_reply(failure(f"Invalid URL ({method} {path})"), 404)

    def _counts(self) -> dict[str, Any]:
        seen = self._seen
        return {
            "arrived": seen.arrived,
            "answered": seen.answered,
            "faults": dict(seen.faults),
            "in_flight": self._in_flight,
            "most_in_flight": seen.most_in_flight,
        }

    def _complete(self, request: Request) -> Reply:
        seen = self._seen
        seen.arrived += 1
        self._in_flight += 1
        seen.most_in_flight = max(seen.most_in_flight, self._in_flight)
        seen.requests.append(request)
        try:
            call = read_call(request.body)
        except BadRequestError as error:
            call = Call("", "", "", "")
            fault, reply = "unreadable", json_reply(failure(str(error)), 400)
        else:
            fault, reply = self._answer(call, request)
        done = partial(self._finished, seen, seen.arrived, call.id, request, fault)
        return replace(reply, delay=reply.delay + self._latency(seen.arrived), done=done)

    def _answer(self, call: Call, request: Request) -> tuple[str | None, Reply]:
        """The fault, if there is one, and the reply."""
        behaviour = self._behaviour
        if behaviour.api_key is not None and request.bearer != behaviour.api_key:
            return "401", wrong_key(request.bearer)
        plan = self._plan(call)
        fault = self._fault(call) if plan is None else plan.fault
        if behaviour.capacity is not None and self._in_flight > behaviour.capacity:
            fault = "429"
        if behaviour.models and call.model not in behaviour.models:
            fault = "404"
        content = behaviour.content if plan is None or plan.content is None else plan.content
        content = content.replace("{id}", call.id).replace("{text}", call.text)
        case = Case(
            call=call,
            number=self._seen.arrived,
            key=request.bearer,
            content=content,
            used=self._usage(call, content),
            stall=behaviour.stall,
            retry_after=behaviour.retry_after,
        )
        return fault, answer(case) if fault is None else FAULTS[fault].make(case)

    def _plan(self, call: Call) -> Plan | None:
        """The first plan whose turn it is; those after it do not count this request."""
        for plan, matched in zip(self._behaviour.plans, self._matched, strict=True):
            if plan.contains in call.text:
                key = call.id if plan.each else ""
                matched[key] += 1
                after = matched[key] - plan.first
                if after >= 0 and (plan.count is None or after < plan.count):
                    return plan
        return None

    def _fault(self, call: Call) -> str | None:
        if not self._behaviour.rate:
            return None
        self._asked[call.id] += 1
        random = Random(f"{self._behaviour.seed} {call.id} {self._asked[call.id]}")
        return random.choice(self._behaviour.faults) if random.random() < self._behaviour.rate else None

    def _usage(self, call: Call, content: str) -> dict[str, Any]:
        """Cached are the tokens of the head that this prompt shares with the one before it."""
        cached = shared_head(self._last_prompt, call.prompt) // 4
        self._last_prompt = call.prompt
        return usage(tokens(call.prompt), tokens(content), cached=cached)

    def _latency(self, number: int) -> float:
        latency = self._behaviour.latency
        if isinstance(latency, tuple):
            return Random(f"{self._behaviour.seed} {number}").uniform(*latency)
        return latency

    def _finished(self, seen: Seen, n: int, message: str, request: Request, fault: str | None, reached: bool) -> None:
        answered = reached and (fault is None or (fault in FAULTS and FAULTS[fault].kind is Kind.ANSWER))
        entry = Entry(n, message, "authorization" in request.headers, fault, answered, time.time())
        self._in_flight -= 1
        seen.answered += answered
        seen.entries.append(entry)
        if fault is not None:
            seen.faults[fault] += 1
        if self._log is not None:
            self._log.write(json.dumps(asdict(entry)) + "\n")


def sent(request: Request) -> dict[str, Any]:
    """What a client sent, with its key masked."""
    masked = {"authorization": MASKED} if "authorization" in request.headers else {}
    return {"headers": {**request.headers, **masked}, "body": request.body.decode(errors="replace")}


if __name__ == "__main__":
    run(
        "An OpenAI-compatible server that fails as it is told.",
        Behaviour,
        lambda behaviour, log: FaultServer(behaviour, log).reply,
    )
