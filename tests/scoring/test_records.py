"""Scores of records in memory: those of a run, however the records are written."""

from __future__ import annotations

import random
from collections import UserDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.scoring import MicroScores, lf1, micro_f1, records, score_sample
from massie.types import Answer, Mention, Schema, Span, Task, UnknownNameError

# Spans and labels that are as they should be, that need normalising, and that normalise to nothing or are no strings.
SPANS = ["a", "ab", "a b", "漢字", "é", "a\x00", "\ud800", "\u0301a", " a", "a  b", "ab\n", "e\u0301", "a\xa0b", "\x1c"]
LABELS = ["person", "Person", "PERSON ", "Ort", "straße", "STRASSE", ""]
NO_SPANS = ["", " ", "\u3000", None, 3, ["a"], b"a"]
NO_LABELS = [None, 3, ["person"], ("person",), b"person"]
NO_RECORDS = [None, 3, "a", ["entity", "entity_type"], {}, {"entity": "a"}, {"entity_type": "person"}, UserDict()]

SPAN_KEYS = {"NER": ("entity", "entity_type"), "SF": ("slot", "slot_type"), "ED": ("event_trigger", "event_type")}

spans = st.sampled_from(SPANS)
labels = st.sampled_from(LABELS)


def good(task: str) -> st.SearchStrategy[dict[str, Any]]:
    """Well-formed records of a task."""
    if task == "RE":
        return st.fixed_dictionaries({"head": spans, "tail": spans, "relation": labels})
    if task == "EE":
        arguments = st.lists(st.fixed_dictionaries({"role": labels, "argument": spans}), max_size=2)
        return st.fixed_dictionaries({"event_trigger": spans, "event_type": labels, "arguments": arguments})
    span_key, label_key = SPAN_KEYS[task]
    return st.fixed_dictionaries({span_key: spans, label_key: labels}, optional={"score": st.just(0.5)})


def bad(task: str) -> st.SearchStrategy[Any]:
    """Records of which most are malformed."""
    span_key, label_key = SPAN_KEYS.get(task, ("head", "relation"))
    no_span = st.fixed_dictionaries({span_key: st.sampled_from(NO_SPANS), label_key: labels})
    no_label = st.fixed_dictionaries({span_key: spans, label_key: st.sampled_from(NO_LABELS)})
    return no_span | no_label | st.sampled_from(NO_RECORDS)


def samples(task: str) -> st.SearchStrategy[tuple[list[Any], list[Any] | None]]:
    """Gold and prediction: often equal, few or so many that they are compared in a matrix, or an invalid structure."""
    gold = st.lists(good(task), max_size=4) | st.lists(good(task), min_size=9, max_size=12)
    guess = st.lists(good(task), max_size=12) | st.lists(good(task) | bad(task), max_size=4) | st.none()
    return gold.flatmap(lambda wanted: st.tuples(st.just(wanted), guess | st.just([*wanted])))


def in_every_task(check: Any) -> Any:
    return pytest.mark.parametrize("task", [*Task])(settings(deadline=None, max_examples=80)(check))


@in_every_task
@given(data=st.data())
def test_lf1_is_that_of_a_run_to_the_last_bit(task: str, data: st.DataObject, product: Any) -> None:
    gold, predicted = data.draw(samples(task))
    assert lf1(gold, predicted, task) == scores(product, task, gold, predicted)["lf1"]


@in_every_task
@given(data=st.data())
def test_micro_scores_count_what_a_run_counts(task: str, data: st.DataObject, product: Any) -> None:
    drawn = data.draw(st.lists(samples(task), max_size=4))
    runs = [scores(product, task, gold, predicted) for gold, predicted in drawn]
    found = micro_f1([gold for gold, _ in drawn], [predicted for _, predicted in drawn], task)
    assert found[3:] == tuple(sum(run[name] for run in runs) for name in ("tp", "predicted", "gold"))


@pytest.mark.parametrize("size", [8, 9, 60])
def test_lf1_of_many_items_is_that_of_a_run_to_the_last_bit(size: int) -> None:
    draw = random.Random(size)
    made = [["".join(draw.choices("abcdé漢", k=draw.randint(1, 9))) for _ in range(size)] for _ in range(2)]
    gold, said = ([(span, draw.choice(["person", "place", "thing"])) for span in of] for of in made)
    run = score_sample(
        Task.NER,
        (Schema("person"),),
        [Span(label, Mention(span, ())) for span, label in gold],
        Answer([mention(*one) for one in said]),
        "",
    )
    assert lf1([mention(*one) for one in gold], [mention(*one) for one in said], "NER") == run.lf1


def scores(product: Any, task: str, gold: Any, predicted: Any) -> Any:
    return product(task, [{"event_type": "person", "roles": []}] if task == "EE" else ["person"], gold, predicted)


# ---- LF1


def test_an_invalid_structure_scores_0_also_where_there_is_no_gold() -> None:
    assert lf1([], None, "NER") == 0.0
    assert lf1([mention("Bure")], None, "NER") == 0.0


def test_two_empty_lists_score_1_and_one_empty_list_0() -> None:
    assert lf1([], [], "NER") == 1.0
    assert lf1([mention("Bure")], [], "NER") == 0.0
    assert lf1([], [mention("Bure")], "NER") == 0.0


def test_a_malformed_prediction_counts_as_a_wrong_one() -> None:
    assert lf1([mention("Bure")], [mention("Bure"), {"entity": 3}], "NER") == pytest.approx(2 / 3)
    assert lf1([], [{"entity": 3}], "NER") == 0.0


@pytest.mark.parametrize("predicted", [None, [], [{"entity": "Bure"}], [{"entity": "Bure", "entity_type": "person"}]])
@pytest.mark.parametrize("gold", [{"entity": "Bure"}, {"entity": " ", "entity_type": "person"}, ["Bure"]])
def test_malformed_gold_is_refused_whatever_was_predicted(gold: Any, predicted: Any) -> None:
    with pytest.raises(ValueError, match="1 of the gold records"):
        lf1([gold], predicted, "NER")


def test_malformed_gold_is_refused_where_the_prediction_is_equal_to_it() -> None:
    with pytest.raises(ValueError, match="the key entity_type is missing"):
        lf1([{"entity": "Bure"}], [{"entity": "Bure"}], "NER")


def test_a_task_is_named_in_any_case() -> None:
    assert lf1([mention("Bure")], [mention("Bure")], "ner") == lf1([mention("Bure")], [mention("Bure")], Task.NER) == 1


@pytest.mark.parametrize("score", [lambda: lf1([], [], "POS"), lambda: micro_f1([], [], "POS")])
def test_an_unknown_task_is_refused(score: Any) -> None:
    with pytest.raises(UnknownNameError, match="POS"):
        score()


@pytest.mark.parametrize("record", [UserDict(entity="Bure", entity_type="person"), ["Bure", "person"]])
def test_what_is_no_json_object_is_malformed_beside_what_needs_normalising_and_what_does_not(record: Any) -> None:
    for span in ("Bure", " Bure"):
        assert lf1([mention("Bure")], [mention(span), record], "NER") == pytest.approx(2 / 3)


# ---- Micro scores


def test_micro_scores_are_of_all_samples_together() -> None:
    gold = [[mention("Bure"), mention("Rome", "place")], [], [mention("NHL")]]
    predicted = [[mention("Bure"), mention("Rome")], [mention("Bo"), "?"], []]
    assert micro_f1(gold, predicted, "NER") == MicroScores(1 / 4, 1 / 3, 2 / 7, 1, 4, 3)


def test_micro_scores_of_nothing_are_undefined() -> None:
    assert micro_f1([], [], "NER") == MicroScores(None, None, None, 0, 0, 0)
    assert micro_f1([[], []], [[], None], "NER") == MicroScores(None, None, None, 0, 0, 0)


def test_precision_of_nothing_and_recall_of_nothing_are_undefined() -> None:
    assert micro_f1([[mention("Bure")]], [None], "NER") == MicroScores(None, 0.0, 0.0, 0, 0, 1)
    assert micro_f1([[]], [[mention("Bure")]], "NER") == MicroScores(0.0, None, 0.0, 0, 1, 0)


def test_gold_and_predictions_must_be_of_as_many_samples() -> None:
    with pytest.raises(ValueError, match="2 samples of gold, 1 of predictions"):
        micro_f1([[], []], [[]], "NER")


@pytest.mark.parametrize("predicted", [None, [], [{"entity": "Bure", "entity_type": "person"}]])
def test_micro_scores_refuse_gold_without_a_span(predicted: Any) -> None:
    with pytest.raises(ValueError, match="entity is empty"):
        micro_f1([[{"entity": "", "entity_type": "person"}]], [predicted], "NER")


def test_micro_scores_refuse_malformed_gold() -> None:
    with pytest.raises(ValueError, match=r"sample 1: 1 of the gold records.*entity is 3, not a string"):
        micro_f1([[], [{"entity": 3, "entity_type": "person"}]], [[], []], "NER")


# ---- Memory


def test_of_endless_labels_few_are_kept() -> None:
    long = [mention("Bure", "x" * 1000 + str(number)) for number in range(10)]
    assert lf1(long, long[1:], "NER") > 0.9
    for start in range(0, 30_000, 1000):
        said = [mention("Bure", f"label {number}") for number in range(start, start + 1000)]
        assert lf1([mention("Bure", f"label {start}")], said, "NER") < 0.01
        assert f"label {start + 999}" in records._FOLDED
        assert len(records._FOLDED) <= 10_000
    assert max(map(len, records._FOLDED)) <= 100


def mention(span: str, label: str = "person") -> dict[str, str]:
    return {"entity": span, "entity_type": label}
