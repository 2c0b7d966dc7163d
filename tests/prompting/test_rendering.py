"""Rendering: what a model gets, letter by letter, and templates that fail or mean harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from massie.prompting import AnswerFormat, Demonstration, Prompt, render
from massie.prompting.rendering import head, question, thought_question
from massie.types import ContentError, Mention, Role, Sample, Schema, Span, Split, Task

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
BURE = '[{"entity": "Bure", "entity_type": "person"}]'


def prompt_of(user: str, **changed: Any) -> Prompt:
    fields = {"id": "mine", "task": Task.NER, "language": "eng", "system": "Find.", "provenance": "test"}
    return Prompt.model_validate({**fields, "user": user, **changed})


def test_a_chat_is_the_instruction_the_demonstrations_and_the_sample() -> None:
    shot = replace(SAMPLE, id="s0", text="Bure came.")
    assert render(prompt_of("Text: {{ text }}"), SAMPLE, [Demonstration(shot)]) == [
        {"role": "system", "content": "Find."},
        {"role": "user", "content": "Text: Bure came."},
        {"role": "assistant", "content": BURE},
        {"role": "user", "content": "Text: Bure left."},
    ]


def test_what_stands_before_the_sample_is_the_head() -> None:
    prompt, shown = prompt_of("{{ text }}"), [Demonstration(SAMPLE)]
    assert render(prompt, SAMPLE, shown) == [*head(prompt, shown), question(prompt, SAMPLE)]


def test_a_demonstration_s_answer_stands_after_the_marker_and_its_thought() -> None:
    prompt = prompt_of("{{ text }}", answer=AnswerFormat(marker="Answer:"))
    *_, plain, _ = render(prompt, SAMPLE, [Demonstration(SAMPLE)])
    *_, thought, _ = render(prompt, SAMPLE, [Demonstration(SAMPLE, "Bure is a man.")])
    assert plain["content"] == f"Answer:\n{BURE}"
    assert thought["content"] == f"Bure is a man.\nAnswer:\n{BURE}"


def test_gold_of_a_demonstration_keeps_its_letters() -> None:
    shot = replace(SAMPLE, gold=(Span("person", Mention("강리나", ((0, 3),))),))
    assert render(prompt_of("{{ text }}"), SAMPLE, [Demonstration(shot)])[2]["content"] == (
        '[{"entity": "강리나", "entity_type": "person"}]'
    )


@pytest.mark.parametrize(
    "text",
    ["  two spaces ", "ends in a line feed\n", "{{ schemas }}", "{% raw %}", "<b>&amp;</b>", "", "⟦text⟧", "⟦text"],
)
@pytest.mark.parametrize("user", ["Text: {{ text }}\n", "Text: {{ text | string }}\n"])
def test_a_text_is_put_as_it_is(user: str, text: str) -> None:
    assert render(prompt_of(user), replace(SAMPLE, text=text))[1]["content"] == f"Text: {text}"


def test_a_template_reads_names_descriptions_and_roles() -> None:
    schemas = (Schema("attack", roles=(Role("attacker", "who does it"), Role("target"))),)
    prompt = prompt_of(
        "{% for s in schemas %}{{ s.name }}: {{ s.roles | map(attribute='name') | join(', ') }}{% endfor %}"
    )
    assert render(prompt, replace(SAMPLE, schemas=schemas))[1]["content"] == "attack: attacker, target"


def test_a_template_may_write_json() -> None:
    prompt = prompt_of("{{ schemas | map(attribute='name') | list | json }}")
    assert render(prompt, SAMPLE)[1]["content"] == '["person", "place"]'


# ---- What a teacher is asked


def test_a_teacher_sees_text_schemas_and_gold_without_the_marker() -> None:
    prompt = prompt_of(
        "{{ text }}", answer={"marker": "Answer:"}, thought="{{ schemas[0].name }}: {{ text }} → {{ answer }}"
    )
    assert thought_question(prompt, SAMPLE) == [{"role": "user", "content": f"person: Bure left. → {BURE}"}]


def test_a_prompt_without_thought_asks_no_teacher() -> None:
    with pytest.raises(ContentError, match="prompt mine: thought: is missing"):
        thought_question(prompt_of("{{ text }}"), SAMPLE)


# ---- Templates that fail


HARMFUL = [
    "{{ text.__class__ }}",
    "{{ text.__class__.__mro__ }}",
    "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ text['__class__'] }}",
    "{{ text | attr('__class__') }}",
    "{{ '{0.__class__}'.format(text) }}",
    "{{ schemas.__getitem__.__globals__ }}",
    "{{ render.__globals__ if render is defined else text.format.__globals__ }}",
]
FAILING = [
    "{{ 1 / 0 }}",
    "{{ text + 1 }}",
    "{{ text.nothing }}",
    "{{ text }}{{ schemas[9].name }}",
    "{% for _ in range(10 ** 9) %}x{% endfor %}",
    "{% include 'ner-en' %}",
    "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
]


@pytest.mark.parametrize("user", [*HARMFUL, *FAILING])
def test_a_template_that_fails_or_reaches_into_python_says_on_which_sample(user: str) -> None:
    with pytest.raises(ContentError, match=r"prompt mine: user: fails on the sample s1"):
        render(prompt_of(user), SAMPLE)


@pytest.mark.parametrize("thought", [*HARMFUL, *FAILING])
def test_so_does_the_template_of_a_thought(thought: str) -> None:
    with pytest.raises(ContentError, match=r"prompt mine: thought: fails on the sample s1"):
        thought_question(prompt_of("{{ text }}", answer={"marker": "A"}, thought=thought), SAMPLE)
