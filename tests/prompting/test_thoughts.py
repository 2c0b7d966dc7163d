"""Thoughts: asked of a teacher once, kept with their provenance, and used for the very demonstrations alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark
from massie.prompting import Method, MethodOptions, Request, parse_answer
from massie.prompting.options import ShownIn
from massie.prompting.thoughts import (
    LARGEST,
    LONGEST,
    Thoughts,
    make_thoughts,
    read_thoughts,
    thoughts_to_make,
)
from massie.types import ContentError, SystemCard, Task, record_as_json


class Teacher:
    """Says what it is asked about; ``says`` may change that, ``after`` ends it after so many answers."""

    def __init__(self, says: str = "Look: {}", after: int | None = None, ends_by: str | None = "stop") -> None:
        self.says = says
        self.ends_by = ends_by
        self.after = after
        self.asked: list[Request] = []

    def __call__(self, requests: Sequence[Request]) -> Iterator[tuple[int, str, str | None]]:
        for place, request in reversed(list(enumerate(requests))):
            if self.after == len(self.asked):
                raise KeyboardInterrupt
            self.asked.append(request)
            yield place, self.says.format(hash(request.messages[-1]["content"])), self.ends_by


def wanted(benchmark: Benchmark, k: int = 2, seed: int = 0, **changed: Any) -> Thoughts:
    asked = thoughts_to_make(benchmark, (), k, seed, ShownIn.ENGLISH)
    return Thoughts(
        benchmark=benchmark.id,
        manifest_digest=benchmark.digest,
        prompts={file.prompt.id: file.sha256 for file, _ in asked},
        k=k,
        demonstration_seed=seed,
        teacher=SystemCard(name="teacher", model="tiny"),
        settings={"temperature": 0},
        created="2026-01-02T03:04:05Z",
    ).model_copy(update=changed)


def make(path: Path, benchmark: Benchmark, teacher: Teacher, /, **changed: Any) -> Thoughts:
    made = wanted(benchmark, **changed)
    asked = thoughts_to_make(benchmark, (), made.k, made.demonstration_seed, ShownIn.ENGLISH)
    *_, (last, left) = make_thoughts(path, made, asked, teacher)
    assert left == 0
    return last


@pytest.fixture
def made(tmp_path: Path, demo: Benchmark) -> Path:
    make(tmp_path / "thoughts.json", demo, Teacher())
    return tmp_path / "thoughts.json"


def with_thoughts(benchmark: Benchmark, path: Path, **options: Any) -> Method:
    plain = {"method": "chain-of-thought", "thoughts": path, "k": 2}
    method = Method(MethodOptions.model_validate({**plain, **options}))
    method.prepare(benchmark)
    return method


# ---- Asking


def test_a_teacher_is_asked_once_for_each_demonstration(tmp_path: Path, demo: Benchmark) -> None:
    teacher = Teacher()
    thoughts = make(tmp_path / "t.json", demo, teacher)
    assert len(teacher.asked) == len(thoughts.thoughts) == 2 * len(Task)
    assert {one.prompt for one in thoughts.thoughts} == {f"{task.lower()}-cot-en" for task in Task}


def test_it_sees_the_text_and_the_gold_of_the_demonstration(tmp_path: Path, demo: Benchmark) -> None:
    teacher = Teacher()
    make(tmp_path / "t.json", demo.select(tasks=["RE"]), teacher, k=1)
    (request,) = teacher.asked
    (question,) = request.messages
    (drawn,) = thoughts_to_make(demo.select(tasks=["RE"]), (), 1, 0, ShownIn.ENGLISH)
    (sample,) = drawn[1].samples
    assert sample.text in question["content"]
    read = parse_answer(question["content"].rpartition("Annotation:")[2], Task.RE).records
    assert read == [record_as_json(record, Task.RE) for record in sample.gold or ()]
    assert request.max_new_tokens == 1024


def test_prompts_that_are_named_alone_are_asked_about(demo: Benchmark) -> None:
    asked = thoughts_to_make(demo, ["ner-cot-en"], 3, 0, ShownIn.ENGLISH)
    assert [(file.prompt.id, drawn.language) for file, drawn in asked] == [("ner-cot-en", "eng")]


def test_in_language_there_are_demonstrations_for_every_language(demo: Benchmark) -> None:
    part = demo.select(tasks=["SF"], languages=["swa", "tha"])
    asked = thoughts_to_make(part, (), 1, 0, ShownIn.IN_LANGUAGE)
    assert [drawn.language for _, drawn in asked] == ["swa", "tha"]


def test_a_prompt_without_reasoning_asks_no_teacher(demo: Benchmark) -> None:
    with pytest.raises(ContentError, match="the prompt ner-en asks for no reasoning"):
        thoughts_to_make(demo, ["ner-en"], 1, 0, ShownIn.ENGLISH)


# ---- The file


def test_the_file_holds_the_thoughts_and_what_they_were_made_from(made: Path, demo: Benchmark) -> None:
    plain = json.loads(made.read_text(encoding="utf-8"))
    thoughts = plain.pop("thoughts")
    expected = wanted(demo).model_dump(mode="json")
    assert plain == {key: value for key, value in expected.items() if key != "thoughts"}
    assert plain["teacher"]["name"] == "teacher"
    assert all(set(one) == {"prompt", "dataset", "sample", "thought"} for one in thoughts)
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_an_interrupted_file_is_continued_and_nothing_is_asked_twice(tmp_path: Path, demo: Benchmark) -> None:
    path = tmp_path / "t.json"
    first, second, third = Teacher(after=4), Teacher(), Teacher()
    with pytest.raises(KeyboardInterrupt):
        make(path, demo, first)
    assert len(read_thoughts(path).thoughts) == 4
    whole = make(path, demo, second)
    assert len(whole.thoughts) == 2 * len(Task)
    assert len(first.asked) + len(second.asked) == 2 * len(Task)
    make(path, demo, third)
    assert not third.asked


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"k": 1}, "k is 2 there and 1 here"),
        ({"seed": 7}, "demonstration_seed is 0 there and 7 here"),
        ({"settings": {"temperature": 1}}, "settings is"),
        ({"teacher": SystemCard(name="another")}, "teacher is"),
        ({"manifest_digest": "f" * 64}, "manifest_digest is"),
        ({"prompts": {"ner-cot-en": "f" * 64}}, r"prompts\.ner-cot-en is"),
    ],
)
def test_a_file_that_was_made_otherwise_is_not_overwritten(
    changed: dict[str, Any], said: str, made: Path, demo: Benchmark
) -> None:
    before = made.read_bytes()
    with pytest.raises(ContentError, match=rf"thoughts\.json: was made otherwise: {said}"):
        make(made, demo, Teacher(), **changed)
    assert made.read_bytes() == before


@pytest.mark.parametrize(
    ("says", "thought"),
    [
        ("  Bure plays. \n", "Bure plays."),
        ("Bure plays.\nAnswer:\n[]", "Bure plays."),
        ("<think>Hm. Answer: what?</think>Bure plays.", "Bure plays."),
        ("Bure: Answer: [1] Answer: [2]", "Bure:"),
    ],
)
def test_a_thought_ends_before_the_marker_and_has_no_reasoning_of_the_teacher_s_own(
    says: str, thought: str, tmp_path: Path, demo: Benchmark
) -> None:
    thoughts = make(tmp_path / "t.json", demo.select(tasks=["NER"]), Teacher(says), k=1)
    assert [one.thought for one in thoughts.thoughts] == [thought]


@pytest.mark.parametrize("says", ["", "  ", "Answer: []", "<think>x</think>", "x" * (LONGEST + 1)])
def test_no_thought_and_one_without_end_are_refused_and_not_kept(says: str, tmp_path: Path, demo: Benchmark) -> None:
    path = tmp_path / "t.json"
    with pytest.raises(ContentError, match=r"the teacher's thought on \S+ has \d+ characters; it must have 1 to"):
        make(path, demo, Teacher(says))
    assert not path.exists()


def test_a_file_takes_thoughts_of_further_tasks(tmp_path: Path, demo: Benchmark) -> None:
    path = tmp_path / "t.json"
    first = make(path, demo.select(tasks=["NER"]), Teacher())
    teacher = Teacher()
    both = make(path, demo.select(tasks=["RE"]), teacher)
    assert len(teacher.asked) == 2
    assert both.thoughts[:2] == first.thoughts
    assert set(both.prompts) == {"ner-cot-en", "re-cot-en"}
    for task in ("NER", "RE"):
        with_thoughts(demo.select(tasks=[task]), path)


@pytest.mark.parametrize("reason", ["length", "refusal", "content_filter", "error"])
def test_an_answer_that_did_not_come_to_its_end_is_no_thought_and_asked_for_again(
    reason: str, tmp_path: Path, demo: Benchmark
) -> None:
    path, part = tmp_path / "t.json", demo.select(tasks=["NER"])
    with pytest.raises(ContentError, match=rf"thought on \S+ did not come to its end \(finish_reason '{reason}'\)"):
        make(path, part, Teacher(ends_by=reason), k=1)
    assert not path.exists()
    assert len(make(path, part, Teacher(ends_by=None), k=1).thoughts) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Invalid JSON"),
        ("[]", "must be an object"),
        ('{"version": 1}', "benchmark: this key is missing"),
        ('{"version": 2}', "version: must be 1"),
    ],
)
def test_a_file_that_is_none_of_thoughts_is_refused(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(ContentError, match=rf"t\.json: .*{said}"):
        read_thoughts(path)


def test_a_thought_in_a_file_is_bounded_and_so_is_the_file(made: Path) -> None:
    plain = json.loads(made.read_text(encoding="utf-8"))
    plain["thoughts"][0]["thought"] = "x" * (LONGEST + 1)
    made.write_text(json.dumps(plain))
    with pytest.raises(ContentError, match=r"thoughts\.0\.thought: must have at most"):
        read_thoughts(made)
    with made.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ContentError, match="is no file of thoughts: it has more than"):
        read_thoughts(made)


def test_a_file_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"t\.json: cannot be read: .*; make it with 'massie prompts think'"):
        read_thoughts(tmp_path / "t.json")


# ---- Chain of thought


@pytest.mark.parametrize("task", Task)
def test_a_demonstration_shows_its_thought_before_the_marker_and_the_gold(
    task: Task, made: Path, demo: Benchmark
) -> None:
    method = with_thoughts(demo, made)
    request = method.request(next(demo.select(tasks=[task]).iter_samples()))
    shown = request.messages[2:-1:2]
    assert len(shown) == 2
    known = {(one.prompt, one.sample): one.thought for one in read_thoughts(made).thoughts}
    drawn = method.details()["demonstrations"][f"{task}/eng"]
    for message, sample in zip(shown, drawn["samples"], strict=True):
        thought, marker, _ = message["content"].partition("\nAnswer:\n")
        assert marker
        assert thought == known[f"{task.lower()}-cot-en", sample]
        assert parse_answer(message["content"], task, method.formats[task]).records
    assert request.max_new_tokens == 1024


def test_without_demonstrations_chain_of_thought_needs_no_thoughts(demo: Benchmark) -> None:
    method = Method(MethodOptions.model_validate({"method": "chain-of-thought", "k": 0}))
    request = method.request(next(demo.iter_samples()))
    assert [message["role"] for message in request.messages] == ["system", "user"]


def test_fewer_demonstrations_than_there_are_thoughts_for_will_do(made: Path, demo: Benchmark) -> None:
    request = with_thoughts(demo, made, k=1).request(next(demo.iter_samples()))
    assert [message["role"] for message in request.messages] == ["system", "user", "assistant", "user"]


def test_the_details_tell_where_the_thoughts_come_from_and_none_of_them(made: Path, demo: Benchmark) -> None:
    told = with_thoughts(demo, made).details()["thoughts"]
    assert told["teacher"]["model"] == "tiny"
    assert told["manifest_digest"] == demo.digest
    assert told["sha256"] == hashlib.sha256(made.read_bytes()).hexdigest()
    assert "thoughts" not in told


def test_thoughts_for_other_demonstrations_are_refused(made: Path, demo: Benchmark) -> None:
    with pytest.raises(ContentError, match=r"has none for \S+ \(ED, demo-happenings\).*it was made for k=2"):
        with_thoughts(demo, made, k=3)
    with pytest.raises(ContentError, match="was made otherwise: demonstration_seed is 0 there and 1 here"):
        with_thoughts(demo, made, demonstration_seed=1)


def test_thoughts_for_another_build_are_refused(made: Path, demo: Benchmark) -> None:
    other = replace(demo, manifest=demo.manifest.model_copy(update={"digest": "f" * 64}))
    with pytest.raises(ContentError, match=r"was made otherwise: manifest_digest is '\w+' there and '\w+' here"):
        with_thoughts(other, made)


def test_thoughts_for_another_prompt_are_refused(made: Path, demo: Benchmark) -> None:
    plain = json.loads(made.read_text(encoding="utf-8"))
    plain["prompts"]["ner-cot-en"] = "0" * 64
    made.write_text(json.dumps(plain))
    with pytest.raises(ContentError, match=r"was made otherwise: prompts\.ner-cot-en is '0+' there and"):
        with_thoughts(demo, made)
