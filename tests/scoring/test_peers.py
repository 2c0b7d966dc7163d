"""Other people's implementations give the same numbers where the definitions coincide."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import Levenshtein
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator  # pyright: ignore[reportMissingTypeStubs]
from seqeval import metrics, scheme  # pyright: ignore[reportMissingTypeStubs]

from massie.catalogue import Catalogue
from massie.readers import Joining, RawText, read_cell
from massie.scoring import Levels, ScoredSample, cell_scores, cell_totals, lf1, micro_f1, score_sample, totals
from massie.scoring.items import normalise, normalise_label
from massie.sources import SourceStore, cell_files
from massie.types import Answer, Cell, Mention, NotInMirrorError, Schema, Span, Task

TYPES = ["PER", "LOC", "ORG"]

Tags = list[str]
TokenSpan = tuple[str, int, int]

words = st.text(max_size=12)
spans = st.text(st.sampled_from("abcd é漢ب"), min_size=1, max_size=8).filter(lambda text: bool(text.strip()))


# ---- Strict micro scores
#
# seqeval and nervaluate count places in a text, MASSIE counts distinct items: a surface with a label. The two coincide
# where no item stands at two places of a sentence, be they of the gold or of the prediction. Generated sentences have
# no word twice; of real ones those that break this rule are left out, on both sides alike.


@dataclass(frozen=True)
class Sentence:
    """A tokenised sentence with the spans (label, first token, token after the last) of gold and prediction."""

    text: str
    tokens: list[tuple[int, int]]
    gold: list[TokenSpan]
    predicted: list[TokenSpan]

    def surface(self, span: TokenSpan) -> str:
        return self.text[self.tokens[span[1]][0] : self.tokens[span[2] - 1][1]]

    def records(self, spans: list[TokenSpan]) -> list[dict[str, str]]:
        return [{"entity": self.surface(span), "entity_type": span[0]} for span in spans]

    def tags(self, spans: list[TokenSpan]) -> Tags:
        tags = ["O"] * len(self.tokens)
        for label, start, end in spans:
            tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
        return tags


@pytest.mark.parametrize("seed", range(20))
def test_strict_micro_scores_are_those_of_seqeval(seed: int) -> None:
    sentences = generated(seed)
    assert scores_of_run(sentences) == pytest.approx(seqeval_scores(sentences), abs=1e-6)
    assert scores_of_records(sentences) == pytest.approx(seqeval_scores(sentences), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_strict_micro_scores_are_those_of_nervaluate(seed: int) -> None:
    sentences = generated(seed)
    assert scores_of_run(sentences) == pytest.approx(nervaluate_scores(sentences), abs=1e-6)
    assert scores_of_records(sentences) == pytest.approx(nervaluate_scores(sentences), abs=1e-12)


def scores_of_run(sentences: list[Sentence]) -> dict[str, float]:
    """MASSIE's micro scores, 0 to 1, by the way that answers to samples take."""
    cell = Cell(Task.NER, "peers", "eng")
    schemas = tuple(Schema(name) for name in labels_of(sentences))
    scored: list[ScoredSample] = []
    for number, sentence in enumerate(sentences):
        records = [Span(span[0], Mention(sentence.surface(span), ())) for span in sentence.gold]
        answer = Answer(sentence.records(sentence.predicted))
        scores = score_sample(Task.NER, schemas, records, answer, sentence.text)
        scored.append(ScoredSample(cell, f"s{number}", f"i{number}", scores))
    rows = totals([cell_totals(cell, 2) for cell in cell_scores(scored)], Levels(str, str))
    (row,) = [row for row in rows if row.level == "task"]
    return {name: (row.scores[f"micro_{name}"].value or 0.0) / 100 for name in ("precision", "recall", "f1")}


def scores_of_records(sentences: list[Sentence]) -> dict[str, float]:
    """The same of records in memory."""
    gold = [sentence.records(sentence.gold) for sentence in sentences]
    scores = micro_f1(gold, [sentence.records(sentence.predicted) for sentence in sentences], "NER")
    return {name: getattr(scores, name) or 0.0 for name in ("precision", "recall", "f1")}


def seqeval_scores(sentences: list[Sentence]) -> dict[str, float]:
    peer: Any = metrics
    return {
        name: getattr(peer, f"{name}_score")(*both_tags(sentences), mode="strict", scheme=scheme.IOB2, zero_division=0)
        for name in ("precision", "recall", "f1")
    }


def nervaluate_scores(sentences: list[Sentence]) -> dict[str, float]:
    evaluator: Any = Evaluator(*both_tags(sentences), tags=labels_of(sentences), loader="list")
    strict = evaluator.evaluate()["overall"]["strict"]
    return {"precision": strict.precision, "recall": strict.recall, "f1": strict.f1}


def both_tags(sentences: list[Sentence]) -> tuple[list[Tags], list[Tags]]:
    """Of gold and prediction."""
    return [each.tags(each.gold) for each in sentences], [each.tags(each.predicted) for each in sentences]


def labels_of(sentences: list[Sentence]) -> list[str]:
    return sorted({span[0] for sentence in sentences for span in (*sentence.gold, *sentence.predicted)})


def generated(seed: int) -> list[Sentence]:
    """Sentences whose n-th token is the word ``t<n>``."""
    return [
        Sentence(
            " ".join(f"t{place:02}" for place in range(len(gold))),
            [(4 * place, 4 * place + 3) for place in range(len(gold))],
            list(chunks(gold)),
            list(chunks(predicted)),
        )
        for gold, predicted in zip(*tagged_sentences(seed), strict=True)
    ]


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


# ---- The same on real sentences

# Of these test cells: sentences whose spans stand at token boundaries without overlaps, and those that can be compared.
REAL = {
    ("masakhaner20", "bbj"): (966, 962),
    ("masakhaner20", "zul"): (1670, 1657),
    ("say-amharic", "amh"): (403, 392),
    ("il-ner", "hin"): (1388, 1339),
    ("peyma", "fas"): (1025, 944),
    ("nemocorpus", "heb"): (637, 633),
    ("elner18", "ell"): (2116, 2024),
    ("pioner", "hye"): (2529, 2481),
    ("pud-uner", "rus"): (674, 671),
    ("nertelugu", "tel"): (652, 639),
    ("kluner", "kor"): (2998, 2775),
    ("bengaliner", "ben"): (1949, 1930),
    ("snk-uner", "slk"): (806, 806),
    ("weiboner2nd", "zho"): (270, 231),
    ("udjapanesegsd", "jpn"): (543, 532),
}


@pytest.fixture(scope="module", params=REAL, ids="/".join)
def real(request: pytest.FixtureRequest, mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Sentence]:
    """The sentences of a real test cell, with predictions made of the gold; those that cannot be compared left out."""
    dataset, code = request.param
    card = Catalogue.default().card(dataset)
    try:
        files = cell_files(card, code, "test", SourceStore(tmp_path_factory.mktemp("cache"), mirror))
    except NotInMirrorError as error:
        pytest.skip(str(error))
    token = re.compile(r"\S+" if Joining.for_card(card, code).glue else r"\S")
    texts = islice(read_cell(card, code, "test", files), 3000)
    draw = random.Random(f"{dataset} {code}")
    tokenised = [each for text in texts if (each := tokenised_sentence(draw, text, token, sorted(card.entities)))]
    compared = [sentence for sentence in tokenised if every_item_stands_once(sentence)]
    assert (len(tokenised), len(compared)) == REAL[dataset, code]
    return compared


@pytest.mark.realdata
def test_strict_micro_scores_of_real_cells_are_those_of_seqeval(real: list[Sentence]) -> None:
    theirs = seqeval_scores(real)
    assert 0.3 < theirs["f1"] < 0.9
    assert scores_of_records(real) == pytest.approx(theirs, abs=1e-12)
    assert scores_of_run(real) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.realdata
def test_strict_micro_scores_of_real_cells_are_those_of_nervaluate(real: list[Sentence]) -> None:
    theirs = nervaluate_scores(real)
    assert scores_of_records(real) == pytest.approx(theirs, abs=1e-12)
    assert scores_of_run(real) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.realdata
def test_similarity_of_real_spans_is_that_of_the_levenshtein_package(real: list[Sentence], naive: ModuleType) -> None:
    draw = random.Random(3)
    pairs = [
        (sentence.surface(one), sentence.surface(other))
        for sentence in real
        for one in sentence.gold
        for other in sentence.predicted
    ]
    spans = sorted({span for pair in pairs for span in pair})
    pairs += [(draw.choice(spans), draw.choice(spans)) for _ in range(1000)]
    assert len(spans) > 100
    for one, other in pairs:
        expected = Levenshtein.distance(naive.normalise(one), naive.normalise(other))
        longest = max(len(naive.normalise(one)), len(naive.normalise(other)))
        assert lf1([mention(one)], [mention(other)], "NER") == pytest.approx(1 - expected / longest, abs=1e-12)


def tokenised_sentence(
    draw: random.Random, text: RawText, token: re.Pattern[str], labels: Sequence[str]
) -> Sentence | None:
    """A sentence with its spans as tokens, and a prediction; None where a span cannot be told in tags."""
    tokens = [match.span() for match in token.finditer(text.text)]
    starts, ends = ({place[end]: number for number, place in enumerate(tokens)} for end in (0, 1))
    gold: list[TokenSpan] = []
    for record in text.annotations:
        assert isinstance(record, Span)
        (start, end), *others = record.mention.fragments
        if others or start not in starts or end not in ends:
            return None
        gold.append((record.label, starts[start], ends[end] + 1))
    if overlapping(gold):
        return None
    return Sentence(text.text, tokens, gold, changed_spans(draw, gold, len(tokens), labels))


def changed_spans(draw: random.Random, gold: list[TokenSpan], tokens: int, labels: Sequence[str]) -> list[TokenSpan]:
    """Gold spans, some of them dropped, relabelled or cut, and now and then one more; none overlap."""
    spans: list[TokenSpan] = []
    for label, start, end in gold:
        luck = draw.random()
        if luck < 0.1:
            continue
        if luck < 0.2:
            label = draw.choice(labels)
        elif luck < 0.35 and end - start > 1:
            start, end = draw.choice([(start + 1, end), (start, end - 1)])
        spans.append((label, start, end))
    if tokens and draw.random() < 0.3:
        start = draw.randrange(tokens)
        extra = (draw.choice(labels), start, min(tokens, start + draw.randint(1, 3)))
        if not overlapping([*spans, extra]):
            spans.append(extra)
    return spans


def overlapping(spans: list[TokenSpan]) -> bool:
    taken = [place for _, start, end in spans for place in range(start, end)]
    return len(taken) > len(set(taken))


def every_item_stands_once(sentence: Sentence) -> bool:
    places = {(label, start, end) for label, start, end in (*sentence.gold, *sentence.predicted)}
    items = {(normalise_label(span[0]), normalise(sentence.surface(span))) for span in places}
    return len(items) == len(places)


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


def mention(span: str, label: str = "PER") -> dict[str, str]:
    return {"entity": span, "entity_type": label}


def random_mention(draw: random.Random) -> tuple[str, str]:
    """(span, type)"""
    return "".join(draw.choices("abcdé漢", k=draw.randint(1, 8))), draw.choice(TYPES)


def one_similarity(one: tuple[str, str], other: tuple[str, str], naive: ModuleType) -> float:
    if one[1] != other[1]:
        return 0.0
    return 1 - naive.levenshtein(one[0], other[0]) / max(len(one[0]), len(other[0]))
