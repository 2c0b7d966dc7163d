from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_the_board_opens_in_the_users_browser_and_asks_for_nothing(tmp_path: Path) -> None:
    pytest.importorskip("streamlit")
    opened, browser, port = tmp_path / "opened", tmp_path / "browser", free_port()
    browser.write_text(f'#!/bin/sh\necho "$@" > {opened}\n', encoding="utf-8")
    browser.chmod(0o755)
    command = [sys.executable, "-m", "massie.cli", "leaderboard", "--runs", str(ROOT / "runs"), "--port", str(port)]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | {"BROWSER": str(browser), "HOME": str(tmp_path)},
            start_new_session=True,
        )
        try:
            until = time.monotonic() + 60
            while not opened.exists() and process.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
            assert opened.exists(), (tmp_path / "said").read_text(encoding="utf-8")
            assert opened.read_text(encoding="utf-8").strip() in (
                "",
                f"http://localhost:{port}",
            )  # perhaps half written
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)
    assert "email" not in (tmp_path / "said").read_text(encoding="utf-8").lower()
