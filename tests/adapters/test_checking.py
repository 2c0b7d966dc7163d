from __future__ import annotations

from collections.abc import Callable
from textwrap import indent

import pytest

from massie.adapters import check_adapter, load_adapter
from massie.build import Benchmark

WriteAdapter = Callable[[str], str]


@pytest.fixture
def check(adapter_file: WriteAdapter, demo: Benchmark) -> Callable[..., list[str]]:
    """The findings (outcome and words) on an adapter whose predict has this body."""

    def check(body: str, more: str = "") -> list[str]:
        describe = "" if "def describe" in more else "    def describe(self): return SystemCard(name='mine')\n"
        text = (
            f"class Mine:\n{describe}{indent(more, '    ')}\n    def predict(self, samples):\n{indent(body, ' ' * 8)}"
        )
        return [f"{found.outcome}: {found.what}" for found in check_adapter(load_adapter(adapter_file(text)), demo)]

    return check


Check = Callable[..., list[str]]


def problems(findings: list[str]) -> list[str]:
    return [finding for finding in findings if finding.startswith("problem: ")]


@pytest.mark.parametrize("name", ["empty", "gold", "lexicon"])
def test_every_reference_system_keeps_the_contract(name: str, demo: Benchmark) -> None:
    findings = list(check_adapter(load_adapter(name), demo))
    assert {finding.outcome for finding in findings} == {"ok"}
    assert any(name in finding.what for finding in findings)


def test_a_good_adapter_is_told_so_for_every_task(check: Check) -> None:
    findings = check("return [Prediction(sample.id, records=[]) for sample in reversed(samples)]")
    assert not problems(findings)
    for task in ("NER", "RE", "SF", "ED", "EE"):
        assert f"ok: {task}: each of 24 samples is answered once" in findings


def test_the_samples_come_without_gold(check: Check) -> None:
    body = (
        "assert all(sample.gold is None for sample in samples)\nreturn [Prediction(s.id, records=[]) for s in samples]"
    )
    assert not problems(check(body))


def test_an_adapter_that_never_heard_of_a_language_model_may_answer_in_text(check: Check) -> None:
    assert not problems(check("for sample in samples:\n    yield Prediction(sample.id, output='Here: []')"))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("return [Prediction('stranger', records=[]) for s in samples]", "sample_id 'stranger' was not asked"),
        ("return [Prediction(s.id, records=[]) for s in samples[1:]]", "1 of 24 samples get no answer"),
        (
            "return [Prediction(s.id, records=[]) for s in samples for _ in '12']",
            "24 samples are answered more than once",
        ),
        ("return []", "24 of 24 samples get no answer"),
        ("pass", "predict returns NoneType, not an iterable of massie.Prediction"),
        ("return [{'id': s.id} for s in samples]", "predict yields dict, not massie.Prediction"),
        ("return [Prediction(None, records=[]) for s in samples]", "predict answers sample_id None, which is no text"),
        ("return [Prediction(s.id) for s in samples]", "exactly one of records, output and error must be given"),
        (
            "return [Prediction(s.id, records=[], output='') for s in samples]",
            "exactly one of records, output and error",
        ),
        ("return [Prediction(s.id, records={'a': 1}) for s in samples]", "records: must be a valid list"),
        ("return [Prediction(s.id, output='I see nobody.') for s in samples]", "no JSON answer in 'I see nobody.'"),
        ("return [Prediction(s.id, records=[{'entity': 'x'}]) for s in samples]", "the key entity_type is missing"),
        ("return [Prediction(s.id, records=['x']) for s in samples]", "'x' is not an object"),
        (
            "return [Prediction(s.id, records=[{'entity': 5, 'entity_type': 'person'}]) for s in samples]",
            "entity is 5, not a string",
        ),
        (
            "return [Prediction(s.id, records=[{'entity': ' ', 'entity_type': 'person'}]) for s in samples]",
            "entity is empty",
        ),
        ("return [Prediction(s.id, error='no key') for s in samples]", "failed: "),
        ("raise ValueError('boom')", "the adapter raises ValueError: boom ("),
        ("import sys; sys.exit(3)", "the adapter raises SystemExit: 3 ("),
        ("yield Prediction('x', records=[])", "predict([]) answers something that was not asked"),
    ],
)
def test_each_breach_of_the_contract_is_named_in_plain_words(check: Check, body: str, what: str) -> None:
    found = problems(check(body))
    assert any(what in finding for finding in found), found


def test_an_error_is_named_with_the_line_of_the_adapters_own_file(check: Check) -> None:
    (found,) = problems(check("first = 1\nreturn 1 / 0"))
    assert "ZeroDivisionError" in found
    assert "my_system.py:" in found


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("def describe(self): return {'name': 'mine'}", "describe() must return a massie.SystemCard, not dict"),
        ("def describe(self): raise RuntimeError('no card')", "describe() raises RuntimeError: no card"),
        (
            "def prepare(self, benchmark): raise RuntimeError('no train')",
            "prepare(benchmark) raises RuntimeError: no train",
        ),
    ],
)
def test_a_breach_before_the_first_sample_is_named_too(check: Check, more: str, what: str) -> None:
    found = problems(check("return [Prediction(s.id, records=[]) for s in samples]", more))
    assert any(what in finding for finding in found), found


def test_labels_that_were_not_asked_for_are_a_remark(check: Check) -> None:
    body = """
keys = {"NER": ("entity", "entity_type"), "SF": ("slot", "slot_type"), "ED": ("event_trigger", "event_type")}
for sample in samples:
    span, label = keys.get(sample.task, ("", ""))
    records = [{span: "x", label: "no such label"}] if sample.task in keys else []
    yield Prediction(sample.id, records=records)
"""
    findings = check(body)
    assert not problems(findings)
    assert sum("label that was not asked for" in finding for finding in findings) == 3


def test_answers_that_depend_on_the_batch_are_a_remark(check: Check) -> None:
    body = "return [Prediction(s.id, output='[]' + ' ' * len(samples)) for s in samples]"
    findings = check(body)
    assert not problems(findings)
    assert any("answered otherwise alone than with others" in finding for finding in findings)
