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
Key = TypeVar("Key")


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

    @property
    def tuning(self) -> frozenset[str]:
        """The names of the options that change no answer."""
        return self.llm.tuning

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
        for sample_id, outcome in self._outcomes(requests, limits):
            yield _prediction(sample_id, outcome)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion | RequestError]]:
        """Answer plain requests, each with its place, in any order, with the usual limits; raises as ``stream``."""
        return _live(self.llm, enumerate(requests), Limits(), self._load)

    def _outcomes(
        self, requests: Iterator[tuple[str, Request]], limits: Limits
    ) -> Iterator[tuple[str, Completion | RequestError]]:
        llm = self.llm if limits.cache is None else cached(self.llm, limits.cache)
        if limits.batch_folder is None:
            return _live(llm, requests, limits, self._load)
        if not isinstance(llm, BatchLLM):
            raise AdapterError(f"{llm.model}: its adapter has no batch API; run it without --mode batch")
        return llm.complete_in_batches(requests, limits.batch_folder, limits.stopping, limits.report)

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


def _live(
    llm: LLM, requests: Iterator[tuple[Key, Request]], limits: Limits, load: Callable[[], None]
) -> Iterator[tuple[Key, Completion | RequestError]]:
    return send_all(llm, requests, limits) if isinstance(llm, ServedLLM) else _in_batches(llm, requests, limits, load)


def _in_batches(
    llm: LLM, requests: Iterator[tuple[Key, Request]], limits: Limits, load: Callable[[], None]
) -> Iterator[tuple[Key, Completion | RequestError]]:
    assert isinstance(llm, LocalLLM), "a language model is served or local"
    while asked := list(islice(requests, limits.batch)):
        load()
        for place, outcome in _timed(llm.complete_all([request for _, request in asked])):
            yield asked[place][0], outcome


def _timed(
    outcomes: Iterator[tuple[int, Completion | RequestError]],
) -> Iterator[tuple[int, Completion | RequestError]]:
    """A batch's outcomes; those that do not say how long they took come last, with equal shares of the batch's time.

    That is the time of the language model alone, not of whoever takes the outcomes. A share is no latency: such
    outcomes state no number of requests, so that none is made of them.
    """
    held: list[tuple[int, Completion | RequestError]] = []
    failed: AdapterError | None = None
    seconds = 0.0
    while True:
        started = time.perf_counter()
        try:
            found = next(outcomes, None)
        except AdapterError as error:  # what is answered is kept
            failed, found = error, None
        seconds += time.perf_counter() - started
        if found is None:
            break
        if isinstance(found[1], Completion) and found[1].usage.seconds is not None:
            yield found
        else:
            held.append(found)
    for place, outcome in held:
        yield place, _with_share(outcome, seconds / len(held))
    if failed is not None:
        raise failed


def _with_share(outcome: Completion | RequestError, seconds: float) -> Completion | RequestError:
    if isinstance(outcome, RequestError):
        return outcome
    return replace(outcome, usage=replace(outcome.usage, seconds=seconds))


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
