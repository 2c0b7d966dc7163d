"""The contract check: runs an adapter on M-DEMO and says in plain words what is wrong."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from massie.adapters.contract import Adapter, Prepared
from massie.build import Benchmark
from massie.prompting import answer_of
from massie.types import Prediction, Sample, SystemCard, Task

_KEYS = {
    Task.NER: ("entity", "entity_type"),
    Task.SF: ("slot", "slot_type"),
    Task.RE: ("head", "tail", "relation"),
    Task.ED: ("event_trigger", "event_type"),
    Task.EE: ("event_trigger", "event_type", "arguments"),
}
_SAMPLES_OF_TASK = 24


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the check looked at."""

    outcome: Literal["ok", "problem", "remark"]
    what: str


def check_adapter(adapter: Adapter, benchmark: Benchmark) -> Iterator[Finding]:
    """Check the contract on some samples of every task; the findings come as they are made."""
    card: Any = adapter.describe()
    if not isinstance(card, SystemCard):
        yield Finding("problem", f"describe() returns {type(card).__name__}, not a massie.SystemCard")
    else:
        yield Finding("ok", f"describe() names the system {card.name!r}")
    if isinstance(adapter, Prepared):
        adapter.prepare(benchmark)
        yield Finding("ok", "prepare(benchmark) was called")
    try:
        if list(adapter.predict([])):
            yield Finding("problem", "predict([]) answers something that was not asked")
        for task in Task:
            samples = [sample for sample in benchmark.iter_samples() if sample.task is task][:_SAMPLES_OF_TASK]
            if samples:
                yield from _check_task(adapter, task, [sample.without_gold() for sample in samples])
    except Exception as error:  # noqa: BLE001 (the adapter may raise anything)
        place = traceback.extract_tb(error.__traceback__)[-1]
        yield Finding(
            "problem", f"predict raises {type(error).__name__}: {error} ({place.filename}:{place.lineno}, {place.name})"
        )


def _check_task(adapter: Adapter, task: Task, samples: Sequence[Sample]) -> Iterator[Finding]:
    answers: list[Any] = list(adapter.predict(samples))
    strangers = [answer for answer in answers if not isinstance(answer, Prediction)]
    if strangers:
        yield Finding("problem", f"{task}: predict yields {type(strangers[0]).__name__}, not massie.Prediction")
        return
    yield from _check_ids(task, samples, answers)
    yield from _check_answers(task, {sample.id: sample for sample in samples}, answers)
    alone = {one.sample_id: one for sample in samples[:4] for one in adapter.predict([sample])}
    together = {one.sample_id: one for one in answers}
    changed = [key for key, one in alone.items() if _said(one) != _said(together.get(key))]
    if changed:
        yield Finding("remark", f"{task}: {changed[0]} is answered otherwise alone than with others; runs will vary")


def _said(prediction: Prediction | None) -> tuple[Any, ...] | None:
    return None if prediction is None else (prediction.records, prediction.output, prediction.error)


def _check_ids(task: Task, samples: Sequence[Sample], answers: Iterable[Prediction]) -> Iterator[Finding]:
    asked = {sample.id for sample in samples}
    given = Counter(answer.sample_id for answer in answers)
    unknown = sorted(set(given) - asked)
    missing = sorted(asked - set(given))
    twice = sorted(key for key, number in given.items() if number > 1)
    if unknown:
        yield Finding("problem", f"{task}: sample_id {unknown[0]!r} was not asked ({len(unknown)} such)")
    if missing:
        yield Finding("problem", f"{task}: {len(missing)} of {len(asked)} samples get no answer, {missing[0]} for one")
    if twice:
        yield Finding("problem", f"{task}: {len(twice)} samples are answered more than once, {twice[0]} for one")
    if not (unknown or missing or twice):
        yield Finding("ok", f"{task}: each of {len(asked)} samples is answered once")


def _check_answers(task: Task, samples: dict[str, Sample], answers: Iterable[Prediction]) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    example: dict[str, str] = {}
    for answer in answers:
        for kind, what in _faults(task, samples.get(answer.sample_id), answer):
            counts[kind] += 1
            example.setdefault(kind, what)
    for kind, number in sorted(counts.items()):
        outcome = "problem" if kind in ("no answer", "invalid structure", "malformed record") else "remark"
        yield Finding(outcome, f"{task}: {kind}: {example[kind]} ({number} such)")
    if not counts:
        yield Finding("ok", f"{task}: all records have the keys {', '.join(_KEYS[task])}")


def _faults(task: Task, sample: Sample | None, answer: Prediction) -> Iterator[tuple[str, str]]:
    if sample is None:
        return
    given = sum(part is not None for part in (answer.records, answer.output, answer.error))
    if given != 1:
        yield "no answer", f"{answer.sample_id} must have exactly one of records, output and error, not {given}"
        return
    if answer.error is not None:
        yield "failed", f"{answer.sample_id}: {answer.error[:200]}"
        return
    records = answer_of(answer, task).records
    if records is None:
        yield "invalid structure", f"{answer.sample_id}: no JSON answer in {str(answer.output)[:80]!r}"
        return
    asked = {schema.name.casefold() for schema in sample.schemas}
    for record in records:
        label_key = {Task.RE: "relation"}.get(task, _KEYS[task][1])
        if not isinstance(record, dict) or any(key not in record for key in _KEYS[task]):
            yield "malformed record", f"{answer.sample_id}: {str(record)[:80]} lacks one of {', '.join(_KEYS[task])}"
        elif str(record[label_key]).casefold() not in asked:
            yield "label that was not asked for", f"{answer.sample_id}: {str(record[label_key])[:80]!r}"
