"""Token-tag columns with relations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.relation_columns import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation, Span

Read = Callable[[str], list[RawText]]

SENTENCE = """#doc 17
0\tAmina\tB-Peop\t['N']\t[0]
1\tOtieno\tI-Peop\t['Live_In', 'Work_For']\t[3, 5]
2\tof\tO\t['N']\t[2]
3\tKisumu\tB-Loc\t['N']\t[3]
4\tleads\tO\t['N']\t[4]
5\tAcme\tB-Org\t['OrgBased_In']\t[3]
"""
AMINA, KISUMU, ACME = (
    Mention("Amina Otieno", ((0, 12),)),
    Mention("Kisumu", ((16, 22),)),
    Mention("Acme", ((29, 33),)),
)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_content(tmp_path: Path, faults: Faults) -> Read:
    def read_it(content: str) -> list[RawText]:
        path = tmp_path / "a.txt"
        path.write_bytes(content.encode())
        reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=True), faults)
        return list(read([RawFile("a.txt", path)], Options(), reading))

    return read_it


def test_relations_lead_from_the_last_token_of_an_entity_to_that_of_another(read_content: Read, faults: Faults) -> None:
    (text,) = read_content(SENTENCE)
    assert text == RawText(
        "Amina Otieno of Kisumu leads Acme",
        (
            Span("Peop", AMINA),
            Span("Loc", KISUMU),
            Span("Org", ACME),
            Relation("Live_In", AMINA, KISUMU),
            Relation("Work_For", AMINA, ACME),
            Relation("OrgBased_In", ACME, KISUMU),
        ),
        "a.txt:1",
    )
    assert not faults.counts


def test_doc_lines_and_blank_lines_part_sentences(read_content: Read) -> None:
    first, second, third = read_content(
        (SENTENCE + SENTENCE + "\n" + SENTENCE.partition("\n")[2]).replace("\n", "\r\n")
    )
    assert first.text == second.text == third.text
    assert [text.where for text in (first, second, third)] == ["a.txt:1", "a.txt:8", "a.txt:15"]


def test_a_relation_of_a_token_that_ends_no_entity_is_a_fault(read_content: Read, faults: Faults) -> None:
    (text,) = read_content("#doc 1\n0\tAmina\tB-Peop\t['Kill']\t[1]\n1\tsings\tO\t['N']\t[1]\n")
    assert text.annotations == (Span("Peop", Mention("Amina", ((0, 5),))),)
    assert faults.counts == {"relation of a token that ends no entity": 1}


def test_lists_of_unlike_lengths_are_a_fault(read_content: Read, faults: Faults) -> None:
    (text,) = read_content("#doc 1\n0\tAmina\tB-Peop\t['Kill']\t[0, 0]\n")
    assert len(text.annotations) == 1
    assert faults.counts == {"relations and tails of unlike number": 1}


@pytest.mark.parametrize("row", ["0\tAmina\tO\t['N']", "x\tAmina\tO\t['N']\t[0]", "0\t\tO\t['N']\t[0]"])
def test_a_row_with_other_columns_cannot_be_read(read_content: Read, row: str) -> None:
    with pytest.raises(ReaderError, match=r"a\.txt:2: is not an index, a token, a tag and two lists"):
        read_content(f"#doc 1\n{row}\n")
