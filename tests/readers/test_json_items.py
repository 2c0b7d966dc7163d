"""What the readers of JSON share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.readers.json_items import Layout, Passage, at, items
from massie.sources import RawFile
from massie.types import ReaderError


def test_items_of_any_layout_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"x": 1}', encoding="utf-8")

    assert list(items(RawFile("a.json", path), Layout.LINES)) == [("a.json:1", {"x": 1})]
    assert list(items(RawFile("a.json", path), Layout.OBJECT)) == [("a.json:x", 1)]
    assert list(items(RawFile("a.json", path), Layout.WHOLE)) == [("a.json", {"x": 1})]


def test_the_empty_path_is_the_value_itself() -> None:
    assert at([1], "") == [1]


@given(st.text(), st.lists(st.tuples(st.integers(-3, 9), st.integers(-3, 9))), st.booleans())
def test_a_place_is_never_outside_the_text(text: str, pairs: list[tuple[int, int]], inclusive: bool) -> None:
    passage = Passage(text, None, inclusive)
    for pair in pairs:
        try:
            start, end = passage.place(*pair)
        except ValueError:
            continue
        assert 0 <= start < end <= len(text)


def test_a_path_goes_through_objects_and_lists() -> None:
    assert at({"a": [{"b": 7}]}, "a.0.b") == 7


@pytest.mark.parametrize("path", ["b", "a.1", "a.x", "a.0.b", "a.0.0"])
def test_a_path_that_leads_nowhere_is_named(path: str) -> None:
    with pytest.raises(KeyError, match=path):
        at({"a": [None]}, path)


def test_json_that_is_nested_too_deeply_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(ReaderError, match=r"a\.json:1: (JSON that is nested too deeply|not valid JSON)"):
        list(items(RawFile("a.json", path), Layout.ARRAY))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "Infinity", "-Infinity", "NaN"])
def test_an_endless_number_is_no_offset(tmp_path: Path, number: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(f'{{"start": {number}, "score": 0.5}}', encoding="utf-8")
    ((_, item),) = items(RawFile("a.json", path), Layout.LINES)
    assert item["score"] == 0.5
    with pytest.raises(ValueError, match="NaN"):
        Passage("Amina lives", None, inclusive=False).place(item["start"], 5)


def test_a_number_of_thousands_of_digits_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(f'{{}}\n{{"start": {"7" * 5000}}}', encoding="utf-8")
    with pytest.raises(ReaderError, match=r"a\.json:2: .* a number that is too long; fetch the file again"):
        list(items(RawFile("a.json", path), Layout.LINES))
