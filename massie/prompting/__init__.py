"""Prompts and answers: how a sample is put to a language model, and what its output says."""

from massie.prompting.answers import answer_of, answer_text, parse_answer
from massie.prompting.formats import JSON, AnswerFormat, Form
from massie.prompting.gold import gold_text
from massie.prompting.methods import Method, MethodName, MethodOptions
from massie.prompting.prompts import Prompt, load_prompt, prompt_ids, read_prompt
from massie.prompting.rendering import Demonstration, Message, render
from massie.prompting.requests import Request

__all__ = [
    "JSON",
    "AnswerFormat",
    "Demonstration",
    "Form",
    "Message",
    "Method",
    "MethodName",
    "MethodOptions",
    "Prompt",
    "Request",
    "answer_of",
    "answer_text",
    "gold_text",
    "load_prompt",
    "parse_answer",
    "prompt_ids",
    "read_prompt",
    "render",
]
