"""Embedders: what turns labels into vectors, so that those that are alike are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from massie.catalogue import EmbedderEntry
from massie.types import UnknownNameError

EMBEDDERS = {
    "tfidf": "massie.build.negatives.tfidf:TfidfEmbedder",
    "sentence-transformers": "massie.build.negatives.sentence_embedder:SentenceEmbedder",
}


@dataclass(frozen=True, slots=True)
class EmbedderModel:
    """A model to embed with: its name on the Hugging Face hub, or a folder that holds it.

    ``revision`` is a commit, branch or tag of the hub (None: the newest). ``trust_remote_code`` lets code run that the
    model brings.
    """

    name: str
    revision: str | None = None
    trust_remote_code: bool = False


class Embedder(Protocol):
    """Embeds texts. ``entry`` names it so that others can do the same again."""

    @property
    def entry(self) -> EmbedderEntry:
        """Name, model and revision, as a table of negatives records them."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """A vector for each text, shape (texts, dimensions); the texts are all labels of a dataset's task."""
        ...


def load_embedder(name: str, model: EmbedderModel | None = None) -> Embedder:
    """The embedder of a name, its packages loaded only now.

    Raises UnknownNameError, MissingExtraError where a package is not installed, and BuildError where a model is needed
    and not given (or the other way round), or cannot be loaded.
    """
    if name not in EMBEDDERS:
        raise UnknownNameError("embedder", name, EMBEDDERS)
    module, _, class_name = EMBEDDERS[name].partition(":")
    made: Any = getattr(import_module(module), class_name)
    return made(model)
