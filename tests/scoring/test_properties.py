"""Invariants of scoring, on records of arbitrary text, and agreement with the reference of ``naive.py``."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.scoring.items import predicted_items
from massie.types import SPAN_KEYS, Task, record_fault

TASKS = list(Task)
SCORES = ("lf1", "f1", "matched_lf1", "lf1_by_schema")
ERROR_KINDS = ("boundary", "type", "both", "spurious", "missed")
COUNTS = ("tp", "predicted", "gold", "invalid", "malformed", "off_schema", "hallucinated", *ERROR_KINDS)

# Where texts go wrong: combining marks and their compositions, letters that case folding changes in length or leaves
# uncomposed, right-to-left and joined scripts, conjoining jamo, emoji sequences, every kind of space, and separators
# that Python takes for white space and Unicode does not.
ALPHABET = [
    "a", "b", "A", "é", "e\u0301", "\u0301", "\u0345", "ß", "ﬁ", "İ", "ǰ", "K", "Ω", "א", "ب", "ة", "\u200f", "\u202e",
    "क", "\u094d", "ष", "ᄀ", "ᅡ", "각", "漢", "👩", "\u200d", "🇨", "🇭", "\U0001f3fd", " ", "\t", "\n", "\r", "\u00a0",
    "\u0085", "\u1680", "\u2000", "\u2028", "\u3000", "\x1c", "\x1f", "\ufeff", "\x00", '"', "\\", "[", "}", "`",
]  # fmt: skip
PRIVATE = "\ue000"  # stands in no other text here

tricky_texts = st.lists(st.sampled_from(ALPHABET), max_size=6).map("".join)
texts = tricky_texts | st.text(max_size=8).filter(lambda text: PRIVATE not in text)
spans = texts.filter(lambda text: bool(text.strip()))
labels = (
    st.sampled_from(["Person", "PERSON", "person ", "Ort", "STRASSE", "straße", "é", "e\u0301", "ǰ", "J\u030c"]) | texts
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


@dataclass(frozen=True)
class Case:
    """One sample with a prediction of records, in JSON form."""

    task: str
    schemas: list[Any]
    gold: list[dict[str, Any]]
    prediction: list[Any]
    text: str


@st.composite
def cases(draw: st.DrawFn, task: str, *, malformed: bool = False) -> Case:
    """A sample whose gold and prediction share labels and spans as often as not."""
    names: list[str] = draw(st.lists(labels, min_size=1, max_size=3))
    schemas: list[Any] = list(names)
    if task == "EE":
        schemas = [{"event_type": name, "roles": draw(st.lists(labels, min_size=1, max_size=2))} for name in names]
    pool: list[str] = draw(st.lists(spans, min_size=1, max_size=4))
    known = st.sampled_from(pool)
    near = st.tuples(known, texts).map("".join) | known | spans
    gold = st.sampled_from(schemas).flatmap(lambda schema: records(task, schema, known, at_most=1))
    stranger = {"event_type": draw(labels), "roles": [draw(labels)]} if task == "EE" else draw(labels)
    guess: st.SearchStrategy[Any] = st.sampled_from([*schemas, stranger]).flatmap(
        lambda schema: records(task, schema, near, at_most=2)
    )
    if malformed:
        guess = guess | guess.flatmap(spoilt) | json_values
    return Case(
        task,
        schemas,
        draw(st.lists(gold, max_size=3)),
        draw(st.lists(guess, max_size=4)),
        draw(st.lists(known, max_size=4).map(" ".join)),
    )


def records(task: str, schema: Any, of: st.SearchStrategy[str], *, at_most: int) -> st.SearchStrategy[Any]:
    """Well-formed records under a schema, with spans drawn ``of`` a strategy (``at_most`` so many arguments)."""
    if task == "EE":
        roles = st.sampled_from(schema["roles"])
        arguments = st.lists(st.fixed_dictionaries({"role": roles, "argument": of}), max_size=at_most)
        event_type = st.just(schema["event_type"])
        return st.fixed_dictionaries({"event_trigger": of, "event_type": event_type, "arguments": arguments})
    keys = {
        "NER": ("entity", "entity_type"),
        "SF": ("slot", "slot_type"),
        "ED": ("event_trigger", "event_type"),
        "RE": ("head", "tail", "relation"),
    }[task]
    return st.fixed_dictionaries({**dict.fromkeys(keys[:-1], of), keys[-1]: st.just(schema)})


def spoilt(record: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The record with one key left out, or with some other value there."""
    left_out = st.sampled_from(sorted(record)).map(lambda key: {k: v for k, v in record.items() if k != key})
    changed = st.tuples(st.sampled_from(sorted(record)), json_values).map(lambda change: record | dict([change]))
    return left_out | changed


def outputs(prediction: list[Any]) -> st.SearchStrategy[str]:
    """Ways in which a model writes its answer, well or badly."""
    answer = json.dumps(prediction, ensure_ascii=False)
    whole = st.sampled_from(
        ["{}", " {} ", "```json\n{}\n```", "Sure:\n```\n{}\n```\nDone.", "<think>[1]</think>{}", "{} [2]", "<think>{}"]
    ).map(lambda frame: frame.replace("{}", answer))
    cut = st.integers(0, len(answer)).map(lambda end: answer[:end])
    pieces = ["[", "]", "{", "}", '"', "\\", "```", "\n", "<think>", "</Think>", "1e999", "NaN", ",", ":", answer]
    return whole | cut | st.lists(st.sampled_from(pieces), max_size=8).map("".join)


def in_every_task(check: Callable[..., None]) -> Callable[..., None]:
    """Run a check for each task."""
    return pytest.mark.parametrize("task", TASKS)(settings(deadline=None, max_examples=60)(check))


def score(scorer: Any, case: Case) -> dict[str, Any]:
    return scorer(case.task, case.schemas, case.gold, case.prediction, case.text)


def compared(scores: dict[str, Any]) -> Any:
    return pytest.approx({name: scores[name] for name in (*SCORES, *COUNTS)}, abs=1e-9)


@in_every_task
@given(data=st.data())
def test_scores_of_records_are_those_of_the_reference(
    task: str, data: st.DataObject, product: Any, naive: ModuleType
) -> None:
    case = data.draw(cases(task, malformed=True))
    ours = score(product, case)
    assert {name: ours[name] for name in (*SCORES, *COUNTS)} == compared(score(naive.score, case))


@in_every_task
@given(data=st.data())
def test_scores_of_outputs_are_those_of_the_reference(
    task: str, data: st.DataObject, product: Any, naive: ModuleType
) -> None:
    case = data.draw(cases(task, malformed=True))
    output = data.draw(outputs(case.prediction))
    ours = product(case.task, case.schemas, case.gold, output, case.text)
    theirs = naive.score(case.task, case.schemas, case.gold, output, case.text)
    assert {name: ours[name] for name in (*SCORES, *COUNTS)} == compared(theirs)


@pytest.mark.parametrize("task", ["NER", "SF", "ED"])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_an_object_of_types_scores_as_the_reference_says(
    task: str, data: st.DataObject, product: Any, naive: ModuleType
) -> None:
    case = data.draw(cases(task))
    by_type: dict[str, Any] = data.draw(st.dictionaries(labels, st.lists(spans, max_size=3) | json_values, max_size=3))
    output = json.dumps(by_type)
    ours = product(case.task, case.schemas, case.gold, output, case.text)
    theirs = naive.score(case.task, case.schemas, case.gold, output, case.text)
    assert {name: ours[name] for name in (*SCORES, *COUNTS)} == compared(theirs)


@in_every_task
@given(data=st.data())
def test_the_order_of_records_never_matters(task: str, data: st.DataObject, product: Any) -> None:
    case = data.draw(cases(task, malformed=True))
    shuffled = replace(
        case, gold=data.draw(st.permutations(case.gold)), prediction=data.draw(st.permutations(case.prediction))
    )
    assert score(product, shuffled) == pytest.approx(score(product, case), abs=1e-12)


@in_every_task
@given(data=st.data())
def test_duplicates_never_matter(task: str, data: st.DataObject, product: Any) -> None:
    case = data.draw(cases(task))
    doubled = replace(case, gold=case.gold + case.gold[::-1], prediction=case.prediction + case.prediction[:2])
    assert score(product, doubled) == pytest.approx(score(product, case), abs=1e-12)


@in_every_task
@given(data=st.data())
def test_exact_scores_are_below_matched_ones_and_those_below_lf1(task: str, data: st.DataObject, product: Any) -> None:
    scores = score(product, data.draw(cases(task, malformed=True)))
    slack = 1e-12
    assert 0 <= scores["f1"] <= scores["matched_lf1"] + slack
    assert scores["matched_lf1"] <= scores["lf1"] + slack
    assert scores["lf1"] <= 1 + slack
    assert 0 <= scores["lf1_by_schema"] <= 1 + slack


@in_every_task
@given(data=st.data())
def test_the_gold_itself_scores_1_as_records_and_as_text(task: str, data: st.DataObject, product: Any) -> None:
    case = data.draw(cases(task))
    for prediction in (case.gold, json.dumps(case.gold), json.dumps(case.gold, ensure_ascii=False)):
        scores = product(case.task, case.schemas, case.gold, prediction, case.text)
        assert {name: scores[name] for name in SCORES} == dict.fromkeys(SCORES, 1.0)
        assert scores["tp"] == scores["predicted"] == scores["gold"]


@in_every_task
@given(data=st.data())
def test_a_prediction_like_nothing_in_the_gold_never_raises_a_score(
    task: str, data: st.DataObject, product: Any
) -> None:
    case = data.draw(cases(task, malformed=True))
    asked = data.draw(st.sampled_from(case.schemas))
    stranger = data.draw(records(task, asked, st.just(PRIVATE), at_most=1))
    before, after = score(product, case), score(product, replace(case, prediction=[*case.prediction, stranger]))
    for name in SCORES:
        assert after[name] <= before[name] + 1e-12


@in_every_task
@given(data=st.data())
def test_composed_and_decomposed_text_scores_the_same(task: str, data: st.DataObject, product: Any) -> None:
    case = data.draw(cases(task))
    for form in ("NFD", "NFC"):
        other = Case(
            case.task, *(in_form(part, form) for part in (case.schemas, case.gold, case.prediction, case.text))
        )
        assert score(product, other) == score(product, case)


@in_every_task
@given(data=st.data())
def test_batches_of_schemas_have_the_micro_counts_of_the_whole_list(
    task: str, data: st.DataObject, product: Any, naive: ModuleType
) -> None:
    case = data.draw(cases(task))

    def under(label: str, records: list[Any]) -> list[Any]:
        return [record for record in records if naive.label_of(record, naive.TYPE_KEY[task]) == label]

    batches: dict[str, list[Any]] = {}
    for schema in case.schemas:  # equal labels are one schema, which is asked for once
        name = schema["event_type"] if task == "EE" else schema
        batches.setdefault(naive.normalise_label(name), []).append(schema)
    asked_for = [record for label in batches for record in under(label, case.prediction)]
    whole = score(product, replace(case, prediction=asked_for))
    parts = [
        score(product, replace(case, schemas=schemas, gold=under(label, case.gold), prediction=under(label, asked_for)))
        for label, schemas in batches.items()
    ]
    for name in ("tp", "predicted", "gold"):
        assert sum(part[name] for part in parts) == whole[name]


def in_form(value: Any, form: Any) -> Any:
    """The value with every string in a Unicode normalisation form; keys are ASCII."""
    if isinstance(value, str):
        return unicodedata.normalize(form, value)
    if isinstance(value, list):
        return [in_form(entry, form) for entry in value]  # pyright: ignore[reportUnknownVariableType]
    return {key: in_form(entry, form) for key, entry in value.items()}


# ---- The contract check and scoring call the same records malformed

SEPARATORS = re.compile(r"\\u001[c-f]")  # as JSON writes them: white space to str.strip(), none to Unicode


@st.composite
def possible_records(draw: st.DrawFn, task: Task) -> Any:
    """Records that are nearly right: each key may be missing or hold anything."""
    keys = ["head", "tail", "relation"] if task is Task.RE else [*SPAN_KEYS[task]]
    record: dict[str, Any] = {key: draw(texts | json_values) for key in keys if draw(st.integers(0, 4))}
    if task is Task.EE and draw(st.booleans()):
        argument = st.fixed_dictionaries({"role": texts, "argument": texts})
        record["arguments"] = draw(json_values | st.lists(argument, max_size=2))
    return draw(st.sampled_from([record, record, record, draw(json_values)]))


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
def test_what_the_contract_calls_malformed_scores_as_malformed(task: Task, data: st.DataObject) -> None:
    record = data.draw(possible_records(task))
    if not SEPARATORS.search(json.dumps(record)):
        assert (record_fault(record, task) is None) == (predicted_items([record], task)[1] == 0)
