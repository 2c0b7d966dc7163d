"""``massie conformance``: any scorer held against the conformance vectors."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from math import isfinite
from textwrap import fill
from typing import Any

import click

from massie.catalogue import SCORE_NAMES, Vector, conformance_vectors
from massie.cli.output import print_json, print_table
from massie.results.conformance import (
    OUTCOMES,
    TIMEOUT_SECONDS,
    Check,
    Conformance,
    answers_of_command,
    answers_of_massie,
    compare,
    question_line,
)
from massie.types import Task, UnknownNameError, UserError, task_of


@click.command()
@click.argument("command", required=False)
@click.option("--task", "tasks", multiple=True, help="Only vectors of this task; may be repeated.")
@click.option("--score", "scores", multiple=True, help="Only this score (lf1, f1, tp ...); may be repeated.")
@click.option(
    "--timeout",
    type=click.IntRange(1, 86_400),
    default=int(TIMEOUT_SECONDS),
    show_default=True,
    help="Seconds that the command has for all vectors.",
)
@click.option("--list", "as_list", is_flag=True, help="Run nothing: print the lines that a command gets.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def conformance(
    command: str | None, tasks: tuple[str, ...], scores: tuple[str, ...], timeout: int, as_list: bool, as_json: bool
) -> None:
    """Hold a scorer against the conformance vectors of metrics/vectors.yaml.

    COMMAND (in quotes) is started once, without a shell. On standard input it gets a JSON line for each vector: id,
    task, schemas, gold, either prediction (records) or output (raw text), and text where there is one. To standard
    output it writes a JSON line for each, in any order: the id, and scores under the names of the vectors. Names that
    it does not compute are left out. Without COMMAND it is MASSIE's own scorer that is held against the vectors.

    \b
    massie conformance "python scorer.py" --score f1
    \b
    # scorer.py: exact F1, with none of the rules on strings
    import json, sys
    for line in sys.stdin:
        case = json.loads(line)
        answer = case.get("prediction", [None])  # it cannot read an output
        gold = {json.dumps(record) for record in case["gold"]}
        found = {json.dumps(record) for record in answer}
        n = len(gold) + len(found)
        f1 = 2 * len(gold & found) / n if n else 1.0
        print(json.dumps({"id": case["id"], "f1": f1}))

    Exit code 1 where the scorer fails a vector or gives no score at all.
    """
    names = _names(scores)
    vectors = _selected({task_of(task) for task in tasks}, names)
    if as_list:
        for vector in vectors:
            click.echo(question_line(vector))
        return
    answers = answers_of_massie(vectors) if command is None else answers_of_command(command, vectors, timeout)
    found = compare(vectors, answers, names)
    if as_json:
        print_json(_report(found, len(vectors)))
    else:
        _print(found, vectors)
    if not found.conforms:
        sys.exit(1)


def _names(scores: Sequence[str]) -> tuple[str, ...]:
    for name in scores:
        if name not in SCORE_NAMES:
            raise UnknownNameError("score", name, SCORE_NAMES)
    return tuple(name for name in SCORE_NAMES if not scores or name in scores)


def _selected(tasks: set[Task], names: Sequence[str]) -> list[Vector]:
    """The vectors of these tasks (all, if there are none) that pin one of these names."""
    found = [
        vector
        for vector in conformance_vectors()
        if (not tasks or vector.task in tasks) and not vector.expect.pinned().keys().isdisjoint(names)
    ]
    if not found:
        raise UserError("no vector of these tasks pins these scores; ask for more of them")
    return found


def _print(found: Conformance, vectors: Sequence[Vector]) -> None:
    """The report as people read it: by score, by section and task, what failed, the sum."""
    numbers = _by_score(found.checks)
    print_table(
        ("score", *OUTCOMES),
        [(name, *(number[outcome] for outcome in OUTCOMES)) for name, number in numbers.items()],
        right=(1, 2, 3),
    )
    click.echo()
    _print_sections(vectors, found.met)
    for checks in _failed(found.checks).values():
        _print_failure(checks)
    if found.findings:
        click.echo("\nBesides:")
    for finding in found.findings:
        click.echo(_paragraph(finding))
    total = Counter(check.outcome for check in found.checks)
    click.echo(
        f"\n{len(found.met)} of {len(vectors)} vectors met; scores: "
        + ", ".join(f"{total[outcome]} {outcome}" for outcome in OUTCOMES)
    )


def _print_sections(vectors: Sequence[Vector], met: set[str]) -> None:
    """How many vectors of each section and task are met, of how many."""

    def share(section: str | None, task: Task) -> str:
        mine = [each for each in vectors if each.task is task and section in (None, each.section)]
        return f"{sum(each.id in met for each in mine)}/{len(mine)}" if mine else ""

    tasks = [task for task in Task if any(vector.task is task for vector in vectors)]
    sections = dict.fromkeys(vector.section for vector in vectors)
    rows = [(section, *(share(section, task) for task in tasks)) for section in sections]
    print_table(
        ("vectors met", *tasks),
        [*rows, ("all", *(share(None, task) for task in tasks))],
        right=range(1, len(tasks) + 1),
    )


def _print_failure(checks: Sequence[Check]) -> None:
    """One vector that was failed: what it pins, what was expected, what was given."""
    vector = checks[0].vector
    click.echo(f"\n{vector.id} ({vector.task})")
    click.echo(_paragraph(vector.about))
    for check in checks:
        click.echo(f"  {check.name}: expected {_shown(check.expected)}, got {_shown(check.got)}")


def _paragraph(text: str) -> str:
    return fill(text, 80, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool | str):
        return json.dumps(value)
    return f"{value:.8g}"


def _report(found: Conformance, vectors: int) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "conforms": found.conforms,
        "vectors": vectors,
        "vectors_met": len(found.met),
        "scores": {
            name: {outcome.replace(" ", "_"): number[outcome] for outcome in OUTCOMES}
            for name, number in _by_score(found.checks).items()
        },
        "findings": [*found.findings],
        "failed": [_plain(checks) for checks in _failed(found.checks).values()],
    }


def _plain(checks: Sequence[Check]) -> dict[str, Any]:
    vector = checks[0].vector
    return {
        "id": vector.id,
        "section": vector.section,
        "task": vector.task,
        "about": vector.about,
        "expected": {check.name: check.expected for check in checks},
        "got": {check.name: _finite(check.got) for check in checks},
    }


def _finite(value: Any) -> Any:
    """JSON has no NaN and no Infinity: they stand as words."""
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _by_score(checks: Sequence[Check]) -> dict[str, Counter[str]]:
    numbers: dict[str, Counter[str]] = {}
    for check in checks:
        numbers.setdefault(check.name, Counter())[check.outcome] += 1
    return {name: numbers[name] for name in SCORE_NAMES if name in numbers}


def _failed(checks: Sequence[Check]) -> dict[str, list[Check]]:
    """The checks that failed, by the vector's id."""
    failed: dict[str, list[Check]] = {}
    for check in checks:
        if check.outcome == "failed":
            failed.setdefault(check.vector.id, []).append(check)
    return failed
