"""The raw files of a cell: named by the card's patterns, taken from the mirror, verified."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.catalogue import Card, Catalogue
from massie.sources import RawFile, SourceStore, cell_digest, cell_files
from massie.sources.cache import Cache
from massie.sources.cells import _matching, source_parts
from massie.types import NotInMirrorError, SourceError

COMMIT = "0" * 40
GITHUB = {"github": "someone/rivers", "commit": COMMIT}
MakeCard = Callable[..., Card]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def mirrored(store: SourceStore, path: str, data: bytes = b"x") -> Path:
    """A file put into the mirror, at its place of the GitHub source."""
    assert store.mirror is not None
    place = store.mirror / "raw.githubusercontent.com" / "someone" / "rivers" / COMMIT / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def of_path(path: str | list[str], **more: Any) -> dict[str, Any]:
    return GITHUB | {"files": [{"splits": ["train", "test"], "path": path} | more]}


def names(files: list[RawFile]) -> list[str]:
    return [file.name for file in files]


def test_a_file_is_read_from_the_mirror_where_it_lies(make_card: MakeCard, store: SourceStore):
    place = mirrored(store, "Data Sets/hubkov´a/swa.txt")
    card = make_card(of_path("Data Sets/hubkov´a/{lang}.txt"))
    assert cell_files(card, "swa", "test", store) == [RawFile("Data Sets/hubkov´a/swa.txt", place)]
    assert not store.cache.exists()


def test_patterns_take_the_sources_own_codes_of_language_and_split(make_card: MakeCard, store: SourceStore):
    mirrored(store, "sw/valid.txt")
    files = [{"splits": ["dev"], "path": "{lang}/{split}.txt"}]
    card = make_card(GITHUB | {"files": files, "language_codes": {"swa": "sw"}, "split_codes": {"dev": "valid"}})
    assert names(cell_files(card, "swa", "dev", store)) == ["sw/valid.txt"]


def test_all_files_of_the_first_name_come_before_those_of_the_next(make_card: MakeCard):
    card = make_card(of_path(["{lang}/{name}.txt", "{lang}/{name}.ann"], names=["b", "a"]))
    assert [part.file.path for part in source_parts(card, "swa", "test")] == [
        "swa/b.txt",
        "swa/b.ann",
        "swa/a.txt",
        "swa/a.ann",
    ]


def test_a_name_that_looks_like_a_mark_stays_as_it_is(make_card: MakeCard):
    card = make_card(of_path("{name}.{lang}", names=["{lang}"]))
    assert [part.file.path for part in source_parts(card, "swa", "test")] == ["{lang}.swa"]


def test_entries_of_one_cell_belong_together_and_other_languages_have_theirs(make_card: MakeCard):
    files = [
        {"splits": ["test"], "path": "a"},
        {"splits": ["test"], "path": "b", "languages": ["deu"]},
        {"splits": ["train"], "path": "c"},
        {"splits": ["test"], "path": ["d", "a"]},
    ]
    card = make_card(GITHUB | {"files": files})
    assert [part.file.path for part in source_parts(card, "swa", "test")] == ["a", "d"]
    assert [part.file.path for part in source_parts(card, "deu", "test")] == ["a", "b", "d"]


def test_files_of_a_repository_of_their_own_are_read_from_there(make_card: MakeCard, store: SourceStore):
    own = {"github": "someone/lakes", "commit": "1" * 40}
    files = [
        {"splits": ["test"], "path": "test.txt", "languages": ["swa"]},
        {"splits": ["test"], "path": "test.txt", "languages": ["deu"]} | own,
    ]
    card = make_card(GITHUB | {"files": files})
    mirrored(store, "test.txt", b"Rufiji")
    assert store.mirror is not None
    lakes = store.mirror / "raw.githubusercontent.com" / "someone" / "lakes" / ("1" * 40) / "test.txt"
    lakes.parent.mkdir(parents=True)
    lakes.write_bytes(b"Bodensee")
    assert [file.text() for file in cell_files(card, "swa", "test", store)] == ["Rufiji"]
    assert cell_files(card, "deu", "test", store) == [RawFile("test.txt", lakes)]


def test_a_cell_that_the_source_has_not_is_one_error_that_lists_those_it_has(make_card: MakeCard, store: SourceStore):
    with pytest.raises(SourceError, match=r"^rivers: .* no files for swa/dev; it has swa/train, deu/train, swa/test"):
        cell_files(make_card(of_path("a")), "swa", "dev", store)


def test_a_card_without_a_source_is_one_error(make_card: MakeCard, store: SourceStore):
    card = make_card(None, status="described", reader=None)
    with pytest.raises(SourceError, match="rivers: the card only describes the dataset"):
        cell_files(card, "swa", "test", store)


@pytest.mark.parametrize("code", ["../..", "..", "a/../../b", "\\x"])
def test_codes_that_lead_out_of_the_source_are_refused(make_card: MakeCard, store: SourceStore, code: str):
    card = make_card(of_path("{lang}/x") | {"language_codes": {"swa": code}})
    with pytest.raises(SourceError, match="leads out of the source"):
        cell_files(card, "swa", "test", store)


def test_a_file_that_a_partial_mirror_lacks_names_card_url_place_and_way_out(make_card: MakeCard, store: SourceStore):
    mirrored(store, "deu.txt")
    card = make_card(of_path("{lang}.txt"))
    assert cell_files(card, "deu", "test", store)
    url = f"https://raw.githubusercontent.com/someone/rivers/{COMMIT}/swa.txt"
    with pytest.raises(
        NotInMirrorError, match=rf"^rivers: .*{url}: there is no file {store.mirror}/raw.*unset --mirror"
    ):
        cell_files(card, "swa", "test", store)


def test_without_mirror_and_network_the_error_says_what_to_do(make_card: MakeCard, store: SourceStore):
    offline = replace(store, mirror=None, offline=True)
    with pytest.raises(
        SourceError, match=r"^rivers: https://raw.*swa\.txt is not in the cache.*MASSIE_OFFLINE.*--mirror"
    ):
        cell_files(make_card(of_path("{lang}.txt")), "swa", "test", offline)


def in_cache(card: Card, store: SourceStore, path: str, data: bytes) -> Path:
    """A file put into the cache as if it had been downloaded."""
    assert card.source is not None
    url, cache = card.source.address(path, card.source.files[0]), Cache(store.cache)
    part = cache.claim_part(url)
    part.write_bytes(data)
    return cache.keep(url, part)


def test_what_was_downloaded_before_needs_no_network(make_card: MakeCard, store: SourceStore):
    offline = replace(store, mirror=None, offline=True)
    card = make_card(of_path("{lang}.txt"))
    place = in_cache(card, offline, "swa.txt", b"x")
    assert cell_files(card, "swa", "test", offline) == [RawFile("swa.txt", place)]


def test_the_digest_of_one_file_is_its_own(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"x")
    assert cell_digest([RawFile("a", tmp_path / "a")]) == sha256(b"x")


def test_the_digest_of_several_is_that_of_their_sha256sum_lines(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"x")
    files = [RawFile("data/b", tmp_path / "a"), RawFile("data/a", tmp_path / "a")]
    assert cell_digest(files) == sha256(f"{sha256(b'x')}  data/b\n{sha256(b'x')}  data/a\n".encode())


def counted(sha: str | None) -> dict[str, Any]:
    return {"swa": {"test": {"texts": 1, "annotations": 1, "sha256": sha}}}


def test_a_file_with_the_cards_checksum_is_given(make_card: MakeCard, store: SourceStore):
    mirrored(store, "swa.txt", b"x")
    assert cell_files(make_card(of_path("{lang}.txt"), counted(sha256(b"x"))), "swa", "test", store)


def test_a_wrong_checksum_names_url_field_both_digests_and_way_out(make_card: MakeCard, store: SourceStore):
    mirrored(store, "swa.txt", b"y")
    card = make_card(of_path("{lang}.txt"), counted(sha256(b"x")))
    expected = rf"^rivers: wrong checksum of https://raw\S+/swa\.txt: counts\.swa\.test\.sha256 is {sha256(b'x')}, "
    with pytest.raises(SourceError, match=rf"{expected}the digest found is {sha256(b'y')}; refresh the mirror"):
        cell_files(card, "swa", "test", store)


def test_a_download_with_a_wrong_checksum_is_discarded(make_card: MakeCard, store: SourceStore):
    offline = replace(store, mirror=None, offline=True)
    card = make_card(of_path("{lang}.txt"), counted(sha256(b"x")))
    in_cache(card, offline, "swa.txt", b"y")
    with pytest.raises(SourceError, match=r"wrong checksum .* what was downloaded is discarded"):
        cell_files(card, "swa", "test", offline)
    assert not [path for path in store.cache.rglob("*") if path.is_file()]


def test_a_downloaded_archive_with_a_wrong_checksum_is_discarded_with_its_members(
    make_card: MakeCard, store: SourceStore, tmp_path: Path, make_archive: Callable[..., Path]
):
    offline = replace(store, mirror=None, offline=True)
    card = make_card(of_path("a.txt", archive="data"), counted(sha256(b"x")))
    in_cache(card, offline, "data", make_archive(tmp_path / "data", {"a.txt": b"y"}).read_bytes())
    with pytest.raises(SourceError, match="wrong checksum"):
        cell_files(card, "swa", "test", offline)
    assert not [path for path in store.cache.rglob("*") if path.is_file()]


def test_a_url_source_is_pinned_by_the_checksum_of_every_cell(make_card: MakeCard, store: SourceStore):
    assert store.mirror is not None
    place = store.mirror / "example.org" / "data" / "swa.txt"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")
    source = {"url": "https://example.org/data/", "files": [{"splits": ["test"], "path": "{lang}.txt"}]}
    assert cell_files(make_card(source, counted(sha256(b"x"))), "swa", "test", store)[0].path == place
    with pytest.raises(SourceError, match=rf"counts\.swa\.test\.sha256 is missing.*example\.org.*{sha256(b'x')}"):
        cell_files(make_card(source), "swa", "test", store)


def test_members_of_an_archive_come_sorted_by_name_and_a_star_stops_at_a_slash(
    make_card: MakeCard, store: SourceStore, make_archive: Callable[..., Path]
):
    inside = ["data/test/b.txt", "data/test/a.txt", "data/test/a.ann", "data/test/deep/c.txt", "data/train/x.txt"]
    make_archive(mirrored(store, "data.gz"), dict.fromkeys(inside, b"x"))
    card = make_card(of_path(["data/{split}/*.txt", "data/{split}/*.ann"], archive="data.gz"))
    files = cell_files(card, "swa", "test", store)
    assert names(files) == ["data/test/a.ann", "data/test/a.txt", "data/test/b.txt"]
    assert all(file.path.read_bytes() == b"x" for file in files)


def test_the_members_of_an_archive_are_what_the_checksum_pins(
    make_card: MakeCard, store: SourceStore, make_archive: Callable[..., Path]
):
    make_archive(mirrored(store, "data"), {"b": b"1", "a": b"2"})
    lines = f"{sha256(b'2')}  a\n{sha256(b'1')}  b\n"
    assert cell_files(make_card(of_path("*", archive="data"), counted(sha256(lines.encode()))), "swa", "test", store)


def test_archives_of_several_entries_and_names_belong_together(
    make_card: MakeCard, store: SourceStore, make_archive: Callable[..., Path]
):
    make_archive(mirrored(store, "Ann Files.zip"), {"Ann Files/2.txt": b"", "Ann Files/1.txt": b""})
    make_archive(mirrored(store, "swa.zip"), {"2": b"", "1": b""})
    files = [
        {"splits": ["test"], "path": "Ann Files/*.txt", "archive": "Ann Files.zip"},
        {"splits": ["test"], "path": "{name}", "archive": "{lang}.zip", "names": ["2", "1"]},
    ]
    card = make_card(GITHUB | {"files": files})
    assert names(cell_files(card, "swa", "test", store)) == ["Ann Files/1.txt", "Ann Files/2.txt", "2", "1"]


def test_a_pattern_without_any_member_is_one_error_that_shows_some(
    make_card: MakeCard, store: SourceStore, make_archive: Callable[..., Path]
):
    make_archive(mirrored(store, "data"), dict.fromkeys("abcde", b""))
    with pytest.raises(SourceError, match=r"rivers: the archive data has no member 'x\*'; it has a, b, c and 2 more"):
        cell_files(make_card(of_path(["a", "x*"], archive="data")), "swa", "test", store)


@given(st.text("ab.[]?+(", min_size=1, max_size=8))
def test_only_the_star_is_special_in_a_pattern(name: str):
    assert _matching([name], name) == [name]
    assert _matching([f"x{name}y", f"x/{name}y", f"x{name}"], f"x{name[:1]}*y") == [f"x{name}y"]


def test_brought_files_lie_in_the_named_folder_or_in_one_with_the_datasets_id(
    make_card: MakeCard, store: SourceStore, tmp_path: Path
):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "swa.txt").write_bytes(b"1")
    brought = replace(store, raw=raw)
    card = make_card({"path": "the folder LDC2099T01", "files": [{"splits": ["test"], "path": "{lang}.txt"}]})
    assert cell_files(card, "swa", "test", brought)[0].path == raw / "swa.txt"
    (raw / "rivers").mkdir()
    (raw / "rivers" / "swa.txt").write_bytes(b"2")
    assert cell_files(card, "swa", "test", brought)[0].path == raw / "rivers" / "swa.txt"
    with pytest.raises(SourceError, match=r"there is no file .*rivers/deu\.txt; .*the folder LDC2099T01.*--raw DIR"):
        cell_files(card, "deu", "test", brought)


def test_files_that_must_be_brought_and_were_not_are_one_error(make_card: MakeCard, store: SourceStore):
    card = make_card({"path": "the folder LDC2099T01", "files": [{"splits": ["test"], "path": "a"}]})
    with pytest.raises(SourceError, match=r"rivers: the dataset must be brought: the folder LDC2099T01; .*--raw DIR"):
        cell_files(card, "swa", "test", store)


def test_bundled_files_are_read_from_the_project(make_card: MakeCard, store: SourceStore):
    card = make_card({"bundled": "benchmarks", "files": [{"splits": ["test"], "path": "m-demo.yaml"}]})
    (file,) = cell_files(card, "swa", "test", store)
    assert "m-demo" in file.text()
    card = make_card({"bundled": "benchmarks", "files": [{"splits": ["test"], "path": "none.yaml"}]})
    with pytest.raises(SourceError, match=r"rivers: the bundled file .*none.yaml is missing"):
        cell_files(card, "swa", "test", store)


@pytest.mark.realdata
def test_every_pinned_cell_that_the_mirror_holds_is_as_pinned(mirror: Path, tmp_path: Path):
    store = SourceStore(cache=tmp_path, mirror=mirror)
    cards = [card for card in Catalogue.default().cards() if card.source and not card.source.path]
    cells = [(card, language, split) for card in cards for language, counts in card.counts.items() for split in counts]
    held = 0
    for cell in cells:
        with suppress(NotInMirrorError):
            held += len(cell_files(*cell, store))
    assert held
