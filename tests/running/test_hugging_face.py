"""Tokenizers and chat templates from files, held against transformers, which made the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.build import Benchmark
from massie.prompting import Message, load_prompt, render
from massie.running.hugging_face import ChatTemplate, Tokenizer, read_chat_template, read_tokenizer
from massie.types import UserError

tokenizers = pytest.importorskip("tokenizers", reason="needs the extra tokenizers")

SPECIAL = ["<s>", "</s>", "<|start|>", "<|start|>>", "<|end|>"]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|start|>{{ message.role }}\n{{ message['content'] | trim }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
CHAT: list[Message] = [
    {"role": "system", "content": "You extract named entities."},
    {"role": "user", "content": "Text: 강리나는 <|end|> 한국의  감독이다.\n"},
    {"role": "assistant", "content": '[{"entity": "강리나"}]'},
    {"role": "user", "content": "Text: سافرت ليلى <|start|>> إلى القاهرة"},
]


def saved(folder: Path, texts: list[str], *, words: bool = False, template: str | None = TEMPLATE) -> Path:
    """A small tokenizer trained on the spot: byte-level pairs, or words that begin with a mark (as SentencePiece's)."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if words:
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        alphabet = sorted({character for text in texts for character in text})
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.enable_truncation(16)  # as some are saved; counting must not be cut short
    tokenizer.enable_padding(length=64)
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config: dict[str, Any] = {"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>"}
    if template is not None:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def texts(demo: Benchmark) -> list[str]:
    return sorted({sample.text for sample in demo.samples()})


@pytest.fixture(scope="module", params=["bytes", "words"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    return saved(tmp_path_factory.mktemp("model"), texts, words=request.param == "words")


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return read_tokenizer(folder)


def whole(folder: Path, text: str) -> int:
    """The tokens of a text that is not cut."""
    plain = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.no_truncation()
    plain.no_padding()
    return len(plain.encode(text, add_special_tokens=False).ids)


def test_a_chat_is_written_and_counted_as_transformers_does(folder: Path, demo: Benchmark) -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )
    template, tokenizer = read_chat_template(folder), read_tokenizer(folder)
    assert template is not None
    prompt = load_prompt("ner-en")
    chats = [CHAT, *(render(prompt, sample) for sample in demo.select(tasks=["NER"], limit=2).samples())]
    for messages in chats:
        assert template.render(messages) == theirs.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        ids = theirs.apply_chat_template(messages, tokenize=True, add_generation_prompt=True, return_dict=False)
        assert sum(tokenizer.lengths(tokenizer.cut(template.render(messages)))) == len(ids)


@given(st.lists(st.sampled_from([*SPECIAL, " ", "\n", "a", "한국", "ليلى", "<|", ">", "e\u0301"]), max_size=12))
def test_the_pieces_of_a_text_have_together_the_tokens_of_the_whole(
    folder: Path, tokenizer: Tokenizer, parts: list[str]
) -> None:
    text = "".join(parts)
    pieces = tokenizer.cut(text)
    assert "".join(pieces) == text
    assert sum(tokenizer.lengths(pieces)) == whole(folder, text)


def test_a_special_token_that_takes_the_space_before_it_is_no_place_to_cut(tmp_path: Path, texts: list[str]) -> None:
    folder = saved(tmp_path, texts)
    raw = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    for token in raw["added_tokens"]:
        token["lstrip"] = token["content"] == "<|end|>"
    (folder / "tokenizer.json").write_text(json.dumps(raw), encoding="utf-8")
    tokenizer = read_tokenizer(folder)
    text = "<|start|>a  <|end|>b<|start|>c"
    assert tokenizer.cut(text) == ["<|start|>a  <|end|>b", "<|start|>c"]
    assert sum(tokenizer.lengths(tokenizer.cut(text))) == whole(folder, text)


def test_a_file_and_its_folder_are_the_same_tokenizer(folder: Path) -> None:
    texts = ["Text: 강리나는 <|end|>"]
    assert read_tokenizer(folder / "tokenizer.json").lengths(texts) == read_tokenizer(folder).lengths(texts)
    assert read_chat_template(folder / "tokenizer.json") is not None


def test_a_template_in_a_file_of_its_own_comes_first(tmp_path: Path, texts: list[str]) -> None:
    folder = saved(tmp_path, texts)
    (folder / "chat_template.jinja").write_text("{{ messages | length }}{{ eos_token }}", encoding="utf-8")
    template = read_chat_template(folder)
    assert template is not None
    assert template.render(CHAT) == "4</s>"


def test_of_several_templates_the_one_called_default_is_taken(tmp_path: Path) -> None:
    several = [{"name": "tools", "template": "no"}, {"name": "default", "template": "yes"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": several}), encoding="utf-8")
    template = read_chat_template(tmp_path)
    assert template is not None
    assert template.render(CHAT) == "yes"


def test_where_there_is_no_template_there_is_none(tmp_path: Path, texts: list[str]) -> None:
    assert read_chat_template(saved(tmp_path, texts, template=None)) is None


def test_templates_may_use_what_transformers_gives_them(tmp_path: Path) -> None:
    source = (
        "{%- for message in messages %}{% if loop.index > 1 %}{% break %}{% endif %}"
        "{% generation %}{{ message | tojson }}{% endgeneration %}{% endfor %}{{ strftime_now('%Y') | length }}"
        "{% if tools is none and not documents %}!{% endif %}{{ undefined_here }}"
    )
    text = ChatTemplate(tmp_path, source, {}).render([{"role": "user", "content": "<é>"}] * 2)
    assert text == '{"role": "user", "content": "<é>"}4!'


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("{{ raise_exception('no system role') }}", "no system role"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe"),
    ],
)
def test_a_template_that_refuses_or_breaks_out_is_one_clear_line(tmp_path: Path, source: str, fault: str) -> None:
    with pytest.raises(UserError) as error:
        ChatTemplate(tmp_path, source, {}).render(CHAT)
    assert fault in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_template_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="chat template is not valid"):
        ChatTemplate(tmp_path, "{% for %}", {})


def test_a_tokenizer_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such tokenizer"):
        read_tokenizer(tmp_path / "Qwen" / "Qwen3-8B")
    with pytest.raises(UserError, match=r"holds no tokenizer\.json"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"model": {"type": "BPE"}}', b"\xff\x00"])
def test_a_file_that_is_no_tokenizer_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a tokenizer") as error:
        read_tokenizer(path)
    assert str(path) in str(error.value)


def test_a_configuration_that_is_not_json_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"tokenizer_config\.json: is not JSON"):
        read_chat_template(tmp_path)
