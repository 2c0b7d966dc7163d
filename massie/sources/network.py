"""Downloads over HTTPS into the cache: streamed, resumed, tried again, a few at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Event

import httpx

from massie.sources.cache import Cache
from massie.types import SourceError

Progress = Callable[[int, int, int], None]
"""Told of a fetch as it goes on: (files done, files in all, bytes so far), always from the caller's own thread."""

_LONGEST_WAIT_SECONDS = 60.0
_MOST_REDIRECTS = 5
_PROGRESS_SECONDS = 0.2
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download is tried: the wait before the second attempt doubles with each further one."""

    attempts: int = 4
    first_wait_seconds: float = 1.0
    silence_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class _Setback:
    """Why an attempt failed that is worth another, and how long the server asks to wait."""

    reason: str
    wait_seconds: float = 0.0


def download_all(
    urls: Sequence[str], dataset: str, cache: Cache, *, parallel: int, progress: Progress | None = None
) -> dict[str, Path]:
    """Downloads each URL, ``parallel`` at once, and returns its place in the cache.

    Raises the SourceError of the first one that fails, after stopping the others; what has arrived of them is kept
    for the next time.
    """
    stop, patience = Event(), Patience()
    arrived = dict.fromkeys(urls, 0)
    with new_client(patience) as client, ThreadPoolExecutor(max(parallel, 1)) as pool:

        def one(url: str) -> Path:
            def count(size: int) -> None:
                arrived[url] = size

            return download(url, dataset, cache, client, patience=patience, count=count, stop=stop)

        futures = {url: pool.submit(one, url) for url in arrived}
        try:
            _await(futures, arrived, progress)
        finally:
            stop.set()
            for future in futures.values():
                future.cancel()
    return {url: future.result() for url, future in futures.items()}


def new_client(patience: Patience) -> httpx.Client:
    """A client that never follows a redirect by itself."""
    return httpx.Client(timeout=httpx.Timeout(patience.silence_seconds), headers={"User-Agent": "massie"})


def download(
    url: str,
    dataset: str,
    cache: Cache,
    client: httpx.Client,
    *,
    patience: Patience,
    count: Callable[[int], None] = lambda size: None,
    stop: Event | None = None,
) -> Path:
    """Downloads a URL and returns its place in the cache.

    ``count`` is told the size that has arrived; ``stop`` ends the download from another thread. Raises SourceError,
    which names ``dataset`` and the URL, where the server refuses, the attempts are used up, or the cache cannot be
    written; what has arrived is kept and resumed the next time.
    """
    stop = stop or Event()
    with cache.writing():
        part = cache.claim_part(url)
        try:
            _Transfer(url, dataset, part, client, count, stop).complete(patience)
            return cache.keep(url, part)
        finally:
            cache.release_part(part)


@dataclass(slots=True)
class _Transfer:
    """The download of one URL to one part file; ``total`` is its full size, once the server has told it."""

    url: str
    dataset: str
    part: Path
    client: httpx.Client
    count: Callable[[int], None]
    stop: Event
    total: int | None = field(default=None, init=False)

    def complete(self, patience: Patience) -> None:
        """Attempts until the part is complete; raises SourceError when the attempts are used up."""
        setback = _Setback("it was not tried")
        for attempt in range(patience.attempts):
            if attempt:
                back_off = patience.first_wait_seconds * 2 ** (attempt - 1)
                self.stop.wait(max(back_off, min(setback.wait_seconds, _LONGEST_WAIT_SECONDS)))
            try:
                outcome = self._attempt()
            except httpx.TransportError as error:
                outcome = _Setback(f"{type(error).__name__}: {error}")
            except httpx.InvalidURL as error:
                raise SourceError(
                    f"{self.dataset}: {self.url} is not a URL ({error}); mend the card's source"
                ) from error
            if outcome is None:
                return
            setback = outcome
        raise SourceError(
            f"{self.dataset}: {self.url} cannot be downloaded ({setback.reason}; {patience.attempts} attempts); "
            "connect to the network and fetch again (what has arrived is kept), "
            "or name a mirror that holds it with --mirror DIR (MASSIE_MIRROR)"
        )

    def _attempt(self) -> _Setback | None:
        """One request; None when the part is complete."""
        self._heed_stop()
        have = self._size()
        # Ranges count the bytes that are sent, so these must be the file's own.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        response = self._answer(headers)
        try:
            return self._take(response, have)
        finally:
            response.close()

    def _answer(self, headers: dict[str, str]) -> httpx.Response:
        """The answer at the end of all redirects, its body still unread."""
        # Cards write paths as they are; httpx escapes what a URL cannot hold, but for the sign of a fragment.
        request = self.client.build_request("GET", self.url.replace("#", "%23"), headers=headers)
        for _ in range(_MOST_REDIRECTS + 1):
            response = self.client.send(request, stream=True)
            if response.next_request is None:
                return response
            response.close()
            request = response.next_request
            if request.url.scheme != "https":
                raise SourceError(
                    f"{self.dataset}: {self.url} redirects to {request.url}, which is not https and is not followed; "
                    "mend the card's source"
                )
        raise SourceError(
            f"{self.dataset}: {self.url} redirects more than {_MOST_REDIRECTS} times; mend the card's source"
        )

    def _take(self, response: httpx.Response, have: int) -> _Setback | None:
        status = response.status_code
        if status == HTTPStatus.OK:
            length = response.headers.get("Content-Length", "")
            self.total = int(length) if length.isdecimal() else None
            return self._write(response, 0)
        if have and status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            start, total = _content_range(response)
            fits = total is not None and self.total in (None, total)
            if fits and status == HTTPStatus.PARTIAL_CONTENT and start == have:
                self.total = total
                return self._write(response, have)
            if fits and start is None and total == have:
                return None
            self.part.unlink()
            return _Setback("the server does not resume where the download was cut")
        phrase = f"{status} {response.reason_phrase}".strip()
        if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            seconds = response.headers.get("Retry-After", "")
            return _Setback(f"the server answers {phrase}", float(seconds) if seconds.isdecimal() else 0.0)
        raise SourceError(
            f"{self.dataset}: {self.url} cannot be downloaded: the server answers {phrase}; "
            "mend the card's source if upstream has moved the file, or name a mirror that holds it with --mirror DIR "
            "(MASSIE_MIRROR)"
        )

    def _write(self, response: httpx.Response, have: int) -> _Setback | None:
        """Adds the body to the first ``have`` bytes of the part."""
        with self.part.open("ab" if have else "wb") as file:
            # As they come: in chunks of a fixed size, the last one would be lost when the connection is cut.
            for chunk in response.iter_raw():
                self._heed_stop()
                file.write(chunk)
                have += len(chunk)
                self.count(have)
        if self.total is not None and have != self.total:
            return _Setback(f"{have} bytes came of {self.total}")
        return None

    def _heed_stop(self) -> None:
        if self.stop.is_set():
            raise SourceError(f"{self.dataset}: the download of {self.url} was stopped; fetch again to go on")

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    """First byte and total size that a Content-Range states, None where it does not."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    if match is None:
        return None, None
    start, total = match.groups()
    return (int(start) if start else None), (int(total) if total else None)


def _await(futures: dict[str, Future[Path]], arrived: dict[str, int], progress: Progress | None) -> None:
    pending = set(futures.values())
    while pending:
        done, pending = wait(pending, _PROGRESS_SECONDS if progress else None, FIRST_COMPLETED)
        for future in done:
            future.result()
        if progress:
            progress(len(futures) - len(pending), len(futures), sum(arrived.values()))
