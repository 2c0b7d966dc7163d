from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.build import Benchmark
from massie.results import RESULT, Result, read_result
from massie.results.making import SCORES_TABLE, finish_run, without_places
from massie.results.usage import Cost
from massie.running import STORE, Settings, Store
from massie.running.prices import Price, Rates
from massie.types import Failure, IncompleteRunError, Prediction, RunError, Span, Usage, record_as_json

Begin = Callable[[Path, Benchmark, Iterable[Prediction]], Settings]
COMMAND = "massie run m-demo --adapter empty"


def answers(benchmark: Benchmark) -> list[Prediction]:
    return [Prediction(sample.id, records=[], usage=Usage(10, 2, 0.5)) for sample in benchmark.iter_samples()]


def test_the_result_of_a_complete_run_may_be_ranked(finished: tuple[Path, Result]) -> None:
    folder, result = finished
    assert read_result(folder / RESULT) == result
    assert result.ranked
    assert not result.partial
    assert result.coverage.samples == result.coverage.samples_of
    assert result.coverage.cells == result.coverage.cells_of
    assert (result.benchmark.tasks, result.benchmark.languages, result.benchmark.limit) == (None, None, None)


def test_the_table_of_scores_has_a_row_for_each_sample(finished: tuple[Path, Result], demo: Benchmark) -> None:
    table = pd.read_parquet(finished[0] / SCORES_TABLE)
    keys = ["task", "dataset", "language", "instance_id", "sample_id"]
    expected = sorted((*map(str, sample.cell), sample.instance_id, sample.id) for sample in demo.iter_samples())
    assert sorted(table[keys].itertuples(index=False, name=None)) == expected
    assert list(table.columns[:9]) == [*keys, "lf1", "lf1_by_schema", "matched_lf1", "f1"]
    assert table["lf1"].between(0, 1).all()
    assert table["missed"].dtype.kind == "i"


def test_a_finished_run_leaves_no_partial_file(finished: tuple[Path, Result]) -> None:
    assert not list(finished[0].glob("*.partial"))


def test_a_part_of_the_benchmark_is_marked_partial_and_says_which(
    part: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    result = finish_run(tmp_path, begin(tmp_path, part, answers(part)), part, COMMAND)
    assert result.partial
    assert not result.ranked
    assert (result.benchmark.languages, result.benchmark.limit) == (["swa", "jpn"], 2)
    assert result.coverage.samples == len(part.samples())
    assert result.coverage.samples_of == sum(entry.samples for entry in part.manifest.cells_of(part.split))


def test_a_selection_that_leaves_nothing_out_is_whole(demo: Benchmark, tmp_path: Path, begin: Begin) -> None:
    everything = demo.select(tasks=["NER", "RE", "SF", "ED", "EE"])
    assert not finish_run(tmp_path, begin(tmp_path, demo, answers(demo)), everything, COMMAND).partial


def test_usage_is_summed(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    result = finish_run(tmp_path, begin(tmp_path, part, answers(part)), part, COMMAND)
    number = result.coverage.samples
    assert (result.usage.input_tokens, result.usage.output_tokens) == (10 * number, 2 * number)
    assert result.usage.seconds == pytest.approx(0.5 * number)


def test_an_incomplete_run_is_refused_and_nothing_is_written(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    first, second, *others = answers(part)
    settings = begin(tmp_path, part, [Prediction(first.sample_id, error="no connection"), *others])
    before = {path.name for path in tmp_path.iterdir()}
    wanted = rf"2 of {len(others) + 2} samples have no answer \(1 of them failed\); run the same command again"
    with pytest.raises(IncompleteRunError, match=wanted):
        finish_run(tmp_path, settings, part, COMMAND)
    assert {path.name for path in tmp_path.iterdir()} == before
    result = finish_run(tmp_path, settings, part, COMMAND, partial=True)
    assert result.partial
    assert (result.coverage.samples, result.coverage.failed) == (len(others), 1)
    assert second.sample_id not in set(pd.read_parquet(tmp_path / SCORES_TABLE)["sample_id"])


def test_the_result_of_a_partial_run_is_replaced_when_it_is_complete(
    demo: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    first, *others = answers(demo)
    settings = begin(tmp_path, demo, others)
    assert finish_run(tmp_path, settings, demo, COMMAND, partial=True).partial
    with Store(tmp_path / STORE) as store:
        store.add(first)
    finish_run(tmp_path, settings, demo, COMMAND)
    assert read_result(tmp_path / RESULT).ranked


def test_a_run_without_any_answer_cannot_be_scored_in_part(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    failed = [Prediction(one.sample_id, error="no connection") for one in answers(part)]
    with pytest.raises(IncompleteRunError, match="no sample has an answer yet"):
        finish_run(tmp_path, begin(tmp_path, part, failed), part, COMMAND, partial=True)
    assert not (tmp_path / RESULT).exists()


def test_a_run_of_another_build_is_refused(
    part: Benchmark, tmp_path: Path, begin: Begin, settings: Callable[..., Settings]
) -> None:
    begin(tmp_path, part, answers(part))
    with pytest.raises(RunError, match=r"the run is of another build \(aaaaaaaaaaaa\).*--data"):
        finish_run(tmp_path, settings(part, manifest_digest="a" * 64), part, COMMAND)


def test_answers_outside_of_the_selection_are_not_scored(
    demo: Benchmark, part: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    result = finish_run(tmp_path, begin(tmp_path, demo, answers(demo)), part, COMMAND)
    assert result.coverage.samples == len(part.samples())


def test_a_result_that_cannot_be_written_is_one_error_and_leaves_the_old_one(
    part: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    settings = begin(tmp_path, part, answers(part))
    finish_run(tmp_path, settings, part, COMMAND)
    before = (tmp_path / RESULT).read_bytes()
    (tmp_path / f"{RESULT}.partial").mkdir()
    with pytest.raises(RunError, match=r"the result cannot be written: Is a directory; .*massie score"):
        finish_run(tmp_path, settings, part, "another command")
    assert (tmp_path / RESULT).read_bytes() == before


def test_the_result_names_no_folder_of_this_machine(
    part: Benchmark, tmp_path: Path, begin: Begin, settings: Callable[..., Settings]
) -> None:
    begin(tmp_path, part, answers(part))
    mine = settings(
        part,
        adapter=f"{tmp_path}/my_system.py:Mine",
        adapter_digest="a" * 64,
        options={
            "command": f"{tmp_path}/bin/python '{tmp_path}/system.py' --model={tmp_path}/model",
            "folder": str(tmp_path),
            "folders": [str(tmp_path), "https://example.org/a/b"],
            "address": "https://example.org/a/b",
        },
        data=str(tmp_path / "data"),
        details={
            "llm": {"model": str(tmp_path / "model"), "lora": [str(tmp_path / "lora")], "endpoint": "http://h/v1"}
        },
    )
    result = finish_run(tmp_path, mine, part, without_places(f"massie run --data={tmp_path}/data"))
    text = (tmp_path / RESULT).read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text
    assert result.adapter == "my_system.py:Mine"
    assert result.options["command"] == "python 'system.py' --model=model"
    assert result.options["address"] == "https://example.org/a/b"
    assert result.details["llm"] == {"model": "model", "lora": ["lora"], "endpoint": "http://h/v1"}


def test_long_settings_are_cut_and_never_stop_a_finished_run(
    part: Benchmark, tmp_path: Path, begin: Begin, settings: Callable[..., Settings]
) -> None:
    begin(tmp_path, part, answers(part))
    long = settings(part, adapter="a" * 5000, options={"prompt": "b" * 50_000})
    result = finish_run(tmp_path, long, part, "c" * 50_000)
    assert read_result(tmp_path / RESULT) == result
    assert (len(result.adapter), len(result.options["prompt"]), len(result.command)) == (200, 4000, 4000)


def test_hostile_records_are_scored_as_malformed(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    records = [None, 5, "text", [], {}, math.nan, {"entity": {"a": 1}, "entity_type": []}, {"entity": "\ud800\x00"}]
    predictions = [Prediction(sample.id, records=records) for sample in part.iter_samples()]
    result = finish_run(tmp_path, begin(tmp_path, part, predictions), part, COMMAND)
    json.loads((tmp_path / RESULT).read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert result.rows[0].diagnostics["malformed"] == len(records) * len(predictions)
    assert result.rows[0].scores["lf1"].value == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/system.py:Mine", "system.py:Mine"),
        ("/home/me/a b.py", "a b.py"),
        ("systems/mine.py:Mine", "systems/mine.py:Mine"),
        ("--data=/scratch/data", "--data=data"),
        ("file=/scratch/data", "file=data"),
        ("['/a/b/c', '/d/e']", "['c', 'e']"),
        ("file:///home/me/x", "x"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("and/or 1/2", "and/or 1/2"),
        ("../up/one", "../up/one"),
        ("", ""),
    ],
)
def test_of_an_absolute_path_its_last_name_stays(text: str, shown: str) -> None:
    assert without_places(text) == shown


@given(st.text(st.sampled_from("ab/: ='\"~.-")))
def test_hiding_places_twice_is_hiding_them_once(text: str) -> None:
    once = without_places(text)
    assert without_places(once) == once


# Failed samples


def test_failed_samples_may_be_scored_as_answers_without_structure(
    part: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    """Not in part: every sample was asked, and the result says how many failed."""
    gold = [
        Prediction(sample.id, records=[record_as_json(one, sample.task) for one in sample.gold or ()])
        for sample in part.iter_samples()
    ]
    failed = {one.sample_id for one in gold[:3]}
    predictions = [Prediction(key, error="too long", failure=Failure.CONTEXT_LENGTH) for key in sorted(failed)]
    settings = begin(tmp_path, part, [*predictions, *gold[3:]])
    with pytest.raises(IncompleteRunError):
        finish_run(tmp_path, settings, part, COMMAND)
    result = finish_run(tmp_path, settings, part, COMMAND, failed_as_invalid=True)
    assert (result.coverage.samples, result.coverage.failed) == (len(gold), 3)
    assert result.rows[0].diagnostics["invalid"] == 3
    table = pd.read_parquet(tmp_path / SCORES_TABLE)
    assert set(table[table["lf1"] == 0]["sample_id"]) == failed
    assert set(table[table["lf1"] == 1]["sample_id"]) == {one.sample_id for one in gold[3:]}


def test_a_whole_run_with_failures_scored_as_invalid_is_not_partial(
    demo: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    first, *others = answers(demo)
    settings = begin(tmp_path, demo, [Prediction(first.sample_id, error="no connection"), *others])
    in_part = finish_run(tmp_path, settings, demo, COMMAND, partial=True)
    assert (in_part.partial, in_part.coverage.failed) == (True, 1)
    whole = finish_run(tmp_path, settings, demo, COMMAND, failed_as_invalid=True)
    assert (whole.partial, whole.ranked, whole.coverage.failed) == (False, True, 1)
    assert whole.coverage.samples == in_part.coverage.samples + 1


def test_a_sample_that_was_never_asked_is_no_failure(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    first, _, *others = answers(part)
    settings = begin(tmp_path, part, [Prediction(first.sample_id, error="no connection"), *others])
    with pytest.raises(IncompleteRunError, match=rf"2 of {len(others) + 2} samples have no answer \(1 of them failed"):
        finish_run(tmp_path, settings, part, COMMAND, failed_as_invalid=True)
    assert not (tmp_path / RESULT).exists()


def test_failures_as_invalid_change_nothing_where_none_failed(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    settings = begin(tmp_path, part, answers(part))
    once = finish_run(tmp_path, settings, part, COMMAND)
    assert finish_run(tmp_path, settings, part, COMMAND, failed_as_invalid=True).rows == once.rows


# A stratified part


def test_a_result_of_so_many_samples_is_partial_and_says_how_many(
    demo: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    drawn = demo.select(max_samples=30)
    result = finish_run(tmp_path, begin(tmp_path, drawn, answers(drawn)), drawn, COMMAND)
    assert (result.partial, result.benchmark.max_samples, result.coverage.samples) == (True, 30, 30)
    assert json.loads((tmp_path / RESULT).read_text(encoding="utf-8"))["benchmark"]["max_samples"] == 30
    assert set(pd.read_parquet(tmp_path / SCORES_TABLE)["sample_id"]) == {one.id for one in drawn.iter_samples()}


def test_as_many_samples_as_there_are_are_no_part(demo: Benchmark, tmp_path: Path, begin: Begin) -> None:
    result = finish_run(tmp_path, begin(tmp_path, demo, answers(demo)), demo.select(max_samples=10_000), COMMAND)
    assert (result.partial, result.benchmark.max_samples) == (False, None)


# What the system is, and what it cost


def test_the_result_says_what_makes_the_system_what_it_is_and_what_it_cost(
    part: Benchmark, tmp_path: Path, begin: Begin, settings: Callable[..., Settings]
) -> None:
    begin(tmp_path, part, answers(part))
    details = {"k": 3, "prompts": {"ner-en": {"sha256": "1" * 64}}, "llm": {"model": "small", "temperature": 0.0}}
    cost = Cost(Price("small", Rates(1000.0, 10_000.0), "prices.yaml"))
    result = finish_run(tmp_path, settings(part, details=details), part, COMMAND, cost=cost)
    assert result.details == details
    assert result.usage.cost == pytest.approx(result.coverage.samples * (10 * 0.001 + 2 * 0.01))
    assert result.usage.price == "small: prices.yaml"
    assert read_result(tmp_path / RESULT) == result


def test_answers_are_read_as_the_settings_lay_them_out(
    demo: Benchmark, tmp_path: Path, begin: Begin, settings: Callable[..., Settings]
) -> None:
    part = demo.select(tasks=["NER"], limit=1)
    outputs = [
        "; ".join(
            f"{record.label}: {record.mention.surface}" for record in sample.gold or () if isinstance(record, Span)
        )
        for sample in part.iter_samples()
    ]
    begin(
        tmp_path,
        part,
        [Prediction(one.id, output=said or "None") for one, said in zip(part.iter_samples(), outputs, strict=True)],
    )
    paired = settings(part, answers={"NER": {"form": "pairs"}})
    assert finish_run(tmp_path, paired, part, COMMAND).rows[0].scores["lf1"].value == 100
    as_json = settings(part)
    assert finish_run(tmp_path, as_json, part, COMMAND).rows[0].diagnostics["invalid"] == len(outputs)


# What a part used, and what it cost


def test_the_usage_of_a_part_is_that_of_its_samples(part: Benchmark, tmp_path: Path, begin: Begin) -> None:
    settings = begin(tmp_path, part, answers(part))
    small = part.select(tasks=["NER"])
    of_all = finish_run(tmp_path, settings, part, COMMAND)
    of_part = finish_run(tmp_path, settings, small, COMMAND)
    number = len(small.samples())
    assert 0 < number < of_all.coverage.samples
    assert (of_part.usage.input_tokens, of_part.usage.output_tokens) == (10 * number, 2 * number)


def priced_at(dollars: float, *, keep: bool = False) -> Cost:
    return Cost(Price("m", Rates(dollars, dollars), "prices.yaml"), keep=keep)


@pytest.mark.parametrize("later", [None, priced_at(3.0, keep=True)])
def test_what_an_earlier_result_of_the_same_part_cost_stands_until_it_is_priced_anew(
    part: Benchmark, tmp_path: Path, begin: Begin, later: Cost | None
) -> None:
    settings = begin(tmp_path, part, answers(part))
    first = finish_run(tmp_path, settings, part, COMMAND, cost=priced_at(1.0)).usage
    assert first.cost
    assert finish_run(tmp_path, settings, part, COMMAND, cost=later).usage == first
    anew = finish_run(tmp_path, settings, part, COMMAND, cost=priced_at(2.0)).usage
    assert anew.cost == pytest.approx(2 * first.cost)


def test_the_cost_of_another_part_or_of_other_usage_does_not_stand(
    part: Benchmark, tmp_path: Path, begin: Begin
) -> None:
    first, *others = answers(part)
    settings = begin(tmp_path, part, others)
    assert finish_run(tmp_path, settings, part, COMMAND, partial=True, cost=priced_at(1.0)).usage.cost
    small = part.select(tasks=["NER"])
    assert finish_run(tmp_path, settings, small, COMMAND, partial=True).usage.cost is None
    assert finish_run(tmp_path, settings, part, COMMAND, partial=True, cost=priced_at(1.0)).usage.cost
    with Store(tmp_path / STORE) as store:
        store.add(first)
    assert finish_run(tmp_path, settings, part, COMMAND).usage.cost is None
