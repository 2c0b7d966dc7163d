"""From tokens with tags to a text with spans: what the readers of tokenised formats share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from pydantic import Field

from massie.catalogue import Content
from massie.readers.reading import Joining, RawText, Reading
from massie.readers.tags import OUTSIDE, Scheme, TagSpan, decode, is_tag
from massie.types import Span

Offsets = Sequence[tuple[int, int]]


class TagOptions(Content):
    """How a source writes its tags: the options that the readers of tokenised formats have in common.

    A tag is its mark (B, I, E ...), ``tag_separator`` (may be empty: ``BPER``), its label; with ``tag_label_first`` its
    label, the separator, its mark (``PER-B``). ``outside`` is the tag of a token in no span. ``tags_parted_by`` parts
    the tags of nested spans that stand in one field. ``tag_spellings`` maps whole tags to those that they stand for,
    where a source writes some in another way (``TIM: I-TIM`` for a label without marks).
    """

    tag_separator: str = "-"
    tag_label_first: bool = False
    outside: str = Field(default=OUTSIDE, min_length=1)
    tags_parted_by: str | None = Field(default=None, min_length=1)
    tag_spellings: dict[str, str] = {}

    @cached_property
    def scheme(self) -> Scheme:
        """How a tag is to be read."""
        spellings = tuple(self.tag_spellings.items())
        return Scheme(self.tag_separator, self.tag_label_first, self.outside, self.tags_parted_by, spellings)


def tagged_text(
    text: str, offsets: Offsets, layers: Iterable[Sequence[str]], scheme: Scheme, reading: Reading, where: str
) -> RawText:
    """The text with the spans of every layer of tags, layer after layer; what is not a tag counts as O and a fault.

    ``offsets`` has the place of each token in the text, a layer the tag of each token.
    """
    spans: list[Span] = []
    for tags in layers:
        for label, first, last in _decoded(tags, scheme, reading, where):
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


def _decoded(tags: Sequence[str], scheme: Scheme, reading: Reading, where: str) -> list[TagSpan]:
    try:
        return decode(tags, scheme)
    except ValueError:
        known = [tag if is_tag(tag, scheme) else scheme.outside for tag in tags]
        wrong = sum(tag != read for tag, read in zip(tags, known, strict=True))
        reading.faults.add("not a tag of the scheme, taken as O", where, wrong)
        return decode(known, scheme)
