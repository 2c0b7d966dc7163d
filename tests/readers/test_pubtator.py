"""PubTator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.pubtator import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation, Span

Read = Callable[[str], list[RawText]]

HEAD = "17|t|Tea and calm\n17|a|Tea, or chai, calms | soothes.\n"
TEXT = "Tea and calm Tea, or chai, calms | soothes."
TEA, CALM, CHAI = Mention("Tea", ((0, 3),)), Mention("calm", ((8, 12),)), Mention("chai", ((21, 25),))
MENTIONS = (
    "17\t0\t3\tTea\tDrink\tD1\n17\t8\t12\tcalm\tState\tS1\n17\t13\t16\tTea\tDrink\tD1\n17\t21\t25\tchai\tDrink\tD1\n"
)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_content(tmp_path: Path, faults: Faults) -> Read:
    def read_it(content: str) -> list[RawText]:
        path = tmp_path / "a.PubTator"
        path.write_bytes(content.encode())
        reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=True), faults)
        return list(read([RawFile("a.PubTator", path)], Options(), reading))

    return read_it


def relations(text: RawText) -> list[Relation]:
    return [record for record in text.annotations if isinstance(record, Relation)]


def test_title_and_abstract_are_one_text_with_mentions(read_content: Read, faults: Faults) -> None:
    (text,) = read_content(HEAD + MENTIONS)
    assert (text.text, text.where) == (TEXT, "a.PubTator:1")
    assert text.annotations == (
        Span("Drink", TEA),
        Span("State", CALM),
        Span("Drink", Mention("Tea", ((13, 16),))),
        Span("Drink", CHAI),
    )
    assert not faults.counts


def test_a_relation_of_concepts_holds_between_every_pair_of_their_surfaces(read_content: Read) -> None:
    (text,) = read_content(HEAD + MENTIONS + "17\tBrings\tD1\tS1\tNovel\n")
    assert relations(text) == [Relation("Brings", TEA, CALM), Relation("Brings", CHAI, CALM)]


def test_blank_lines_part_documents_and_crlf_does_not_matter(read_content: Read) -> None:
    first, second = read_content((HEAD + MENTIONS + "\n\n" + HEAD).replace("\n", "\r\n"))
    assert (first.text, second.text, second.where) == (TEXT, TEXT, "a.PubTator:9")
    assert (len(first.annotations), second.annotations) == (4, ())


@pytest.mark.parametrize("between", [",", ";"])
def test_a_mention_may_stand_for_several_concepts_but_is_not_related_to_itself(
    read_content: Read, between: str
) -> None:
    mentions = f"17\t0\t3\tTea\tDrink\tD1{between}D2\n17\t21\t25\tchai\tDrink\tD2\n"
    (text,) = read_content(HEAD + mentions + "17\tBind\tD1\tD2\tNo\n")
    assert relations(text) == [Relation("Bind", TEA, CHAI)]


def test_a_concept_may_be_related_to_itself(read_content: Read) -> None:
    (text,) = read_content(HEAD + "17\t0\t3\tTea\tDrink\tD1\n17\tBind\tD1\tD1\tNo\n")
    assert relations(text) == [Relation("Bind", TEA, TEA)]


def test_a_relation_of_a_concept_without_mentions_is_a_fault(read_content: Read, faults: Faults) -> None:
    (text,) = read_content(HEAD + "17\t0\t3\tTea\tDrink\t-\n17\t8\t12\tcalm\tState\tS1\n17\tBrings\t-\tS1\tNo\n")
    assert (len(text.annotations), relations(text)) == (2, [])
    assert faults.counts == {"relation to an entity without usable mentions": 1}


def test_a_mention_that_is_not_at_its_offsets_and_a_malformed_line_are_faults(
    read_content: Read, faults: Faults
) -> None:
    (text,) = read_content(HEAD + "17\t1\t4\tTea\tDrink\tD1\n17\t0\n")
    assert text.annotations == ()
    assert faults.counts == {"mention that is not at its offsets": 1, "malformed line": 1}
    assert faults.places == {
        "mention that is not at its offsets": ["a.PubTator:3"],
        "malformed line": ["a.PubTator:4"],
    }


def test_a_document_without_title_and_abstract_cannot_be_read(read_content: Read) -> None:
    with pytest.raises(ReaderError, match=r"a\.PubTator:4: the document does not begin with its title"):
        read_content(HEAD + "\n17\t0\t3\tTea\tDrink\tD1\n")
