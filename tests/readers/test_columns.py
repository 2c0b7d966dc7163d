"""Token-tag columns: every quirk of real files in a small one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.columns import Options, read
from massie.sources import RawFile
from massie.types import ReaderError, Span

PLAIN = {"columns": 2, "tags": [2]}
CONLLU = {"columns": 10, "token": 2, "tags": [10], "tag_feature": "name", "misc_column": 10, "comments": ["#"]}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def reading(faults: Faults) -> Reading:
    return Reading("a", "eng", "test", "en", "test", Joining(spaces=True), faults)


@pytest.fixture
def columns(tmp_path: Path, reading: Reading) -> Any:
    """Reads a file with this content: ``columns(content, option=...)``."""

    def read_content(content: str | bytes, joining: Joining | None = None, **options: Any) -> list[RawText]:
        path = tmp_path / "a.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        used = reading if joining is None else Reading("a", "eng", "test", "en", "test", joining, reading.faults)
        return list(read([RawFile("data/a.tsv", path)], Options.model_validate({**PLAIN, **options}), used))

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


def conllu(*rows: tuple[str, str]) -> str:
    return "".join(f"{i}\t{token}\t_\t_\t_\t_\t_\t_\t_\t{misc}\n" for i, (token, misc) in enumerate(rows, start=1))


def test_a_sentence_is_its_tokens_joined_with_its_tagged_spans(columns: Any) -> None:
    first, second = columns("Amina\tB-PER\nOdhiambo\tI-PER\nsings\tO\n\nin\tO\nKisumu\tB-LOC\n")
    assert (first.text, spans(first), first.where) == (
        "Amina Odhiambo sings",
        [("PER", "Amina Odhiambo")],
        "data/a.tsv:1",
    )
    assert (second.text, spans(second), second.where) == ("in Kisumu", [("LOC", "Kisumu")], "data/a.tsv:5")


@pytest.mark.parametrize(
    ("delimiter", "row"),
    [("tab", "Amina\tB-PER"), ("space", "Amina B-PER"), ("white space", "Amina \t  B-PER "), ("bar", "Amina|B-PER")],
)
def test_columns_are_parted_by_a_tab_a_space_a_bar_or_any_white_space(columns: Any, delimiter: str, row: str) -> None:
    (text,) = columns(row, delimiter=delimiter)
    assert spans(text) == [("PER", "Amina")]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfAmina\tB-PER\n\nsings\tO\n",
        b"Amina\tB-PER\r\n\r\nsings\tO\r\n",
        b"\n\nAmina\tB-PER\n\n\n\nsings\tO\n\n\n",
        b"Amina\tB-PER\n\t\nsings\tO",
        b" \nAmina\tB-PER\n \t \nsings\tO\n  ",
    ],
    ids=["BOM", "CRLF", "blank lines", "separator of tabs", "white space lines"],
)
def test_line_ends_and_blank_lines_do_not_matter(columns: Any, faults: Faults, content: bytes) -> None:
    assert [text.text for text in columns(content)] == ["Amina", "sings"]
    assert not faults.counts


def test_a_line_is_never_stripped_so_that_a_token_may_be_a_space(columns: Any) -> None:
    content = "## 1\t<Amina:PS>\n \tO\nA\tB-PS\n \tI-PS\nB\tI-PS\n#\tO\n"
    (text,) = columns(content, joining=Joining(spaces=False), comments=["## "])
    assert (text.text, spans(text)) == (" A B#", [("PS", "A B")])


def test_a_comment_is_known_by_its_beginning(columns: Any) -> None:
    content = "#\thttp://example.org\t[2020]\n1\t#\tO\tO\n2\tKisumu\tB-LOC\tO\n\n#\tonly a comment\n"
    (text,) = columns(content, columns=4, token=2, tags=[3], comments=["#\t"])
    assert (text.text, text.where) == ("# Kisumu", "data/a.tsv:1")


def test_each_tag_column_is_a_layer(columns: Any) -> None:
    content = "1\tKisumu\tB-ORG\tB-LOC\n2\tCollege\tI-ORG\tO\n"
    (text,) = columns(content, columns=4, token=2, tags=[3, 4])
    assert spans(text) == [("ORG", "Kisumu College"), ("LOC", "Kisumu")]


def test_a_document_marker_parts_sentences_with_or_without_blank_lines(columns: Any) -> None:
    content = "-DOCSTART-\tO\n\nAmina\tO\n-DOCSTART-\tO\nsings\tO\n"
    assert [text.text for text in columns(content, document_markers=["-DOCSTART-"])] == ["Amina", "sings"]


def test_the_separator_within_tags_is_the_cards(columns: Any) -> None:
    (text,) = columns("Rex\tB_NON_HUMAN\n", tag_separator="_")
    assert spans(text) == [("NON_HUMAN", "Rex")]


def test_the_token_may_stand_behind_its_tag_and_the_tags_be_of_another_scheme(columns: Any, faults: Faults) -> None:
    content = "0\tcum\nPRS-B\tAmina\nPRS-I\tOdhiambo\n"
    (text,) = columns(content, token=2, tags=[1], tag_label_first=True, outside="0")
    assert (text.text, spans(text)) == ("cum Amina Odhiambo", [("PRS", "Amina Odhiambo")])
    assert not faults.counts


def test_tabs_and_spaces_may_part_the_columns_of_one_file(columns: Any, faults: Faults) -> None:
    content = "Amina\t PS_B\nin\tO\nKisumu    LC_B\n"
    (text,) = columns(content, delimiter="white space", tag_separator="_", tag_label_first=True)
    assert spans(text) == [("PS", "Amina"), ("LC", "Kisumu")]
    assert not faults.counts


def test_tags_of_nested_spans_may_be_the_rest_of_the_row(columns: Any, faults: Faults) -> None:
    content = "the O\nport B-OCC\nauthority I-OCC B-ORG\nof I-ORG\nKisumu I-ORG B-GPE\n"
    (text,) = columns(content, delimiter="space", tags_parted_by=" ")
    assert spans(text) == [
        ("OCC", "port authority"),
        ("ORG", "authority of Kisumu"),
        ("GPE", "Kisumu"),
    ]
    assert not faults.counts


def test_tags_of_nested_spans_may_be_parted_by_a_character_of_their_own(columns: Any, faults: Faults) -> None:
    (text,) = columns("Kisumu\tB-ORG|B-LOC\nCollege\tI-ORG|?\nopens\tO\n", tags_parted_by="|")
    assert spans(text) == [("ORG", "Kisumu"), ("LOC", "Kisumu")]
    assert faults.counts == {"not a tag of the scheme, taken as O": 1}


MARKED = {"columns": 3, "mark_column": 2, "tags": [3]}


def test_the_marks_may_stand_in_a_column_of_their_own(columns: Any, faults: Faults) -> None:
    content = "Amina\tB\tI-PER\nOdhiambo\tI\tI-PER\nKisumu\tU\tLOC\nsings\tO\tO\n"
    (text,) = columns(content, **MARKED)
    assert spans(text) == [("PER", "Amina Odhiambo"), ("LOC", "Kisumu")]
    assert not faults.counts


def test_a_label_without_a_mark_or_a_mark_without_a_label_is_outside_and_counted(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\tO\tI-PER\nsings\tB\tO\nKisumu\tB\tI-LOC\n", **MARKED)
    assert spans(text) == [("LOC", "Kisumu")]
    assert faults.counts == {"a mark without a label or a label without a mark, taken as O": 2}


def test_the_number_behind_a_token_is_taken_off(columns: Any) -> None:
    content = "東0\tB-LOC\n京1\tI-LOC\n20\tO\n011\tO\na10\tO\n\ufffd\ufffd0\tO\n"
    (text,) = columns(content, joining=Joining(spaces=False), numbered_tokens=True)
    assert (text.text, spans(text)) == ("東京20a\ufffd\ufffd", [("LOC", "東京")])


def test_an_escaped_token_is_the_one_that_it_stands_for(columns: Any) -> None:
    (text,) = columns("Amina\tB-PER\n<COLON>\tO\n<URL>\tO\n", escaped_tokens={"<COLON>": ":"})
    assert text.text == "Amina : <URL>"


def test_sentences_may_end_behind_a_token(columns: Any, faults: Faults) -> None:
    content = "Amina\tB-PER\nsings\tO\n.\tO\nKisumu\tB-LOC\n.\tO\n\nin\nKisumu\tB-LOC\n"
    texts = columns(content, sentence_ends=["."])
    assert [(text.text, text.where) for text in texts] == [
        ("Amina sings .", "data/a.tsv:1"),
        ("Kisumu .", "data/a.tsv:4"),
        ("in Kisumu", "data/a.tsv:7"),
    ]
    assert faults.places == {"too few columns, the missing taken as O": ["data/a.tsv:7"]}


def test_single_characters_are_replaced_as_the_card_says(columns: Any) -> None:
    joining = Joining(spaces=True, replace={ord("_"): " "})
    (text,) = columns("New_York\tB-LOC\n", joining=joining)
    assert spans(text) == [("LOC", "New York")]
    (text,) = columns("# text = to New_York\nto\tO\nNew_York\tB-LOC\n", joining=joining, text_comment="# text =")
    assert (text.text, spans(text)) == ("to New York", [("LOC", "New York")])


def test_the_text_is_the_original_one_where_a_comment_has_it(columns: Any, faults: Faults) -> None:
    content = "# id = 1\n# text-en = other\n# text = Off  to Kisumu! \n1\tOff\tO\n2\tto\tO\n3\tKisumu\tB-LOC\n4\t!\tO\n"
    (text,) = columns(content, columns=3, token=2, tags=[3], comments=["#"], text_comment="# text =")
    assert (text.text, spans(text)) == ("Off  to Kisumu!", [("LOC", "Kisumu")])
    assert not faults.counts


@pytest.mark.parametrize(
    ("comment", "fault"),
    [
        ("# text = Kisuma!", "the comment's text differs from the tokens, tokens joined"),
        ("# id = 1", "no comment with the text, tokens joined"),
    ],
)
def test_tokens_are_joined_and_a_fault_counted_where_the_comment_fails(
    columns: Any, faults: Faults, comment: str, fault: str
) -> None:
    (text,) = columns(f"{comment}\nKisumu\tB-LOC\n!\tO\n", comments=["#"], text_comment="# text =")
    assert (text.text, spans(text)) == ("Kisumu !", [("LOC", "Kisumu")])
    assert faults.counts == {fault: 1}
    assert faults.places == {fault: ["data/a.tsv:1"]}


def test_misc_says_where_no_space_stands_and_may_hold_the_tag(columns: Any, faults: Faults) -> None:
    content = "# text = unused\n" + conllu(
        ("In", "name=O"), ("Kisumu", "SpaceAfter=No|name=B-LOC"), (",", "_"), ("Amina", "name=B-PER|SpaceAfter=No")
    )
    (text,) = columns(content, **CONLLU)
    assert (text.text, spans(text)) == ("In Kisumu, Amina", [("LOC", "Kisumu"), ("PER", "Amina")])
    assert not faults.counts


def test_misc_goes_before_the_scripts_rule_of_joining(columns: Any) -> None:
    content = conllu(("東京", "name=B-LOC|SpaceAfter=No"), ("に", "_"), ("Kisumu", "name=B-LOC"))
    (text,) = columns(content, joining=Joining(spaces=False), **CONLLU)
    assert text.text == "東京に Kisumu"


def test_the_mark_for_no_space_is_the_cards(columns: Any) -> None:
    content = "Kisumu\tB-LOC\tNoSpaceAfter|x\n.\tO\t_\n"
    (text,) = columns(content, columns=3, tags=[2], misc_column=3, no_space="NoSpaceAfter")
    assert text.text == "Kisumu."


def test_misc_joins_where_the_comment_fails(columns: Any) -> None:
    content = "# text = Kisuma!\n" + conllu(("Kisumu", "name=B-LOC|SpaceAfter=No"), ("!", "_"))
    (text,) = columns(content, text_comment="# text =", **CONLLU)
    assert text.text == "Kisumu!"


def test_a_row_without_its_tag_stays_as_an_outside_token(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\tB-PER\nsings\nin\tO\nKisumu\tB-LOC\n")
    assert (text.text, spans(text)) == ("Amina sings in Kisumu", [("PER", "Amina"), ("LOC", "Kisumu")])
    assert faults.places == {"too few columns, the missing taken as O": ["data/a.tsv:2"]}


def test_a_row_without_a_token_is_left_out(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\tB-PER\n\tO\nsings\tO\n")
    assert text.text == "Amina sings"
    assert faults.places == {"no token, the row left out": ["data/a.tsv:2"]}


def test_a_sentence_of_rows_without_tokens_is_no_text(columns: Any, faults: Faults) -> None:
    assert [text.text for text in columns("\tO\n\nsings\tO\n")] == ["sings"]
    assert faults.counts == {"no token, the row left out": 1}


def test_empty_fields_at_the_end_of_a_row_are_no_fault(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\tB-PER\t\t\nsings\tO\n")
    assert spans(text) == [("PER", "Amina")]
    assert not faults.counts


def test_a_tab_within_a_token_is_kept(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\tOdhiambo\tB-PER\nsings\tO\n")
    assert (text.text, spans(text)) == ("Amina\tOdhiambo sings", [("PER", "Amina\tOdhiambo")])
    assert faults.places == {"too many columns": ["data/a.tsv:1"]}


def test_a_bar_may_be_a_token_of_columns_parted_by_bars(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina|B-PER\n||O\na|b|O\n", delimiter="bar")
    assert (text.text, spans(text)) == ("Amina | a|b", [("PER", "Amina")])
    assert faults.counts == {"too many columns": 2}


def test_a_missing_tag_is_the_outside_of_the_card(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\tB-PER\nsings\n", outside="Other")
    assert spans(text) == [("PER", "Amina")]
    assert faults.counts == {"too few columns, the missing taken as O": 1}


def test_fields_behind_the_columns_are_passed_over(columns: Any, faults: Faults) -> None:
    (text,) = columns("1\tAmina\tB-PER\tO\tO\n2\tsings\tO\tO\n", columns=4, token=2, tags=[3, 4])
    assert (text.text, spans(text)) == ("Amina sings", [("PER", "Amina")])
    assert faults.counts == {"too many columns": 1}


def test_a_tag_written_otherwise_is_the_one_that_it_stands_for(columns: Any, faults: Faults) -> None:
    content = "in\tNONE\nMay\tTIM\n2020\tTIM\nAmina\t-PER\nOdhiambo\t-PER\nsings\t-\n"
    (text,) = columns(content, tag_spellings={"TIM": "I-TIM", "-PER": "B-PER", "NONE": "O"})
    assert spans(text) == [("TIM", "May 2020"), ("PER", "Amina"), ("PER", "Odhiambo")]
    assert faults.counts == {"not a tag of the scheme, taken as O": 1}


def test_an_empty_field_before_the_tag_is_passed_over(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\t\tB-PER\nsings\tO\n")
    assert (text.text, spans(text)) == ("Amina sings", [("PER", "Amina")])
    assert faults.counts == {"too many columns": 1}


def test_what_is_not_a_tag_is_outside_and_counted(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\tB-PER\nsings\t?\nin\tPER\nKisumu\tB-LOC\n")
    assert spans(text) == [("PER", "Amina"), ("LOC", "Kisumu")]
    assert faults.counts == {"not a tag of the scheme, taken as O": 2}


def test_a_broken_tag_opens_a_span_and_is_no_fault(columns: Any, faults: Faults) -> None:
    (text,) = columns("Amina\tI-PER\nKisumu\tI-LOC\n")
    assert spans(text) == [("PER", "Amina"), ("LOC", "Kisumu")]
    assert not faults.counts


def test_a_file_whose_rows_have_other_columns_is_an_error_that_names_the_line(columns: Any) -> None:
    with pytest.raises(ReaderError, match=r"a\.tsv:2: no row of the file has 2 columns parted by space .*has 1\)"):
        columns("# comment\nAmina\tB-PER\nsings\tO\n", delimiter="space", comments=["#"])


def test_files_are_read_in_their_order(tmp_path: Path, reading: Reading) -> None:
    files = [RawFile(name, tmp_path / name) for name in ("b", "a")]
    for file in files:
        file.path.write_text(f"{file.name}\tO\n", encoding="utf-8")
    assert [text.text for text in read(files, Options.model_validate(PLAIN), reading)] == ["b", "a"]


@pytest.mark.parametrize(
    "wrong", [{"token": 3}, {"tags": [0]}, {"tags": []}, {"misc_column": 3}, {"delimiter": ","}, {"mark_column": 3}]
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({**PLAIN, **wrong})


def test_a_header_row_with_comments_below_it_is_passed_over_and_a_document_may_have_many_sentences(
    columns: Any, faults: Faults
) -> None:
    header = "TOKEN\tNE\tMISC\n# x:document_id = 1\n# x:date = 1854-01-24\n"
    rows = "Amina\tB-pers\tNoSpaceAfter\n.\tO\tEndOfLine|EndOfSentence\n#\tO\tNoSpaceAfter|LED0.00\n7\tB-scope\t_\n"
    options = {"columns": 3, "misc_column": 3, "no_space": "NoSpaceAfter", "comments": ["# ", "TOKEN\tNE\t"]}
    first, second = columns(f"{header}{rows}\n# x:document_id = 2\nTOKEN\tO\t\n", **options)
    assert (first.text, spans(first)) == ("Amina. #7", [("pers", "Amina"), ("scope", "7")])
    assert second.text == "TOKEN"
    assert not faults.counts


@pytest.mark.parametrize("size", range(1, 40, 3))
def test_a_large_file_is_read_in_pieces_with_the_same_texts_and_line_numbers(
    columns: Any, faults: Faults, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    content = "Amina\tB-PER\r\n\r\n\r\nOdhiambo\tB-PER\n\nsings\n \nin\tO\nKisumu\tB-LOC\n\n\n"
    whole, places = columns(content), dict(faults.places)
    faults.places.clear()
    monkeypatch.setattr("massie.readers.columns._PIECE", size)
    assert columns(content) == whole
    assert faults.places == places == {"too few columns, the missing taken as O": ["data/a.tsv:6"]}
