"""Scores of records in memory beside what one would write or install instead: ``python -m tests.benchmarks.peers``.

*Sparse* sentences are those of M-HEAVY's test cells in what matters here: 0.66 of the samples have no gold, the others
one to four spans of one or two words; of the spans 70% are found, 15% with a wrong boundary, 15% not at all, and one
sentence in twenty without gold gets a span. *Documents* have 50 items a side under six labels: 40% of the predicted
ones right, 35% near misses, 25% wrong.

LF1 stands beside plain Python loops over ``Levenshtein``: ``bare_lf1`` is the formula, on the strings as they are,
``plain_lf1`` the formula with MASSIE's normalisation and sets, and ``tuned_lf1`` what one makes of ``bare_lf1`` when it
is too slow. Strict F1 stands beside seqeval and nervaluate, to which the same spans are given
as tags that were made before the clock starts; MASSIE reads its JSON records within the time. Every figure is the
median of several rounds in which all take turns; all of them give the same score, which is asserted.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isclose
from typing import Any

from Levenshtein import distance
from nervaluate import Evaluator
from rich.console import Console
from rich.table import Table
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.scheme import IOB2

from massie.scoring import lf1, micro_f1
from massie.scoring.items import normalise, normalise_label
from tests.benchmarks.__main__ import LABELS, tag

Records = Sequence[dict[str, str]]
Pair = tuple[Records, Records]
"""A sample: gold and predicted records."""
Job = Callable[[], float]


def similarity(one: Mapping[str, str], other: Mapping[str, str]) -> float:
    if one["entity_type"] != other["entity_type"]:
        return 0.0
    left, right = one["entity"], other["entity"]
    return 1 - distance(left, right) / max(len(left), len(right))


def bare_lf1(gold: Records, predicted: Records) -> float:
    """LF1 as the formula is written, with nothing else: strings as they are."""
    if not gold or not predicted:
        return float(not gold and not predicted)
    precision = sum(max(similarity(y, g) for g in gold) for y in predicted) / len(predicted)
    recall = sum(max(similarity(y, g) for y in predicted) for g in gold) / len(gold)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def tuned_lf1(gold: Records, predicted: Records) -> float:
    """The same written for speed: every pair once, no calls but Levenshtein."""
    if not gold or not predicted:
        return float(not gold and not predicted)
    of_gold = [0.0] * len(gold)
    of_predicted = 0.0
    for one in predicted:
        best = 0.0
        for place, other in enumerate(gold):
            if one["entity_type"] == other["entity_type"]:
                found, wanted = one["entity"], other["entity"]
                alike = 1 - distance(found, wanted) / max(len(found), len(wanted))
                best = max(best, alike)
                of_gold[place] = max(of_gold[place], alike)
        of_predicted += best
    precision, recall = of_predicted / len(predicted), sum(of_gold) / len(gold)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def plain_lf1(gold: Records, predicted: Records) -> float:
    """The formula with normalised spans, case-folded labels, and every item once."""
    if not gold and not predicted:
        return 1.0
    return bare_lf1(distinct(gold), distinct(predicted))


def distinct(records: Records) -> Records:
    items = {(normalise(record["entity"]), normalise_label(record["entity_type"])) for record in records}
    return [{"entity": span, "entity_type": label} for span, label in items]


def mean_lf1(score: Callable[[Records, Records], float], samples: Sequence[Pair]) -> float:
    total = 0.0
    for gold, predicted in samples:
        total += score(gold, predicted)
    return total / len(samples)


def massie_lf1(samples: Sequence[Pair]) -> float:
    total = 0.0
    for gold, predicted in samples:
        total += lf1(gold, predicted, "NER")
    return total / len(samples)


def sentences(number: int) -> Iterator[tuple[Pair, list[str], list[str]]]:
    """Sparse samples as records, and gold and prediction as tags; no word stands twice in a sentence."""
    draw = random.Random(7)
    names = ["".join(draw.choices("abcdefghiklmnoprstuvw", k=draw.randint(2, 9))) for _ in range(3000)]
    vocabulary = sorted(set(names))
    for _ in range(number):
        words = draw.sample(vocabulary, 24)
        starts = [] if draw.random() < 0.66 else sorted(draw.sample(range(0, 22, 3), draw.randint(1, 4)))
        gold, said = Tagged(words), Tagged(words)
        for start in starts:
            label, length, luck = draw.choice(LABELS), draw.randint(1, 2), draw.random()
            gold.add(start, length, label)
            if luck < 0.85:
                said.add(start, length if luck < 0.7 else 3 - length, label)
        if not starts and draw.random() < 0.05:
            said.add(22, 1, "event")
        yield (gold.records, said.records), gold.tags, said.tags


class Tagged:
    """The spans of a sentence, as records and as tags."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.tags = ["O"] * len(words)
        self.records: list[dict[str, str]] = []

    def add(self, start: int, length: int, label: str) -> None:
        tag(self.tags, start, length, label)
        self.records.append({"entity": " ".join(self.words[start : start + length]), "entity_type": label})


def documents(number: int, items: int = 50) -> Iterator[Pair]:
    """Samples with so many items a side."""
    draw = random.Random(11)
    words = ["".join(draw.choices("abcdefghiklmnoprstuvw", k=draw.randint(2, 9))) for _ in range(3000)]
    for _ in range(number):
        gold: dict[tuple[str, str], None] = {}
        while len(gold) < items:
            gold[" ".join(draw.choices(words, k=draw.randint(1, 4))), draw.choice(LABELS)] = None
        said = dict.fromkeys(said_of(draw, span, label, words) for span, label in gold)
        yield records_of(gold), records_of(said)


def said_of(draw: random.Random, span: str, label: str, words: Sequence[str]) -> tuple[str, str]:
    """What is predicted for a gold item: itself, a near miss (longer, shorter, misspelt), or something wrong."""
    luck = draw.random()
    if luck < 0.4:
        return span, label
    if luck < 0.75:
        place = draw.randrange(len(span))
        return draw.choice(
            [f"{draw.choice(words)} {span}", span[3:].strip() or "the", f"{span[:place]}x{span[place:]}"]
        ), label
    return (span, draw.choice(LABELS)) if luck < 0.85 else (" ".join(draw.choices(words, k=2)), draw.choice(LABELS))


def records_of(items: Mapping[tuple[str, str], None]) -> list[dict[str, str]]:
    return [{"entity": span, "entity_type": label} for span, label in items]


def rates(samples: int, jobs: Mapping[str, Job], rounds: int) -> dict[str, float]:
    """Samples a second of each job; all must give the same score."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    scores: dict[str, float] = {}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            scores[name] = job()
            seconds[name].append(time.perf_counter() - start)
    first, *others = scores.values()
    if not all(isclose(first, other, abs_tol=1e-9) for other in others):
        raise SystemExit(f"the scores differ: {scores}")
    return {name: samples / statistics.median(times) for name, times in seconds.items()}


def lf1_rates(samples: Sequence[Pair], rounds: int) -> dict[str, float]:
    jobs: dict[str, Job] = {
        "massie.lf1": lambda: massie_lf1(samples),
        "plain loop, nothing else": lambda: mean_lf1(bare_lf1, samples),
        "plain loop, MASSIE's rules": lambda: mean_lf1(plain_lf1, samples),
        "tuned loop, nothing else": lambda: mean_lf1(tuned_lf1, samples),
    }
    return rates(len(samples), jobs, rounds)


def strict_rates(made: Sequence[tuple[Pair, list[str], list[str]]], rounds: int) -> dict[str, float]:
    gold, said = [pair[0] for pair, _, _ in made], [pair[1] for pair, _, _ in made]
    gold_tags, said_tags = [tags for _, tags, _ in made], [tags for _, _, tags in made]

    def nervaluate() -> float:
        evaluator: Any = Evaluator(gold_tags, said_tags, tags=list(LABELS), loader="list")
        return evaluator.evaluate()["overall"]["strict"].f1

    jobs: dict[str, Job] = {
        "massie.micro_f1": lambda: micro_f1(gold, said, "NER").f1 or 0.0,
        "seqeval, strict, IOB2": lambda: float(seqeval_f1(gold_tags, said_tags, mode="strict", scheme=IOB2)),
        "nervaluate, strict": nervaluate,
    }
    return rates(len(made), jobs, rounds)


def main() -> None:
    made = list(sentences(100_000))
    table = Table("", "samples/s", "ours / theirs", "asked for", box=None, pad_edge=False)
    for title, found, asked in [
        ("LF1, 100,000 sparse sentences", lf1_rates([pair for pair, _, _ in made], 5), ("≥ 1", "≥ 1", "")),
        ("LF1, 400 documents of 50 items a side", lf1_rates(list(documents(400)), 5), ("≥ 5", "≥ 5", "")),
        ("strict F1, 100,000 sparse sentences", strict_rates(made, 3), ("≥ 5", "≥ 15")),
    ]:
        table.add_row(f"[bold]{title}")
        ours = next(iter(found.values()))
        for (name, rate), wanted in zip(found.items(), ("", *asked), strict=True):
            table.add_row(f"  {name}", f"{rate:,.0f}", f"{ours / rate:.1f}" if rate != ours else "", wanted)
    console = Console(width=120)
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    console.print(table)


if __name__ == "__main__":
    main()
