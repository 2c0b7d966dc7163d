"""Lines with their spans packed in a field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.span_lines import OUTSIDE, UNREADABLE, Options, read
from massie.sources import RawFile
from massie.types import ReaderError, Span

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {"columns": 4, "text": 3, "spans": 2}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def lines(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with this content: ``lines(content, option=...)``."""

    def read_content(content: str, joining: Joining | None = None, **options: Any) -> list[RawText]:
        path = tmp_path / "a.tsv"
        path.write_bytes(content.encode())
        reading = Reading("a", "eng", "test", "en", "test", joining or Joining(spaces=True), faults)
        return list(read([RawFile("data/a.tsv", path)], Options.model_validate({**OPTIONS, **options}), reading))

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


def test_spans_are_places_in_the_field_with_the_text_as_it_stands(lines: Read, faults: Faults) -> None:
    first, second = lines("set\t15:19:time,1:5:verb/noun\t Wake me up at 8 am \ten\nshow\t\tAlarms\ten\n")
    assert (first.text, first.where) == (" Wake me up at 8 am ", "data/a.tsv:1")
    assert spans(first) == [("time", "8 am"), ("verb/noun", "Wake")]
    assert (second.text, spans(second)) == ("Alarms", [])
    assert not faults.counts


def test_blank_lines_a_bom_and_carriage_returns_do_not_matter(lines: Read) -> None:
    (text,) = lines("\ufeffset\t0:4:verb\tWake me\ten\r\n\r\n")
    assert (text.text, spans(text)) == ("Wake me", [("verb", "Wake")])


def test_the_separators_are_the_cards(lines: Read) -> None:
    (text,) = lines("set\t0-4-verb;5-7-who\tWake me\ten", between=";", within="-")
    assert spans(text) == [("verb", "Wake"), ("who", "me")]


@pytest.mark.parametrize("packed", ["-2:4:verb", "0:40:verb", "4:4:verb"])
def test_a_span_outside_the_text_is_a_fault(lines: Read, faults: Faults, packed: str) -> None:
    (text,) = lines(f"set\t{packed},5:7:who\tWake me\ten")
    assert spans(text) == [("who", "me")]
    assert faults.places == {OUTSIDE: ["data/a.tsv:1"]}


@pytest.mark.parametrize("packed", ["0:4", "0:four:verb", "verb", "0:4:"])
def test_a_span_that_cannot_be_read_is_a_fault(lines: Read, faults: Faults, packed: str) -> None:
    (text,) = lines(f"set\t{packed}\tWake me\ten")
    assert spans(text) == []
    assert faults.counts == {UNREADABLE: 1}


def test_a_line_with_other_columns_is_an_error_that_names_it(lines: Read) -> None:
    with pytest.raises(ReaderError, match=r"a\.tsv:2: has 2 fields parted by tabs, not 4"):
        lines("set\t\tWake me\ten\nset\tWake me\n")


def test_columns_that_a_line_has_not_are_refused() -> None:
    with pytest.raises(ValidationError, match="columns 1 to 4 only"):
        Options.model_validate({**OPTIONS, "text": 5})
