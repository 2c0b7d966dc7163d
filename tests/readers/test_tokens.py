"""Tokens find their places in a text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from massie.readers import Joining
from massie.readers.tokens import align, join_marked

TOKENS = st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=5), max_size=8)


@given(TOKENS, st.data())
def test_tokens_are_found_in_their_text_whatever_white_space_parts_them(tokens: list[str], data: st.DataObject) -> None:
    text = "".join(data.draw(st.sampled_from(["", " ", "\u00a0 "])) + token for token in tokens)
    offsets = align(text, tokens)
    assert offsets is not None
    assert [text[start:end] for start, end in offsets] == tokens


def test_a_token_may_hold_a_space() -> None:
    assert align("about 600 000 people", ["about", "600 000", "people"]) == [(0, 5), (6, 13), (14, 20)]


def test_a_text_with_other_characters_than_its_tokens_is_not_aligned() -> None:
    assert align("Amina sings", ["Amina", "sang"]) is None
    assert align("Amina sings well", ["Amina", "sings"]) is None
    assert align("Amina", ["Amina", "sings"]) is None


@given(TOKENS, st.data())
def test_marked_tokens_have_a_space_between_them_unless_the_mark_says_no(
    tokens: list[str], data: st.DataObject
) -> None:
    glued = [data.draw(st.booleans()) for _ in tokens]
    text, offsets = join_marked(tokens, glued, Joining(spaces=False))
    assert [text[start:end] for start, end in offsets] == tokens
    between = [text[end:start] for (_, end), (start, _) in pairwise(offsets)]
    assert between == ["" if mark else " " for mark in glued[:-1]]
