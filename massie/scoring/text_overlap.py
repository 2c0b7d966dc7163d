"""SacreBLEU and ROUGE-1 of output texts: what the paper holds against LF1 (section 2.4, figure 2). Never ranked.

They count the words that an output shares with the gold written as JSON, whether they stand in the right place or not.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from massie.types import FLAT_TASKS, SPAN_KEYS, MissingExtraError, Record, Task, record_as_json

TEXT_OVERLAP = ("sacrebleu", "rouge1")


class TextOverlap:
    """Scores the output texts of one task and language; ``spaced`` says whether the language puts spaces between words.

    Where it does not, every character is taken for a word. Raises MissingExtraError where the libraries are missing.
    """

    def __init__(self, task: Task, *, spaced: bool = True) -> None:
        try:
            from rouge_score.rouge_scorer import RougeScorer  # pyright: ignore
            from sacrebleu.metrics.bleu import BLEU  # pyright: ignore
        except ImportError as error:
            raise MissingExtraError("sacrebleu and rouge-score", "text-overlap", "--text-overlap") from error
        self._task = task
        self._bleu: Any = BLEU(effective_order=True, tokenize="13a" if spaced else "char")
        self._rouge: Any = RougeScorer(["rouge1"], tokenizer=_Words(spaced=spaced))

    def scores(self, text: str, gold: Sequence[Record]) -> tuple[float, float]:
        """SacreBLEU and the F-measure of ROUGE-1, 0 to 1, of an answer text against the gold as JSON.

        Equal texts score 1, also where there is no word in them (``[]``).
        """
        reference = gold_text(gold, self._task, grouped=text.lstrip()[:1] == "{")
        if text.strip() == reference:
            return 1.0, 1.0
        bleu = self._bleu.sentence_score(text, [reference]).score / 100
        return min(bleu, 1.0), self._rouge.score(reference, text)["rouge1"].fmeasure


def gold_text(gold: Sequence[Record], task: Task, *, grouped: bool) -> str:
    """Gold records as the JSON text of a perfect answer: a list, or for flat tasks an object of spans by type."""
    records = [record_as_json(record, task) for record in gold]
    if not grouped or task not in FLAT_TASKS:
        return json.dumps(records, ensure_ascii=False)
    span_key, label_key = SPAN_KEYS[task]
    spans: dict[str, list[str]] = {}
    for record in records:
        spans.setdefault(record[label_key], []).append(record[span_key])
    return json.dumps(spans, ensure_ascii=False)


class _Words:
    """Cuts a text into words for ROUGE, whose own way knows the letters a to z alone; on those the two agree."""

    def __init__(self, *, spaced: bool) -> None:
        self._spaced = spaced

    def tokenize(self, text: str) -> list[str]:
        """Runs of letters, digits and marks, in lower case; each alone where words are not spaced."""
        words = "".join(character if _of_a_word(character) else " " for character in text.lower())
        return words.split() if self._spaced else list(words.replace(" ", ""))


def _of_a_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")
