from __future__ import annotations

import json

import pytest

from massie.build import Benchmark
from massie.catalogue import Aggregation, Over
from massie.results import rates
from massie.results.scores import Scores, aggregate, score
from massie.scoring import cell_scores
from massie.types import IncompleteRunError, Prediction, PredictionsError, Task, UnknownNameError, record_as_json


def empty(benchmark: Benchmark) -> list[Prediction]:
    return [Prediction(sample.id, records=[]) for sample in benchmark.iter_samples()]


def gold(benchmark: Benchmark) -> list[Prediction]:
    return [
        Prediction(sample.id, records=[record_as_json(record, sample.task) for record in sample.gold or ()])
        for sample in benchmark.iter_samples()
    ]


@pytest.fixture(scope="module")
def scores(part: Benchmark) -> Scores:
    return score(part, gold(part), replicates=10)


def test_gold_records_and_gold_text_score_alike(part: Benchmark, scores: Scores) -> None:
    texts = [Prediction(one.sample_id, output=json.dumps(one.records)) for one in gold(part)]
    assert score(part, texts, replicates=10).rows == scores.rows


def test_predictions_may_come_in_any_order(part: Benchmark, scores: Scores) -> None:
    assert score(part, reversed(gold(part)), replicates=10).rows == scores.rows


def test_an_unknown_id_is_refused_by_name(part: Benchmark) -> None:
    with pytest.raises(PredictionsError, match=r"sample 'stranger' is not one of m-demo's selection \(1 such\)"):
        score(part, [*empty(part), Prediction("stranger", records=[])])


def test_an_id_of_another_part_is_refused(demo: Benchmark, part: Benchmark) -> None:
    with pytest.raises(PredictionsError, match="is not one of m-demo's selection"):
        score(part, empty(demo))


def test_two_answers_to_a_sample_are_refused_by_name(part: Benchmark) -> None:
    predictions = empty(part)
    with pytest.raises(PredictionsError, match=f"sample '{predictions[0].sample_id}' is answered twice; keep one"):
        score(part, [*predictions, predictions[0]])


def test_missing_answers_are_refused_and_named(part: Benchmark) -> None:
    predictions = empty(part)
    with pytest.raises(IncompleteRunError, match=rf"2 samples have no answer \({predictions[0].sample_id}, "):
        score(part, predictions[2:])


def test_a_failed_answer_counts_as_missing_and_never_as_a_score(part: Benchmark) -> None:
    first, *others = empty(part)
    failed = Prediction(first.sample_id, error="no connection")
    with pytest.raises(IncompleteRunError, match="1 samples have no answer"):
        score(part, [failed, *others])
    partial = score(part, [failed, *others], partial=True, replicates=10)
    assert first.sample_id not in set(partial.samples()["sample_id"])


def test_partial_scores_are_those_of_what_was_answered(part: Benchmark) -> None:
    predictions = gold(part)
    partial = score(part, predictions[::2], partial=True, replicates=10)
    assert len(partial.samples()) == len(predictions[::2])
    assert partial.rows[0].samples == len(predictions[::2])


def test_partial_scores_of_nothing_have_no_rows(part: Benchmark) -> None:
    assert score(part, [], partial=True).samples().empty


def test_the_same_predictions_and_seed_give_the_same_intervals(part: Benchmark) -> None:
    first, second = (score(part, empty(part), replicates=50, seed=7) for _ in range(2))
    assert first.rows == second.rows


def test_an_interval_is_had_overall_or_by_task(scores: Scores) -> None:
    assert scores.interval().value == 100
    assert scores.interval("f1", task="EE").value == 100
    assert scores.interval("f1", task=Task.SF).value == 100
    with pytest.raises(KeyError):
        scores.interval("no such score")
    with pytest.raises(UnknownNameError, match="POS"):
        scores.interval(task="POS")


def test_the_table_has_every_row_with_value_and_interval(scores: Scores) -> None:
    table = scores.table()
    assert len(table) == len(scores.rows)
    assert {"level", "task", "key", "lf1", "lf1_low", "lf1_high"} <= set(table.columns)


def test_the_score_that_the_benchmark_goes_by_is_the_one_that_is_had_and_printed(scores: Scores) -> None:
    found = [sample for cell in scores.cells for sample in cell.samples()]
    missed = [sample._replace(scores=sample.scores._replace(true_positives=0)) for sample in found]
    other = aggregate(cell_scores(missed), Aggregation(score="micro_f1", over=Over.DATASETS), replicates=10)
    assert other.interval().value == 0
    assert other.interval("lf1").value == 100
    assert repr(other).startswith("Scores(Micro F1: NER 0.0 [0.0, 0.0], ")


def test_a_printed_score_shows_lf1_by_task(scores: Scores) -> None:
    assert repr(scores).startswith("Scores(LF1: NER 100.0 [100.0, 100.0], ")


def test_rates_of_nothing_are_undefined() -> None:
    counts = dict.fromkeys(("invalid", "predicted", "malformed", "off_schema", "hallucinated", "empty_predictions"), 0)
    assert rates(counts, 0) == dict.fromkeys(
        ("invalid_rate", "malformed_rate", "off_schema_rate", "hallucination_rate", "empty_rate")
    )


def test_rates_are_percent_of_what_they_are_rates_of() -> None:
    counts = {
        "invalid": 1,
        "predicted": 12,
        "malformed": 2,
        "off_schema": 5,
        "hallucinated": 1,
        "empty_predictions": 3,
    }
    assert rates(counts, 10) == {
        "invalid_rate": 10,
        "malformed_rate": pytest.approx(100 / 6),
        "off_schema_rate": 50,
        "hallucination_rate": 10,
        "empty_rate": 30,
    }
