"""JSON schemas of structured output: what OpenAI's strict mode refuses, and bounds for models of random weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_LENGTH = 12
MAX_ITEMS = 2
LARGEST = 999
# The keys of a schema that hold further schemas: by name, and in a list.
NAMED = ("properties", "$defs", "definitions")
LISTED = ("anyOf", "allOf", "oneOf", "prefixItems")
# Any object, as small as a model of random weights can finish it.
ANY_OBJECT = {"type": "object", "additionalProperties": {"type": "string", "maxLength": MAX_LENGTH}, "maxProperties": 2}


def strict_problem(schema: Mapping[str, Any]) -> str | None:
    """Why OpenAI's strict mode refuses a schema, or None: the root is an object, and objects are closed and whole."""
    if schema.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
    for place, part in objects(schema, ()):
        if part.get("additionalProperties") is not False:
            return f"In context={place}, 'additionalProperties' is required to be supplied and to be false."
        if missing := [name for name in part.get("properties", {}) if name not in part.get("required", [])]:
            return f"In context={place}, 'required' is required to include every key in properties. Missing {missing}."
    return None


def objects(schema: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """All parts of a schema that describe objects, each with its place."""
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "object" or "properties" in schema:
        yield place, schema
    for key in NAMED:
        for name, part in schema.get(key, {}).items():
            yield from objects(part, (*place, key, name))
    for key in LISTED:
        for number, part in enumerate(schema.get(key, ())):
            yield from objects(part, (*place, key, str(number)))
    yield from objects(schema.get("items"), (*place, "items"))


def bounded(schema: Any) -> Any:
    """The schema with bounds where it has none: a model of random weights hardly ever closes a string or a list."""
    if not isinstance(schema, Mapping):
        return schema
    inside = {
        **{key: {name: bounded(part) for name, part in schema[key].items()} for key in NAMED if key in schema},
        **{key: [bounded(part) for part in schema[key]] for key in LISTED if key in schema},
        **{key: bounded(schema[key]) for key in ("items", "additionalProperties") if key in schema},
    }
    return {**_bounds(schema), **schema, **inside}


def _bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds for one part of a schema; where it has the same ones, its own count."""
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    fixed = "enum" in schema or "const" in schema
    bounds: dict[str, Any] = {}
    if "string" in kinds and not fixed and "pattern" not in schema:
        bounds["maxLength"] = MAX_LENGTH
    if "array" in kinds:
        bounds["maxItems"] = max(MAX_ITEMS, schema.get("minItems", 0))
    if ("integer" in kinds or "number" in kinds) and not fixed:
        bounds |= {"minimum": -LARGEST, "maximum": LARGEST}
    return bounds
