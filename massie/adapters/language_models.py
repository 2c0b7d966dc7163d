"""Language models as systems: a method, which knows no vendor, over a language model, which knows no task."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from massie.adapters.completions import LLM, BatchLLM, Completion, LocalLLM, ServedLLM
from massie.adapters.response_cache import cached
from massie.adapters.sending import Limits, send_all
from massie.build import Benchmark
from massie.catalogue import Content, explain
from massie.prompting import AnswerFormat, Method, MethodOptions, Request
from massie.types import AdapterError, Prediction, RequestError, Sample, SystemCard, Task, UnknownNameError, Usage

Options = TypeVar("Options", bound=Content)


class LanguageModel:
    """A language model with a method, as an adapter that takes its samples as a stream."""

    def __init__(self, taken: type[Options], made: Callable[[Options], LLM], options: Mapping[str, Any]) -> None:
        """``taken`` are the options that ``made`` makes a language model of; the others are the method's.

        ``card`` may hold what the system's card says beside the model (``name``, ``organisation``, ``licence`` …).
        Raises UnknownNameError for an option that neither has, AdapterError for a value that will not do.
        """
        known = {*taken.model_fields, *MethodOptions.model_fields, "card"}
        for name in options:
            if name not in known:
                raise UnknownNameError("option", name, known)
        own = {name: value for name, value in options.items() if name in taken.model_fields}
        others = {name: value for name, value in options.items() if name in MethodOptions.model_fields}
        try:
            self.llm: LLM = made(taken.model_validate(own))
            self.method = Method(MethodOptions.model_validate(others))
            self._card = _card(self.llm.model, self.method.name, options.get("card", {}))
        except ValidationError as error:
            raise AdapterError(explain(error, "options")) from error
        self._loaded = False

    def describe(self) -> SystemCard:
        """The card: the model's name, the method, and what the option ``card`` adds."""
        return self._card

    @property
    def formats(self) -> dict[Task, AnswerFormat]:
        """How the answers to each task are laid out."""
        return self.method.formats

    def prepare(self, benchmark: Benchmark) -> None:
        """Find the demonstrations."""
        self.method.prepare(benchmark)

    def details(self) -> dict[str, Any]:
        """What the answers depend on beside the options that were given: the method's and the model's settings."""
        return {**self.method.details(), "llm": self.llm.settings()}

    def predict(self, samples: Sequence[Sample]) -> Iterator[Prediction]:
        """Answer the samples, with the usual limits."""
        return self.stream(samples, Limits())

    def stream(self, samples: Iterable[Sample], limits: Limits) -> Iterator[Prediction]:
        """Answer the samples as they come, in any order.

        Raises EndpointError, AdapterError or MissingExtraError where the language model cannot be used.
        """
        requests = ((sample.id, self.method.request(sample)) for sample in samples)
        llm = self.llm if limits.cache is None else cached(self.llm, limits.cache)
        for sample_id, outcome in _outcomes(llm, requests, limits, self._load):
            yield _prediction(sample_id, outcome)

    def _load(self) -> None:
        """Load a model of this process, once for all streams."""
        if not self._loaded:
            cast("LocalLLM", self.llm).load()
            self._loaded = True


def _card(model: str, prompts: str, further: Any) -> SystemCard:
    """The system's card, with what the user says of the system."""
    if not isinstance(further, dict):
        raise AdapterError(f'options: card: must be an object, {{"licence": "MIT"}}, say; not {further!r:.80}')
    named = {"kind": "language model", "name": model, "model": model, "prompt": prompts[:200]}
    return SystemCard.model_validate({**named, **cast("dict[str, Any]", further)})


def _outcomes(
    llm: LLM, requests: Iterator[tuple[str, Request]], limits: Limits, load: Callable[[], None]
) -> Iterator[tuple[str, Completion | RequestError]]:
    if limits.batch_folder is not None:
        if not isinstance(llm, BatchLLM):
            raise AdapterError(f"{llm.model}: its adapter has no batch API; run it without --mode batch")
        return llm.complete_in_batches(requests, limits.batch_folder, limits.stopping, limits.report)
    return send_all(llm, requests, limits) if isinstance(llm, ServedLLM) else _in_batches(llm, requests, limits, load)


def _in_batches(
    llm: LLM, requests: Iterator[tuple[str, Request]], limits: Limits, load: Callable[[], None]
) -> Iterator[tuple[str, Completion | RequestError]]:
    assert isinstance(llm, LocalLLM), "a language model is served or local"
    while asked := list(islice(requests, limits.batch)):
        load()
        started = time.perf_counter()
        for place, outcome in llm.complete_all([request for _, request in asked]):
            yield asked[place][0], _timed(outcome, (time.perf_counter() - started) / len(asked))


def _timed(outcome: Completion | RequestError, seconds: float) -> Completion | RequestError:
    """The outcome with a share of its batch's time, where the language model does not say how long it took."""
    if isinstance(outcome, RequestError) or outcome.usage.seconds is not None:
        return outcome
    return replace(outcome, usage=replace(outcome.usage, seconds=seconds, requests=1))


def _prediction(sample_id: str, outcome: Completion | RequestError) -> Prediction:
    if isinstance(outcome, RequestError):
        return Prediction(
            sample_id, error=str(outcome), failure=outcome.failure, usage=Usage(requests=outcome.requests)
        )
    return Prediction(
        sample_id,
        output=outcome.text,
        finish_reason=outcome.finish_reason,
        usage=outcome.usage,
        reasoning=outcome.reasoning,
        logprobs=outcome.logprobs,
    )
