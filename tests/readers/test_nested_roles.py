from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, Reading
from massie.readers.nested_roles import Options, read
from massie.readers.reading import RawText
from massie.sources import RawFile
from massie.types import Argument, Event, Mention, ReaderError

TEXT = "Two boys, after tea and after coffee with milk, slept badly."


def filled(*fillers: list[str], **more: Any) -> dict[str, Any]:
    """The holder of a role whose fillers are lists of fragments, each found where it first stands."""
    return {"text": list(fillers), "start": [[TEXT.index(part) for part in filler] for filler in fillers]} | more


def mention(*fragments: str) -> Mention:
    starts = [TEXT.index(part) for part in fragments]
    places = tuple((start, start + len(part)) for start, part in zip(starts, fragments, strict=True))
    return Mention(" ".join(fragments), places)


def event(**roles: Any) -> dict[str, Any]:
    return {"event_id": "E1", "event_type": "trouble", "Trigger": filled(["after"]), **roles}


def texts_of(folder: Path, *events: dict[str, Any]) -> tuple[list[RawText], Faults]:
    return read_items(folder, {"context": TEXT, "annotations": [{"events": list(events)}]})


def read_items(folder: Path, *items: Any) -> tuple[list[RawText], Faults]:
    path = folder / "a.json"
    path.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    reading = Reading("d", "eng", "test", "eng", "test", Joining(True), Faults())
    return list(read([RawFile("a.json", path)], Options(), reading)), reading.faults


def arguments_of(folder: Path, **roles: Any) -> tuple[Argument, ...]:
    [text], _ = texts_of(folder, event(**roles))
    [found] = text.annotations
    assert isinstance(found, Event)
    return found.arguments


def test_reads_keys_as_roles(tmp_path: Path) -> None:
    [text], faults = texts_of(tmp_path, event(Who=filled(["Two boys"])))
    assert text == RawText(
        TEXT, (Event("trouble", mention("after"), (Argument("Who", mention("Two boys")),)),), "a.json:1"
    )
    assert not faults.counts


def test_calls_a_role_within_a_role_by_its_path(tmp_path: Path) -> None:
    found = arguments_of(tmp_path, Who=filled(["Two boys"], Number=filled(["Two"])))
    assert found == (Argument("Who", mention("Two boys")), Argument("Who.Number", mention("Two")))


def test_the_outer_list_holds_fillers_and_the_inner_one_fragments(tmp_path: Path) -> None:
    found = arguments_of(tmp_path, Drink=filled(["tea"], ["coffee", "milk"]))
    assert found == (Argument("Drink", mention("tea")), Argument("Drink", mention("coffee", "milk")))


def test_puts_fragments_in_the_order_of_the_text(tmp_path: Path) -> None:
    assert arguments_of(tmp_path, Drink=filled(["milk", "coffee"])) == (Argument("Drink", mention("coffee", "milk")),)


def test_a_list_of_objects_repeats_the_role(tmp_path: Path) -> None:
    parts = [{"event_type": "Mix", "Trigger": filled(["with"]), "Part": filled(["milk"])}, {"Part": filled(["coffee"])}]
    assert arguments_of(tmp_path, Drink={"Mix": parts}) == (
        Argument("Drink.Mix.Trigger", mention("with")),
        Argument("Drink.Mix.Part", mention("milk")),
        Argument("Drink.Mix.Part", mention("coffee")),
    )


def test_attributes_and_ids_are_no_roles(tmp_path: Path) -> None:
    found = arguments_of(tmp_path, How=filled(["badly"], entity_id=["T7"], value="High"))
    assert found == (Argument("How", mention("badly")),)


def test_a_text_without_events_is_kept(tmp_path: Path) -> None:
    assert texts_of(tmp_path)[0] == [RawText(TEXT, (), "a.json:1")]


def test_counts_events_without_one_trigger(tmp_path: Path) -> None:
    bare = {"event_type": "trouble", "Who": filled(["Two boys"])}
    [text], faults = texts_of(tmp_path, bare, event(Trigger=filled(["slept"], ["after"])))
    assert text.annotations == (Event("trouble", mention("slept")),)
    assert faults.counts == {"event without a trigger": 1, "event with several triggers": 1}


@pytest.mark.parametrize(
    "item",
    [
        {"text": TEXT},
        {"context": TEXT, "annotations": [{"events": [{"Trigger": filled(["after"])}]}]},
        {"context": TEXT, "annotations": [{"events": [event(Who={"text": [["Two"]], "start": [[0, 4]]})]}]},
    ],
)
def test_a_line_of_another_layout_is_an_error_that_names_it(tmp_path: Path, item: Any) -> None:
    with pytest.raises(ReaderError, match=r"a\.json:2: not of the layout of nested roles"):
        read_items(tmp_path, {"context": TEXT, "annotations": []}, item)
