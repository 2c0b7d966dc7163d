"""Fetching: every raw file of a card on this machine, verified, and an account of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from massie.catalogue import Card
from massie.sources.cells import cell_files, source_parts
from massie.sources.network import Progress
from massie.sources.places import Origin, SourceFile, obtain, origin
from massie.sources.store import SourceStore
from massie.types import NotInMirrorError, SourceError, UnknownNameError


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What is at hand of a dataset: files of the source (an archive is one) and their bytes.

    ``missing`` names the cells (language, raw split) that a partial mirror does not hold.
    """

    dataset: str
    origin: Origin
    files: int
    bytes: int
    missing: tuple[tuple[str, str], ...] = ()


def fetch(
    card: Card, store: SourceStore, *, languages: Sequence[str] | None = None, progress: Progress | None = None
) -> FetchReport:
    """Brings all raw files of a card, or of some of its languages, to this machine and verifies them.

    Raises UnknownNameError for a language that the card has not, SourceError for files that cannot be had or are not
    what the card is pinned to; a mirror that lacks some cells is no error: the report names them.
    """
    for language in languages or ():
        if language not in card.languages:
            raise UnknownNameError("language", language, card.languages, f"(of {card.id})")
    cells = [cell for cell in card.raw_cells() if languages is None or cell[0] in languages]
    files = {cell: [part.file for part in source_parts(card, *cell)] for cell in cells}
    every = list(dict.fromkeys(file for needed in files.values() for file in needed))
    if origin(card, store) is Origin.NETWORK:
        # All cells at once, so that small ones do not wait for each other.
        obtain(card, every, store, progress)
    had: dict[SourceFile, Path] = {}
    missing: list[tuple[str, str]] = []
    for cell in cells:
        try:
            cell_files(card, *cell, store)
            had |= obtain(card, files[cell], store)
        except NotInMirrorError as error:
            missing.append(cell)
            if len(missing) == len(cells):
                raise error
    if progress:
        progress(len(had), len(every), _size(had))
    return FetchReport(card.id, origin(card, store), len(had), _size(had), tuple(missing))


def lacking(card: Card, store: SourceStore) -> list[tuple[str, str]]:
    """The cells (language, raw split) of a card whose files this machine lacks and may not download.

    It only looks for them: nothing is verified, unpacked or downloaded.
    """
    if origin(card, store) is Origin.NETWORK and not store.offline:
        return []
    missing: list[tuple[str, str]] = []
    for cell in card.raw_cells():
        try:
            obtain(card, [part.file for part in source_parts(card, *cell)], store)
        except SourceError:
            missing.append(cell)
    return missing


def _size(files: dict[SourceFile, Path]) -> int:
    return sum(file.stat().st_size for file in files.values())
