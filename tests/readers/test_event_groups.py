"""Events with all the mentions of each, as token offsets within sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.event_groups import Options, read
from massie.sources import RawFile
from massie.types import Event, Mention, ReaderError

Read = Callable[..., list[RawText]]

CONTENT = [
    {"sentence": "Amina fell ill.", "tokens": ["Amina", "fell", "ill", "."]},
    {"sentence": "She soon got well again.", "tokens": ["She", "soon", "got", "well", "again", "."]},
]


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_item(tmp_path: Path, faults: Faults) -> Read:
    def read_file(item: dict[str, Any], joining: Joining | None = None) -> list[RawText]:
        path = tmp_path / "valid.jsonl"
        path.write_text(json.dumps(item, ensure_ascii=False) + "\n", encoding="utf-8")
        reading = Reading("a", "eng", "test", "en", "valid", joining or Joining(spaces=True), faults)
        return list(read([RawFile("valid.jsonl", path)], Options(), reading))

    return read_file


def event(label: str, *places: tuple[int, int, int]) -> dict[str, Any]:
    return {"type": label, "mention": [{"sent_id": number, "offset": [start, end]} for number, start, end in places]}


def test_each_mention_of_an_event_is_an_event_in_the_documents_text(read_item: Read, faults: Faults) -> None:
    events = [event("Illness", (0, 1, 3)), event("Change", (1, 2, 4), (0, 1, 2))]
    negative = [{"trigger_word": "soon", "sent_id": 1, "offset": [1, 2]}]
    item = {"id": "a", "title": "Amina", "content": CONTENT, "events": events, "negative_triggers": negative}
    assert read_item(item) == [
        RawText(
            "Amina fell ill. She soon got well again.",
            (
                Event("Illness", Mention("fell ill", ((6, 14),))),
                Event("Change", Mention("got well", ((25, 33),))),
                Event("Change", Mention("fell", ((6, 10),))),
            ),
            "valid.jsonl:1",
        )
    ]
    assert not faults.counts


def test_sentences_are_joined_as_tokens_are(read_item: Read) -> None:
    content = [
        {"sentence": "甲借款。", "tokens": ["甲", "借款", "。"]},
        {"sentence": "乙还款。", "tokens": ["乙", "还款", "。"]},
    ]
    text = read_item({"content": content, "events": [event("还", (1, 1, 2))]}, Joining(spaces=False))[0]
    assert (text.text, text.annotations) == ("甲借款。乙还款。", (Event("还", Mention("还款", ((5, 7),))),))


def test_the_tokens_are_joined_where_the_sentence_differs_from_them(read_item: Read, faults: Faults) -> None:
    content = [{"sentence": 'Amina "fell" ill.', "tokens": ["Amina", "``", "fell", "''", "ill", "."]}]
    text = read_item({"content": content, "events": [event("Illness", (0, 2, 3))]})[0]
    assert (text.text, text.annotations[0]) == (
        "Amina `` fell '' ill .",
        Event("Illness", Mention("fell", ((9, 13),))),
    )
    assert faults.counts == {"sentence that differs from its tokens, tokens joined": 1}


def test_triggers_outside_their_sentence_are_faults(read_item: Read, faults: Faults) -> None:
    events = [event("Illness", (0, 3, 5), (2, 0, 1), (-1, 0, 1), (0, 2, 2))]
    assert read_item({"content": CONTENT, "events": events})[0].annotations == ()
    assert faults.counts == {"offsets outside the text": 4}


def test_a_test_file_without_events_is_an_error(read_item: Read) -> None:
    with pytest.raises(ReaderError, match=r"valid\.jsonl:1: not of the layout of event groups"):
        read_item({"content": CONTENT, "candidates": []})
