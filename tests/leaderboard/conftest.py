"""Results to show: small, made up here, written by the real writer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from massie._content import content_folder
from massie.results import Result, write_result

BOARD = content_folder("leaderboard")
# The board's modules import each other as siblings, as they do when Streamlit runs the script beside them.
if str(BOARD) not in sys.path:
    sys.path.insert(0, str(BOARD))

Publish = Callable[..., Path]

SCORES = ("lf1", "lf1_by_schema", "matched_lf1", "f1", "lf1_nonempty", "micro_precision", "micro_recall", "micro_f1")
PLACES = {
    "language": {"eng": 20, "swa": -20, "tur": 0, "ara": -5, "vie": 5},
    "family": {"Indo-European": 20, "Atlantic-Congo": -20, "Turkic": 0, "Afro-Asiatic": -5, "Austroasiatic": 5},
    "script": {"Latn": 1, "Arab": -5},
    "dataset": {"set-one": 0},
    "cell": {"set-one/eng": 20, "set-one/swa": -20, "set-one/tur": 0, "set-one/ara": -5, "set-one/vie": 5},
}
DIAGNOSTICS = {
    "invalid": 4, "repairable": 1, "truncated": 0, "malformed": 10, "off_schema": 9, "hallucinated": 18,
    "predicted": 100, "gold": 120, "boundary": 10, "type": 4, "both": 2, "spurious": 8, "missed": 20,
    "empty_predictions": 30, "empty_gold": 28,
}  # fmt: skip


def made_row(level: str, task: str | None, key: str, score: float, half: float) -> dict[str, Any]:
    score = min(100.0, score)
    value = {"value": score, "low": max(0.0, score - half), "high": min(100.0, score + half)}
    scores = dict.fromkeys(SCORES, value)
    return {
        "level": level, "task": task, "key": key, "instances": 100, "samples": 200, "scores": scores,
        "diagnostics": DIAGNOSTICS,
    }  # fmt: skip


def made_rows(score: float, half: float, tasks: Mapping[str, float]) -> list[dict[str, Any]]:
    rows = [made_row("overall", None, "overall", score, half)]
    for task, offset in tasks.items():
        rows.append(made_row("task", task, task, score + offset, half))
        rows += [
            made_row(level, task, key, score + offset + more, half)
            for level, keys in PLACES.items()
            for key, more in keys.items()
        ]
    mean = sum(tasks.values()) / max(1, len(tasks))
    rows += [
        made_row(level, None, key, score + mean + more, half)
        for level, keys in PLACES.items()
        for key, more in keys.items()
        if level != "cell"
    ]
    return rows


def made_result(name: str, score: float = 50.0, half: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A result as plain data; ``changes`` replace fields, those of system, benchmark and coverage one by one."""
    plain: dict[str, Any] = {
        "schema_version": 2,
        "system": {"name": name, "kind": "language model"},
        "benchmark": {"id": "m-demo", "version": "1", "manifest_digest": "0" * 64, "split": "test"},
        "adapter": "openai",
        "options": {"temperature": "0"},
        "details": {},
        "command": f"massie run m-demo --adapter openai --model {name}",
        "created": "2026-11-21T00:00:00Z",
        "massie_version": "0.1.0",
        "environment": {"python": "3.11"},
        "bootstrap": {"replicates": 1000, "seed": 1},
        "partial": False,
        "coverage": {"cells": 10, "cells_of": 10, "samples": 400, "samples_of": 400},
        "usage": {"seconds": 20.0},
        "rows": made_rows(score, half, changes.pop("tasks", {"NER": 4.0, "RE": -4.0})),
    }
    for field, value in changes.items():
        plain[field] = plain[field] | value if isinstance(value, dict) else value
    return plain


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs that the board looks into, with a cache of its own."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("MASSIE_RUNS", str(folder))
    monkeypatch.setenv("MASSIE_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def publish(runs: Path) -> Publish:
    """Writes a result into the folder of runs: ``publish(name, score, half, **changes)``; returns its file."""

    def write(name: str, score: float = 50.0, half: float = 1.0, folder: str | None = None, **changes: Any) -> Path:
        path = runs / (folder or name) / "m-demo" / "result.json"
        path.parent.mkdir(parents=True)
        write_result(Result.model_validate(made_result(name, score, half, **changes)), path)
        return path

    return write
