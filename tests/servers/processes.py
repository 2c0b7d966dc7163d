"""The servers of this folder as child processes, for fixtures and benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server and what it can be asked over HTTP; ``url`` ends without a slash."""

    url: str
    process: subprocess.Popen[str]

    @property
    def base_url(self) -> str:
        """What OpenAI's clients take."""
        return f"{self.url}/v1"

    def behave(self, **behaviour: Any) -> None:
        """Set the whole behaviour; what is not named is as by default."""
        self._ask("POST", "/behaviour", behaviour)

    def counts(self) -> dict[str, Any]:
        """What the server has counted."""
        return self._ask("GET", "/counts")

    def log(self) -> list[dict[str, Any]]:
        """An entry for each finished request, in the order in which they finished."""
        return self._ask("GET", "/log")["entries"]

    def requests(self) -> list[dict[str, Any]]:
        """What clients sent, the last 1,000 requests: headers, and the body as text."""
        return self._ask("GET", "/requests")

    def faults(self) -> dict[str, list[str]]:
        """The names of all faults, by kind."""
        return self._ask("GET", "/faults")

    def forget(self) -> None:
        """Forget what was counted and logged."""
        self._ask("DELETE", "/log")

    def _ask(self, method: str, path: str, value: Any = None) -> Any:
        data = None if value is None else json.dumps(value).encode()
        try:
            with urlopen(Request(self.url + path, data=data, method=method), timeout=30) as reply:
                return json.load(reply)
        except HTTPError as error:
            raise ValueError(f"{method} {path}: {error.read().decode()}") from error


@contextmanager
def started(name: str, *arguments: str | Path) -> Iterator[ServerProcess]:
    """The server NAME.py of this folder on a free port, killed at the end; raises RuntimeError where none starts."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"{name}.py did not start: it ended with status {process.wait()}; see standard error")
        yield ServerProcess(url, process)
    finally:
        process.kill()
        process.communicate()
