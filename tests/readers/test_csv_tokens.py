"""Tokens in a table with a header and a sentence id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.csv_tokens import Options, read
from massie.sources import RawFile
from massie.types import ReaderError, Span

OPTIONS = {"sentence": "id", "token": "word", "tags": ["tag"], "tag_separator": "_"}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def table(tmp_path: Path, faults: Faults) -> Any:
    """Reads a file with this content: ``table(content, option=...)``."""

    def read_content(content: str, **options: Any) -> list[RawText]:
        path = tmp_path / "a.csv"
        path.write_bytes(content.encode())
        reading = Reading("a", "eng", "all", "en", "all", Joining(spaces=True), faults)
        return list(read([RawFile("a.csv", path)], Options.model_validate({**OPTIONS, **options}), reading))

    return read_content


def spans(text: RawText) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for span in text.annotations:
        assert isinstance(span, Span)
        ((start, end),) = span.mention.fragments
        assert text.text[start:end] == span.mention.surface
        found.append((span.label, span.mention.surface))
    return found


def test_rows_with_one_id_are_one_sentence(table: Any, faults: Faults) -> None:
    first, second = table("id,n,word,tag\n7,1,Amina,B_PER\n7,2,Odhiambo,I_PER\n3,3,sings,O\n")
    assert (first.text, spans(first), first.where) == ("Amina Odhiambo", [("PER", "Amina Odhiambo")], "a.csv:2")
    assert (second.text, spans(second), second.where) == ("sings", [], "a.csv:4")
    assert not faults.counts


def test_a_quoted_token_may_be_a_comma_or_a_quote(table: Any) -> None:
    (text,) = table('id,word,tag\n1,Kisumu,B_LOC\n1,",",I_LOC\n1,"""",O\n')
    assert (text.text, spans(text)) == ('Kisumu , "', [("LOC", "Kisumu ,")])


def test_bom_crlf_blank_rows_and_a_missing_last_line_end_do_not_matter(table: Any, faults: Faults) -> None:
    (text,) = table("\ufeffid,word,tag\r\n1,Amina,B_PER\r\n\r\n,,\r\n1,sings,O")
    assert text.text == "Amina sings"
    assert not faults.counts


def test_tags_of_several_columns_are_layers(table: Any) -> None:
    (text,) = table("id,word,tag,inner\n1,Kisumu,B_ORG,B_LOC\n1,College,I_ORG,O\n", tags=["tag", "inner"])
    assert spans(text) == [("ORG", "Kisumu College"), ("LOC", "Kisumu")]


def test_another_delimiter_can_be_named(table: Any) -> None:
    assert [text.text for text in table("id\tword\ttag\n1\ta,b\tO\n", delimiter="\t")] == ["a,b"]


def test_a_quote_is_a_character_like_any_other_where_fields_are_not_quoted(table: Any, faults: Faults) -> None:
    (text,) = table('id\tword\ttag\n1\t"Amina\tB_PER\n1\tsings"\tO\n', delimiter="\t", quoted=False)
    assert (text.text, spans(text)) == ('"Amina sings"', [("PER", '"Amina')])
    assert not faults.counts


def test_the_tags_may_be_of_another_scheme(table: Any, faults: Faults) -> None:
    (text,) = table("id,word,tag\n1,Amina,BPER\n1,sings,Other\n", tag_separator="", outside="Other")
    assert spans(text) == [("PER", "Amina")]
    assert not faults.counts


def test_rows_that_are_one_empty_field_are_passed_over(table: Any, faults: Faults) -> None:
    assert [text.text for text in table('id,word,tag\r\ns: 0,Amina,B_PER\r\n""\r\n""\r\ns: 2,sings,O\r\n')] == [
        "Amina",
        "sings",
    ]
    assert not faults.counts


def test_a_row_that_is_not_whole_is_left_out_and_counted(table: Any, faults: Faults) -> None:
    (text,) = table("id,word,tag\n1,Amina,B_PER\n1,sings\n1,,O\n1,well,O\n")
    assert text.text == "Amina well"
    assert faults.places == {"not a whole row, left out": ["a.csv:3", "a.csv:4"]}


def test_an_id_that_comes_back_is_another_sentence_and_counted(table: Any, faults: Faults) -> None:
    assert [text.text for text in table("id,word,tag\n1,a,O\n2,b,O\n1,c,O\n")] == ["a", "b", "c"]
    assert faults.places == {"the sentence id was used before, read as another sentence": ["a.csv:4"]}


def test_a_header_without_a_column_is_an_error_that_names_it(table: Any) -> None:
    with pytest.raises(ReaderError, match=r"a\.csv:1: the header has no column 'tag' \(it has 'id', 'word'\)"):
        table("id,word\n1,Amina\n")
    with pytest.raises(ReaderError, match="it has none"):
        table("")


def test_a_quote_that_is_not_closed_is_an_error_that_names_the_line(table: Any) -> None:
    with pytest.raises(ReaderError, match=r"a\.csv:3: not a table"):
        table('id,word,tag\n1,Amina,B_PER\n1,"sings,O\n')
