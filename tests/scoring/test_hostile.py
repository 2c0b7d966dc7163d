"""Predictions that mean harm: bounded time and memory, and the documented outcome, whatever a prediction holds."""

from __future__ import annotations

import json
import random
import sys
import time
import tracemalloc
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from massie.prompting import parse_answer
from massie.scoring import score_sample
from massie.scoring.items import normalise, normalise_label, predicted_items
from massie.scoring.samples import SampleScores
from massie.types import Answer, Mention, Schema, Span, Task

GOLD = [Span("person", Mention("Bure", ())), Span("team", Mention("NHL", ()))]
SCHEMAS = (Schema("person"), Schema("team"))
TEXT = "Bure left the NHL."
MEGABYTE = 1_000_000

# U+0F73, U+0F75 and U+0F81 are no marks by their class, but decompose into marks that have one.
MARKS = [chr(code) for code in range(0x110000) if unicodedata.combining(chr(code))] + ["\u0f73", "\u0f75", "\u0f81"]


def scores_of(records: list[Any]) -> SampleScores:
    return score_sample(Task.NER, SCHEMAS, GOLD, Answer(records), TEXT)


def entity(span: Any, label: Any = "person") -> dict[str, Any]:
    return {"entity": span, "entity_type": label}


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """A block that must end in time; far above what it takes, far below what a runaway takes."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


# ---- Combining marks without end


@settings(deadline=None, max_examples=100)
@given(
    marks=st.lists(st.sampled_from(MARKS), min_size=1, max_size=5),
    others=st.lists(st.sampled_from(["a", "é", "ǖ", "가", "ᄀ", "ᅡ", "👩", "\u2028", "\u09be"]), max_size=3),
    seed=st.integers(0, 1000),
)
@example(marks=["\u0301", "\u0323"], others=["a"], seed=0)
@example(marks=["\u0f73", "\u0f81"], others=[], seed=0)
@example(marks=["\u0344", "\u0345"], others=["ǖ"], seed=1)
def test_runs_of_marks_of_any_length_are_put_in_unicode_s_own_form(
    marks: list[str], others: list[str], seed: int
) -> None:
    draw = random.Random(seed)
    text = "x" + "".join(draw.choices([*marks * 9, *others], k=400)) + "x"
    assert normalise(text) == " ".join(unicodedata.normalize("NFC", text).split())


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0323" * 500_000,
        "a" + "\u0301" * 500_000 + "\u0323" * 500_000,
        "\u0f73" * 500_000,
        "ǖ" + "\u0344\u0323" * 500_000,
        ("a" + "\u0301\u0323" * 49) * 10_000,
    ],
    ids=["alternating", "reversed", "decomposing", "composed", "just-short-enough"],
)
def test_a_million_combining_marks_are_normalised_in_bounded_time(text: str) -> None:
    with at_most(seconds=20):  # Python's own normalisation takes a quarter of an hour
        assert normalise(normalise(text)) == normalise(text)
        normalise_label(text)


# ---- Long spans and labels, many records


@pytest.mark.parametrize("character", ["a", "é", "漢", "\U0001f3fd", "\0", "\ud800", "\u0345", "ß", "İ"])
def test_a_span_or_a_label_of_a_megabyte_is_one_wrong_prediction(character: str) -> None:
    long = character * MEGABYTE
    with at_most(seconds=20):
        scores = scores_of([entity(long), entity("Bure", long)])
    assert (scores.predicted, scores.true_positives, scores.off_schema, scores.malformed) == (2, 0, 1, 0)
    assert scores.hallucinated == 1


@pytest.mark.parametrize("space", [" ", "\t", "\u2028", "\u3000"])
def test_a_megabyte_of_white_space_is_an_empty_span_and_so_malformed(space: str) -> None:
    with at_most(seconds=20):
        assert scores_of([entity(space * MEGABYTE)]).malformed == 1
        assert scores_of([entity("\x1c" + space * MEGABYTE)]).malformed == 0  # U+001C is no white space to Unicode


def test_a_million_equal_records_are_one() -> None:
    with at_most(seconds=60):
        assert scores_of([entity("Bure")] * 1_000_000)[:6] == scores_of([entity("Bure")])[:6]


@pytest.mark.parametrize("record", [None, 1, "Bure", [], {}, entity(1), entity(""), entity(None), entity([["Bure"]])])
def test_a_million_malformed_records_are_a_million_wrong_predictions(record: Any) -> None:
    with at_most(seconds=60):
        scores = scores_of([entity("Bure"), *[record] * 1_000_000])
    assert (scores.predicted, scores.malformed, scores.true_positives) == (1_000_001, 1_000_000, 1)


def test_a_million_arguments_of_one_event_are_read_in_bounded_time() -> None:
    arguments = [{"role": f"role {number % 7}", "argument": f"argument {number}"} for number in range(1_000_000)]
    with at_most(seconds=60):
        items, malformed = predicted_items(
            [{"event_trigger": "left", "event_type": "departure", "arguments": arguments}], Task.EE
        )
    assert (len(items), malformed) == (1_000_001, 0)


def test_endless_labels_are_not_kept() -> None:
    tracemalloc.start()
    try:
        for number in range(5_000):
            normalise_label(f"{number:06}" + "漢" * 1_000)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < MEGABYTE


# ---- From the output text on


def outcome(output: str) -> tuple[int, int, int]:
    """Whether an output is an invalid structure, its true positives, its malformed records."""
    scores = score_sample(Task.NER, SCHEMAS, GOLD, parse_answer(output, Task.NER), TEXT)
    return scores.invalid, scores.true_positives, scores.malformed


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param('[{"entity": "Bure", "entity_type": "person"}]', (0, 1, 0), id="well-formed"),
        pytest.param("[" * 10_000 + "]" * 10_000, (1, 0, 0), id="10,000 levels"),
        pytest.param(
            '[{"entity": "Bure", "entity_type": "person", "x": ' + "[" * 10_000 + "]" * 10_000 + "}]",
            (1, 0, 0),
            id="10,000 levels beside the span",
        ),
        pytest.param("[" * 100 + "]" * 100, (0, 0, 1), id="100 levels"),
        pytest.param('[{"entity": 7, "entity_type": "person"}]', (0, 0, 1), id="a number for a span"),
        pytest.param('[{"entity": "7", "entity_type": "person"}]', (0, 0, 0), id="a number as a string"),
        pytest.param(
            '[{"entity": "NHL", "entity": "Bure", "entity_type": "person"}]',
            (0, 1, 0),
            id="the last of two keys counts",
        ),
        pytest.param('[{"entity": "Bure", "entity": 7, "entity_type": "person"}]', (0, 0, 1), id="also if malformed"),
        pytest.param('{"person": ["NHL"], "person": ["Bure"]}', (0, 1, 0), id="the last of two types counts"),
        pytest.param(r'[{"entity": "Bu\ud800re", "entity_type": "person"}]', (0, 0, 0), id="an escaped surrogate"),
        pytest.param('[{"entity": "Bu\udc00re", "entity_type": "person"}]', (0, 0, 0), id="a raw surrogate"),
        pytest.param(r'[{"entity": "Bure\u0000", "entity_type": "person"}]', (0, 0, 0), id="an escaped NUL"),
        pytest.param('[{"entity": "Bure\0", "entity_type": "person"}]', (1, 0, 0), id="a raw NUL"),
        pytest.param("[" + "9" * 100_000 + "]", (0, 0, 1), id="a number of 100,000 digits"),
        pytest.param("[1e999999999]", (0, 0, 1), id="a number beyond all floats"),
    ],
)
def test_hostile_outputs_have_the_documented_outcome(output: str, expected: tuple[int, int, int]) -> None:
    assert outcome(output) == expected


def test_a_hundred_thousand_records_of_one_output_are_scored_in_bounded_time_and_memory() -> None:
    output = json.dumps([entity(f"Bure {number}", f"label {number % 50}") for number in range(100_000)])
    tracemalloc.start()
    try:
        with at_most(seconds=60):
            answer = parse_answer(output, Task.NER)
            scores = score_sample(Task.NER, SCHEMAS, GOLD, answer, TEXT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (scores.predicted, scores.off_schema) == (100_000, 100_000)
    assert peak < 30 * sys.getsizeof(output)
