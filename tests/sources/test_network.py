"""Downloads, against a real server on this machine."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from massie.sources.cache import Cache
from massie.sources.network import Patience, download, download_all, new_client
from massie.types import SourceError

QUICK = Patience(attempts=3, first_wait_seconds=0.01, silence_seconds=2.0)
DATA = bytes(range(256)) * 4096


def get(site, cache: Cache, path: str = "/a.txt", patience: Patience = QUICK) -> Path:
    with new_client(patience) as client:
        return download(site.base + path, "rivers", cache, client, patience=patience)


def files_in(cache: Cache, room: str) -> list[Path]:
    return [path for path in (cache.folder / room).rglob("*") if path.is_file()]


def test_a_download_is_kept_under_its_digest_and_found_again_by_its_url(site, cache: Cache):
    site.files["/a.txt"] = b"Rufiji\n"
    path = get(site, cache)
    assert path.read_bytes() == b"Rufiji\n"
    assert path.parent.name == path.name[:2]
    assert cache.found(site.base + "/a.txt") == path
    assert not files_in(cache, "parts")


def test_a_path_with_spaces_other_letters_and_a_fragment_sign_is_asked_for_as_it_is(site, cache: Cache):
    site.files["/Data%20Sets/hubkov%C2%B4a%231.txt"] = b"x"
    assert get(site, cache, "/Data Sets/hubkov´a#1.txt").read_bytes() == b"x"


def test_a_cut_download_is_resumed_where_it_was_cut(site, cache: Cache):
    site.files["/a.txt"] = DATA
    site.cuts = [300_000]
    assert get(site, cache).read_bytes() == DATA
    (_, first), (_, second) = site.asked
    assert first is None
    assert second == "bytes=300000-"


def test_a_server_that_does_not_resume_is_read_from_the_start(site, cache: Cache):
    site.files["/a.txt"] = DATA
    site.cuts, site.resumes = [300_000], False
    assert get(site, cache).read_bytes() == DATA


def test_a_resumed_answer_with_another_total_is_not_appended(site, cache: Cache):
    site.files["/a.txt"] = DATA
    site.cuts, site.total_told = [300_000], len(DATA) + 1
    assert get(site, cache).read_bytes() == DATA
    assert [wanted for _, wanted in site.asked] == [None, "bytes=300000-", None]


def test_what_arrived_before_all_attempts_failed_is_resumed_the_next_time(site, cache: Cache):
    site.files["/a.txt"] = DATA
    site.cuts = [100_000, 100_000, 100_000]
    with pytest.raises(SourceError, match=r"rivers: http://127\S+/a\.txt cannot be downloaded .*--mirror"):
        get(site, cache)
    assert not files_in(cache, "objects")
    assert not files_in(cache, "index")
    assert get(site, cache).read_bytes() == DATA
    assert site.asked[-1][1] == "bytes=300000-"
    assert not files_in(cache, "parts")


def test_a_part_that_is_already_complete_is_taken_as_it_is(site, cache: Cache):
    site.files["/a.txt"] = DATA
    part = cache.claim_part(site.base + "/a.txt")
    part.write_bytes(DATA)
    cache.release_part(part)
    assert get(site, cache).read_bytes() == DATA


def test_the_part_of_a_living_process_is_not_touched(site, cache: Cache):
    site.files["/a.txt"] = DATA
    theirs = cache.claim_part(site.base + "/a.txt")
    theirs.write_bytes(b"half")
    assert get(site, cache).read_bytes() == DATA
    assert theirs.read_bytes() == b"half"
    assert site.asked == [("/a.txt", None)]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again(site, cache: Cache, status: int):
    site.files["/a.txt"] = b"x"
    site.failing = [status]
    assert get(site, cache).read_bytes() == b"x"
    assert len(site.asked) == 2


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_final_and_names_dataset_url_and_way_out(site, cache: Cache, status: int):
    site.failing = [status]
    with pytest.raises(SourceError, match=rf"^rivers: {site.base}/a.txt .* {status} .*mend the card's source"):
        get(site, cache)
    assert len(site.asked) == 1
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]


def test_a_failure_that_does_not_pass_is_given_up(site, cache: Cache):
    site.failing = [503] * 9
    with pytest.raises(SourceError, match="503 Service Unavailable; 3 attempts"):
        get(site, cache)
    assert len(site.asked) == 3


def test_a_silent_server_is_given_up(site, cache: Cache):
    site.files["/a.txt"] = b"x"
    site.stall_seconds = 0.6
    begun = time.monotonic()
    with pytest.raises(SourceError, match="ReadTimeout"):
        get(site, cache, patience=Patience(attempts=2, first_wait_seconds=0.01, silence_seconds=0.1))
    assert time.monotonic() - begun < 3


def test_nobody_listening_is_one_error_with_the_way_out(site, cache: Cache):
    with (
        new_client(QUICK) as client,
        pytest.raises(SourceError, match=r"ConnectError.*connect to the network.*--mirror"),
    ):
        download("http://127.0.0.1:9/a.txt", "rivers", cache, client, patience=QUICK)


def test_a_redirect_to_plain_http_is_not_followed(site, cache: Cache):
    site.redirect = f"{site.base}/b.txt"
    with pytest.raises(SourceError, match=r"redirects to .*not https"):
        get(site, cache)
    assert len(site.asked) == 1


def test_a_redirect_to_https_is_followed(site, cache: Cache):
    # There is only a plain server here, so that following shows as a failed connection.
    site.redirect = f"https://{site.base.removeprefix('http://')}/b.txt"
    with pytest.raises(SourceError, match="ConnectError"):
        get(site, cache)


def test_a_url_that_is_none_is_one_error(cache: Cache):
    with new_client(QUICK) as client, pytest.raises(SourceError, match="is not a URL"):
        download("http://127.0.0.1:x/a", "rivers", cache, client, patience=QUICK)


@pytest.mark.skipif(os.name == "nt", reason="no POSIX files here")
def test_a_cache_that_cannot_be_written_is_one_error(site, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SourceError, match=r"the cache .*file/cache cannot be written: .*MASSIE_CACHE"):
        get(site, Cache(tmp_path / "file" / "cache"))


def test_many_downloads_report_their_progress_from_the_calling_thread(site, cache: Cache):
    urls = []
    for number in range(12):
        site.files[f"/{number}"] = b"x" * number
        urls.append(f"{site.base}/{number}")
    told: list[tuple[int, int, int]] = []
    threads: set[threading.Thread] = set()

    def progress(*state: int) -> None:
        told.append(state)
        threads.add(threading.current_thread())

    places = download_all(urls, "rivers", cache, parallel=3, progress=progress)
    assert [places[url].stat().st_size for url in urls] == list(range(12))
    assert told[-1] == (12, 12, sum(range(12)))
    assert told == sorted(told)
    assert threads == {threading.current_thread()}


def test_one_refused_download_ends_all(site, cache: Cache):
    site.files["/1"] = b"x"
    with pytest.raises(SourceError, match="/2 cannot be downloaded: the server answers 404"):
        download_all([f"{site.base}/1", f"{site.base}/2"], "rivers", cache, parallel=1)


def test_two_downloads_of_one_url_at_once_both_succeed(site, cache: Cache):
    site.files["/a.txt"] = DATA
    site.stall_seconds = 0.05
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(get(site, cache).read_bytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [DATA] * 4
    assert len(files_in(cache, "objects")) == 1


@pytest.mark.parametrize("damage", ["", "not a digest", "../../../etc/passwd  x"])
def test_a_damaged_index_counts_as_none(site, cache: Cache, damage: str):
    site.files["/a.txt"] = b"x"
    get(site, cache)
    (index,) = files_in(cache, "index")
    index.write_text(damage)
    assert cache.found(f"{site.base}/a.txt") is None


def test_what_is_forgotten_is_gone(site, cache: Cache):
    site.files["/a.txt"] = b"x"
    get(site, cache)
    cache.forget(f"{site.base}/a.txt")
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]
