"""The raw files of a cell: which ones a card's patterns name, and whether they are what the card is pinned to."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from massie.catalogue import Card, SourceFiles
from massie.sources.archives import unpacked
from massie.sources.cache import Cache, digest_of
from massie.sources.files import RawFile
from massie.sources.places import Origin, SourceFile, address, discard, obtain, origin, source_of
from massie.sources.store import SourceStore
from massie.types import SourceError

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SourcePart:
    """What a cell needs of a source: a file, or of an archive the ``members`` that match these patterns."""

    file: SourceFile
    members: tuple[str, ...] | None = None


def cell_files(card: Card, language: str, raw_split: str, store: SourceStore) -> list[RawFile]:
    """The raw files of one language and raw split, in the card's order, present on this machine and verified.

    Raises NotInMirrorError where the mirror lacks one; SourceError where one cannot be had or an archive is unsafe,
    and where the cell's digest is not the one of the card's counts. Files of a ``url:`` source are pinned by that
    digest alone, so that a missing one is an error too.
    """
    parts = source_parts(card, language, raw_split)
    places = obtain(card, list(dict.fromkeys(part.file for part in parts)), store)
    archives = _Archives(card, Cache(store.cache), places)
    files: dict[RawFile, None] = {}
    for part in parts:
        if part.members is None:
            files[RawFile(part.file.path, places[part.file])] = None
        else:
            files.update(dict.fromkeys(archives.matching(part.file, part.members)))
    _verify(card, language, raw_split, list(files), list(places), store)
    return list(files)


def source_parts(card: Card, language: str, raw_split: str) -> list[SourcePart]:
    """What a cell needs of its source, in the card's order; raises SourceError where the card has no such cell."""
    parts = [
        part
        for entry in source_of(card).files
        if raw_split in entry.splits and language in (entry.languages or card.languages)
        for part in _expanded(card, entry, language, raw_split)
    ]
    if not parts:
        known = ", ".join(f"{known}/{split}" for known, split in card.raw_cells())
        raise SourceError(f"{card.id}: the source has no files for {language}/{raw_split}; it has {known}")
    return list(dict.fromkeys(parts))


def cell_digest(files: Sequence[RawFile]) -> str:
    """The digest that pins a cell, as the card's counts state it.

    Of one file its SHA-256; of several the SHA-256 of their ``sha256sum`` lines ("digest  name") in order.
    """
    if len(files) == 1:
        return digest_of(files[0].path)
    lines = (f"{digest_of(file.path)}  {file.name}\n" for file in files)
    # Names of members in other encodings are kept as surrogates.
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _expanded(card: Card, entry: SourceFiles, language: str, raw_split: str) -> Iterator[SourcePart]:
    source = source_of(card)
    codes = {
        "{lang}": source.language_codes.get(language, language),
        "{split}": source.split_codes.get(raw_split, raw_split),
    }
    for name in entry.names or [None]:
        values = codes if name is None else codes | {"{name}": name}
        patterns = [_filled(pattern, values) for pattern in entry.path]
        if entry.archive is not None:
            archive = _filled(entry.archive, values)
            yield SourcePart(SourceFile(archive, source.address(archive, entry)), tuple(patterns))
        else:
            yield from (SourcePart(SourceFile(path, source.address(path, entry))) for path in patterns)


def _filled(pattern: str, values: dict[str, str]) -> str:
    """The pattern with its marks replaced, in one pass: a value that looks like a mark stays as it is."""
    return re.sub("|".join(map(re.escape, values)), lambda mark: values[mark[0]], pattern)


@dataclass(frozen=True, slots=True)
class _Archives:
    """The archives of a cell, each unpacked and listed once."""

    card: Card
    cache: Cache
    places: dict[SourceFile, Path]
    listed: dict[SourceFile, dict[str, Path]] = field(default_factory=dict[SourceFile, dict[str, Path]])

    def matching(self, archive: SourceFile, patterns: Iterable[str]) -> list[RawFile]:
        """The members of an archive that match any of the patterns, sorted by name.

        Raises SourceError where a pattern matches none.
        """
        members = self._members(archive)
        found: set[str] = set()
        for pattern in patterns:
            names = _matching(members, pattern)
            if not names:
                raise SourceError(
                    f"{self.card.id}: the archive {archive.path} has no member {pattern!r}; it has {_some(members)}: "
                    "mend the card's pattern"
                )
            found.update(names)
        return [RawFile(name, members[name]) for name in sorted(found)]

    def _members(self, archive: SourceFile) -> dict[str, Path]:
        if archive not in self.listed:
            folder = unpacked(self.places[archive], archive.path, self.card.id, self.cache)
            files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
            self.listed[archive] = {file.relative_to(folder).as_posix(): file for file in files}
        return self.listed[archive]


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names that a pattern matches: ``*`` stands for any characters but a slash, all others for themselves."""
    expression = re.compile("[^/]*".join(re.escape(part) for part in pattern.split("*")))
    return [name for name in names if expression.fullmatch(name)]


def _verify(
    card: Card, language: str, raw_split: str, files: Sequence[RawFile], had: Sequence[SourceFile], store: SourceStore
) -> None:
    counts = card.counts.get(language, {}).get(raw_split)
    expected = counts.sha256 if counts else None
    field_name = f"counts.{language}.{raw_split}.sha256"
    addresses = _some([address(card, file, store) for file in had])
    if expected is None:
        if source_of(card).url:
            raise SourceError(
                f"{card.id}: {field_name} is missing, and a url: source is pinned by it; what {addresses} holds now "
                f"has the digest {cell_digest(files)}: look at it, then write that into the card"
            )
        return
    found = cell_digest(files)
    if found == expected:
        return
    match origin(card, store):
        case Origin.NETWORK:
            discard(had, store)
            way_out = "what was downloaded is discarded: fetch it again; if that does not help, upstream has changed it"
        case Origin.MIRROR:
            way_out = "refresh the mirror's file; if that does not help, upstream has changed it"
        case Origin.BUNDLED:
            way_out = "install MASSIE again, or renew the card's counts"
        case Origin.BROUGHT:
            way_out = "bring the edition that the card names"
    raise SourceError(
        f"{card.id}: wrong checksum of {addresses}: {field_name} is {expected}, the digest found is {found}; {way_out}"
    )


def _some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    listed = sorted(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
