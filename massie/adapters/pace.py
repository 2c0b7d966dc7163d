"""How many requests may be in flight: one more for each round of answers, a third less where the server says 429."""

from __future__ import annotations

import time

from massie.types import Failure, RequestError


class Pace:
    """How many requests a server may be sent at once, learned from what it says."""

    def __init__(self, concurrency: int, patience: float) -> None:
        """``concurrency`` is the most at any time, ``patience`` the seconds of 429 and nothing else to go on for."""
        self._concurrency = concurrency
        self._patience = patience
        self._most = float(concurrency)
        self._closed_until = self._reduced = 0.0
        self._last_success = time.monotonic()

    def has_room(self, in_flight: int) -> bool:
        """Whether one more may be in flight."""
        return in_flight < int(self._most)

    def closed_for(self) -> float:
        """Seconds for which the server wants nothing to be sent; not above 0 where it takes requests."""
        return self._closed_until - time.monotonic()

    def succeeded(self) -> None:
        """An answer came."""
        self._last_success = time.monotonic()
        self._most = min(self._most + 1 / self._most, self._concurrency)

    def failed(self, error: RequestError, sent: float) -> str | None:
        """Slow down where the server asks for it; why it is of no use to wait, where it is of none.

        ``sent`` is when the request went out (time.monotonic).
        """
        now, wait = time.monotonic(), error.retry_after or 0.0
        if wait > self._patience:
            return f"the server asks to wait for {wait:,.0f} s ({error}): run the same command again then"
        if error.failure is not Failure.RATE_LIMIT:
            return None
        if now - self._last_success > self._patience:
            return (
                f"the server has said nothing but this for {self._patience:,.0f} s: {error}; run the same command "
                "again later, or with a lower --concurrency"
            )
        self._closed_until = max(self._closed_until, now + wait)
        if sent >= self._reduced:  # once for all requests that were in flight together
            self._reduced = now
            self._most = max(1.0, self._most * 2 / 3)
        return None
