"""Inline markup: marks with labels, brackets as labels, and marks that are broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.inline import EMPTY, UNPAIRED, Options, read
from massie.sources import RawFile
from massie.types import Span

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {"opening": "<{label}>", "closing": "</{label}>"}
BRACKETS: dict[str, Any] = {"opening": None, "closing": None, "brackets": ["()", "[]", "{}"]}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def inline(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with this content: ``inline(content, option=...)``."""

    def read_content(content: str, joining: Joining | None = None, **options: Any) -> list[RawText]:
        path = tmp_path / "a.txt"
        path.write_bytes(content.encode())
        reading = Reading("a", "eng", "test", "en", "test", joining or Joining(spaces=True), faults)
        return list(read([RawFile("data/a.txt", path)], Options.model_validate({**OPTIONS, **options}), reading))

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


def test_the_text_is_the_line_without_its_marks(inline: Read, faults: Faults) -> None:
    first, second = inline("<PERSON>Amina</PERSON> di <LOCATION>Kisumu</LOCATION>.\nHujan.\n")
    assert (first.text, spans(first), first.where) == (
        "Amina di Kisumu.",
        [("PERSON", "Amina"), ("LOCATION", "Kisumu")],
        "data/a.txt:1",
    )
    assert (second.text, spans(second), second.where) == ("Hujan.", [], "data/a.txt:2")
    assert not faults.counts


def test_other_marks_are_the_cards(inline: Read) -> None:
    (text,) = inline("[PERSON]อามีนา[/PERSON][DATE]วันนี้[/DATE]มา [1]", opening="[{label}]", closing="[/{label}]")
    assert (text.text, spans(text)) == ("อามีนาวันนี้มา [1]", [("PERSON", "อามีนา"), ("DATE", "วันนี้")])


def test_brackets_are_labels_and_take_their_inner_space_along(inline: Read) -> None:
    (text,) = inline("Take [ aspirin ] against ( headache ), not a {thumb}.", **BRACKETS)
    assert text.text == "Take aspirin against headache, not a thumb."
    assert spans(text) == [("[]", "aspirin"), ("()", "headache"), ("{}", "thumb")]


def test_marks_next_to_each_other_do_not_share_a_space(inline: Read) -> None:
    (text,) = inline("a ( cough ) ( cold )", **BRACKETS)
    assert (text.text, spans(text)) == ("a cough cold", [("()", "cough"), ("()", "cold")])


@pytest.mark.parametrize(
    "content", ["\ufeff<A>x</A>\n\n", "<A>x</A>\r\n\r\n", "<A>x</A>"], ids=["BOM", "CRLF", "no end"]
)
def test_line_ends_and_blank_lines_do_not_matter(inline: Read, content: str) -> None:
    (text,) = inline(content)
    assert (text.text, spans(text)) == ("x", [("A", "x")])


def test_a_mark_may_cut_a_word(inline: Read) -> None:
    (text,) = inline("di K<LOCATION>antor Pos</LOCATION>nya")
    assert (text.text, spans(text)) == ("di Kantor Posnya", [("LOCATION", "antor Pos")])


def test_white_space_at_a_spans_ends_stays_in_the_text_and_out_of_the_span(inline: Read) -> None:
    (text,) = inline("di<LOCATION> Kisumu\u00a0</LOCATION>lagi")
    assert (text.text, spans(text)) == ("di Kisumu\u00a0lagi", [("LOCATION", "Kisumu")])


def test_marks_may_nest(inline: Read) -> None:
    (text,) = inline("<ORG>Kampus <LOC>Kisumu</LOC></ORG>, <LOC><LOC>Lamu</LOC> Timur</LOC>")
    assert spans(text) == [("ORG", "Kampus Kisumu"), ("LOC", "Kisumu"), ("LOC", "Lamu Timur"), ("LOC", "Lamu")]


def test_what_is_no_mark_stays(inline: Read, faults: Faults) -> None:
    (text,) = inline("a & b < c, <5%>, < PERSON >")
    assert (text.text, spans(text)) == ("a & b < c, <5%>, < PERSON >", [])
    assert not faults.counts


def test_a_mark_without_its_counterpart_is_taken_out_as_a_fault(inline: Read, faults: Faults) -> None:
    first, second = inline("Kata <PERSON>Amina\nJuma</PERSON> di <LOCATION>Lamu</LOCATION>\n")
    assert (first.text, spans(first)) == ("Kata Amina", [])
    assert (second.text, spans(second)) == ("Juma di Lamu", [("LOCATION", "Lamu")])
    assert faults.places == {UNPAIRED: ["data/a.txt:1", "data/a.txt:2"]}


def test_marks_around_nothing_are_taken_out_as_a_fault(inline: Read, faults: Faults) -> None:
    (text,) = inline("a<A> </A>b")
    assert (text.text, spans(text)) == ("a b", [])
    assert faults.counts == {EMPTY: 1}


def test_single_characters_are_replaced_as_the_card_says(inline: Read) -> None:
    (text,) = inline("<A>x_y</A>", joining=Joining(spaces=True, replace={ord("_"): " "}))
    assert spans(text) == [("A", "x y")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"closing": None},
        {"opening": "<label>"},
        {"brackets": ["()"]},
        {"opening": None, "closing": None},
        {"opening": None, "closing": None, "brackets": ["("]},
        {"opening": None, "closing": None, "brackets": ["()", "(]"]},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({**OPTIONS, **wrong})
