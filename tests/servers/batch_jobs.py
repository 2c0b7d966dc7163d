"""A batch of the imitated Batch API: its statuses gone through, its lines answered."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from random import Random
from typing import Any

from batch_rules import ENDPOINT, Ending, Line, Problem, Rules
from completions import read_call, tokens, usage
from fault_kinds import FAULTS, Case, answer

COMPLETION_WINDOW = 24 * 60 * 60


class Status(Enum):
    """The statuses of a batch."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        """Whether the batch may still be cancelled."""
        return self in (Status.VALIDATING, Status.IN_PROGRESS, Status.FINALIZING)


@dataclass(frozen=True, slots=True)
class Results:
    """The two files that a batch leaves, line by line, and the custom_ids of its answers."""

    output: tuple[str, ...]
    errors: tuple[str, ...]
    answered: tuple[str, ...]


@dataclass(slots=True)
class Batch:
    """One batch, and where it stands."""

    id: str
    input_file: str
    window: str
    metadata: dict[str, str] | None
    lines: Sequence[Line]
    problems: Sequence[Problem]
    rules: Rules
    ending: Ending
    status: Status = Status.VALIDATING
    polled: int = 0
    times: dict[str, int] = field(default_factory=dict[str, int])
    results: Results | None = None
    output_file: str | None = None
    error_file: str | None = None

    def advance(self) -> None:
        """Go to the next status."""
        match self.status:
            case Status.VALIDATING:
                self.go_to(Status.FAILED if self.problems else Status.IN_PROGRESS)
            case Status.IN_PROGRESS if self.polled + 1 < self.rules.polls:
                self.polled += 1
            case Status.IN_PROGRESS if self.ending is Ending.EXPIRED:
                self._end(Status.EXPIRED, len(self.lines) // 2)
            case Status.IN_PROGRESS:
                self.go_to(Status.FINALIZING)
            case Status.FINALIZING:
                self._end(Status.COMPLETED, len(self.lines))
            case Status.CANCELLING:
                self._end(Status.CANCELLED, len(self.lines) // 2)
            case _:
                pass

    def go_to(self, status: Status) -> None:
        """Stand there from now on."""
        self.status = status
        self.times[f"{status.value}_at"] = int(time.time())

    def _end(self, status: Status, done: int) -> None:
        self.results = answers(self, done, status)
        self.go_to(status)

    def shown(self) -> dict[str, Any]:
        """The batch as the API shows it."""
        created = self.times["created_at"]
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": ENDPOINT,
            "errors": self._errors() if self.status is Status.FAILED else None,
            "input_file_id": self.input_file,
            "completion_window": self.window,
            "status": self.status.value,
            "output_file_id": self.output_file,
            "error_file_id": self.error_file,
            "created_at": created,
            "expires_at": created + COMPLETION_WINDOW,
            **{f"{status.value}_at": self.times.get(f"{status.value}_at") for status in list(Status)[1:]},
            "request_counts": self._counts(),
            "metadata": self.metadata,
        }

    def _errors(self) -> dict[str, Any]:
        listed = [
            {"code": problem.code, "message": problem.message, "line": problem.line, "param": None}
            for problem in self.problems
        ]
        return {"object": "list", "data": listed}

    def _counts(self) -> dict[str, int]:
        total = 0 if self.problems else len(self.lines)
        if self.results is not None:
            done = len(self.results.answered)
            return {"total": total, "completed": done, "failed": len(self.results.errors)}
        passed = total if self.status is Status.FINALIZING else total * self.polled // self.rules.polls
        return {"total": total, "completed": passed, "failed": 0}


def answers(batch: Batch, done: int, status: Status) -> Results:
    """The lines of both files once a batch has ended so, with that many of its shuffled lines done."""
    random = Random(f"{batch.rules.seed} {batch.id}")
    shuffled = random.sample(batch.lines, len(batch.lines))
    output: list[str] = []
    errors: list[str] = []
    answered: list[str] = []
    for number, line in enumerate(shuffled[:done], start=1):
        succeeded, written = _answer(batch, line, number)
        (output if succeeded else errors).extend(written)
        if succeeded:
            answered.append(line.custom_id)
    code = f"batch_{status.value}"
    message = "This request could not be executed before the completion window expired or the batch was cancelled."
    errors += [_line(batch, line, error={"code": code, "message": message}) for line in shuffled[done:]]
    return Results(tuple(output), tuple(errors), tuple(answered))


def _answer(batch: Batch, line: Line, number: int) -> tuple[bool, list[str]]:
    """Whether the line is for the output file, and the lines that are written for it."""
    fault = _fault(batch.rules, line)
    status, body = _reply(batch.rules, line, number, fault)
    response = {"status_code": status, "request_id": f"req_{batch.id}_{number}", "body": body}
    written = _line(batch, line, response=response)
    match fault:
        case "error":
            error = {"code": "server_error", "message": "The server had an error while processing this request."}
            return False, [_line(batch, line, error=error)]
        case "missing":
            return False, []
        case "twice":
            return True, [written, written]
        case "broken":
            return True, [written[: len(written) // 2]]
        case _:
            return status < 400, [written]


def _fault(rules: Rules, line: Line) -> str | None:
    text = read_call(line.body).text
    for plan in rules.lines:
        named = plan.contains in line.custom_id or plan.contains in text
        if named and (plan.times is None or line.submission <= plan.times):
            drawn = Random(f"{rules.seed} {plan.fault} {line.custom_id} {line.submission}").random()
            if drawn < plan.rate:
                return plan.fault
    return None


def _reply(rules: Rules, line: Line, number: int, fault: str | None) -> tuple[int, Any]:
    """Status and body of one line's response; a body that is no JSON is a text."""
    call = read_call(line.body)
    content = rules.content.replace("{custom_id}", line.custom_id).replace("{text}", call.text)
    used = usage(tokens(call.prompt), tokens(content))
    case = Case(call, number, key="", content=content, used=used, stall=0.0, retry_after=1)
    reply = FAULTS[fault].make(case) if fault in FAULTS else answer(case)
    try:
        return reply.status, json.loads(reply.body)
    except ValueError:
        return reply.status, reply.body.decode()


def _line(batch: Batch, line: Line, response: Any = None, error: Any = None) -> str:
    name = sha256(f"{batch.id} {line.custom_id}".encode()).hexdigest()[:16]
    value = {"id": f"batch_req_{name}", "custom_id": line.custom_id, "response": response, "error": error}
    return json.dumps(value, ensure_ascii=False)
