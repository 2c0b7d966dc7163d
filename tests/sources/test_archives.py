"""Archives are unpacked without trust."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from massie.sources.archives import Limits, safe_name, unpacked
from massie.sources.cache import Cache
from massie.types import SourceError

MEMBERS = {"data/train/a.txt": b"Rufiji\n", "data/train/a.ann": b"T1\n", "README": b""}
MakeArchive = Callable[[Path, dict[str, bytes]], Path]


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archive: Path, cache: Cache, match: str, limits: Limits | None = None) -> None:
    with pytest.raises(SourceError, match=match) as caught:
        unpacked(archive, "raw/data.zip", "rivers", cache, limits)
    assert str(caught.value).startswith("rivers: the archive raw/data.zip ")
    assert not [path for path in cache.folder.rglob("*") if path.name != "unpacked"]


def test_an_archive_is_unpacked_once_under_its_digest(tmp_path: Path, cache: Cache, make_archive: MakeArchive):
    archive = make_archive(tmp_path / "data", MEMBERS)
    folder = unpacked(archive, "data", "rivers", cache)
    assert content(folder) == MEMBERS
    (folder / "mark").touch()
    assert unpacked(archive, "data", "rivers", cache) == folder
    assert (folder / "mark").exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("name", ["data.gz", "data.zip", "data"])
def test_the_kind_is_told_by_the_content_not_the_suffix(tmp_path: Path, cache: Cache, make_tar, mode: str, name: str):
    assert content(unpacked(make_tar(tmp_path / name, MEMBERS, mode), name, "rivers", cache)) == MEMBERS


def test_a_zip_called_tar_gz_is_a_zip(tmp_path: Path, cache: Cache, make_zip: MakeArchive):
    assert content(unpacked(make_zip(tmp_path / "x.tar.gz", MEMBERS), "x.tar.gz", "rivers", cache)) == MEMBERS


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_single_compressed_file_has_one_member_named_without_the_suffix(
    tmp_path: Path, cache: Cache, compress: Callable[[bytes], bytes]
):
    (tmp_path / "object").write_bytes(compress(b'{"text": "x"}\n' * 99))
    folder = unpacked(tmp_path / "object", "v1/test.jsonl.gz", "rivers", cache)
    assert content(folder) == {"test.jsonl": b'{"text": "x"}\n' * 99}
    assert content(unpacked(tmp_path / "object", "v1/dev.jsonl.gz", "rivers", cache)).keys() == {"dev.jsonl"}


def test_a_leading_dot_and_folder_entries_are_no_matter(tmp_path: Path, cache: Cache):
    with tarfile.open(tmp_path / "a.tar", "w") as opened:
        for name in (".", "./data"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            opened.addfile(folder)
        opened.addfile(tarfile.TarInfo("./data/a.txt"))
    assert content(unpacked(tmp_path / "a.tar", "a.tar", "rivers", cache)) == {"data/a.txt": b""}


@pytest.mark.parametrize("text", [b"", b"<html>not found</html>", b"PK"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, cache: Cache, text: bytes):
    (tmp_path / "a").write_bytes(text)
    refused(tmp_path / "a", cache, "is no zip, tar or compressed file")


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "C:/x", "c:x", "a\\..\\x", "..", "a/..", "\\\\host\\x", "a\nb", "a\x7f"]
)
def test_an_unsafe_name_is_refused(tmp_path: Path, cache: Cache, make_archive: MakeArchive, name: str):
    archive = make_archive(tmp_path / "a", {"first.txt": b"x", name: b"x"})
    refused(archive, cache, "has a member with the unsafe name")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "first.txt"])
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, cache: Cache, kind: bytes, target: str):
    with tarfile.open(tmp_path / "a.tar", "w") as opened:
        opened.addfile(tarfile.TarInfo("first.txt"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = kind, target
        opened.addfile(link)
    refused(tmp_path / "a.tar", cache, "has a link or device 'link'")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_of_a_zip_are_refused(tmp_path: Path, cache: Cache, kind: int):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        opened.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", cache, "has a link or device 'link'")


def test_an_encrypted_member_is_refused(tmp_path: Path, cache: Cache, make_zip: MakeArchive):
    archive = make_zip(tmp_path / "a.zip", {"a": b"x"})
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    refused(archive, cache, "has an encrypted member 'a'")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(tmp_path: Path, cache: Cache):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("a", "1")
        opened.writestr("a", "2")
    refused(tmp_path / "a.zip", cache, "has the member 'a' twice")


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, cache: Cache, make_archive: MakeArchive):
    refused(make_archive(tmp_path / "a", {"a": b"", "a/b": b""}), cache, "a file and a folder of that name")


def test_too_many_members_are_refused(tmp_path: Path, cache: Cache, make_archive: MakeArchive):
    archive = make_archive(tmp_path / "a", {str(number): b"" for number in range(11)})
    refused(archive, cache, "has more than 10 members", Limits(members=10))


def test_too_many_bytes_in_all_are_refused(tmp_path: Path, cache: Cache, make_archive: MakeArchive):
    archive = make_archive(tmp_path / "a", {str(number): os.urandom(600) for number in range(3)})
    refused(archive, cache, "unpacks to more than 1,500 bytes", Limits(unpacked_bytes=1500))


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path, cache: Cache, make_archive: MakeArchive):
    archive = make_archive(tmp_path / "a", {"bomb": bytes(10**6)})
    refused(archive, cache, "member 'bomb' packed more than 100 to one", Limits(ratio=100, ratio_from_bytes=10**5))


def test_a_real_bomb_is_refused_with_the_usual_limits(tmp_path: Path, cache: Cache):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as opened, opened.open("bomb", "w") as file:
        for _ in range(110):
            file.write(bytes(2**20))
    refused(tmp_path / "a.zip", cache, "member 'bomb' packed more than 200 to one")


def test_a_bomb_that_says_what_it_is_is_refused_before_it_is_unpacked(
    tmp_path: Path, cache: Cache, make_zip: MakeArchive
):
    archive = make_zip(tmp_path / "a.zip", {"bomb": bytes(10**7)})
    stated = (10**7).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(stated, (4 * 10**9).to_bytes(4, "little")))
    refused(archive, cache, "member 'bomb' packed more than 200 to one")
    header = tarfile.TarInfo("bomb")
    header.size = 10 * 2**30
    (tmp_path / "a.tar").write_bytes(header.tobuf())
    refused(tmp_path / "a.tar", cache, "member 'bomb' packed more than 200 to one")


def test_a_zip_that_lies_about_sizes_is_refused(tmp_path: Path, cache: Cache, make_zip: MakeArchive):
    archive = make_zip(tmp_path / "a.zip", {"bomb": bytes(10**6)})
    packed = (10**6).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(packed, (10).to_bytes(4, "little")))
    refused(archive, cache, "cannot be unpacked|packed more than")


@pytest.mark.parametrize("first", [b"", tarfile.TarInfo("a").tobuf()], ids=["first", "later"])
def test_a_tar_whose_header_would_fill_the_memory_is_refused(tmp_path: Path, cache: Cache, first: bytes):
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 2**32
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(first)
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(8):
            file.write(bytes(2**20))
    refused(tmp_path / "a.gz", cache, "has a header of more than 1,048,576 bytes")


def test_a_cut_archive_is_refused(tmp_path: Path, cache: Cache, make_archive: MakeArchive):
    archive = make_archive(tmp_path / "a", {"a": os.urandom(10_000)})
    archive.write_bytes(archive.read_bytes()[:5_000])
    refused(archive, cache, "cannot be unpacked")


def test_a_tar_with_a_damaged_header_in_its_middle_is_refused(tmp_path: Path, cache: Cache, make_tar):
    archive = make_tar(tmp_path / "a", {"a": b"x", "b": b"y"}, "w")
    data = bytearray(archive.read_bytes())
    data[1024] ^= 1
    archive.write_bytes(data)
    refused(archive, cache, "has a damaged header after 1 members")


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("./\\:~\0 "), max_size=12))
def test_a_safe_name_stays_below_its_folder(name: str):
    safe = safe_name(name)
    if safe is not None:
        root = Path("/folder")
        assert Path(os.path.normpath(root / safe)).is_relative_to(root)
        assert os.path.normpath(root / safe) == str(root / safe) != str(root)
        assert safe_name(safe) == safe


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_archive_is_refused_or_unpacked_below_its_folder(
    tmp_path_factory: pytest.TempPathFactory, make_archive: MakeArchive, data: st.DataObject
):
    folder = tmp_path_factory.mktemp("damaged")
    archive = make_archive(folder / "a", MEMBERS)
    damaged = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    try:
        unpacked(archive, "a.zip", "rivers", Cache(folder / "cache"))
    except SourceError as error:
        assert str(error).startswith("rivers: the archive a.zip ")
    assert sorted(path.name for path in folder.iterdir()) in (["a"], ["a", "cache"])


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_plain_tar_is_refused_or_unpacked(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("damaged")
    with tarfile.open(folder / "a", "w", format=tarfile.PAX_FORMAT) as opened:
        for name in ("first", "ö" * 120, "last"):
            info = tarfile.TarInfo(name)
            info.size = 1
            opened.addfile(info, io.BytesIO(b"x"))
    damaged = bytearray((folder / "a").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, 5000))] = data.draw(st.integers(0, 255))
    (folder / "a").write_bytes(damaged)
    try:
        unpacked(folder / "a", "a.tar", "rivers", Cache(folder / "cache"))
    except SourceError as error:
        assert str(error).startswith("rivers: the archive a.tar ")
