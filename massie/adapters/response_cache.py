"""A cache of responses across runs, for work on prompts: what was asked before with equal settings is not asked again.

The key is everything that an answer depends on: model, endpoint, sampling, all messages, limit and schema. Failures are
never kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from massie.adapters.completions import LLM, Completion, LocalLLM, Outcome, ServedLLM
from massie.catalogue import first_fault
from massie.prompting import Request
from massie.types import RunError

_TABLE = "CREATE TABLE IF NOT EXISTS responses (key BLOB PRIMARY KEY, response TEXT NOT NULL) WITHOUT ROWID"
_COMPLETION = TypeAdapter(Completion)


class ResponseCache:
    """Responses by the hash of what was asked, in an SQLite file that several runs may use at once."""

    def __init__(self, path: Path) -> None:
        """Open or make the cache; raises RunError where the file is none or cannot be written."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=60)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise RunError(f"{path}: cannot be used as a response cache: {error}; name another file") from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def find(self, key: bytes) -> Completion | None:
        """The response of a key, as one that cost no request; None where there is none."""
        try:
            row = self._connection.execute("SELECT response FROM responses WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            kept = _COMPLETION.validate_python(json.loads(row[0]))
        except (sqlite3.Error, ValueError, TypeError) as error:
            why = first_fault(error) if isinstance(error, ValidationError) else error
            raise RunError(f"{self._path}: the response cache is damaged: {why}; remove it") from error
        return replace(kept, usage=replace(kept.usage, seconds=0.0, requests=0))

    def add(self, key: bytes, completion: Completion) -> None:
        """Keep a response."""
        try:
            self._connection.execute(
                "INSERT OR REPLACE INTO responses VALUES (?, ?)", (key, json.dumps(asdict(completion)))
            )
        except sqlite3.Error as error:
            raise RunError(f"{self._path}: the response cache cannot be written: {error}") from error


def cache_key(settings: dict[str, Any], request: Request) -> bytes:
    """The hash of all that an answer depends on."""
    asked = [settings, list(request.messages), request.max_new_tokens, request.schema]
    return sha256(json.dumps(asked).encode()).digest()


def cached(llm: LLM, cache: ResponseCache) -> LLM:
    """A language model that asks another only for what the cache does not hold."""
    if isinstance(llm, ServedLLM):
        return _CachedServed(llm, cache)
    assert isinstance(llm, LocalLLM), "a language model is served or local"
    return _CachedLocal(llm, cache)


class _CachedServed:
    """A served language model with a cache."""

    def __init__(self, llm: ServedLLM, cache: ResponseCache) -> None:
        self._llm, self._cache = llm, cache
        self.model, self.tuning, self.settings = llm.model, llm.tuning, llm.settings
        self.open, self.close = llm.open, llm.close
        self._settings = llm.settings()

    async def complete(self, request: Request, timeout: float) -> Completion:
        key = cache_key(self._settings, request)
        if (found := self._cache.find(key)) is not None:
            return found
        completion = await self._llm.complete(request, timeout)
        self._cache.add(key, completion)
        return completion


class _CachedLocal:
    """A local language model with a cache."""

    def __init__(self, llm: LocalLLM, cache: ResponseCache) -> None:
        self._llm, self._cache = llm, cache
        self.model, self.tuning, self.settings = llm.model, llm.tuning, llm.settings
        self.load = llm.load
        self._settings = llm.settings()

    def complete_all(self, requests: Sequence[Request]) -> Iterator[tuple[int, Outcome]]:
        keys = [cache_key(self._settings, request) for request in requests]
        left: list[int] = []
        for place, key in enumerate(keys):
            if (found := self._cache.find(key)) is not None:
                yield place, found
            else:
                left.append(place)
        if not left:
            return
        for place, outcome in self._llm.complete_all([requests[place] for place in left]):
            if isinstance(outcome, Completion):
                self._cache.add(keys[left[place]], outcome)
            yield left[place], outcome
