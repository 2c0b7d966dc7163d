"""A real web server on this machine, cards, and archives made on the spot."""

from __future__ import annotations

import io
import re
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from massie.catalogue import Card
from massie.sources import SourceStore
from massie.sources.cache import Cache


@dataclass
class Site:
    """What the server holds, how it misbehaves, and what it was asked."""

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    failing: list[int] = field(default_factory=list)  # status codes that the next requests get
    cuts: list[int] = field(default_factory=list)  # sizes after which the next bodies are cut off
    redirect: str | None = None
    resumes: bool = True
    total_told: int | None = None  # a total that a resumed answer claims instead of its own
    stall_seconds: float = 0.0
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # (path, Range)


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append((self.path, wanted))
            time.sleep(site.stall_seconds)
            if site.failing:
                self.empty(site.failing.pop(0))
            elif site.redirect:
                self.empty(302, Location=site.redirect)
            elif self.path not in site.files:
                self.empty(404)
            else:
                self.body(site.files[self.path], wanted if site.resumes else None)

        def body(self, data: bytes, wanted: str | None) -> None:
            start = int(re.findall(r"\d+", wanted)[0]) if wanted else 0
            if wanted and start >= len(data):
                self.empty(416, **{"Content-Range": f"bytes */{len(data)}"})
                return
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{site.total_told or len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            end = start + site.cuts.pop(0) if site.cuts else len(data)
            self.wfile.write(data[start:end])
            self.close_connection = end < len(data)

        def empty(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": "0"}).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class QuietServer(ThreadingHTTPServer):
    """Clients hang up on purpose here."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = Site()
    server = QuietServer(("127.0.0.1", 0), handler_of(site))
    server.daemon_threads = True
    site.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def store(tmp_path: Path) -> SourceStore:
    """A store with an empty mirror."""
    (tmp_path / "mirror").mkdir()
    return SourceStore(cache=tmp_path / "cache", mirror=tmp_path / "mirror")


@pytest.fixture
def make_card() -> Callable[..., Card]:
    def make(source: dict[str, Any] | None, counts: dict[str, Any] | None = None, **more: Any) -> Card:
        plain: dict[str, Any] = {
            "id": "rivers",
            "name": "Rivers",
            "tasks": ["NER"],
            "status": "untested",
            "in_paper": False,
            "languages": ["swa", "deu"],
            "licence": {"spdx": None},
            "access": "open",
            "citation": "nobody, 2026",
            "homepage": None,
            "source": source,
            "reader": {"name": "jsonl"},
            "entities": {"RIV": {"name": "river"}},
            "counts": counts or {},
        }
        return Card.model_validate(plain | more)

    return make


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def tar_of(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as opened:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(params=["zip", "tar.gz"])
def make_archive(request: pytest.FixtureRequest) -> Callable[[Path, dict[str, bytes]], Path]:
    """Makes archives of each kind in turn."""
    return zip_of if request.param == "zip" else tar_of


@pytest.fixture
def make_zip() -> Callable[[Path, dict[str, bytes]], Path]:
    return zip_of


@pytest.fixture
def make_tar() -> Callable[..., Path]:
    return tar_of
