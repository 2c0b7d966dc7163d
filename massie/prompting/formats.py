"""Answer formats: how a prompt asks for its answer, and so how the output is read."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from massie.catalogue import Content


class Form(StrEnum):
    """The layout of an answer."""

    RECORDS = "records"  # [{"entity": "Amina", "entity_type": "person"}]
    GROUPED = "grouped"  # {"person": ["Amina"]}: flat tasks only
    PAIRS = "pairs"  # person: Amina; location: Dodoma: flat tasks only


class AnswerFormat(Content):
    """How a prompt's answers are laid out.

    ``marker`` is what stands before the answer where the prompt asks for reasoning first, ``key`` the key of an object
    under which the list of records stands (structured output wraps it so). A ``pairs`` answer holds items parted by
    ``item_separator``, each a label and a span parted by the first ``label_separator``; ``nothing`` is what says that
    there are none. JSON forms are read in either JSON layout, whichever the model chose.
    """

    form: Form = Form.RECORDS
    marker: str | None = Field(default=None, min_length=1)
    key: str | None = Field(default=None, min_length=1)
    item_separator: str = Field(default=";", min_length=1)
    label_separator: str = Field(default=":", min_length=1)
    nothing: str = Field(default="None", pattern=r"\S")

    @model_validator(mode="after")
    def _only_records_have_a_key(self) -> AnswerFormat:
        if self.form is not Form.RECORDS and self.key is not None:
            raise ValueError(f"key: only records stand under one; leave it out of {self.form}")
        return self

    @model_validator(mode="after")
    def _separators_differ(self) -> AnswerFormat:
        if self.item_separator == self.label_separator:
            raise ValueError("label_separator: must not be the item_separator too")
        return self


JSON = AnswerFormat()
"""JSON with nothing before it: what is expected where nothing is declared."""
