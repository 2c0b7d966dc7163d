"""JSON with surfaces and labels in lists, without offsets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.json_items import INCOMPLETE
from massie.readers.json_surfaces import NOT_FOUND, Options, places_of, read
from massie.sources import RawFile
from massie.types import ReaderError, Span

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {"layout": "object", "text": "text", "surfaces": "names", "labels": "kinds"}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def surfaces(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with this content: ``surfaces(content, option=...)``."""

    def read_content(content: object, joining: Joining | None = None, **options: Any) -> list[RawText]:
        path = tmp_path / "a.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        reading = Reading("a", "eng", "test", "en", "test", joining or Joining(spaces=True), faults)
        return list(read([RawFile("data/a.json", path)], Options.model_validate({**OPTIONS, **options}), reading))

    return read_content


def spans(text: RawText) -> list[tuple[str, str]]:
    """(label, surface) of a text's spans, each found at its place."""
    found: list[tuple[str, str]] = []
    for span in text.annotations:
        assert isinstance(span, Span)
        ((start, end),) = span.mention.fragments
        assert text.text[start:end] == span.mention.surface
        found.append((span.label, span.mention.surface))
    return found


def item(sentence: str, *annotations: tuple[str, str]) -> dict[str, Any]:
    return {
        "s1": {"text": sentence, "names": [name for name, _ in annotations], "kinds": [kind for _, kind in annotations]}
    }


def places(text: RawText) -> list[tuple[str, int]]:
    assert all(isinstance(span, Span) for span in text.annotations)
    return [(span.label, span.mention.fragments[0][0]) for span in text.annotations if isinstance(span, Span)]


def test_a_surface_stands_where_the_text_holds_it(surfaces: Read, faults: Faults) -> None:
    (text,) = surfaces(item("Amina saw Lamu.", ("Lamu", "place"), ("Amina", "person")))
    assert spans(text) == [("place", "Lamu"), ("person", "Amina")]
    assert text.where == "data/a.json:s1"
    assert not faults.counts


def test_a_surface_listed_again_is_its_next_place_and_then_its_last(surfaces: Read) -> None:
    (text,) = surfaces(item("Lamu, Lamu!", ("Lamu", "town"), ("Lamu", "island"), ("Lamu", "place")))
    assert places(text) == [("town", 0), ("island", 6), ("place", 6)]


def test_a_word_of_its_own_goes_before_a_part_of_a_word(surfaces: Read) -> None:
    (text,) = surfaces(item("artists love art", ("art", "thing")))
    assert places(text) == [("thing", 13)]


def test_a_part_of_a_word_will_do_where_there_is_no_word(surfaces: Read) -> None:
    (text,) = surfaces(item("我去东京了", ("东京", "city")))
    assert places(text) == [("city", 2)]


def test_a_border_that_is_no_letter_may_touch_a_word(surfaces: Read) -> None:
    (text,) = surfaces(item("see x(a)y", ("(a)", "thing")))
    assert places(text) == [("thing", 5)]


@pytest.mark.parametrize("name", ["Kisumu", ""])
def test_a_surface_that_the_text_does_not_hold_is_a_fault(surfaces: Read, faults: Faults, name: str) -> None:
    (text,) = surfaces(item("Amina", (name, "place"), ("Amina", "person")))
    assert spans(text) == [("person", "Amina")]
    assert faults.places == {NOT_FOUND: ["data/a.json:s1"]}


def test_lists_of_different_length_are_a_fault(surfaces: Read, faults: Faults) -> None:
    (text,) = surfaces({"s1": {"text": "Amina", "names": ["Amina", "Juma"], "kinds": ["person"]}})
    assert spans(text) == [("person", "Amina")]
    assert faults.counts == {INCOMPLETE: 1}


def test_a_missing_text_is_an_error(surfaces: Read) -> None:
    with pytest.raises(ReaderError, match=r"a\.json:s1: no text at 'text'"):
        surfaces({"s1": {"names": [], "kinds": []}})


def test_a_missing_list_is_an_error(surfaces: Read) -> None:
    with pytest.raises(ReaderError, match=r"a\.json:s1: no list at 'names'"):
        surfaces({"s1": {"text": "Amina", "kinds": []}})


@given(st.text(alphabet="ab ", max_size=12), st.text(alphabet="ab ", max_size=3))
def test_every_place_holds_the_surface_and_none_is_missed_where_one_exists(text: str, surface: str) -> None:
    found = places_of(surface, text)
    assert all(text.startswith(surface, start) for start in found)
    assert bool(found) == (bool(surface) and surface in text)
