"""Samples and predictions as JSON lines: what other processes and predictions files speak.

A sample:      {"id": …, "task": "NER", "dataset": …, "language": "swa", "text": …,
                "schemas": [{"name": "person", "description": null, "roles": []}, …]}
A prediction:  {"id": …, "records": [{"entity": "Amina", "entity_type": "person"}]}
               or {"id": …, "output": "raw text of a language model", "finish_reason": "stop"}
               or {"id": …, "error": "why there is no answer"}
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from massie.catalogue import first_fault
from massie.types import Failure, Prediction, PredictionsError, Sample, Usage, sample_as_json

MAXIMAL_LINE = 64 << 20


class PredictionLine(BaseModel):
    """A prediction as a JSON line holds it; exactly one of ``records``, ``output`` and ``error`` is given."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(max_length=200)
    records: list[Any] | None = None
    output: str | None = None
    error: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = Field(default=None, ge=0, le=1 << 53)
    output_tokens: int | None = Field(default=None, ge=0, le=1 << 53)
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    reasoning_tokens: int | None = Field(default=None, ge=0, le=1 << 53)
    cached_tokens: int | None = Field(default=None, ge=0, le=1 << 53)
    requests: int | None = Field(default=None, ge=0, le=1 << 53)
    failure: Failure | None = Field(default=None, strict=False)
    reasoning: str | None = None
    logprobs: list[Annotated[float, Field(allow_inf_nan=False)]] | None = None

    @model_validator(mode="after")
    def _one_answer(self) -> PredictionLine:
        if sum(part is not None for part in (self.records, self.output, self.error)) != 1:
            raise ValueError("exactly one of records, output and error must be given")
        return self

    def prediction(self) -> Prediction:
        """The prediction itself."""
        usage = Usage(**{part.name: getattr(self, part.name) for part in fields(Usage)})
        return Prediction(
            self.id,
            self.records,
            self.output,
            self.finish_reason,
            None if usage == Usage() else usage,
            self.error,
            self.failure,
            self.reasoning,
            self.logprobs,
        )


def sample_line(sample: Sample) -> str:
    """A sample as a JSON line, without gold."""
    return json.dumps(sample_as_json(sample), ensure_ascii=False)


def parse_prediction(line: bytes | str, where: str) -> Prediction:
    """The prediction of a line; raises PredictionsError naming ``where`` and what is wrong."""
    try:
        return PredictionLine.model_validate_json(line).prediction()
    except ValidationError as error:
        raise PredictionsError(f"{where}: {first_fault(error)}") from error


def check_prediction(prediction: Prediction) -> None:
    """Hold a prediction that never was a line against the same rules; raises PredictionsError in one sentence."""
    records: Any = prediction.records
    logprobs: Any = prediction.logprobs
    try:
        PredictionLine(
            id=prediction.sample_id,
            records=list(records) if isinstance(records, tuple) else records,  # pyright: ignore[reportUnknownArgumentType]
            output=prediction.output,
            error=prediction.error,
            finish_reason=prediction.finish_reason,
            failure=prediction.failure,
            reasoning=prediction.reasoning,
            logprobs=list(logprobs) if isinstance(logprobs, tuple) else logprobs,  # pyright: ignore[reportUnknownArgumentType]
            **asdict(prediction.usage or Usage()),
        )
    except ValidationError as error:
        raise PredictionsError(f"the prediction breaks the contract: {first_fault(error)}") from error


def read_predictions(path: Path) -> Iterator[tuple[int, Prediction]]:
    """The predictions of a file with their line numbers; blank lines and a byte order mark are passed over.

    Raises PredictionsError in one sentence, naming file and line, for a line that is none.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAXIMAL_LINE + 1):
                number += 1
                if number == 1:
                    line = line.removeprefix(BOM_UTF8)
                if len(line) > MAXIMAL_LINE:
                    raise PredictionsError(f"{path}:{number}: the line is longer than {MAXIMAL_LINE >> 20} MiB")
                if line.strip():
                    yield number, parse_prediction(line, f"{path}:{number}")
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read: {error.strerror}") from error
