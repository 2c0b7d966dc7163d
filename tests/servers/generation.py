"""Text from a local model, token by token: greedy or sampled, stopped by texts, and held to a JSON schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llguidance.hf
import numpy as np
import torch
from llguidance import LLMatcher
from transformers import AutoModelForCausalLM, AutoTokenizer

# One form of white space, or a model of random weights writes nothing else.
COMPACT = {"whitespace_flexible": False}


class SchemaError(ValueError):
    """A JSON schema that cannot be followed; the text says why."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated text: its finish reason ("stop" or "length") and its length in tokens."""

    text: str
    finish: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: always the likeliest one at temperature 0."""

    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    stop: Sequence[str] = ()
    schema: Mapping[str, Any] | None = None


class Generator:
    """A model and its tokenizer, from a local folder."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
        self.context: int = self.model.config.max_position_embeddings
        self._vocabulary: int = self.model.config.vocab_size
        self._constraints = llguidance.hf.from_tokenizer(self.tokenizer, n_vocab=self._vocabulary)

    def encode(self, messages: Sequence[Mapping[str, str]], **template: Any) -> list[int]:
        """The prompt's tokens, by the chat template."""
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **template)
        return self.tokenizer.encode(text, add_special_tokens=False)

    @torch.inference_mode()
    def generate(self, prompt: Sequence[int], sampling: Sampling) -> Generated:
        """Continue the prompt; raises SchemaError."""
        matcher = None if sampling.schema is None else self._matcher(sampling.schema)
        random = torch.Generator().manual_seed(sampling.seed) if sampling.seed is not None else None
        ids, cache, tokens = torch.tensor([prompt]), None, list[int]()
        text = ""
        while len(tokens) < sampling.max_tokens:
            output = self.model(input_ids=ids, past_key_values=cache, use_cache=True)
            token = self._choose(output.logits[0, -1], matcher, sampling.temperature, random)
            tokens.append(token)
            if token == self.tokenizer.eos_token_id:
                return Generated(text, "stop", len(tokens))
            text = self.tokenizer.decode(tokens, skip_special_tokens=True)
            if (end := _first(text, sampling.stop)) is not None:
                return Generated(text[:end], "stop", len(tokens))
            if matcher is not None:
                matcher.consume_token(token)
            ids, cache = torch.tensor([[token]]), output.past_key_values
        return Generated(text, "length", len(tokens))

    def _matcher(self, schema: Mapping[str, Any]) -> LLMatcher:
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults=COMPACT)
        matcher = LLMatcher(self._constraints, grammar)
        if matcher.is_error():
            raise SchemaError(matcher.get_error().splitlines()[0])
        return matcher

    def _choose(
        self, logits: torch.Tensor, matcher: LLMatcher | None, temperature: float, random: torch.Generator | None
    ) -> int:
        if matcher is not None:
            bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
            allowed = np.unpackbits(bits, bitorder="little")[: self._vocabulary].astype(bool)
            logits = logits.masked_fill(torch.from_numpy(~allowed), -torch.inf)
        if temperature == 0:
            return int(logits.argmax())
        return int(torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=random))


def _first(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of these texts begins, or None."""
    return min((place for stop in stops if (place := text.find(stop)) >= 0), default=None)
