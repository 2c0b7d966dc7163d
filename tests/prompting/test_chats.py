"""Chat records for a trainer: the prompt as a model gets it, and an answer that reads back as the gold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from massie.build import Benchmark
from massie.build.exporting.exports import ExportPlan, export_to
from massie.catalogue import Catalogue
from massie.prompting import load_prompt, parse_answer, prompt_ids, render
from massie.prompting.chats import chat_record, prompts_by_task, sft_form
from massie.types import FLAT_TASKS, ContentError, Split, Task, UnknownNameError, record_as_json


@pytest.mark.parametrize("name", ["{}-en", "{}-cot-en", "{}-grouped-en", "{}-tha"])
@pytest.mark.parametrize("task", Task)
def test_the_answer_of_a_record_reads_back_as_the_gold(task: Task, name: str, demo: Benchmark) -> None:
    if (prompt_id := name.format(task.lower())) not in prompt_ids():
        assert task not in FLAT_TASKS
        return
    prompt = load_prompt(prompt_id)
    for sample in demo.select(tasks=[task]).samples("train"):
        *asked, answer = chat_record(prompt, sample)["messages"]
        assert asked == render(prompt, sample)
        assert [message["role"] for message in asked] == ["system", "user"]
        assert answer["role"] == "assistant"
        read = parse_answer(answer["content"], task, prompt.answer).records
        assert read is not None
        assert sorted(map(str, read)) == sorted(str(record_as_json(record, task)) for record in sample.gold or ())


def test_a_record_of_pairs_has_pairs(demo: Benchmark) -> None:
    prompt = load_prompt("ner-pairs-en")
    sample = next(sample for sample in demo.select(tasks=["NER"]).samples("train") if sample.gold)
    label, surface = record_as_json(sample.gold[0], Task.NER)["entity_type"], sample.text
    answer = chat_record(prompt, sample)["messages"][-1]["content"]
    assert answer.startswith(f"{label}: ")
    assert answer.removeprefix(f"{label}: ").split(";")[0] in surface


def test_each_task_is_rendered_by_its_english_prompt_unless_another_is_named() -> None:
    assert {task: prompt.id for task, prompt in prompts_by_task(()).items()} == {
        task: f"{task.lower()}-en" for task in Task
    }
    assert prompts_by_task(["re-en"])[Task.RE] == load_prompt("re-en")


def test_two_prompts_for_one_task_are_refused() -> None:
    with pytest.raises(ContentError, match="ner-en and ner-en are both for NER"):
        prompts_by_task(["ner-en", "ner-en"])


def test_an_unknown_prompt_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ner-en'"):
        prompts_by_task(["ner-em"])


def test_train_and_dev_are_exported_as_lines_of_messages_alone(tmp_path: Path, demo: Benchmark) -> None:
    form = sft_form(prompts_by_task(()))
    part = demo.select(tasks=["NER", "EE"])
    made = export_to(tmp_path / "out", ExportPlan(part, Catalogue.default(), form, form.splits, "…", "2026-01-02"))
    assert [file.path for file in made.files] == [
        "NER/train.jsonl", "NER/dev.jsonl", "EE/train.jsonl", "EE/dev.jsonl",
    ]  # fmt: skip
    assert made.prompts == {Task.NER: "ner-en", Task.EE: "ee-en"}
    lines = (tmp_path / "out" / "NER" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    samples = demo.select(tasks=["NER"]).samples("train")
    assert [json.loads(line) for line in lines] == [chat_record(load_prompt("ner-en"), sample) for sample in samples]
    assert {tuple(json.loads(line)) for line in lines} == {("messages",)}
    assert "by the prompt `ner-en`" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_test_is_not_among_the_splits_to_train_with() -> None:
    assert Split.TEST not in sft_form({}).splits
