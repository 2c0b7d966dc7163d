"""Prompts: every prompt of ``prompts/`` on the samples of M-DEMO, and prompts that are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from massie._content import content_folder
from massie.build import Benchmark, load_benchmark
from massie.prompting import Prompt, load_prompt, prompt_ids, read_prompt, render
from massie.types import (
    ContentError,
    Mention,
    Role,
    Sample,
    Schema,
    Span,
    Split,
    Task,
    UnknownNameError,
    record_as_json,
)

SAMPLE = Sample(
    id="s1",
    instance_id="i1",
    task=Task.NER,
    dataset="one",
    language="eng",
    split=Split.TEST,
    text="Bure left.",
    schemas=(Schema("person", "a human being"), Schema("place")),
    gold=(Span("person", Mention("Bure", ((0, 4),))),),
)

WritePrompt = Callable[..., Path]


@pytest.fixture(scope="session")
def demo() -> Benchmark:
    return load_benchmark("m-demo")


@pytest.fixture
def write_prompt(tmp_path: Path) -> WritePrompt:
    """Writes a prompt file that is right but for what is said."""

    def write(user: str = "{{ text }}", name: str = "mine", **changed: Any) -> Path:
        fields = {"id": "mine", "task": "NER", "language": "eng", "system": "Find.", "user": user, "provenance": "test"}
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps({key: value for key, value in (fields | changed).items() if value is not None}))
        return path

    return write


# ---- The prompts of MASSIE


def test_the_prompts_are_the_files_of_the_folder() -> None:
    assert prompt_ids() == sorted(path.stem for path in content_folder("prompts").iterdir())


def test_every_task_has_a_prompt() -> None:
    assert {load_prompt(prompt_id).task for prompt_id in prompt_ids()} == set(Task)


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_a_prompt_puts_every_schema_and_the_text_of_a_sample_verbatim(prompt_id: str, demo: Benchmark) -> None:
    prompt = load_prompt(prompt_id)
    for sample in demo.select(tasks=[prompt.task]).samples("test"):
        instruction, question = render(prompt, sample)
        assert (instruction["role"], question["role"]) == ("system", "user")
        assert sample.text in question["content"]
        lines = question["content"].splitlines()
        for schema in sample.schemas:
            assert any(line.startswith(f"- {schema.name}") for line in lines)
            for words in (schema.description, *(role.name for role in schema.roles)):
                assert words is None or words in question["content"]


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_a_prompt_does_not_see_the_gold(prompt_id: str, demo: Benchmark) -> None:
    prompt = load_prompt(prompt_id)
    for sample in demo.select(tasks=[prompt.task]).samples("test"):
        assert render(prompt, sample) == render(prompt, sample.without_gold())


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_demonstrations_come_before_the_sample_with_their_gold_as_json(prompt_id: str, demo: Benchmark) -> None:
    prompt = load_prompt(prompt_id)
    part = demo.select(tasks=[prompt.task])
    shots, sample = part.samples("train")[:3], part.samples("test")[0]
    messages = render(prompt, sample, shots)
    assert [message["role"] for message in messages] == ["system", *["user", "assistant"] * 3, "user"]
    assert messages[-1] == render(prompt, sample)[-1]
    for shot, question, answer in zip(shots, messages[1:-1:2], messages[2:-1:2], strict=True):
        assert shot.text in question["content"]
        gold = [record_as_json(record, prompt.task) for record in shot.gold or ()]
        assert json.loads(answer["content"]) == gold


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_the_instruction_says_the_keys_of_its_task(prompt_id: str, demo: Benchmark) -> None:
    prompt = load_prompt(prompt_id)
    samples = demo.select(tasks=[prompt.task]).samples("train")
    record = next(record for sample in samples for record in sample.gold or ())
    for key in record_as_json(record, prompt.task):
        assert f'"{key}"' in prompt.system


# ---- Rendering


def test_gold_of_a_demonstration_keeps_its_letters() -> None:
    shot = replace(SAMPLE, gold=(Span("person", Mention("강리나", ((0, 3),))),))
    assert render(prompt_of("{{ text }}"), SAMPLE, [shot])[2]["content"] == (
        '[{"entity": "강리나", "entity_type": "person"}]'
    )


@pytest.mark.parametrize(
    "text", ["  two spaces ", "ends in a line feed\n", "{{ schemas }}", "{% raw %}", "<b>&amp;</b>", ""]
)
def test_a_text_is_put_as_it_is(text: str) -> None:
    sample = replace(SAMPLE, text=text)
    assert render(prompt_of("Text: {{ text }}\n"), sample)[1]["content"] == f"Text: {text}"


def test_a_template_reads_names_descriptions_and_roles() -> None:
    schemas = (Schema("attack", roles=(Role("attacker", "who does it"), Role("target"))),)
    prompt = prompt_of(
        "{% for s in schemas %}{{ s.name }}: {{ s.roles | map(attribute='name') | join(', ') }}{% endfor %}"
    )
    sample = replace(SAMPLE, schemas=schemas)
    assert render(prompt, sample)[1]["content"] == "attack: attacker, target"


def test_a_template_may_write_json() -> None:
    prompt = prompt_of("{{ schemas | map(attribute='name') | list | json }}")
    assert render(prompt, SAMPLE)[1]["content"] == '["person", "place"]'


# ---- Prompts that are wrong


def test_an_unknown_prompt_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown prompt 'ner-em'; did you mean 'ner-en'"):
        load_prompt("ner-em")


@pytest.mark.parametrize("prompt_id", ["../tasks/languages", "/etc/passwd", "", "ner-en.yaml"])
def test_a_prompt_is_named_by_its_id_not_by_a_path(prompt_id: str) -> None:
    with pytest.raises(UnknownNameError):
        load_prompt(prompt_id)


def test_an_unknown_variable_is_named_with_those_there_are(write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=r"mine\.yaml: user: unknown variable txt; a prompt has schemas, text"):
        read_prompt(write_prompt("{{ txt }}"))


@pytest.mark.parametrize("user", ["{{ text", "{% for s in schemas %}", "{{ text | shout }}", "{% include %}"])
def test_a_template_that_is_none_is_refused_before_it_is_used(user: str, write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=r"mine\.yaml: user: not a valid template"):
        read_prompt(write_prompt(user))


def test_an_unknown_key_is_named(write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=r"mine\.yaml: sytem: unknown key"):
        read_prompt(write_prompt(sytem="Find."))


@pytest.mark.parametrize("field", ["id", "task", "language", "system", "user", "provenance"])
def test_a_missing_key_is_named(field: str, write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=rf"mine\.yaml: {field}: this key is missing"):
        read_prompt(write_prompt(**{field: None}))  # pyright: ignore[reportArgumentType]


def test_a_prompt_is_called_as_its_file(write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match="id: is 'mine', but the file is called 'yours'"):
        read_prompt(write_prompt(name="yours"))


@pytest.mark.parametrize(
    "user",
    [
        "{{ text.__class__ }}",
        "{{ text.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ text['__class__'] }}",
        "{{ text | attr('__class__') }}",
        "{{ '{0.__class__}'.format(text) }}",
        "{{ schemas.__getitem__.__globals__ }}",
        "{{ render.__globals__ if render is defined else text.format.__globals__ }}",
    ],
)
def test_a_template_that_reaches_into_python_fails(user: str) -> None:
    with pytest.raises(ContentError, match=r"prompt mine: user: fails on the sample s1"):
        render(prompt_of(user), SAMPLE)


@pytest.mark.parametrize(
    "user",
    [
        "{{ 1 / 0 }}",
        "{{ text + 1 }}",
        "{{ text.nothing }}",
        "{{ schemas[9].name }}",
        "{% for _ in range(10 ** 9) %}x{% endfor %}",
        "{% include 'ner-en' %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
    ],
)
def test_a_template_that_fails_says_on_which_sample(user: str) -> None:
    with pytest.raises(ContentError, match=r"prompt mine: user: fails on the sample s1"):
        render(prompt_of(user), SAMPLE)


def prompt_of(user: str) -> Prompt:
    return Prompt(id="mine", task=Task.NER, language="eng", system="Find.", user=user, provenance="test")
