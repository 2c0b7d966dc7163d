"""A coverage-guided fuzzer of answers, from output text to items: ``python -m tests.fuzz.answers [CORPUS] [OPTION…]``.

It needs Atheris (``pip install atheris``, Python 3.11 on Linux) and takes libFuzzer's options, such as
``-max_total_time=600``. What it finds new is kept in CORPUS, a folder of yours; it starts from ``answers.json`` and the
outputs of ``metrics/vectors.yaml``, with the words of ``answers.dict``. With ``--repairer`` the branches of the JSON
repairer guide it, too, at a fifth of the speed.

An input is a byte that chooses the task and then the output text, in which stray bytes become lone surrogates. Of each
it checks that nothing is raised and no time limit exceeded; that the reference (``tests/scoring/naive.py``) reads the
same records; that it makes the same items of them; that their scores are
within bounds; and that an answer marker before the output changes nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import atheris

REPAIRER = "--repairer"
GUIDES = ["massie", "tests.scoring.naive", *(["json_repair"] if REPAIRER in sys.argv else [])]

with atheris.instrument_imports(include=GUIDES):
    from massie.catalogue.vectors import conformance_vectors
    from massie.prompting.answers import parse_answer
    from massie.prompting.formats import AnswerFormat
    from massie.scoring import score_sample
    from massie.scoring.items import predicted_items
    from massie.types import FLAT_TASKS, Argument, Event, Mention, Record, Relation, Role, Schema, Span, Task
    from tests.scoring import naive

HERE = Path(__file__).parent
MARKER = "FINAL ANSWER"
TASKS = list(Task)

# What the repairer may take for the longest text that it is shown, on a slow machine; everything else takes no time.
SECONDS = 10

BURE = Mention("Bure", ())
GOLD: dict[Task, list[Record]] = {
    **{task: [Span("person", BURE)] for task in FLAT_TASKS},
    Task.RE: [Relation("person", BURE, BURE)],
    Task.EE: [Event("person", BURE, (Argument("role", BURE),))],
}
SCHEMAS = (Schema("person", roles=(Role("role"),)),)


def check(data: bytes) -> None:
    """Try one input."""
    if not data:
        return
    task, output = TASKS[data[0] % len(TASKS)], data[1:].decode("utf-8", "surrogateescape")
    start = time.process_time()
    answer = parse_answer(output, task)
    assert time.process_time() - start < SECONDS, "too slow"

    expected = with_floats(naive.parse_answer(output, task.value))
    assert answer.records == expected, "read otherwise by the reference"
    if MARKER not in MARKER[1:] + output:
        assert parse_answer(f"[]{MARKER}{output}", task, AnswerFormat(marker=MARKER)) == answer, "changed by a marker"

    scores = score_sample(task, SCHEMAS, GOLD[task], answer, "Bure left.")
    assert all(0 <= score <= 1 for score in scores[:4]), "out of bounds"
    assert scores.invalid == (answer.records is None)
    if answer.records is not None:
        assert not answer.repairable
        check_items(answer.records, task)


def check_items(records: Iterable[Any], task: Task) -> None:
    """The reference must make the same items of the records, and find as many of them malformed."""
    items, malformed = predicted_items(list(records), task)
    schemas = [{"event_type": "person", "roles": ["role"]}] if task is Task.EE else ["person"]
    reference = naive.items(list(records), task.value, schemas)
    directions = {item: item[0] if isinstance(item[0], tuple) else (item[0],) for item in items}
    assert {naive.Item(direction, item[1:]) for item, direction in directions.items()} == reference.found
    assert malformed == reference.malformed


def with_floats(value: Any) -> Any:
    """A JSON value with every whole number as the float that its digits say."""
    if isinstance(value, list):
        return [with_floats(entry) for entry in value]
    if isinstance(value, dict):
        return {key: with_floats(entry) for key, entry in value.items()}
    return float(str(value)) if isinstance(value, int) and not isinstance(value, bool) else value


def write_seeds(folder: Path) -> None:
    """Every seed as an input for the task that it was written for, or for each task."""
    seeds = [(vector.task, vector.output) for vector in conformance_vectors() if vector.output is not None]
    seeds += [(task, seed) for seed in json.loads((HERE / "answers.json").read_text("utf-8")) for task in TASKS]
    for number, (task, seed) in enumerate(seeds):
        data = bytes([TASKS.index(task)]) + seed.encode("utf-8", "surrogatepass")
        (folder / f"{number:04}").write_bytes(data)


def main() -> None:
    """Fuzz until a check fails or the options say to stop."""
    with tempfile.TemporaryDirectory() as name:
        write_seeds(Path(name))
        options = [option for option in sys.argv if option != REPAIRER]
        atheris.Setup([*options, name, f"-dict={HERE / 'answers.dict'}"], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
