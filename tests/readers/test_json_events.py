from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.readers import Faults, Joining, Reading
from massie.readers.json_events import Options, read
from massie.readers.reading import RawText
from massie.sources import RawFile
from massie.types import Argument, Event, Mention, ReaderError, Span

TEXT = "The mill at Ostrava closed, and Jana lost her job."
PATHS: dict[str, Any] = {
    "layout": "lines",
    "text": "text",
    "events": "events[]",
    "label": ["type"],
    "trigger": {"start": "trigger.start", "end": "trigger.end", "surface": "trigger.text"},
    "arguments": {"each": "arguments[]", "role": "role", "start": "start", "end": "end", "surface": "text"},
}


def reading(**joining: Any) -> Reading:
    return Reading("d", "eng", "test", "eng", "test", Joining(True, **joining), Faults())


def stood(surface: str, shift: int = 0, **more: str) -> dict[str, Any]:
    start = TEXT.index(surface) + shift
    return {"text": surface, "start": start, "end": start + len(surface), **more}


def mention(surface: str) -> Mention:
    start = TEXT.index(surface)
    return Mention(surface, ((start, start + len(surface)),))


def closing(shift: int = 0) -> dict[str, Any]:
    return {
        "type": "closing",
        "trigger": stood("closed", shift),
        "arguments": [stood("The mill", shift, role="firm"), stood("Ostrava", shift, role="place")],
    }


CLOSING = Event(
    "closing", mention("closed"), (Argument("firm", mention("The mill")), Argument("place", mention("Ostrava")))
)


def texts_of(
    folder: Path, items: list[Any], options: dict[str, Any] | None = None, at: Reading | None = None
) -> list[RawText]:
    path = folder / "a.jsonl"
    path.write_text("\n".join(json.dumps(item, ensure_ascii=False) for item in items) + "\n\n", encoding="utf-8")
    return list(read([RawFile("a.jsonl", path)], Options.model_validate(PATHS | (options or {})), at or reading()))


def test_reads_type_trigger_and_arguments_at_their_paths(tmp_path: Path) -> None:
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [closing()]}])
    assert text == RawText(TEXT, (CLOSING,), "a.jsonl:1")


BY_ROLE: dict[str, Any] = {
    "trigger": None,
    "arguments": {**PATHS["arguments"], "trigger_role": "trigger"},
}


def test_the_trigger_may_be_the_argument_of_a_role(tmp_path: Path) -> None:
    arguments = [*closing()["arguments"], stood("closed", role="trigger")]
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [{"type": "closing", "arguments": arguments}]}], BY_ROLE)
    assert text.annotations == (CLOSING,)


def test_several_arguments_of_that_role_are_fragments_of_the_trigger(tmp_path: Path) -> None:
    arguments = [stood(surface, role="trigger") for surface in ("her job", "lost", "lost")]
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [{"type": "loss", "arguments": arguments}]}], BY_ROLE)
    lost, job = mention("lost").fragments[0], mention("her job").fragments[0]
    assert text.annotations == (Event("loss", Mention("lost her job", (lost, job))),)


def test_an_event_without_an_argument_of_that_role_is_a_fault(tmp_path: Path) -> None:
    at = reading()
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [closing()]}], BY_ROLE, at)
    assert text.annotations == ()
    assert at.faults.counts == {"event without a trigger": 1}


@pytest.mark.parametrize("options", [{"trigger": None}, {"arguments": BY_ROLE["arguments"]}])
def test_the_trigger_is_said_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"exactly one of trigger and arguments\.trigger_role"):
        Options.model_validate(PATHS | options)


def test_entities_come_before_the_events(tmp_path: Path) -> None:
    at = reading()
    entities = [stood("Jana", kind="person"), stood("Ostrava"), {"kind": "city", "start": 5, "end": 99}]
    item: dict[str, Any] = {"text": TEXT, "events": [closing()], "entities": entities}
    [text] = texts_of(
        tmp_path, [item], {"spans": {"each": "entities[]", "label": "kind", "start": "start", "end": "end"}}, at
    )
    assert text.annotations == (Span("person", mention("Jana")), CLOSING)
    assert at.faults.counts == {"annotation without label or offsets": 1, "offsets outside the text": 1}


def test_goes_through_lists_of_lists(tmp_path: Path) -> None:
    item: dict[str, Any] = {
        "text": TEXT,
        "story": {"groups": [{"events": [closing()]}, {"events": []}, {"events": [closing()]}]},
    }
    [text] = texts_of(tmp_path, [item], {"events": "story.groups[].events[]"})
    assert text.annotations == (CLOSING, CLOSING)


def test_joins_the_levels_of_a_type_with_colons(tmp_path: Path) -> None:
    event = closing() | {"subtype": "for good"}
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [event]}], {"label": ["type", "subtype"]})
    assert [event.label for event in text.annotations if isinstance(event, Event)] == ["closing:for good"]


def test_a_number_in_a_path_is_a_place_in_a_list(tmp_path: Path) -> None:
    start = TEXT.index("lost")
    item = {"text": TEXT, "events": [{"type": "loss", "word": "lost", "offset": [start, start + 4]}]}
    options = {"trigger": {"start": "offset.0", "end": "offset.1", "surface": "word"}, "arguments": None}
    [text] = texts_of(tmp_path, [item], options)
    assert text.annotations == (Event("loss", mention("lost")),)


def test_takes_the_surface_from_the_text_where_none_is_stated(tmp_path: Path) -> None:
    options = {"trigger": {"start": "trigger.start", "end": "trigger.end"}, "arguments": None}
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [closing()]}], options)
    assert text.annotations == (Event("closing", mention("closed")),)


def test_keeps_a_stated_surface_that_does_not_stand_at_its_offsets(tmp_path: Path) -> None:
    event = {"type": "loss", "trigger": {"text": "lose", "start": 37, "end": 41}}
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [event]}])
    assert text.annotations == (Event("loss", Mention("lose", ((37, 41),))),)


def test_an_event_may_lack_its_list_of_arguments(tmp_path: Path) -> None:
    at = reading()
    event = {"type": "closing", "trigger": stood("closed")}
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [event]}], at=at)
    assert text.annotations == (Event("closing", mention("closed")),)
    assert not at.faults.counts


def test_a_text_without_events_is_kept(tmp_path: Path) -> None:
    assert texts_of(tmp_path, [{"text": TEXT, "events": []}]) == [RawText(TEXT, (), "a.jsonl:1")]


def test_mends_offsets_that_are_off_by_the_same_number_and_reports_it(tmp_path: Path) -> None:
    at = reading()
    items = [{"text": TEXT, "events": [closing(shift=1)]}, {"text": TEXT, "events": [closing()]}]
    shifted, plain = texts_of(tmp_path, items, {"offset_repair": [-1]}, at)
    assert shifted.annotations == plain.annotations == (CLOSING,)
    assert at.faults.places == {"text whose offsets were shifted by -1 to meet its surfaces": ["a.jsonl:1"]}


def test_mends_offsets_that_reach_beyond_the_text(tmp_path: Path) -> None:
    event = {"type": "loss", "trigger": stood("job.", shift=1)}
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [event]}], {"offset_repair": [-1]})
    assert text.annotations == (Event("loss", mention("job.")),)


def test_leaves_offsets_alone_where_no_repair_is_asked_for(tmp_path: Path) -> None:
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": [closing(shift=1)]}])
    [event] = text.annotations
    assert isinstance(event, Event)
    assert event.trigger.fragments == ((TEXT.index("closed") + 1, TEXT.index("closed") + 7),)


@given(shift=st.integers(-3, 3))
def test_repair_finds_any_listed_shift(tmp_path_factory: pytest.TempPathFactory, shift: int) -> None:
    event = {"type": "loss", "trigger": stood("lost", shift), "arguments": [stood("Jana", shift, role="who")]}
    item = {"text": TEXT, "events": [event]}
    [text] = texts_of(tmp_path_factory.mktemp("a"), [item], {"offset_repair": [-3, -2, -1, 1, 2, 3]})
    assert text.annotations == (Event("loss", mention("lost"), (Argument("who", mention("Jana")),)),)


def test_counts_what_cannot_be_read_and_goes_on(tmp_path: Path) -> None:
    at = reading()
    broken = [
        {"trigger": stood("closed")},
        {"type": None, "trigger": stood("closed")},
        {"type": "closing", "trigger": {"text": "closed"}},
        {"type": "closing", "trigger": {"text": "closed", "start": 400, "end": 406}},
        closing() | {"arguments": [*closing()["arguments"], {"text": "Jana"}, stood("Jana", 400, role="who")]},
    ]
    [text] = texts_of(tmp_path, [{"text": TEXT, "events": broken}], at=at)
    assert text.annotations == (CLOSING,)
    assert at.faults.counts == {"annotation without label or offsets": 4, "offsets outside the text": 2}


def test_replaces_characters_in_texts_and_surfaces(tmp_path: Path) -> None:
    item = {"text": "a_b c", "events": [{"type": "x", "trigger": {"text": "a_b", "start": 0, "end": 3}}]}
    [text] = texts_of(tmp_path, [item], at=reading(replace={ord("_"): " "}))
    assert text == RawText("a b c", (Event("x", Mention("a b", ((0, 3),))),), "a.jsonl:1")


@pytest.mark.parametrize(
    "item", [{"events": []}, {"text": None, "events": []}, {"text": TEXT}, {"text": TEXT, "events": {}}]
)
def test_an_item_without_text_or_events_is_an_error_that_names_it(tmp_path: Path, item: dict[str, Any]) -> None:
    with pytest.raises(ReaderError, match=r"a\.jsonl:2: no (text|list) at '(text|events)'"):
        texts_of(tmp_path, [{"text": TEXT, "events": []}, item])


def test_a_file_that_is_cut_in_half_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": TEXT, "events": []}) + "\n" + '{"text": "The mi', encoding="utf-8")
    with pytest.raises(ReaderError, match=r"a\.jsonl:2: "):
        list(read([RawFile("a.jsonl", path)], Options.model_validate(PATHS), reading()))
