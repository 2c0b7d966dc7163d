"""Rendering: a sample as the chat that a language model gets.

[system]     You extract named entities. …
[user]       Entity types: … Text: …            a demonstration
[assistant]  [{"entity": "Amina", …}]           and its gold
[user]       Entity types: … Text: …            the sample

What samples share comes first, so that a server's prefix cache does it once: the instruction, the demonstrations, and
in each message of a user what the template puts before the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from massie.prompting.gold import gold_text
from massie.prompting.prompts import Prompt
from massie.prompting.templates import FAILURES, fill, fill_text
from massie.types import ContentError, Sample

Message = dict[Literal["role", "content"], str]


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A sample with its gold, shown to a model as an example; ``thought`` is the reasoning that leads to the gold."""

    sample: Sample
    thought: str | None = None


def render(prompt: Prompt, sample: Sample, demonstrations: Sequence[Demonstration] = ()) -> list[Message]:
    """The chat messages of a sample: instruction, demonstrations with their gold, the sample itself.

    Raises ContentError where the template fails.
    """
    return [*head(prompt, demonstrations), question(prompt, sample)]


def head(prompt: Prompt, demonstrations: Sequence[Demonstration] = ()) -> list[Message]:
    """The messages before the sample: one with the instruction, then two for each demonstration."""
    messages: list[Message] = [{"role": "system", "content": prompt.system.strip()}]
    for shown in demonstrations:
        answer = gold_text(shown.sample.gold or (), prompt.task, prompt.answer, shown.thought)
        messages.append(question(prompt, shown.sample))
        messages.append({"role": "assistant", "content": answer})
    return messages


def question(prompt: Prompt, sample: Sample) -> Message:
    """The message that puts a sample to the model."""
    try:
        return {"role": "user", "content": fill_text(prompt.user, sample.text, sample.schemas)}
    except FAILURES as error:
        raise ContentError(f"prompt {prompt.id}: user: fails on the sample {sample.id}: {error}") from error


def thought_question(prompt: Prompt, sample: Sample) -> list[Message]:
    """What a teacher is asked for the thought that leads from a sample to its gold (paper, section 4.1).

    Raises ContentError where the prompt has no ``thought``, or the template fails.
    """
    if prompt.thought is None:
        raise ContentError(f"prompt {prompt.id}: thought: is missing; only prompts for chain of thought have one")
    answer = gold_text(sample.gold or (), prompt.task, prompt.answer.model_copy(update={"marker": None}))
    try:
        asked = fill(prompt.thought, text=sample.text, schemas=sample.schemas, answer=answer)
    except FAILURES as error:
        raise ContentError(f"prompt {prompt.id}: thought: fails on the sample {sample.id}: {error}") from error
    return [{"role": "user", "content": asked}]
