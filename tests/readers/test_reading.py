"""How tokens become text, and which numbers can be offsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.readers import Joining
from massie.readers.reading import is_offset

MIXED = Joining(spaces=True, mixed=True)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["Amina", "met", "Juma", "."], "Amina met Juma ."),
        (["她", "住", "在", "内罗毕"], "她住在内罗毕"),
        (["Amina", "住", "在", "Nairobi", "now"], "Amina 住在 Nairobi now"),
        (["下雨", "，", "Amina", "says", "。"], "下雨，Amina says。"),
        (["ケニア", "の", "Amina"], "ケニアの Amina"),
        (["a", " ", "b", "", "c"], "a b  c"),
        (["你好"], "你好"),
        ([], ""),
    ],
)
def test_mixed_joining_leaves_no_space_where_chinese_or_japanese_characters_meet(tokens: list[str], text: str) -> None:
    assert MIXED.join(tokens)[0] == text


@given(st.lists(st.text(max_size=4), max_size=8), st.sampled_from([MIXED, Joining(True), Joining(False)]))
def test_every_token_stands_at_its_offsets(tokens: list[str], joining: Joining) -> None:
    text, offsets = joining.join(tokens)
    assert [text[start:end] for start, end in offsets] == tokens


def test_mixed_joining_keeps_the_other_rules() -> None:
    joining = Joining(spaces=True, space_token="_", replace={ord("#"): "-"}, mixed=True)
    assert joining.join(["她", "_", "a#b", "住"]) == ("她 a-b 住", [(0, 1), (1, 2), (2, 5), (6, 7)])


@pytest.mark.parametrize(
    ("field", "expected"),
    [("0", True), ("007", True), ("999999999", True), ("1" * 5000, False), ("", False), ("-1", False), ("²", False)],
)
def test_an_offset_is_a_number_of_at_most_nine_digits(field: str, expected: bool) -> None:
    assert is_offset(field) is expected
