"""Fetching a whole card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from massie.catalogue import Card, Source
from massie.sources import FetchReport, Origin, SourceStore, fetch, lacking
from massie.sources.cache import Cache
from massie.types import SourceError, UnknownNameError

COMMIT = "0" * 40
SOURCE = {
    "github": "someone/rivers",
    "commit": COMMIT,
    "files": [{"splits": ["train", "test"], "path": "{lang}/{split}.txt"}],
}
MakeCard = Callable[..., Card]


def fill(store: SourceStore, *paths: str) -> None:
    assert store.mirror is not None
    for path in paths:
        place = store.mirror / "raw.githubusercontent.com" / "someone" / "rivers" / COMMIT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"Rufiji\n")


def test_a_whole_mirror_is_reported(make_card: MakeCard, store: SourceStore):
    fill(store, "swa/train.txt", "swa/test.txt", "deu/train.txt", "deu/test.txt")
    assert fetch(make_card(SOURCE), store) == FetchReport("rivers", Origin.MIRROR, 4, 28)


def test_a_partial_mirror_is_no_error_and_its_gaps_are_named(make_card: MakeCard, store: SourceStore):
    fill(store, "swa/test.txt", "deu/test.txt")
    report = fetch(make_card(SOURCE), store)
    assert (report.files, report.missing) == (2, (("swa", "train"), ("deu", "train")))


def test_languages_can_be_chosen(make_card: MakeCard, store: SourceStore):
    fill(store, "swa/train.txt", "swa/test.txt")
    report = fetch(make_card(SOURCE), store, languages=["swa"])
    assert (report.files, report.missing) == (2, ())


def test_an_unknown_language_suggests_the_nearest(make_card: MakeCard, store: SourceStore):
    with pytest.raises(UnknownNameError, match="did you mean 'swa'"):
        fetch(make_card(SOURCE), store, languages=["swe"])


def test_a_file_of_several_cells_counts_once(make_card: MakeCard, store: SourceStore):
    fill(store, "all.txt")
    card = make_card(SOURCE | {"files": [{"splits": ["train", "test"], "path": "all.txt"}]})
    told: list[tuple[int, int, int]] = []
    report = fetch(card, store, progress=lambda *state: told.append(state))
    assert (report.files, report.bytes) == (1, 7)
    assert told == [(1, 1, 7)]


def test_a_wrong_checksum_is_an_error_even_in_a_partial_mirror(make_card: MakeCard, store: SourceStore):
    fill(store, "swa/test.txt")
    counts = {"swa": {"test": {"texts": 1, "annotations": 1, "sha256": "0" * 64}}}
    with pytest.raises(SourceError, match="wrong checksum"):
        fetch(make_card(SOURCE, counts), store)


def test_what_is_in_the_cache_is_not_downloaded_again(make_card: MakeCard, store: SourceStore):
    card, cache = make_card(SOURCE), Cache(store.cache)
    assert card.source is not None
    for path in ("swa/train.txt", "swa/test.txt"):
        url = card.source.address(path, card.source.files[0])
        part = cache.claim_part(url)
        part.write_bytes(b"Rufiji\n")
        cache.keep(url, part)
    offline = replace(store, mirror=None, offline=True)
    assert fetch(card, offline, languages=["swa"]) == FetchReport("rivers", Origin.NETWORK, 2, 14)


def test_a_card_without_a_source_is_one_error(make_card: MakeCard, store: SourceStore):
    with pytest.raises(SourceError, match="rivers: the card only describes the dataset"):
        fetch(make_card(None, status="described", reader=None), store)


@pytest.fixture
def online(site, store: SourceStore, monkeypatch: pytest.MonkeyPatch) -> SourceStore:
    """A store without a mirror, for which the network is the server on this machine."""
    monkeypatch.setattr(Source, "address", lambda self, path, entry: f"{site.base}/{path}")
    return replace(store, mirror=None)


def test_everything_is_downloaded_verified_and_not_asked_for_again(make_card: MakeCard, site, online: SourceStore):
    for path in ("swa/train.txt", "swa/test.txt", "deu/train.txt", "deu/test.txt"):
        site.files[f"/{path}"] = b"Rufiji\n"
    told: list[tuple[int, int, int]] = []
    report = fetch(make_card(SOURCE), online, progress=lambda *state: told.append(state))
    assert report == FetchReport("rivers", Origin.NETWORK, 4, 28)
    assert told[-1] == (4, 4, 28)
    assert told == sorted(told)
    assert fetch(make_card(SOURCE), online) == report
    assert len(site.asked) == 4


def test_a_wrong_download_is_discarded_and_fetched_anew(make_card: MakeCard, site, online: SourceStore):
    digest = hashlib.sha256(b"right").hexdigest()
    card = make_card(
        SOURCE | {"files": [{"splits": ["test"], "path": "a"}]},
        {"swa": {"test": {"texts": 1, "annotations": 1, "sha256": digest}}},
    )
    site.files["/a"] = b"wrong"
    with pytest.raises(SourceError, match=r"rivers: wrong checksum of \S+/a: .*fetch it again"):
        fetch(card, online)
    site.files["/a"] = b"right"
    assert fetch(card, online).bytes == 5


def test_a_file_that_upstream_lacks_is_one_error(make_card: MakeCard, site, online: SourceStore):
    with pytest.raises(SourceError, match=r"^rivers: \S+\.txt cannot be downloaded: the server answers 404"):
        fetch(make_card(SOURCE), online)


def test_what_a_mirror_lacks_is_named_without_reading_what_it_holds(make_card: MakeCard, store: SourceStore):
    fill(store, "swa/test.txt", "deu/test.txt")
    wrong = {"swa": {"test": {"texts": 1, "annotations": 1, "sha256": "0" * 64}}}
    assert lacking(make_card(SOURCE, wrong), store) == [("swa", "train"), ("deu", "train")]


def test_what_can_be_downloaded_is_not_lacking_unless_that_is_forbidden(make_card: MakeCard, store: SourceStore):
    network = replace(store, mirror=None)
    assert lacking(make_card(SOURCE), network) == []
    assert len(lacking(make_card(SOURCE), replace(network, offline=True))) == 4


def test_what_the_user_must_bring_is_lacking_until_it_is_there(make_card: MakeCard, store: SourceStore):
    card = make_card({"path": "ask someone", "files": [{"splits": ["test"], "path": "{lang}.txt"}]})
    assert lacking(card, store) == [("swa", "test"), ("deu", "test")]
    raw = store.cache / "brought"
    raw.mkdir(parents=True)
    (raw / "swa.txt").write_bytes(b"Rufiji")
    assert lacking(card, replace(store, raw=raw)) == [("deu", "test")]
