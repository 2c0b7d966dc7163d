"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from massie.catalogue import Card, Catalogue, Status
from massie.sources import SourceStore
from massie.sources.cells import source_parts
from massie.sources.places import obtain
from tests.servers.processes import ServerProcess, started

MIRROR = "MASSIE_MIRROR"
NETWORK = "MASSIE_NETWORK"


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the raw files of real datasets, laid out as HOST/PATH."""
    if named := os.environ.get(MIRROR):
        folder = Path(named).resolve()
        if not folder.is_dir():
            pytest.fail(f"{MIRROR}={named} is not a folder")
        return folder
    if os.environ.get(NETWORK) == "1":
        return downloaded_mirror(SourceStore.from_environment())
    pytest.skip(
        f"needs the raw files of real datasets: set {MIRROR}=DIR (DIR/HOST/PATH), or {NETWORK}=1 to download them"
    )


def downloaded_mirror(store: SourceStore) -> Path:
    """A mirror of every counted cell of the ready cards, downloaded to the cache where it is not there yet."""
    folder = store.cache / "mirror"
    for card in Catalogue.default().cards():
        if card.status is Status.READY and card.source is not None and not card.source.bundled:
            add_to_mirror(card, store, folder)
    return folder


def add_to_mirror(card: Card, store: SourceStore, folder: Path) -> None:
    for language, splits in card.counts.items():
        for raw_split in splits:
            files = [part.file for part in source_parts(card, language, raw_split)]
            for file, place in obtain(card, files, store).items():
                target = folder / file.url.removeprefix("https://")
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(place, target)


@pytest.fixture(scope="session")
def fault_process() -> Iterator[ServerProcess]:
    with started("faults") as server:
        yield server


@pytest.fixture
def fault_server(fault_process: ServerProcess) -> ServerProcess:
    """The chat-completions server that fails as it is told (tests/servers/faults.py), with nothing told or seen yet."""
    fault_process.behave()
    fault_process.forget()
    return fault_process


@pytest.fixture(scope="session")
def batch_process() -> Iterator[ServerProcess]:
    with started("batches") as server:
        yield server


@pytest.fixture
def batch_server(batch_process: ServerProcess) -> ServerProcess:
    """The imitated Batch API (tests/servers/batches.py), with no file, no batch and nothing told yet."""
    batch_process.behave()
    batch_process.forget()
    return batch_process


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Qwen3 model of random weights, with tokenizer and chat template."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.servers.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def model_server(tiny_model: Path) -> Iterator[ServerProcess]:
    """A real OpenAI-compatible server (tests/servers/model.py) that serves the tiny model as "tiny"."""
    pytest.importorskip("llguidance")
    with started("model", "--model", tiny_model) as server:
        yield server
