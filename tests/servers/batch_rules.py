"""How batches go, and what an input file must be like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from behaviours import Strict
from completions import BadRequestError, read_call
from fault_kinds import FAULTS, LOST
from pydantic import AfterValidator, Field

ENDPOINT = "/v1/chat/completions"
# What may become of a line, beside the fault server's faults.
OWN_FAULTS = ("error", "missing", "twice", "broken")


def known_line_fault(name: str) -> str:
    """The name, if that can become of a line; raises ValueError."""
    known = [*OWN_FAULTS, *(name for name in FAULTS if name not in LOST)]
    if name not in known:
        raise ValueError(f"there is no fault {name!r} of lines; there are: {', '.join(known)}")
    return name


class Ending(Enum):
    """How a batch may end of itself."""

    COMPLETED = "completed"
    EXPIRED = "expired"
    FAILED = "failed"


class LinePlan(Strict):
    """What happens to certain lines: any fault of the fault server that is a whole reply, or one of a batch's own.

    ``error``: a line of the error file without a response; ``missing``: a line of neither file; ``twice``: a line that
    the output file holds twice; ``broken``: a line of the output file that is cut in the middle. It is for the lines
    whose custom_id or last user message holds ``contains``, with probability ``rate``, the first ``times`` times that
    their custom_id is submitted (always, if no number is named).
    """

    fault: Annotated[str, AfterValidator(known_line_fault)]
    contains: str = ""
    rate: float = Field(default=1.0, ge=0.0, le=1.0)
    times: int | None = Field(default=None, ge=1)


class Rules(Strict):
    """How batches go.

    ``content`` is every answer's text, where ``{text}`` stands for the last user message and ``{custom_id}`` for the
    line's. A batch goes to its next status each time that it is looked at, and is ``polls`` times found in progress.
    ``endings`` are those of the batches in the order of their creation, ``completed`` for all that follow; a batch that
    expires or is cancelled has done the first half of its (shuffled) lines. A file with more than ``max_requests``
    lines or ``max_bytes`` bytes fails its batch, and so does, where ``models`` are named, another one.
    """

    content: str = "[]"
    polls: int = Field(default=1, ge=1)
    lines: tuple[LinePlan, ...] = ()
    endings: tuple[Ending, ...] = ()
    max_requests: int = 50_000
    max_bytes: int = 200 * 1000 * 1000
    models: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an input file; ``submission`` says which submission of its custom_id this is, from 1 on."""

    custom_id: str
    body: bytes
    submission: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """What fails a batch."""

    code: str
    message: str
    line: int | None = None


def read_lines(content: bytes, rules: Rules) -> tuple[list[Line], list[Problem]]:
    """The lines of an input file, and what is wrong with it."""
    raw = [(number, line) for number, line in enumerate(content.splitlines(), start=1) if line.strip()]
    if not raw:
        return [], [Problem("empty_file", "The input file is empty. Please ensure that the batch contains requests.")]
    if len(content) > rules.max_bytes:
        message = f"The input file is too large. Maximum supported file size is {rules.max_bytes} bytes."
        return [], [Problem("file_too_large", message)]
    if len(raw) > rules.max_requests:
        message = f"The batch input file contains too many requests. The maximum is {rules.max_requests}."
        return [], [Problem("too_many_tasks", message)]
    return _checked(raw, rules.models)


def _checked(raw: Sequence[tuple[int, bytes]], models: Sequence[str]) -> tuple[list[Line], list[Problem]]:
    lines: list[Line] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    names: set[str] = set()
    for number, text in raw:
        try:
            read = json.loads(text)
            custom_id, method, url, body = read["custom_id"], read["method"], read["url"], json.dumps(read["body"])
            names.add(read_call(body.encode()).model)
        except (ValueError, TypeError, KeyError, BadRequestError) as error:
            problems.append(Problem("invalid_json_line", f"This line is not a valid request: {error!r}", number))
            continue
        if (method, url) != ("POST", ENDPOINT):
            message = f"The URL provided for this line does not match the batch endpoint: {method} {url}"
            problems.append(Problem("mismatched_endpoint", message, number))
        elif custom_id in seen:
            problems.append(Problem("duplicate_custom_id", f"The custom_id {custom_id!r} is not unique.", number))
        seen.add(custom_id)
        lines.append(Line(custom_id, body.encode()))
    if len(names) > 1:
        problems.append(Problem("mismatched_model", f"All requests must name one model; found: {sorted(names)}"))
    if models and (unknown := names - set(models)):
        problems.append(Problem("model_not_found", f"There is no such model: {sorted(unknown)}"))
    return lines, problems
