"""Other people's implementations give the same numbers where the definitions coincide."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import Levenshtein
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator  # pyright: ignore[reportMissingTypeStubs]
from seqeval import metrics, scheme  # pyright: ignore[reportMissingTypeStubs]

from massie.scoring import Levels, ScoredSample, cell_scores, cell_totals, lf1, score_sample, totals
from massie.types import Answer, Cell, Mention, Schema, Span, Task, UnknownNameError

TYPES = ["PER", "LOC", "ORG"]
SCHEMAS = tuple(Schema(name) for name in TYPES)

Tags = list[str]

words = st.text(max_size=12)
spans = st.text(st.sampled_from("abcd é漢ب"), min_size=1, max_size=8).filter(lambda text: bool(text.strip()))


# ---- Strict micro scores
#
# seqeval and nervaluate count tokens' places, MASSIE counts distinct surfaces of a sentence. The two coincide where no
# surface stands twice in a sentence, so the tokens of a sentence are all different here.


@pytest.mark.parametrize("seed", range(20))
def test_strict_micro_scores_are_those_of_seqeval(seed: int) -> None:
    gold, predicted = tagged_sentences(seed)
    ours = micro_scores(gold, predicted)
    peer: Any = metrics
    theirs = {
        name: getattr(peer, f"{name}_score")(gold, predicted, mode="strict", scheme=scheme.IOB2, zero_division=0)
        for name in ("precision", "recall", "f1")
    }
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_strict_micro_scores_are_those_of_nervaluate(seed: int) -> None:
    gold, predicted = tagged_sentences(seed)
    strict: Any = Evaluator(gold, predicted, tags=TYPES, loader="list").evaluate()["overall"]["strict"]
    theirs = {"precision": strict.precision, "recall": strict.recall, "f1": strict.f1}
    assert micro_scores(gold, predicted) == pytest.approx(theirs, abs=1e-6)


def tagged_sentences(seed: int) -> tuple[list[Tags], list[Tags]]:
    """Sentences tagged in IOB2: the gold, and a prediction that is often right, often nearly so."""
    draw = random.Random(seed)
    gold = [random_tags(draw, draw.randint(1, 12)) for _ in range(draw.randint(1, 15))]
    predicted = [tags if draw.random() < 0.3 else changed(draw, tags) for tags in gold]
    return gold, predicted


def random_tags(draw: random.Random, length: int) -> Tags:
    tags: Tags = []
    while len(tags) < length:
        name = draw.choice(TYPES)
        chunk = [f"B-{name}", *[f"I-{name}"] * draw.choice([0, 0, 1, 2])] if draw.random() < 0.5 else ["O"]
        tags += chunk
    return tags[:length]


def changed(draw: random.Random, tags: Tags) -> Tags:
    """The tags with some spans dropped, renamed, cut or moved, still well-formed."""
    result = list(tags) if draw.random() < 0.7 else random_tags(draw, len(tags))
    for _, start, end in list(chunks(tags)):
        name = draw.choice(TYPES)
        match draw.randrange(5):
            case 0:
                result[start:end] = ["O"] * (end - start)
            case 1:
                result[start:end] = [f"B-{name}", *[f"I-{name}"] * (end - start - 1)]
            case 2:
                result[end - 1] = "O"
            case _:
                pass
    for place, tag in enumerate(result):
        if tag.startswith("I-") and (place == 0 or result[place - 1][1:] != tag[1:]):
            result[place] = "O"
    return result


def chunks(tags: Tags) -> Iterator[tuple[str, int, int]]:
    """(type, start, end) of the spans of well-formed IOB2 tags."""
    start = None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and not tag.startswith("I-"):
            yield tags[start][2:], start, place
            start = None
        if tag.startswith("B-"):
            start = place


def micro_scores(gold: list[Tags], predicted: list[Tags]) -> dict[str, float]:
    """MASSIE's micro scores, 0 to 1, of tagged sentences whose n-th token is the word ``t<n>``."""
    cell = Cell(Task.NER, "peers", "eng")
    scored: list[ScoredSample] = []
    for number, (wanted, found) in enumerate(zip(gold, predicted, strict=True)):
        records = [Span(name, Mention(surface(start, end), ())) for name, start, end in chunks(wanted)]
        answer = Answer([{"entity": surface(start, end), "entity_type": name} for name, start, end in chunks(found)])
        scores = score_sample(Task.NER, SCHEMAS, records, answer, surface(0, len(wanted)))
        scored.append(ScoredSample(cell, f"s{number}", f"i{number}", scores))
    (row,) = [
        row
        for row in totals([cell_totals(cell, 2) for cell in cell_scores(scored)], Levels(str, str))
        if row.level == "task"
    ]
    return {name: (row.scores[f"micro_{name}"].value or 0.0) / 100 for name in ("precision", "recall", "f1")}


def surface(start: int, end: int) -> str:
    return " ".join(f"t{place}" for place in range(start, end))


# ---- Similarity


@settings(deadline=None)
@given(one=spans, other=spans)
def test_similarity_of_spans_is_that_of_the_levenshtein_package(one: str, other: str, naive: ModuleType) -> None:
    one, other = naive.normalise(one), naive.normalise(other)
    expected = 1 - Levenshtein.distance(one, other) / max(len(one), len(other))
    assert lf1([mention(one)], [mention(other)], "NER") == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(pair=st.tuples(spans, spans), others=st.tuples(spans, spans))
def test_similarity_of_pairs_adds_up_edits_and_lengths(
    pair: tuple[str, str], others: tuple[str, str], naive: ModuleType
) -> None:
    aligned = [(naive.normalise(one), naive.normalise(other)) for one, other in zip(pair, others, strict=True)]
    edits = sum(Levenshtein.distance(*both) for both in aligned)
    expected = 1 - edits / sum(max(map(len, both)) for both in aligned)
    records = [{"head": head, "tail": tail, "relation": "in"} for head, tail in (pair, others)]
    assert lf1(records[:1], records[1:], "RE") == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(one=words, other=words)
def test_the_reference_s_edit_distance_is_that_of_the_levenshtein_package(
    one: str, other: str, naive: ModuleType
) -> None:
    assert naive.levenshtein(one, other) == Levenshtein.distance(one, other)


# ---- LF1


@pytest.mark.parametrize("size", [1, 3, 12, 40])
def test_lf1_is_that_of_a_plain_loop(size: int, naive: ModuleType) -> None:
    draw = random.Random(size)
    gold, predicted = ({random_mention(draw) for _ in range(size)} for _ in range(2))
    similarity_of = {(y, g): one_similarity(y, g, naive) for y in predicted for g in gold}
    precision = sum(max(similarity_of[y, g] for g in gold) for y in predicted) / len(predicted)
    recall = sum(max(similarity_of[y, g] for y in predicted) for g in gold) / len(gold)
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    ours = lf1([mention(*one) for one in gold], [mention(*one) for one in predicted], "NER")
    assert ours == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(gold=st.lists(spans, max_size=5), predicted=st.lists(spans, max_size=5))
def test_lf1_is_symmetric(gold: list[str], predicted: list[str]) -> None:
    one = lf1([mention(span) for span in gold], [mention(span) for span in predicted], "NER")
    other = lf1([mention(span) for span in predicted], [mention(span) for span in gold], "NER")
    assert one == pytest.approx(other, abs=1e-12)


def test_lf1_refuses_malformed_gold() -> None:
    with pytest.raises(ValueError, match="1 of the gold records"):
        lf1([{"entity": "Bure"}], [], "NER")


def test_lf1_counts_a_malformed_prediction_as_a_wrong_one() -> None:
    assert lf1([mention("Bure")], [mention("Bure"), {"entity": 3}], "NER") == pytest.approx(2 / 3)
    assert lf1([], [{"entity": 3}], "NER") == 0.0


def test_lf1_refuses_an_unknown_task() -> None:
    with pytest.raises(UnknownNameError, match="POS"):
        lf1([], [], "POS")


def mention(span: str, label: str = "PER") -> dict[str, str]:
    return {"entity": span, "entity_type": label}


def random_mention(draw: random.Random) -> tuple[str, str]:
    """(span, type)"""
    return "".join(draw.choices("abcdé漢", k=draw.randint(1, 8))), draw.choice(TYPES)


def one_similarity(one: tuple[str, str], other: tuple[str, str], naive: ModuleType) -> float:
    if one[1] != other[1]:
        return 0.0
    return 1 - naive.levenshtein(one[0], other[0]) / max(len(one[0]), len(other[0]))
