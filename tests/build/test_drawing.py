"""Keyed draws: hashes, the same on every machine for ever."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.drawing import draw, fraction, short_hash

PARTS = st.lists(st.text(max_size=5), min_size=1, max_size=4)


def test_a_draw_is_the_first_eight_bytes_of_a_sha256():
    assert draw("1/0", "text") == int(sha256(b"1/0\0text").hexdigest()[:16], 16)
    assert short_hash("1/0", "text") == sha256(b"1/0\0text").hexdigest()[:16]


def test_draws_that_were_published_never_change():
    assert draw("a", "b") == 0x59B271AE1BBCB1D3
    assert short_hash("swa", "x") == "e89240cf5382de70"


@settings(deadline=None)
@given(PARTS)
def test_a_fraction_is_below_one_and_agrees_with_the_draw(parts: list[str]):
    assert 0 <= fraction(*parts) < 1
    assert abs(fraction(*parts) - draw(*parts) / 2**64) < 1e-15


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\0"), max_size=5), st.text(max_size=5))
def test_parts_are_kept_apart(first: str, second: str):
    assert draw(first, second) != draw(first + second)


def test_half_of_a_surrogate_pair_is_hashed_too():
    assert draw("\ud800") != draw("\ud801")
