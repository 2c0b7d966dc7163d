"""What people see on a terminal: a real one, 80 columns wide."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from massie.cli.output import when_long

MASSIE = Path(sys.executable).with_name("massie")

# A name that is markup to a careless terminal library.
SYSTEM = """
from massie import Prediction, SystemCard
class Mine:
    def describe(self):
        return SystemCard(name="mine [/bold] [red]")
    def predict(self, samples):
        return [Prediction(sample.id, records=[]) for sample in samples]
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    """The exit code of a run on a terminal of 80 columns, and all that it wrote there."""
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "mine.py").write_text(SYSTEM, encoding="utf-8")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [MASSIE, "run", "m-demo", "--adapter", "mine.py:Mine"],
        cwd=folder,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written = b""
    try:
        while part := os.read(master, 65536):
            written += part
    except OSError:
        pass  # the other end was closed: on Linux that is how a terminal ends
    os.close(master)
    return process.wait(), written.decode()


def test_a_run_on_a_terminal_succeeds_whatever_the_system_is_called(seen: tuple[int, str]) -> None:
    code, text = seen
    assert code == 0, text
    assert "mine [/bold] [red] on m-demo" in text


def test_a_run_on_a_terminal_fits_80_columns(seen: tuple[int, str]) -> None:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen[1])
    assert max(len(line) for line in re.split(r"[\r\n]+", plain)) <= 80
    assert "│" not in plain
    (overall,) = re.findall(r"^overall.*$", plain, flags=re.MULTILINE)
    assert overall.split()[-2:] == ["288", "432"]


def test_what_is_quick_tells_of_no_progress_and_what_takes_longer_does() -> None:
    told: list[int] = []
    advance = when_long(lambda done, total, words: told.append(done))
    advance(1, 3, "")
    time.sleep(1.05)
    advance(2, 3, "")
    advance(3, 3, "")
    assert told == [2, 3]
