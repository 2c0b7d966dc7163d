"""Nearly valid answers by the thousand: the parser never fails, agrees with the reference, and what it reads scores.

A coverage-guided fuzzer checks the same properties for longer: ``python -m tests.fuzz.answers``.
"""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from massie.prompting import AnswerFormat, Form, answer_text, parse_answer
from massie.scoring import score_sample
from massie.types import FLAT_TASKS, Answer, Argument, Event, Mention, Record, Relation, Role, Schema, Span, Task

KEYS = [
    "entity", "entity_type", "slot", "slot_type", "head", "tail", "relation", "event_trigger", "event_type",
    "arguments", "role", "argument",
]  # fmt: skip
PIECES = [
    "[", "]", "{", "}", '"', "'", "\\", ",", ":", "\n", "\r\n", " ", "```", "\n```\n", "```json\n", "\n```json", "<",
    "<think>", "</think>", "</THINKING>", "<think", "ANSWER", "NaN", "-Infinity", "1e999", "-0", "01", "null", "\0",
    "\ud800", "\\ud83d", "\\u0000", "\u2028", "\x1c", "\ufeff", "//", "/*", "“", "Bure", "person", "[]",
    '"entity": "Bure"', "{}", '{"person": ["Bure"]}', '[{"entity": "Bure", "entity_type": "person"}]',
]  # fmt: skip
SWAPS = str.maketrans("[]{}\"'", "{}[]'\"")

texts = st.sampled_from(["Bure", "person", "", "```", "<think>", "</think>", "]", '"', "\\", "\n```\n"]) | st.text(
    max_size=8
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | texts, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def nearly_json(draw: st.DrawFn) -> str:
    """A JSON text that has been cut, doubled, spliced or wrapped a few times."""
    ascii_only, indent = draw(st.booleans()), draw(st.sampled_from([None, 2]))
    text = json.dumps(draw(values), ensure_ascii=ascii_only, indent=indent)
    for _ in range(draw(st.integers(0, 4))):
        start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        text = draw(
            st.sampled_from(
                [
                    text[:start],
                    text[start:],
                    text[:start] + text[end:],
                    text[:end] + text[start:],
                    text[:start] + text[start:end].translate(SWAPS) + text[end:],
                    text[:start] + draw(st.sampled_from(PIECES)) + text[start:],
                    f"```\n{text}\n```",
                    f"<think>{text}</think>{text}",
                ]
            )
        )
    return text


outputs = nearly_json() | st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text()

BURE = Mention("Bure", ())
GOLD: dict[Task, list[Record]] = {
    **{task: [Span("person", BURE)] for task in FLAT_TASKS},
    Task.RE: [Relation("plays in", BURE, Mention("NHL", ()))],
    Task.EE: [Event("person", BURE, (Argument("role", Mention("NHL", ())),))],
}
SCHEMAS: dict[Task, tuple[Schema, ...]] = {
    **{task: (Schema("person"), Schema("")) for task in FLAT_TASKS},
    Task.RE: (Schema("plays in"),),
    Task.EE: (Schema("person", roles=(Role("role"),)),),
}


@pytest.fixture(scope="module")
def naive() -> ModuleType:
    """The reference written from the specification alone."""
    path = Path(__file__).parents[1] / "scoring" / "naive.py"
    spec = spec_from_file_location("massie_tests_naive", path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@settings(deadline=None, max_examples=300)
@given(output=outputs, task=st.sampled_from(Task), marker=st.sampled_from([None, "ANSWER", "[", "\n"]))
def test_any_output_is_an_answer_or_an_invalid_structure(output: str, task: Task, marker: str | None) -> None:
    answer = parse_answer(output, task, AnswerFormat(marker=marker))
    if answer.records is None:
        return
    assert isinstance(answer.records, list)
    assert not answer.repairable
    assert answer_text(output, AnswerFormat(marker=marker)) is not None


@settings(deadline=None, max_examples=300)
@given(
    output=outputs,
    task=st.sampled_from(Task),
    marker=st.sampled_from([None, "ANSWER", ":"]),
    separators=st.sampled_from([(";", ":"), ("\n", " = "), ("[", "]"), ("``", "`"), (" ", "\t")]),
)
def test_any_output_is_pairs_or_an_invalid_structure(
    output: str, task: Task, marker: str | None, separators: tuple[str, str]
) -> None:
    item, label = separators
    form = AnswerFormat(form=Form.PAIRS, marker=marker, item_separator=item, label_separator=label)
    answer = parse_answer(output, task, form)
    assert not answer.repairable
    if answer.records is None:
        return
    assert task in FLAT_TASKS
    assert answer_text(output, form) is not None
    scores = score_sample(task, SCHEMAS[task], GOLD[task], answer, "Bure left the NHL.")
    assert 0 <= scores.lf1 <= 1
    assert scores.predicted <= len(answer.records)


@settings(deadline=None, max_examples=300)
@given(output=outputs, task=st.sampled_from(Task))
@example(output='[{"entity": "Bure", "entity_type": "person"}]\n```\n', task=Task.NER)
@example(output='```\n[]\n```\n```\n{"a": []}\n```json', task=Task.ED)
@example(output='[1]\\"</think>["\\\\"]', task=Task.RE)
def test_the_reference_reads_the_same_records(output: str, task: Task, naive: ModuleType) -> None:
    assert parse_answer(output, task).records == with_floats(naive.parse_answer(output, task.value))


@settings(deadline=None, max_examples=200)
@given(output=outputs, task=st.sampled_from(Task), empty=st.booleans())
def test_whatever_was_read_scores_within_bounds(output: str, task: Task, empty: bool) -> None:
    gold: list[Record] = [] if empty else GOLD[task]
    answer = parse_answer(output, task)
    scores = score_sample(task, SCHEMAS[task], gold, answer, "Bure left the NHL.")
    assert all(0 <= score <= 1 for score in (scores.lf1, scores.f1, scores.matched_lf1, scores.lf1_by_schema))
    assert all(count >= 0 for count in scores[4:])
    assert scores.invalid == (answer.records is None)
    assert max(scores.malformed, scores.off_schema, scores.hallucinated, scores.true_positives) <= scores.predicted


# Prose that opens neither brackets nor tags nor fences, in any script.
prose = st.text(st.characters(exclude_characters="[{<`"), max_size=30)
plain = st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"]), max_size=8)
lists = st.lists(st.dictionaries(plain, st.none() | plain | st.lists(plain, max_size=2), max_size=3), max_size=4)


@settings(deadline=None, max_examples=200)
@given(records=lists, before=prose, after=prose, thoughts=st.text(max_size=30), indent=st.sampled_from([None, 1]))
def test_what_stands_around_an_answer_changes_nothing(
    records: list[Any], before: str, after: str, thoughts: str, indent: int | None
) -> None:
    written = json.dumps(records, ensure_ascii=False, indent=indent)
    bare = parse_answer(written, Task.NER)
    assert bare == Answer(records)
    for output in (
        f"{before}{written}{after}",
        f"<think>{thoughts}</think>{written}",
        f"{thoughts}</reasoning>{before}{written}",
        f"{before}\n```json\n{written}\n```\n{after}",
        f"```\n[1]\n```\n{before}\n```\n{written}\n```",
        f"<think>{thoughts}\n```\n[2]\n```\n</think>{before}\n``` JSON\r\n{written}\r\n```\r\n",
    ):
        assert parse_answer(output, Task.NER) == bare


def with_floats(value: Any) -> Any:
    """A JSON value with every whole number as the float that its digits say."""
    if isinstance(value, list):
        return [with_floats(entry) for entry in value]
    if isinstance(value, dict):
        return {key: with_floats(entry) for key, entry in value.items()}
    return float(str(value)) if isinstance(value, int) and not isinstance(value, bool) else value
