"""What the fault server and the batch server share: behaviours that are told them, and their command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TextIO, TypeVar

from completions import failure
from fault_kinds import FAULTS
from http1 import Reply, Request, json_reply, serve
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError


def known_fault(name: str) -> str:
    """The name, if there is such a fault; raises ValueError."""
    if name not in FAULTS:
        raise ValueError(f"there is no fault {name!r}; there are: {', '.join(FAULTS)}")
    return name


KnownFault = Annotated[str, AfterValidator(known_fault)]


class Strict(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


B = TypeVar("B", bound=Strict)


def told(request: Request, kind: type[B], behave: Callable[[B], None]) -> Reply:
    """The reply to POST /behaviour: it is followed, or refused with what is wrong."""
    try:
        behave(kind.model_validate_json(request.body))
    except ValidationError as error:
        return json_reply(failure(str(error)), 400)
    return json_reply({})


def run(title: str, kind: type[B], answers: Callable[[B, TextIO | None], Callable[[Request], Reply]]) -> None:
    """The command line: serve what ``answers`` gives for a behaviour and an open log."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--log", type=Path, help="file to which a JSON line per event is appended, at once")
    parser.add_argument("--behaviour", default="{}", help="JSON, as POST /behaviour takes it")
    options = parser.parse_args()
    behaviour = kind.model_validate_json(options.behaviour)
    if options.log is None:
        serve(answers(behaviour, None), options.port)
        return
    # Line by line, so that a line is in the file as soon as its event has happened.
    with options.log.open("a", buffering=1, encoding="utf-8") as log:
        serve(answers(behaviour, log), options.port)
