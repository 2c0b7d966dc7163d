"""Counting the tokens of chats: which counter is taken, what it counts, what it says of itself."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.prompting import Message
from massie.running.scripts import tokens_by_script
from massie.running.tokens import PER_CHAT, PER_MESSAGE, TokenCounter, token_counter
from massie.types import MissingExtraError, UserError

CHAT: list[Message] = [
    {"role": "system", "content": "You extract named entities."},
    {"role": "user", "content": "Text: 東京へ行く"},
]


def contents(messages: Sequence[Message]) -> list[str]:
    return [message["content"] for message in messages]


def test_without_a_tokenizer_it_is_an_estimate_and_says_so() -> None:
    counter = token_counter("a-model-of-my-own")
    assert not counter.exact
    assert "estimate" in counter.name
    texts = sum(tokens_by_script(message["content"]) for message in CHAT)
    assert counter.count(CHAT) == round(texts) + 2 * PER_MESSAGE + PER_CHAT


CHATS = st.lists(
    st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": st.sampled_from("abcdef")}), max_size=5),
    max_size=40,
)


@given(CHATS)
def test_many_chats_are_counted_as_each_by_itself(chats: list[list[Message]]) -> None:
    counter = TokenCounter("", exact=True, pieces=contents, lengths=lambda texts: [ord(text) for text in texts])
    expected = [sum(4 + ord(message["content"]) for message in chat) + 3 for chat in chats]
    assert list(counter.count_all(chats)) == expected


def test_what_chats_share_is_counted_once_however_many_they_are() -> None:
    asked: list[str] = []

    def lengths(texts: list[str]) -> list[int]:
        asked.extend(texts)
        return [1] * len(texts)

    counter = TokenCounter("", exact=True, pieces=contents, lengths=lengths)
    chats: list[list[Message]] = [
        [{"role": "system", "content": "shared"}, {"role": "user", "content": str(number)}] for number in range(30_000)
    ]
    assert set(counter.count_all(iter(chats))) == {2 + 2 * PER_MESSAGE + PER_CHAT}
    assert asked.count("shared") == 1
    assert len(asked) == 30_001
    assert len(counter._known) < 15_000, "memory is bounded"


def refuse(*_: object) -> None:
    raise AssertionError("tokens are counted without the network")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("cache", ["", "empty", "broken"])
def test_tiktoken_is_not_asked_where_it_would_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    pytest.importorskip("tiktoken", reason="needs the extra tokenizers")
    if cache == "broken":
        (tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790").write_bytes(b"half a file")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path) if cache else "")
    counter = token_counter("gpt-4o")
    assert not counter.exact
    assert "estimate" in counter.name


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4o-mini"])
def test_tiktoken_counts_where_its_file_is_there(model: str) -> None:
    counter = token_counter(model)
    if not counter.exact:
        pytest.skip("needs tiktoken with the file of o200k_base in its cache (TIKTOKEN_CACHE_DIR)")
    assert counter.name == "tiktoken's o200k_base"
    # "You extract named entities." has 5 tokens; "Hello world" has 2.
    assert counter.count([{"role": "user", "content": "Hello world"}]) == 2 + PER_MESSAGE + PER_CHAT
    assert counter.count([CHAT[0]]) == 5 + PER_MESSAGE + PER_CHAT


def test_without_tiktoken_openais_models_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert not token_counter("gpt-4o").exact


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A tokenizer of words, in a folder."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra tokenizers")
    words = {word: number for number, word in enumerate(["<|x|>", "?", "a", "b", "user", "assistant"])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.add_special_tokens(["<|x|>"])
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_tokenizer_with_its_chat_template_is_exact(tokenizer: Path) -> None:
    template = "{% for m in messages %}<|x|>{{ m.role }} {{ m.content }}{% endfor %}<|x|>assistant"
    (tokenizer / "chat_template.jinja").write_text(template, encoding="utf-8")
    counter = token_counter("any", tokenizer)
    assert counter.exact
    assert counter.name == str(tokenizer)
    assert counter.count([{"role": "user", "content": "a b a"}]) == 2 + 3 + 2


def test_a_tokenizer_without_a_chat_template_says_that_it_is_not_exact(tokenizer: Path) -> None:
    counter = token_counter("gpt-4o", tokenizer / "tokenizer.json")
    assert not counter.exact
    assert "no chat template" in counter.name
    assert counter.count([{"role": "user", "content": "a b a"}]) == 3 + PER_MESSAGE + PER_CHAT


def test_a_tokenizer_needs_its_package(tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"massie\[tokenizers\]"):
        token_counter("any", tokenizer)


def test_a_tokenizer_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such tokenizer") as error:
        token_counter("any", tmp_path / "none")
    assert "\n" not in str(error.value)
