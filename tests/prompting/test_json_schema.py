"""The JSON schema of an answer: gold is always valid by it, and what is valid by it is well-formed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from massie.build import Benchmark
from massie.prompting import AnswerFormat, Form, gold_text
from massie.prompting.json_schema import RECORDS_KEY, answer_schema
from massie.types import FLAT_TASKS, Role, Schema, Task

PERSON_AND_PLACE = (Schema("person", "a human being"), Schema("place"))
EVENTS = (
    Schema("attack", roles=(Role("attacker"), Role("target"))),
    Schema("birth", roles=(Role("person"),)),
    Schema("death", roles=(Role("person"),)),
    Schema("rain"),
)
KEYED = AnswerFormat(key=RECORDS_KEY)
GROUPED = AnswerFormat(form=Form.GROUPED)


def is_valid(answer: Any, schema: dict[str, Any]) -> bool:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema).is_valid(answer)


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every object schema within a schema."""
    if isinstance(schema, list):
        return [found for part in schema for found in objects(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for part in schema.values() for found in objects(part)]


def test_the_schema_of_two_entity_types() -> None:
    entity = {
        "type": "object",
        "properties": {"entity": {"type": "string"}, "entity_type": {"type": "string", "enum": ["person", "place"]}},
        "required": ["entity", "entity_type"],
        "additionalProperties": False,
    }
    assert answer_schema(Task.NER, PERSON_AND_PLACE, Form.RECORDS) == {
        "type": "object",
        "properties": {"records": {"type": "array", "items": entity}},
        "required": ["records"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("task", Task)
def test_gold_is_valid(task: Task, demo: Benchmark) -> None:
    for split in ("train", "test"):
        for sample in demo.select(tasks=[task]).samples(split):
            answer = json.loads(gold_text(sample.gold or (), task, KEYED))
            assert is_valid(answer, answer_schema(task, sample.schemas, Form.RECORDS))


@pytest.mark.parametrize("task", sorted(FLAT_TASKS))
def test_grouped_gold_is_valid_with_an_empty_list_for_every_label_without_any(task: Task, demo: Benchmark) -> None:
    for sample in demo.select(tasks=[task]).samples():
        answer = {schema.name: [] for schema in sample.schemas} | json.loads(
            gold_text(sample.gold or (), task, GROUPED)
        )
        assert is_valid(answer, answer_schema(task, sample.schemas, Form.GROUPED))


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("form", [Form.RECORDS, Form.GROUPED])
def test_every_object_requires_all_its_properties_and_has_no_other(task: Task, form: Form, demo: Benchmark) -> None:
    if form is Form.GROUPED and task not in FLAT_TASKS:
        return
    sample = demo.select(tasks=[task]).samples()[0]
    schema = answer_schema(task, sample.schemas, form)
    assert schema["type"] == "object"
    for found in objects(schema):
        assert found["additionalProperties"] is False
        assert found["required"] == list(found["properties"])


@pytest.mark.parametrize(
    "answer",
    [
        [{"entity": "Bure", "entity_type": "person"}],
        {"records": [{"entity": "Bure", "entity_type": "team"}]},
        {"records": [{"entity": "Bure"}]},
        {"records": [{"entity": 7, "entity_type": "person"}]},
        {"records": [{"entity": "Bure", "entity_type": "person", "sure": "yes"}]},
        {"records": [], "notes": []},
    ],
)
def test_an_answer_with_another_shape_or_label_is_not_valid(answer: Any) -> None:
    assert not is_valid(answer, answer_schema(Task.NER, PERSON_AND_PLACE, Form.RECORDS))


@pytest.mark.parametrize("answer", [{"person": ["Bure"]}, {"person": ["Bure"], "place": [], "team": []}, {}])
def test_a_grouped_answer_has_every_label_and_no_other(answer: Any) -> None:
    assert not is_valid(answer, answer_schema(Task.NER, PERSON_AND_PLACE, Form.GROUPED))


def event(type_: str, *arguments: tuple[str, str]) -> dict[str, Any]:
    named = [{"role": role, "argument": argument} for role, argument in arguments]
    return {"records": [{"event_trigger": "t", "event_type": type_, "arguments": named}]}


def test_arguments_have_the_roles_of_their_event_type() -> None:
    schema = answer_schema(Task.EE, EVENTS, Form.RECORDS)
    assert is_valid(event("attack", ("attacker", "a"), ("target", "b")), schema)
    assert is_valid(event("death", ("person", "a")), schema)
    assert is_valid(event("rain"), schema)
    assert not is_valid(event("attack", ("person", "a")), schema)
    assert not is_valid(event("birth", ("target", "a")), schema)
    assert not is_valid(event("rain", ("person", "a")), schema)


def test_event_types_with_the_same_roles_are_one_alternative() -> None:
    assert len(answer_schema(Task.EE, EVENTS, Form.RECORDS)["properties"]["records"]["items"]["anyOf"]) == 3
    assert "anyOf" not in answer_schema(Task.EE, EVENTS[1:3], Form.RECORDS)["properties"]["records"]["items"]


def test_the_list_stands_under_the_key_of_the_prompt() -> None:
    assert answer_schema(Task.NER, PERSON_AND_PLACE, Form.RECORDS, "found")["required"] == ["found"]


def test_samples_with_the_same_schemas_share_their_schema() -> None:
    again = (Schema("person", "a human being"), Schema("place"))
    assert answer_schema(Task.NER, again, Form.RECORDS) is answer_schema(Task.NER, PERSON_AND_PLACE, Form.RECORDS)
