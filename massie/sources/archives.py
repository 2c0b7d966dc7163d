"""Archives, unpacked into the cache without trust in what they say of themselves.

Nothing is written outside the archive's own folder: names with absolute or parent paths, drive letters or backslashes
are refused, and so are links and devices, whatever they point to. Numbers and sizes are bounded by what is really
read. The kind of an archive is told by its content: upstream suffixes can be wrong.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO

from massie.sources.cache import Cache, digest_of
from massie.types import SourceError

_CHUNK_BYTES = 256 * 1024
_BLOCK_BYTES = 512
# tarfile holds the headers of a member in memory: names and attributes, a few hundred bytes in real archives.
_MOST_HEADER_BYTES = 2**20

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError)
_Stream = IO[bytes] | io.BufferedIOBase

_COMPRESSIONS: dict[bytes, Callable[[Path], io.BufferedIOBase]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold; ``ratio`` is unpacked to packed size, minded from ``ratio_from_bytes`` on."""

    members: int = 200_000
    unpacked_bytes: int = 20 * 2**30
    ratio: int = 200  # five times what text comes to at the most; a bomb of zeros comes to 1,000
    ratio_from_bytes: int = 100 * 2**20


class _Kind(StrEnum):
    ZIP = "zip"
    TAR = "tar"
    SINGLE = "one compressed file"


@dataclass(frozen=True, slots=True)
class _Member:
    """A member to unpack: ``packed`` is the most that it can take of the archive, in bytes, ``stated`` its own size.

    Of a single compressed file no size is stated.
    """

    name: str
    content: _Stream
    packed: int
    stated: int = 0


def unpacked(archive: Path, name: str, dataset: str, cache: Cache, limits: Limits | None = None) -> Path:
    """The folder with the members of an archive, which is unpacked if it is not yet.

    ``name`` is the archive's path within its source: a compressed file that is no archive of several has one member,
    called as it is but for the last suffix. Raises SourceError naming dataset, archive and member where the archive is
    unsafe, too large, damaged or of no known kind; nothing of it stays.
    """
    unpacking = _Unpacking(archive, f"{dataset}: the archive {name}", limits or Limits())
    digest = digest_of(archive)
    with unpacking.reading():
        kind = _kind(archive)
    if kind is None:
        raise unpacking.refusal("is no zip, tar or compressed file", "it may be an error page: fetch it again")
    inner = PurePosixPath(name).stem
    # The name of the one member does not follow from the archive's digest.
    folder = cache.unpacked(f"{digest}-{inner}" if kind is _Kind.SINGLE else digest)
    if not folder.is_dir():
        with cache.writing(), cache.new_folder(folder) as unfinished, unpacking.reading():
            unpacking.unpack(kind, inner, unfinished)
    return folder


def safe_name(name: str) -> str | None:
    """A member's name with '/' between its parts and no '.' among them; None where it would be unsafe to write."""
    if name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name) or re.search(r"[\x00-\x1f\x7f]", name):
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return None if not parts or ".." in parts else "/".join(parts)


def _kind(archive: Path) -> _Kind | None:
    with archive.open("rb") as file:
        head = file.read(_BLOCK_BYTES)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _Kind.ZIP
    with _decompressed(archive) as stream:
        block = stream.read(_BLOCK_BYTES)
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return _Kind.SINGLE if head.startswith(tuple(_COMPRESSIONS)) else None
    return _Kind.TAR


def _decompressed(archive: Path) -> io.BufferedIOBase:
    """The archive's bytes without the compression around it, if there is one."""
    file = archive.open("rb")
    head = file.read(8)
    for magic, opener in _COMPRESSIONS.items():
        if head.startswith(magic):
            file.close()
            return opener(archive)
    file.seek(0)
    return file


@dataclass(slots=True)
class _Unpacking:
    """One archive as it is unpacked: what has been counted so far."""

    archive: Path
    title: str
    limits: Limits
    members: int = field(default=0, init=False)
    written: int = field(default=0, init=False)

    def refusal(self, what: str, way_out: str = "") -> SourceError:
        """The error that ends it."""
        return SourceError(
            f"{self.title} {what}; {way_out or 'nothing of it was kept: fetch it from a place that you trust'}"
        )

    @contextmanager
    def reading(self) -> Generator[None, None, None]:
        """Within it, whatever the libraries say of a damaged archive becomes a SourceError."""
        way_out = "it is damaged, cut or of an unknown kind: fetch it again"
        try:
            yield
        except (*_DAMAGED, NotImplementedError, RuntimeError, OverflowError) as error:
            raise self.refusal(f"cannot be unpacked ({error})", way_out) from error
        except OSError as error:
            # gzip and bz2 report bad data as an OSError without a number, zip a bad offset as EINVAL (a seek to
            # nowhere); the others are the disk's.
            if error.errno not in (None, errno.EINVAL):
                raise
            raise self.refusal(f"cannot be unpacked ({error})", way_out) from error

    def unpack(self, kind: _Kind, inner: str, folder: Path) -> None:
        """Writes all members into a folder."""
        match kind:
            case _Kind.ZIP:
                members = self._zip_members()
            case _Kind.TAR:
                members = self._tar_members()
            case _Kind.SINGLE:
                members = iter([_Member(inner, _decompressed(self.archive), self.archive.stat().st_size)])
        for member in members:
            self._write(member, folder)

    def _zip_members(self) -> Iterator[_Member]:
        size = self.archive.stat().st_size
        with zipfile.ZipFile(self.archive) as opened:
            for info in opened.infolist():
                self._count(info.orig_filename)
                if info.flag_bits & 0x1:
                    raise self.refusal(f"has an encrypted member {info.orig_filename!r}", "place a plain archive")
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise self.refusal(f"has a link or device {info.orig_filename!r}")
                if not info.is_dir():
                    packed = min(info.compress_size, size)
                    yield _Member(info.orig_filename, opened.open(info), packed, info.file_size)

    def _tar_members(self) -> Iterator[_Member]:
        size = self.archive.stat().st_size
        with _decompressed(self.archive) as stream:
            metered = _Metered(stream, self)
            # Read as a stream, member by member, so that no more is unpacked than is counted. No filter of tarfile's
            # is needed, as its extraction is not used: members are written as plain new files.
            with tarfile.open(fileobj=metered, mode="r|") as opened:
                while (info := metered.header(opened)) is not None:
                    self._count(info.name)
                    if not (info.isreg() or info.isdir()):
                        raise self.refusal(f"has a link or device {info.name!r}")
                    content = opened.extractfile(info)
                    if content is not None:
                        yield _Member(info.name, content, size, info.size)
                self._check_end(opened)

    def _check_end(self, opened: tarfile.TarFile) -> None:
        """Refuses a tar that goes on after its end: tarfile takes a header that it cannot read for the end."""
        if opened.fileobj and opened.fileobj.read(_MOST_HEADER_BYTES).strip(b"\0"):
            raise self.refusal(f"has a damaged header after {self.members:,} members", "it is damaged: fetch it again")

    def _count(self, name: str) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise self.refusal(f"has more than {self.limits.members:,} members (at {name!r})")
        if safe_name(name) is None and name not in (".", "./"):
            raise self.refusal(f"has a member with the unsafe name {name!r}")

    def _write(self, member: _Member, folder: Path) -> None:
        self._mind(member, member.stated)  # a bomb that says what it is does not even begin to fill the disk
        with member.content as content, self._new_file(member.name, folder) as file:
            size = 0
            while chunk := content.read(_CHUNK_BYTES):
                size += len(chunk)
                self._mind(member, size)
                file.write(chunk)
        self.written += size

    def _mind(self, member: _Member, size: int) -> None:
        """Refuses a member that is, or says that it is, larger than it may be."""
        if self.written + size > self.limits.unpacked_bytes:
            raise self.refusal(f"unpacks to more than {self.limits.unpacked_bytes:,} bytes (at {member.name!r})")
        if size > max(self.limits.ratio_from_bytes, self.limits.ratio * member.packed):
            raise self.refusal(f"has a member {member.name!r} packed more than {self.limits.ratio:,} to one")

    def _new_file(self, member: str, folder: Path) -> IO[bytes]:
        name = safe_name(member)
        if name is None:
            raise self.refusal(f"has a member with the unsafe name {member!r}")
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return target.open("xb")
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self.refusal(f"has the member {member!r} twice, or a file and a folder of that name") from error
        except UnicodeEncodeError as error:
            raise self.refusal(f"has a member {member!r} whose name cannot be written here") from error


class _Metered(io.RawIOBase):
    """A stream that lets only so much be read for the headers of a tar's next member."""

    def __init__(self, stream: io.BufferedIOBase, unpacking: _Unpacking) -> None:
        self._stream = stream
        self._unpacking = unpacking
        # tarfile reads the first header already as it opens.
        self._header_bytes: int | None = 0

    def header(self, opened: tarfile.TarFile) -> tarfile.TarInfo | None:
        """The tar's next member."""
        self._header_bytes = 0
        info = opened.next()
        self._header_bytes = None
        return info

    def read(self, size: int = -1) -> bytes:
        """As of any stream."""
        if self._header_bytes is not None:
            self._header_bytes += size
            if self._header_bytes > _MOST_HEADER_BYTES:
                raise self._unpacking.refusal(f"has a header of more than {_MOST_HEADER_BYTES:,} bytes")
        return self._stream.read(size)
