"""What an export's README makes of text that others wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from massie.build.exporting.readme import escaped

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\\`*_{}[]()<>|#!~&;$\n "), max_size=30)


def shown(text: str) -> str:
    """The text as HTML, in one line."""
    plain = " ".join(text.split())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


@given(TEXT)
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    assert MARKDOWN.renderInline(escaped(text)) == shown(text)


@given(TEXT)
def test_escaped_text_stays_in_its_cell_of_a_table(text: str) -> None:
    table = MARKDOWN.render(f"| a | b |\n| --- | --- |\n| x{escaped(text)}x | y |\n")
    assert f"<td>x{shown(text)}x</td>\n<td>y</td>" in table


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "[here](https://example.org)", "![x](y)", "a | b", "**b**", "`c`", "&lt;"]
)
def test_neither_html_nor_markup_of_others_gets_through(text: str) -> None:
    assert MARKDOWN.renderInline(escaped(text)) == shown(text)
