"""Where the content folders (tasks, prompts, metrics, leaderboard) lie: in the wheel inside the package, in a checkout
at its root."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def content_folder(name: str) -> Path:
    """The folder of that name: ``massie/_content/NAME`` where it is installed, else the checkout's own."""
    installed = _PACKAGE / "_content" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
