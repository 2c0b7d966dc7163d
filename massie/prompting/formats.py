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
    nothing: str = "None"

    @model_validator(mode="after")
    def _pairs_have_no_key(self) -> AnswerFormat:
        if self.form is Form.PAIRS and self.key is not None:
            raise ValueError("key: pairs stand in no JSON object")
        return self


JSON = AnswerFormat()
"""JSON with nothing before it: what is expected where nothing is declared."""
