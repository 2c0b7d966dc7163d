"""What a run used, as its result tells it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

from massie.results.schema import Latency, UsageTotals
from massie.running import Store
from massie.running.prices import Price
from massie.types import Usage

_PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Cost:
    """By what a run's usage is priced: a price, and whether it is that of the provider's batch API."""

    price: Price
    batch: bool = False

    def of(self, usage: Usage) -> float | None:
        """The US dollars of a usage; None where that cannot be told."""
        return self.price.cost(usage, batch=self.batch)

    def __str__(self) -> str:
        return f"{self.price.model}: {self.price.source}{', batch' if self.batch else ''}"


def usage_totals(store: Store, cost: Cost | None = None) -> UsageTotals:
    """The sums over all answers of a store, with what they cost where a price is known."""
    usage = store.usage()
    sent, answered, wall = usage.requests, store.number_answered(), store.wall_seconds()
    asked = store.number_asked()
    return UsageTotals(
        seconds=round(usage.seconds or 0.0, 3),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cached_tokens=usage.cached_tokens,
        requests=sent,
        retries=None if sent is None else max(sent - asked, 0),
        wall_seconds=None if wall is None else round(wall, 3),
        per_second=round(answered / wall, 3) if wall else None,
        latency=_latency(array("d", store.seconds())),
        cost=None if cost is None else _paid(store, cost),
        price=None if cost is None else str(cost),
    )


def _paid(store: Store, cost: Cost) -> float | None:
    """The US dollars that all answers cost: none where all came from a cache."""
    return cost.of(store.paid_usage()) if store.number_paid() else 0.0


def _latency(seconds: array[float]) -> Latency | None:
    if not seconds:
        return None
    found = np.percentile(np.frombuffer(seconds), _PERCENTILES)
    return Latency(**{f"p{name}": round(float(value), 4) for name, value in zip(_PERCENTILES, found, strict=True)})
