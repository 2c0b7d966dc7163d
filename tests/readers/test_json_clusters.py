"""Relations between entities with several mentions: JSON with character offsets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.json_clusters import Options, read
from massie.sources import RawFile
from massie.types import Mention, Relation

Read = Callable[..., list[RawText]]

OPTIONS = Options.model_validate(
    {
        "layout": "object",
        "text": "text",
        "entities": "entities",
        "id": "id",
        "mentions": "mentions",
        "start": "start",
        "end": "end",
        "surface": "value",
        "unusable": "value",
        "relations": "relations",
        "head": "0",
        "label": "1",
        "tail": "2",
    }
)
TEXT = "Le docteur Marie Dulac vit à Lirac. Marie aime Lirac."


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_json(tmp_path: Path, faults: Faults) -> Callable[..., RawText]:
    """Reads one document with these entities and relations."""

    def read_document(entities: list[Any], relations: list[Any]) -> RawText:
        path = tmp_path / "a.json"
        document = {"7_1": {"text": TEXT, "entities": entities, "relations": relations}}
        path.write_text(json.dumps(document), encoding="utf-8")
        reading = Reading("a", "fra", "test", "fr", "test", Joining(spaces=True), faults)
        (text,) = read([RawFile("data/a.json", path)], OPTIONS, reading)
        return text

    return read_document


def mention(surface: str, start: int) -> dict[str, Any]:
    return {"value": surface, "start": start, "end": start + len(surface)}


MARIE = {"id": 0, "mentions": [mention("Marie", 36), mention("Marie Dulac", 11)]}
LIRAC = {"id": 1, "mentions": [mention("Lirac", 47), mention("Lirac", 29)]}
DULAC = Mention("Marie Dulac", ((11, 22),))
SHORT = Mention("Marie", ((36, 41),))
PLACE = Mention("Lirac", ((29, 34),))


def test_every_pair_of_distinct_surfaces_is_a_relation_of_first_mentions(read_json: Callable[..., RawText]) -> None:
    text = read_json([MARIE, LIRAC], [[0, "LIVES_IN", 1]])

    assert text.where == "data/a.json:7_1"
    assert text.annotations == (Relation("LIVES_IN", DULAC, PLACE), Relation("LIVES_IN", SHORT, PLACE))


def test_a_relation_of_an_entity_to_itself_holds_of_each_surface(read_json: Callable[..., RawText]) -> None:
    text = read_json([MARIE], [[0, "FEMALE", 0]])

    assert text.annotations == (Relation("FEMALE", DULAC, DULAC), Relation("FEMALE", SHORT, SHORT))


def test_entities_with_the_marking_key_have_no_usable_mentions(
    read_json: Callable[..., RawText], faults: Faults
) -> None:
    size = {"id": 2, "value": "2", "mentions": [mention("docteur", 3)]}
    text = read_json([MARIE, LIRAC, size], [[0, "SIZE", 2], [2, "SIZE", 0], [0, "LIVES_IN", 1]])

    assert {record.label for record in text.annotations} == {"LIVES_IN"}
    assert faults.counts == {"relation to an entity without usable mentions": 2}
    assert faults.places["relation to an entity without usable mentions"] == ["data/a.json:7_1"] * 2


def test_a_mention_that_is_not_at_its_offsets_is_a_fault_and_stands_for_nothing(
    read_json: Callable[..., RawText], faults: Faults
) -> None:
    moved = {"id": 0, "mentions": [mention("Marie", 35), mention("Marie Dulac", 11), mention("Marie", 99), {}]}
    text = read_json([moved, LIRAC], [[0, "LIVES_IN", 1]])

    assert text.annotations == (Relation("LIVES_IN", DULAC, PLACE),)
    assert faults.counts == {
        "mention that is not at its offsets": 1,
        "offsets outside the text": 1,
        "annotation without label or offsets": 1,
    }


def test_relations_that_lead_nowhere_are_faults(read_json: Callable[..., RawText], faults: Faults) -> None:
    text = read_json([MARIE, {"mentions": []}], [[0, "LIVES_IN", 5], [0, "LIVES_IN"]])

    assert text.annotations == ()
    assert faults.counts == {"relation to an unknown entity": 1, "annotation without label or offsets": 2}
