"""How many tokens a text has by its scripts, where no tokenizer is at hand: an estimate.

The table holds tokens per character of o200k_base, the encoding of OpenAI's models since GPT-4o, each token being
shared out evenly among its bytes. ``python tests/running/test_scripts.py DIR`` measured it on up to 400 texts of each
language of M-HEAVY built into DIR (66 languages at hand, November 2026). For ASCII characters it is the mean of English
texts and of all, since a prompt has both. Scripts that this build lacks were measured on other texts: Ethiopic on
M-DEMO's; Georgian, Gurmukhi, Kannada, Khmer, Malayalam, Myanmar and Tamil on the messages of Django 5.2; Gujarati,
Oriya and Sinhala on the names of languages and territories in Babel 2.18, which take a third more than running text.

Estimated tokens of whole prompts, against what three tokenizers count (zero-shot, the prompts of ``prompts/``):

                o200k_base   cl100k_base   DeepSeek-V3
    M-DEMO          + 8%         + 0%         + 8%
    M-HEAVY         + 9%         −11%         + 6%     (at most 60 samples of each cell)

Older and smaller vocabularies take far more for some scripts (cl100k_base three times as many for Armenian). The first
figure is printed and bounded by ``tests/running/test_scripts.py``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import category, name

import numpy as np
from numpy.typing import NDArray

TOKENS_PER_CHARACTER = {
    "ascii letter": 0.214,
    "ascii digit": 0.543,
    "ascii space": 0.254,
    "ascii symbol": 0.700,
    "ARABIC": 0.329,
    "ARMENIAN": 0.313,
    "BENGALI": 0.385,
    "CJK": 0.882,
    "COMBINING": 0.989,  # diacritics
    "CYRILLIC": 0.337,
    "DEVANAGARI": 0.373,
    "ETHIOPIC": 2.0,
    "GEORGIAN": 0.402,
    "GREEK": 0.421,
    "GUJARATI": 0.595,
    "GURMUKHI": 0.741,
    "HANGUL": 0.796,
    "HEBREW": 0.425,
    "HIRAGANA": 0.735,
    "KANNADA": 0.472,
    "KATAKANA": 0.720,
    "KHMER": 0.682,
    "LATIN": 0.622,  # letters beyond ASCII
    "MALAYALAM": 0.454,
    "MODIFIER": 0.999,  # letters of phonetic writing
    "MYANMAR": 0.665,
    "ORIYA": 1.066,
    "SINHALA": 0.702,
    "TAMIL": 0.500,
    "TELUGU": 0.402,
    "THAI": 0.428,
    "other symbol": 0.810,
    "other letter": 2.0,  # scripts that were not measured: those that were and are rare in vocabularies
}
"""Tokens per character, by what ``kind_of`` says of it."""


def tokens_by_script(text: str) -> float:
    """An estimate of the tokens of a text: the sum of what each of its characters takes."""
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")
    return float(_rates()[units].sum())


def kind_of(character: str) -> str:
    """The key of a character in the table: its script for letters and marks, else what it is."""
    if character.isascii():
        if character.isalpha():
            return "ascii letter"
        return "ascii digit" if character.isdigit() else "ascii space" if character.isspace() else "ascii symbol"
    if category(character)[0] not in "LM":
        return "other symbol"
    # Names begin with the script: THAI CHARACTER KO KAI, KATAKANA-HIRAGANA PROLONGED SOUND MARK.
    script = re.split("[ -]", name(character, "?"), maxsplit=1)[0]
    return script if script in TOKENS_PER_CHARACTER else "other letter"


@lru_cache(maxsize=1)
def _rates() -> NDArray[np.float64]:
    """The tokens of each UTF-16 code unit; a character beyond the first plane has two, each of a symbol's."""
    return np.array([TOKENS_PER_CHARACTER[kind_of(chr(unit))] for unit in range(0x10000)])
