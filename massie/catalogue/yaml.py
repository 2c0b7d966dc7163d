"""Reads YAML content strictly: safe types only, duplicate keys refused, errors that name file and field."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from massie.types import ContentError

SECRET = "secret"  # noqa: S105 (the name of a kind)
"""The kind of a fault whose value must not be shown."""


class Content(BaseModel):
    """Base of everything that a content file holds: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


Model = TypeVar("Model", bound=BaseModel)

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_BaseLoader):
    """Safe YAML, in which a key may stand only once and words such as ``no`` and ``2024-01-01`` stay text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain value", key_node.start_mark)
            if key in mapping:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


# YAML 1.1 reads no, on, off, y and dates as other types, 12:30 as 750 and 010 as 8, which bites language codes and
# label names: here only null, true, false and decimal numbers are not text.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in _BaseLoader.yaml_implicit_resolvers.items()
}
for _kind, _pattern, _firsts in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789"),
    ("float", r"^[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?$", "-+0123456789"),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), list(_firsts))


def read_yaml(path: Path) -> Any:
    """The file's content as plain Python values.

    Raises ContentError where the file cannot be read or is not YAML, naming file and line.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 (a safe loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ContentError(f"{where}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, LookupError, AttributeError) as error:
        # The last four come from PyYAML's constructors, for a value that its explicit tag does not fit.
        raise ContentError(f"{path}: not valid YAML: {error}") from error


def validated(model: type[Model], data: Any, path: Path) -> Model:
    """``data`` as a ``model``; a ContentError lists each fault as ``path: field: what``."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ContentError(explain(error, path)) from error


def explain(error: ValidationError, where: Path | str) -> str:
    """A validation error in MASSIE's words: one line for each fault, the field's path first."""
    lines: list[str] = []
    for fault in error.errors(include_url=False)[:20]:
        field = ".".join(str(part) for part in fault["loc"]) or "(the whole file)"
        lines.append(f"{where}: {field}: {_what(fault)}")
    return "\n".join(lines)


def first_fault(error: ValidationError) -> str:
    """The first fault of what a stranger sent, in one printable line of bounded length: the field, what is wrong."""
    faults = error.errors(include_url=False)
    field = ".".join(str(part) for part in faults[0]["loc"])
    more = f" ({len(faults) - 1} more faults)" if len(faults) > 1 else ""
    line = (f"{field[:200]}: " if field else "") + _what(faults[0])[:400] + more
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)


_SHOULD = re.compile(r"^\w+ should ")
_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""Pydantic's words for a value that is demanded, and for a member of an enumeration."""


def _what(fault: ErrorDetails) -> str:
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return "unknown key; remove it or check its spelling"
    if fault["type"] == "missing":
        return "this key is missing"
    what = _SHOULD.sub("must ", fault["msg"].removeprefix("Value error, "))
    what = _MEMBER.sub(r"\1", what)
    if fault["loc"] and fault["type"] != SECRET and not isinstance(fault["input"], (dict, list)):
        what += f" (got {str(fault['input'])[:80]!r})"
    return what
