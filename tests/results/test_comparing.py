"""Comparing runs: which are, on which samples, that the scores are those of the results, and hostile tables."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import massie
from massie.build import Benchmark
from massie.catalogue import Catalogue
from massie.results import RESULT, read_result
from massie.results.comparing import DETAIL_LEVELS, Comparison, compare
from massie.results.making import finish_run
from massie.results.samples import SCORES_TABLE
from massie.running import Settings
from massie.scoring import SCORES
from massie.scoring.comparison import Difference
from massie.types import Prediction, ResultError, SystemCard, Task, UnknownNameError, UserError, record_as_json

PUBLISHED = Path(__file__).parents[2] / "runs"
LEXICON, EMPTY, GOLD = (PUBLISHED / name / "m-demo" for name in ("lexicon", "empty", "gold"))

Finish = Callable[[str, Benchmark, Iterable[Prediction]], Path]


def quickly(*runs: Path, **options: Any) -> Comparison:
    plain: dict[str, Any] = {"replicates": 200} | options
    return compare(runs, **plain)


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return quickly(LEXICON, EMPTY, GOLD, replicates=1000)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the published run of the lexicon under another name."""
    return copy(LEXICON, tmp_path / "mine")


def copy(run: Path, to: Path) -> Path:
    shutil.copytree(run, to)
    change(to, lambda plain: plain["system"].update(name=to.name))
    return to


def change(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the JSON of a run's result."""
    plain = json.loads((run / RESULT).read_bytes())
    edit(plain)
    (run / RESULT).write_text(json.dumps(plain), encoding="utf-8")


def retable(run: Path, edit: Callable[[Any], Any]) -> None:
    """Edit a run's table of sample scores."""
    pq.write_table(edit(pq.read_table(run / SCORES_TABLE)), run / SCORES_TABLE)


@pytest.fixture
def finish(begin: Callable[..., Settings], tmp_path: Path) -> Finish:
    """Finishes a run of a system in a folder of its own, partial where it is."""

    def finish(name: str, benchmark: Benchmark, predictions: Iterable[Prediction]) -> Path:
        settings = begin(tmp_path / name, benchmark, predictions)
        named = settings.model_copy(update={"system": SystemCard(name=name)})
        finish_run(tmp_path / name, named, benchmark, "command", partial=True)
        return tmp_path / name

    return finish


# ---- Scores


@pytest.mark.parametrize("score", SCORES)
def test_scores_are_those_of_the_results(score: str) -> None:
    compared = quickly(LEXICON, EMPTY, GOLD, score=score, levels=DETAIL_LEVELS)
    for place, run in enumerate((LEXICON, EMPTY, GOLD)):
        said = {(row.level, row.task, row.key): row.scores[score].value for row in read_result(run / RESULT).rows}
        for row in (*compared.totals, *compared.details):
            assert row.scores[place] == pytest.approx(said[row.level, row.task, row.key], abs=1e-4)


def test_there_is_a_total_row_overall_and_of_each_task_and_details_of_what_is_asked_for(compared: Comparison) -> None:
    assert [row.task for row in compared.totals] == [None, *Task]
    languages = {row.key for row in read_result(LEXICON / RESULT).rows if row.level == "language"}
    assert {row.key for row in compared.level("language")} == languages
    assert {row.level for row in compared.details} == {"language", "dataset"}


def test_a_part_is_scored_by_its_samples_alone() -> None:
    compared = quickly(LEXICON, EMPTY, tasks=["ner"], languages=["eng", "swa"])
    rows = [row for row in read_result(LEXICON / RESULT).rows if row.level == "cell" and row.task is Task.NER]
    mine = [row for row in rows if row.key.endswith(("/eng", "/swa"))]
    assert compared.samples == sum(row.samples for row in mine)
    assert [system.samples for system in compared.systems] == [compared.samples] * 2
    weighted = sum(row.instances * (row.scores["lf1"].value or 0) for row in mine)
    assert compared.row("NER").scores[0] == pytest.approx(weighted / sum(row.instances for row in mine), abs=1e-3)
    assert {row.key for row in compared.level("language")} == {"eng", "swa"}


def test_the_default_score_is_the_benchmarks_headline(compared: Comparison) -> None:
    assert compared.score == "lf1"


def test_a_benchmark_over_datasets_is_compared_as_it_is_scored(tmp_path: Path) -> None:
    """The counts of what is held for one dataset are added up, and a task's score is the mean over datasets."""
    aggregation = {"score": "micro_f1", "over": "datasets"}
    groups = {"named": ["demo-everyday", "demo-nature"]}
    definition: dict[str, Any] = {
        "id": "pooled",
        "name": "Pooled",
        "version": "1",
        "summary": "Pooled.",
        "datasets": groups["named"],
    }
    definition["aggregation"] = aggregation | {"as_one": groups}
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "pooled.yaml").write_text(json.dumps(definition), encoding="utf-8")
    runs = [copy(run, tmp_path / name) for run, name in ((LEXICON, "one"), (GOLD, "two"))]
    for run in runs:
        change(run, lambda plain: plain["benchmark"].update(id="pooled", aggregation=aggregation))
    compared = quickly(*runs, catalogue=Catalogue.default([tmp_path]))
    table = pq.read_table(LEXICON / SCORES_TABLE).to_pandas()
    table["dataset"] = table.dataset.replace(dict.fromkeys(groups["named"], "named"))
    sums = table.groupby(["task", "dataset"])[["true_positives", "predicted", "gold"]].sum()
    expected = (200 * sums.true_positives / (sums.predicted + sums.gold)).groupby("task").mean()
    assert compared.score == "micro_f1"
    assert {row.key for row in compared.level("dataset")} == set(table.dataset)
    for task in Task:
        assert compared.row(task).scores[0] == pytest.approx(expected[task], abs=1e-4)


# ---- Samples that all answered


def empty(samples: Benchmark) -> list[Prediction]:
    return [Prediction(sample.id, records=[]) for sample in samples.iter_samples()]


def gold(samples: Benchmark) -> list[Prediction]:
    return [
        Prediction(sample.id, records=[record_as_json(record, sample.task) for record in sample.gold or ()])
        for sample in samples.iter_samples()
    ]


def test_only_samples_that_all_runs_answered_count(finish: Finish, part: Benchmark) -> None:
    answers = gold(part)
    one, two = finish("one", part, answers[2:]), finish("two", part, empty(part)[:-3])
    compared = quickly(one, two, GOLD)
    assert compared.samples == len(answers) - 5
    assert [system.samples for system in compared.systems] == [len(answers) - 2, len(answers) - 3, 432]
    assert [score for row in compared.totals for score in (row.scores[0], row.scores[2])] == [100.0] * 12


def test_what_one_run_did_not_answer_changes_no_other_score(finish: Finish, part: Benchmark) -> None:
    few = finish("few", part, gold(part))
    expected = read_result(finish("all", part, empty(part)) / RESULT).row("overall")
    assert expected
    assert quickly(EMPTY, few).row().scores[0] == pytest.approx(expected.scores["lf1"].value, abs=1e-4)


def test_runs_without_a_common_sample_are_refused(finish: Finish, part: Benchmark) -> None:
    one, two = finish("one", part, gold(part)[:3]), finish("two", part, empty(part)[3:])
    with pytest.raises(ResultError, match=r"one, .*two: there is no sample that all of them answered"):
        quickly(one, two)


# ---- What does not matter


def test_the_order_of_a_tables_rows_does_not_matter(run: Path) -> None:
    before = quickly(run, EMPTY)
    order = np.random.default_rng(1).permutation(432)
    retable(run, lambda table: table.take(order))
    assert quickly(run, EMPTY) == before
    turned = quickly(EMPTY, run)
    assert [row.scores[::-1] for row in turned.totals] == [row.scores for row in before.totals]


def test_the_order_of_runs_turns_differences_and_leaves_p_as_it_is() -> None:
    one, other = quickly(LEXICON, EMPTY, replicates=1000), quickly(EMPTY, LEXICON, replicates=1000)
    for row, turned in zip((*one.totals, *one.details), (*other.totals, *other.details), strict=True):
        there, back = row.between(0, 1), turned.between(0, 1)
        assert there and back
        assert there.value == -back.value
        assert there.p == pytest.approx(back.p, abs=0.02)


def test_the_number_of_processes_changes_nothing() -> None:
    one, two = (quickly(LEXICON, EMPTY, replicates=1500, workers=workers) for workers in (1, 2))
    assert one == two


def test_one_seed_gives_one_comparison_and_another_other_draws() -> None:
    assert quickly(LEXICON, EMPTY) == quickly(LEXICON, EMPTY)
    assert quickly(LEXICON, EMPTY).row().differences != quickly(LEXICON, EMPTY, seed=1).row().differences


def test_equal_runs_do_not_differ(run: Path) -> None:
    compared = quickly(run, LEXICON)
    for row in (*compared.totals, *compared.details):
        difference = row.between(0, 1)
        assert difference
        assert (difference.value, difference.low, difference.high, difference.p) == (0, 0, 0, 1)
    assert {standing.group for row in compared.totals for standing in row.standings} == {1}


# ---- What comes of it


def test_wins_are_counted_by_key_and_turn_with_the_systems(compared: Comparison) -> None:
    number = len(compared.level("language"))
    wins = compared.wins("language", 2, 1)
    assert (wins.ahead, wins.behind, wins.equal, wins.undefined) == (number, 0, 0, 0)
    assert 0 < wins.significantly_ahead <= number
    turned = compared.wins("language", 1, 2)
    assert (turned.behind, turned.significantly_behind) == (number, wins.significantly_ahead)


def test_what_is_undefined_is_neither_won_nor_lost() -> None:
    wins = quickly(LEXICON, EMPTY, score="micro_precision").wins("language")
    assert (wins.ahead, wins.behind, wins.equal) == (0, 0, 0)
    assert wins.undefined > 0


def test_ranks_follow_the_scores(compared: Comparison) -> None:
    assert [standing.rank for standing in compared.row().standings] == [2, 3, 1]
    assert [standing.group for standing in compared.row().standings] == [2, 3, 1]


def test_it_can_be_had_as_a_table_and_as_json(compared: Comparison) -> None:
    table = compared.table()
    assert len(table) == 3 * (len(compared.totals) + len(compared.details))
    plain = json.loads(json.dumps(compared.plain(), allow_nan=False))
    assert len(plain["differences"]) == len(table)
    overall = next(row for row in plain["differences"] if row["first"] == "lexicon" and row["second"] == "gold")
    assert overall["difference"] == pytest.approx(overall["first_score"] - overall["second_score"], abs=1e-3)
    assert plain["standings"][2]["score"] == {"value": 100.0, "low": 100.0, "high": 100.0}


def test_it_says_in_a_line_what_it_is(compared: Comparison) -> None:
    shown = "Comparison(lf1 on m-demo: lexicon 41.3, empty 17.1, gold 100.0; 432 common samples)"
    assert repr(compared) == shown


def test_it_is_a_public_name() -> None:
    assert massie.compare is compare


# ---- What is refused


def test_one_run_is_no_comparison() -> None:
    with pytest.raises(ResultError, match="needs the folders of two runs or more"):
        quickly(LEXICON)


def test_a_run_is_not_compared_with_itself() -> None:
    with pytest.raises(ResultError, match="a folder is named twice"):
        quickly(LEXICON, EMPTY, LEXICON.parent / ".." / "lexicon" / LEXICON.name)


def test_runs_of_one_system_are_told_apart_by_where_they_lie(tmp_path: Path) -> None:
    others = [tmp_path / "few-shot" / "m-demo", tmp_path / "a" / "same" / "m-demo", tmp_path / "b" / "same" / "m-demo"]
    for other in others:
        shutil.copytree(LEXICON, other)
    compared = quickly(LEXICON, EMPTY, *others)
    names = ["lexicon [lexicon]", "empty", "lexicon [few-shot]", f"lexicon [{others[1]}]", f"lexicon [{others[2]}]"]
    assert [system.name for system in compared.systems] == names
    assert compared.row().between(0, 2) == Difference(0.0, 0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("missing", [RESULT, SCORES_TABLE])
def test_a_run_that_is_not_scored_says_how_to_score_it(run: Path, missing: str) -> None:
    (run / missing).unlink()
    with pytest.raises(ResultError, match=f"mine: has no {missing}; make it with: massie score .*mine"):
        quickly(LEXICON, run)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(ResultError, match="nowhere: there is no such folder of a run"):
        quickly(LEXICON, Path("nowhere"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": "m-light"}, "of different benchmarks, m-demo and m-light"),
        ({"split": "dev"}, "of different splits, test and dev"),
        ({"manifest_digest": "f" * 64}, "of different builds, [0-9a-f]{12} and ffffffffffff"),
    ],
)
def test_runs_of_different_samples_are_refused(run: Path, changed: dict[str, str], message: str) -> None:
    change(run, lambda plain: plain["benchmark"].update(changed))
    with pytest.raises(ResultError, match=f"lexicon/m-demo and .*mine cannot be compared: they are {message}"):
        quickly(LEXICON, EMPTY, run)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "lf2"}, "unknown score 'lf2'; did you mean 'lf1'"),
        ({"tasks": ["NERR"]}, "unknown task 'NERR'"),
        ({"languages": ["enG"]}, "unknown language 'enG'; did you mean 'eng'"),
        ({"datasets": ["demo-natur"]}, "unknown dataset 'demo-natur'; did you mean 'demo-nature'"),
        ({"levels": ["continent"]}, "unknown level 'continent'"),
    ],
)
def test_unknown_names_suggest_the_nearest(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        quickly(LEXICON, EMPTY, **options)


def test_too_few_replicates_are_refused() -> None:
    with pytest.raises(UserError, match="99 replicates are too few"):
        quickly(LEXICON, EMPTY, replicates=99)


# ---- Hostile tables


def with_column(name: str, edit: Callable[[list[Any]], list[Any]], type_: Any = None) -> Callable[[Any], Any]:
    """An edit of a table that changes the values of a column, or its type."""

    def edited(table: Any) -> Any:
        place = table.column_names.index(name)
        column = table.column(name)
        return table.set_column(place, name, pa.array(edit(column.to_pylist()), type_ or column.type))

    return edited


def first(value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value, *values[1:]]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda table: table.drop_columns(["lf1"]), "has 0 columns 'lf1' and must have one"),
        (lambda table: table.append_column("lf1", table["lf1"]), "has 2 columns 'lf1' and must have one"),
        (with_column("lf1", lambda values: [str(value) for value in values], pa.string()), "has the type string in"),
        (with_column("task", lambda values: [1 for _ in values], pa.int64()), "has the type int64 in column 'task'"),
        (with_column("lf1", first(float("nan"))), "has values in column 'lf1' that are not between 0 and 1;"),
        (with_column("lf1", first(1.5)), "has values in column 'lf1' that are not between 0 and 1;"),
        (with_column("lf1", first(-0.5)), "has values in column 'lf1' that are not between 0 and 1;"),
        (with_column("lf1", first(None)), "has values in column 'lf1' that are not between 0 and 1;"),
        (with_column("sample_id", first(None)), "has rows without sample_id"),
        (with_column("sample_id", lambda ids: [ids[1], *ids[1:]]), "has a sample twice"),
        (with_column("task", first("XX")), "has the cell 'XX/demo-happenings/amh', which the result has not"),
        (with_column("language", first("zzz")), "has the cell 'ED/demo-happenings/zzz', which the result has not"),
        (with_column("dataset", first("\x1b[2J")), r"has the cell 'ED/\\x1b\[2J/amh', which the result has not"),
        (with_column("language", first("eng")), "has 4 samples of the cell ED/demo-happenings/eng, the result 3"),
        (with_column("lf1", first(0.5)), "and the result do not agree on lf1 of the cell ED/demo-happenings/amh"),
        (with_column("instance_id", first("another")), "do not agree on instance_id of a sample"),
        (lambda table: table.slice(1), "has 431 samples, the result 432"),
        (lambda table: table.slice(0, 0), "has 0 samples, the result 432"),
        (lambda table: pa.concat_tables([table, table.slice(0, 1)]), "has 433 samples, the result 432"),
    ],
)
def test_a_table_that_is_not_what_it_must_be_is_named(run: Path, edit: Callable[[Any], Any], message: str) -> None:
    retable(run, edit)
    with pytest.raises(ResultError, match=message) as raised:
        quickly(LEXICON, run)
    assert str(run / SCORES_TABLE) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("score", "edit", "message"),
    [
        ("micro_f1", with_column("gold", first(-1)), "column 'gold' that are not between 0 and 2147483648"),
        ("micro_f1", with_column("predicted", first(1 << 62)), "column 'predicted' that are not between 0 and"),
        (
            "micro_precision",
            with_column("true_positives", first(9)),
            "has samples with more than 100 for micro_precision",
        ),
    ],
)
def test_counts_that_cannot_be_are_refused(run: Path, score: str, edit: Callable[[Any], Any], message: str) -> None:
    retable(run, edit)
    with pytest.raises(ResultError, match=message):
        quickly(LEXICON, run, score=score)


def test_a_language_that_nobody_knows_is_refused(run: Path) -> None:
    def rename(plain: dict[str, Any]) -> None:
        for row in plain["rows"]:
            row["key"] = row["key"].replace("/amh", "/qqq")

    change(run, rename)
    retable(run, with_column("language", lambda codes: ["qqq" if code == "amh" else code for code in codes]))
    with pytest.raises(ResultError, match=r"scores\.parquet: has the language 'qqq', which is not in the catalogue"):
        quickly(LEXICON, run)


def test_runs_that_count_other_gold_are_refused(run: Path) -> None:
    retable(run, lambda table: with_column("gold", lambda gold: [count + (count > 0) for count in gold])(table))
    with pytest.raises(ResultError, match="do not agree on the gold of a sample"):
        quickly(LEXICON, run, score="lf1_nonempty")


def test_a_sample_of_other_keys_is_refused(run: Path) -> None:
    """Two samples of one cell that have each other's ids are of other texts than in the run beside it."""
    retable(run, with_column("sample_id", lambda ids: [ids[1], ids[0], *ids[2:]]))
    with pytest.raises(ResultError, match=r"scores.parquet: and .*scores.parquet do not agree on instance_id"):
        quickly(LEXICON, run)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table" * 100])
def test_a_file_that_is_no_table_is_named(run: Path, content: bytes) -> None:
    (run / SCORES_TABLE).write_bytes(content)
    with pytest.raises(ResultError, match=r"scores\.parquet: cannot be read as Parquet"):
        quickly(LEXICON, run)


def test_a_table_that_breaks_off_is_named(run: Path) -> None:
    whole = (run / SCORES_TABLE).read_bytes()
    (run / SCORES_TABLE).write_bytes(whole[: len(whole) // 2] + whole[-len(whole) // 4 :])
    with pytest.raises(ResultError, match=r"scores\.parquet"):
        quickly(LEXICON, run)


def test_further_columns_do_not_matter(run: Path) -> None:
    retable(run, lambda table: table.append_column("further", pc.add(table["gold"], 1)))
    assert quickly(LEXICON, run).samples == 432
