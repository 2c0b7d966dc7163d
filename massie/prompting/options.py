"""The options of a method, as they come from the command line or a run file, and which of them go together."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from massie.catalogue import Content, language
from massie.prompting.formats import Form
from massie.types import UnknownNameError


class MethodName(StrEnum):
    """The methods."""

    ZERO_SHOT = "zero-shot"
    FEW_SHOT = "few-shot"
    CHAIN_OF_THOUGHT = "chain-of-thought"


class ShownIn(StrEnum):
    """The language of demonstrations."""

    ENGLISH = "english"
    IN_LANGUAGE = "in-language"  # that of the sample, where there are any


class StructuredOutput(StrEnum):
    """What keeps a model to the layout of its answer."""

    OFF = "off"
    JSON_SCHEMA = "json_schema"


OF_THE_SAMPLE = "sample"
"""The instruction language that is the sample's own."""


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class MethodOptions(Content):
    """The options of a method.

    ``prompt`` names prompts by id or path, one for a task at most; the others' follow from ``method`` and ``form``.
    ``form`` is ``records`` or, for the flat tasks, ``grouped``. ``k`` demonstrations are drawn with
    ``demonstration_seed`` and shown in English or in the sample's language. ``instruction_language`` is an ISO 639-3
    code or ``sample`` for the sample's own; by default it is that of the prompt. ``thoughts`` is the file that has the
    demonstrations' thoughts.
    """

    method: MethodName = MethodName.FEW_SHOT
    prompt: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    form: Literal[Form.RECORDS, Form.GROUPED] = Form.RECORDS
    k: int = Field(default=3, ge=0)
    demonstration_seed: int = 0
    demonstrations: ShownIn = ShownIn.ENGLISH
    instruction_language: str | None = None
    thoughts: Path | None = Field(default=None, validate_default=True)
    structured_output: StructuredOutput = StructuredOutput.OFF

    @property
    def shots(self) -> int:
        """How many demonstrations are shown."""
        return 0 if self.method is MethodName.ZERO_SHOT else self.k

    @field_validator("form")
    @classmethod
    def _grouped_has_no_reasoning(cls, form: Form, info: ValidationInfo) -> Form:
        if form is Form.GROUPED and _method(info) is MethodName.CHAIN_OF_THOUGHT:
            raise ValueError("chain-of-thought has prompts for records only; name your own with the option prompt")
        return form

    @field_validator("k", "demonstration_seed", "demonstrations")
    @classmethod
    def _needs_demonstrations(cls, value: Any, info: ValidationInfo) -> Any:
        if _method(info) is MethodName.ZERO_SHOT:
            raise ValueError("zero-shot shows no demonstrations; leave it out, or take method=few-shot")
        if info.field_name == "k" and value == 0 and _method(info) is MethodName.FEW_SHOT:
            raise ValueError("few-shot shows 1 demonstration at least; for none take method=zero-shot")
        return value

    @field_validator("instruction_language")
    @classmethod
    def _is_a_language(cls, code: str | None) -> str | None:
        if code is not None and code != OF_THE_SAMPLE:
            try:
                language(code)
            except UnknownNameError as error:
                raise ValueError(f"{error} (or {OF_THE_SAMPLE!r} for each sample's own)") from error
        return code

    @field_validator("thoughts")
    @classmethod
    def _thoughts_where_they_are_shown(cls, thoughts: Path | None, info: ValidationInfo) -> Path | None:
        shown = _method(info) is MethodName.CHAIN_OF_THOUGHT and info.data.get("k") != 0
        if thoughts is not None and not shown:
            raise ValueError("only the demonstrations of chain-of-thought have thoughts; leave it out")
        if thoughts is None and shown and "k" in info.data:
            raise ValueError(
                "is missing: chain-of-thought shows demonstrations with the thoughts of a teacher; make them with "
                "'massie prompts think', or show none: k=0"
            )
        return thoughts

    @field_validator("structured_output")
    @classmethod
    def _a_schema_has_no_room_for_reasoning(cls, value: StructuredOutput, info: ValidationInfo) -> StructuredOutput:
        if value is StructuredOutput.JSON_SCHEMA and _method(info) is MethodName.CHAIN_OF_THOUGHT:
            raise ValueError("a JSON schema leaves no room for the reasoning of chain-of-thought")
        return value


def _method(info: ValidationInfo) -> MethodName | None:
    return info.data.get("method")
