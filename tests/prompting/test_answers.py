"""From an output text to an answer: reasoning, fences, brackets, strict JSON, shape, and outputs that mean harm."""

from __future__ import annotations

import inspect
import json
import sys
import time
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from massie.prompting import JSON, AnswerFormat, Form, answer_of, answer_text, parse_answer
from massie.prompting.answers import opened_reasoning
from massie.types import Answer, Prediction, Task, record_fault

BURE = '[{"entity": "Bure", "entity_type": "person"}]'
RECORDS = [{"entity": "Bure", "entity_type": "person"}]
INVALID = Answer(None)

CANONICAL = {
    Task.NER: {"entity": "Bure", "entity_type": "person"},
    Task.SF: {"slot": "7 pm", "slot_type": "time"},
    Task.RE: {"head": "Bure", "tail": "NHL", "relation": "plays in"},
    Task.ED: {"event_trigger": "left", "event_type": "departure"},
    Task.EE: {
        "event_trigger": "left",
        "event_type": "departure",
        "arguments": [{"role": "who", "argument": "Bure"}],
    },
}


# ---- Reasoning


@pytest.mark.parametrize("tag", ["think", "thinking", "reasoning", "reflection", "thought", "THINK"])
def test_reasoning_is_cut_away(tag: str) -> None:
    assert answer_text(f"<{tag}>Maybe [1]? Or [2].</{tag}>\n{BURE}") == BURE


def test_everything_up_to_the_last_closing_tag_is_reasoning() -> None:
    assert answer_text(f"<think>[1]</think> [2] <think>[3]</think>{BURE}") == BURE


def test_a_closing_tag_without_an_opening_one_ends_reasoning_too() -> None:
    assert answer_text(f"So [1] it is.</think>{BURE}") == BURE


def test_reasoning_that_never_ends_holds_no_answer() -> None:
    assert answer_text(f"<think>Let me see: {BURE}") is None


def test_reasoning_after_the_answer_is_passed_over() -> None:
    assert answer_text(f"<think>[1]</think>{BURE}<think>But wait") == BURE


def test_another_tag_is_no_reasoning() -> None:
    assert answer_text("<answer>[1]</answer>") == "[1]"
    assert answer_text("<answer><think>[0]</think>[1]</answer></think") == "[1]"
    assert answer_text("If a < b: [1] <think>") == "[1]"


# ---- The prompt's answer marker


def test_everything_up_to_the_last_answer_marker_is_cut_away() -> None:
    assert answer_text("First [1]. ANSWER: [2] no, ANSWER: [3]", form=AnswerFormat(marker="ANSWER:")) == "[3]"


def test_an_output_without_the_marker_that_its_prompt_declares_holds_no_answer() -> None:
    assert answer_text(BURE, form=AnswerFormat(marker="ANSWER:")) is None


# ---- Fenced code blocks


@pytest.mark.parametrize("opening", ["```", "```json", "``` json", "  ```JSON"])
def test_the_content_of_a_fenced_block_is_the_answer(opening: str) -> None:
    assert answer_text(f"Here [it] is:\n{opening}\n{BURE}\n```\nI hope [this] helps.") == BURE


def test_the_last_of_several_fenced_blocks_is_the_answer() -> None:
    assert answer_text(f"```\n[1]\n```\nBetter:\n```\n{BURE}\n```") == BURE


def test_a_fenced_block_goes_before_brackets_outside_of_it() -> None:
    assert answer_text(f"```\n[1]\n```\n{BURE}") == "[1]"


def test_a_fence_that_is_never_closed_is_none() -> None:
    assert answer_text(f"```json\n{BURE}") == BURE


def test_an_empty_fenced_block_is_an_invalid_structure() -> None:
    assert parse_answer("```json\n```\n[]", Task.NER) == INVALID


def test_a_fenced_block_may_have_windows_line_ends() -> None:
    assert parse_answer(f"```json\r\n{BURE}\r\n```\r\n", Task.NER).records == RECORDS


def test_three_backticks_within_a_line_are_no_fence() -> None:
    assert answer_text(f"Use ```[1]``` here: {BURE}") == "[1]"


@pytest.mark.parametrize("line", ["```1```", "````", "``` ` ```", "``"])
def test_a_line_with_other_than_three_backticks_opens_no_fence(line: str) -> None:
    assert answer_text(f"{line}\n1\n```\n[2]") == "[2]"


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_line_separators_within_a_string_of_a_fenced_block_stay(separator: str) -> None:
    answer = f'[{{"entity": "Bu{separator}re", "entity_type": "person"}}]'
    assert answer_text(f"```json\n{answer}\n```") == answer
    assert parse_answer(f"```json\n{answer}\n```", Task.NER).records == json.loads(answer)


# ---- The first balanced brackets


def test_text_around_the_brackets_is_left_out() -> None:
    assert answer_text(f"Sure! {BURE} Anything else?") == BURE


def test_only_the_first_balanced_brackets_count() -> None:
    assert answer_text(f"{BURE} or [1]") == BURE


def test_an_object_may_come_first() -> None:
    assert answer_text('Well: {"person": ["Bure"]}.') == '{"person": ["Bure"]}'


@pytest.mark.parametrize("surface", ["]", "}", "[", '"]', "\\", '\\"]', "a ] b [ c"])
def test_brackets_and_quotes_within_strings_do_not_count(surface: str) -> None:
    answer = json.dumps([{"entity": surface, "entity_type": "person"}])
    assert answer_text(f"See {answer} there") == answer


@pytest.mark.parametrize("output", ["", " \n", "No entities.", "null", '"Bure"', "42"])
def test_an_output_without_brackets_is_an_invalid_structure(output: str) -> None:
    assert parse_answer(output, Task.NER) == INVALID


# ---- Strict JSON


@pytest.mark.parametrize(
    "output",
    [
        '[{"entity": "Bure", "entity_type": "person"},]',
        "[{'entity': 'Bure', 'entity_type': 'person'}]",
        '[{"entity": "Bure", "entity_type": "person"}',
        '[{entity: "Bure", entity_type: "person"}]',
        '[{"entity": "Bure" "entity_type": "person"}]',
    ],
    ids=["trailing-comma", "single-quotes", "cut-off", "bare-keys", "missing-comma"],
)
def test_what_a_repairer_would_save_is_invalid_and_repairable(output: str) -> None:
    assert parse_answer(output, Task.NER) == Answer(None, repairable=True)


@pytest.mark.parametrize("output", ["There is nothing [to find].", "[Bure, NHL", "{Bure}", "{]"])
def test_brackets_without_any_object_in_them_are_not_repairable(output: str) -> None:
    assert parse_answer(output, Task.NER) == INVALID


def test_an_answer_needs_no_repair_to_be_repairable() -> None:
    assert parse_answer(BURE, Task.NER) == Answer(RECORDS)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_json_does_not_have_are_an_invalid_structure(constant: str) -> None:
    assert parse_answer(f'[{{"entity": "Bure", "entity_type": "person", "p": {constant}}}]', Task.NER).records is None


def test_a_raw_line_feed_within_a_string_is_an_invalid_structure() -> None:
    assert parse_answer('[{"entity": "Bu\nre", "entity_type": "person"}]', Task.NER).records is None


def test_the_last_of_two_equal_keys_counts() -> None:
    assert parse_answer('{"person": ["Galley"], "person": ["Bure"]}', Task.NER).records == RECORDS


# ---- Shape


@pytest.mark.parametrize("task", Task)
def test_a_list_of_objects_is_the_canonical_shape(task: Task) -> None:
    assert parse_answer(json.dumps([CANONICAL[task]]), task) == Answer([CANONICAL[task]])


@pytest.mark.parametrize("task", [Task.NER, Task.SF, Task.ED])
def test_the_flat_tasks_take_an_object_of_types_too(task: Task) -> None:
    span, label = CANONICAL[task].values()
    assert parse_answer(json.dumps({label: [span], "other": []}), task) == Answer([CANONICAL[task]])  # pyright: ignore[reportArgumentType, reportUnhashable]


@pytest.mark.parametrize("task", [Task.RE, Task.EE])
def test_the_other_tasks_take_no_object(task: Task) -> None:
    assert parse_answer(json.dumps(CANONICAL[task]), task).records is None


def test_entries_of_a_list_stay_as_they_are_to_be_checked_one_by_one() -> None:
    assert parse_answer('[1, null, "Bure", {"entity": "Bure"}]', Task.NER).records == [
        1,
        None,
        "Bure",
        {"entity": "Bure"},
    ]


def test_what_is_no_list_of_spans_in_an_object_of_types_is_one_malformed_record() -> None:
    assert parse_answer('{"person": "Bure", "place": ["NHL"]}', Task.NER).records == [
        None,
        {"entity": "NHL", "entity_type": "place"},
    ]


# ---- The key of an object that holds the list

KEYED = AnswerFormat(key="records")


@pytest.mark.parametrize("task", Task)
def test_a_list_under_the_key_of_the_format_is_the_answer(task: Task) -> None:
    assert parse_answer(json.dumps({"records": [CANONICAL[task]]}), task, KEYED) == Answer([CANONICAL[task]])


@pytest.mark.parametrize("task", Task)
def test_a_list_without_the_key_is_the_answer_all_the_same(task: Task) -> None:
    assert parse_answer(json.dumps([CANONICAL[task]]), task, KEYED) == Answer([CANONICAL[task]])


@pytest.mark.parametrize("output", ['{"records": [], "notes": []}', '{"records": {}}', '{"items": []}', "{}"])
def test_an_object_that_does_not_hold_just_that_key_with_a_list_is_none(output: str) -> None:
    assert parse_answer(output, Task.RE, KEYED).records is None


def test_without_a_key_an_object_of_lists_is_one_of_types() -> None:
    assert parse_answer('{"records": ["Bure"]}', Task.NER).records == [{"entity": "Bure", "entity_type": "records"}]


# ---- Pairs

PAIRS = AnswerFormat(form=Form.PAIRS)


def pairs(output: str, form: AnswerFormat = PAIRS) -> list[tuple[str, str] | None] | None:
    """The (label, span) of each record; None for one that is no record, or for an invalid structure."""
    records = parse_answer(output, Task.NER, form).records
    return records and [record and (record["entity_type"], record["entity"]) for record in records]


def test_pairs_of_label_and_span_are_parted_by_semicolons() -> None:
    assert pairs("person: Bure; team: NHL") == [("person", "Bure"), ("team", "NHL")]


def test_the_other_flat_tasks_have_pairs_with_their_own_keys() -> None:
    for task in (Task.SF, Task.ED):
        label, span = reversed(CANONICAL[task].values())
        assert parse_answer(f"{label}: {span}", task, PAIRS) == Answer([CANONICAL[task]])


@pytest.mark.parametrize("task", [Task.RE, Task.EE])
def test_the_other_tasks_have_no_pairs(task: Task) -> None:
    assert parse_answer("plays in: NHL", task, PAIRS) == INVALID


@pytest.mark.parametrize(
    "output", [" person :Bure ;\tteam\t:  NHL\n", "person: Bure\nteam: NHL", "person: Bure;\r\nteam: NHL;"]
)
def test_white_space_around_labels_and_spans_and_empty_items_do_not_count(output: str) -> None:
    assert pairs(output) == [("person", "Bure"), ("team", "NHL")]


def test_a_span_may_hold_the_separator_of_labels_but_a_label_may_not() -> None:
    assert pairs("time: 7:30; note: see: below") == [("time", "7:30"), ("note", "see: below")]


@pytest.mark.parametrize("output", ["None", " none\n", "NONE"])
def test_the_word_for_nothing_has_no_records(output: str) -> None:
    assert parse_answer(output, Task.NER, PAIRS) == Answer([])


def test_the_word_for_nothing_within_an_answer_is_a_word() -> None:
    assert pairs("person: None") == [("person", "None")]
    assert pairs("person: Bure; None") == [("person", "Bure"), None]


@pytest.mark.parametrize("output", ["", " \n", "There is nobody.", "[]", "Bure; NHL"])
def test_a_text_without_any_pair_is_an_invalid_structure(output: str) -> None:
    assert parse_answer(output, Task.NER, PAIRS) == INVALID


@pytest.mark.parametrize("item", ["Bure", "person:", "person: "])
def test_an_item_without_label_separator_or_span_is_a_malformed_record(item: str) -> None:
    answer = parse_answer(f"team: NHL; {item}", Task.NER, PAIRS)
    assert answer.records is not None
    first, second = answer.records
    assert record_fault(first, Task.NER) is None
    assert record_fault(second, Task.NER) is not None


def test_pairs_have_the_separators_and_the_word_that_their_format_declares() -> None:
    form = AnswerFormat(form=Form.PAIRS, item_separator="|", label_separator=" = ", nothing="nichts")
    assert pairs("person = Bure; NHL: 7 | team = NHL", form) == [("person", "Bure; NHL: 7"), ("team", "NHL")]
    assert parse_answer("Nichts", Task.NER, form) == Answer([])


def test_reasoning_and_everything_up_to_the_marker_is_cut_away_before_pairs() -> None:
    assert pairs("<think>person: Pavel</think>person: Bure") == [("person", "Bure")]
    marked = AnswerFormat(form=Form.PAIRS, marker="ANSWER")
    assert pairs("person: Pavel? ANSWER person: Bure", marked) == [("person", "Bure")]
    assert parse_answer("person: Bure", Task.NER, marked) == INVALID


def test_reasoning_that_never_ends_holds_no_pairs_unless_it_begins_within_one() -> None:
    assert parse_answer("<think>person: Bure", Task.NER, PAIRS) == INVALID
    assert pairs("tag: <think>") == [("tag", "<think>")]


def test_pairs_in_a_fenced_block_are_the_answer() -> None:
    assert pairs("Here: they\n```\nperson: Bure\n```\nDone: yes") == [("person", "Bure")]


def test_the_answer_text_of_pairs_is_all_that_is_left() -> None:
    assert answer_text("<think>x</think> person: Bure; [NHL] ", PAIRS) == "person: Bure; [NHL]"


def test_truncated_pairs_are_read_and_marked() -> None:
    prediction = Prediction("s", output="person: Bure; team: N", finish_reason="length")
    answer = answer_of(prediction, Task.NER, PAIRS)
    assert answer.truncated
    assert answer.records is not None


# ---- Predictions


def test_records_need_no_parsing() -> None:
    assert answer_of(Prediction("s", records=RECORDS), Task.NER) == Answer(RECORDS)


def test_an_output_is_parsed_with_its_prompt_s_marker() -> None:
    assert answer_of(Prediction("s", output=f"[1] ANSWER {BURE}"), Task.NER, AnswerFormat(marker="ANSWER")) == Answer(
        RECORDS
    )


def test_an_output_that_ended_at_its_length_limit_is_truncated_whether_it_parses_or_not() -> None:
    def answer(output: str) -> Answer:
        return answer_of(Prediction("s", output=output, finish_reason="length"), Task.NER)

    assert answer(BURE) == Answer(RECORDS, truncated=True)
    assert answer(BURE[:-1]) == Answer(None, repairable=True, truncated=True)


@pytest.mark.parametrize("reason", [None, "stop", "eos_token"])
def test_an_output_that_ended_by_itself_is_not_truncated(reason: str | None) -> None:
    assert answer_of(Prediction("s", output=BURE, finish_reason=reason), Task.NER) == Answer(RECORDS)


# ---- Outputs that mean harm

MEGABYTE = 1_000_000

LONG = {
    "opening-brackets": "[" * 100_000,
    "opening-braces": '{"a":' * 100_000,
    "nested-lists": "[" * 100_000 + "]" * 100_000,
    "nested-objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "letters": "a" * MEGABYTE,
    "spaces": " " * MEGABYTE,
    "line-feeds": "\n" * MEGABYTE,
    "quotes": "[" + '"' * MEGABYTE,
    "backslashes": '["' + "\\" * MEGABYTE,
    "backticks": "`" * MEGABYTE,
    "fences": "```\n" * 250_000,
    "nearly-fences": ("```" + " " * 1000 + "`\n") * 1000,
    "less-than": "<" * MEGABYTE,
    "opening-tags": "<think>" * 140_000,
    "closing-tags": "</think>" * 125_000,
    "digits": "[" + "9" * MEGABYTE + "]",
    "NUL": "[" + "\0" * MEGABYTE + "]",
    "half-tags": "</" * 500_000,
    "fenced-lists": "```\n[\n```\n" * 100_000,
    "lines-in-a-fence": "```\n" + "ab\n" * 300_000 + "```",
    "nested-a-hundred-times-over": "[" + ("[" * 98 + "]" * 98 + ",") * 5_000,
    "keys": "{" + ",".join(f'"{number}":[]' for number in range(80_000)),
    "records": "[" + '{"entity": "Bure", "entity_type": "person"},' * 20_000,
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_output_is_read_in_bounded_time(name: str) -> None:
    with at_most(seconds=5):
        answer = parse_answer(LONG[name], Task.NER)
    assert answer.records is None or name == "digits"


@pytest.mark.parametrize(
    "piece", ["person: Bure;", ";", ":", ": ;", "\n", "a:\n", "<", "</", "```\n", "</think>", "<think>", "```"]
)
def test_long_pairs_are_read_in_bounded_time(piece: str) -> None:
    output = piece * (MEGABYTE // len(piece))
    with at_most(seconds=5):
        parse_answer(output, Task.NER, PAIRS)
        parse_answer(f"person: {output}", Task.NER, AnswerFormat(form=Form.PAIRS, marker="ANSWER"))


def test_reading_lines_takes_no_memory_for_each() -> None:
    output = "```\n" + "ab\n" * 300_000 + "```"
    tracemalloc.start()
    try:
        parse_answer(output, Task.NER)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(output)


@pytest.mark.parametrize("piece", ["{", "['", '["', '{"a"', "[(", '{"a: b, ', "[//", "[/*", '{"":"', "[{'a':"])
def test_the_repairer_is_only_shown_what_it_can_read_in_bounded_time(piece: str) -> None:
    for length in (4_000, 20_000):
        with at_most(seconds=5):
            assert parse_answer((piece * length)[:length], Task.NER).records is None


def nested(levels: int, *, objects: bool = False) -> str:
    """A list so many levels deep; with ``objects`` every second level is one."""
    brackets = [('{"a":', "}") if objects and level % 2 else ("[", "]") for level in range(levels)]
    return "".join(opening for opening, _ in brackets) + "1" + "".join(closing for _, closing in reversed(brackets))


@pytest.mark.parametrize("objects", [False, True])
@pytest.mark.parametrize("output", ["{}", "So:\n```json\n{}\n```", '<think>"[</think>{}'])
def test_a_hundred_levels_of_brackets_are_an_answer_and_one_more_is_an_invalid_structure(
    objects: bool, output: str
) -> None:
    assert parse_answer(output.replace("{}", nested(100, objects=objects)), Task.NER).records is not None
    assert parse_answer(output.replace("{}", nested(101, objects=objects)), Task.NER) == INVALID


def test_levels_are_counted_not_brackets() -> None:
    answer = f"[{'[],' * 500}{nested(99)}]"
    assert parse_answer(answer, Task.NER).records == json.loads(answer)
    assert parse_answer(f"[{answer}]", Task.NER) == INVALID


@pytest.mark.parametrize("levels", [101, 900, 1_500, 10_000])
def test_too_deep_brackets_are_invalid_also_where_a_second_equal_key_hides_them(levels: int) -> None:
    assert parse_answer(f'{{"person": {nested(levels - 1)}, "person": ["Bure"]}}', Task.NER).records is None


@pytest.mark.parametrize("answer", [json.dumps(["[" * 500, '"{' * 500, "\\["]), json.dumps([{}] * 500)])
def test_brackets_within_strings_and_beside_each_other_are_no_levels(answer: str) -> None:
    assert parse_answer(answer, Task.NER).records == json.loads(answer)


def test_brackets_after_the_answer_are_no_levels_of_it() -> None:
    assert parse_answer(BURE + nested(10_000), Task.NER) == Answer(RECORDS)


def test_how_deep_in_calls_the_parser_stands_changes_nothing() -> None:
    texts = [nested(100), nested(101)]

    def from_below(calls: int) -> tuple[Answer, ...]:
        return from_below(calls - 1) if calls else tuple(parse_answer(text, Task.NER) for text in texts)

    room = sys.getrecursionlimit() - len(inspect.stack())
    assert from_below(room - 150) == from_below(0)


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """A block that must end in time; far above what it takes, far below what a runaway takes."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


@pytest.mark.parametrize("number", ["1" + "0" * 5_000, "-" + "9" * 100_000, "1e400", "1e-400", "0." + "1" * 5_000])
def test_a_number_of_any_length_is_json_and_no_span(number: str) -> None:
    answer = parse_answer(f'[{{"entity": "Bure", "entity_type": "person", "score": {number}}}]', Task.NER)
    assert answer.records is not None
    assert answer.records[0]["entity"] == "Bure"
    assert isinstance(answer.records[0]["score"], float)


@pytest.mark.parametrize("output", ['f{```"""{:“```json\n{"entity": "Bure"', "\t”```json\n\\{”```json\n\\{"])
def test_an_output_on_which_the_repairer_breaks_is_invalid_as_any_other(output: str) -> None:
    assert parse_answer(output, Task.NER) == INVALID


def test_a_raw_nul_is_an_invalid_structure_and_an_escaped_one_a_character() -> None:
    assert parse_answer('["\0"]', Task.NER).records is None
    assert parse_answer(r'["\u0000"]', Task.NER).records == ["\0"]


def test_lone_surrogates_are_kept_escaped_or_raw() -> None:
    assert parse_answer(r'["\ud800"]', Task.NER).records == ["\ud800"]
    assert parse_answer('["\udfff"]', Task.NER).records == ["\udfff"]


def test_a_byte_order_mark_before_the_answer_does_no_harm() -> None:
    assert parse_answer("\ufeff" + BURE, Task.NER).records == RECORDS


pieces = st.sampled_from(
    ["[", "]", "{", "}", '"', "'", "\\", ",", ":", "\n", "```", "```json\n", "<think>", "</think>", "ANSWER", "1e999",
     "-", "NaN", "null", "\0", "\ud800", "\u2028", "//", "/*", "#", "(", "“", '"entity"', '{"entity": "Bure"', BURE]
)  # fmt: skip
outputs = st.text() | st.lists(pieces, max_size=25).map("".join)


@settings(deadline=None, max_examples=300)
@given(output=outputs, task=st.sampled_from(Task), marker=st.sampled_from([None, "ANSWER", "["]))
def test_no_output_makes_the_parser_fail(output: str, task: Task, marker: str | None) -> None:
    answer = parse_answer(output, task, AnswerFormat(marker=marker))
    assert not (answer.repairable and answer.records is not None)


texts = st.text()


def gold_records(task: Task) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of canonical records of arbitrary text."""
    fields: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(CANONICAL[task], texts)
    if task is Task.EE:
        fields["arguments"] = st.lists(st.fixed_dictionaries({"role": texts, "argument": texts}), max_size=3)
    return st.lists(st.fixed_dictionaries(fields), max_size=4)


@pytest.mark.parametrize("task", Task)
@settings(deadline=None)
@given(data=st.data(), ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_gold_written_as_json_is_read_back_as_it_was(
    task: Task, data: st.DataObject, ascii_only: bool, indent: int | None
) -> None:
    records = data.draw(gold_records(task))
    written = json.dumps(records, ensure_ascii=ascii_only, indent=indent)
    for output in (
        written,
        f"Here you are:\n{written}\nDone.",
        f"<think>[]</think>{written}",
        f"```json\n{written}\n```",
    ):
        assert parse_answer(output, task) == Answer(records)


@pytest.mark.parametrize(
    ("prompt", "tag"),
    [
        ("<|assistant|>\n<think>\n", "<think>"),
        ("<Thinking>", "<Thinking>"),
        ("<think>\n\n</think>\n\n", ""),
        ("<think> about it", ""),
        ("", ""),
    ],
)
def test_the_reasoning_tag_that_a_prompt_ends_in_is_found(prompt: str, tag: str) -> None:
    assert opened_reasoning(prompt) == tag


@pytest.mark.parametrize("form", [JSON, AnswerFormat(form=Form.PAIRS)])
@pytest.mark.parametrize("output", [None, "[]", "None"])
def test_a_prediction_that_failed_is_no_answer_whatever_the_form(form: AnswerFormat, output: str | None) -> None:
    assert answer_of(Prediction("a", output=output, error="timeout"), Task.NER, form) == Answer(None)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"form": "pairs", "nothing": ""}, "nothing"),
        ({"form": "pairs", "nothing": " "}, "nothing"),
        ({"form": "pairs", "item_separator": ":"}, "label_separator: must not be the item_separator too"),
        ({"form": "grouped", "key": "records"}, "key: only records stand under one"),
        ({"form": "pairs", "key": "records"}, "key: only records stand under one"),
    ],
)
def test_a_layout_that_cannot_be_told_is_refused(fields: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AnswerFormat.model_validate(fields)
