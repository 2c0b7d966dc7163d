from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.scoring.text_overlap import TextOverlap, gold_text
from massie.types import Argument, Event, Mention, MissingExtraError, Record, Relation, Span, Task


def mention(surface: str) -> Mention:
    return Mention(surface, ())


def spans(**surfaces: list[str]) -> list[Record]:
    return [Span(label, mention(surface)) for label, found in surfaces.items() for surface in found]


FIGURE = spans(PERSON=["Bure", "Galley", "Brian Burke"], ORGANIZATION=["NHL"])


@pytest.mark.parametrize(
    ("output", "sacrebleu", "rouge1"),
    [
        ('{"PERSON": ["Mr Bure", "Mr Galley", "Brian Burke"]}', 50.2, 71.4),
        ('{"ORGANIZATION": ["Bure", "Galley"]}', 32.8, 60.0),
        # The paper prints 45.0; the text of its output is not known to the bracket.
        ('{"PERSON": [{"Mr Bure", "Mr Galley", "Brian Burke"}]}', 44.2, 71.4),
    ],
)
def test_the_papers_figure_2(output: str, sacrebleu: float, rouge1: float) -> None:
    found = TextOverlap(Task.NER).scores(output, FIGURE)
    assert [round(100 * score, 1) for score in found] == [sacrebleu, rouge1]


@pytest.mark.parametrize(
    ("grouped", "text"),
    [
        (True, '{"person": ["Ana", "Brú"], "place": ["Köln"]}'),
        (
            False,
            '[{"entity": "Ana", "entity_type": "person"}, {"entity": "Brú", "entity_type": "person"}, '
            '{"entity": "Köln", "entity_type": "place"}]',
        ),
    ],
)
def test_the_gold_is_written_in_the_form_of_the_answer(grouped: bool, text: str) -> None:
    gold = spans(person=["Ana", "Brú"], place=["Köln"])
    assert gold_text(gold, Task.NER, grouped=grouped) == text
    assert TextOverlap(Task.NER).scores(text, gold) == (1.0, 1.0)


@pytest.mark.parametrize("task", [Task.RE, Task.EE])
def test_relations_and_events_are_always_a_list(task: Task) -> None:
    records: dict[Task, Record] = {
        Task.RE: Relation("born in", mention("Ana"), mention("Köln")),
        Task.EE: Event("birth", mention("born"), (Argument("person", mention("Ana")),)),
    }
    text = gold_text([records[task]], task, grouped=True)
    assert text.startswith("[{")
    assert TextOverlap(task).scores(text, [records[task]]) == (1.0, 1.0)


@pytest.mark.parametrize("text", ["[]", "{}", " []\n"])
def test_nothing_found_where_nothing_is_to_be_found_scores_1(text: str) -> None:
    assert TextOverlap(Task.NER).scores(text, []) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("surface", "near", "spaced"),
    [
        ("काठमाडौं शहर", "काठमाडौं", True),
        ("مدينة القاهرة", "القاهرة", True),
        ("東京都庁", "東京都", False),
        ("กรุงเทพมหานคร", "กรุงเทพ", False),
    ],
)
def test_words_of_any_script_count(surface: str, near: str, spaced: bool) -> None:
    overlap, gold = TextOverlap(Task.NER, spaced=spaced), spans(x=[surface])
    some = overlap.scores(gold_text(spans(x=[near]), Task.NER, grouped=True), gold)
    none = overlap.scores(gold_text(spans(x=["qqq"]), Task.NER, grouped=True), gold)
    assert some[1] > none[1]
    assert some[0] > none[0] or spaced


@given(text=st.text(st.characters(exclude_categories=["Cs"])) | st.text(alphabet='[]{}",: ab'))
def test_any_text_scores_between_0_and_1(text: str) -> None:
    assert all(0 <= score <= 1 for score in TextOverlap(Task.NER).scores(text, FIGURE))


def test_without_the_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(MissingExtraError, match=r"--text-overlap needs .*text-overlap"):
        TextOverlap(Task.NER)
