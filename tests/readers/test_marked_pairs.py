"""Pairs of mentions marked within their sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.marked_pairs import Options, read
from massie.sources import RawFile
from massie.types import ReaderError, Relation

Read = Callable[..., list[RawText]]


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_pairs(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with this content: ``read_pairs(content, layout=...)``; in blocks where nothing is said."""

    def read_content(content: str, **options: Any) -> list[RawText]:
        path = tmp_path / "a.txt"
        path.write_bytes(content.encode())
        reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=True), faults)
        return list(read([RawFile("a.txt", path)], Options.model_validate({"layout": "blocks", **options}), reading))

    return read_content


def block(sentence: str, relation: str = "residence(e1,e2)") -> str:
    return f'17\t"{sentence}"\n{relation}\n\n'


def relations(text: RawText) -> list[tuple[str, str, str]]:
    """(label, head, tail) of each relation, whose mentions stand at their places."""
    found: list[tuple[str, str, str]] = []
    for relation in text.annotations:
        assert isinstance(relation, Relation)
        for mention in (relation.head, relation.tail):
            ((start, end),) = mention.fragments
            assert text.text[start:end] == mention.surface
        found.append((relation.label, relation.head.surface, relation.tail.surface))
    return found


def test_a_block_is_a_sentence_its_relation_and_what_is_passed_over(read_pairs: Read, faults: Faults) -> None:
    content = (
        '8\t"<e1>Amina</e1> says "no" to <e2>Otieno</e2>."\r\nrefusal(e1,e2)\r\nComment: none\r\n\r\n'
        '9\t"The <e1>roof</e1> of the <e2>house</e2>."\r\npart(e1,e2)\r\nComment:\r\n\r\n'
    )
    first, second = read_pairs(content)
    assert (first.text, first.where) == ('Amina says "no" to Otieno.', "a.txt:1")
    assert relations(first) == [("refusal", "Amina", "Otieno")]
    assert (second.text, second.where) == ("The roof of the house.", "a.txt:5")
    assert relations(second) == [("part", "roof", "house")]
    assert not faults.counts


def test_several_blank_lines_part_blocks(read_pairs: Read) -> None:
    two = block("<e1> Amina </e1> in <e2> Kisumu </e2>") + "\n\n" + block("<e1> Otieno </e1> in <e2> Nakuru </e2>")
    assert [text.text for text in read_pairs(two)] == ["Amina in Kisumu", "Otieno in Nakuru"]


def test_a_line_is_a_sentence_and_its_relation(read_pairs: Read) -> None:
    content = "\ufeff<e2>A pump</e2> with <e1>a valve</e1>\tpart\n\na <e1>pump</e1> for <e2>oil</e2>\tuse\n"
    first, second = read_pairs(content, layout="lines")
    assert (first.text, relations(first)) == ("A pump with a valve", [("part", "a valve", "A pump")])
    assert (second.text, relations(second)) == ("a pump for oil", [("use", "pump", "oil")])
    assert (first.where, second.where) == ("a.txt:1", "a.txt:3")


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        ("residence(e1,e2)", [("residence", "Amina", "Kisumu")]),
        ("residence(e2,e1)", [("residence", "Kisumu", "Amina")]),
        ("residence", [("residence", "Amina", "Kisumu")]),
        ("place (of work)", [("place (of work)", "Amina", "Kisumu")]),
    ],
)
def test_the_relation_says_which_mention_is_its_head(
    read_pairs: Read, relation: str, expected: list[tuple[str, str, str]]
) -> None:
    (text,) = read_pairs(block("<e1>Amina</e1> in <e2>Kisumu</e2>", relation))
    assert relations(text) == expected


def test_a_pair_that_is_not_related_leaves_its_sentence_empty(read_pairs: Read, faults: Faults) -> None:
    (text,) = read_pairs(block("<e1>Amina</e1> or <e2>Otieno</e2>", "none"), no_relation=["none"])
    assert text == RawText("Amina or Otieno", (), "a.txt:1")
    assert not faults.counts


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("<e1> Amina </e1>, of <e2> Kisumu </e2>'s east", "Amina, of Kisumu's east"),
        ("(<e1> Amina </e1>) in <e2> Kisumu </e2>.", "(Amina) in Kisumu."),
        ("so  <e1> Amina </e1>  <e2> Kisumu </e2>  .", "so Amina Kisumu ."),
        ("<e1>Amina</e1>  <e2>Kisumu</e2>", "Amina Kisumu"),
        ("<e1>Amina</e1>s <e2>Kisumu</e2>", "Aminas Kisumu"),
        ("with<e1> Amina </e1> in<e2>Kisumu</e2>", "with Amina inKisumu"),
        ("<e1> Amina </e1> of  old <e2> Kisumu </e2>", "Amina of  old Kisumu"),
    ],
)
def test_marks_leave_only_the_space_that_the_sentence_needs(read_pairs: Read, sentence: str, text: str) -> None:
    (found,) = read_pairs(block(sentence))
    assert found.text == text
    assert relations(found) == [("residence", "Amina", "Kisumu")]


def test_a_mention_may_stand_within_the_other(read_pairs: Read) -> None:
    (text,) = read_pairs(block("the <e1> pump of <e2> oil </e2> </e1>."))
    assert (text.text, relations(text)) == ("the pump of oil.", [("residence", "pump of oil", "oil")])


@pytest.mark.parametrize(
    "sentence",
    [
        "Amina in <e2>Kisumu</e2>",
        "<e1>Amina in <e2>Kisumu</e2>",
        "<e1> </e1> in <e2>Kisumu</e2>",
        "<e1>Amina</e1> in <e2>Kisumu</e2> and <e2>Nakuru</e2>",
        "Amina</e1> in <e2>Kisumu</e2> by <e1>bus",
    ],
)
def test_a_sentence_without_exactly_two_marked_mentions_is_a_fault(
    read_pairs: Read, faults: Faults, sentence: str
) -> None:
    assert read_pairs(block(sentence)) == []
    assert faults.counts == {"sentence without exactly two marked mentions": 1}


def test_an_entry_of_another_shape_is_a_fault(read_pairs: Read, faults: Faults) -> None:
    content = "<e1>a</e1> <e2>b</e2>\tpart\n<e1>a</e1> <e2>c</e2>\n<e1>a</e1> <e2>d</e2>\tpart\tx\n"
    assert [text.text for text in read_pairs(content, layout="lines")] == ["a b"]
    assert faults.counts == {"entry without sentence or relation": 2}
    assert faults.places == {"entry without sentence or relation": ["a.txt:2", "a.txt:3"]}


def test_a_file_without_any_entry_of_the_layout_cannot_be_read(read_pairs: Read) -> None:
    with pytest.raises(ReaderError, match=r"a\.txt:3: no entry of the file has the layout 'blocks'"):
        read_pairs("\n\n<e1>a</e1> <e2>b</e2>\tpart\n")
