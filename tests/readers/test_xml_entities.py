"""XML with entities marked within the text, and relations by id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.xml_entities import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation, Span

Read = Callable[..., list[RawText]]

PLAIN = {"text": "text", "entity": "entity", "id": "id"}
STATED = {
    "text": "DOC",
    "entity": "EM",
    "id": "ID",
    "category": "CATEG",
    "alternatives": "ALT",
    "left_out": ["OMIT"],
    "relations": {"tails": "COREL", "labels": "TIPOREL"},
}
PARSER = Mention("parser", ((2, 8),))
ABSTRACT = (
    '<doc><text id="7"><title>A <entity id="7.1">parser</entity></title>\n'
    '<abstract>It\n  sees <entity id="7.2"> trees </entity>.</abstract></text></doc>'
)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_xml(tmp_path: Path, faults: Faults) -> Read:
    """Reads an XML file and, where there is one, a file of relations."""

    def read_files(xml: str, lines: str | None = None, **options: Any) -> list[RawText]:
        (tmp_path / "a.xml").write_text(xml, encoding="utf-8")
        files = [RawFile("a.xml", tmp_path / "a.xml")]
        if lines is not None:
            (tmp_path / "a.txt").write_text(lines, encoding="utf-8")
            files.append(RawFile("a.txt", tmp_path / "a.txt"))
        reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=True), faults)
        return list(read(files, Options.model_validate(options), reading))

    return read_files


def document(content: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><HAREM><DOC DOCID="a"><P>{content}</P></DOC></HAREM>'


def surfaces(text: RawText) -> set[tuple[str, str]]:
    return {(record.label, record.mention.surface) for record in text.annotations if isinstance(record, Span)}


def test_white_space_is_folded_and_elements_that_are_no_entities_stand_on_lines_of_their_own(read_xml: Read) -> None:
    text = read_xml(ABSTRACT, "USAGE(7.1,7.2)\n", **PLAIN)[0]
    assert text.text == "A parser\nIt sees trees ."
    assert text.where == "a.xml:text 1"


def test_relations_are_lines_of_the_second_file(read_xml: Read, faults: Faults) -> None:
    assert read_xml(ABSTRACT, "PART_WHOLE(7.1,7.2)\n\n", **PLAIN)[0].annotations == (
        Relation("PART_WHOLE", PARSER, Mention("trees", ((17, 22),))),
    )
    assert not faults.counts


def test_a_reversed_relation_has_the_second_entity_as_its_head(read_xml: Read) -> None:
    (relation,) = read_xml(ABSTRACT, "MODEL-FEATURE(7.1,7.2,REVERSE)\n", **PLAIN)[0].annotations
    assert isinstance(relation, Relation)
    assert (relation.head.surface, relation.tail.surface) == ("trees", "parser")


def test_lines_that_are_malformed_or_lead_to_no_entity_of_the_text_are_faults(read_xml: Read, faults: Faults) -> None:
    lines = "USAGE(7.1\nUSAGE(7.1,8.1)\nUSAGE(9.1,9.2)\n"
    assert read_xml(ABSTRACT, lines, **PLAIN)[0].annotations == ()
    assert faults.counts == {
        "relation that is malformed": 1,
        "relation to an entity that the text does not have": 2,
    }
    assert faults.places["relation to an entity that the text does not have"] == ["a.txt:2", "a.txt:3"]


def test_relations_may_stand_at_their_heads(read_xml: Read) -> None:
    text = read_xml(
        document(
            '<EM ID="a1" CATEG="PERSON" COREL="a2 a3" TIPOREL="born_in PERSON**author_of**a3**WORK">Amina</EM> of '
            '<EM ID="a2" CATEG="PLACE">Kisumu</EM> wrote <EM ID="a3" CATEG="WORK">Ziwa</EM>.'
        ),
        **STATED,
    )[0]
    amina = Mention("Amina", ((0, 5),))
    assert [record for record in text.annotations if isinstance(record, Relation)] == [
        Relation("born_in", amina, Mention("Kisumu", ((9, 15),))),
        Relation("author_of", amina, Mention("Ziwa", ((22, 26),))),
    ]


def test_an_item_that_states_its_tail_needs_no_place_in_the_other_attribute(read_xml: Read, faults: Faults) -> None:
    content = (
        '<EM ID="a1" COREL="a2" TIPOREL="X**in**a2**Y X**near**a3**Y lost">A</EM> <EM ID="a2">B</EM> <EM ID="a3">C</EM>'
    )
    text = read_xml(document(content), **STATED)[0]
    assert [record.label for record in text.annotations] == ["in", "near"]
    assert faults.counts == {"relation that is malformed": 1}


def test_an_entity_of_several_categories_is_a_span_of_each_and_one_of_none_is_no_span(read_xml: Read) -> None:
    content = '<EM ID="a1" CATEG="PLACE|GROUP|PLACE">Kisumu</EM> <EM ID="a2">so</EM>'
    assert [record.label for record in read_xml(document(content), **STATED)[0].annotations] == ["PLACE", "GROUP"]


def test_of_alternative_analyses_the_text_is_read_once_and_the_entities_all(read_xml: Read, faults: Faults) -> None:
    content = (
        'The <ALT><EM ID="a1" CATEG="GROUP">Choir of "Ziwa"</EM> | <EM ID="a2" CATEG="GROUP">Choir</EM>\n of "\n'
        '<EM ID="a3" CATEG="PLACE">Ziwa</EM>\n" | Choir of <EM ID="a4" CATEG="PLACE">"Ziwa"</EM></ALT> sang.'
    )
    text = read_xml(document(content), **STATED)[0]
    assert text.text == 'The Choir of "Ziwa" sang.'
    assert surfaces(text) == {("GROUP", 'Choir of "Ziwa"'), ("GROUP", "Choir"), ("PLACE", "Ziwa"), ("PLACE", '"Ziwa"')}
    assert not faults.counts


def test_an_alternative_that_reads_otherwise_is_left_out_as_a_fault(read_xml: Read, faults: Faults) -> None:
    content = '<ALT><EM ID="a1" CATEG="PLACE">Ziwa</EM> | <EM ID="a2" CATEG="PLACE">Lake</EM></ALT>'
    assert surfaces(read_xml(document(content), **STATED)[0]) == {("PLACE", "Ziwa")}
    assert faults.counts == {"alternative that reads otherwise than the first, left out": 1}


def test_left_out_elements_are_no_part_of_the_text_nor_are_their_entities(read_xml: Read, faults: Faults) -> None:
    content = (
        '<EM ID="a1" CATEG="PLACE" COREL="a2" TIPOREL="in">Ziwa</EM>'
        '<OMIT> <EM ID="a2" CATEG="PLACE" COREL="a1" TIPOREL="in">Lake</EM></OMIT> is blue.'
    )
    text = read_xml(document(content), **STATED)[0]
    assert text == RawText("Ziwa is blue.", (Span("PLACE", Mention("Ziwa", ((0, 4),))),), "a.xml:DOC 1")
    assert faults.counts == {"relation to an entity that the text does not have": 1}


def test_entities_without_text_are_faults(read_xml: Read, faults: Faults) -> None:
    assert read_xml(document('<EM ID="a1" CATEG="PLACE"> </EM>so'), **STATED)[0].annotations == ()
    assert faults.counts == {"entity without text": 1}


def test_the_declared_encoding_may_be_wrong(read_xml: Read) -> None:
    xml = document('<EM ID="a1" CATEG="PERSON">João</EM>').replace('"UTF-8"', '"ISO-8859-1"')
    assert read_xml(xml, **STATED)[0].text == "João"


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<doc><text>cut", r"a\.xml:1: not valid XML"),
        ("<doc><page>no text</page></doc>", "no element 'text'"),
        ('<!DOCTYPE doc [<!ENTITY a "aaaa">]><doc><text>&a;</text></doc>', "declares XML entities"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(read_xml: Read, xml: str, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        read_xml(xml, **PLAIN)
