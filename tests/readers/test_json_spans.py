"""JSON with labelled spans: layouts, units of offsets, and what is wrong in real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.json_spans import Options, read
from massie.sources import RawFile
from massie.types import Event, Mention, ReaderError, Span

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {
    "layout": "lines",
    "text": "text",
    "annotations": "entities",
    "label": "type",
    "start": "start",
    "end": "end",
}
AMINA = {"text": "Amina lives in Kisumu.", "entities": [{"type": "person", "start": 0, "end": 5}]}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_json(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with this content: ``read_json(content, option=...)``."""

    def read_content(content: str | bytes, joining: Joining | None = None, **options: Any) -> list[RawText]:
        path = tmp_path / "a.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        used = Reading("a", "eng", "test", "en", "test", joining or Joining(spaces=True), faults)
        return list(read([RawFile("data/a.json", path)], Options.model_validate(OPTIONS | options), used))

    return read_content


def lines(*items: Any) -> str:
    return "\n".join(json.dumps(item, ensure_ascii=False) for item in items)


def test_a_line_is_a_text_with_its_spans(read_json: Read) -> None:
    assert read_json(lines(AMINA)) == [
        RawText("Amina lives in Kisumu.", (Span("person", Mention("Amina", ((0, 5),))),), "data/a.json:1")
    ]


def test_an_array_and_an_object_hold_items_too(read_json: Read) -> None:
    array = read_json(json.dumps([AMINA, AMINA], indent=2), layout="array")
    by_id = read_json(json.dumps({"x-7": AMINA}), layout="object")

    assert [text.where for text in array] == ["data/a.json:item 1", "data/a.json:item 2"]
    assert [text.where for text in by_id] == ["data/a.json:x-7"]
    assert array[0].annotations == by_id[0].annotations == read_json(lines(AMINA))[0].annotations


def test_bom_crlf_blank_lines_and_line_separators_within_text_are_no_trouble(read_json: Read) -> None:
    separated: dict[str, Any] = {"text": "Amina\u2028lives", "entities": []}
    content = "\ufeff" + lines(AMINA) + "\r\n\r\n  \r\n" + lines(separated) + "\r\n"

    assert [text.where for text in read_json(content)] == ["data/a.json:1", "data/a.json:4"]


def test_a_pair_of_offsets_is_reached_by_list_positions(read_json: Read) -> None:
    item = {"text": "Kisumu", "entities": [{"type": "place", "span": [0, 6]}]}

    assert read_json(lines(item), start="span.0", end="span.1")[0].annotations == (
        Span("place", Mention("Kisumu", ((0, 6),))),
    )


def test_an_inclusive_end_is_the_last_character(read_json: Read) -> None:
    item = {"text": "Amina lives", "entities": [{"type": "person", "start": 0, "end": 4}]}

    assert read_json(lines(item), inclusive=True)[0].annotations == (Span("person", Mention("Amina", ((0, 5),))),)


def test_the_surface_is_the_one_that_the_source_states(read_json: Read) -> None:
    item = {"text": "Amina lives", "entities": [{"type": "person", "start": 0, "end": 4, "name": "Amina"}]}

    # The build finds that it does not stand there.
    assert read_json(lines(item), surface="name")[0].annotations == (Span("person", Mention("Amina", ((0, 4),))),)


def test_single_characters_are_replaced_in_text_and_stated_surface(read_json: Read) -> None:
    item = {"text": "Cao_Lãnh ở đây", "entities": [{"type": "place", "start": 0, "end": 8, "name": "Cao_Lãnh"}]}
    (text,) = read_json(lines(item), Joining(spaces=True, replace={ord("_"): " "}), surface="name")

    assert text.text == "Cao Lãnh ở đây"
    assert text.annotations == (Span("place", Mention("Cao Lãnh", ((0, 8),))),)


def test_tokens_are_joined_and_offsets_count_them(read_json: Read) -> None:
    item = {"tokens": ["Amina", "lives", "in", "Port", "Reitz"], "entities": [{"type": "place", "start": 3, "end": 5}]}
    (text,) = read_json(lines(item), tokens="tokens", text=None)

    assert text.text == "Amina lives in Port Reitz"
    assert text.annotations == (Span("place", Mention("Port Reitz", ((15, 25),))),)


def test_a_token_may_stand_for_a_space_of_a_text_without_them(read_json: Read) -> None:
    item = {"tokens": ["นาย", "_", "ก้อง"], "entities": [{"type": "person", "start": 0, "end": 3}]}
    (text,) = read_json(lines(item), Joining(spaces=False, space_token="_"), tokens="tokens", text=None)

    assert text.text == "นาย ก้อง"
    assert text.annotations == (Span("person", Mention("นาย ก้อง", ((0, 8),))),)


def test_nested_and_equal_spans_are_kept(read_json: Read) -> None:
    spans = [{"type": "firm", "start": 0, "end": 11}, {"type": "person", "start": 0, "end": 5}]
    (text,) = read_json(lines({"text": "Amina Works", "entities": [*spans, spans[1]]}))

    assert [record.mention.surface for record in text.annotations if isinstance(record, Span)] == [
        "Amina Works",
        "Amina",
        "Amina",
    ]


def test_triggers_are_events(read_json: Read) -> None:
    item = {"text": "至城", "events": [{"label": "移动-到达", "trigger": "至", "from": 0, "to": 1}]}
    paths = {"annotations": "events", "label": "label", "start": "from", "end": "to", "surface": "trigger"}
    (text,) = read_json(lines(item), kind="event", **paths)

    assert text.annotations == (Event("移动-到达", Mention("至", ((0, 1),))),)


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        ({"start": 0, "end": 5}, "annotation without label or offsets"),
        ({"type": "person", "end": 5}, "annotation without label or offsets"),
        ({"type": "person", "start": None, "end": 5}, "annotation without label or offsets"),
        ("person", "annotation without label or offsets"),
        ({"type": "person", "start": 20, "end": 99}, "offsets outside the text"),
        ({"type": "person", "start": 5, "end": 5}, "offsets outside the text"),
        ({"type": "person", "start": -5, "end": 5}, "offsets outside the text"),
        ({"type": "person", "start": "five", "end": 5}, "offsets outside the text"),
    ],
)
def test_a_broken_annotation_is_a_fault_and_the_rest_is_read(
    read_json: Read, faults: Faults, broken: Any, kind: str
) -> None:
    item = AMINA | {"entities": [broken, *AMINA["entities"]]}

    assert read_json(lines(item))[0].annotations == read_json(lines(AMINA))[0].annotations
    assert faults.counts == {kind: 1}
    assert faults.places[kind] == ["data/a.json:1"]


@pytest.mark.parametrize("options", [{}, {"layout": "array"}, {"layout": "object"}])
def test_a_file_that_is_cut_off_is_an_error_that_names_the_line(read_json: Read, options: dict[str, str]) -> None:
    content = lines(AMINA) if options == {} else json.dumps([AMINA], indent=1)
    with pytest.raises(ReaderError, match=r"a\.json:\d+: not valid JSON .*fetch the file again"):
        read_json(content[:-20], **options)


def test_another_layout_than_the_card_says_is_an_error(read_json: Read) -> None:
    with pytest.raises(ReaderError, match="not one JSON object; set the reader's layout"):
        read_json(json.dumps([AMINA]), layout="object")


def test_an_item_without_text_or_list_is_an_error_that_names_the_path(read_json: Read) -> None:
    with pytest.raises(ReaderError, match=r"data/a\.json:1: no text at 'text'"):
        read_json(lines({"entities": []}))
    with pytest.raises(ReaderError, match=r"data/a\.json:1: no list at 'entities'"):
        read_json(lines({"text": "Amina"}))
    with pytest.raises(ReaderError, match=r"data/a\.json:1: no list at 'tokens'"):
        read_json(lines(AMINA), tokens="tokens", text=None)


def test_options_name_one_kind_of_text(read_json: Read) -> None:
    with pytest.raises(ValidationError, match="exactly one of text and tokens"):
        read_json(lines(AMINA), tokens="tokens")
    with pytest.raises(ValidationError, match="token_offsets are offsets in text"):
        read_json(lines(AMINA), tokens="tokens", text=None, token_offsets="at")
