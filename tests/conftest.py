"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MIRROR = "MASSIE_MIRROR"


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the raw files of real datasets, laid out as HOST/PATH."""
    named = os.environ.get(MIRROR)
    if not named:
        pytest.skip(f"needs the raw files of real datasets: set {MIRROR}=DIR (DIR/HOST/PATH)")
    folder = Path(named).resolve()
    if not folder.is_dir():
        pytest.fail(f"{MIRROR}={named} is not a folder")
    return folder
