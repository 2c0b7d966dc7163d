"""A card that validates, to be spoilt one field at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def plain_card() -> dict[str, Any]:
    """The content of a card with everything that a ready dataset needs."""
    return {
        "id": "rivers",
        "name": "Rivers",
        "tasks": ["NER"],
        "status": "ready",
        "in_paper": False,
        "languages": ["swa", "deu"],
        "licence": {"spdx": None},
        "access": "open",
        "citation": "nobody, 2026",
        "homepage": None,
        "source": {
            "github": "someone/rivers",
            "commit": "0" * 40,
            "files": [{"splits": ["train", "test"], "path": "{lang}/{split}.jsonl"}],
        },
        "reader": {"name": "jsonl"},
        "entities": {"RIV": {"name": "river"}},
    }


@pytest.fixture
def write_card(tmp_path: Path) -> Callable[..., Path]:
    """Writes a card into a folder of its own (JSON is YAML) and gives its file."""

    def write(plain: dict[str, Any], name: str | None = None) -> Path:
        folder = tmp_path / "cards"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name or plain['id']}.yaml"
        path.write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")
        return path

    return write
