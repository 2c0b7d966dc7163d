"""Templates: Jinja in a sandbox, quick where many texts are asked the same.

Most of what a template writes for a sample depends on the schemas alone, which many samples share. So it is rendered
once for each batch of schemas with a mark in the text's place, and then a sample costs no more than putting its text
there. That is the same only where the template writes the text out and does nothing else with it; where it does more
(``{{ text | upper }}``, ``{% if text %}``), every sample is rendered.

The sandbox keeps a template from all but its variables, and what it writes is bounded. Time and memory are not: one
range has 100,000 numbers at most, but ranges within ranges, and texts multiplied, take as long and as much as they say.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from massie.types import Schema

LONGEST = 1_000_000
"""The most characters that a template may write."""

FAILURES = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What rendering may raise, besides Jinja's own errors: {{ 1 / 0 }}, {{ text + 1 }}, range(10**9) …"""


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["json"] = _as_json
    return environment


def template_fault(source: str, variables: set[str]) -> str | None:
    """What is wrong with a template: that it is none, has an unknown variable, or never shows the sample's text.

    None where all is well.
    """
    try:
        used = find_undeclared_variables(_environment().parse(source))
        _template(source)  # parsing alone lets unknown filters pass
    except TemplateError as error:
        return f"not a valid template: {error}"
    if unknown := used - variables:
        return f"unknown variable {', '.join(sorted(unknown))}; a prompt has {', '.join(sorted(variables))} here"
    return None if "text" in used else "never shows the text: {{ text }} is missing"


def fill(source: str, **variables: Any) -> str:
    """The template with its variables, without the white space around it. Raises what ``FAILURES`` lists."""
    parts: list[str] = []
    length = 0
    for part in _template(source).generate(variables):
        length += len(part)
        _refuse_endless(length)
        parts.append(part)
    return "".join(parts)


def _refuse_endless(length: int) -> None:
    if length > LONGEST:
        raise ValueError(f"it writes more than {LONGEST:,} characters")


def fill_text(source: str, text: str, schemas: tuple[Schema, ...]) -> str:
    """``fill`` of a template of a text and its schemas, mostly from the cache. Raises what ``FAILURES`` lists."""
    if _only_writes_the_text(source):
        around = _around_the_text(source, schemas)
        _refuse_endless((len(around) - 1) * len(text))
        return text.join(around)
    return fill(source, text=text, schemas=schemas)


@lru_cache(maxsize=4096)
def _around_the_text(source: str, schemas: tuple[Schema, ...]) -> Sequence[str]:
    mark = "⟦text⟧"
    while mark in source + repr(schemas):
        mark += "⟧"
    return fill(source, text=mark, schemas=schemas).split(mark)


@lru_cache(maxsize=256)
def _only_writes_the_text(source: str) -> bool:
    """Whether every use of ``text`` is a plain ``{{ text }}``, within loops and conditions at most."""
    tree = _environment().parse(source)
    uses = sum(name.name == "text" for name in tree.find_all(nodes.Name))
    return uses == _written(tree.body)


def _written(parts: Sequence[nodes.Node]) -> int:
    """How often ``text`` is written out plainly in some parts of a template."""
    written = 0
    for part in parts:
        if isinstance(part, nodes.Output):
            written += sum(isinstance(node, nodes.Name) and node.name == "text" for node in part.nodes)
        elif isinstance(part, nodes.For):
            written += _written(part.body) + _written(part.else_)
        elif isinstance(part, nodes.If):
            written += _written(part.body) + _written(part.elif_) + _written(part.else_)
    return written


@lru_cache(maxsize=256)
def _template(source: str) -> Template:
    """The template without the white space around it; the text that it holds keeps its own."""
    return _environment().from_string(source.strip())
