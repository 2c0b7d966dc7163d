from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark
from massie.prompting import Method, MethodOptions, load_prompt, prompt_ids
from massie.prompting.thoughts import read_thoughts
from massie.types import Task

Massie = Callable[..., Any]

TEACHER = """
import os
from massie.adapters.completions import Completion
from massie.adapters.language_models import LanguageModel
from massie.catalogue import Content
from massie.types import Failure, RequestError

class Options(Content):
    temperature: float = 0.0

class Reader:
    model = "reader"
    tuning = frozenset()
    def __init__(self, options):
        self.options = options
    def settings(self):
        return {"model": self.model, "temperature": self.options.temperature}
    def load(self):
        pass
    def complete_all(self, requests):
        for place, request in enumerate(requests):
            if place == int(os.environ.get("FAILS_AT", "-1")):
                yield place, RequestError(Failure.SERVER, "the server is down")
            elif place == int(os.environ.get("REFUSES_AT", "-1")):
                yield place, Completion("I cannot help with that.", finish_reason="refusal")
            else:
                yield place, Completion(f"It has {len(request.messages[-1]['content'])} letters.")

class Teacher(LanguageModel):
    def __init__(self, **options):
        super().__init__(Options, Reader, options)
"""


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    """An adapter that is a language model."""
    (tmp_path / "teacher.py").write_text(TEACHER, encoding="utf-8")
    return "teacher.py:Teacher"


# ---- The list


def test_every_prompt_is_listed(massie: Massie) -> None:
    assert [prompt["id"] for prompt in massie("prompts", "--json").json] == list(prompt_ids())
    shown = massie("prompts").out
    assert all(prompt in shown for prompt in prompt_ids())


def test_the_list_says_form_and_original_and_fits_into_80_columns(massie: Massie) -> None:
    lines = massie("prompts").out.splitlines()
    words = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert words["ner-tha"] == ["NER", "tha", "records", "ner-en", "256"]
    assert words["ner-grouped-en"] == ["NER", "eng", "grouped", "256"]
    assert words["ee-cot-en"] == ["EE", "eng", "reasoning,", "records", "1024"]
    assert max(map(len, lines)) <= 80
    assert len({len(line) for line in lines[2:]}) == 1


# ---- A prompt as a model gets it


@pytest.mark.parametrize("prompt", ["ner-en", "ee-cot-en", "sf-grouped-en", "ner-pairs-en", "re-tha"])
def test_a_prompt_is_shown_as_a_model_gets_it(massie: Massie, prompt: str) -> None:
    messages = massie("prompts", "show", prompt, "--language", "swa", "--json").json
    assert [message["role"] for message in messages] == ["system", "user"]
    shown = massie("prompts", "show", prompt, "--language", "swa")
    assert shown.code == 0
    assert messages[-1]["content"] in shown.out


def test_demonstrations_are_shown_as_the_method_draws_them(massie: Massie, demo: Benchmark) -> None:
    part = demo.select(tasks=["NER"], languages=["swa"])
    method = Method(MethodOptions(k=2, demonstration_seed=3, prompt=("ner-pairs-en",)))
    method.prepare(part)
    expected = list(method.request(next(part.iter_samples())).messages)
    words = ("show", "ner-pairs-en", "--language", "swa", "--demonstrations", "2", "--seed", "3", "--json")
    assert massie("prompts", *words).json == expected


def test_a_method_shows_its_own_number_of_demonstrations(massie: Massie) -> None:
    few = massie("prompts", "show", "ner-en", "--method", "few-shot", "--json").json
    assert len(few) == 2 + 2 * 3
    zero = massie("prompts", "show", "ner-en", "--method", "zero-shot", "--json").json
    assert len(zero) == 2


def test_demonstrations_may_be_in_the_language_of_the_sample(massie: Massie) -> None:
    words = ("show", "ner-en", "--language", "swa", "--demonstrations", "1", "--json")
    english, swahili = massie("prompts", *words).json, massie("prompts", *words, "--in-language").json
    assert english[-1] == swahili[-1]
    assert english[1] != swahili[1]


def test_a_prompt_of_ones_own_is_shown_by_its_path(massie: Massie, tmp_path: Path) -> None:
    fields = load_prompt("re-en").model_dump(mode="json") | {"id": "mine", "system": "Be quick."}
    (tmp_path / "mine.yaml").write_text(json.dumps(fields))
    assert massie("prompts", "show", "mine.yaml").out.startswith("[system]\nBe quick.\n")


def test_a_prompt_is_shown_on_a_build(massie: Massie, built: tuple[Path, Any]) -> None:
    words = ("show", "re-en", "--demonstrations", "2", "--json")
    assert massie("prompts", *words, "--data", built[0]).json == massie("prompts", *words).json


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ner-em",), "unknown prompt 'ner-em'; did you mean 'ner-en'"),
        (("ner-en", "--language", "swaa"), "unknown language 'swaa'; did you mean 'swa'"),
        (("ner-en", "--benchmark", "m-dem"), "unknown benchmark 'm-dem'; did you mean 'm-demo'"),
        (("ner-en", "--demonstrations", "99"), "99 demonstrations are more than there are"),
        (("ner-en", "--method", "few-shot", "--demonstrations", "0"), "options: k: few-shot shows 1 demonstration"),
        (("ner-en", "--method", "zero-shot", "--demonstrations", "1"), "options: k: zero-shot shows no demonstr"),
        (("ner-en", "--method", "chain-of-thought"), "the prompt ner-en asks for no reasoning"),
        (("ner-cot-en", "--demonstrations", "2"), "options: thoughts: is missing"),
        (("ner-cot-en", "--thoughts", "t.json"), "t.json: cannot be read"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(massie: Massie, words: tuple[str, ...], said: str) -> None:
    done = massie("prompts", "show", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1


# ---- Thoughts


def test_a_teacher_s_thoughts_are_made_once_and_shown(massie: Massie, teacher: str, tmp_path: Path) -> None:
    words = ("prompts", "think", "--adapter", teacher, "--demonstrations", "2", "--out", "thoughts.json")
    done = massie(*words)
    assert (done.code, done.out) == (0, "thoughts.json: 10 thoughts of reader\n")
    thoughts = read_thoughts(tmp_path / "thoughts.json")
    assert {one.prompt for one in thoughts.thoughts} == {f"{task.lower()}-cot-en" for task in Task}
    assert thoughts.teacher.model == "reader"
    assert thoughts.settings == {"model": "reader", "temperature": 0.0}
    before = (tmp_path / "thoughts.json").read_bytes()
    assert massie(*words).code == 0
    assert (tmp_path / "thoughts.json").read_bytes() == before
    shown = massie(
        "prompts", "show", "re-cot-en", "--demonstrations", "2", "--thoughts", "thoughts.json", "--json"
    ).json
    answers = [message["content"] for message in shown if message["role"] == "assistant"]
    assert len(answers) == 2
    assert all(answer.startswith("It has ") and "\nAnswer:\n[{" in answer for answer in answers)


def test_a_teacher_that_fails_keeps_what_it_said_and_goes_on_next_time(
    massie: Massie, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("prompts", "think", "ner-cot-en", "--adapter", teacher, "--out", "thoughts.json")
    monkeypatch.setenv("FAILS_AT", "2")
    failed = massie(*words)
    assert failed.code == 1
    assert failed.err.splitlines()[-1] == "massie: the server is down"
    assert len(read_thoughts(tmp_path / "thoughts.json").thoughts) == 2
    monkeypatch.delenv("FAILS_AT")
    assert massie(*words).out == "thoughts.json: 3 thoughts of reader\n"


def test_a_file_that_cannot_be_written_is_found_before_a_teacher_is_asked(
    massie: Massie, teacher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS_AT", "0")
    done = massie("prompts", "think", "ner-cot-en", "--adapter", teacher, "--out", "absent/thoughts.json")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1] == "massie: absent/thoughts.json: cannot be written: No such file or directory"


def test_a_teacher_that_never_answered_leaves_the_file_to_others(
    massie: Massie, teacher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("prompts", "think", "ner-cot-en", "--adapter", teacher, "--out", "thoughts.json")
    monkeypatch.setenv("FAILS_AT", "0")
    assert massie(*words, "--seed", "1").code == 1
    monkeypatch.delenv("FAILS_AT")
    assert massie(*words, "--seed", "2").out == "thoughts.json: 3 thoughts of reader\n"


def test_what_a_teacher_refuses_is_no_thought(
    massie: Massie, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("prompts", "think", "ner-cot-en", "--adapter", teacher, "--out", "thoughts.json")
    monkeypatch.setenv("REFUSES_AT", "1")
    refused = massie(*words)
    assert refused.code == 2
    assert "did not come to its end (finish_reason 'refusal')" in refused.err.splitlines()[-1]
    assert len(read_thoughts(tmp_path / "thoughts.json").thoughts) == 1
    monkeypatch.delenv("REFUSES_AT")
    assert massie(*words).out == "thoughts.json: 3 thoughts of reader\n"


def test_what_is_no_language_model_is_no_teacher(massie: Massie) -> None:
    done = massie("prompts", "think", "--adapter", "empty", "--out", "t.json")
    assert done.code == 2
    assert done.err == "massie: empty: is no language model; a teacher is one, such as openai\n"


def test_thoughts_of_another_teacher_are_not_overwritten(massie: Massie, teacher: str) -> None:
    words = ("prompts", "think", "ner-cot-en", "--adapter", teacher, "--out", "thoughts.json")
    assert massie(*words).code == 0
    done = massie(*words, "--option", "temperature=1")
    assert done.code == 2
    assert "thoughts.json: was made otherwise: settings is" in done.err


def test_the_help_says_that_thoughts_stay_with_the_user(massie: Massie) -> None:
    assert "stays with you" in massie("prompts", "think", "--help").out
