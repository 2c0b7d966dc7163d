"""Chat records for a trainer: what a model gets, with the answer that it should give.

{"messages": [{"role": "system", "content": "You extract named entities. …"},
              {"role": "user", "content": "Entity types:\\n- person\\n\\nText: 강리나는 …"},
              {"role": "assistant", "content": "[{\\"entity\\": \\"강리나\\", \\"entity_type\\": \\"person\\"}]"}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from massie.build.exporting.exports import Form
from massie.build.exporting.flat import write_lines
from massie.prompting.gold import gold_text
from massie.prompting.prompts import Prompt, load_prompt
from massie.prompting.rendering import render
from massie.types import ContentError, Sample, Split, Task

_FIELDS = {"messages": "The chat: role and content of each message. The last one is the assistant's: the gold records."}


def chat_record(prompt: Prompt, sample: Sample) -> dict[str, Any]:
    """The messages that the prompt makes of a sample, and its gold as the prompt wants it answered.

    It reads back as the gold; save pairs in whose spans a separator stands, which that format cannot say.
    """
    answer = gold_text(sample.gold or (), prompt.task, prompt.answer)
    return {"messages": [*render(prompt, sample), {"role": "assistant", "content": answer}]}


def sft_form(prompts: Mapping[Task, Prompt]) -> Form:
    """Chat records, rendered by the prompts of the tasks; the splits to train with, test only where it is named."""

    def write(path: Path, samples: Iterable[Sample], marks: Mapping[str, str]) -> None:
        write_lines(path, (chat_record(prompts[sample.task], sample) for sample in samples))

    named = {task: prompt.id for task, prompt in prompts.items()}
    return Form("sft", ".jsonl", write, _FIELDS, splits=(Split.TRAIN, Split.DEV), prompts=named)


def prompts_by_task(named: Iterable[str]) -> dict[Task, Prompt]:
    """A prompt for each task: one of those named, else the task's English one.

    Raises UnknownNameError for a prompt that is not there, ContentError where two are of one task.
    """
    prompts: dict[Task, Prompt] = {}
    for prompt in map(load_prompt, named):
        if prompt.task in prompts:
            raise ContentError(
                f"the prompts {prompts[prompt.task].id} and {prompt.id} are both for {prompt.task}; name one of them"
            )
        prompts[prompt.task] = prompt
    for task in Task:
        if task not in prompts:
            prompts[task] = load_prompt(f"{task.lower()}-en")
    return prompts
