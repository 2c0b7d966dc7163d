"""Language models as systems: which options are whose, what the card says, and what becomes of each outcome."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from massie.adapters import Adapter, Limits, Prepared, Prompted, ResponseCache, Streaming
from massie.adapters.completions import LLM, Completion
from massie.adapters.language_models import LanguageModel
from massie.build import Benchmark
from massie.catalogue import Content
from massie.prompting import Request
from massie.types import AdapterError, Failure, Prediction, RequestError, Sample, Task, UnknownNameError, Usage


class ParrotOptions(Content):
    """Says the same to everything; ``silent_to`` is what it does not answer."""

    word: str = "[]"
    silent_to: str | None = None


@dataclass
class Parrot:
    """A language model in this process."""

    options: ParrotOptions
    batches: list[int] = field(default_factory=list[int])
    loaded: int = 0

    model = "parrot"
    tuning = frozenset({"silent_to"})

    def settings(self) -> dict[str, Any]:
        return {"model": self.model, "word": self.options.word}

    def load(self) -> None:
        self.loaded += 1

    def complete_all(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion | RequestError]]:
        self.batches.append(len(requests))
        for place, request in reversed(list(enumerate(requests))):
            silent = self.options.silent_to
            if silent is not None and silent in request.messages[-1]["content"]:
                yield place, RequestError(Failure.CONTEXT_LENGTH, "too long", requests=1)
            else:
                yield place, Completion(self.options.word, "length", Usage(output_tokens=1), "thus", [-0.5])


def parrot(**options: Any) -> LanguageModel:
    return LanguageModel(ParrotOptions, Parrot, {"method": "zero-shot", **options})


def llm_of(system: LanguageModel) -> Parrot:
    llm: LLM = system.llm
    assert isinstance(llm, Parrot)
    return llm


def test_a_language_model_is_an_adapter_of_every_kind() -> None:
    system = parrot()
    for kind in (Adapter, Prepared, Streaming, Prompted):
        assert isinstance(system, kind)


def test_the_card_says_what_model_and_method_it_is() -> None:
    card = parrot().describe()
    assert (card.name, card.model, card.kind, card.prompt) == ("parrot", "parrot", "language model", "zero-shot")


def test_what_the_user_says_of_the_system_stands_on_its_card() -> None:
    card = parrot(card={"name": "Polly", "licence": "MIT"}).describe()
    assert (card.name, card.model, card.licence) == ("Polly", "parrot", "MIT")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"word": 7}, "options: word: "),
        ({"k": -1, "method": "few-shot"}, "options: k: "),
        ({"method": "guessing"}, "options: method: "),
        ({"card": {"licence": 7}}, "options: licence: "),
        ({"card": {"colour": "green"}}, "options: colour: "),
        ({"card": "MIT"}, "options: card: must be an object"),
    ],
)
def test_a_value_that_will_not_do_is_told_with_its_option(options: dict[str, Any], words: str) -> None:
    with pytest.raises(AdapterError, match=words):
        parrot(**options)


def test_an_option_of_neither_the_model_nor_the_method_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'silent_to'"):
        parrot(silent_too="x")


def test_the_details_are_those_of_the_method_and_of_the_model(demo: Benchmark) -> None:
    system = parrot(word="{}")
    system.prepare(demo.select(tasks=["NER"]))
    assert system.details() == {**system.method.details(), "llm": {"model": "parrot", "word": "{}"}}
    assert system.details()["method"] == "zero-shot"


def test_every_task_has_a_layout_of_answers() -> None:
    assert parrot().formats.keys() == set(Task)


def test_an_answer_is_a_prediction_with_all_that_came_with_it(samples: Sequence[Sample]) -> None:
    (made,) = parrot(word='["Tana"]').predict(samples[:1])
    assert made.usage is not None
    assert (made.usage.output_tokens, made.usage.requests) == (1, None)
    assert (made.usage.seconds or 0) > 0
    usage = made.usage
    assert made == Prediction(
        samples[0].id, output='["Tana"]', finish_reason="length", usage=usage, reasoning="thus", logprobs=[-0.5]
    )


def test_a_failure_is_a_prediction_that_says_so(samples: Sequence[Sample]) -> None:
    silent = samples[3].text
    made = {one.sample_id: one for one in parrot(silent_to=silent).predict(samples)}
    asked = {sample.id for sample in samples}
    failed = {sample.id for sample in samples if silent in sample.text}
    assert made.keys() == asked
    assert {key for key, one in made.items() if one.error is not None} == failed
    assert made[samples[3].id] == Prediction(
        samples[3].id, error="too long", failure=Failure.CONTEXT_LENGTH, usage=Usage(requests=1)
    )


def test_a_local_model_gets_its_samples_in_batches_and_is_loaded_once(samples: Sequence[Sample]) -> None:
    system = parrot()
    answered = [one.sample_id for one in system.stream(samples, Limits(batch=4))]
    assert sorted(answered) == sorted(sample.id for sample in samples)
    assert (llm_of(system).batches, llm_of(system).loaded) == ([4, 4, 2], 1)


def test_a_local_model_is_loaded_once_for_all_streams_with_a_cache_too(
    samples: Sequence[Sample], tmp_path: Path
) -> None:
    system, cache = parrot(), ResponseCache(tmp_path / "cache.sqlite")
    for part in (samples[:4], samples[4:]):
        list(system.stream(part, Limits(batch=2, cache=cache)))
    assert (sum(llm_of(system).batches), llm_of(system).loaded) == (10, 1)
    cache.close()


def test_a_model_that_has_nothing_to_do_is_not_loaded() -> None:
    system = parrot()
    assert list(system.stream([], Limits())) == []
    assert llm_of(system).loaded == 0


def test_what_the_cache_holds_is_not_asked_again(samples: Sequence[Sample], tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "cache.sqlite")
    first, second = parrot(), parrot()
    before = {one.sample_id: one.output for one in first.stream(samples, Limits(cache=cache))}
    after = list(second.stream(samples, Limits(cache=cache)))
    assert {one.sample_id: one.output for one in after} == before
    assert {one.usage.requests for one in after if one.usage} == {0}
    assert llm_of(second).batches == []
    cache.close()


def test_a_model_without_a_batch_api_says_so(samples: Sequence[Sample], tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="parrot: its adapter has no batch API; run it without --mode batch"):
        list(parrot().stream(samples, Limits(batch_folder=tmp_path)))


def test_the_time_of_a_batch_is_shared_by_its_answers_without_that_of_whoever_takes_them(
    samples: Sequence[Sample],
) -> None:
    shares: list[float] = []
    for made in parrot().predict(samples[:4]):
        time.sleep(0.05)
        assert made.usage is not None
        shares.append(made.usage.seconds or 0)
    assert len(set(shares)) == 1
    assert 0 < sum(shares) < 0.05


class Fails(Parrot):
    def complete_all(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion | RequestError]]:
        yield 0, Completion("[]")
        raise AdapterError("the engine stopped")


def test_what_was_answered_before_a_batch_breaks_off_is_yielded(samples: Sequence[Sample]) -> None:
    stream = LanguageModel(ParrotOptions, Fails, {"method": "zero-shot"}).predict(samples)
    assert next(iter(stream)).sample_id == samples[0].id
    with pytest.raises(AdapterError, match="the engine stopped"):
        next(iter(stream))


def test_plain_requests_are_answered_by_a_model_that_is_loaded_once() -> None:
    system = parrot()
    for _ in range(2):
        answered = dict(system.complete([Request([{"role": "user", "content": "a"}], 9)] * 3))
        assert sorted(answered) == [0, 1, 2]
    assert llm_of(system).loaded == 1


def test_what_changes_no_answer_is_what_the_model_says() -> None:
    assert parrot().tuning == {"silent_to"}
