from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from massie.prompting import prompt_ids

Massie = Callable[..., Any]


def test_every_prompt_is_listed(massie: Massie) -> None:
    assert [prompt["id"] for prompt in massie("prompts", "--json").json] == list(prompt_ids())
    assert "ner-en" in massie("prompts").out


@pytest.mark.parametrize("prompt", ["ner-en", "ee-en"])
def test_a_prompt_is_shown_as_a_model_gets_it(massie: Massie, prompt: str) -> None:
    messages = massie("prompts", "show", prompt, "--language", "swa", "--json").json
    assert messages[-1]["role"] == "user"
    shown = massie("prompts", "show", prompt, "--language", "swa")
    assert shown.code == 0
    assert messages[-1]["content"] in shown.out


def test_demonstrations_make_a_prompt_longer(massie: Massie) -> None:
    short, long = (massie("prompts", "show", "ner-en", "--demonstrations", str(k)).out for k in (0, 2))
    assert len(long) > len(short)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ner-em",), "unknown prompt 'ner-em'; did you mean 'ner-en'"),
        (("ner-en", "--language", "swaa"), "unknown language 'swaa'; did you mean 'swa'"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(massie: Massie, words: tuple[str, ...], said: str) -> None:
    done = massie("prompts", "show", *words)
    assert done.code == 2
    assert said in done.err
