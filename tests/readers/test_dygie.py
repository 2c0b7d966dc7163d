"""The layout of DyGIE: entities and relations by sentence, with indices that count the document's tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.dygie import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation, Span

Read = Callable[..., list[RawText]]

DOCUMENT = {
    "doc_key": "7",
    "sentences": [["Amina", "left", "."], ["Her", "sister", "likes", "Kisumu", "-LRB-", "Kenya", "-RRB-", "."]],
    "ner": [[[0, 0, "PER"]], [[3, 4, "PER"], [6, 6, "CITY"], [3, 3, "PER"]]],
    "relations": [[], [[3, 4, 6, 6, "LIKES"]]],
    "clusters": [],
}
SISTER = Mention("Her sister", ((0, 10),))
KISUMU = Mention("Kisumu", ((17, 23),))


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_document(tmp_path: Path, faults: Faults) -> Read:
    """Reads one document with these of its values changed."""

    def read_file(changes: dict[str, Any] | None = None, **options: Any) -> list[RawText]:
        path = tmp_path / "a.json"
        path.write_text(json.dumps(DOCUMENT | (changes or {})) + "\n", encoding="utf-8")
        reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=True), faults)
        return list(read([RawFile("a.json", path)], Options.model_validate(options), reading))

    return read_file


def test_each_sentence_is_a_text_and_indices_count_the_documents_tokens(read_document: Read, faults: Faults) -> None:
    first, second = read_document()
    assert first == RawText("Amina left .", (Span("PER", Mention("Amina", ((0, 5),))),), "a.json:1, sentence 1")
    assert second.annotations == (
        Span("PER", SISTER),
        Span("CITY", KISUMU),
        Span("PER", Mention("Her", ((0, 3),))),
        Relation("LIKES", SISTER, KISUMU),
    )
    assert not faults.counts


def test_tokens_may_stand_for_others(read_document: Read) -> None:
    assert read_document(tokens={"-LRB-": "(", "-RRB-": ")"})[1].text == "Her sister likes Kisumu ( Kenya ) ."


@pytest.mark.parametrize("token", [None, 7, {"a": 1}, ["a"]])
def test_a_token_that_is_no_string_is_taken_as_it_is_written(read_document: Read, token: Any) -> None:
    sentences = [["Amina", "left", token], *DOCUMENT["sentences"][1:]]
    assert read_document({"sentences": sentences})[0].text == f"Amina left {token}"


def test_annotations_outside_their_sentence_or_not_whole_are_faults(read_document: Read, faults: Faults) -> None:
    texts = read_document(
        {"ner": [[[0, 3, "PER"], [0, "PER"]], [[2, 3, "PER"]]], "relations": [[[0, 0, 4, 4, "X"]], []]}
    )
    assert [text.annotations for text in texts] == [(), ()]
    assert faults.counts == {"offsets outside the text": 3, "annotation without label or offsets": 1}


def test_a_document_whose_lists_differ_in_length_is_an_error(read_document: Read) -> None:
    with pytest.raises(ReaderError, match=r"a\.json:1: has 2 sentences, but 1 lists of entities and 2 of relations"):
        read_document({"ner": [[]]})
