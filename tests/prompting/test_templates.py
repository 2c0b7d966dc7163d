"""Templates: rendered once for each batch of schemas, with the same outcome as if for each text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.prompting.templates import FAILURES, fill, fill_text, template_fault
from massie.types import Schema

TEMPLATES = [
    "{{ text }}",
    "Text: {{ text }}",
    "{{ text }} and {{ text }}",
    "{% for s in schemas %}- {{ s.name }}\n{% endfor %}{{ text }}",
    "{% for s in schemas %}{{ s.name }} in {{ text }}? {% else %}nothing in {{ text }}{% endfor %}",
    "{% if schemas %}{{ text }}{% elif schemas is defined %}none in {{ text }}{% else %}{{ text }}{% endif %}",
    "no text",
    "{{ text | upper }}",
    "{{ text.strip() }}",
    "{{ text ~ '!' }}",
    "{% if text %}{{ text }}{% endif %}",
    "{% if 'a' in text %}{{ text }}{% endif %}",
    "{% for letter in text %}{{ letter }}.{% endfor %}",
    "{% set twice = text + text %}{{ twice }}",
    "{% set kept %}{{ text }}{% endset %}{{ kept | length }}",
    "{% filter upper %}{{ text }}{% endfilter %}",
    "{% macro said() %}{{ text }}{% endmacro %}{{ said() | upper }}",
    "{% macro said(what) %}<{{ what }}>{% endmacro %}{{ said(text) }}",
    "{% for text in ['x'] %}{{ text }}{% endfor %}",
    "{% set text = 'x' %}{{ text }}",
    "{% with text = 'x' %}{{ text }}{% endwith %}",
    "{{ [text] | json }}",
]
schemas = st.lists(st.builds(Schema, st.text(max_size=6), st.none() | st.text(max_size=6)), max_size=3).map(tuple)


@pytest.mark.parametrize("source", TEMPLATES)
@given(text=st.text(max_size=20) | st.sampled_from(["⟦text⟧", "⟦text⟧⟧", "a"]), schemas=schemas)
def test_the_cache_changes_nothing(source: str, text: str, schemas: tuple[Schema, ...]) -> None:
    assert fill_text(source, text, schemas) == fill(source, text=text, schemas=schemas)


@pytest.mark.parametrize("name", ["⟦text⟧", "⟦text⟧⟧"])
def test_a_schema_that_looks_like_the_mark_of_the_text_is_none(name: str) -> None:
    assert fill_text("{{ schemas[0].name }} {{ text }}", "T", (Schema(name),)) == f"{name} T"


def test_templates_of_other_schemas_with_equal_names_are_told_apart() -> None:
    source = "{{ schemas[0].description }} {{ text }}"
    assert fill_text(source, "T", (Schema("person", "a"),)) == "a T"
    assert fill_text(source, "T", (Schema("person", "b"),)) == "b T"


def test_a_template_that_is_right_has_no_fault() -> None:
    assert template_fault("{% for s in schemas %}{{ s.name }}{% endfor %}{{ text }}", {"text", "schemas"}) is None


@pytest.mark.parametrize(
    "source",
    [
        "{% for _ in range(2000) %}{{ 'xxxxxxxxxx' * 100 }}{% endfor %}",
        "{% for _ in range(60) %}{{ text }}{% endfor %}",
    ],
)
def test_what_a_template_writes_is_bounded(source: str) -> None:
    with pytest.raises(ValueError, match="writes more than 1,000,000 characters"):
        fill_text(source, "x" * 20_000, ())


def test_a_text_that_no_memory_holds_is_a_failure_of_the_template() -> None:
    with pytest.raises(FAILURES) as error:
        fill("{{ text * 10 ** 17 }}", text="x")
    assert error.type is MemoryError


def test_a_template_that_never_shows_the_text_is_told() -> None:
    assert template_fault("Types: {{ schemas }}", {"text", "schemas"}) == "never shows the text: {{ text }} is missing"
