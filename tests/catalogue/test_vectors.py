"""The conformance vectors: what their file must hold, and that it covers what scoring has rules for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from massie.catalogue import SCORE_NAMES, conformance_vectors, read_vectors
from massie.types import ContentError, Task

EXPECT = {
    "lf1": 1.0, "f1": 1.0, "lf1_by_schema": 1.0, "matched_lf1": 1.0,
    "tp": 1, "predicted": 1, "gold": 1, "invalid": False, "malformed": 0, "off_schema": 0,
}  # fmt: skip
VECTOR: dict[str, Any] = {
    "id": "a",
    "task": "NER",
    "about": "exact",
    "schemas": ["person"],
    "gold": [{"entity": "Bo", "entity_type": "person"}],
    "prediction": [{"entity": "Bo", "entity_type": "person"}],
    "expect": EXPECT,
}
WITHOUT_ANSWER = {key: value for key, value in VECTOR.items() if key != "prediction"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vectors.yaml"


def write(file: Path, *vectors: Any) -> Path:
    file.write_text(json.dumps({"Rules": vectors}), encoding="utf-8")  # JSON is YAML
    return file


def test_a_vector_is_read_with_its_section(file: Path) -> None:
    (vector,) = read_vectors(write(file, VECTOR))
    assert (vector.section, vector.task, vector.schemas) == ("Rules", Task.NER, ("person",))
    assert vector.expect.pinned() == EXPECT


def test_a_question_holds_the_sample_and_the_answer_and_no_expectation(file: Path) -> None:
    schema = {"event_type": "meet", "roles": ["place"]}
    event = {"event_trigger": "met", "event_type": "meet", "arguments": []}
    expect = EXPECT | {"hallucinated": 0}
    ee = WITHOUT_ANSWER | {"id": "b", "task": "EE", "schemas": [schema], "gold": [event], "expect": expect}
    records, raw = read_vectors(write(file, VECTOR, ee | {"output": "", "text": "They met."}))
    assert records.question() == {key: VECTOR[key] for key in ("id", "task", "schemas", "gold", "prediction")}
    assert raw.question() == {
        "id": "b", "task": "EE", "schemas": [schema], "gold": [event], "output": "", "text": "They met."
    }  # fmt: skip


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        (WITHOUT_ANSWER, "give either a prediction or an output"),
        (VECTOR | {"output": "[]"}, "give either a prediction or an output"),
        (VECTOR | {"text": "Bo left."}, "hallucinated is expected where there is a text, and only there"),
        (VECTOR | {"expect": EXPECT | {"hallucinated": 0}}, "hallucinated is expected where there is a text"),
        (VECTOR | {"expect": EXPECT | {"precision": 1.0}}, "expect.precision: unknown key"),
        (VECTOR | {"expect": {"lf1": 1.0}}, "expect.f1: this key is missing"),
        (VECTOR | {"expect": EXPECT | {"lf1": 1.1}}, "expect.lf1: must be less than or equal to 1"),
        (VECTOR | {"expect": EXPECT | {"lf1": True}}, "expect.lf1: must be a valid number"),
        (VECTOR | {"expect": EXPECT | {"tp": 1.0}}, "expect.tp: must be a valid integer"),
        (VECTOR | {"expect": EXPECT | {"invalid": 0}}, "expect.invalid: must be a valid boolean"),
        (VECTOR | {"expect": EXPECT | {"missed": 1}}, "expect: of the error kinds only missed are given"),
        (VECTOR | {"task": "POS"}, "task: must be 'NER', 'RE', 'SF', 'ED' or 'EE'"),
        (VECTOR | {"about": ""}, "about: must have at least 1 character"),
        (VECTOR | {"schemas": []}, "schemas: must have at least 1 item"),
        (VECTOR | {"schemas": [{"event_type": "meet", "roles": []}]}, "the schemas of EE have an event_type and roles"),
        (VECTOR | {"task": "EE"}, "the schemas of EE have an event_type and roles"),
        (VECTOR | {"gold": [{"entity": "Bo"}]}, "a gold record is malformed: the key entity_type is missing"),
        (VECTOR | {"section": "Other"}, "section: unknown key"),
        (VECTOR | {"why": "because"}, "why: unknown key"),
        ("a", "must be an object with id, task, about"),
    ],
)
def test_a_vector_that_is_not_well_formed_is_told_with_file_and_field(file: Path, vector: Any, said: str) -> None:
    with pytest.raises(ContentError) as error:
        read_vectors(write(file, VECTOR | {"id": "first"}, vector))
    assert str(error.value).startswith(f"{file}: vector 2 of 'Rules'")
    assert said in str(error.value)


def test_two_vectors_of_one_id_are_refused(file: Path) -> None:
    with pytest.raises(ContentError, match="two vectors are called 'a'; rename one"):
        read_vectors(write(file, VECTOR, VECTOR))


@pytest.mark.parametrize(
    ("content", "said"),
    [("- id: a\n", "must map sections to lists of vectors"), ("Rules: none\n", "Rules: must be a list of vectors")],
)
def test_a_file_without_sections_is_refused(file: Path, content: str, said: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ContentError, match=said):
        read_vectors(file)


# ---- What the vectors of metrics/ cover

VECTORS = conformance_vectors()


def strings(value: Any) -> str:
    """All strings in a JSON value, one after the other."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    return " ".join(map(strings, value)) if isinstance(value, list) else ""


def test_more_than_two_hundred_vectors_cover_the_five_tasks() -> None:
    assert len(VECTORS) > 200
    number = Counter(vector.task for vector in VECTORS)
    assert set(number) == set(Task)
    assert min(number.values()) >= 15


@pytest.mark.parametrize("task", Task)
def test_each_task_has_what_every_task_can_get_wrong(task: Task) -> None:
    mine = [vector for vector in VECTORS if vector.task is task]
    expected = [vector.expect for vector in mine]
    assert any(each.invalid for each in expected)
    assert any(each.malformed for each in expected)
    assert any(each.off_schema for each in expected)
    assert any(each.missed for each in expected)
    assert any(not vector.gold and each.lf1 == 1 for vector, each in zip(mine, expected, strict=True))
    assert any(0 < each.lf1 < 1 for each in expected)
    assert any(vector.output is not None for vector in mine)
    assert any(strings(vector.question()) != normalize("NFC", strings(vector.question())) for vector in mine)


@pytest.mark.parametrize(
    ("script", "first", "last"),
    [
        ("Arabic", "\u0600", "\u06ff"),
        ("Devanagari", "\u0900", "\u097f"),
        ("Thai", "\u0e00", "\u0e7f"),
        ("ideographs", "\u4e00", "\u9fff"),
        ("Hangul", "\uac00", "\ud7a3"),
        ("emoji", "\U0001f300", "\U0001faff"),
        ("ideographs beyond the BMP", "\U00020000", "\U0003ffff"),
        ("zero-width joiner", "\u200d", "\u200d"),
        ("right-to-left mark", "\u200f", "\u200f"),
    ],
)
def test_scripts_of_every_kind_are_covered(script: str, first: str, last: str) -> None:
    assert any(first <= character <= last for vector in VECTORS for character in strings(vector.question())), script


def test_every_name_is_pinned_by_vectors_with_different_values() -> None:
    for name in SCORE_NAMES:
        assert len({vector.expect.pinned().get(name) for vector in VECTORS} - {None}) > 1, name
