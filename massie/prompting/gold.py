"""Gold as text: the answer that a prompt asks for, as demonstrations show it and trainers teach it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from massie.prompting.answers import CLOSING_TAG, parse_answer
from massie.prompting.formats import JSON, AnswerFormat, Form
from massie.types import SPAN_KEYS, Record, Task, record_as_json


def gold_text(records: Iterable[Record], task: Task, form: AnswerFormat = JSON, thought: str | None = None) -> str:
    """The records as the answer of a prompt with this layout: the thought, the marker and the records, each on lines
    of its own as far as there is one.

    ``parse_answer`` reads the JSON forms back as they were (grouped: by label), unless the marker itself stands within
    a record; and pairs unless a separator, a line end or the word for nothing does, see ``reads_back``.
    """
    plain = [record_as_json(record, task) for record in records]
    before = [part for part in (thought, form.marker) if part is not None]
    return "\n".join([*before, _written(plain, task, form)])


def reads_back(records: Sequence[Record], task: Task, form: AnswerFormat = JSON) -> bool:
    """Whether ``gold_text`` of the records is read as these very records, in whatever order."""
    read = parse_answer(gold_text(records, task, form), task, form).records
    plain = [record_as_json(record, task) for record in records]
    return read is not None and sorted(map(_canonical, read)) == sorted(map(_canonical, plain))


def _canonical(record: Any) -> str:
    return json.dumps(record, sort_keys=True)


def _written(plain: Sequence[dict[str, Any]], task: Task, form: AnswerFormat) -> str:
    if form.form is Form.RECORDS:
        return _as_json(plain if form.key is None else {form.key: plain})
    span_key, label_key = SPAN_KEYS[task]
    if form.form is Form.GROUPED:
        groups: dict[str, list[str]] = {}
        for record in plain:
            groups.setdefault(record[label_key], []).append(record[span_key])
        return _as_json(groups)
    pairs = (f"{record[label_key]}{form.label_separator} {record[span_key]}" for record in plain)
    return f"{form.item_separator} ".join(pairs) or form.nothing


def _as_json(value: Any) -> str:
    """JSON in which no closing tag of reasoning stands as such: what is before one does not count as an answer."""
    text = json.dumps(value, ensure_ascii=False)
    return CLOSING_TAG.sub(lambda tag: tag[0].replace("/", r"\/"), text)
