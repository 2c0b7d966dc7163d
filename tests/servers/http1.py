"""HTTP/1.1 by hand, over asyncio: servers for tests that must also answer wrongly, half, twice or not at all.

No framework lets an application do that. It is small enough to be fast, too (some 10,000 requests a second), so that
it never is what a benchmark measures. Only what the official clients send is understood: bodies with Content-Length,
keep-alive, one request at a time on a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# What has been written reaches the client before the connection is reset: a reset discards what is under way.
BEFORE_RESET = 0.02


class Ending(Enum):
    """What becomes of the connection after a reply."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def bearer(self) -> str:
        """The key that the Authorization header carries, or nothing."""
        return self.headers.get("authorization", "").removeprefix("Bearer ").strip()


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, and how it is delivered.

    ``delay`` seconds pass before the first byte. ``share`` of the body is sent (0: nothing at all, not even the
    headers), and where ``pause`` seconds are named, the rest after them. A whole reply is sent ``copies`` times, after
    a pause the second time. Then follows the ``ending``. ``done`` is called once: with True when everything was handed
    to a client that was still there.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay: float = 0.0
    share: float = 1.0
    pause: float = 0.0
    copies: int = 1
    ending: Ending = Ending.KEEP
    done: Callable[[bool], None] | None = None

    @property
    def head(self) -> bytes:
        """Status line and headers."""
        named = {"content-type": "application/json", "content-length": str(len(self.body)), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n{lines}\r\n".encode()

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """What is sent at once, and what after the pause."""
        if self.share >= 1:
            whole = self.head + self.body
            again = whole * (self.copies - 1)
            return (whole, again) if self.pause else (whole + again, b"")
        if self.share <= 0:
            return b"", b""
        cut = int(len(self.body) * self.share)
        return self.head + self.body[:cut], self.body[cut:] if self.pause else b""


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """A reply with a JSON body; underscores in the names of headers stand for hyphens."""
    return Reply(
        json.dumps(value, ensure_ascii=False).encode(),
        status,
        {name.replace("_", "-"): text for name, text in headers.items()},
    )


def read_form(request: Request) -> dict[str, tuple[str, bytes]]:
    """The fields of a multipart form, none where it is none: file name (or nothing) and content by the field's name."""
    boundary = request.headers.get("content-type", "").partition("boundary=")[2].strip('"').encode()
    if not boundary:
        return {}
    fields: dict[str, tuple[str, bytes]] = {}
    for part in (b"\r\n" + request.body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        named = dict(re.findall(r'\b(name|filename)="([^"]*)"', head.decode()))
        fields[named.get("name", "")] = (named.get("filename", ""), content)
    return fields


def serve(answer: Callable[[Request], Reply], port: int = 0) -> None:
    """Serve on loopback until interrupted; the first line on standard output is the server's URL."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(answer, port))


async def _serve(answer: Callable[[Request], Reply], port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(answer), "127.0.0.1", port, backlog=1024)
    host, bound = server.sockets[0].getsockname()
    print(f"http://{host}:{bound}", flush=True)
    await server.serve_forever()


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered one after the other."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self._answer = answer
        self._received = bytearray()
        self._reply: Reply | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._done(reached=False)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._next()

    def _next(self) -> None:
        while self._reply is None and not self._transport.is_closing() and (request := self._take()) is not None:
            self._reply = self._answer(request)
            if self._reply.delay:
                self._later(self._reply.delay, self._send)
            else:
                self._send()

    def _take(self) -> Request | None:
        """The next whole request of what has been received."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        start, size = end + 4, int(headers.get("content-length", 0))
        if len(self._received) < start + size:
            return None
        body = bytes(self._received[start : start + size])
        del self._received[: start + size]
        method, target, _ = first.split(" ", 2)
        path, query = (target, "") if "?" not in target else (urlsplit(target).path, urlsplit(target).query)
        return Request(method, path, dict(parse_qsl(query)), headers, body)

    def _send(self) -> None:
        assert self._reply is not None
        at_once, after_pause = self._reply.parts
        self._transport.write(at_once)
        if after_pause:
            self._later(self._reply.pause, lambda: self._finish(after_pause))
        elif self._reply.ending is Ending.RESET and at_once:
            self._later(BEFORE_RESET, self._finish)
        else:
            self._finish()

    def _finish(self, rest: bytes = b"") -> None:
        assert self._reply is not None
        self._transport.write(rest)
        ending = self._reply.ending
        self._done(reached=not self._transport.is_closing())
        if ending is Ending.RESET:
            self._reset()
        elif ending is Ending.CLOSE:
            self._transport.close()
        elif self._timer is not None:
            self._timer = None
            self._next()

    def _done(self, *, reached: bool) -> None:
        reply, self._reply = self._reply, None
        if reply is not None and reply.done is not None:
            reply.done(reached)

    def _reset(self) -> None:
        """Close so that the client sees a reset: with a linger time of zero the kernel sends RST, not FIN."""
        raw: socket.socket = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, act)
