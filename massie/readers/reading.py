"""What every reader is given and what it gives back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Protocol

from massie.catalogue import Card, Join, language
from massie.sources import RawFile
from massie.types import Mention, Record

_UNSPACED = "[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_WIDE_MARK = "[\u3001-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff3d\uff5b-\uff65]"
# The last character of a token and the first of the next, where mixed joining leaves no space between them.
_GLUED = re.compile(rf"{_UNSPACED}{_UNSPACED}|{_WIDE_MARK}.|.{_WIDE_MARK}|\s.|.\s", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RawText:
    """A text of a source with its annotations: records whose labels are the source's own.

    ``where`` is the place in the source (``file:line`` or ``file:id``), for reports.
    """

    text: str
    annotations: tuple[Record, ...]
    where: str


@dataclass(slots=True)
class Faults:
    """Counts, by kind, what could not be taken as it stood, with the first few places of each kind."""

    counts: Counter[str] = field(default_factory=Counter[str])
    places: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def add(self, kind: str, where: str, number: int = 1) -> None:
        """Count a fault of a kind (a short phrase, the same for all of its kind) at a place (``file:line``)."""
        self.counts[kind] += number
        places = self.places.setdefault(kind, [])
        if len(places) < 5:
            places.append(where)

    def merge(self, other: Faults) -> None:
        """Add another count to this one."""
        for kind, number in other.counts.items():
            self.counts[kind] += number
            places = self.places.setdefault(kind, [])
            places.extend(other.places[kind][: 5 - len(places)])


@dataclass(frozen=True, slots=True)
class Joining:
    """How tokens become text, for one language of a card.

    ``mixed``: with spaces, but none where Chinese or Japanese characters meet (massie.catalogue.Join).
    """

    spaces: bool
    space_token: str | None = None
    replace: dict[int, str] = field(default_factory=dict[int, str])
    mixed: bool = False

    @classmethod
    def for_card(cls, card: Card, code: str) -> Joining:
        """The rule that holds for a language of a card: its own, else the card's, else by its script."""
        rules = card.text
        join = rules.join_by_language.get(code, rules.join)
        spaces = language(code).spaces if join is Join.AUTO else join is not Join.NONE
        replace = {ord(old): new for old, new in rules.replace.items()}
        return cls(spaces, rules.space_token, replace, join is Join.MIXED)

    @property
    def glue(self) -> str:
        """What stands between tokens, and between the fragments of a discontinuous mention."""
        return " " if self.spaces else ""

    def text(self, text: str) -> str:
        """A text of the source with the card's single-character replacements made (offsets keep)."""
        return text.translate(self.replace) if self.replace else text

    def join(self, tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
        """The text of a list of tokens, and each token's ``(start, end)`` in it."""
        if self.space_token is not None:
            tokens = [" " if token == self.space_token else token for token in tokens]
        if self.mixed:
            return self._join_mixed(tokens)
        lengths = list(map(len, tokens))
        starts = accumulate(map(len(self.glue).__add__, lengths), initial=0)
        offsets = [(start, start + length) for start, length in zip(starts, lengths, strict=False)]
        return self.text(self.glue.join(tokens)), offsets

    def _join_mixed(self, tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
        spaces = ["" if _GLUED.fullmatch(left[-1:] + right[:1]) else " " for left, right in pairwise(tokens)]
        parts = [token + space for token, space in zip(tokens, [*spaces, ""], strict=False)]
        starts = accumulate(map(len, parts), initial=0)
        offsets = [(start, start + len(token)) for start, token in zip(starts, tokens, strict=False)]
        return self.text("".join(parts)), offsets

    def mention(self, text: str, fragments: Sequence[tuple[int, int]]) -> Mention:
        """The mention at these places of a text (its surface taken from there)."""
        if len(fragments) == 1:
            start, end = fragments[0]
            return Mention(text[start:end], (fragments[0],))
        return Mention(self.glue.join(text[start:end] for start, end in fragments), tuple(fragments))


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading: a language and raw split of a dataset, how its tokens are joined, and where faults are counted.

    ``language_code`` and ``split_code`` are the source's own words for them.
    """

    dataset: str
    language: str
    split: str
    language_code: str
    split_code: str
    joining: Joining
    faults: Faults


def is_offset(field: str) -> bool:
    """Whether a field is a number of at most nine digits: one that is longer is damage, and ``int`` may refuse it."""
    return field.isdecimal() and len(field) <= 9


class Reader(Protocol):
    """A raw format: yields the texts of the files of one language and raw split, in the files' order."""

    def __call__(self, files: Sequence[RawFile], options: Any, reading: Reading, /) -> Iterator[RawText]:
        """Read; faults in single texts are counted in ``reading.faults``, a file that is broken raises ReaderError."""
        ...
