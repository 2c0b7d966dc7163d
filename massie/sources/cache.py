"""The cache of downloads, safe to be used by several processes at once.

    objects/ab/abcd…      what was downloaded, named by its SHA-256
    index/0123…           one line "SHA-256  URL", named by the SHA-256 of the URL
    parts/0123….ME.part   downloads in progress, each written by one process only
    unpacked/abcd…/       archives unpacked, named by the archive's SHA-256

Everything but a part is made under a name of its own and then renamed, so that nobody ever sees half of it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from massie.types import SourceError

# Longer than a living download is ever silent: all its attempts, time-outs and waits together.
_ABANDONED_SECONDS = 600


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; raises SourceError where the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}; mend its permissions or replace it") from error


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache in a folder, which is made when something is first put there."""

    folder: Path

    @contextmanager
    def writing(self) -> Generator[None, None, None]:
        """Within it, an OSError becomes the SourceError that says that the cache cannot be written."""
        try:
            yield
        except OSError as error:
            raise SourceError(
                f"the cache {self.folder} cannot be written: {error}; "
                "make room there, or set MASSIE_CACHE to a folder that can be written"
            ) from error

    def found(self, url: str) -> Path | None:
        """The file that was downloaded from a URL, if there is one."""
        try:
            digest = self._index(url).read_text(encoding="utf-8").split()[0]
        except (OSError, ValueError, IndexError):
            return None
        path = self._object(digest)
        return path if re.fullmatch("[0-9a-f]{64}", digest) and path.is_file() else None

    def keep(self, url: str, part: Path) -> Path:
        """Takes a complete part in as what the URL holds; returns its place."""
        digest = digest_of(part)
        path, index = self._object(digest), self._index(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(path)
        index.parent.mkdir(parents=True, exist_ok=True)
        unfinished = index.with_name(f"{index.name}.{_own_name()}")
        unfinished.write_text(f"{digest}  {url}\n", encoding="utf-8")
        unfinished.replace(index)
        return path

    def forget(self, url: str) -> None:
        """Discards what was downloaded from a URL, and what was unpacked from it."""
        path = self.found(url)
        self._index(url).unlink(missing_ok=True)
        if path is None:
            return
        path.unlink(missing_ok=True)
        for folder in (self.folder / "unpacked").glob(f"{path.name}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def claim_part(self, url: str) -> Path:
        """A place for the download of a URL that no other process writes to.

        It begins with what an earlier download left, if there is any. That is copied, not renamed: should its writer
        wake up again, it writes into a file that is nobody's.
        """
        folder = self.folder / "parts"
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / f"{_key(url)}.{_own_name()}.part"
        for left in sorted(folder.glob(f"{_key(url)}.*.part")):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.copyfile(left, own)
                    left.unlink()
                    break
        return own

    def release_part(self, part: Path) -> None:
        """Leaves an unfinished part to whoever downloads its URL next."""
        with suppress(FileNotFoundError):
            if part.stat().st_size:
                os.utime(part, (0, 0))
            else:
                part.unlink()

    def unpacked(self, name: str) -> Path:
        """The folder of an unpacked archive, whether or not it is there."""
        return self.folder / "unpacked" / name

    @contextmanager
    def new_folder(self, folder: Path) -> Generator[Path, None, None]:
        """A folder to fill, which becomes ``folder`` at the end; of an error nothing stays."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = folder.with_name(f".{_own_name()}")
        unfinished.mkdir()
        try:
            yield unfinished
            try:
                unfinished.rename(folder)
            except OSError:
                # Another process may have been first; what it made is the same.
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _object(self, digest: str) -> Path:
        return self.folder / "objects" / digest[:2] / digest

    def _index(self, url: str) -> Path:
        return self.folder / "index" / _key(url)


def _key(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def _own_name() -> str:
    return f"{os.getpid()}-{secrets.token_hex(4)}"
