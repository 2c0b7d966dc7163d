"""JSON with spans grouped by label and surface."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.readers import Faults, Joining, RawText, Reading
from massie.readers.json_grouped import Options, read
from massie.readers.json_items import INCOMPLETE, OUTSIDE
from massie.sources import RawFile
from massie.types import Mention, ReaderError, Span

Read = Callable[..., list[RawText]]

OPTIONS: dict[str, Any] = {"layout": "lines", "text": "text", "groups": "label", "inclusive": True}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def grouped(tmp_path: Path, faults: Faults) -> Read:
    """Reads a file with this content: ``grouped(content, option=...)``."""

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


def test_each_place_of_a_surface_is_a_span_in_the_texts_order(grouped: Read, faults: Faults) -> None:
    labels = {"place": {"Lamu": [[10, 13]]}, "person": {"Amina": [[0, 4], [16, 20]]}}
    (text,) = grouped({"text": "Amina sah Lamu. Amina", "label": labels})
    assert spans(text) == [("person", "Amina"), ("place", "Lamu"), ("person", "Amina")]
    assert text.where == "data/a.json:1"
    assert not faults.counts


def test_the_surface_is_the_one_that_the_source_states(grouped: Read) -> None:
    (text,) = grouped({"text": "Amina", "label": {"person": {"Juma": [[0, 4]]}}})
    assert text.annotations == (Span("person", Mention("Juma", ((0, 5),))),)


def test_a_text_may_have_no_labels(grouped: Read) -> None:
    (text,) = grouped({"text": "Amina", "label": {}})
    assert text.annotations == ()


@pytest.mark.parametrize(
    ("place", "fault"), [([3], INCOMPLETE), (3, INCOMPLETE), ([3, 9], OUTSIDE), ([-1, 3], OUTSIDE)]
)
def test_a_place_that_is_none_is_a_fault(grouped: Read, faults: Faults, place: object, fault: str) -> None:
    (text,) = grouped({"text": "Amina", "label": {"person": {"Amina": [place, [0, 4]]}}})
    assert spans(text) == [("person", "Amina")]
    assert faults.places == {fault: ["data/a.json:1"]}


@pytest.mark.parametrize(
    "item", [{"text": "Amina"}, {"text": "Amina", "label": []}, {"text": "Amina", "label": {"person": [0]}}]
)
def test_an_item_that_is_not_grouped_so_is_an_error_that_names_it(grouped: Read, item: object) -> None:
    with pytest.raises(ReaderError, match=r"a\.json:1: no object of label to surface to places at 'label'"):
        grouped(item)
