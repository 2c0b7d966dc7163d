"""The JSON schema of a sample's answer, for servers that keep a model to one (structured output).

    {"type": "object", "additionalProperties": false, "required": ["records"], "properties": {"records": {
      "type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["entity", "entity_type"],
        "properties": {"entity": {"type": "string"}, "entity_type": {"type": "string", "enum": ["person", "place"]}}}}}}

Strict servers want an object at the root, so a list of records stands under a key; and they want every property to be
required, so a grouped answer has all labels, with an empty list where nothing was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from massie.prompting.formats import Form
from massie.types import SPAN_KEYS, Role, Schema, Task

RECORDS_KEY = "records"
"""The key under which the list of records stands."""

_STRING: dict[str, Any] = {"type": "string"}


@lru_cache(maxsize=4096)
def answer_schema(task: Task, schemas: tuple[Schema, ...], form: Form, key: str = RECORDS_KEY) -> dict[str, Any]:
    """The JSON schema of an answer in a JSON form about these schemas, the list of records under ``key``.

    It is shared by the samples that ask for the same, so not to be changed.
    """
    names = [schema.name for schema in schemas]
    if form is Form.GROUPED:
        return _object({name: _array(_STRING) for name in names})
    if task is Task.RE:
        record = _object({"head": _STRING, "tail": _STRING, "relation": _one_of(names)})
    elif task is Task.EE:
        record = _event(schemas)
    else:
        span_key, label_key = SPAN_KEYS[task]
        record = _object({span_key: _STRING, label_key: _one_of(names)})
    return _object({key: _array(record)})


def _event(schemas: Sequence[Schema]) -> dict[str, Any]:
    """An event; its arguments have the roles of its own type, so types with the same roles go together."""
    types_of: dict[tuple[Role, ...], list[str]] = {}
    for schema in schemas:
        types_of.setdefault(schema.roles, []).append(schema.name)
    span_key, label_key = SPAN_KEYS[Task.EE]
    events = [
        _object({span_key: _STRING, label_key: _one_of(names), "arguments": _arguments(roles)})
        for roles, names in types_of.items()
    ]
    return events[0] if len(events) == 1 else {"anyOf": events}


def _arguments(roles: Sequence[Role]) -> dict[str, Any]:
    if not roles:
        return _array(_object({"role": _STRING, "argument": _STRING})) | {"maxItems": 0}
    return _array(_object({"role": _one_of([role.name for role in roles]), "argument": _STRING}))


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _one_of(names: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(dict.fromkeys(names))}
