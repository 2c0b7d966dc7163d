"""The contract check: runs an adapter on M-DEMO and says in plain words what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from massie.adapters.contract import Adapter, Prepared, Prompted
from massie.adapters.lines import check_prediction
from massie.adapters.loading import described, prepare, told
from massie.build import Benchmark
from massie.prompting import JSON, AnswerFormat, answer_of
from massie.prompting.formats import Form
from massie.types import (
    SPAN_KEYS,
    AdapterError,
    MassieError,
    Prediction,
    PredictionsError,
    Sample,
    Task,
    record_fault,
)

_SAMPLES_OF_TASK = 24
_OFF_SCHEMA = "label that was not asked for"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the check looked at."""

    outcome: Literal["ok", "problem", "remark"]
    what: str


def check_adapter(adapter: Adapter, benchmark: Benchmark) -> Iterator[Finding]:
    """Check the contract on some samples of every task; the findings come as they are made."""
    try:
        yield Finding("ok", f"describe() names the system {described(adapter, 'the adapter').name!r}")
        if isinstance(adapter, Prepared):
            prepare(adapter, benchmark)
            yield Finding("ok", "prepare(benchmark) was called")
        if _predicted(adapter, []):
            yield Finding("problem", "predict([]) answers something that was not asked")
        for task in Task:
            samples = [sample for sample in benchmark.iter_samples() if sample.task is task][:_SAMPLES_OF_TASK]
            if samples:
                yield from _check_task(adapter, task, [sample.without_gold() for sample in samples])
    except MassieError as error:
        yield Finding("problem", str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the adapter may raise anything)
        yield Finding("problem", f"the adapter raises {told(error)}")


def _predicted(adapter: Adapter, samples: Sequence[Sample]) -> list[Prediction]:
    """What predict answers; raises AdapterError where it returns or yields something else than predictions."""
    answers: Any = adapter.predict(samples)
    if not isinstance(answers, Iterable):
        raise AdapterError(f"predict returns {type(answers).__name__}, not an iterable of massie.Prediction")
    given: list[Any] = list(answers)  # pyright: ignore[reportUnknownArgumentType]
    for answer in given:
        if not isinstance(answer, Prediction):
            raise AdapterError(f"predict yields {type(answer).__name__}, not massie.Prediction")
        if not isinstance(answer.sample_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] (it is user code)
            raise AdapterError(f"predict answers sample_id {answer.sample_id!r}, which is no text")
    return given


def _check_task(adapter: Adapter, task: Task, samples: Sequence[Sample]) -> Iterator[Finding]:
    answers = _predicted(adapter, samples)
    yield from _check_ids(task, samples, answers)
    form = adapter.formats.get(task, JSON) if isinstance(adapter, Prompted) else JSON
    yield from _check_answers(task, {sample.id: sample for sample in samples}, answers, form)
    alone = {one.sample_id: one for sample in samples[:4] for one in _predicted(adapter, [sample])}
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


def _check_answers(
    task: Task, samples: dict[str, Sample], answers: Iterable[Prediction], form: AnswerFormat
) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    example: dict[str, str] = {}
    for answer in answers:
        for kind, what in _faults(task, samples.get(answer.sample_id), answer, form):
            counts[kind] += 1
            example.setdefault(kind, what)
    for kind, number in sorted(counts.items()):
        yield Finding(
            "remark" if kind == _OFF_SCHEMA else "problem", f"{task}: {kind}: {example[kind]} ({number} such)"
        )
    if not counts:
        yield Finding("ok", f"{task}: all records are well formed and of labels that were asked for")


def _faults(task: Task, sample: Sample | None, answer: Prediction, form: AnswerFormat) -> Iterator[tuple[str, str]]:
    if sample is None:
        return
    try:
        check_prediction(answer)
    except PredictionsError as error:
        yield "broken prediction", f"{answer.sample_id}: {error}"
        return
    if answer.error is not None:
        yield "failed", f"{answer.sample_id}: {answer.error[:200]}"
        return
    records = answer_of(answer, task, form).records
    if records is None:
        wanted = "answer" if form.form is Form.PAIRS else "JSON answer"
        yield "invalid structure", f"{answer.sample_id}: no {wanted} in {str(answer.output)[:80]!r}"
        return
    asked = {schema.name.casefold() for schema in sample.schemas}
    label_key = "relation" if task is Task.RE else SPAN_KEYS[task][1]
    for record in records:
        if fault := record_fault(record, task):
            yield "malformed record", f"{answer.sample_id}: {fault}"
        elif " ".join(record[label_key].split()).casefold() not in asked:
            yield _OFF_SCHEMA, f"{answer.sample_id}: {record[label_key][:80]!r}"
