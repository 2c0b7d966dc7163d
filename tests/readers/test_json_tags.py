"""JSON with tokens that carry their tags."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.json_tags import Options, read
from massie.sources import RawFile
from massie.types import ReaderError, Span

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {
    "texts": ["documents", "sentences"],
    "words": "words",
    "token": "word",
    "tags": ["ner_1", "ner_2"],
}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def tags(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with this content: ``tags(content, option=...)``."""

    def read_content(content: object, joining: Joining | None = None, **options: Any) -> list[RawText]:
        path = tmp_path / "a.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        reading = Reading("a", "eng", "test", "en", "test", joining or Joining(spaces=True), faults)
        return list(read([RawFile("data/a.json", path)], Options.model_validate({**OPTIONS, **options}), reading))

    return read_content


def spans(text: RawText) -> list[tuple[str, str]]:
    """(label, surface) of a text's spans, each found at its place."""
    found: list[tuple[str, str]] = []
    for span in text.annotations:
        assert isinstance(span, Span)
        ((start, end),) = span.mention.fragments
        assert text.text[start:end] == span.mention.surface
        found.append((span.label, span.mention.surface))
    return found


def word(token: str, *tags: str) -> dict[str, str]:
    return {"word": token, **{f"ner_{layer}": tag for layer, tag in enumerate(tags, start=1)}}


def document(*sentences: list[dict[str, str]]) -> dict[str, Any]:
    return {"sentences": [{"words": words} for words in sentences]}


def test_every_text_of_every_list_is_read_layer_by_layer(tags: Read, faults: Faults) -> None:
    college = [word("Kisumu", "B-ORG", "B-GPE"), word("College", "I-ORG", "O")]
    first, second, third = tags(
        {"documents": [document(college, [word("sings", "O", "O")]), document([word("Lamu", "I-GPE", "O")])]}
    )
    assert (first.text, spans(first)) == ("Kisumu College", [("ORG", "Kisumu College"), ("GPE", "Kisumu")])
    assert (second.text, spans(second), second.where) == ("sings", [], "data/a.json:documents 1:sentences 2")
    assert (third.text, spans(third), third.where) == ("Lamu", [("GPE", "Lamu")], "data/a.json:documents 2:sentences 1")
    assert not faults.counts


def test_a_text_without_tokens_is_none(tags: Read) -> None:
    assert tags({"documents": [document([])]}) == []


def test_what_is_not_a_tag_is_outside_and_counted(tags: Read, faults: Faults) -> None:
    (text,) = tags({"documents": [document([word("Lamu", "GPE", "O")])]})
    assert spans(text) == []
    assert faults.counts == {"not a tag of the scheme, taken as O": 1}


OTHER_LAYOUTS: list[tuple[object, str]] = [
    ({"documents": {}}, r"a\.json: no list at 'documents'"),
    ({"documents": [{}]}, r"a\.json:documents 1: no list at 'sentences'"),
    ({"documents": [document([{"word": "Lamu", "ner_1": "O"}])]}, r"sentences 1: a token without 'ner_2'"),
    ('{"documents": [', r"a\.json:1: not valid JSON"),
]


@pytest.mark.parametrize(("content", "message"), OTHER_LAYOUTS)
def test_another_layout_is_an_error_that_names_the_place(tags: Read, content: object, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        tags(content)
