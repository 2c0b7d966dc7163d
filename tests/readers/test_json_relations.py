"""JSON with relations that give the offsets of their mentions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.json_relations import Options, read
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Relation

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {
    "layout": "lines",
    "tokens": "sentence",
    "inclusive": True,
    "relations": "relations",
    "label": "4",
    "head": {"start": "0", "end": "1"},
    "tail": {"start": "2", "end": "3"},
}
ORIGINAL = {"tokens": None, "text": "original", "token_offsets": "places"}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def read_json(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with these items, a line each: ``read_json(item, option=...)``."""

    def read_items(*items: Any, **options: Any) -> list[RawText]:
        path = tmp_path / "a.json"
        path.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
        reading = Reading("a", "eng", "test", "en", "test", Joining(spaces=True), faults)
        return list(read([RawFile("data/a.json", path)], Options.model_validate(OPTIONS | options), reading))

    return read_items


AMINA = Mention("Amina Otieno", ((0, 12),))
KISUMU = Mention("Kisumu", ((22, 28),))
TOKENS = ["Amina", "Otieno", "lives", "in", "Kisumu", "."]


def test_ends_are_inclusive_and_the_direction_is_the_sources(read_json: Read) -> None:
    (text,) = read_json({"sentence": TOKENS, "relations": [[0, 1, 4, 4, "home", "", False], [4, 4, 0, 1, "named"]]})

    assert text == RawText(
        "Amina Otieno lives in Kisumu .",
        (Relation("home", AMINA, KISUMU), Relation("named", KISUMU, AMINA)),
        "data/a.json:1",
    )


def test_a_pair_may_stand_in_several_relations_and_a_mention_with_itself(read_json: Read) -> None:
    relations = [[0, 1, 4, 4, "home"], [0, 1, 4, 4, "work"], [0, 1, 0, 1, "self"]]
    (text,) = read_json({"sentence": TOKENS, "relations": relations})

    assert text.annotations == (
        Relation("home", AMINA, KISUMU),
        Relation("work", AMINA, KISUMU),
        Relation("self", AMINA, AMINA),
    )


def test_a_text_without_relations_is_read(read_json: Read) -> None:
    assert read_json({"sentence": ["'"], "relations": []}) == [RawText("'", (), "data/a.json:1")]


def test_token_offsets_lead_into_the_original_text(read_json: Read) -> None:
    item = {
        "original": "Amina Otieno (Kisumu).",
        "places": [[0, 5], [6, 12], [13, 14], [14, 20], [20, 21], [21, 22]],
        "relations": [[0, 1, 3, 3, "home"]],
    }

    assert read_json(item, **ORIGINAL) == [
        RawText("Amina Otieno (Kisumu).", (Relation("home", AMINA, Mention("Kisumu", ((14, 20),))),), "data/a.json:1")
    ]


def test_broken_relations_are_faults_and_the_rest_is_read(read_json: Read, faults: Faults) -> None:
    relations = [[0, 1, 4], [0, 1, 4, 6, "home"], [0, 1, 4, None, "home"], [0, 1, 4, 4, "home"]]
    (text,) = read_json({"sentence": TOKENS, "relations": relations})

    assert text.annotations == (Relation("home", AMINA, KISUMU),)
    assert faults.counts == {"annotation without label or offsets": 2, "offsets outside the text": 1}


def test_token_offsets_that_are_no_pairs_are_an_error(read_json: Read) -> None:
    with pytest.raises(ReaderError, match=r"data/a\.json:1: 'places' must hold pairs of numbers"):
        read_json({"original": "Amina", "places": [0, 5], "relations": []}, **ORIGINAL)
