"""Lines with a relation each, whose offsets count the characters of a document that is not given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.relation_lines import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {
    "columns": 8,
    "delimiter": "|",
    "document": 1,
    "text": 2,
    "head": {"surface": 6, "start": 7},
    "tail": {"surface": 3, "start": 4},
}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_lines(tmp_path: Path, faults: Faults) -> Read:
    """Reads files with these lines: ``read_lines(EFFECT=[line, ...])``."""

    def read_them(**contents: list[str]) -> list[RawText]:
        files: list[RawFile] = []
        for stem, lines in contents.items():
            path = tmp_path / f"{stem}.rel"
            path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())
            files.append(RawFile(f"data/{stem}.rel", path))
        reading = Reading("a", "eng", "all", "en", "all", Joining(spaces=True), faults)
        return list(read(files, Options.model_validate(OPTIONS), reading))

    return read_them


def line(text: str, tail: str, tail_start: int, head: str, head_start: int, document: str = "17") -> str:
    ends = (tail_start + len(tail), head_start + len(head))
    return f"{document}|{text}|{tail}|{tail_start}|{ends[0]}|{head}|{head_start}|{ends[1]}"


def places(text: RawText) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    found: list[tuple[str, tuple[int, int], tuple[int, int]]] = []
    for relation in text.annotations:
        assert isinstance(relation, Relation)
        for mention in (relation.head, relation.tail):
            ((start, end),) = mention.fragments
            assert text.text[start:end] == mention.surface
        found.append((relation.label, relation.head.fragments[0], relation.tail.fragments[0]))
    return found


def test_lines_of_one_sentence_are_one_text_whose_relation_is_the_files_name(read_lines: Read, faults: Faults) -> None:
    text = "Rash and itch after tea."
    first, second = read_lines(
        EFFECT=[line(text, "Rash", 100, "tea", 120), line(text, "itch", 109, "tea", 120)],
        DOSE=["", line("Two cups of tea.", "Two cups", 40, "tea", 52)],
    )
    assert first == RawText(
        text,
        (
            Relation("EFFECT", Mention("tea", ((20, 23),)), Mention("Rash", ((0, 4),))),
            Relation("EFFECT", Mention("tea", ((20, 23),)), Mention("itch", ((9, 13),))),
        ),
        "data/EFFECT.rel:1",
    )
    assert (second.text, second.where, places(second)) == (
        "Two cups of tea.",
        "data/DOSE.rel:2",
        [("DOSE", (12, 15), (0, 8))],
    )
    assert not faults.counts


def test_one_sentence_in_two_documents_is_two_texts(read_lines: Read) -> None:
    text = "Rash after tea."
    found = read_lines(EFFECT=[line(text, "Rash", 5, "tea", 16), line(text, "Rash", 9, "tea", 20, document="18")])
    assert [places(each) for each in found] == [[("EFFECT", (11, 14), (0, 4))]] * 2


def test_the_two_offsets_tell_equal_surfaces_apart(read_lines: Read) -> None:
    (text,) = read_lines(EFFECT=[line("tea, or tea: rash, not rash", "rash", 213, "tea", 208)])
    assert places(text) == [("EFFECT", (8, 11), (13, 17))]


def test_where_both_offsets_fit_twice_the_other_lines_of_the_sentence_decide(read_lines: Read) -> None:
    text = "tea rash, then tea rash again"
    (found,) = read_lines(EFFECT=[line(text, "rash", 119, "tea", 115), line(text, "rash", 104, "tea", 100)])
    assert places(found) == [("EFFECT", (15, 18), (19, 23)), ("EFFECT", (0, 3), (4, 8))]


def test_mentions_that_do_not_stand_as_their_offsets_say_are_a_fault(read_lines: Read, faults: Faults) -> None:
    (text,) = read_lines(EFFECT=[line("Rash after tea.", "Rash", 5, "tea", 17)])
    assert text.annotations == ()
    assert faults.counts == {"mention that is not at its offsets": 1}


def test_a_line_with_other_columns_is_a_fault(read_lines: Read, faults: Faults) -> None:
    good = line("Rash after tea.", "Rash", 5, "tea", 16)
    assert len(read_lines(EFFECT=[good, "17|Rash", good.replace("16", "x")])) == 1
    assert faults.counts == {"line with other columns": 2}


def test_a_file_without_any_line_of_the_columns_cannot_be_read(read_lines: Read) -> None:
    with pytest.raises(ReaderError, match=r"EFFECT\.rel:1: no line of the file has 8 columns parted by '\|'"):
        read_lines(EFFECT=["17\tRash"])


def test_options_name_columns_that_exist() -> None:
    with pytest.raises(ValidationError, match="there is no column 8"):
        Options.model_validate({**OPTIONS, "columns": 7, "head": {"surface": 6, "start": 8}})
