"""OpenAI's Batch API, imitated on loopback at the protocol's level: files, batches, statuses, output and error files.

    python tests/servers/batches.py --port 0 --log batches.jsonl --behaviour '{"max_requests": 100}'

The first line on standard output is its URL. Besides the API's own endpoints (``/v1/files``, ``/v1/batches``):

===============  ======================================================================================================
POST /behaviour  sets the whole behaviour (the fields of ``Behaviour``; what is not named is as by default)
GET /counts      how often each operation was asked for, and how many custom_ids were submitted and answered
GET /log         an entry for each batch that was created or has ended
DELETE /log      forgets everything, files and batches too
===============  ======================================================================================================

``--log FILE`` gets those entries at once, as JSON lines: ``{"batch": "batch_1", "event": "created", "custom_ids":
["1", "2"], "at": 1763726400.1}``, later ``{"batch": "batch_1", "event": "completed", "custom_ids": ["2"], ...}`` with
those that were answered (and would be paid for). Files and batches are kept in memory only.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TextIO

from batch_jobs import Batch, Status
from batch_rules import ENDPOINT, Ending, Problem, Rules, read_lines
from behaviours import KnownFault, Strict, run, told
from completions import Call, failure, usage
from fault_kinds import FAULTS, LOST, Case, wrong_key
from http1 import Reply, Request, json_reply, read_form
from pydantic import Field

Operation = Literal["upload", "file", "download", "delete", "create", "poll", "list", "cancel"]
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/v1/files"): "upload",
    ("GET", "/v1/files/*"): "file",
    ("GET", "/v1/files/*/content"): "download",
    ("DELETE", "/v1/files/*"): "delete",
    ("POST", "/v1/batches"): "create",
    ("GET", "/v1/batches/*"): "poll",
    ("GET", "/v1/batches"): "list",
    ("POST", "/v1/batches/*/cancel"): "cancel",
}
PLACE = re.compile(r"(/v1/(?:files|batches)/)([^/]+)")


class CallPlan(Strict):
    """Which calls of an operation fail, and how: number ``first`` on, ``count`` of them (all, if none is named).

    With a fault that loses the reply (``half-body``, ``closed``, ``reset``, ``reset-in-body``) the operation was done
    all the same; with any other one it was not.
    """

    on: Operation
    fault: KnownFault
    first: int = Field(default=1, ge=1)
    count: int | None = Field(default=None, ge=1)


class Behaviour(Rules):
    """How batches go, which calls fail, and the one key that is not wrong."""

    calls: tuple[CallPlan, ...] = ()
    api_key: str | None = None


class ApiError(Exception):
    """An error that the API answers with."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class File:
    """One file."""

    id: str
    name: str
    purpose: str
    content: bytes
    created: int

    def shown(self) -> dict[str, Any]:
        """The file as the API shows it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass(slots=True)
class State:
    """Everything that is there."""

    files: dict[str, File] = field(default_factory=dict[str, File])
    batches: dict[str, Batch] = field(default_factory=dict[str, Batch])
    submitted: Counter[str] = field(default_factory=Counter[str])
    entries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    asked: Counter[str] = field(default_factory=Counter[str])
    made: int = 0


class BatchServer:
    """The server's state, and its answers."""

    def __init__(self, behaviour: Behaviour, log: TextIO | None) -> None:
        self._log = log
        self._state = State()
        self._behave(behaviour)

    def _behave(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._endings = list(behaviour.endings)
        self._called: Counter[str] = Counter()

    def reply(self, request: Request) -> Reply:
        """The reply to any request."""
        match request.method, request.path:
            case "POST", "/behaviour":
                return told(request, Behaviour, self._behave)
            case "GET", "/counts":
                return json_reply(self._counts())
            case "GET", "/log":
                return json_reply({"entries": self._state.entries})
            case "DELETE", "/log":
                self._state = State()
                return json_reply({})
            case _:
                return self._api(request)

    def _counts(self) -> dict[str, Any]:
        answered = sum(len(entry["custom_ids"]) for entry in self._state.entries if entry["event"] != "created")
        submitted = self._state.submitted.total()
        return {"asked": dict(self._state.asked), "submitted": submitted, "answered": answered}

    def _api(self, request: Request) -> Reply:
        """One call of the API, or the fault whose turn it is."""
        if self._behaviour.api_key not in (None, request.bearer):
            return wrong_key(request.bearer)
        found = PLACE.search(request.path)
        operation = OPERATIONS.get((request.method, PLACE.sub(r"\1*", request.path)))
        if operation is None:
            return json_reply(failure(f"Invalid URL ({request.method} {request.path})"), 404)
        self._state.asked[operation] += 1
        fault = self._fault(operation)
        if fault is not None and fault not in LOST:
            return FAULTS[fault].make(_no_case(request))
        try:
            reply = self._do(operation, request, "" if found is None else found.group(2))
        except ApiError as error:
            reply = json_reply(failure(str(error)), error.status)
        return reply if fault is None else replace(reply, **LOST[fault])

    def _fault(self, operation: Operation) -> str | None:
        self._called[operation] += 1
        for plan in self._behaviour.calls:
            after = self._called[operation] - plan.first
            if plan.on == operation and after >= 0 and (plan.count is None or after < plan.count):
                return plan.fault
        return None

    def _do(self, operation: Operation, request: Request, name: str) -> Reply:
        match operation:
            case "upload":
                return json_reply(self._upload(request).shown())
            case "file":
                return json_reply(self._file(name).shown())
            case "download":
                return Reply(self._file(name).content, headers={"content-type": "application/octet-stream"})
            case "delete":
                del self._state.files[self._file(name).id]
                return json_reply({"id": name, "object": "file", "deleted": True})
            case "create":
                return json_reply(self._create(request).shown())
            case "poll":
                return json_reply(self._advanced(name).shown())
            case "list":
                return json_reply(self._listed(request))
            case "cancel":
                return json_reply(self._cancelled(name).shown())

    def _file(self, name: str) -> File:
        if name not in self._state.files:
            raise ApiError(f"No such File object: {name}", 404)
        return self._state.files[name]

    def _batch(self, name: str) -> Batch:
        if name not in self._state.batches:
            raise ApiError(f"No batch found with id '{name}'.", 404)
        return self._state.batches[name]

    def _keep(self, name: str, purpose: str, content: bytes) -> File:
        file = File(self._new("file"), name, purpose, content, int(time.time()))
        self._state.files[file.id] = file
        return file

    def _new(self, kind: str) -> str:
        self._state.made += 1
        return f"{kind}-{self._state.made}" if kind == "file" else f"{kind}_{self._state.made}"

    def _upload(self, request: Request) -> File:
        fields = read_form(request)
        if "file" not in fields or fields.get("purpose", ("", b""))[1] != b"batch":
            raise ApiError("A file and the purpose 'batch' are required.")
        name, content = fields["file"]
        return self._keep(name, "batch", content)

    def _create(self, request: Request) -> Batch:
        asked = json.loads(request.body)
        if asked.get("endpoint") != ENDPOINT or asked.get("completion_window") != "24h":
            raise ApiError(f"This server does {ENDPOINT} within 24h.")
        file = self._file(asked["input_file_id"])
        ending = self._endings.pop(0) if self._endings else Ending.COMPLETED
        lines, problems = read_lines(file.content, self._behaviour)
        if ending is Ending.FAILED:
            problems = [Problem("token_limit_exceeded", "Enqueued token limit reached for this organization.")]
        if not problems:
            self._state.submitted.update(line.custom_id for line in lines)
            lines = [replace(line, submission=self._state.submitted[line.custom_id]) for line in lines]
        batch = Batch(
            id=self._new("batch"),
            input_file=file.id,
            window=asked["completion_window"],
            metadata=asked.get("metadata"),
            lines=lines,
            problems=problems,
            rules=self._behaviour,
            ending=ending,
            times={"created_at": int(time.time())},
        )
        self._state.batches[batch.id] = batch
        self._note(batch, "created", [line.custom_id for line in lines])
        return batch

    def _advanced(self, name: str) -> Batch:
        batch = self._batch(name)
        ended = batch.results is not None
        batch.advance()
        if batch.results is not None and not ended:
            batch.output_file = self._results(batch, "output", batch.results.output)
            batch.error_file = self._results(batch, "error", batch.results.errors)
            self._note(batch, batch.status.value, batch.results.answered)
        return batch

    def _results(self, batch: Batch, kind: str, lines: Sequence[str]) -> str | None:
        """The id of a file with these lines; like the API, none where there are no lines."""
        text = "".join(f"{line}\n" for line in lines)
        return self._keep(f"{batch.id}_{kind}.jsonl", "batch_output", text.encode()).id if lines else None

    def _listed(self, request: Request) -> dict[str, Any]:
        """The newest first; ``after`` names the last one of the page before."""
        names = list(self._state.batches)[::-1]
        after, limit = request.query.get("after"), int(request.query.get("limit", 20))
        rest = names[names.index(self._batch(after).id) + 1 :] if after else names
        page = [self._state.batches[name].shown() for name in rest[:limit]]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(rest) > limit,
        }

    def _cancelled(self, name: str) -> Batch:
        batch = self._batch(name)
        if not batch.status.open:
            raise ApiError(f"Cannot cancel a batch with status '{batch.status.value}'.", 409)
        batch.go_to(Status.CANCELLING)
        return batch

    def _note(self, batch: Batch, event: str, custom_ids: Sequence[str]) -> None:
        entry = {"batch": batch.id, "event": event, "custom_ids": list(custom_ids), "at": time.time()}
        self._state.entries.append(entry)
        if self._log is not None:
            self._log.write(json.dumps(entry) + "\n")


def _no_case(request: Request) -> Case:
    """What errors are made of where there is no call of a model."""
    call = Call("", "", "", "")
    return Case(call, 0, key=request.bearer, content="", used=usage(0, 0), stall=0.0, retry_after=1)


if __name__ == "__main__":
    run("OpenAI's Batch API, imitated.", Behaviour, lambda behaviour, log: BatchServer(behaviour, log).reply)
