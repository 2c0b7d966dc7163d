"""Language models in this process through Hugging Face transformers, for small models and machines without vLLM."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any
from zlib import crc32

from jinja2 import TemplateError
from pydantic import Field

from massie.adapters.completions import Completion
from massie.adapters.language_models import LanguageModel
from massie.adapters.local_models import LocalOptions, Refusals, one_line, told_in_one_line
from massie.prompting import Request
from massie.prompting.answers import opened_reasoning
from massie.prompting.options import StructuredOutput
from massie.types import AdapterError, Failure, MissingExtraError, RequestError, Usage


class Transformers(LanguageModel):
    """A language model in this process, through transformers; options: TransformersOptions, and those of a method."""

    def __init__(self, **options: Any) -> None:
        super().__init__(TransformersOptions, Model, options)
        if options.get("structured_output", StructuredOutput.OFF) != StructuredOutput.OFF:
            raise AdapterError(
                "the adapter 'transformers' cannot keep a model to a JSON schema: leave structured_output out, or take "
                "the adapter 'vllm', or 'openai' with a server that can"
            )


class TransformersOptions(LocalOptions):
    """The options of a model in transformers.

    ``device`` is one of PyTorch's (``auto``: CUDA where there is a GPU, else the CPU). ``batch_size`` is how many
    answers are generated together; it is halved where the GPU's memory does not hold them.
    """

    device: str = "auto"
    batch_size: int = Field(default=8, ge=1)


_TAIL = 16
"""Tokens at a prompt's end that hold an opening reasoning tag, where there is one."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A request as tokens: its place in the batch, and the most new tokens of the answer."""

    place: int
    tokens: Sequence[int]
    limit: int


class Model:
    """A model in transformers, with its tokenizer."""

    tuning = frozenset({"device"})

    def __init__(self, options: TransformersOptions) -> None:
        self.options = options
        self._model: Any = None
        self._tokenizer: Any = None
        self._ends: set[int] = set()
        self._padding = 0
        self._context: int | None = None
        self._rows = options.batch_size
        self._refusals = Refusals(options.model)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.options.name

    def settings(self) -> dict[str, Any]:
        """The options, without the device."""
        return {"library": "transformers", **self.options.model_dump(mode="json", exclude=set(self.tuning))}

    def load(self) -> None:
        """Load model and tokenizer, a local folder without any network.

        Raises MissingExtraError where transformers or PyTorch is not installed, AdapterError where they cannot load
        the model.
        """
        torch, transformers = _packages()
        options = self.options
        arguments = {
            "revision": options.revision or "main",
            "trust_remote_code": options.trust_remote_code,
            "local_files_only": Path(options.model).is_dir(),
        }
        device = options.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        with told_in_one_line(f"transformers cannot load {options.model}"):
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(options.model, **arguments)
            found = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=options.dtype, **arguments)
            self._model = found.to(device).eval()
        if not self._tokenizer.chat_template:
            raise AdapterError(f"{options.model} has no chat template: name a model that was trained to chat")
        self._tokenizer.model_max_length = sys.maxsize  # what does not fit is told here, once for each request
        self._context = getattr(found.config.get_text_config(), "max_position_embeddings", None)
        self._ends = _ends(found.generation_config.eos_token_id) | _ends(self._tokenizer.eos_token_id)
        self._padding = min(self._ends, default=0)
        found.generation_config = self._generation_config(transformers)

    def complete_all(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion | RequestError]]:
        """Answer the requests, those of like length together, and yield their answers as they come.

        Raises AdapterError where the model fails.
        """
        prompts: list[_Prompt] = []
        for place, request in enumerate(requests):
            prompt = self._prompt(place, request)
            if isinstance(prompt, RequestError):
                yield place, prompt
            else:
                prompts.append(prompt)
        # The longest come first: what does not fit into memory shows at once.
        prompts.sort(key=lambda prompt: (prompt.limit, len(prompt.tokens)), reverse=True)
        while prompts:
            rows = [prompt for prompt in prompts[: self._rows] if prompt.limit == prompts[0].limit]
            outcomes: Sequence[Completion | RequestError] | None = self._answers(rows)
            if outcomes is None and len(rows) > 1:
                self._rows = len(rows) // 2
                continue
            yield from zip((prompt.place for prompt in rows), outcomes or [_too_big(rows[0])], strict=True)
            del prompts[: len(rows)]

    def _prompt(self, place: int, request: Request) -> _Prompt | RequestError:
        """The request as tokens, or why it cannot be asked."""
        limit = self.options.limit(request)
        try:
            tokens: list[int] = self._tokenizer.apply_chat_template(
                list(request.messages),
                add_generation_prompt=True,
                tokenize=True,
                return_dict=False,
                **self.options.chat_template_kwargs,
            )
        except (TemplateError, TypeError, ValueError) as error:
            refusal = RequestError(Failure.REJECTED, f"the chat template fails: {one_line(error)}")
            self._refusals.add(refusal)
            return refusal
        self._refusals.taken()
        if self._context is not None and len(tokens) + limit > self._context:
            return RequestError(
                Failure.CONTEXT_LENGTH,
                f"{len(tokens)} tokens and {limit} new ones do not fit into the model's context of {self._context}",
            )
        return _Prompt(place, tokens, limit)

    def _answers(self, prompts: Sequence[_Prompt]) -> list[Completion] | None:
        """The answers to prompts with the same limit; None where the GPU's memory does not hold them."""
        torch, _ = _packages()
        width = max(len(prompt.tokens) for prompt in prompts)
        padded = [[self._padding] * (width - len(prompt.tokens)) + list(prompt.tokens) for prompt in prompts]
        seen = [[0] * (width - len(prompt.tokens)) + [1] * len(prompt.tokens) for prompt in prompts]
        if self.options.seed is not None:  # what is sampled depends on what is asked, not on when
            torch.manual_seed(self.options.seed ^ crc32(repr(padded).encode()))
        started = perf_counter()
        with told_in_one_line(f"{self.model} fails; what is answered is kept"):
            try:
                output = self._model.generate(
                    input_ids=torch.tensor(padded, device=self._model.device),
                    attention_mask=torch.tensor(seen, device=self._model.device),
                    max_new_tokens=prompts[0].limit,
                )
            except torch.OutOfMemoryError:
                output = None
            if output is None:  # only now, without the error, is what was begun let go
                torch.cuda.empty_cache()
                return None
            new: list[list[int]] = output[:, width:].tolist()
        seconds = (perf_counter() - started) / len(prompts)
        return [self._completion(prompt, tokens, seconds) for prompt, tokens in zip(prompts, new, strict=True)]

    def _completion(self, prompt: _Prompt, tokens: Sequence[int], seconds: float) -> Completion:
        """The new tokens up to their end, which counts as one; padding may follow.

        Reasoning that the chat template began has its opening tag again.
        """
        length = next((place for place, token in enumerate(tokens) if token in self._ends), None)
        text = self._tokenizer.decode(tokens[:length], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Completion(
            text=opened_reasoning(self._tokenizer.decode(prompt.tokens[-_TAIL:])) + text,
            finish_reason="length" if length is None else "stop",
            usage=Usage(
                input_tokens=len(prompt.tokens),
                output_tokens=len(tokens) if length is None else length + 1,
                seconds=seconds,
            ),
        )

    def _generation_config(self, transformers: Any) -> Any:
        """How tokens are chosen; it takes the place of what the model's makers recommend (penalties, top-k, say)."""
        options = self.options
        sampled = {"temperature": options.temperature, "top_p": options.top_p, "top_k": 0}
        return transformers.GenerationConfig(
            do_sample=options.temperature > 0,
            eos_token_id=sorted(self._ends) or None,
            pad_token_id=self._padding,
            **(sampled if options.temperature > 0 else {}),
        )


def _ends(found: int | Sequence[int] | None) -> set[int]:
    """The tokens that end an answer, as a config has them: none, one, or several."""
    if found is None:
        return set()
    return {found} if isinstance(found, int) else set(found)


def _too_big(prompt: _Prompt) -> RequestError:
    return RequestError(
        Failure.ADAPTER,
        f"the GPU's memory does not hold {len(prompt.tokens)} tokens and {prompt.limit} new ones beside the model",
    )


def _packages() -> tuple[Any, Any]:
    """PyTorch and transformers; raises MissingExtraError, or AdapterError where they cannot be imported."""
    with told_in_one_line("transformers cannot be imported"):
        try:
            import torch
            import transformers
        except ModuleNotFoundError as error:
            if error.name not in ("torch", "transformers"):
                raise
            raise MissingExtraError(error.name, "transformers", "the adapter 'transformers'") from error
        return torch, transformers
