from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.adapters import check_prediction, parse_prediction, read_predictions, sample_line
from massie.adapters.lines import MAXIMAL_LINE, PredictionLine
from massie.build import Benchmark
from massie.types import Failure, Prediction, PredictionsError, Sample, Schema, Split, Task, Usage

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 53), 1 << 53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
COUNTS = st.none() | st.integers(0, 1 << 53)
USAGES = st.builds(Usage, COUNTS, COUNTS, st.none() | st.floats(0, 1e6), COUNTS, COUNTS, COUNTS).map(
    lambda usage: None if usage == Usage() else usage
)
IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
PREDICTIONS = st.builds(
    lambda key, answer, reason, usage, reasoning, logprobs: Prediction(
        key, **answer, finish_reason=reason, usage=usage, reasoning=reasoning, logprobs=logprobs
    ),
    IDS,
    st.lists(JSON, max_size=4).map(lambda records: {"records": records})
    | TEXTS.map(lambda text: {"output": text})
    | st.tuples(TEXTS, st.none() | st.sampled_from(Failure)).map(lambda pair: {"error": pair[0], "failure": pair[1]}),
    st.none() | TEXTS,
    USAGES,
    st.none() | TEXTS,
    st.none() | st.lists(st.floats(-1e9, 0), max_size=3),
)


def line_of(prediction: Prediction) -> bytes:
    usage = prediction.usage or Usage()
    plain = {
        "id": prediction.sample_id,
        "records": prediction.records,
        "output": prediction.output,
        "error": prediction.error,
        "finish_reason": prediction.finish_reason,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "seconds": usage.seconds,
        "reasoning_tokens": usage.reasoning_tokens,
        "cached_tokens": usage.cached_tokens,
        "requests": usage.requests,
        "failure": prediction.failure,
        "reasoning": prediction.reasoning,
        "logprobs": prediction.logprobs,
    }
    given_parts = {key: value for key, value in plain.items() if value is not None}
    return json.dumps(given_parts, ensure_ascii=False).encode()


@given(PREDICTIONS)
def test_every_prediction_survives_the_line_that_it_is_written_as(prediction: Prediction) -> None:
    assert parse_prediction(line_of(prediction), "here") == prediction
    check_prediction(prediction)


@given(st.text() | st.binary())
def test_any_line_is_a_prediction_or_one_sentence_that_names_the_place(line: str | bytes) -> None:
    try:
        prediction = parse_prediction(line, "file.jsonl:7")
    except PredictionsError as error:
        assert str(error).startswith("file.jsonl:7: ")
        assert str(error).isprintable()
        assert len(str(error)) < 700
    else:
        assert isinstance(prediction, Prediction)


@given(st.dictionaries(st.sampled_from([*PredictionLine.model_fields, "other"]), JSON))
def test_any_object_is_a_prediction_or_one_sentence(plain: dict[str, Any]) -> None:
    try:
        assert isinstance(parse_prediction(json.dumps(plain), "here"), Prediction)
    except PredictionsError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"id": "a", "record": []}', "record: unknown key; remove it or check its spelling"),
        ('{"records": []}', "id: this key is missing"),
        ('{"id": "a"}', "exactly one of records, output and error must be given"),
        ('{"id": "a", "records": [], "output": ""}', "exactly one of records, output and error must be given"),
        ('{"id": "a", "records": {}}', "records: must be a valid array"),
        ('{"id": "a", "output": 5}', "output: must be a valid string"),
        ('{"id": 5, "output": ""}', "id: must be a valid string"),
        ('{"id": "a", "output": "", "seconds": NaN}', "seconds: "),
        ('{"id": "a", "output": "", "seconds": -1}', "seconds: "),
        ('{"id": "a", "output": "", "input_tokens": 1.5}', "input_tokens: "),
        ('{"id": "a", "output": "", "input_tokens": 1e400}', "input_tokens: "),
        ('{"id": "a", "output": "", "input_tokens": ' + "9" * 5000 + "}", ""),
        ('{"id": "a", "output": "", "reasoning_tokens": -1}', "reasoning_tokens: "),
        ('{"id": "a", "output": "", "cached_tokens": 1.5}', "cached_tokens: "),
        ('{"id": "a", "output": "", "requests": true}', "requests: "),
        ('{"id": "a", "error": "no", "failure": "boredom"}', "failure: "),
        ('{"id": "a", "output": "", "reasoning": []}', "reasoning: "),
        ('{"id": "a", "output": "", "logprobs": [NaN]}', "logprobs.0: "),
        ('{"id": "a", "output": "", "logprobs": ["-1"]}', "logprobs.0: "),
        ('{"id": "a", "reasoning": "no answer"}', "exactly one of records, output and error must be given"),
        ('{"id": "a", "output": "\\ud800"}', "Invalid JSON: "),
        ('{"id": "' + "a" * 201 + '", "output": ""}', "id: "),
        ("[]", "must be an object"),
        ("", "EOF"),
    ],
)
def test_a_line_that_is_no_prediction_says_why(line: str, what: str) -> None:
    with pytest.raises(PredictionsError) as caught:
        parse_prediction(line, "here")
    assert str(caught.value).startswith("here: ")
    assert what in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("prediction", "what"),
    [
        (Prediction("a"), "exactly one of records, output and error"),
        (Prediction("a", records=[], output=""), "exactly one of records, output and error"),
        (Prediction("a", records={"entity": "x"}), "records: "),
        (Prediction("a", output=5), "output: "),
        (Prediction("a", output="", usage=Usage(input_tokens=1 << 60)), "input_tokens: "),
        (Prediction("a", output="", usage=Usage(seconds=math.nan)), "seconds: "),
        (Prediction("a", output="", usage=Usage(requests=-1)), "requests: "),
        (Prediction("a", output="", logprobs=[math.inf]), r"logprobs\.0: "),
        (Prediction("a", error="no", failure="boredom"), "failure: "),
        (Prediction(5, output=""), "id: "),
    ],
)
def test_a_prediction_that_never_was_a_line_keeps_the_same_rules(prediction: Prediction, what: str) -> None:
    with pytest.raises(PredictionsError, match=f"the prediction breaks the contract: {what}"):
        check_prediction(prediction)


def test_records_may_be_a_tuple() -> None:
    check_prediction(Prediction("a", records=({"entity": "x"},)))


def test_logprobs_may_be_a_tuple() -> None:
    check_prediction(Prediction("a", output="", logprobs=(-0.5, 0.0)))


def test_a_sample_line_holds_what_is_asked_and_no_gold(demo: Benchmark) -> None:
    sample = next(one for one in demo.select(tasks=["EE"]).iter_samples() if one.gold)
    plain = json.loads(sample_line(sample))
    assert sorted(plain) == ["dataset", "id", "language", "schemas", "task", "text"]
    assert (plain["id"], plain["text"], plain["task"]) == (sample.id, sample.text, "EE")
    assert [schema["name"] for schema in plain["schemas"]] == [schema.name for schema in sample.schemas]
    roles = [[role["name"] for role in schema["roles"]] for schema in plain["schemas"]]
    assert roles == [[role.name for role in schema.roles] for schema in sample.schemas]


@given(TEXTS)
def test_a_sample_is_one_line_whatever_its_text_holds(text: str) -> None:
    line = sample_line(Sample("a-1", "a", Task.NER, "demo", "swa", Split.TEST, text, (Schema("person"),)))
    assert "\n" not in line
    assert json.loads(line)["text"] == text


def test_a_file_is_read_line_by_line_with_numbers_and_without_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"id": "a", "output": "x"}\r\n\n  \n{"id": "b", "records": []}')
    assert list(read_predictions(path)) == [(1, Prediction("a", output="x")), (4, Prediction("b", records=[]))]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a", "output": "x"}\n')
    assert list(read_predictions(path)) == [(1, Prediction("a", output="x"))]


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id": "b", "output": "half a li',
        b'{"id": "b", "output": "\x00"}',
        b"\x00\x00\x00\x00",
        b'{"id": "b", "output": "\xff\xfe"}',
        b'{"id": "b", "output": "x"} {"id": "c", "output": "y"}',
    ],
)
def test_a_broken_line_is_named_by_file_and_line(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"id": "a", "output": "x"}\n' + broken + b"\n")
    with pytest.raises(PredictionsError) as caught:
        list(read_predictions(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("head", [b"[", b'{"id": "a", "records": ['])
def test_a_hundred_megabytes_of_brackets_are_one_clear_error_in_bounded_time(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "answers.jsonl"
    with path.open("wb") as file:
        file.write(head)
        for _ in range(100):
            file.write(b"[" * 1_000_000)
    before = time.monotonic()
    with pytest.raises(PredictionsError, match=rf":1: the line is longer than {MAXIMAL_LINE >> 20} MiB"):
        list(read_predictions(path))
    assert time.monotonic() - before < 5


def test_deep_nesting_within_a_line_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"id": "a", "records": ' + b"[" * 10_000_000)
    with pytest.raises(PredictionsError, match=r":1: .*recursion limit"):
        list(read_predictions(path))


@pytest.mark.parametrize("name", ["absent.jsonl", "."])
def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(PredictionsError, match="cannot be read: "):
        list(read_predictions(tmp_path / name))
