"""Plans: what is counted, against counts made the plain way; what it costs and how long it takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.adapters.openai import OpenAI
from massie.build import Benchmark
from massie.prompting import Message, gold_text
from massie.prompting.options import ShownIn
from massie.prompting.thoughts import Thought, Thoughts, thoughts_to_make
from massie.running import Store
from massie.running.pending import Pending
from massie.running.planning import (
    Estimate,
    Planned,
    Way,
    cost,
    numbers_planned,
    plan_requests,
    seconds,
    text_not_shared,
)
from massie.running.prices import Price, Rates
from massie.running.tokens import TokenCounter
from massie.types import Failure, Prediction, SystemCard, Task


def words(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def contents(messages: Sequence[Message]) -> list[str]:
    return [message["content"] for message in messages]


@pytest.fixture
def counter() -> TokenCounter:
    """A token is a word, and a chat has OpenAI's frame."""
    return TokenCounter("words", exact=True, pieces=contents, lengths=words)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "predictions.sqlite")


def model(benchmark: Benchmark, **options: Any) -> OpenAI:
    adapter = OpenAI(model="any", **options)
    adapter.prepare(benchmark)
    return adapter


def planned(benchmark: Benchmark, store: Store, counter: TokenCounter, **options: Any) -> dict[Task, Planned]:
    return plan_requests(model(benchmark, **options), Pending(benchmark, store), counter)


# Samples and requests


def test_each_task_has_its_samples_and_a_request_for_each(demo: Benchmark, store: Store) -> None:
    part = demo.select(tasks=["NER", "EE"], languages=["swa", "jpn"])
    numbers = numbers_planned(Pending(part, store))
    for task in (Task.NER, Task.EE):
        samples = len(part.select(tasks=[task]).samples())
        assert numbers[task] == Planned(samples=samples, requests=samples)
    assert set(numbers) == {Task.NER, Task.EE}


def test_what_has_an_answer_is_not_asked_and_what_failed_for_a_lasting_reason_only_if_wanted(
    part: Benchmark, store: Store, counter: TokenCounter
) -> None:
    answered, lasting, passing, *others = part.samples()
    store.add(Prediction(answered.id, output="[]"))
    store.add(Prediction(lasting.id, error="too long", failure=Failure.CONTEXT_LENGTH))
    store.add(Prediction(passing.id, error="busy", failure=Failure.RATE_LIMIT))
    adapter = model(part)
    for failed_too, requests in ((False, 1 + len(others)), (True, 2 + len(others))):
        pending = Pending(part, store, failed_too)
        plan = plan_requests(adapter, pending, counter)[Task.NER]
        assert (plan.samples, plan.requests) == (3 + len(others), requests)
        assert numbers_planned(pending)[Task.NER].requests == requests


def test_where_every_sample_is_answered_nothing_is_left(part: Benchmark, store: Store, counter: TokenCounter) -> None:
    store.add_all(Prediction(sample.id, output="[]") for sample in part.samples())
    plan = planned(part, store, counter)
    assert plan == {Task.NER: Planned(samples=len(part.samples()))}
    assert cost(plan[Task.NER], Price("any", Rates(1, 2), "me")) == Estimate(0, 0)
    assert seconds(plan[Task.NER], rate=1, tokens_per_second=1) == Estimate(0, 0)


# Input


def test_the_input_is_that_of_every_request(demo: Benchmark, store: Store, counter: TokenCounter) -> None:
    adapter = model(demo)
    expected = dict.fromkeys(Task, 0)
    for sample in demo.samples():
        expected[sample.task] += counter.count(adapter.method.request(sample.without_gold()).messages)
    plan = plan_requests(adapter, Pending(demo, store), counter)
    assert {task: row.input_tokens for task, row in plan.items()} == expected


def tokens_of(messages: Sequence[Message]) -> list[str]:
    """A chat as the tokens that the counter of words counts."""
    tokens: list[str] = []
    for message in messages:
        tokens += ["<start>", message["role"], "<message>", *message["content"].split(), "<end>"]
    return [*tokens, "<start>", "assistant", "<message>"]


def test_a_chat_written_out_has_as_many_tokens_as_are_counted(part: Benchmark, counter: TokenCounter) -> None:
    messages = model(part).method.request(part.samples()[0]).messages
    assert len(tokens_of(messages)) == counter.count(messages)


@pytest.mark.parametrize("task", ["NER", "RE", "EE"])
def test_shared_is_what_a_request_begins_with_like_the_one_sent_before(
    demo: Benchmark, store: Store, counter: TokenCounter, task: str
) -> None:
    """Against the tokens written out; a word at most is lost for each, where one text begins with all of the other."""
    part = demo.select(tasks=[task])
    adapter, pending = model(part), Pending(part, store)
    sent = [adapter.method.request(sample).messages for sample in pending.samples(part.cells(), by_head=True)]
    chats = [tokens_of(messages) for messages in sent]
    shared = sum(
        sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, chat, strict=False)))
        for before, chat in pairwise(chats)
    )
    plan = plan_requests(adapter, pending, counter)[Task(task)]
    assert shared - len(sent) <= plan.shared_tokens <= shared
    assert plan.shared_tokens < plan.input_tokens


def test_after_another_head_nothing_is_shared(demo: Benchmark, store: Store, counter: TokenCounter) -> None:
    """Each language has demonstrations of its own, and one sample."""
    part = demo.select(tasks=["SF"], limit=1)
    assert planned(part, store, counter, demonstrations="in-language")[Task.SF].shared_tokens == 0
    assert planned(part, store, counter)[Task.SF].shared_tokens > 0


@given(st.text("ab \n"), st.text("ab \n"))
def test_what_is_shared_ends_before_a_space_or_line_end(before: str, text: str) -> None:
    rest = text_not_shared(before, text)
    shared = text.removesuffix(rest)
    assert shared + rest == text
    assert before.startswith(shared)
    assert not shared or rest[0] in " \n"
    longer = [
        end for end in range(len(shared) + 1, len(text)) if text[end] in " \n" and before[: end + 1] == text[: end + 1]
    ]
    assert not longer


# Output


def test_the_expected_output_is_the_gold_as_the_prompt_lays_it_out(
    part: Benchmark, store: Store, counter: TokenCounter
) -> None:
    for form in ("records", "grouped"):
        layout = model(part, form=form).formats[Task.NER]
        texts = [gold_text(sample.gold or (), sample.task, layout) for sample in part.samples()]
        assert planned(part, store, counter, form=form)[Task.NER].output_tokens == sum(words(texts))


def test_the_most_output_is_the_sum_of_the_limits(part: Benchmark, store: Store, counter: TokenCounter) -> None:
    number = len(part.samples())
    assert planned(part, store, counter)[Task.NER].most_output_tokens == 256 * number
    assert planned(part, store, counter, max_new_tokens=40)[Task.NER].most_output_tokens == 40 * number
    assert planned(part, store, counter, reasoning_effort="low")[Task.NER].most_output_tokens == 1024 * number


def test_no_more_output_is_expected_than_the_limit_allows(part: Benchmark, store: Store, counter: TokenCounter) -> None:
    plan = planned(part, store, counter, max_new_tokens=2)[Task.NER]
    texts = [gold_text(sample.gold or (), sample.task) for sample in part.samples()]
    assert plan.output_tokens == sum(min(number, 2) for number in words(texts))
    assert plan.output_tokens < sum(words(texts))


@pytest.fixture
def thoughts(part: Benchmark, tmp_path: Path) -> Path:
    """A file of thoughts for two demonstrations of NER: one of ten words, one of twenty."""
    ((file, drawn),) = thoughts_to_make(part, ["ner-cot-en"], 2, 0, ShownIn.ENGLISH)
    said = [" ".join(["hm"] * number) for number in (10, 20)]
    made = Thoughts(
        benchmark=part.id,
        manifest_digest=part.digest,
        prompts={file.prompt.id: file.sha256},
        k=2,
        demonstration_seed=0,
        teacher=SystemCard(name="teacher"),
        settings={},
        created="2026-01-02T03:04:05Z",
        thoughts=[
            Thought(prompt=file.prompt.id, dataset=drawn.dataset, sample=sample.id, thought=thought)
            for sample, thought in zip(drawn.samples, said, strict=True)
        ],
    )
    path = tmp_path / "thoughts.json"
    path.write_text(json.dumps(made.model_dump(mode="json")), encoding="utf-8")
    return path


def test_reasoning_is_expected_to_be_as_long_as_the_demonstrations(
    part: Benchmark, store: Store, counter: TokenCounter, thoughts: Path
) -> None:
    """Where there are none, the answers alone are expected."""
    cot = {"method": "chain-of-thought"}
    without = planned(part, store, counter, **cot, k=0)[Task.NER]
    plan = planned(part, store, counter, **cot, k=2, thoughts=str(thoughts))[Task.NER]
    assert plan.output_tokens == without.output_tokens + 15 * len(part.samples())
    assert plan.most_output_tokens == 1024 * len(part.samples())


# On the way


def test_it_is_told_how_many_requests_are_counted(demo: Benchmark, store: Store, counter: TokenCounter) -> None:
    told: list[tuple[int, int]] = []
    part = demo.select(tasks=["RE"])
    plan_requests(model(part), Pending(part, store), counter, lambda done, total: told.append((done, total)))
    assert told[0] == (0, 108)
    assert told[-1] == (108, 108)
    assert told == sorted(set(told))


def test_planning_leaves_the_store_as_it_is(part: Benchmark, store: Store, counter: TokenCounter) -> None:
    planned(part, store, counter)
    assert list(store.predictions()) == []


# Dollars and time

WORK = Planned(
    samples=12,
    requests=10,
    input_tokens=2_000_000,
    shared_tokens=1_000_000,
    output_tokens=100_000,
    most_output_tokens=500_000,
)


def test_dollars_are_those_of_the_tokens_in_each_way() -> None:
    price = Price("any", Rates(1.0, 10.0, 0.2), "me", batch=Rates(0.5, 5.0))
    expected = {Way.LIVE: (3.0, 7.0), Way.BATCH: (1.5, 3.5), Way.CACHED: (2.2, 6.2)}
    for way, dollars in expected.items():
        estimate = cost(WORK, price, way)
        assert estimate is not None
        assert (estimate.expected, estimate.most) == pytest.approx(dollars)


def test_a_way_without_a_price_costs_nothing_that_is_known() -> None:
    price = Price("any", Rates(1.0, 10.0), "me")
    assert cost(WORK, price) is not None
    assert cost(WORK, price, Way.BATCH) is None
    assert cost(WORK, price, Way.CACHED) is None


def test_a_price_that_does_not_hold_for_such_long_requests_is_none() -> None:
    assert cost(WORK, Price("any", Rates(1.0, 10.0), "me", up_to=200_000)) is not None
    assert cost(WORK, Price("any", Rates(1.0, 10.0), "me", up_to=199_999)) is None


def test_time_is_that_of_the_requests_or_of_the_tokens_and_the_slower_one_holds() -> None:
    assert seconds(WORK) is None
    by_requests = seconds(WORK, rate=0.5)
    by_tokens = seconds(WORK, tokens_per_second=100_000)
    both = seconds(WORK, rate=0.45, tokens_per_second=100_000)
    assert by_requests is not None
    assert by_tokens is not None
    assert both is not None
    assert (by_requests.expected, by_requests.most) == (20, 20)
    assert (by_tokens.expected, by_tokens.most) == (21, 25)
    assert (both.expected, both.most) == (pytest.approx(22.2, abs=0.1), 25)


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 6)))
def test_plans_add_up(rows: list[tuple[int, ...]]) -> None:
    total = sum((Planned(*row) for row in rows), Planned())
    assert total == Planned(*(sum(column) for column in zip(*rows, strict=True)))
