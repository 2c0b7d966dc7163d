"""What a batch says of its requests: the lines of its output and error files."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from massie.adapters.chat_completions import completion_of, error_of, message_of
from massie.adapters.completions import Completion
from massie.types import EndpointError, Failure, RequestError


class Response(BaseModel):
    """The response to one request of a batch."""

    model_config = ConfigDict(frozen=True)

    status_code: int
    body: Any = None


class Result(BaseModel):
    """A line of a batch's output or error file."""

    model_config = ConfigDict(frozen=True)

    custom_id: str
    response: Response | None = None
    error: dict[str, Any] | None = None

    def outcome(self) -> Completion | RequestError | EndpointError:
        """What came of the request: an answer, or what is wrong with it or with the whole endpoint."""
        response = self.response
        if response is None:
            code, message = (message_of((self.error or {}).get(name)) for name in ("code", "message"))
            failure = Failure.TIMEOUT if code == "batch_expired" else Failure.SERVER
            return RequestError(failure, f"{code} {message}".strip()[:300] or "no reason was given")
        if response.status_code >= 400:
            return error_of(response.status_code, {}, response.body)
        try:
            return completion_of(response.body)
        except RequestError as error:
            return error


def read_result(line: bytes) -> Result | None:
    """The result that stands on a line; None where it is broken."""
    try:
        return Result.model_validate(json.loads(line))  # Pydantic's own parser takes no half of a surrogate pair
    except (ValueError, RecursionError):
        return None
