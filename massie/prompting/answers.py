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

from massie.types import Answer, Prediction, Task

_CLOSING_TAG = re.compile(r"</(?:think|thinking|reasoning|reflection|thought)>", re.IGNORECASE)
_OPENING_TAG = re.compile(r"<(?:think|thinking|reasoning|reflection|thought)>", re.IGNORECASE)
_OPENING_FENCE = re.compile(r"^\s*```[^`]*$")
_CLOSING_FENCE = re.compile(r"^\s*```\s*$")

# Longer outputs are not shown to the repairer, whose time grows faster than the text.
_REPAIR_UP_TO = 20_000

_SPAN_KEYS = {
    Task.NER: ("entity", "entity_type"),
    Task.SF: ("slot", "slot_type"),
    Task.ED: ("event_trigger", "event_type"),
}


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
    to its balanced end. Reasoning that never ends holds no answer.
    """
    if marker is not None:
        _, found, output = output.rpartition(marker)
        if not found:
            return None
    closing = None
    for closing in _CLOSING_TAG.finditer(output):
        pass
    if closing is not None:
        output = output[closing.end() :]
    if _OPENING_TAG.search(output):
        return None
    block = _last_block(output)
    return block if block is not None else _balanced(output)


def _last_block(text: str) -> str | None:
    """The content of the last fenced code block, or None; fences stand on lines of their own."""
    if "```" not in text:
        return None
    block: str | None = None
    opened: list[str] | None = None
    for line in text.splitlines():
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
        token = match[0]
        place = match.end()
        if in_string:
            in_string = token != '"'
        elif token == '"':
            in_string = True
        elif token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
            if depth == 0:
                return text[start:place]
    return text[start:]


_TOKENS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


def _records(text: str, task: Task) -> Sequence[Any] | None:
    """The records of an answer text, or None where it is an invalid structure."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return _shaped(value, task)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _shaped(value: Any, task: Task) -> Sequence[Any] | None:
    """A list of records; for the flat tasks also ``{type: [span, …]}``, spelled out as records."""
    if isinstance(value, list):
        return value  # pyright: ignore[reportUnknownVariableType] (entries are checked one by one when scored)
    if isinstance(value, dict) and task in _SPAN_KEYS:
        span_key, label_key = _SPAN_KEYS[task]
        records: list[Any] = []
        for label, spans in value.items():  # pyright: ignore[reportUnknownVariableType]
            # What is not a list of spans is left as it is: it will count as one malformed record.
            entries: list[Any] = spans if isinstance(spans, list) else [None]
            records += [{span_key: span, label_key: label} for span in entries]
        return records
    return None


def _repairable(text: str | None, task: Task) -> bool:
    """Whether a JSON repairer would have made an answer of the text."""
    if not text or len(text) > _REPAIR_UP_TO:
        return False
    try:
        value: Any = repair_json(text, return_objects=True)
    except (ValueError, RecursionError, TypeError, IndexError):
        return False
    return bool(value) and _shaped(value, task) is not None
