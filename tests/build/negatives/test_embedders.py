"""Embedders by name; a sentence-transformers model of our own, small and random, where the package is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from massie.build.negatives.embedders import EmbedderModel, load_embedder
from massie.build.negatives.mining import nearest
from massie.types import BuildError, MissingExtraError, Schema, UnknownNameError

SENTENCES = "sentence-transformers"
INSTALLED = find_spec("sentence_transformers") is not None


def test_an_unknown_embedder_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown embedder 'tf-idf'; did you mean 'tfidf'"):
        load_embedder("tf-idf")


def test_tfidf_takes_no_model_and_says_which_embedder_does():
    with pytest.raises(BuildError, match="tfidf takes no model: bert needs --embedder sentence-transformers"):
        load_embedder("tfidf", EmbedderModel("bert"))


def test_sentence_transformers_needs_a_model():
    with pytest.raises(BuildError, match="needs a model: name it with --model"):
        load_embedder(SENTENCES)


@pytest.mark.skipif(INSTALLED, reason="sentence-transformers is installed")
def test_without_the_package_the_error_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"pip install 'massie\[embeddings\]'"):
        load_embedder(SENTENCES, EmbedderModel("someone/model"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer with random weights, whose tokens are letters."""
    reason = "needs the extra 'embeddings'"
    pytest.importorskip("sentence_transformers", reason=reason)
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(tokens), **sizes)).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_a_model_in_a_folder_embeds_and_is_pinned_by_its_files(tiny: Path, tmp_path: Path):
    embedder = load_embedder(SENTENCES, EmbedderModel(str(tiny)))
    assert (embedder.entry.name, embedder.entry.model) == (SENTENCES, "tiny")
    assert embedder.entry.revision is not None
    assert embedder.entry.revision.startswith("sha256:")
    assert load_embedder(SENTENCES, EmbedderModel(str(copytree(tiny, tmp_path / "tiny")))).entry == embedder.entry
    vectors = embedder.embed(["river", "rivers", "lake"])
    assert vectors.shape == (3, 16)
    assert np.array_equal(vectors, embedder.embed(["river", "rivers", "lake"]))


def test_the_nearest_by_a_model_are_those_that_the_library_holds_for_most_similar(tiny: Path):
    names = ["river", "town", "rivers", "lake", "date of birth"]
    model = pytest.importorskip("sentence_transformers").SentenceTransformer(str(tiny))
    similar = model.similarity(*[model.encode(names)] * 2).numpy()
    np.fill_diagonal(similar, -1)
    found = nearest([Schema(name) for name in names], load_embedder(SENTENCES, EmbedderModel(str(tiny))), 1)
    assert found == {name: [names[place]] for name, place in zip(names, similar.argmax(axis=1), strict=True)}


def test_a_model_of_the_hub_is_pinned_to_its_commit(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--me--tiny"
    copytree(tiny, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit, encoding="utf-8")
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    entry = load_embedder(SENTENCES, EmbedderModel("me/tiny")).entry
    assert (entry.model, entry.revision) == ("me/tiny", commit)


def test_another_revision_than_the_folder_has_is_refused(tiny: Path):
    with pytest.raises(BuildError, match=r"is of revision sha256:.* and not sha256:0"):
        load_embedder(SENTENCES, EmbedderModel(str(tiny), "sha256:0"))


def test_a_model_that_cannot_be_loaded_is_named(tiny: Path, tmp_path: Path):
    (tmp_path / "broken").mkdir()
    with pytest.raises(BuildError, match=r"the model .*broken cannot be loaded"):
        load_embedder(SENTENCES, EmbedderModel(str(tmp_path / "broken")))
