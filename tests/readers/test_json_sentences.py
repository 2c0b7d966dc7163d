"""JSON documents in sentences: whole documents and single sentences from the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.json_sentences import Options, read
from massie.sources import RawFile
from massie.types import Event, Mention, ReaderError, Span

Read = Callable[..., list[RawText]]

PATHS = {
    "layout": "array",
    "kind": "event",
    "sentences": "content",
    "annotations": "events",
    "sentence": "sent_id",
    "label": "type",
    "start": "offset.0",
    "end": "offset.1",
    "surface": "trigger_word",
}
ILL = {"type": "illness", "trigger_word": "ill", "sent_id": 0, "offset": [11, 14]}
SUED = {"type": "lawsuit", "trigger_word": "sued", "sent_id": 1, "offset": [4, 8]}
DOCUMENT = {"id": 1, "content": ["Amina fell ill.", "She sued.", "Nothing came of it."], "events": [SUED, ILL]}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_documents(tmp_path: Path, faults: Faults) -> Read:
    """Reads these documents at a level."""

    def read_all(*documents: Any, joining: Joining | None = None, **options: Any) -> list[RawText]:
        path = tmp_path / "a.json"
        path.write_text(json.dumps(documents), encoding="utf-8")
        reading = Reading("a", "eng", "test", "en", "test", joining or Joining(spaces=True), faults)
        return list(read([RawFile("a.json", path)], Options.model_validate(PATHS | options), reading))

    return read_all


def test_a_document_is_its_sentences_a_line_each(read_documents: Read) -> None:
    assert read_documents(DOCUMENT, level="document") == [
        RawText(
            "Amina fell ill.\nShe sued.\nNothing came of it.",
            (Event("lawsuit", Mention("sued", ((20, 24),))), Event("illness", Mention("ill", ((11, 14),)))),
            "a.json:item 1",
        )
    ]


def test_a_sentence_has_the_annotations_that_name_it(read_documents: Read) -> None:
    assert read_documents(DOCUMENT, level="sentence") == [
        RawText("Amina fell ill.", (Event("illness", Mention("ill", ((11, 14),))),), "a.json:item 1, sentence 0"),
        RawText("She sued.", (Event("lawsuit", Mention("sued", ((4, 8),))),), "a.json:item 1, sentence 1"),
        RawText("Nothing came of it.", (), "a.json:item 1, sentence 2"),
    ]


def test_annotations_may_be_spans(read_documents: Read) -> None:
    texts = read_documents({"content": ["Amina fell ill."], "events": [ILL]}, level="document", kind="span")

    assert texts[0].annotations == (Span("illness", Mention("ill", ((11, 14),))),)


def test_annotations_without_a_place_are_faults(read_documents: Read, faults: Faults) -> None:
    wrong = [ILL | {"sent_id": 3}, ILL | {"offset": [11, 16]}, ILL | {"offset": [11]}, {"type": "illness"}, ILL]

    (text, *_) = read_documents(DOCUMENT | {"events": wrong}, level="sentence")

    assert len(text.annotations) == 1
    assert faults.counts == {
        "annotation of a sentence that is not there": 1,
        "offsets outside the text": 1,
        "annotation without label or offsets": 2,
    }


def test_replacements_of_the_card_hold_in_text_and_surfaces(read_documents: Read) -> None:
    document = {"content": ["fell_ill"], "events": [ILL | {"trigger_word": "fell_ill", "offset": [0, 8]}]}

    (text,) = read_documents(document, level="document", joining=Joining(True, replace={ord("_"): " "}))

    assert text.text == "fell ill"
    assert text.annotations == (Event("illness", Mention("fell ill", ((0, 8),))),)


def test_sentences_that_are_no_texts_are_an_error(read_documents: Read) -> None:
    with pytest.raises(ReaderError, match=r"a\.json:item 1: 'content' must hold texts"):
        read_documents({"content": [["Amina"]], "events": []}, level="document")
