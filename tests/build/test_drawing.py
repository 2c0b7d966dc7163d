"""Keyed draws: hashes, the same on every machine for ever."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.drawing import crossed, draw, draws, fraction, short_hash

MASK = 2**64 - 1
NUMBERS = st.lists(st.integers(0, MASK), max_size=5)
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


@settings(deadline=None)
@given(st.text(max_size=5), st.lists(st.text(max_size=5), max_size=5))
def test_draws_are_the_draws_of_each_item(key: str, items: list[str]):
    assert draws(key, items).tolist() == [draw(key, item) for item in items]


def mixed(number: int) -> int:
    """The finaliser of SplitMix64, in whole numbers."""
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_a_crossed_draw_is_that_of_its_pair_and_of_no_other(rows: list[int], columns: list[int]):
    found = crossed(np.array(rows, np.uint64), np.array(columns, np.uint64))
    assert found.tolist() == [[mixed(row ^ column) for column in columns] for row in rows]


def test_crossed_draws_that_were_published_never_change():
    (found,) = crossed(draws("1/0", ["a"]), draws("order", ["x", "y"])).tolist()
    assert found == [0xE6D3CEEA3C450077, 0x6C782A00F4ABFE18]


def test_every_bit_of_crossed_draws_is_even_and_goes_with_no_other_row_or_column():
    found = crossed(draws("key", map(str, range(300))), draws("order", map(str, range(100))))
    bits = (found[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert abs(bits.mean(axis=(0, 1)) - 0.5).max() < 5 * 0.5 / np.sqrt(found.size)
    for bit in (0, 1, 32, 63):  # 0 decides what an empty text is asked for, the high ones the order
        signs = 2.0 * bits[:, :, bit] - 1
        for alike in (signs @ signs.T / 100, signs.T @ signs / 300):
            number = len(alike)
            apart = alike[~np.eye(number, dtype=bool)]
            assert np.abs(apart).max() < 6 / np.sqrt(30_000 / number)
