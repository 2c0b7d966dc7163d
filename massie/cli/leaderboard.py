"""``massie leaderboard``: serves the board."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

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
    command += ["--server.port", str(port), "--server.address", address, "--server.headless", str(not opens).lower()]
    environment = os.environ | {"MASSIE_RUNS": os.pathsep.join(map(str, chosen))}
    # Streamlit reads its settings (look, privacy) from the working folder.
    sys.exit(subprocess.run(command, cwd=board, env=environment, check=False).returncode)  # noqa: S603


def _default_folders() -> list[Path]:
    if named := os.environ.get("MASSIE_RUNS"):
        return [Path(part) for part in named.split(os.pathsep) if part]
    here, checkout = Path("runs").resolve(), content_folder("runs").resolve()
    return [folder for folder in dict.fromkeys((checkout, here)) if folder.is_dir()]
