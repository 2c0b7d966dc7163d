"""The options of a method: which go together, and what is said of those that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from massie.catalogue import explain
from massie.prompting import Form, MethodName, MethodOptions
from massie.prompting.options import ShownIn, StructuredOutput


def test_by_default_three_english_demonstrations_are_shown() -> None:
    options = MethodOptions()
    assert (options.method, options.shots, options.demonstration_seed) == (MethodName.FEW_SHOT, 3, 0)
    assert options.demonstrations is ShownIn.ENGLISH
    assert options.form is Form.RECORDS
    assert options.structured_output is StructuredOutput.OFF


def test_options_come_as_words() -> None:
    options = MethodOptions.model_validate(
        {
            "method": "chain-of-thought",
            "k": 2,
            "thoughts": "t.json",
            "prompt": "ner-cot-en",
            "demonstrations": "in-language",
        }
    )
    assert options.prompt == ("ner-cot-en",)
    assert options.thoughts == Path("t.json")
    assert options.shots == 2


def test_prompts_may_be_listed() -> None:
    assert MethodOptions.model_validate({"prompt": ["ner-en", "re-en"]}).prompt == ("ner-en", "re-en")


def test_zero_shot_shows_nothing() -> None:
    assert MethodOptions(method=MethodName.ZERO_SHOT).shots == 0


def test_chain_of_thought_may_show_nothing_and_then_needs_no_thoughts() -> None:
    assert MethodOptions(method=MethodName.CHAIN_OF_THOUGHT, k=0).shots == 0


@pytest.mark.parametrize("code", ["deu", "tha", "sample"])
def test_an_instruction_language_is_a_code_or_the_sample_s(code: str) -> None:
    assert MethodOptions(instruction_language=code).instruction_language == code


COT = {"method": "chain-of-thought"}
ZERO = {"method": "zero-shot"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ZERO | {"k": 3}, "k: zero-shot shows no demonstrations; leave it out, or take method=few-shot"),
        (ZERO | {"k": 0}, "k: zero-shot shows no demonstrations"),
        (ZERO | {"demonstration_seed": 1}, "demonstration_seed: zero-shot shows no demonstrations"),
        (ZERO | {"demonstrations": "english"}, "demonstrations: zero-shot shows no demonstrations"),
        (ZERO | {"thoughts": "t.json"}, "thoughts: only the demonstrations of chain-of-thought have thoughts"),
        ({"thoughts": "t.json"}, "thoughts: only the demonstrations of chain-of-thought have thoughts"),
        ({"k": 0}, "k: few-shot shows 1 demonstration at least; for none take method=zero-shot"),
        ({"k": -1}, "k: must be greater than or equal to 0"),
        ({"k": "many"}, "k: must be a valid integer"),
        (COT, "thoughts: is missing: chain-of-thought shows demonstrations with the thoughts of a teacher; make them"),
        (COT | {"k": 5}, "thoughts: is missing"),
        (COT | {"k": 0, "thoughts": "t.json"}, "thoughts: only the demonstrations of chain-of-thought have thoughts"),
        (COT | {"k": 0, "form": "grouped"}, "form: chain-of-thought has prompts for records only"),
        (COT | {"k": 0, "structured_output": "json_schema"}, "structured_output: a JSON schema leaves no room"),
        ({"form": "pairs"}, "form: must be 'records' or 'grouped' (got 'pairs')"),
        ({"method": "few-shots"}, "method: must be 'zero-shot', 'few-shot' or 'chain-of-thought'"),
        ({"instruction_language": "german"}, "instruction_language: unknown language 'german'"),
        ({"shots": 3}, "shots: unknown key"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused_in_one_line_each(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        MethodOptions.model_validate(options)
    (line,) = explain(error.value, "options").splitlines()
    assert line.startswith(f"options: {said}")
