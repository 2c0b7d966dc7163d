"""Unicode normalisation of text that may be hostile."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain, groupby
from unicodedata import combining, is_normalized, normalize

# Whatever can stand in a long run of combining marks: no mark is alphanumeric.
_MANY_MARKS = re.compile(r"[^\w\x00-\x7f]{100,}")


def nfc(text: str) -> str:
    """Unicode NFC in bounded time.

    Python sorts the combining marks of a base by insertion: a million of them, badly ordered, take it a quarter of an
    hour. So long runs are put in canonical order before, by a stable sort, which makes a canonically equivalent text
    and so the very same NFC (Unicode Standard, section 3.11, D109).
    """
    return text if is_normalized("NFC", text) else normalize("NFC", _MANY_MARKS.sub(_in_canonical_order, text))


def _in_canonical_order(run: re.Match[str]) -> str:
    marks = [mark for character in run[0] for mark in _decomposed(character)]
    return "".join(chain.from_iterable(sorted(group, key=combining) for _, group in groupby(marks, key=_is_mark)))


def _is_mark(character: str) -> bool:
    return combining(character) > 0


@lru_cache(maxsize=4096)
def _decomposed(character: str) -> tuple[str, ...]:
    return tuple(normalize("NFD", character))
