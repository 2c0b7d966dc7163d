"""Tokenizers and chat templates in the files that models on the Hugging Face hub come with."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (tokenizers' types are incomplete.)

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from massie.prompting import Message
from massie.types import MissingExtraError, UserError

if TYPE_CHECKING:
    import tokenizers

TOKENIZER, CONFIG, TEMPLATE, SPECIAL_TOKENS = (
    "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json",
)  # fmt: skip

# What a template's expressions may raise besides Jinja's own errors.
_FAILURES = (TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a ``tokenizer.json``, or in a folder that holds one.

    Raises UserError where there is none, MissingExtraError where the package that reads it is not installed.
    """
    file = path / TOKENIZER if path.is_dir() else path
    if not path.exists():
        raise UserError(
            f"{path}: there is no such tokenizer; name a {TOKENIZER}, or a folder that holds one (a name on the "
            "Hugging Face hub is not looked up: download the model's tokenizer first)"
        )
    if not file.exists():
        raise UserError(f"{path}: holds no {TOKENIZER}; save the model's fast tokenizer there")
    try:
        import tokenizers
    except ImportError as error:
        raise MissingExtraError("tokenizers", "tokenizers", "a tokenizer") from error
    try:
        return Tokenizer(tokenizers.Tokenizer.from_file(str(file)))
    except Exception as error:  # the library raises nothing narrower
        raise UserError(f"{file}: is not a tokenizer: {error}; name the {TOKENIZER} of a model") from error


def read_chat_template(path: Path) -> ChatTemplate | None:
    """The chat template that lies beside a tokenizer (or in its folder); None where there is none.

    Raises UserError where the files cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    config = _json_object(folder / CONFIG)
    source = _template_source(folder, config)
    if source is None:
        return None
    tokens = _json_object(folder / SPECIAL_TOKENS) | config
    special = {name: _token(token) for name, token in tokens.items() if name.endswith("_token")}
    return ChatTemplate(folder, source, {name: token for name, token in special.items() if token is not None})


def _template_source(folder: Path, config: dict[str, Any]) -> str | None:
    """A file of its own comes before the configuration, which may hold several by name."""
    file = folder / TEMPLATE
    if file.exists():
        return _text(file)
    found: Any = config.get("chat_template")
    if isinstance(found, list):
        named: list[Any] = found
        found = next((each.get("template") for each in named if each.get("name") == "default"), None)
    return found if isinstance(found, str) else None


def _token(token: Any) -> str | None:
    """A special token's text, which is written bare or as an object with its ``content``."""
    text: Any = cast("dict[str, Any]", token).get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _json_object(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        value: Any = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON: {error}; download the model's file again") from error
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}; download the model's file again") from error


class Tokenizer:
    """A tokenizer that counts, and knows where a text may be cut so that its pieces can be counted apart."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        # A saved tokenizer may be set to cut its texts short and to fill them up.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._cuts: set[str] = set()
        found: list[str] = []
        for token in tokenizer.get_added_tokens_decoder().values():
            if token.content and not token.normalized:
                found.append(token.content)
                if not (token.lstrip or token.single_word):
                    self._cuts.add(token.content)
        # As the library does: the leftmost, and of those the longest.
        self._special = re.compile("|".join(map(re.escape, sorted(found, key=len, reverse=True)))) if found else None

    def lengths(self, texts: list[str]) -> list[int]:
        """The tokens of each text; special tokens are those that stand in it, none are added."""
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def cut(self, text: str) -> list[str]:
        """A text in pieces that have together as many tokens as the whole.

        A tokenizer looks for its special tokens first and then at what stands between them, each by itself; so every
        piece but the first begins with one.
        """
        if self._special is None:
            return [text]
        places = [match.start() for match in self._special.finditer(text) if match[0] in self._cuts]
        bounds = [0, *places, len(text)]
        return [text[start:end] for start, end in pairwise(bounds) if start < end]


class ChatTemplate:
    """A model's chat template: how a chat is written as one text, for the model to go on.

    It is a stranger's Jinja, so it runs in a sandbox; the names that it may use are those that transformers gives it.
    """

    def __init__(self, folder: Path, source: str, special_tokens: dict[str, str]) -> None:
        """Raises UserError where the source is not a template."""
        self._folder = folder
        self._special_tokens = special_tokens
        try:
            self._template = _environment().from_string(source)
        except TemplateError as error:
            raise UserError(f"{folder}: its chat template is not valid: {error}; mend {TEMPLATE}") from error

    def render(self, messages: Sequence[Message]) -> str:
        """The chat as a text, up to where the answer begins; raises UserError where the template refuses it."""
        variables: dict[str, Any] = {**self._special_tokens, "tools": None, "documents": None}
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, **variables)
        except _FAILURES as error:
            raise UserError(
                f"{self._folder}: its chat template does not take these messages: {error}; name another tokenizer"
            ) from error


class _Generation(Extension):
    """The tag ``{% generation %}``: it marks the words of an assistant for training, and writes nothing itself."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    extensions = (_Generation, loopcontrols)
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    environment.filters["tojson"] = _tojson
    names = cast("dict[str, Any]", environment.globals)
    names["raise_exception"] = _raise
    names["strftime_now"] = _now
    return environment


def _tojson(value: Any, ensure_ascii: bool = False, **layout: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **layout)


def _now(layout: str) -> str:
    return datetime.now().strftime(layout)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)
