"""Embeds labels with a sentence-transformers model (the paper: gte-Qwen2-7B-instruct; section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType]
from numpy.typing import NDArray

from massie.build.negatives.embedders import EmbedderModel
from massie.catalogue import EmbedderEntry
from massie.types import BuildError, MissingExtraError


class SentenceEmbedder:
    """A model of the Hugging Face hub, pinned to its commit, or of a folder, pinned to the digest of its files."""

    def __init__(self, model: EmbedderModel | None) -> None:
        if model is None:
            raise BuildError("the embedder sentence-transformers needs a model: name it with --model")
        sentence_transformer = _package()
        folder = Path(model.name) if Path(model.name).is_dir() else None
        try:
            revision = _digest(folder) if folder else _commit(model)
            self._model = sentence_transformer(
                model.name, revision=None if folder else revision, trust_remote_code=model.trust_remote_code
            )
        except (ImportError, OSError, RuntimeError, ValueError) as error:  # all that these libraries are known to raise
            told = " ".join(str(error).split())[:600]
            raise BuildError(f"the model {model.name} cannot be loaded: {type(error).__name__}: {told}") from error
        if folder and model.revision not in (None, revision):
            raise BuildError(f"the model in {folder} is of revision {revision} and not {model.revision}")
        name = folder.resolve().name if folder else model.name
        self.entry = EmbedderEntry(name="sentence-transformers", model=name, revision=revision)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The model's vectors, with no instruction before the texts: what is alike has no query and no document."""
        vectors = np.asarray(self._model.encode([*texts], show_progress_bar=False), dtype=np.float64)
        if not np.isfinite(vectors).all():
            raise BuildError(f"the model {self.entry.model} gives vectors that are not numbers")
        return vectors


def _package() -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # pyright: ignore
    except ImportError as error:
        raise MissingExtraError("sentence-transformers", "embeddings", "--embedder sentence-transformers") from error
    return SentenceTransformer  # pyright: ignore


def _commit(model: EmbedderModel) -> str:
    """The commit that a revision of a model on the hub is; with no network, that which is in the hub's cache."""
    return Path(snapshot_download(model.name, revision=model.revision, allow_patterns=["*config.json"])).name


def _digest(folder: Path) -> str:
    """What names a folder by content: SHA-256 over paths and files."""
    whole = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            whole.update(f"{path.relative_to(folder).as_posix()}\0{file_digest(file, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{whole.hexdigest()}"
