"""What a run used, as its result tells it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from massie.results.schema import Latency, UsageTotals
from massie.running import Store
from massie.running.prices import Price
from massie.running.store import Sums
from massie.types import Usage

_PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Cost:
    """By what a run's usage is priced: a price, and whether it is that of the provider's batch API.

    With ``keep``, what an earlier result of the same part and usage says it cost goes before it.
    """

    price: Price
    batch: bool = False
    keep: bool = False

    def of(self, usage: Usage) -> float | None:
        """The US dollars of one answer, however often it was asked for; None where that cannot be told."""
        return self.price.cost(usage, batch=self.batch, longest=usage.input_tokens or 0)

    def of_all(self, paid: Sums) -> float | None:
        """The US dollars of all paid answers, none where there are none; None where one of them cannot be told."""
        if not paid.answers and paid.usage.input_tokens is None:
            return 0.0
        if paid.without_input or paid.without_output:
            return None
        return self.price.cost(paid.usage, batch=self.batch, longest=paid.longest or 0)

    def __str__(self) -> str:
        return f"{self.price.model}: {self.price.source}{', batch' if self.batch else ''}"


def usage_totals(
    store: Store,
    cost: Cost | None = None,
    *,
    sample_ids: Callable[[], Iterable[str]] | None = None,
    batch: bool = False,
) -> UsageTotals:
    """The sums over the predictions of some samples (None for all), with what they cost where a price is known.

    The time is told only where these are all that the store has, and no throughput of the provider's ``batch`` API.
    """
    part = sample_ids or (lambda: None)
    every = store.sums(part())
    usage, sent = every.usage, every.usage.requests
    input_told, output_told = not every.without_input, not every.without_output
    wall = store.wall_seconds() if every.predictions == store.number() else None
    return UsageTotals(
        seconds=round(usage.seconds or 0.0, 3),
        input_tokens=usage.input_tokens if input_told else None,
        output_tokens=usage.output_tokens if output_told else None,
        reasoning_tokens=usage.reasoning_tokens if output_told else None,
        cached_tokens=usage.cached_tokens if input_told else None,
        requests=sent,
        retries=None if sent is None else max(sent - every.asked, 0),
        wall_seconds=None if wall is None else round(wall, 3),
        per_second=round(every.answers / wall, 3) if wall and not batch else None,
        latency=_latency(array("d", store.seconds(part()))),
        cost=None if cost is None else cost.of_all(store.sums(part(), paid=True)),
        price=None if cost is None else str(cost),
    )


def _latency(seconds: array[float]) -> Latency | None:
    if not seconds:
        return None
    found = np.percentile(np.frombuffer(seconds), _PERCENTILES)
    return Latency(**{f"p{name}": round(float(value), 4) for name, value in zip(_PERCENTILES, found, strict=True)})
