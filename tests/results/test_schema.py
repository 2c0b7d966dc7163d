from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from massie.results import RESULT, Result, read_result, write_result
from massie.results.schema import MAXIMAL_BYTES, SCHEMA_VERSION
from massie.types import ResultError, Task


@pytest.fixture(scope="module")
def result(finished: tuple[Path, Result]) -> Result:
    """A small result: the rows of a real one above the cells."""
    whole = finished[1]
    return whole.model_copy(update={"rows": [row for row in whole.rows if row.level in ("overall", "task")]})


@pytest.fixture(scope="module")
def plain(result: Result) -> dict[str, Any]:
    return result.model_dump(mode="json")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a value as JSON, or a text as it is, to a result file."""

    def write(value: Any) -> Path:
        path = tmp_path / RESULT
        path.write_text(
            value if isinstance(value, str) else json.dumps(value), encoding="utf-8", errors="surrogatepass"
        )
        return path

    return write


Written = Callable[[Any], Path]


def fault(path: Path) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(ResultError) as caught:
        read_result(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 1000 + len(str(path))
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


def changed(plain: dict[str, Any], place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A copy with one value set."""
    made = copy.deepcopy(plain)
    inner: Any = made
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return made


def test_a_result_comes_back_as_it_was_written(result: Result, tmp_path: Path) -> None:
    write_result(result, tmp_path / RESULT)
    assert read_result(tmp_path / RESULT) == result


def test_the_file_is_plain_json_that_states_its_schema_version(result: Result, tmp_path: Path) -> None:
    write_result(result, tmp_path / RESULT)
    assert json.loads((tmp_path / RESULT).read_text(encoding="utf-8"))["schema_version"] == SCHEMA_VERSION == 2


def test_writing_leaves_no_other_file(result: Result, tmp_path: Path) -> None:
    write_result(result, tmp_path / RESULT)
    assert [path.name for path in tmp_path.iterdir()] == [RESULT]


def test_a_row_is_found_by_level_task_and_key(finished: tuple[Path, Result]) -> None:
    _, whole = finished
    overall, task, cell = (
        whole.row("overall"),
        whole.row("task", Task.RE),
        whole.row("cell", Task.NER, "demo-nature/eng"),
    )
    assert overall is not None
    assert overall.samples == whole.coverage.samples
    assert task is not None
    assert task.task is Task.RE
    assert cell is not None
    assert cell.key == "demo-nature/eng"
    assert whole.row("cell", Task.RE, "demo-nature/eng") is None


OTHER = {"score": "micro_f1", "over": "datasets"}


def test_a_result_without_an_aggregation_is_of_the_papers(plain: dict[str, Any], written: Written) -> None:
    assert "aggregation" not in plain["benchmark"]
    aggregation = read_result(written(plain)).benchmark.aggregation
    assert (aggregation.score, aggregation.over) == ("lf1", "instances")


def test_the_papers_aggregation_is_never_written_so_that_older_readers_know_every_key(
    plain: dict[str, Any], written: Written, tmp_path: Path
) -> None:
    said = changed(plain, ("benchmark", "aggregation"), {"score": "lf1", "over": "instances"})
    write_result(read_result(written(said)), tmp_path / RESULT)
    assert json.loads((tmp_path / RESULT).read_text(encoding="utf-8")) == plain


def test_another_aggregation_comes_back_as_it_was_written(
    plain: dict[str, Any], written: Written, tmp_path: Path
) -> None:
    said = changed(plain, ("benchmark", "aggregation"), OTHER)
    result = read_result(written(said))
    write_result(result, tmp_path / RESULT)
    assert json.loads((tmp_path / RESULT).read_text(encoding="utf-8")) == said
    assert read_result(tmp_path / RESULT) == result


def test_an_undefined_score_is_null(plain: dict[str, Any], written: Written) -> None:
    undefined = {"value": None, "low": None, "high": None}
    read = read_result(written(changed(plain, ("rows", 0, "scores", "f1"), undefined)))
    assert read.rows[0].scores["f1"].value is None


@pytest.mark.parametrize("version", [0, 3, 99, -1, True, None, "1", 1.0, [1], 10**30])
def test_a_version_that_this_massie_does_not_know_is_named(
    plain: dict[str, Any], written: Written, version: Any
) -> None:
    assert "this MASSIE reads 1 to 2" in fault(written(changed(plain, ("schema_version",), version)))


def test_a_file_without_a_version_is_refused(plain: dict[str, Any], written: Written) -> None:
    without = {key: value for key, value in plain.items() if key != "schema_version"}
    assert fault(written(without)) == "schema_version: is None; this MASSIE reads 1 to 2"


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "5", '"text"', "\x00", "{'a': 1}", "\ufeff{}", "nonsense"])
def test_what_is_no_json_object_is_refused(written: Written, text: str) -> None:
    fault(written(text))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(plain: dict[str, Any], written: Written, share: float) -> None:
    text = json.dumps(plain)
    assert "is not JSON" in fault(written(text[: int(len(text) * share)]))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / RESULT).write_bytes(b"\xff\xfe\x00{")
    assert "is not JSON" in fault(tmp_path / RESULT)


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("colour",), "red", "colour: unknown key; remove it or check its spelling"),
        (("system", "colour"), "red", "system.colour: unknown key"),
        (("system", "name"), "", "system.name: "),
        (("system", "name"), 5, "system.name: "),
        (("system", "parameters"), -1, "system.parameters: "),
        (("system", "parameters"), "7B", "system.parameters: "),
        (("system", "parameters"), True, "system.parameters: "),
        (("benchmark", "manifest_digest"), "xyz", "benchmark.manifest_digest: "),
        (("benchmark", "split"), "tset", "benchmark.split: "),
        (("benchmark", "aggregation"), {"score": "lf1"}, "benchmark.aggregation.over: this key is missing"),
        (("benchmark", "aggregation"), {"score": "lf1", "over": "cells"}, "benchmark.aggregation.over: "),
        (("partial",), 0, "partial: "),
        (("partial",), "false", "partial: "),
        (("coverage", "samples"), 1.5, "coverage.samples: "),
        (("usage", "seconds"), math.nan, "usage.seconds: "),
        (("usage", "seconds"), math.inf, "usage.seconds: "),
        (("rows",), {}, "rows: "),
        (("rows",), None, "rows: "),
        (("rows", 0), [], "rows.0: "),
        (("rows", 0, "level"), "planet", "rows.0.level: "),
        (("rows", 0, "task"), "POS", "rows.0.task: "),
        (("rows", 0, "instances"), -1, "rows.0.instances: "),
        (("rows", 0, "instances"), "12", "rows.0.instances: "),
        (("rows", 0, "scores", "lf1"), 55.0, "rows.0.scores.lf1: "),
        (("rows", 0, "scores", "lf1", "value"), math.nan, "rows.0.scores.lf1.value: "),
        (("rows", 0, "scores", "lf1", "value"), 100.1, "rows.0.scores.lf1.value: "),
        (("rows", 0, "scores", "lf1", "value"), -0.1, "rows.0.scores.lf1.value: "),
        (("rows", 0, "scores", "lf1", "value"), "55", "rows.0.scores.lf1.value: "),
        (("rows", 0, "diagnostics", "invalid"), 0.5, "rows.0.diagnostics.invalid: "),
    ],
)
def test_a_wrong_value_is_named_by_its_field(
    plain: dict[str, Any], written: Written, place: tuple[str | int, ...], value: Any, named: str
) -> None:
    assert fault(written(changed(plain, place, value))).startswith(named)


@pytest.mark.parametrize("key", ["system", "benchmark", "rows", "partial", "coverage"])
def test_a_missing_key_is_named(plain: dict[str, Any], written: Written, key: str) -> None:
    without = {name: value for name, value in plain.items() if name != key}
    assert fault(written(without)) == f"{key}: this key is missing"


def test_many_faults_are_one_sentence_that_counts_them(plain: dict[str, Any], written: Written) -> None:
    assert "more faults)" in fault(written(changed(plain, ("rows",), [{}] * 1000)))


MEGABYTES = "x" * 10_000_000


@pytest.mark.parametrize("place", [("system", "name"), ("system", "description"), ("command",), ("rows", 0, "key")])
def test_a_name_of_ten_megabytes_is_refused_in_a_short_sentence(
    plain: dict[str, Any], written: Written, place: tuple[str | int, ...]
) -> None:
    assert "at most" in fault(written(changed(plain, place, MEGABYTES)))


@pytest.mark.parametrize(
    "place", [(), ("options",), ("rows", 0, "scores"), ("rows", 0, "diagnostics"), ("environment",)]
)
def test_a_key_of_ten_megabytes_is_refused_in_a_short_sentence(
    plain: dict[str, Any], written: Written, place: tuple[str | int, ...]
) -> None:
    fault(written(changed(plain, (*place, MEGABYTES), 1)))


@pytest.mark.parametrize("deep", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
def test_deep_nesting_is_refused(written: Written, deep: str) -> None:
    assert "is not JSON" in fault(written(f'{{"schema_version": 1, "rows": {deep}}}'))


def test_a_number_of_ten_thousand_digits_is_refused(written: Written) -> None:
    assert "is not JSON" in fault(written('{"schema_version": 1, "partial": ' + "9" * 10_000 + "}"))


def test_a_lone_surrogate_is_refused(plain: dict[str, Any], written: Written) -> None:
    fault(written(changed(plain, ("system", "name"), "\ud800")))
    fault(written(changed(plain, ("options", "\ud800"), "x")))


def test_control_characters_of_a_file_never_reach_the_terminal(plain: dict[str, Any], written: Written) -> None:
    assert "\x1b" not in fault(written(changed(plain, ("rows", 0, "\x1b[31m\n"), 1)))


def test_a_file_of_too_many_bytes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / RESULT).open("wb") as file:
        file.truncate(MAXIMAL_BYTES + 1)
    assert "is larger than 64 MiB" in fault(tmp_path / RESULT)


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, name: str) -> None:
    assert "cannot be read: " in fault(tmp_path / name)


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The places of all values within a value."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, part in inner for place in ((*at, key), *places(part, (*at, key)))]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data(), junk=JUNK)
def test_any_change_of_a_result_loads_or_is_refused_in_one_sentence(
    plain: dict[str, Any], written: Written, data: st.DataObject, junk: Any
) -> None:
    path = written(changed(plain, data.draw(st.sampled_from(places(plain))), junk))
    try:
        assert isinstance(read_result(path), Result)
    except ResultError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)


# Older versions


PUBLISHED = sorted((Path(__file__).parents[2] / "runs").glob("*/m-demo/result.json"))


def test_there_are_published_results() -> None:
    assert {path.parent.parent.name for path in PUBLISHED} >= {"empty", "gold", "lexicon"}


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.parent.name)
def test_every_published_result_loads(path: Path) -> None:
    assert read_result(path).ranked


def test_a_result_of_version_1_loads_with_nothing_known_of_what_came_later(
    plain: dict[str, Any], written: Written, result: Result
) -> None:
    old = copy.deepcopy(plain) | {"schema_version": 1}
    del old["details"]
    del old["benchmark"]["max_samples"]
    old["usage"] = {name: old["usage"][name] for name in ("seconds", "input_tokens", "output_tokens")}
    read = read_result(written(old))
    assert read.rows == result.rows
    assert (read.schema_version, read.details, read.benchmark.max_samples) == (SCHEMA_VERSION, {}, None)
    assert (read.usage.requests, read.usage.latency, read.usage.cost) == (None, None, None)


def test_a_result_of_version_1_is_written_as_the_newest(
    plain: dict[str, Any], written: Written, tmp_path: Path
) -> None:
    write_result(read_result(written(plain | {"schema_version": 1})), tmp_path / RESULT)
    assert json.loads((tmp_path / RESULT).read_text(encoding="utf-8")) == plain


# Usage


USAGE: dict[str, Any] = {
    "seconds": 12.5,
    "input_tokens": 1000,
    "output_tokens": 100,
    "reasoning_tokens": 60,
    "cached_tokens": 500,
    "requests": 12,
    "retries": 2,
    "wall_seconds": 3.0,
    "per_second": 3.3,
    "latency": {"p50": 1.0, "p90": 2.0, "p95": 2.5, "p99": 3.0},
    "cost": 0.25,
    "price": "small: prices.yaml",
}


def test_the_usage_of_a_language_model_comes_back_as_it_was_written(
    plain: dict[str, Any], written: Written, tmp_path: Path
) -> None:
    write_result(read_result(written(changed(plain, ("usage",), USAGE))), tmp_path / RESULT)
    assert json.loads((tmp_path / RESULT).read_text(encoding="utf-8"))["usage"] == USAGE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cost", -1.0),
        ("cost", math.inf),
        ("wall_seconds", math.nan),
        ("requests", 1.5),
        ("latency", {"p50": 1.0}),
        ("latency", USAGE["latency"] | {"p50": -1.0}),
        ("latency", USAGE["latency"] | {"p999": 9.0}),
        ("price", 5),
        ("tokens", 5),
    ],
)
def test_a_wrong_value_of_the_usage_is_named(plain: dict[str, Any], written: Written, name: str, value: Any) -> None:
    assert fault(written(changed(plain, ("usage",), USAGE | {name: value}))).startswith(f"usage.{name}")


# What a stranger writes into a result


@pytest.mark.parametrize(
    "name", ["input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "requests", "retries"]
)
def test_a_count_below_zero_is_refused(plain: dict[str, Any], written: Written, name: str) -> None:
    assert f"usage.{name}: " in fault(written(changed(plain, ("usage", name), -1)))


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize("details", [{"a": [0] * 4999}, {str(number): 0 for number in range(5000)}, nested(20)])
def test_details_of_many_values_or_levels_load(plain: dict[str, Any], written: Written, details: Any) -> None:
    assert read_result(written(changed(plain, ("details",), details))).details == details


@pytest.mark.parametrize(
    "details",
    [{"a": [0] * 5000}, {str(number): 0 for number in range(5001)}, nested(21), nested(400), {"a": [[]] * 9999}],
)
def test_details_of_too_many_values_or_levels_are_refused(
    plain: dict[str, Any], written: Written, details: Any
) -> None:
    assert fault(written(changed(plain, ("details",), details))).startswith("details: more than 5,000 values or 20 lev")
