"""From tokens with tags to a text with spans: what the readers of tokenised formats share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from massie.readers.reading import Joining, RawText, Reading
from massie.readers.tags import OUTSIDE, TagSpan, decode, is_tag
from massie.types import Span

Offsets = Sequence[tuple[int, int]]


def tagged_text(
    text: str, offsets: Offsets, layers: Iterable[Sequence[str]], separator: str, reading: Reading, where: str
) -> RawText:
    """The text with the spans of every layer of tags, layer after layer; what is not a tag counts as O and a fault.

    ``offsets`` has the place of each token in the text, a layer the tag of each token.
    """
    spans: list[Span] = []
    for tags in layers:
        for label, first, last in _decoded(tags, separator, reading, where):
            place = (offsets[first][0], offsets[last][1])
            spans.append(Span(label, reading.joining.mention(text, [place])))
    return RawText(text, tuple(spans), where)


def align(text: str, tokens: Iterable[str]) -> list[tuple[int, int]] | None:
    """The place of each token in the untokenised text, or None where the two differ by more than white space."""
    offsets: list[tuple[int, int]] = []
    position = 0
    for token in tokens:
        while not text.startswith(token, position):
            if not text[position : position + 1].isspace():
                return None
            position += 1
        offsets.append((position, position + len(token)))
        position += len(token)
    return None if text[position:].strip() else offsets


def join_marked(tokens: Sequence[str], glued: Iterable[bool], joining: Joining) -> tuple[str, list[tuple[int, int]]]:
    """The text of tokens whose source says after which of them no space stands, and each token's place in it.

    The source's marks go before the card's rule of joining.
    """
    parts: list[str] = []
    offsets: list[tuple[int, int]] = []
    position = 0
    for token, is_glued in zip(tokens, glued, strict=True):
        space = "" if is_glued else " "
        parts += (token, space)
        offsets.append((position, position + len(token)))
        position += len(token) + len(space)
    return joining.text("".join(parts[:-1])), offsets


def _decoded(tags: Sequence[str], separator: str, reading: Reading, where: str) -> list[TagSpan]:
    try:
        return decode(tags, separator)
    except ValueError:
        known = [tag if is_tag(tag, separator) else OUTSIDE for tag in tags]
        wrong = sum(tag != read for tag, read in zip(tags, known, strict=True))
        reading.faults.add("not a tag of the scheme, taken as O", where, wrong)
        return decode(known, separator)
