"""The card of a system: what it says of itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=4000)]


class SystemCard(BaseModel):
    """What a system says of itself; ``name`` alone is required.

    ``parameters`` counts weights, ``prompt`` is the id of a prompt, ``url`` is shown as text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name = Field(min_length=1)
    kind: Literal["baseline", "encoder", "language model", "other"] = "other"
    organisation: Name | None = None
    model: Name | None = None
    parameters: int | None = Field(default=None, ge=0)
    open_weights: bool | None = None
    licence: Name | None = None
    prompt: Name | None = None
    url: Name | None = None
    description: Text | None = None
