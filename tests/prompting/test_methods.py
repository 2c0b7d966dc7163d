"""Methods: what is sent for a sample, and what is told of how it came about."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from massie._content import content_folder
from massie.build import Benchmark
from massie.prompting import (
    AnswerFormat,
    Demonstration,
    Form,
    Message,
    Method,
    MethodOptions,
    answer_of,
    gold_text,
    load_prompt,
    render,
)
from massie.prompting.json_schema import answer_schema
from massie.prompting.prompts import file_digest
from massie.types import (
    FLAT_TASKS,
    AdapterError,
    BuildError,
    ContentError,
    Prediction,
    Sample,
    Split,
    Task,
    UnknownNameError,
    record_as_json,
)

WritePrompt = Callable[..., Path]


def method(benchmark: Benchmark, **options: Any) -> Method:
    made = Method(MethodOptions.model_validate(options))
    made.prepare(benchmark)
    return made


def a_sample(demo: Benchmark, task: Task = Task.NER, language: str = "swa") -> Sample:
    return next(demo.select(tasks=[task], languages=[language]).iter_samples()).without_gold()


def roles(messages: Any) -> list[str]:
    return [message["role"] for message in messages]


# ---- Requests


@pytest.mark.parametrize("task", Task)
def test_zero_shot_sends_the_instruction_and_the_sample(task: Task, demo: Benchmark) -> None:
    sample = a_sample(demo, task)
    request = method(demo, method="zero-shot").request(sample)
    assert list(request.messages) == render(load_prompt(f"{task.lower()}-en"), sample)
    assert (request.max_new_tokens, request.schema) == (256, None)


def test_zero_shot_needs_no_benchmark(demo: Benchmark) -> None:
    sample = a_sample(demo)
    unprepared = Method(MethodOptions.model_validate({"method": "zero-shot"}))
    assert unprepared.request(sample) == method(demo, method="zero-shot").request(sample)


@pytest.mark.parametrize("task", Task)
def test_few_shot_sends_three_english_demonstrations_by_default(task: Task, demo: Benchmark) -> None:
    few, sample = method(demo), a_sample(demo, task)
    messages = few.request(sample).messages
    assert roles(messages) == ["system", *["user", "assistant"] * 3, "user"]
    drawn = few.details()["demonstrations"][f"{task}/eng"]["samples"]
    train = {shot.id: shot for shot in demo.select(tasks=[task]).samples("train")}
    shown = [Demonstration(train[id_]) for id_ in drawn]
    assert list(messages) == render(load_prompt(f"{task.lower()}-en"), sample, shown)


def test_samples_of_a_task_share_what_stands_before_them(demo: Benchmark) -> None:
    few = method(demo)
    first, second = (few.request(a_sample(demo, language=code)).messages for code in ("swa", "tha"))
    assert first[-1] != second[-1]
    assert all(one is other for one, other in zip(first[:-1], second[:-1], strict=True))


@pytest.mark.parametrize("task", sorted(FLAT_TASKS))
def test_the_grouped_form_is_asked_of_flat_tasks(task: Task, demo: Benchmark) -> None:
    grouped = method(demo, form="grouped", k=1)
    assert grouped.formats[task] == AnswerFormat(form=Form.GROUPED)
    assert isinstance(json.loads(grouped.request(a_sample(demo, task)).messages[-2]["content"]), dict)


@pytest.mark.parametrize("task", sorted(set(Task) - FLAT_TASKS))
def test_other_tasks_are_asked_for_records_and_that_is_told(task: Task, demo: Benchmark) -> None:
    grouped = method(demo, form="grouped")
    assert grouped.formats[task] == AnswerFormat()
    assert grouped.details()["prompts"][f"{task.lower()}-en"]["form"] == "records"
    assert grouped.details()["prompts"]["ner-grouped-en"]["form"] == "grouped"


def test_a_prompt_of_its_own_serves_its_task_and_the_defaults_the_others(
    demo: Benchmark, write_prompt: WritePrompt
) -> None:
    path = write_prompt("{{ text }}!", max_new_tokens=7)
    own = method(demo, method="zero-shot", prompt=str(path))
    sample = a_sample(demo)
    request = own.request(sample)
    assert request.messages[-1]["content"] == f"{sample.text}!"
    assert request.max_new_tokens == 7
    assert own.details()["prompts"]["mine"]["sha256"] == file_digest(path)
    assert "re-en" in own.details()["prompts"]


def test_an_answer_is_read_as_the_method_asked_for_it(demo: Benchmark) -> None:
    pairs = method(demo, prompt="ner-pairs-en")
    (sample, *_) = demo.select(tasks=["NER"], languages=["eng"]).samples("train")
    output = gold_text(sample.gold or (), Task.NER, pairs.formats[Task.NER])
    assert not output.startswith("[")
    read = answer_of(Prediction(sample.id, output=output), Task.NER, pairs.formats[Task.NER])
    assert read.records == [record_as_json(record, Task.NER) for record in sample.gold or ()]


def test_the_name_of_a_method_says_the_prompts_that_were_named(demo: Benchmark) -> None:
    assert method(demo).name == "few-shot"
    assert method(demo, method="zero-shot", prompt=["ner-en", "re-en"]).name == "zero-shot with ner-en, re-en"


# ---- No sample is its own demonstration


@pytest.mark.parametrize("changed", [str, str.upper, lambda text: f" {text.replace(' ', '  ')}\n"])
def test_a_sample_with_a_demonstration_s_text_is_not_shown_that_one(
    changed: Callable[[str], str], demo: Benchmark
) -> None:
    few = method(demo)
    shown = few.details()["demonstrations"]["NER/eng"]["samples"]
    train = {sample.id: sample for sample in demo.select(tasks=["NER"]).samples("train")}
    everything = few.request(a_sample(demo)).messages
    for place, id_ in enumerate(shown):
        sample = replace(train[id_], text=changed(train[id_].text), language="swa")
        messages = few.request(sample).messages
        before = [*everything[: 1 + 2 * place], *everything[3 + 2 * place : -1]]
        assert list(messages[:-1]) == before
        assert not any(train[id_].text in message["content"] for message in messages[:-1])


# ---- Languages of demonstrations and instructions


def test_demonstrations_may_be_in_the_language_of_the_sample(demo: Benchmark) -> None:
    few = method(demo, demonstrations="in-language")
    told = few.details()["demonstrations"]
    swahili = {sample.id: sample for sample in demo.select(languages=["swa"]).samples("train")}
    messages = few.request(a_sample(demo)).messages
    for id_, message in zip(told["NER/swa"]["samples"], messages[1:-1:2], strict=True):
        assert message["content"].endswith(swahili[id_].text)


def test_a_language_without_train_samples_is_shown_the_english_demonstrations(demo: Benchmark) -> None:
    train = [entry for entry in demo.manifest.cells if (entry.split, entry.cell.language) != (Split.TRAIN, "swa")]
    lacking = replace(demo, manifest=demo.manifest.model_copy(update={"cells": train}))
    part = lacking.select(tasks=["NER"], languages=["swa", "tha", "eng"])
    assert method(part, demonstrations="in-language").details()["demonstrations"].keys() == {"NER/eng", "NER/tha"}


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("code", ["deu", "tha", "spa", "jpn"])
def test_instructions_may_be_in_one_language_for_all(task: Task, code: str, demo: Benchmark) -> None:
    made = method(demo, method="zero-shot", instruction_language=code)
    sample = a_sample(demo, task)
    assert list(made.request(sample).messages) == render(load_prompt(f"{task.lower()}-{code}"), sample)


def test_instructions_may_be_in_the_language_of_the_sample_where_there_is_a_translation(demo: Benchmark) -> None:
    made = method(demo.select(tasks=["NER"]), method="zero-shot", instruction_language="sample")
    for language, prompt in (("deu", "ner-deu"), ("swa", "ner-en"), ("eng", "ner-en")):
        sample = a_sample(demo, language=language)
        assert list(made.request(sample).messages) == render(load_prompt(prompt), sample)
    assert made.details()["prompts"].keys() == {"ner-en", "ner-deu", "ner-tha", "ner-spa", "ner-jpn"}


def test_from_a_translation_one_comes_to_the_others(demo: Benchmark) -> None:
    sample = a_sample(demo)
    for language, prompt in ((None, "ner-deu"), ("eng", "ner-en"), ("jpn", "ner-jpn")):
        made = method(demo, method="zero-shot", prompt="ner-deu", instruction_language=language)
        assert list(made.request(sample).messages) == render(load_prompt(prompt), sample)


def test_prompts_of_ones_own_are_translated_by_the_files_beside_them(
    demo: Benchmark, write_prompt: WritePrompt
) -> None:
    path = write_prompt("{{ text }}")
    write_prompt("{{ text }} {{ text }}", name="mine-swa", language="swa", translation_of="mine")
    (path.parent / "other.yaml").write_text("[some, other, file]")
    part = demo.select(tasks=["NER"])
    sample = a_sample(demo)
    made = method(part, method="zero-shot", prompt=str(path), instruction_language="swa")
    assert made.request(sample).messages[-1]["content"] == f"{sample.text} {sample.text}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"instruction_language": "kor"}, "ner-en has no translation into kor; it is there in deu, eng, jpn, spa, tha"),
        ({"instruction_language": "sample", "form": "grouped"}, "ner-grouped-en has no translation into any other"),
        ({"instruction_language": "deu", "prompt": "ner-pairs-en"}, "ner-pairs-en has no translation into deu; it is"),
    ],
)
def test_a_prompt_without_such_a_translation_is_refused(options: dict[str, Any], said: str, demo: Benchmark) -> None:
    with pytest.raises(ContentError, match=f"^instruction_language: {said}"):
        method(demo.select(tasks=["NER"]), method="zero-shot", **options)


# ---- Structured output


@pytest.mark.parametrize("task", Task)
def test_structured_output_sends_the_schema_and_shows_gold_that_is_valid_by_it(task: Task, demo: Benchmark) -> None:
    made, sample = method(demo, structured_output="json_schema"), a_sample(demo, task)
    request = made.request(sample)
    assert request.schema == answer_schema(task, sample.schemas, Form.RECORDS)
    assert made.formats[task] == AnswerFormat(key="records")
    for shown in request.messages[2:-1:2]:
        assert set(json.loads(shown["content"])) == {"records"}


def test_structured_output_of_grouped_answers_needs_no_key(demo: Benchmark) -> None:
    made, sample = method(demo, structured_output="json_schema", form="grouped"), a_sample(demo)
    assert made.request(sample).schema == answer_schema(Task.NER, sample.schemas, Form.GROUPED)
    assert made.formats[Task.NER] == AnswerFormat(form=Form.GROUPED)
    assert made.formats[Task.RE] == AnswerFormat(key="records")


# ---- What does not go together


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prompt": "ner-cot-en"}, "the prompt ner-cot-en asks for reasoning; take it with method=chain-of-thought"),
        ({"prompt": "ner-cot-en", "method": "zero-shot"}, "ner-cot-en asks for reasoning"),
        ({"prompt": "ner-en", "method": "chain-of-thought", "k": 0}, "the prompt ner-en asks for no reasoning"),
        ({"prompt": "ner-en", "form": "grouped"}, "the prompt ner-en asks for records; leave the option form out"),
        ({"prompt": "ner-pairs-en", "form": "records"}, "the prompt ner-pairs-en asks for pairs"),
        ({"prompt": "ner-pairs-en", "structured_output": "json_schema"}, "asks for pairs, which no JSON schema desc"),
        ({"prompt": ["ner-en", "ner-deu"]}, "the prompts ner-en and ner-deu are both for NER; name one of them"),
    ],
)  # fmt: skip
def test_a_prompt_that_does_not_go_with_the_options_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ContentError, match=said):
        Method(MethodOptions.model_validate(options))


def test_an_unknown_prompt_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ner-en'"):
        Method(MethodOptions.model_validate({"prompt": "ner-em"}))


def test_more_demonstrations_than_there_are_is_refused_when_preparing(demo: Benchmark) -> None:
    with pytest.raises(BuildError, match=r"^100 demonstrations are more than there are"):
        method(demo, k=100)


def test_few_shot_without_a_benchmark_says_what_is_missing(demo: Benchmark) -> None:
    with pytest.raises(AdapterError, match=r"no demonstrations were drawn for NER in swa: call prepare\(benchmark\)"):
        Method(MethodOptions()).request(a_sample(demo))


# ---- What is told


def test_the_details_name_everything_that_was_resolved_without_any_text(demo: Benchmark) -> None:
    part = demo.select(tasks=["RE"], languages=["swa"])
    details = method(part, k=1, demonstration_seed=4).details()
    drawn = details.pop("demonstrations")["RE/eng"]
    assert (drawn["dataset"], drawn["stands_in_for"], len(drawn["samples"])) == ("demo-biography", "news-crossre", 1)
    assert details == {
        "method": "few-shot",
        "prompts": {
            "re-en": {
                "task": "RE",
                "language": "eng",
                "form": "records",
                "sha256": file_digest(content_folder("prompts") / "re-en.yaml"),
            }
        },
        "structured_output": "off",
        "instruction_language": None,
        "k": 1,
        "demonstration_seed": 4,
        "demonstrations_in": "english",
    }


def test_the_details_are_plain_json_and_hold_no_text_of_a_dataset(demo: Benchmark) -> None:
    told = json.dumps(method(demo, demonstrations="in-language", instruction_language="sample").details())
    assert not any(json.dumps(sample.text) in told for sample in demo.samples("train"))


@pytest.mark.parametrize("limit", [1, None])
def test_the_demonstrations_do_not_depend_on_the_part_that_is_run(limit: int | None, demo: Benchmark) -> None:
    whole = method(demo).details()["demonstrations"]
    part = method(demo.select(tasks=["NER"], languages=["swa"], datasets=["demo-nature"], limit=limit))
    assert part.details()["demonstrations"] == {"NER/eng": whole["NER/eng"]}


def test_a_method_can_be_sent_to_another_process(demo: Benchmark) -> None:
    few, sample = method(demo), a_sample(demo)
    assert pickle.loads(pickle.dumps(few)).request(sample) == few.request(sample)


# ---- Cost


def test_a_request_takes_far_less_than_a_tenth_of_a_millisecond(demo: Benchmark) -> None:
    few, samples = method(demo, structured_output="json_schema"), demo.samples()

    def seconds_each() -> float:
        started = time.process_time()
        for sample in samples:
            few.request(sample)
        return (time.process_time() - started) / len(samples)

    assert min(seconds_each() for _ in range(5)) < 100e-6


def prefix_share(chats: list[list[Message]]) -> float:
    """The share of characters, after the first chat, that a chat has in common with the one before it."""
    texts = ["\0".join(f"{message['role']}\0{message['content']}" for message in chat) for chat in chats]
    shared = 0
    for before, text in pairwise(texts):
        pairs = zip(before, text, strict=False)
        shared += next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(before), len(text)))
    return shared / sum(map(len, texts[1:]))


def test_samples_of_a_task_have_most_of_their_prompt_in_common(demo: Benchmark) -> None:
    few = method(demo)
    samples = sorted(
        demo.select(tasks=["NER"]).samples(), key=lambda sample: [schema.name for schema in sample.schemas]
    )
    assert prefix_share([list(few.request(sample).messages) for sample in samples]) > 0.9


def test_a_method_that_is_prepared_for_a_benchmark_does_not_read_it_again(
    demo: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = method(demo)
    before = made.details()
    monkeypatch.setattr(Benchmark, "parts", None)
    made.prepare(demo)
    assert made.details() == before
    with pytest.raises(TypeError):
        made.prepare(replace(demo))
