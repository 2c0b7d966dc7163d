"""Standoff annotation in pairs of files: which text and which annotations belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import Field, field_validator

from massie.catalogue import Content
from massie.sources import RawFile
from massie.types import ReaderError

_DOCUMENT = "{document}"


class PairOptions(Content):
    """How a document's two files are called within the source.

    ``{document}`` stands for any characters, the same ones in the name of the text and in that of its annotations.
    """

    text_file: str = Field(default="{document}.txt")
    annotation_file: str = Field(default="{document}.ann")

    @field_validator("text_file", "annotation_file")
    @classmethod
    def _names_the_document(cls, value: str) -> str:
        if value.count(_DOCUMENT) != 1:
            raise ValueError(f"{value!r} must have {_DOCUMENT} once")
        return value

    def pairs(self, files: Sequence[RawFile]) -> Iterator[tuple[RawFile, RawFile]]:
        """Yield each document's text and annotations, in the order in which the files first name the documents.

        Raises ReaderError, naming the file, where its companion is missing or where it is neither of the two.
        """
        texts: dict[str, RawFile] = {}
        annotations: dict[str, RawFile] = {}
        documents: dict[str, None] = {}
        kinds = ((_pattern(self.annotation_file), annotations), (_pattern(self.text_file), texts))
        for file in files:
            for pattern, found in kinds:
                if match := pattern.fullmatch(file.name):
                    found[match[1]] = file
                    documents[match[1]] = None
                    break
            else:
                raise ReaderError(
                    f"{file.path}: neither {self.text_file!r} nor {self.annotation_file!r}; "
                    "take this one out of the card's files, or correct the names in its reader.options"
                )
        for document in documents:
            for name, found, other in (
                (self.annotation_file, annotations, texts),
                (self.text_file, texts, annotations),
            ):
                if document not in found:
                    raise ReaderError(
                        f"{other[document].path}: its companion {name.replace(_DOCUMENT, document)} is missing; "
                        "fetch the source again"
                    )
            yield texts[document], annotations[document]


def _pattern(name: str) -> re.Pattern[str]:
    before, after = map(re.escape, name.split(_DOCUMENT))
    return re.compile(f"{before}(.+){after}", re.DOTALL)
