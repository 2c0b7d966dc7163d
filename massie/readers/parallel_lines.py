"""Parallel lines: a file with a sentence a line, its tokens parted by spaces, and a file with their tags line by line.

    seq.in    flights from kisumu to lamu town
    seq.out   O O B-from O B-to I-to

The card's patterns name the two files of a split one after the other: ``path: [test/seq.in, test/seq.out]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from massie.readers.reading import RawText, Reading
from massie.readers.tokens import TagOptions, tagged_text
from massie.sources import RawFile
from massie.types import ReaderError


class Options(TagOptions):
    """How the tags are written."""


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each line that has tokens; a line with more or fewer tags than tokens is left out as a fault.

    Raises ReaderError where a file has no companion, or one with another number of lines.
    """
    if len(files) % 2:
        raise ReaderError(f"{files[-1].path}: has no companion; name a file of tokens and one of tags in the card")
    for tokens_file, tags_file in zip(files[::2], files[1::2], strict=True):
        tokens_of_lines, tags_of_lines = _lines(tokens_file), _lines(tags_file)
        if len(tokens_of_lines) != len(tags_of_lines):
            raise ReaderError(
                f"{tags_file.path}: has {len(tags_of_lines)} lines, but {tokens_file.name} has {len(tokens_of_lines)}; "
                "fetch both again, or correct the card's files"
            )
        for number, (tokens, tags) in enumerate(zip(tokens_of_lines, tags_of_lines, strict=True), start=1):
            where = f"{tokens_file.name}:{number}"
            if len(tokens) != len(tags):
                reading.faults.add("more or fewer tags than tokens, text left out", where)
            elif tokens:
                text, offsets = reading.joining.join(tokens)
                yield tagged_text(text, offsets, [tags], options.scheme, reading, where)


def _lines(file: RawFile) -> list[list[str]]:
    """The words of each line; an end of line at the file's end begins no further line."""
    return [line.split() for line in file.text().removesuffix("\n").split("\n")]
