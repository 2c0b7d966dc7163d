"""Language models in this process through vLLM: whole batches, continuous batching, a prefix cache.

vLLM runs one replica of the model, over as many GPUs as its tensor and pipeline parallelism says. It does not run
several (``data_parallel_size``) in one process: that is what ``massie run --engine ray --replicas N`` is for.
"""

# vLLM is not installed where the types are checked: it needs a GPU.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import re
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Event, Thread
from typing import Any

from pydantic import Field, field_validator

from massie.adapters.completions import Completion
from massie.adapters.language_models import LanguageModel
from massie.adapters.local_models import LocalOptions, Refusals, one_line, told_in_one_line
from massie.prompting import Request
from massie.prompting.answers import opened_reasoning
from massie.types import AdapterError, Failure, MissingExtraError, RequestError, Usage

_SAMPLING = {"temperature", "top_p", "seed", "max_new_tokens", "chat_template_kwargs", "logprobs"}
_NO_ENGINE_ARGUMENTS = _SAMPLING | {"lora", "engine", "data_parallel_size"}
_CHANGES_NO_ANSWER = {"gpu_memory_utilization", "max_num_seqs", "enable_prefix_caching", "data_parallel_size"}
_TAIL = 16
"""Tokens at a prompt's end that hold an opening reasoning tag, where there is one."""
_CONTEXT = re.compile(r"maximum (context|model) length", re.IGNORECASE)


class VLLM(LanguageModel):
    """A language model in this process, through vLLM; options: VLLMOptions, and those of a method."""

    def __init__(self, **options: Any) -> None:
        super().__init__(VLLMOptions, Engine, options)


class VLLMOptions(LocalOptions):
    """The options of a model in vLLM; what is None is left to vLLM.

    ``tensor_parallel_size`` and ``pipeline_parallel_size`` say over how many GPUs the model is spread. ``lora`` is the
    folder of a LoRA adapter. ``seed`` is that of sampling. ``engine`` holds any other argument of ``vllm.LLM``:
    ``{"max_lora_rank": 64}``, or ``{"reasoning_parser": "qwen3"}`` where structured output follows on reasoning.
    """

    tokenizer: str | None = None
    quantization: str | None = None
    tensor_parallel_size: int = Field(default=1, ge=1)
    pipeline_parallel_size: int = Field(default=1, ge=1)
    data_parallel_size: int = Field(default=1, ge=1)
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    max_model_len: int | None = Field(default=None, ge=1)
    max_num_seqs: int | None = Field(default=None, ge=1)
    enable_prefix_caching: bool = True
    lora: Path | None = None
    logprobs: bool = False
    engine: dict[str, Any] = {}

    @field_validator("data_parallel_size")
    @classmethod
    def _one_replica(cls, value: int) -> int:
        if value > 1:
            raise ValueError("vLLM runs one replica in a process; for more of them: --engine ray --replicas N")
        return value

    @field_validator("engine")
    @classmethod
    def _only_others(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name in cls.model_fields:
                raise ValueError(f"{name} is an option of its own: --option {name}=...")
        return value

    def arguments(self) -> dict[str, Any]:
        """The arguments of ``vllm.LLM``."""
        named = self.model_dump(exclude=_NO_ENGINE_ARGUMENTS, exclude_none=True)
        return {**named, **({"enable_lora": True} if self.lora else {}), **self.engine}


class Engine:
    """A model in vLLM."""

    tuning = frozenset(_CHANGES_NO_ANSWER)

    def __init__(self, options: VLLMOptions) -> None:
        self.options = options
        self._vllm: _Library
        self._llm: Any = None
        self._lora: Any = None
        self._refusals = Refusals(options.model)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.options.name

    def settings(self) -> dict[str, Any]:
        """The options, without those that change nothing but speed."""
        return {"library": "vLLM", **self.options.model_dump(mode="json", exclude=set(self.tuning))}

    def load(self) -> None:
        """Start the engine; raises MissingExtraError without vLLM, AdapterError where it does not start."""
        self._vllm = _library()
        with told_in_one_line(f"vLLM cannot load {self.options.model}"), _interrupts_kept_from_children():
            self._llm = self._vllm.llm(**self.options.arguments())
        if self.options.lora is not None:
            self._lora = self._vllm.lora_request("lora", 1, str(self.options.lora))

    def complete_all(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion | RequestError]]:
        """Answer the requests, all in work at once, and yield the answers when the last has come.

        Each is put into vLLM's queue by itself, so that one which vLLM refuses keeps no other from being answered.
        Raises AdapterError where the engine has died.
        """
        refused: list[tuple[int, RequestError]] = []
        queued: list[int] = []
        with told_in_one_line(f"{self.model}: vLLM's engine stopped, and what is answered is kept"):
            for place, request in enumerate(requests):
                refusal = self._enqueue(request)
                if refusal is None:
                    queued.append(place)
                else:
                    refused.append((place, refusal))
            outputs = self._llm.wait_for_completion(use_tqdm=False)
            answered = [
                (place, outcome_of(output, self._opened(output, requests[place])))
                for place, output in zip(queued, outputs, strict=True)
            ]
        yield from refused
        yield from answered

    def _opened(self, output: Any, request: Request) -> str:
        """The reasoning tag that the chat template opened; a schema without a reasoning parser leaves no reasoning."""
        if request.schema is not None and "reasoning_parser" not in self.options.engine:
            return ""
        return opened_reasoning(self._llm.get_tokenizer().decode(output.prompt_token_ids[-_TAIL:]))

    def _enqueue(self, request: Request) -> RequestError | None:
        """Put a request into the queue, or say why vLLM refuses it."""
        try:
            self._llm.enqueue_chat(
                [list(request.messages)],
                [self._sampling(request)],
                use_tqdm=False,
                lora_request=self._lora,
                chat_template_kwargs=dict(self.options.chat_template_kwargs),
            )
        except self._vllm.refusals as error:
            refusal = refusal_of(error)
            self._refusals.add(refusal)
            return refusal
        self._refusals.taken()
        return None

    def _sampling(self, request: Request) -> Any:
        options, schema = self.options, request.schema
        return self._vllm.sampling_params(
            temperature=options.temperature,
            top_p=options.top_p,
            seed=options.seed,
            max_tokens=options.limit(request),
            logprobs=0 if options.logprobs else None,
            structured_outputs=None if schema is None else self._vllm.structured_outputs(json=schema),
        )


def refusal_of(error: Exception) -> RequestError:
    """What it means for a request that vLLM refuses it."""
    failure = Failure.CONTEXT_LENGTH if _CONTEXT.search(str(error)) else Failure.REJECTED
    return RequestError(failure, one_line(error))


def outcome_of(output: Any, opened: str = "") -> Completion | RequestError:
    """What a ``vllm.RequestOutput`` says, after the reasoning tag that its prompt opened.

    Raises AdapterError where the engine gave the request up.
    """
    best = output.outputs[0]
    if best.finish_reason == "abort":
        raise AdapterError("vLLM's engine was stopped; run the same command again")
    if best.finish_reason == "error":
        return RequestError(Failure.SERVER, "vLLM failed on this request; its log says why")
    logprobs = None
    if best.logprobs is not None:
        logprobs = [likely[token].logprob for token, likely in zip(best.token_ids, best.logprobs, strict=True)]
    return Completion(
        text=opened + best.text,
        finish_reason=best.finish_reason,
        usage=Usage(
            input_tokens=len(output.prompt_token_ids),
            output_tokens=len(best.token_ids),
            cached_tokens=output.num_cached_tokens,
        ),
        logprobs=logprobs,
    )


@contextmanager
def _interrupts_kept_from_children() -> Generator[None]:
    """The processes that are started within never get the SIGINT of a terminal's Ctrl-C.

    vLLM's would end on it at once; but it is this process that knows what is to be waited for. This thread blocks the
    signal, which its children inherit, and another one takes it meanwhile.
    """
    resource_tracker.ensure_running()  # multiprocessing's; where it has to start it, it lets the signal in again
    over = Event()
    Thread(target=over.wait, daemon=True).start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        over.set()


@dataclass(frozen=True, slots=True)
class _Library:
    """What is used of vLLM; ``refusals`` are what it raises where a request, not the engine, is at fault."""

    llm: Any
    sampling_params: Any
    structured_outputs: Any
    lora_request: Any
    refusals: tuple[type[Exception], ...]


def _library() -> _Library:
    """Raises MissingExtraError where vLLM is not installed, AdapterError where it cannot be imported."""
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # standard output is for results
    with told_in_one_line("the package vllm cannot be imported"):
        try:
            from vllm import LLM, SamplingParams
            from vllm.exceptions import VLLMValidationError
            from vllm.lora.request import LoRARequest
            from vllm.sampling_params import StructuredOutputsParams
        except ModuleNotFoundError as error:
            if error.name != "vllm":
                raise
            raise MissingExtraError("vllm", "vllm", "the adapter 'vllm'") from error
        refusals: Any = (VLLMValidationError, ValueError)  # the one is not always the other
        return _Library(LLM, SamplingParams, StructuredOutputsParams, LoRARequest, refusals)
