"""JSON with entities and relations that name them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.json_entities import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation, Span

Read = Callable[..., list[RawText]]

TEXT = "Amina lives in Kisumu."
AMINA, KISUMU = Mention("Amina", ((0, 5),)), Mention("Kisumu", ((15, 21),))
ENTITIES: list[dict[str, Any]] = [
    {"id": 7, "type": "PER", "at": {"start": 0, "end": 5}},
    {"id": 9, "type": "LOC", "at": {"start": 15, "end": 21}},
]
PATHS = {
    "layout": "array",
    "text": "text",
    "entities": "entities",
    "label": "type",
    "start": "at.start",
    "end": "at.end",
    "relations": "relations",
    "relation": "type",
    "head": "head",
    "tail": "tail",
}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_items(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with these items, beside files with texts: ``read_items(item, texts={"a": "..."}, option=...)``."""

    def read_them(*items: Any, texts: dict[str, str] | None = None, **options: Any) -> list[RawText]:
        contents = {"a.json": json.dumps(items)} | {f"{stem}.txt": text for stem, text in (texts or {}).items()}
        files: list[RawFile] = []
        for name, content in contents.items():
            path = tmp_path / name
            path.write_bytes(content.encode())
            files.append(RawFile(f"data/{name}", path))
        reading = Reading("a", "eng", "all", "en", "all", Joining(spaces=True), faults)
        return list(read(files, Options.model_validate({**PATHS, **options}), reading))

    return read_them


def item(*relations: Any, text: str = TEXT) -> dict[str, Any]:
    return {"text": text, "entities": ENTITIES, "relations": list(relations)}


def residence(head: object, tail: object) -> dict[str, object]:
    return {"type": "residence", "head": head, "tail": tail}


RESIDENCE = Relation("residence", AMINA, KISUMU)
SPANS = (Span("PER", AMINA), Span("LOC", KISUMU))


def test_relations_name_entities_by_their_place_in_the_list(read_items: Read, faults: Faults) -> None:
    assert read_items(item(residence(0, 1))) == [RawText(TEXT, (*SPANS, RESIDENCE), "data/a.json:item 1")]
    assert not faults.counts


def test_relations_name_entities_by_id(read_items: Read) -> None:
    (text,) = read_items(item(residence(7, 9), residence(9, 7)), id="id")
    assert text.annotations == (*SPANS, RESIDENCE, Relation("residence", KISUMU, AMINA))


def test_a_text_may_stand_in_a_file_of_its_own(read_items: Read, faults: Faults) -> None:
    (text,) = read_items(item(residence(0, 1), text="t1"), texts={"t1": "\ufeff" + TEXT}, text_files=True)
    assert (text.text, text.annotations) == (TEXT, (*SPANS, RESIDENCE))
    assert not faults.counts


def test_an_item_whose_file_is_not_listed_is_left_out_and_counted(read_items: Read, faults: Faults) -> None:
    found = read_items(item(text="t1"), item(text="t2"), texts={"t2": TEXT}, text_files=True)
    assert [text.where for text in found] == ["data/a.json:item 2"]
    assert faults.counts == {"item whose text is in no file, left out": 1}


def test_a_relation_of_an_entity_that_is_not_there_is_a_fault(read_items: Read, faults: Faults) -> None:
    (text,) = read_items(item(residence(0, 2), residence(0, 1), {"type": "residence", "head": 0}))
    assert text.annotations == (*SPANS, RESIDENCE)
    assert faults.counts == {"relation to an unknown entity": 1, "annotation without label or offsets": 1}


def test_an_entity_that_cannot_be_used_keeps_its_place_in_the_list(read_items: Read, faults: Faults) -> None:
    entities = [{"type": "PER", "at": {"start": 0, "end": 99}}, {"type": "PER"}, *ENTITIES]
    (text,) = read_items({"text": TEXT, "entities": entities, "relations": [residence(2, 3), residence(0, 3)]})
    assert text.annotations == (*SPANS, RESIDENCE)
    assert faults.counts == {
        "offsets outside the text": 1,
        "annotation without label or offsets": 1,
        "relation to an unknown entity": 1,
    }


def test_an_item_without_relations_list_cannot_be_read(read_items: Read) -> None:
    with pytest.raises(ReaderError, match=r"data/a\.json:item 1: no list at 'relations'"):
        read_items({"text": TEXT, "entities": []})
