"""Prompts and answers: how a sample is put to a language model, and what its output says."""

from massie.prompting.answers import answer_of, answer_text, parse_answer
from massie.prompting.prompts import Message, Prompt, load_prompt, prompt_ids, read_prompt, render

__all__ = [
    "Message",
    "Prompt",
    "answer_of",
    "answer_text",
    "load_prompt",
    "parse_answer",
    "prompt_ids",
    "read_prompt",
    "render",
]
