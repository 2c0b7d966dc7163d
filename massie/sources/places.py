"""Where a source's files lie on this machine: in the mirror, the cache, the project or the user's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from massie._content import content_folder
from massie.catalogue import Card, Source
from massie.sources.cache import Cache
from massie.sources.network import Progress, download_all
from massie.sources.store import SourceStore
from massie.types import NotInMirrorError, SourceError


class Origin(StrEnum):
    """Where the files of a source come from."""

    NETWORK = "network"
    MIRROR = "mirror"
    BUNDLED = "bundled"
    BROUGHT = "brought by the user"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file or archive of a source: its path within the source, and its URL where the source is on the network."""

    path: str
    url: str


def source_of(card: Card) -> Source:
    """The card's source; raises SourceError where it has none."""
    if card.source is None:
        raise SourceError(
            f"{card.id}: the card only describes the dataset (status {card.status}): it names no files; "
            f"see its homepage {card.homepage or '(none)'} and add source and reader to the card"
        )
    return card.source


def origin(card: Card, store: SourceStore) -> Origin:
    """Where the files of a card come from, with this store."""
    source = source_of(card)
    if source.bundled:
        return Origin.BUNDLED
    if source.path:
        return Origin.BROUGHT
    return Origin.MIRROR if store.mirror else Origin.NETWORK


def obtain(
    card: Card, files: Sequence[SourceFile], store: SourceStore, progress: Progress | None = None
) -> dict[SourceFile, Path]:
    """The place on this machine of each file of the card's source, downloaded where that must be.

    Raises NotInMirrorError for a file that the mirror lacks, SourceError for one that cannot be had otherwise.
    """
    for file in files:
        if file.path.startswith("/") or ".." in file.path.split("/") or "\\" in file.path:
            raise SourceError(f"{card.id}: source: the path {file.path!r} leads out of the source; mend the card")
    match origin(card, store):
        case Origin.NETWORK:
            return _downloaded(card, files, store, progress)
        case Origin.MIRROR:
            return {file: _in_mirror(card, file, store) for file in files}
        case Origin.BUNDLED:
            return {file: _bundled(card, file) for file in files}
        case Origin.BROUGHT:
            return {file: _brought(card, file, store) for file in files}


def address(card: Card, file: SourceFile, store: SourceStore) -> str:
    """Where a file of the card's source is had from, for messages: a URL, or a place on this machine."""
    match origin(card, store):
        case Origin.NETWORK | Origin.MIRROR:
            return file.url
        case Origin.BUNDLED:
            return str(content_folder("tasks") / str(source_of(card).bundled) / file.path)
        case Origin.BROUGHT:
            return str(_brought_folder(card, store) / file.path)


def discard(files: Sequence[SourceFile], store: SourceStore) -> None:
    """Removes downloads from the cache."""
    cache = Cache(store.cache)
    with cache.writing():
        for file in files:
            cache.forget(file.url)


def _downloaded(
    card: Card, files: Sequence[SourceFile], store: SourceStore, progress: Progress | None
) -> dict[SourceFile, Path]:
    cache = Cache(store.cache)
    urls = list(dict.fromkeys(file.url for file in files))
    held = {url: place for url in urls if (place := cache.found(url))}
    missing = [url for url in urls if url not in held]
    if missing and store.offline:
        raise SourceError(
            f"{card.id}: {missing[0]} is not in the cache {store.cache} and MASSIE_OFFLINE forbids to download it; "
            "unset that, or name a mirror that holds it with --mirror DIR (MASSIE_MIRROR)"
        )
    if missing:
        held |= download_all(missing, card.id, cache, parallel=store.parallel, progress=progress)
    return {file: held[file.url] for file in files}


def _in_mirror(card: Card, file: SourceFile, store: SourceStore) -> Path:
    inside = file.url.removeprefix("https://")
    if ".." in inside.split("/"):
        raise SourceError(f"{card.id}: source: the URL {file.url} leads out of its host; mend the card")
    place = (store.mirror or Path()) / inside
    if not place.is_file():
        raise NotInMirrorError(
            f"{card.id}: the mirror does not hold {file.url}: there is no file {place}; "
            "put it there, or unset --mirror and MASSIE_MIRROR to download it"
        )
    return place


def _bundled(card: Card, file: SourceFile) -> Path:
    place = content_folder("tasks") / str(source_of(card).bundled) / file.path
    if not place.is_file():
        raise SourceError(f"{card.id}: the bundled file {place} is missing; install MASSIE again, or mend the card")
    return place


def _brought(card: Card, file: SourceFile, store: SourceStore) -> Path:
    place = _brought_folder(card, store) / file.path
    if not place.is_file():
        raise SourceError(
            f"{card.id}: there is no file {place}; the dataset must be brought ({source_of(card).path}): "
            f"put it below {_brought_folder(card, store)} as it is delivered, or name another folder with --raw DIR"
        )
    return place


def _brought_folder(card: Card, store: SourceStore) -> Path:
    """``DIR/<dataset id>`` where that is a folder, so that one DIR serves several datasets; else DIR itself."""
    if store.raw is None:
        raise SourceError(
            f"{card.id}: the dataset must be brought: {source_of(card).path}; name the folder that holds it with "
            f"--raw DIR (as DIR/{card.id}/ where DIR holds several)"
        )
    own = store.raw / card.id
    return own if own.is_dir() else store.raw
