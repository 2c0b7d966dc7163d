from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, Reading
from massie.readers.oneie import Options, read
from massie.readers.reading import RawText
from massie.sources import RawFile
from massie.types import Argument, Event, Mention, ReaderError

ENTITIES = [
    {"id": "T1", "start": 0, "end": 2, "text": "The mill", "entity_type": "ORG"},
    {"id": "T2", "start": 3, "end": 4, "text": "Ostrava", "entity_type": "GPE"},
]


def event(**changes: Any) -> dict[str, Any]:
    return {
        "event_type": "closing",
        "trigger": {"start": 4, "end": 5, "text": "closed"},
        "arguments": [{"entity_id": "T1", "role": "firm"}, {"entity_id": "T2", "role": "place"}],
    } | changes


def document(*events: dict[str, Any], **more: Any) -> dict[str, Any]:
    tokens = ["The", "mill", "at", "Ostrava", "closed", "."]
    return {"tokens": tokens, "entity_mentions": ENTITIES, "event_mentions": list(events)} | more


def texts_of(folder: Path, *items: Any, spaces: bool = True) -> tuple[list[RawText], Faults]:
    path = folder / "a.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    reading = Reading("d", "eng", "test", "eng", "test", Joining(spaces), Faults())
    return list(read([RawFile("a.jsonl", path)], Options(), reading)), reading.faults


def sentence(start: int, *tokens: str) -> list[Any]:
    """Tokens a space apart, with their offsets in the page, and the sentence's text."""
    offsets: list[Any] = []
    for token in tokens:
        offsets.append([token, start, start + len(token)])
        start += len(token) + 1
    return [offsets, " ".join(tokens)]


def test_reads_token_indices_as_places_in_the_joined_tokens(tmp_path: Path) -> None:
    [text], faults = texts_of(tmp_path, document(event()))
    assert text.text == "The mill at Ostrava closed ."
    firm, place = Argument("firm", Mention("The mill", ((0, 8),))), Argument("place", Mention("Ostrava", ((12, 19),)))
    assert text.annotations == (Event("closing", Mention("closed", ((20, 26),)), (firm, place)),)
    assert not faults.counts


def test_takes_surfaces_from_the_joined_tokens_where_the_stated_ones_are_spelled_otherwise(tmp_path: Path) -> None:
    item = {
        "tokens": ["U", ".", "S", "struck"],
        "entity_mentions": [{"id": "T1", "start": 0, "end": 3, "text": "U.S"}],
        "event_mentions": [
            {
                "event_type": "attack",
                "trigger": {"start": 3, "end": 4},
                "arguments": [{"entity_id": "T1", "role": "who"}],
            }
        ],
    }
    [text], _ = texts_of(tmp_path, item)
    assert text.annotations == (
        Event("attack", Mention("struck", ((6, 12),)), (Argument("who", Mention("U . S", ((0, 5),))),)),
    )


def test_uses_the_sentences_own_text_where_the_document_has_it(tmp_path: Path) -> None:
    words = [["The", 0, 3], ["mill", 4, 8], ["at", 9, 11], ["Ostrava", 12, 19], ["closed", 20, 26], [".", 26, 27]]
    [text], _ = texts_of(tmp_path, document(event(), sentences=[[words, "The mill at Ostrava closed."]]))
    assert text.text == "The mill at Ostrava closed."
    [closing] = text.annotations
    assert isinstance(closing, Event)
    assert closing.trigger == Mention("closed", ((20, 26),))


def test_restores_the_white_space_between_sentences_from_their_offsets(tmp_path: Path) -> None:
    sentences = [sentence(0, "One", "."), sentence(6, "Two", "."), sentence(15, "Three", "."), sentence(22, "Four")]
    item = {"sentences": sentences, "entity_mentions": [], "event_mentions": []}
    [text], _ = texts_of(tmp_path, item)
    assert text.text == "One . Two .\nThree .Four"


def test_finds_mentions_in_later_sentences(tmp_path: Path) -> None:
    sentences = [sentence(3, "It", "rained", "."), sentence(20, "Jana", "left", ".")]
    entities = [{"id": "T1", "start": 3, "end": 4, "text": "Jana"}]
    leaving = event(
        event_type="leaving",
        trigger={"start": 4, "end": 5, "text": "left"},
        arguments=[{"entity_id": "T1", "role": "who"}],
    )
    [text], _ = texts_of(tmp_path, document(leaving, sentences=sentences, entity_mentions=entities))
    [found] = text.annotations
    assert isinstance(found, Event)
    for mention in (found.trigger, found.arguments[0].mention):
        [(start, end)] = mention.fragments
        assert text.text[start:end] == mention.surface


def test_a_document_without_events_is_kept(tmp_path: Path) -> None:
    assert texts_of(tmp_path, document())[0][0].annotations == ()


def test_counts_arguments_without_entity_and_mentions_beyond_the_tokens(tmp_path: Path) -> None:
    missing = event(arguments=[{"entity_id": "T9", "role": "firm"}])
    beyond = event(trigger={"start": 40, "end": 41, "text": "closed"})
    [text], faults = texts_of(tmp_path, document(missing, beyond))
    assert text.annotations == (Event("closing", Mention("closed", ((20, 26),))),)
    assert faults.places == {
        "argument whose entity is missing or lies beyond the tokens": ["a.jsonl:1"],
        "event whose trigger lies beyond the tokens": ["a.jsonl:1"],
    }


@pytest.mark.parametrize("item", [{"tokens": ["a"]}, ["a"], document({"event_type": "closing"})])
def test_a_line_of_another_layout_is_an_error_that_names_it(tmp_path: Path, item: Any) -> None:
    with pytest.raises(ReaderError, match=r"a\.jsonl:2: not of the layout of OneIE"):
        texts_of(tmp_path, document(), item)
