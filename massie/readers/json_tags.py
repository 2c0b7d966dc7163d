"""JSON with the tokens of each text as objects that carry the token and its tags, one for each layer.

    {"documents": [{"sentences": [{"words": [{"word": "Amina", "ner_1": "B-PER", "ner_2": "O"}]}]}]}

is read with ``texts: [documents, sentences], words: words, token: word, tags: [ner_1, ner_2]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from massie.readers.json_items import Layout, at, items, listed
from massie.readers.reading import RawText, Reading
from massie.readers.tokens import TagOptions, tagged_text
from massie.sources import RawFile
from massie.types import ReaderError


class Options(TagOptions):
    """``texts`` are the lists that lead from the file's value down to the texts, each the path of the next within one.

    ``words`` is the path of a text's tokens, ``token`` and ``tags`` (one for each layer) the paths within one of these.
    """

    texts: tuple[str, ...] = Field(min_length=1)
    words: str
    token: str
    tags: tuple[str, ...] = Field(min_length=1)


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield each text that has tokens; raises ReaderError where a file is not laid out so."""
    for file in files:
        for _, whole in items(file, Layout.WHOLE):
            for where, words in _texts(whole, options, file.name):
                rows = [_row(word, options, where) for word in words]
                if rows:
                    tokens, *layers = zip(*rows, strict=True)
                    text, offsets = reading.joining.join(tokens)
                    yield tagged_text(text, offsets, layers, options.scheme, reading, where)


def _texts(whole: Any, options: Options, where: str) -> Iterator[tuple[str, list[Any]]]:
    """(place, tokens) of every text, as ``file:documents 1:sentences 2``."""
    values = [(where, whole)]
    for path in options.texts:
        values = [
            (f"{place}:{path} {number}", each)
            for place, value in values
            for number, each in enumerate(listed(value, path, place), start=1)
        ]
    for place, value in values:
        yield place, listed(value, options.words, place)


def _row(word: Any, options: Options, where: str) -> list[str]:
    """The token, then its tags."""
    try:
        return [str(at(word, path)) for path in (options.token, *options.tags)]
    except KeyError as error:
        raise ReaderError(f"{where}: a token without {error}; check the reader's options in the card") from error
