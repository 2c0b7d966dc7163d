"""From a system's output text to an answer: the answer text, strict JSON, the shape (rules in ``metrics/``).

No repair: an output that needs repairing is an invalid structure. Whether a repairer would have saved it is noted as a
diagnostic.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from json_repair import repair_json

from massie.types import FLAT_TASKS, SPAN_KEYS, Answer, Prediction, Task

_CLOSING_TAG = re.compile(r"</(?:think|thinking|reasoning|reflection|thought)>", re.IGNORECASE)
_OPENING_TAG = re.compile(r"<(?:think|thinking|reasoning|reflection|thought)>", re.IGNORECASE)
_OPENING_FENCE = re.compile(r"^[^`]*```[^`]*$")
_CLOSING_FENCE = re.compile(r"^\s*```\s*$")

# Longer answer texts are not shown to the repairer: its time grows with the square of the text (a second or two for
# this many characters at worst, the better part of a minute for five times as many).
_REPAIR_UP_TO = 4_000

# How the repairer fails on texts that it was not made for.
_REPAIR_FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def answer_of(prediction: Prediction, task: Task, marker: str | None = None) -> Answer:
    """A prediction as it is scored: its records, or what its output text holds."""
    if prediction.records is not None:
        return Answer(prediction.records)
    return parse_answer(prediction.output or "", task, marker, truncated=prediction.finish_reason == "length")


def parse_answer(output: str, task: Task, marker: str | None = None, *, truncated: bool = False) -> Answer:
    """The answer in an output text; ``marker`` is the prompt's own answer marker, where it declares one."""
    text = answer_text(output, marker)
    records = None if text is None else _records(text, task)
    if records is None:
        return Answer(None, repairable=_repairable(text, task), truncated=truncated)
    return Answer(records, truncated=truncated)


def answer_text(output: str, marker: str | None = None) -> str | None:
    """The part of an output that must be JSON; None where there is none.

    Reasoning is cut away: everything up to the last closing reasoning tag, or up to the prompt's answer marker (its
    last occurrence). Of what is left: the content of the last fenced code block, else the text from the first bracket
    to its balanced end. Reasoning that begins before the first bracket and never ends holds no answer.
    """
    if marker is not None:
        _, found, output = output.rpartition(marker)
        if not found:
            return None
    output = _CLOSING_TAG.split(output)[-1]
    if _OPENING_TAG.search(output.partition("[")[0].partition("{")[0]):
        return None
    block = _last_block(output)
    return block if block is not None else _balanced(output)


def _last_block(text: str) -> str | None:
    """The content of the last fenced code block, or None.

    A fence opens at the end of a line (words may stand before it) and closes on a line of its own.
    """
    if "```" not in text:
        return None
    block: str | None = None
    opened: list[str] | None = None
    # Not splitlines(): U+2028 and the like may stand within a JSON string, where a line feed may not.
    for line in text.split("\n"):
        if opened is None:
            if _OPENING_FENCE.match(line):
                opened = []
        elif _CLOSING_FENCE.match(line):
            block, opened = "\n".join(opened).strip(), None
        else:
            opened.append(line)
    return block


def _balanced(text: str) -> str | None:
    """From the first ``[`` or ``{`` to where the brackets are balanced (to the end where they never are)."""
    start = min((place for place in (text.find("["), text.find("{")) if place >= 0), default=-1)
    if start < 0:
        return None
    depth, in_string, place = 0, False, start
    for match in _TOKENS.finditer(text, start):
        found = match[0]
        place = match.end()
        if in_string:
            in_string = found != '"'
        elif found == '"':
            in_string = True
        elif found in "[{":
            depth += 1
        elif found in "]}":
            depth -= 1
            if depth == 0:
                return text[start:place]
    return text[start:]


_TOKENS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


def _records(text: str, task: Task) -> Sequence[Any] | None:
    """The records of an answer text, or None where it is an invalid structure.

    Whole numbers are read as floats: no score looks at them, and Python refuses integers of more than 4,300 digits,
    which are JSON all the same.
    """
    try:
        value = json.loads(text, parse_int=float, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return _shaped(value, task)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _shaped(value: Any, task: Task) -> Sequence[Any] | None:
    """A list of records; for the flat tasks also ``{type: [span, …]}``, spelled out as records."""
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


def _repairable(text: str | None, task: Task) -> bool:
    """Whether a JSON repairer would have made an answer of the text: a list with at least one object."""
    if not text or len(text) > _REPAIR_UP_TO:
        return False
    try:
        value: Any = repair_json(text, return_objects=True)
    except _REPAIR_FAILURES:
        return False
    return any(isinstance(record, dict) for record in _shaped(value, task) or ())
