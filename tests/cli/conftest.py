"""The command, run within this process (``massie``) or as a process of its own (``command``), and a folder of cards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark, load_benchmark
from massie.cli.main import main

MASSIE = Path(sys.executable).with_name("massie")

SYSTEM = """
import os
from massie import Prediction, SystemCard
class Mine:
    def __init__(self, label="person"):
        self.label = label
    def describe(self):
        return SystemCard(name="mine")
    def predict(self, samples):
        for sample in samples:
            if os.environ.get("MINE_FAILS") == sample.id:
                raise ValueError("boom")
            yield Prediction(sample.id, records=[])
"""


@dataclass(frozen=True)
class Outcome:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def massie(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Outcome]:
    """Runs the command's own entry point in an empty folder, without interpreter start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["massie", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def command() -> Callable[..., Outcome]:
    """Runs the installed command as a process of its own."""

    def run(folder: Path, *arguments: str | Path, **environment: str) -> Outcome:
        done = subprocess.run(
            [MASSIE, *arguments],
            cwd=folder,
            env=os.environ | {"COLUMNS": "80"} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def demo() -> Benchmark:
    return load_benchmark("m-demo")


@pytest.fixture(scope="session")
def lexicon(tmp_path_factory: pytest.TempPathFactory, command: Callable[..., Outcome]) -> tuple[Path, Outcome]:
    """A folder with a complete run of ``massie run m-demo --adapter lexicon``, and how that went."""
    folder = tmp_path_factory.mktemp("lexicon")
    return folder, command(folder, "run", "m-demo", "--adapter", "lexicon")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, command: Callable[..., Outcome]) -> tuple[Path, Outcome]:
    """The folder of a build of M-DEMO, and how ``massie build`` went."""
    folder = tmp_path_factory.mktemp("built")
    return folder / "data", command(folder, "build", "m-demo", "--out", "data", "--json")


CARD = """\
id: rivers
name: Rivers
tasks: [NER]
status: ready
in_paper: false
languages: [eng, swa]
licence: {spdx: CC0-1.0, redistributable: true}
access: on request
citation: nobody, 2026
homepage: null
source:
  path: ask nobody for rivers.zip
  files:
    - {splits: [train, test], path: "{lang}.jsonl"}
reader:
  name: jsonl
  options: {where: {split: "{split}"}}
entities:
  RIV: {name: river}
counts:
  eng: {test: {texts: 1, annotations: 1, empty: 0}}
"""

BENCHMARK = """\
id: waters
name: Waters
version: "1"
summary: Rivers.
datasets: [rivers]
"""


def _line(split: str, text: str, surface: str) -> str:
    start = text.index(surface)
    span = {"label": "RIV", "start": start, "end": start + len(surface), "surface": surface}
    return json.dumps({"split": split, "text": text, "annotations": [span]}) + "\n"


@pytest.fixture
def rivers(tmp_path: Path) -> Path:
    """A folder with ``cards`` (a dataset ``rivers``, a benchmark ``waters``) and ``raw`` (the English file alone)."""
    (tmp_path / "cards" / "benchmarks").mkdir(parents=True)
    (tmp_path / "cards" / "rivers.yaml").write_text(CARD, encoding="utf-8")
    (tmp_path / "cards" / "benchmarks" / "waters.yaml").write_text(BENCHMARK, encoding="utf-8")
    (tmp_path / "raw").mkdir()
    lines = _line("train", "The Tana is long.", "Tana") + _line("test", "They crossed the Congo.", "Congo")
    (tmp_path / "raw" / "eng.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A file ``mine.py`` with an adapter."""
    (tmp_path / "mine.py").write_text(SYSTEM, encoding="utf-8")
    return tmp_path / "mine.py"


@pytest.fixture
def ids(demo: Benchmark) -> list[str]:
    return [sample.id for sample in demo.select(tasks=["EE"], languages=["swa"]).iter_samples()]
