"""From a system's output text to an answer: the answer text, strict JSON, the shape (rules in ``metrics/``).

No repair: an output that needs repairing is an invalid structure. Whether a repairer would have saved it is noted as a
diagnostic.

Pairs (B2NER's ``person: Amina; location: Dodoma``; the flat tasks alone have this form) are read by these rules:

- The answer text is the last fenced code block, else all that is left when reasoning is cut away.
- It is parted into items at every item separator and at every line end; items of white space alone do not count.
- An item is a label and a span: what stands before its first label separator, and all that stands behind it, both
  without the white space around them. An item with no label separator, or with nothing behind it, is a malformed
  record.
- A text that is the word for nothing (in any case), and no more, has no records.
- Any other text without a label separator is an invalid structure, and so is reasoning that begins before the first one
  and never ends.

Outputs are whatever a model wrote: time and memory are bounded by a multiple of the output's length, whatever it holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import Any, NoReturn

from json_repair import repair_json

from massie.prompting.formats import JSON, AnswerFormat, Form
from massie.types import FLAT_TASKS, SPAN_KEYS, Answer, Prediction, Task

DEEPEST = 100
"""Levels of brackets that an answer may have; the canonical shapes need four at most.

JSON lets a reader set this limit (RFC 8259, section 9). Without one, what is an answer would depend on the Python
version (from 3.11 to 3.13 its parser gives up at 1,000 to 10,000 levels) and on how deep in calls the parser stands.
"""

CLOSING_TAG = re.compile(r"</(?:think|thinking|reasoning|reflection|thought)>", re.IGNORECASE)
"""What ends reasoning."""

_OPENING_TAG = re.compile(r"<(?:think|thinking|reasoning|reflection|thought)>", re.IGNORECASE)
_OPENED = re.compile(rf"({_OPENING_TAG.pattern})\s*\Z", re.IGNORECASE)
_TOKENS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_NO_BRACKETS = re.compile(r'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z|\\))++', re.DOTALL)
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}

# Longer answer texts are not shown to the repairer: its time grows with the square of the text (four seconds for the
# worst known text of this length, sixteen for twice as much).
_REPAIR_UP_TO = 4_000

# How the repairer fails on texts that it was not made for.
_REPAIR_FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def answer_of(prediction: Prediction, task: Task, form: AnswerFormat = JSON) -> Answer:
    """A prediction as it is scored: its records, or what its output text holds; nothing where it failed."""
    if prediction.error is not None:
        return Answer(None)
    if prediction.records is not None:
        return Answer(prediction.records)
    return parse_answer(prediction.output or "", task, form, truncated=prediction.finish_reason == "length")


def parse_answer(output: str, task: Task, form: AnswerFormat = JSON, *, truncated: bool = False) -> Answer:
    """The answer in an output text; ``form`` is the layout that the prompt asks for."""
    if form.form is Form.PAIRS:
        return Answer(_pairs(output, task, form), truncated=truncated)
    place = _place(output, form.marker)
    if place is None:
        return Answer(None, truncated=truncated)
    text, start, fenced = place
    records = _records(text, start, fenced, task, form.key)
    if records is None:
        return Answer(None, repairable=_repairable(text, start, fenced, task, form.key), truncated=truncated)
    return Answer(records, truncated=truncated)


def answer_text(output: str, form: AnswerFormat = JSON) -> str | None:
    """The part of an output that is read as the answer; None where there is none.

    Reasoning is cut away: everything up to the last closing reasoning tag, or up to the prompt's answer marker (its
    last occurrence). Of what is left: the content of the last fenced code block, else the text from the first bracket
    to its balanced end. Reasoning that begins before the first bracket and never ends holds no answer. Pairs have no
    brackets: all that is left is read.
    """
    if form.form is Form.PAIRS:
        return _pairs_text(output, form)
    place = _place(output, form.marker)
    if place is None:
        return None
    text, start, fenced = place
    return text if fenced else _balanced(text, start, len(text))


def _place(output: str, marker: str | None) -> tuple[str, int, bool] | None:
    """A text, where in it the answer starts, and whether all of it is the content of a fenced block."""
    text = _after_reasoning(output, marker)
    if text is None:
        return None
    bracket = text.find("[")
    brace = text.find("{", 0, bracket) if bracket >= 0 else text.find("{")
    start = brace if brace >= 0 else bracket
    if _reasons_on(text, start if start >= 0 else len(text)):
        return None
    block = _last_block(text)
    if block is not None:
        return block, 0, True
    return (text, start, False) if start >= 0 else None


def _after_reasoning(output: str, marker: str | None) -> str | None:
    """What follows the last answer marker and the last closing tag; None where the marker is missing."""
    if marker is not None:
        _, found, output = output.rpartition(marker)
        if not found:
            return None
    return without_reasoning(output)


def _reasons_on(text: str, end: int) -> bool:
    """Whether reasoning opens before ``end``, where the answer would start."""
    # The plain search is far quicker than the expression, which few outputs need.
    return text.find("<", 0, end) >= 0 and _OPENING_TAG.search(text, 0, end) is not None


def without_reasoning(output: str) -> str:
    """What follows the last closing reasoning tag."""
    place = output.rfind("</")
    while place >= 0:
        if tag := CLOSING_TAG.match(output, place):
            return output[tag.end() :]
        place = output.rfind("</", 0, place)
    return output


def opened_reasoning(prompt: str) -> str:
    """The opening reasoning tag that a prompt ends in, and so is missing in the output; empty where there is none.

    Some chat templates begin the reasoning for the model (``<think>`` and a line end).
    """
    opened = _OPENED.search(prompt)
    return opened[1] if opened else ""


def _last_block(text: str) -> str | None:
    """The content of the last fenced code block, or None.

    A fence opens at the end of a line (words may stand before it) and closes on a line of its own. Lines end at line
    feeds only: U+2028 and the like may stand within a JSON string, where a line feed may not.
    """
    fence = text.find("```")
    opened = -1  # where the content of the block starts that is open
    content: tuple[int, int] | None = None
    while fence >= 0:
        line, end = text.rfind("\n", 0, fence) + 1, text.find("\n", fence)
        if end < 0:
            end = len(text)
        if opened < 0:
            if text.count("`", line, end) == 3:
                opened = end + 1
        elif text[line:end].strip() == "```":
            content, opened = (opened, line), -1
        fence = text.find("```", end)
    return text[slice(*content)].strip() if content else None


def _balanced(text: str, start: int, end: int) -> str:
    """From the bracket at ``start`` to where the brackets are balanced (to ``end`` where they are not before)."""
    depth, in_string = 0, False
    for match in _TOKENS.finditer(text, start, end):
        found = match[0]
        if in_string:
            in_string = found != '"'
        elif found == '"':
            in_string = True
        elif found in "[{":
            depth += 1
        elif found in "]}":
            depth -= 1
            if depth == 0:
                return text[start : match.end()]
    return text[start:end]


def _is_too_deep(text: str, start: int) -> bool:
    """Whether the brackets from ``start`` to their balanced end are nested in more than ``DEEPEST`` levels."""
    if len(text) - start <= DEEPEST or text.count("[", start) + text.count("{", start) <= DEEPEST:
        return False
    brackets = _NO_BRACKETS.sub("", text[start:])
    return any(depth > DEEPEST for depth in takewhile(bool, accumulate(map(_STEPS.__getitem__, brackets))))


def _records(text: str, start: int, fenced: bool, task: Task, key: str | None) -> Sequence[Any] | None:
    """The records of the JSON value at ``start``, or None for an invalid structure.

    A value that starts with a bracket and parses ends exactly where its brackets are balanced, and what follows does
    not count; a fenced block must hold nothing else.
    """
    if _is_too_deep(text, start):
        return None
    try:
        value, end = _DECODER.raw_decode(text, start)
    except ValueError:
        return None
    return None if fenced and end < len(text) else _shaped(value, task, key)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# Whole numbers are read as floats: no score looks at them, and Python refuses integers of more than 4,300 digits, which
# are JSON all the same.
_DECODER = json.JSONDecoder(parse_int=float, parse_constant=_refuse)


def _shaped(value: Any, task: Task, key: str | None) -> Sequence[Any] | None:
    """A list of records, alone or under the one ``key`` of an object.

    For the flat tasks also ``{type: [span, …]}``, spelled out as records.
    """
    if isinstance(value, dict) and value.keys() == {key} and isinstance(value[key], list):  # pyright: ignore[reportUnknownMemberType]
        value = value[key]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return value  # pyright: ignore[reportUnknownVariableType] (entries are checked one by one when scored)
    if isinstance(value, dict) and task in FLAT_TASKS:
        span_key, label_key = SPAN_KEYS[task]
        records: list[Any] = []
        for label, spans in value.items():  # pyright: ignore[reportUnknownVariableType]
            if isinstance(spans, list):
                records += [{span_key: span, label_key: label} for span in spans]  # pyright: ignore[reportUnknownVariableType]
            else:
                records.append(None)  # will count as one malformed record
        return records
    return None


def _repairable(text: str, start: int, fenced: bool, task: Task, key: str | None) -> bool:
    """Whether a JSON repairer would have made an answer of the text: a list with at least one object."""
    if not fenced:
        text = _balanced(text, start, start + _REPAIR_UP_TO + 1)
    if len(text) > _REPAIR_UP_TO or not ("{" in text or ":" in text) or _is_too_deep(text, 0):
        return False
    try:
        value: Any = repair_json(text, return_objects=True)
    except _REPAIR_FAILURES:
        return False
    return any(isinstance(record, dict) for record in _shaped(value, task, key) or ())


def _pairs(output: str, task: Task, form: AnswerFormat) -> Sequence[Any] | None:
    """The records of a text of pairs, or None for an invalid structure."""
    text = _pairs_text(output, form)
    if text is None or task not in FLAT_TASKS:
        return None
    if text.casefold() == form.nothing.strip().casefold():
        return []
    if form.label_separator not in text:
        return None
    items = (item for line in text.split("\n") for item in line.split(form.item_separator))
    return [_pair(item, task, form.label_separator) for item in items if item.strip()]


def _pairs_text(output: str, form: AnswerFormat) -> str | None:
    text = _after_reasoning(output, form.marker)
    if text is None:
        return None
    start = text.find(form.label_separator)
    if _reasons_on(text, start if start >= 0 else len(text)):
        return None
    block = _last_block(text)
    return text.strip() if block is None else block


def _pair(item: str, task: Task, separator: str) -> dict[str, str] | None:
    label, found, span = item.partition(separator)
    if not found:
        return None  # will count as one malformed record
    span_key, label_key = SPAN_KEYS[task]
    return {span_key: span.strip(), label_key: label.strip()}
