"""``massie leaderboard``: serves the board."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import webbrowser
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import click

from massie._content import content_folder
from massie.types import MissingExtraError, RunError


@click.command()
@click.option(
    "--runs",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder with results (…/SYSTEM/BENCHMARK/result.json); repeatable. Default: runs/ here and the checkout's.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="The port to serve on.")
@click.option("--address", default="localhost", show_default=True, help="The address to serve on.")
@click.option("--open/--no-open", "opens", default=True, help="Open a browser.")
def leaderboard(folders: tuple[Path, ...], port: int, address: str, opens: bool) -> None:
    """Open the board on published and local results, until Ctrl-C.

    \b
    massie leaderboard
    massie leaderboard --runs runs/local --port 8600
    """
    if find_spec("streamlit") is None:
        raise MissingExtraError("streamlit", "board", "the board")
    for folder in folders:
        if not folder.is_dir():
            raise RunError(f"{folder}: is not a folder; --runs names a folder with results")
    chosen = [folder.resolve() for folder in folders or _default_folders()]
    if not chosen:
        raise RunError(
            "there are no results here (no folder runs/); make some with massie run, or name them with --runs"
        )
    board = content_folder("leaderboard")
    command = [sys.executable, "-m", "streamlit", "run", str(board / "app.py")]
    # Headless, and the browser opened from here: else Streamlit asks for an email address and shows its own offers.
    command += ["--server.port", str(port), "--server.address", address, "--server.headless", "true"]
    if opens:
        Thread(target=_open_when_served, args=(address, port), daemon=True).start()
    environment = os.environ | {"MASSIE_RUNS": os.pathsep.join(map(str, chosen))}
    # Streamlit reads its settings (look, privacy) from the working folder.
    sys.exit(subprocess.run(command, cwd=board, env=environment, check=False).returncode)  # noqa: S603


def _open_when_served(address: str, port: int) -> None:
    """Open a browser once something listens; give up after half a minute."""
    for _ in range(150):
        time.sleep(0.2)
        with suppress(OSError), socket.create_connection((address, port), timeout=1):
            webbrowser.open(f"http://{address}:{port}")
            return


def _default_folders() -> list[Path]:
    if named := os.environ.get("MASSIE_RUNS"):
        return [Path(part) for part in named.split(os.pathsep) if part]
    here, checkout = Path("runs").resolve(), content_folder("runs").resolve()
    return [folder for folder in dict.fromkeys((checkout, here)) if folder.is_dir()]
