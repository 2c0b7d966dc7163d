"""Prompts: every prompt of ``prompts/`` on the samples of M-DEMO, and prompts that are wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from massie._content import content_folder
from massie.build import Benchmark
from massie.catalogue import Catalogue
from massie.prompting import Demonstration, Form, Prompt, load_prompt, parse_answer, prompt_ids, read_prompt, render
from massie.prompting.prompts import file_digest, translations_of
from massie.prompting.rendering import thought_question
from massie.types import FLAT_TASKS, ContentError, Sample, Task, UnknownNameError, record_as_json

WritePrompt = Callable[..., Path]
LANGUAGES = ["deu", "jpn", "spa", "tha"]


# ---- The prompts of MASSIE


def test_the_prompts_are_the_files_of_the_folder() -> None:
    assert prompt_ids() == sorted(path.stem for path in content_folder("prompts").iterdir())


@pytest.mark.parametrize("task", Task)
def test_every_task_has_a_prompt_for_each_way_to_put_it(task: Task) -> None:
    name = task.lower()
    assert load_prompt(f"{name}-en").answer.form is Form.RECORDS
    assert load_prompt(f"{name}-cot-en").reasons
    assert (f"{name}-grouped-en" in prompt_ids()) == (task in FLAT_TASKS)
    translations = {load_prompt(f"{name}-{code}").translation_of for code in LANGUAGES}
    assert translations == {f"{name}-en"}


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_the_id_of_a_prompt_says_its_task_and_language(prompt_id: str) -> None:
    prompt = load_prompt(prompt_id)
    assert prompt_id.startswith(f"{prompt.task.lower()}-")
    assert prompt_id.endswith("-en" if prompt.language == "eng" else f"-{prompt.language}")


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_a_prompt_asks_for_256_tokens_and_with_reasoning_for_1024(prompt_id: str) -> None:
    prompt = load_prompt(prompt_id)
    assert prompt.max_new_tokens == (1024 if prompt.reasons else 256)


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_demonstrations_are_of_datasets_that_have_the_task_and_the_language(prompt_id: str) -> None:
    prompt, catalogue = load_prompt(prompt_id), Catalogue.default()
    assert prompt.demonstrations["eng"]
    for language, datasets in prompt.demonstrations.items():
        assert len(set(datasets)) == len(datasets)
        for card in map(catalogue.card, datasets):
            assert prompt.task in card.tasks
            assert language in card.languages


# The paper's English datasets (appendix I); the others stand in where the user lacks them.
IN_THE_PAPER = {"SF": "xsid", "NER": "conll2003", "RE": "news-crossre", "ED": "ace2005", "EE": "ace2005"}


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_the_paper_s_english_dataset_is_the_first_choice(prompt_id: str) -> None:
    prompt = load_prompt(prompt_id)
    assert prompt.demonstrations["eng"][0] == IN_THE_PAPER[prompt.task]


def asked(prompt_id: str, demo: Benchmark, split: str = "test") -> tuple[Prompt, list[Sample]]:
    prompt = load_prompt(prompt_id)
    return prompt, demo.select(tasks=[prompt.task]).samples(split)


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_a_prompt_puts_every_schema_and_the_text_of_a_sample_verbatim(prompt_id: str, demo: Benchmark) -> None:
    prompt, samples = asked(prompt_id, demo)
    for sample in samples:
        instruction, question = render(prompt, sample)
        assert (instruction["role"], question["role"]) == ("system", "user")
        assert sample.text in question["content"]
        for schema in sample.schemas:
            said = [schema.name, *(role.name for role in schema.roles)]
            said += [] if prompt.answer.form is Form.PAIRS else [schema.description]
            assert all(words is None or words in question["content"] for words in said)


@pytest.mark.parametrize("prompt_id", [id_ for id_ in prompt_ids() if load_prompt(id_).answer.form is not Form.PAIRS])
def test_every_schema_has_a_line_of_its_own(prompt_id: str, demo: Benchmark) -> None:
    prompt, samples = asked(prompt_id, demo)
    for sample in samples:
        lines = render(prompt, sample)[-1]["content"].splitlines()
        starts = [line.split(" — ")[0] for line in lines if line.startswith("- ")]
        assert starts[: len(sample.schemas)] == [f"- {schema.name}" for schema in sample.schemas]


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_samples_with_the_same_schemas_differ_in_the_text_at_the_end_alone(prompt_id: str, demo: Benchmark) -> None:
    prompt, samples = asked(prompt_id, demo)
    heads: dict[object, set[str]] = {}
    for sample in samples:
        *before, question = render(prompt, sample)
        assert question["content"].endswith(sample.text)
        heads.setdefault(sample.schemas, set()).add(str(before) + question["content"].removesuffix(sample.text))
    assert all(len(head) == 1 for head in heads.values())
    assert len(heads) < len(samples)


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_a_prompt_does_not_see_the_gold(prompt_id: str, demo: Benchmark) -> None:
    prompt, samples = asked(prompt_id, demo)
    for sample in samples:
        assert render(prompt, sample) == render(prompt, sample.without_gold())


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_demonstrations_come_before_the_sample_with_their_gold_as_the_prompt_wants_it(
    prompt_id: str, demo: Benchmark
) -> None:
    prompt, samples = asked(prompt_id, demo)
    shots = [shot for shot in asked(prompt_id, demo, "train")[1] if shot.gold][:3]
    messages = render(prompt, samples[0], [Demonstration(shot) for shot in shots])
    assert [message["role"] for message in messages] == ["system", *["user", "assistant"] * 3, "user"]
    assert messages[-1] == render(prompt, samples[0])[-1]
    for shot, question, answer in zip(shots, messages[1:-1:2], messages[2:-1:2], strict=True):
        assert question == render(prompt, shot)[-1]
        gold = [record_as_json(record, prompt.task) for record in shot.gold or ()]
        read = parse_answer(answer["content"], prompt.task, prompt.answer).records
        assert read is not None
        assert sorted(map(str, read)) == sorted(map(str, gold))


@pytest.mark.parametrize("prompt_id", [id_ for id_ in prompt_ids() if load_prompt(id_).answer.form is Form.RECORDS])
def test_the_instruction_says_the_keys_of_its_task(prompt_id: str, demo: Benchmark) -> None:
    prompt, samples = asked(prompt_id, demo, "train")
    record = next(record for sample in samples for record in sample.gold or ())
    for key in record_as_json(record, prompt.task):
        assert f'"{key}"' in prompt.system


@pytest.mark.parametrize("prompt_id", prompt_ids())
def test_the_instruction_says_what_to_answer_where_there_is_nothing(prompt_id: str) -> None:
    prompt = load_prompt(prompt_id)
    nothing = {Form.RECORDS: "[]", Form.GROUPED: "{}", Form.PAIRS: '"None"'}
    assert nothing[prompt.answer.form] in prompt.system


@pytest.mark.parametrize("prompt_id", [id_ for id_ in prompt_ids() if load_prompt(id_).reasons])
def test_a_prompt_for_chain_of_thought_says_its_marker_and_asks_a_teacher(prompt_id: str, demo: Benchmark) -> None:
    prompt, samples = asked(prompt_id, demo, "train")
    assert prompt.answer.marker is not None
    assert prompt.answer.marker in prompt.system
    shot = next(sample for sample in samples if sample.gold)
    (question,) = thought_question(prompt, shot)
    assert question["role"] == "user"
    assert shot.text in question["content"]
    assert all(schema.name in question["content"] for schema in shot.schemas)
    gold = [record_as_json(record, prompt.task) for record in shot.gold or ()]
    assert parse_answer(question["content"].rpartition("Annotation:")[2], prompt.task).records == gold


@pytest.mark.parametrize("prompt_id", [id_ for id_ in prompt_ids() if load_prompt(id_).translation_of])
def test_a_translation_is_in_another_language_and_shows_its_original_s_demonstrations(prompt_id: str) -> None:
    prompt = load_prompt(prompt_id)
    assert prompt.translation_of is not None
    original = load_prompt(prompt.translation_of)
    assert prompt.language != original.language
    assert prompt.system != original.system
    assert prompt.demonstrations == original.demonstrations


def test_the_translations_of_a_prompt_are_found_beside_it() -> None:
    path = content_folder("prompts") / "ner-en.yaml"
    assert [found.stem for found in translations_of(path)] == [f"ner-{code}" for code in LANGUAGES]


# ---- Naming prompts


def test_an_unknown_prompt_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown prompt 'ner-em'; did you mean 'ner-en'"):
        load_prompt("ner-em")


@pytest.mark.parametrize("prompt_id", ["../tasks/languages", "/etc/passwd", ""])
def test_what_is_no_id_and_no_yaml_file_is_unknown(prompt_id: str) -> None:
    with pytest.raises(UnknownNameError):
        load_prompt(prompt_id)


def test_a_prompt_may_be_named_by_its_path(write_prompt: WritePrompt) -> None:
    assert load_prompt(str(write_prompt())).id == "mine"


def test_a_path_without_a_file_is_said_so() -> None:
    with pytest.raises(ContentError, match=r"nowhere/mine\.yaml: there is no such prompt file"):
        load_prompt("nowhere/mine.yaml")


def test_the_digest_of_a_prompt_is_that_of_its_file(write_prompt: WritePrompt) -> None:
    path = write_prompt()
    assert file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


# ---- Prompts that are wrong


@pytest.mark.parametrize(("field", "variables"), [("user", "schemas, text"), ("thought", "answer, schemas, text")])
def test_an_unknown_variable_is_named_with_those_there_are(
    field: str, variables: str, write_prompt: WritePrompt
) -> None:
    path = write_prompt(**{"answer": {"marker": "Answer:"}, field: "{{ txt }}"})
    with pytest.raises(
        ContentError, match=rf"mine\.yaml: {field}: unknown variable txt; a prompt has {variables} here"
    ):
        read_prompt(path)


@pytest.mark.parametrize("field", ["user", "thought"])
@pytest.mark.parametrize("source", ["{{ text", "{% for s in schemas %}", "{{ text | shout }}", "{% include %}"])
def test_a_template_that_is_none_is_refused_before_it_is_used(
    field: str, source: str, write_prompt: WritePrompt
) -> None:
    with pytest.raises(ContentError, match=rf"mine\.yaml: {field}: not a valid template"):
        read_prompt(write_prompt(**{"answer": {"marker": "Answer:"}, field: source}))


@pytest.mark.parametrize(("task", "form"), [("RE", "grouped"), ("EE", "grouped"), ("RE", "pairs"), ("EE", "pairs")])
def test_a_form_for_flat_tasks_is_refused_for_others(task: str, form: str, write_prompt: WritePrompt) -> None:
    with pytest.raises(
        ContentError, match=rf"mine\.yaml: answer\.form: {form} is for NER, SF, ED; {task} needs records"
    ):
        read_prompt(write_prompt(task=task, answer={"form": form}))


def test_a_prompt_for_chain_of_thought_needs_a_marker(write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=r"mine\.yaml: answer\.marker: is missing"):
        read_prompt(write_prompt(thought="{{ text }}"))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"form": "table"}, r"answer\.form: must be 'records', 'grouped' or 'pairs'"),
        ({"marker": ""}, r"answer\.marker: must have at least 1 character"),
        ({"form": "pairs", "key": "records"}, "answer: key: only records stand under one; leave it out of pairs"),
        ({"separator": ","}, r"answer\.separator: unknown key"),
    ],
)
def test_an_answer_format_that_is_wrong_is_refused(
    answer: dict[str, str], fault: str, write_prompt: WritePrompt
) -> None:
    with pytest.raises(ContentError, match=rf"mine\.yaml: {fault}"):
        read_prompt(write_prompt(answer=answer))


@pytest.mark.parametrize("changed", [{"language": "enlgish"}, {"demonstrations": {"enlgish": ["conll2003"]}}])
def test_an_unknown_language_is_named(changed: dict[str, object], write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=rf"mine\.yaml: {next(iter(changed))}: unknown language 'enlgish'"):
        read_prompt(write_prompt(**changed))


def test_an_unknown_key_is_named(write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=r"mine\.yaml: sytem: unknown key"):
        read_prompt(write_prompt(sytem="Find."))


@pytest.mark.parametrize("field", ["id", "task", "language", "system", "user", "provenance"])
def test_a_missing_key_is_named(field: str, write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=rf"mine\.yaml: {field}: this key is missing"):
        read_prompt(write_prompt(**{field: None}))  # pyright: ignore[reportArgumentType]


def test_a_prompt_is_called_as_its_file(write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match="id: is 'mine', but the file is called 'yours'"):
        read_prompt(write_prompt(name="yours", id="mine"))


# ---- Translations that are wrong


def test_a_translation_needs_its_original_beside_it(write_prompt: WritePrompt) -> None:
    with pytest.raises(ContentError, match=r"mine\.yaml: translation_of: there is no ner-en\.yaml in "):
        read_prompt(write_prompt(translation_of="ner-en"))


def test_a_translation_of_a_translation_names_the_original(write_prompt: WritePrompt) -> None:
    write_prompt(name="first")
    write_prompt(name="second", translation_of="first")
    with pytest.raises(ContentError, match="translation_of: second is a translation itself; name first"):
        read_prompt(write_prompt(translation_of="second"))


@pytest.mark.parametrize(
    "changed", [{"task": "SF"}, {"answer": {"form": "grouped"}}, {"answer": {"marker": "Antwort:"}}]
)
def test_a_translation_asks_for_the_answer_of_its_original(
    changed: dict[str, object], write_prompt: WritePrompt
) -> None:
    write_prompt(name="first")
    with pytest.raises(ContentError, match=rf"mine\.yaml: {next(iter(changed))}: must be as in first"):
        read_prompt(write_prompt(translation_of="first", **changed))


def test_a_translation_may_name_demonstrations_of_its_own(write_prompt: WritePrompt) -> None:
    write_prompt(name="first", demonstrations={"eng": ["conll2003"]})
    assert read_prompt(write_prompt(translation_of="first")).demonstrations == {"eng": ["conll2003"]}
    own = {"deu": ["germeval2014"]}
    assert read_prompt(write_prompt(translation_of="first", demonstrations=own)).demonstrations == own
