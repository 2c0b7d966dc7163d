"""What a run of a language model will take, told before anything is sent: requests, tokens, dollars, time.

    requests   the samples that have no answer yet
    input      the tokens of their chats, all rendered and counted
    shared     of these, the tokens that a request begins with like the one sent before it: instruction, demonstrations,
               schemas. A prefix cache need not read them again, however little it holds. They are counted up to the
               last space or line end before the first difference, in the order in which a run sends; a request
               whose instruction or demonstrations are others than before shares nothing.
    output     expected: the gold answers as the prompts lay them out, with as much reasoning before them as the
               demonstrations have, where the prompt asks for it; at most: the limit of new tokens.

What a model thinks of its own accord is not part of what is expected, nor is what a provider adds to a prompt for a
JSON schema.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from itertools import islice

from massie.adapters.completions import LLM
from massie.adapters.language_models import LanguageModel
from massie.adapters.openai import Endpoint
from massie.build import Benchmark
from massie.prompting import Message, Request, gold_text
from massie.running.pending import Pending
from massie.running.prices import Price
from massie.running.tokens import PER_CHAT, TokenCounter
from massie.types import Cell, Task, Usage

_AT_ONCE = 1000
_AFTER_THE_TEXT = PER_CHAT + 1
"""The tokens behind a chat's last text: the end of its message, and the answer that is begun."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is planned for a task, or for all: ``samples`` that are selected, and what is still to be sent of them.

    ``shared_tokens`` are part of ``input_tokens``; ``output_tokens`` are those expected, ``most_output_tokens`` the
    sum of the limits.
    """

    samples: int = 0
    requests: int = 0
    input_tokens: int = 0
    shared_tokens: int = 0
    output_tokens: int = 0
    most_output_tokens: int = 0

    def __add__(self, other: Planned) -> Planned:
        """Both together."""
        return Planned(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is expected, and the most that it can be."""

    expected: float
    most: float


class Way(StrEnum):
    """How tokens are paid."""

    LIVE = "live"
    BATCH = "batch"  # through the provider's batch API
    CACHED = "cached"  # live, and all that is shared is read from the provider's prefix cache


def numbers_planned(pending: Pending) -> dict[Task, Planned]:
    """The samples of each task, and those of them that have no answer; no token is counted."""
    planned = _selected(pending.benchmark)
    for cell, number in pending.numbers().items():
        planned[cell.task] += Planned(requests=number)
    return planned


def plan_requests(
    adapter: LanguageModel,
    pending: Pending,
    counter: TokenCounter,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Task, Planned]:
    """What each task takes, of an adapter that is prepared. ``report`` is told of the requests counted, and of all.

    Raises ContentError where a prompt fails on a sample. Held at once are the samples of a part of a cell, and the ids
    of a cell.
    """
    left = pending.numbers()
    planned, counting = _selected(pending.benchmark), _Counting(adapter, pending, counter)
    done, total = 0, sum(left.values())
    report(done, total)
    for cell in left:
        for part in counting.cell(cell):
            planned[cell.task] += part
            if part.requests:
                done += part.requests
                report(done, total)
    return planned


def cost(planned: Planned, price: Price, way: Way = Way.LIVE) -> Estimate | None:
    """The US dollars; None where the price is not known, or does not hold for requests of this length."""
    if way is Way.CACHED and price.standard.cached_input is None:
        return None
    cached_tokens = planned.shared_tokens if way is Way.CACHED else None
    expected, most = (
        price.cost(
            Usage(planned.input_tokens, output, cached_tokens=cached_tokens, requests=planned.requests),
            batch=way is Way.BATCH,
        )
        for output in (planned.output_tokens, planned.most_output_tokens)
    )
    return None if expected is None or most is None else Estimate(expected, most)


def seconds(planned: Planned, *, rate: float | None = None, tokens_per_second: float | None = None) -> Estimate | None:
    """How long it takes at so many requests, and so many tokens (in and out), a second; None where neither is given.

    Where both are given, the slower one holds.
    """
    times: list[Estimate] = []
    if rate is not None:
        times.append(Estimate(planned.requests / rate, planned.requests / rate))
    if tokens_per_second is not None:
        tokens = planned.input_tokens + planned.output_tokens, planned.input_tokens + planned.most_output_tokens
        times.append(Estimate(tokens[0] / tokens_per_second, tokens[1] / tokens_per_second))
    if not times:
        return None
    return Estimate(max(time.expected for time in times), max(time.most for time in times))


def text_not_shared(before: str, text: str) -> str:
    """The text from the last space or line end on that stands before its first difference from the one before."""
    ends = range(min(len(before), len(text)) + 1)
    alike = bisect_left(ends, True, key=lambda end: before[:end] != text[:end]) - 1
    return text[max(text.rfind(" ", 0, alike), text.rfind("\n", 0, alike), 0) :]


def _selected(benchmark: Benchmark) -> dict[Task, Planned]:
    planned: dict[Task, Planned] = {}
    for cell, number in benchmark.numbers().items():
        planned[cell.task] = planned.get(cell.task, Planned()) + Planned(number)
    return planned


class _Counting:
    """Counts the tokens of requests in the order in which they are sent, and of the answers that are expected."""

    def __init__(self, adapter: LanguageModel, pending: Pending, counter: TokenCounter) -> None:
        self._adapter = adapter
        self._pending = pending
        self._counter = counter
        self._limit = _limits(adapter.llm)
        self._frame = counter.count([_said("")])
        self._before: Sequence[Message] = ()

    def cell(self, cell: Cell) -> Iterator[Planned]:
        """What is planned for a cell, part by part; the expected answers come last."""
        ids: set[str] = set()
        first: Request | None = None
        samples = self._pending.samples([cell], by_head=True)
        while some := list(islice(samples, _AT_ONCE)):
            requests = [self._adapter.method.request(sample) for sample in some]
            ids.update(sample.id for sample in some)
            first = first or requests[0]
            yield self._asked(requests)
        if first is not None:
            yield Planned(output_tokens=self._answered(cell, ids, first))

    def _asked(self, requests: list[Request]) -> Planned:
        whole = list(self._counter.count_all(request.messages for request in requests))
        new = [self._new_text(request.messages) for request in requests]
        behind = self._tokens(text or "" for text in new)
        return Planned(
            requests=len(requests),
            input_tokens=sum(whole),
            shared_tokens=sum(
                max(tokens - rest - _AFTER_THE_TEXT, 0)
                for text, tokens, rest in zip(new, whole, behind, strict=True)
                if text is not None
            ),
            most_output_tokens=sum(map(self._limit, requests)),
        )

    def _new_text(self, messages: Sequence[Message]) -> str | None:
        """What the last message has after what it shares with the request before; None after another head."""
        before, self._before = self._before, messages
        if not before or before[:-1] != messages[:-1]:
            return None
        return text_not_shared(before[-1]["content"], messages[-1]["content"])

    def _answered(self, cell: Cell, ids: set[str], first: Request) -> int:
        """The tokens of the gold answers to these samples, each with reasoning and within its limit."""
        form, limit = self._adapter.formats[cell.task], self._limit(first)
        reasoning = 0 if form.marker is None else self._reasoning(first, form.marker)
        samples = (sample for sample in self._pending.benchmark.cell_samples(cell) if sample.id in ids)
        answers = (gold_text(sample.gold or (), sample.task, form) for sample in samples)
        return sum(min(reasoning + tokens, limit) for tokens in self._tokens(answers))

    def _reasoning(self, request: Request, marker: str) -> int:
        """The tokens before the marker in the demonstrations, on average; 0 where there are none."""
        shown = [message["content"] for message in request.messages if message["role"] == "assistant"]
        return round(sum(self._tokens(text.rpartition(marker)[0] for text in shown)) / len(shown)) if shown else 0

    def _tokens(self, texts: Iterable[str]) -> Iterator[int]:
        """The tokens of each text, without the frame of a chat."""
        return (tokens - self._frame for tokens in self._counter.count_all([_said(text)] for text in texts))


def _said(text: str) -> Message:
    return {"role": "user", "content": text}


def _limits(llm: LLM) -> Callable[[Request], int]:
    """What tells the most new tokens of the answer to a request."""
    if isinstance(llm, Endpoint):
        return lambda request: next(iter(llm.options.limit(request).values()))
    limit: int | None = llm.settings().get("max_new_tokens")
    return lambda request: limit or request.max_new_tokens
