"""A file of tokens and one of tags, line by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.parallel_lines import Options, read
from massie.sources import RawFile
from massie.types import ReaderError, Span

Read = Callable[..., list[RawText]]


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def lines(tmp_path: Path, faults: Faults) -> Read:
    """Reads files with these contents: ``lines(tokens, tags, ...)``."""

    def read_contents(*contents: str, **options: Any) -> list[RawText]:
        files = [RawFile(f"test/{number}", tmp_path / str(number)) for number in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            file.path.write_bytes(content.encode())
        reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=True), faults)
        return list(read(files, Options.model_validate(options), reading))

    return read_contents


def spans(text: RawText) -> list[tuple[str, str]]:
    """(label, surface) of a text's spans, each found at its place."""
    found: list[tuple[str, str]] = []
    for span in text.annotations:
        assert isinstance(span, Span)
        ((start, end),) = span.mention.fragments
        assert text.text[start:end] == span.mention.surface
        found.append((span.label, span.mention.surface))
    return found


def test_a_line_is_a_text_whose_tags_stand_in_the_other_file(lines: Read, faults: Faults) -> None:
    first, second = lines("from new lamu\nto kisumu\n", "O B-from I-from\nO B-to.city\n")
    assert (first.text, spans(first), first.where) == ("from new lamu", [("from", "new lamu")], "test/0:1")
    assert (second.text, spans(second), second.where) == ("to kisumu", [("to.city", "kisumu")], "test/0:2")
    assert not faults.counts


def test_several_pairs_follow_one_another(lines: Read) -> None:
    assert [text.text for text in lines("a\n", "O\n", "b", "O")] == ["a", "b"]


def test_a_bom_carriage_returns_runs_of_spaces_and_blank_lines_do_not_matter(lines: Read, faults: Faults) -> None:
    (text,) = lines("\ufeffto  kisumu \r\n\r\n", "O B-to\r\n\r\n")
    assert (text.text, spans(text)) == ("to kisumu", [("to", "kisumu")])
    assert not faults.counts


def test_a_line_with_more_or_fewer_tags_than_tokens_is_left_out_as_a_fault(lines: Read, faults: Faults) -> None:
    assert [text.text for text in lines("to kisumu\nfrom lamu\n", "O\nO B-from\n")] == ["from lamu"]
    assert list(faults.places.values()) == [["test/0:1"]]


def test_files_of_different_length_are_an_error(lines: Read) -> None:
    with pytest.raises(ReaderError, match=r"1: has 1 lines, but test/0 has 2"):
        lines("a\nb\n", "O\n")


def test_a_file_without_companion_is_an_error(lines: Read) -> None:
    with pytest.raises(ReaderError, match="has no companion"):
        lines("a\n")


def test_tags_may_be_written_as_the_card_says(lines: Read) -> None:
    (text,) = lines("to kisumu", "O B_to", tag_separator="_")
    assert spans(text) == [("to", "kisumu")]
