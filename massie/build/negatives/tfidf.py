"""The embedder that needs no model: which characters follow each other in a label, weighted by how telling that is."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (scikit-learn has no type stubs.)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from massie.build.negatives.embedders import EmbedderModel
from massie.catalogue import EmbedderEntry
from massie.types import BuildError

_SHORTEST, _LONGEST = 2, 4


class TfidfEmbedder:
    """TF-IDF of character n-grams within words, the labels embedded together being the collection."""

    entry = EmbedderEntry(name="tfidf", revision=f"char_wb {_SHORTEST}-{_LONGEST}")

    def __init__(self, model: EmbedderModel | None = None) -> None:
        if model:
            raise BuildError(f"the embedder tfidf takes no model: {model.name} needs --embedder sentence-transformers")

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """A vector of length 1 for each text."""
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(_SHORTEST, _LONGEST))
        vectors: Any = vectorizer.fit_transform(texts)  # a sparse matrix
        return np.asarray(vectors.toarray(), dtype=np.float64)
