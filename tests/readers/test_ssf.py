"""The Shakti Standard Format: chunks that nest, labels on chunks and tokens, and broken brackets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.ssf import EMPTY, NOTHING, UNPAIRED, Options, read
from massie.sources import RawFile
from massie.types import ReaderError, Span

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def ssf(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with this content: ``ssf(content, option=...)``."""

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


def ssf_of(*lines: str) -> str:
    return "\n".join(['<Story id="">', '<Sentence id="1">', "0\t((\tSSF\t", *lines, "\t))", "</Sentence>", "</Story>"])


def test_a_labelled_chunk_is_a_span_and_an_unlabelled_one_is_none(ssf: Read, faults: Faults) -> None:
    (text,) = ssf(ssf_of("1\tAmina\t\t", "2\t((\tNP\t<ne=NEL>", "2.1\tnew\t\t", "2.2\tlamu\t\t", "\t))", "3\t.\t\t"))
    assert (text.text, spans(text), text.where) == ("Amina new lamu .", [("NEL", "new lamu")], "data/a.txt:2")
    assert not faults.counts


def test_chunks_nest_and_the_outer_one_comes_first(ssf: Read) -> None:
    inner = ("1.1\t((\tNP\t<ne=NEN>", "1.1.1\t24\t\t", "\t))", "1.2\tmay\t\t")
    (text,) = ssf(ssf_of("1\t((\tNP\t<ne=NETI>", *inner, "\t))"))
    assert spans(text) == [("NETI", "24 may"), ("NEN", "24")]


def test_a_token_may_carry_the_label_itself(ssf: Read) -> None:
    (text,) = ssf(ssf_of("1\t((\tNP", "1.1\t2250\t\t<ne=NETI>", "\t))", "2\tend\t\t"))
    assert spans(text) == [("NETI", "2250")]


def test_attributes_may_be_a_feature_structure(ssf: Read) -> None:
    (text,) = ssf(ssf_of("1\t((\tNP\t<fs name='LOC'>", "1.1\tlamu\tNN\t", "\t))"), attribute="name")
    assert spans(text) == [("LOC", "lamu")]


def test_each_sentence_is_a_text_with_or_without_blank_lines_and_carriage_returns(ssf: Read) -> None:
    sentences = [["1\tAmina\t\t"], ["1\t((\tNP\t", "\t))"], ["1\tJuma\t\t"]]
    lines = [line for rows in sentences for line in ('<Sentence id="1">', *rows, "</Sentence>", "")]
    assert [text.text for text in ssf("\r\n".join(lines))] == ["Amina", "Juma"]


@pytest.mark.parametrize(
    "rows", [["1\tlamu\t\t", "\t))"], ["1\t((\tNP\t<ne=NEL>", "1.1\tlamu\t\t"]], ids=["closed", "open"]
)
def test_a_bracket_without_its_other_is_a_fault(ssf: Read, faults: Faults, rows: list[str]) -> None:
    (text,) = ssf("\n".join(['<Sentence id="1">', *rows, "</Sentence>"]))
    assert (text.text, spans(text)) == ("lamu", [])
    assert faults.counts == {UNPAIRED: 1}


def test_a_labelled_chunk_without_a_token_and_a_row_without_one_are_faults(ssf: Read, faults: Faults) -> None:
    (text,) = ssf(ssf_of("1\tlamu\t\t", "2\t\tNN\t", "3\t((\tNP\t<ne=NEL>", "\t))"))
    assert (text.text, spans(text)) == ("lamu", [])
    assert faults.counts == {NOTHING: 1, EMPTY: 1}


def test_a_file_without_sentences_is_an_error(ssf: Read) -> None:
    with pytest.raises(ReaderError, match=r"a\.txt: has no line <Sentence"):
        ssf("Amina\tB-PER\n")
