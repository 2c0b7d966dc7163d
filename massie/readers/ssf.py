"""SSF, the Shakti Standard Format: a node a line, sentences between ``<Sentence>`` and ``</Sentence>``.

    1 <TAB> Amina <TAB> NNP                      a token: address, token, tag, attributes
    2 <TAB> (( <TAB> NP <TAB> <ne=NEL>           a chunk opens; its attribute ne makes it an entity
    2.1 <TAB> Kisumu
    <TAB> ))                                     the innermost chunk closes

Chunks nest. A token may carry the attribute itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from massie.catalogue import Content
from massie.readers.reading import RawText, Reading
from massie.sources import RawFile
from massie.types import ReaderError, Span

_OPEN, _CLOSE = "((", "))"
_SENTENCE_START, _SENTENCE_END = "<Sentence", "</Sentence"

UNPAIRED = "chunk without its other bracket, taken as none"
EMPTY = "labelled chunk without a token, left out"
NOTHING = "no token, the row left out"

Row = tuple[str, str, str]


class Options(Content):
    """``attribute``: the attribute whose value labels a chunk or a token, as in ``<ne=NEP>``."""

    attribute: str = "ne"


def read(files: Sequence[RawFile], options: Options, reading: Reading) -> Iterator[RawText]:
    """Yield a text for each sentence that has tokens; raises ReaderError for a file without sentences."""
    value = re.compile(rf"<(?:fs )?{re.escape(options.attribute)}='?([^'>\s]+)'?")
    for file in files:
        sentences = 0
        for start, rows in _sentences(file):
            sentences += 1
            text = _text(rows, value, reading, f"{file.name}:{start}")
            if text is not None:
                yield text
        if not sentences:
            raise ReaderError(f"{file.path}: has no line {_SENTENCE_START}...>; choose another reader in the card")


def _sentences(file: RawFile) -> Iterator[tuple[int, list[Row]]]:
    """(number of the first line, rows as place, token, attributes) of each sentence."""
    rows: list[Row] | None = None
    start = 0
    for number, line in enumerate(file.text().replace("\r\n", "\n").split("\n"), start=1):
        if line.startswith(_SENTENCE_START):
            start, rows = number, []
        elif line.startswith(_SENTENCE_END) and rows is not None:
            yield start, rows
            rows = None
        elif rows is not None and line.strip():
            _, token, _, attributes = (*line.split("\t", 3), "", "", "")[:4]
            rows.append((f"{file.name}:{number}", token.strip(), attributes))
    if rows:
        yield start, rows


def _text(rows: Iterable[Row], value: re.Pattern[str], reading: Reading, where: str) -> RawText | None:
    tokens: list[str] = []
    chunks: list[tuple[str | None, int]] = []
    found: list[tuple[int, int, str]] = []
    for place, token, attributes in rows:
        match = value.search(attributes)
        label = match[1] if match else None
        if token == _OPEN:
            chunks.append((label, len(tokens)))
        elif token == _CLOSE and not chunks:
            reading.faults.add(UNPAIRED, place)
        elif token == _CLOSE:
            label, first = chunks.pop()
            if label is not None and first == len(tokens):
                reading.faults.add(EMPTY, place)
            elif label is not None:
                found.append((first, len(tokens), label))
        elif token:
            tokens.append(token)
            if label is not None:
                found.append((len(tokens) - 1, len(tokens), label))
        else:
            reading.faults.add(NOTHING, place)
    if chunks:
        reading.faults.add(UNPAIRED, where, len(chunks))
    if not tokens:
        return None
    text, offsets = reading.joining.join(tokens)
    spans = (
        Span(label, reading.joining.mention(text, [(offsets[first][0], offsets[end - 1][1])]))
        for first, end, label in sorted(found, key=lambda span: (span[0], -span[1]))
    )
    return RawText(text, tuple(spans), where)
