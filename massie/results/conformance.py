"""Holding a scorer against the conformance vectors: MASSIE's own, or any command, in whatever language it is written.

A command is started once. It gets a JSON line for each vector on standard input and writes one for each, in any order,
to standard output (its standard error is the user's to see):

    {"id": "astral", "task": "NER", "schemas": ["PERSON"], "gold": [{...}], "prediction": [{...}]}
    {"id": "astral", "lf1": 0.5, "f1": 0.0, "tp": 0}

What it writes is a stranger's: it is bounded, and whatever is wrong with it becomes a finding.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from math import isclose
from threading import Thread
from typing import IO, Any, Literal, cast

from massie.catalogue import SCORE_NAMES, Vector
from massie.prompting import parse_answer
from massie.scoring import score_sample
from massie.types import (
    SPAN_KEYS,
    Answer,
    Argument,
    Event,
    Mention,
    Record,
    Relation,
    Role,
    Schema,
    Span,
    Task,
    UserError,
)

TIMEOUT_SECONDS = 60.0
TOLERANCE = 1e-6

Outcome = Literal["met", "failed", "not given"]
OUTCOMES: tuple[Outcome, ...] = ("met", "failed", "not given")

Scores = Mapping[str, Any]
"""What a scorer says of a vector: names with JSON values, which may be anything."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a scorer gave, by the vectors' ids; ``findings`` say what was wrong with how it answered."""

    scores: Mapping[str, Scores]
    findings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One score of one vector: what is expected, what was given (None for nothing), and how that went."""

    vector: Vector
    name: str
    expected: float | int | bool
    got: Any
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Conformance:
    """How a scorer did: every check, in the order of the vectors, and the findings beside them."""

    checks: Sequence[Check]
    findings: Sequence[str]

    @property
    def conforms(self) -> bool:
        """Whether something was given and all that was given is right."""
        outcomes = {check.outcome for check in self.checks}
        return "met" in outcomes and "failed" not in outcomes and not self.findings

    @property
    def met(self) -> set[str]:
        """The ids of the vectors of which something was given, and all that was given is right."""
        of = {outcome: {check.vector.id for check in self.checks if check.outcome == outcome} for outcome in OUTCOMES}
        return of["met"] - of["failed"]


def compare(vectors: Sequence[Vector], answers: Answers, names: Sequence[str] = SCORE_NAMES) -> Conformance:
    """Hold answers against what the vectors expect under these names.

    Scores may differ by ``TOLERANCE``; numbers of items and ``invalid`` are compared exactly. A name that a scorer
    gives nowhere is one that it does not compute ("not given"); one that it gives somewhere it must give wherever a
    vector expects it.
    """
    computed = {name for scores in answers.scores.values() for name, value in scores.items() if value is not None}
    checks: list[Check] = []
    for vector in vectors:
        scores = answers.scores.get(vector.id, {})
        for name, expected in vector.expect.pinned().items():
            if name in names:
                got = scores.get(name)
                outcome = "not given" if name not in computed else "met" if _equal(expected, got) else "failed"
                checks.append(Check(vector, name, expected, got, outcome))
    findings = [*answers.findings]
    if not computed.intersection(names):
        findings.append(f"no score was given; the names are {', '.join(names)}")
    return Conformance(checks, findings)


def _equal(expected: float | int | bool, got: Any) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool):
        return got is expected
    if not isinstance(got, int | float):
        return False
    return isclose(got, expected, rel_tol=0, abs_tol=TOLERANCE if isinstance(expected, float) else 0)


# ---- MASSIE's own scorer


def answers_of_massie(vectors: Iterable[Vector]) -> Answers:
    """What MASSIE's own scorer makes of vectors."""
    scores: dict[str, Scores] = {}
    for vector in vectors:
        told = vector.question()
        answer = parse_answer(vector.output, vector.task) if vector.output is not None else Answer(vector.prediction)
        scores[vector.id] = plain_scores(vector.task, told["schemas"], told["gold"], answer, vector.text)
    return Answers(scores)


def plain_scores(
    task: Task, schemas: Iterable[Any], gold: Iterable[Any], answer: Answer, text: str | None = None
) -> dict[str, Any]:
    """MASSIE's scores of one sample in the plain JSON form of the vectors, under their names."""
    asked = tuple(_schema(schema) for schema in schemas)
    records = [_record(record, task) for record in gold]
    scores = score_sample(task, asked, records, answer, text or "")._asdict()
    return {**scores, "tp": scores["true_positives"], "invalid": bool(scores["invalid"])}


def _schema(schema: Any) -> Schema:
    if isinstance(schema, str):
        return Schema(schema)
    return Schema(schema["event_type"], roles=tuple(Role(role) for role in schema["roles"]))


def _record(record: Mapping[str, Any], task: Task) -> Record:
    """A gold record; scoring reads surfaces only, so its mentions have no places."""
    if task is Task.RE:
        return Relation(record["relation"], Mention(record["head"], ()), Mention(record["tail"], ()))
    span, label = (record[key] for key in SPAN_KEYS[task])
    if task in (Task.NER, Task.SF):
        return Span(label, Mention(span, ()))
    arguments = [Argument(one["role"], Mention(one["argument"], ())) for one in record.get("arguments", ())]
    return Event(label, Mention(span, ()), tuple(arguments))


# ---- Any command

_MOST_OUTPUT = 16 << 20
_LONGEST_LINE = 1 << 16
_MOST_FAULTS = 20
_PATIENCE_SECONDS = 1.0


def question_line(vector: Vector) -> str:
    """The line that a command gets for a vector: JSON in ASCII, so that no encoding can garble it."""
    return json.dumps(vector.question())


def answers_of_command(command: str, vectors: Sequence[Vector], timeout: float = TIMEOUT_SECONDS) -> Answers:
    """What a command (run without a shell) makes of vectors.

    It has ``timeout`` seconds for all of them, then it is ended with all processes that it started. Raises UserError
    where the command cannot be started; whatever else goes wrong is a finding.
    """
    process = _started(command)
    output = bytearray()
    reader = Thread(target=_read, args=(process.stdout, output), daemon=True)
    writer = Thread(target=_write, args=(process.stdin, vectors), daemon=True)
    try:
        reader.start()
        writer.start()
        ending = _ending(process, reader, output, timeout)
    finally:
        _end(process)
        writer.join(_PATIENCE_SECONDS)
        reader.join(_PATIENCE_SECONDS)
    given = _answers(bytes(output[:_MOST_OUTPUT]), {vector.id for vector in vectors})
    return Answers(given.scores, [*given.findings, *ending, *_missing(given, vectors)])


def _started(command: str) -> subprocess.Popen[bytes]:
    try:
        arguments = shlex.split(command)
        if not arguments:
            raise UserError("the scorer's command is empty; give one such as 'python scorer.py'")
        return subprocess.Popen(  # noqa: S603 (the user's own command, without a shell)
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise UserError(f"cannot start the scorer {command!r}: {error.strerror}; mend the command") from error
    except ValueError as error:
        raise UserError(f"the scorer's command {command!r} cannot be read: {error}; mend its quoting") from error


def _write(pipe: IO[bytes], vectors: Sequence[Vector]) -> None:
    with suppress(OSError), pipe:  # a scorer that has ended reads no more; its missing answers say so
        for vector in vectors:
            pipe.write(question_line(vector).encode() + b"\n")


def _read(pipe: IO[bytes], output: bytearray) -> None:
    with pipe:
        while len(output) <= _MOST_OUTPUT and (part := os.read(pipe.fileno(), 1 << 16)):
            output += part


def _ending(process: subprocess.Popen[bytes], reader: Thread, output: bytearray, timeout: float) -> list[str]:
    """Wait until the command has written all and ended; findings where it does not, or fails."""
    until = time.monotonic() + timeout
    reader.join(timeout)
    if len(output) > _MOST_OUTPUT:
        return [f"the scorer wrote more than {_MOST_OUTPUT >> 20} MiB and was ended"]
    try:
        if reader.is_alive():
            raise subprocess.TimeoutExpired(process.args, timeout)
        status = process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return [f"the scorer was ended after {timeout:g} s; it must end when its input does, or needs a longer timeout"]
    if status < 0:
        return [f"the scorer was ended by signal {-status} ({signal.strsignal(-status)})"]
    return [f"the scorer ended with exit code {status}"] if status else []


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that still runs, with all processes that it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(output: bytes, ids: set[str]) -> Answers:
    """The answers in a command's output; what is none of them becomes a finding, with its line."""
    scores: dict[str, Scores] = {}
    findings: list[str] = []
    for number, line in enumerate(BytesIO(output), start=1):
        if not line.strip():
            continue
        if len(findings) == _MOST_FAULTS:
            findings.append(f"line {number} and those behind it were not read")
            break
        try:
            answer = _answer(line)
            if answer["id"] not in ids:
                raise ValueError(f"the id {answer['id'][:60]!r} was not asked for")
            if answer["id"] in scores:
                raise ValueError(f"the id {answer['id']!r} was answered before; the first answer stands")
            scores[answer["id"]] = {name: _bounded(answer[name]) for name in SCORE_NAMES if name in answer}
        except ValueError as error:
            findings.append(f"line {number}: {error}")
    return Answers(scores, findings)


def _answer(line: bytes) -> dict[str, Any]:
    """The object in a line; raises ValueError saying why there is none.

    Whole numbers are read as floats: JSON does not tell 2 from 2.0, and a number may have any number of digits.
    """
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"longer than {_LONGEST_LINE >> 10} KiB")
    try:
        value = json.loads(line.decode("utf-8-sig"), parse_int=float)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (ValueError, RecursionError):
        raise ValueError(f"not JSON: {line[:60].decode(errors='replace')!r}") from None
    if not isinstance(value, dict) or not isinstance(cast("dict[str, Any]", value).get("id"), str):
        raise ValueError("not an object with an id that is a string")
    return cast("dict[str, Any]", value)


def _bounded(value: Any) -> Any:
    """A value as the report can show it: numbers and words as they are, of other things what they are."""
    if isinstance(value, str):
        return value[:60]
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else value


def _missing(given: Answers, vectors: Sequence[Vector]) -> list[str]:
    missing = [vector.id for vector in vectors if vector.id not in given.scores]
    if not missing:
        return []
    named = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
    return [f"{len(missing)} of {len(vectors)} vectors were not answered: {named}"]
