"""Gold as text: what is written is read back, or said not to be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.prompting import JSON, AnswerFormat, Form, gold_text, parse_answer
from massie.prompting.gold import reads_back
from massie.types import (
    FLAT_TASKS,
    Argument,
    Event,
    Mention,
    Record,
    Relation,
    Span,
    Task,
    record_as_json,
)

FLAT = sorted(FLAT_TASKS)
PAIRS = AnswerFormat(form=Form.PAIRS)
GROUPED = AnswerFormat(form=Form.GROUPED)


def spans(*pairs: tuple[str, str]) -> list[Record]:
    return [Span(label, Mention(surface, ())) for label, surface in pairs]


TWO = spans(("person", "Bure"), ("team", "NHL"), ("person", "Pavel"))


# ---- What is written


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (JSON, '[{"entity": "Bure", "entity_type": "person"}, {"entity": "NHL", "entity_type": "team"}, '
               '{"entity": "Pavel", "entity_type": "person"}]'),
        (GROUPED, '{"person": ["Bure", "Pavel"], "team": ["NHL"]}'),
        (PAIRS, "person: Bure; team: NHL; person: Pavel"),
    ],
)  # fmt: skip
def test_gold_is_written_in_the_layout_of_the_prompt(form: AnswerFormat, written: str) -> None:
    assert gold_text(TWO, Task.NER, form) == written


@pytest.mark.parametrize(
    ("form", "written"),
    [(JSON, "[]"), (AnswerFormat(key="records"), '{"records": []}'), (GROUPED, "{}"), (PAIRS, "None")],
)
def test_no_gold_is_written_as_nothing(form: AnswerFormat, written: str) -> None:
    assert gold_text([], Task.NER, form) == written


def test_a_key_holds_the_list() -> None:
    form = AnswerFormat(key="records")
    assert gold_text(TWO[:1], Task.NER, form) == '{"records": [{"entity": "Bure", "entity_type": "person"}]}'


def test_thought_and_marker_stand_before_on_lines_of_their_own() -> None:
    form = AnswerFormat(form=Form.PAIRS, marker="Answer:")
    assert gold_text(TWO[:1], Task.NER, form) == "Answer:\nperson: Bure"
    assert gold_text(TWO[:1], Task.NER, form, "Bure plays.") == "Bure plays.\nAnswer:\nperson: Bure"


def test_gold_keeps_its_letters() -> None:
    assert gold_text(spans(("人", "강리나")), Task.NER) == '[{"entity": "강리나", "entity_type": "人"}]'


# ---- What is read back

texts = st.text(max_size=8) | st.sampled_from(
    ["</think>", "<think>", "```", "Answer", "]", '"', "\\</thought>", "a\nb"]
)
mentions = st.builds(Mention, texts, st.just(()))


def records_of(task: Task) -> st.SearchStrategy[list[Record]]:
    record: st.SearchStrategy[Any]
    if task is Task.RE:
        record = st.builds(Relation, texts, mentions, mentions)
    elif task in (Task.ED, Task.EE):
        arguments = st.lists(st.builds(Argument, texts, mentions), max_size=2 * (task is Task.EE)).map(tuple)
        record = st.builds(Event, texts, mentions, arguments)
    else:
        record = st.builds(Span, texts, mentions)
    return st.lists(record, max_size=4)


def read(text: str, task: Task, form: AnswerFormat) -> list[Any]:
    records = parse_answer(text, task, form).records
    assert records is not None
    return list(records)


def plain(records: list[Record], task: Task) -> list[dict[str, Any]]:
    return [record_as_json(record, task) for record in records]


def as_lines(records: list[Any]) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True) for record in records)


@pytest.mark.parametrize("task", Task)
@settings(deadline=None)
@given(data=st.data(), key=st.sampled_from([None, "records"]), thought=st.none() | texts)
def test_a_list_of_records_is_read_back_as_it_was(
    task: Task, data: st.DataObject, key: str | None, thought: str | None
) -> None:
    records = data.draw(records_of(task))
    form = AnswerFormat(key=key, marker=None if thought is None else "ANSWER:")
    assert read(gold_text(records, task, form, thought), task, form) == plain(records, task)
    assert reads_back(records, task, form)


@pytest.mark.parametrize("task", FLAT)
@settings(deadline=None)
@given(data=st.data())
def test_grouped_records_are_read_back_in_the_order_of_their_labels(task: Task, data: st.DataObject) -> None:
    records = data.draw(records_of(task))
    assert as_lines(read(gold_text(records, task, GROUPED), task, GROUPED)) == as_lines(plain(records, task))
    assert reads_back(records, task, GROUPED)


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6)
sayable = st.lists(words, min_size=1, max_size=3).map(" ".join)


@pytest.mark.parametrize("task", FLAT)
@settings(deadline=None)
@given(pairs=st.lists(st.tuples(sayable, sayable), max_size=4), colon=st.booleans())
def test_pairs_without_separators_are_read_back_as_they_were(
    task: Task, pairs: list[tuple[str, str]], colon: bool
) -> None:
    records: list[Record] = []
    for label, surface in pairs:
        mention = Mention(f"{surface}: x" if colon else surface, ())
        records.append(Event(label, mention) if task is Task.ED else Span(label, mention))
    assert read(gold_text(records, task, PAIRS), task, PAIRS) == plain(records, task)
    assert reads_back(records, task, PAIRS)


@pytest.mark.parametrize("task", FLAT)
@settings(deadline=None)
@given(data=st.data())
def test_pairs_read_back_exactly_where_it_is_said(task: Task, data: st.DataObject) -> None:
    records = data.draw(records_of(task))
    back = parse_answer(gold_text(records, task, PAIRS), task, PAIRS).records
    same = back is not None and as_lines(list(back)) == as_lines(plain(records, task))
    assert reads_back(records, task, PAIRS) == same


@pytest.mark.parametrize(
    ("label", "surface"),
    [("person", "Bure; Pavel"), ("life: die", "Bure"), ("person", "Bure\nPavel"), ("person", " Bure"), ("a;b", "Bure")],
)
def test_pairs_with_a_separator_or_white_space_at_an_end_do_not_read_back(label: str, surface: str) -> None:
    assert not reads_back(spans((label, surface)), Task.NER, PAIRS)


def test_gold_that_holds_the_marker_does_not_read_back() -> None:
    assert not reads_back(spans(("person", "Answer: Bure")), Task.NER, AnswerFormat(marker="Answer:"))
