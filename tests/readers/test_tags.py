"""Tags become labelled runs of tokens by one rule for every scheme."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from massie.readers.tags import OUTSIDE, Scheme, TagSpan, decode, is_tag

LABELS = ("PER", "LOC", "weather/attribute", "B-x")


def tags_of(marks: str) -> st.SearchStrategy[list[str]]:
    tagged = st.builds("{}-{}".format, st.sampled_from(marks), st.sampled_from(LABELS))
    return st.lists(st.just(OUTSIDE) | tagged, max_size=12)


@st.composite
def apart(draw: st.DrawFn) -> tuple[int, list[TagSpan]]:
    """A number of tokens and spans over them that do not overlap, in order."""
    spans: list[TagSpan] = []
    position = 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS)), max_size=5)
    ):
        spans.append(TagSpan(label, position + gap, position + gap + length - 1))
        position += gap + length
    return position + draw(st.integers(0, 2)), spans


def written(length: int, spans: list[TagSpan], single: str, begin: str, inside: str, end: str) -> list[str]:
    tags = [OUTSIDE] * length
    for label, first, last in spans:
        marks = [single] if first == last else [begin, *inside * (last - first - 1), end]
        tags[first : last + 1] = [f"{mark}-{label}" for mark in marks]
    return tags


@pytest.mark.parametrize("scheme", ["BBII", "SBIE", "UBIL", "SBME"], ids=["IOB2", "BIOES", "BILOU", "BMES"])
@given(sentence=apart())
def test_what_a_scheme_writes_is_read_back(scheme: str, sentence: tuple[int, list[TagSpan]]) -> None:
    length, spans = sentence
    assert decode(written(length, spans, *scheme)) == spans


def test_in_iob1_only_a_neighbour_of_the_same_label_begins_with_b() -> None:
    tags = ["I-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG"]
    assert decode(tags) == [("PER", 0, 1), ("PER", 2, 2), ("LOC", 4, 4), ("ORG", 5, 5)]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["O", "I-PER", "I-PER"], [("PER", 1, 2)]),
        (["B-PER", "I-LOC"], [("PER", 0, 0), ("LOC", 1, 1)]),
        (["E-PER", "I-PER"], [("PER", 0, 0), ("PER", 1, 1)]),
        (["S-PER", "E-PER"], [("PER", 0, 0), ("PER", 1, 1)]),
        (["B-PER", "O", "E-PER"], [("PER", 0, 0), ("PER", 2, 2)]),
        (["B-PER", "B-PER"], [("PER", 0, 0), ("PER", 1, 1)]),
    ],
)
def test_a_broken_tag_opens_a_span_of_its_own(tags: list[str], spans: list[tuple[str, int, int]]) -> None:
    assert decode(tags) == spans


def test_a_tag_is_split_at_the_separator_next_to_its_mark_only() -> None:
    assert decode(["B-reference-part", "I-reference-part"]) == [("reference-part", 0, 1)]
    assert decode(["B_NON_HUMAN"], Scheme("_")) == [("NON_HUMAN", 0, 0)]
    assert decode(["NON_HUMAN_B"], Scheme("_", label_first=True)) == [("NON_HUMAN", 0, 0)]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        (Scheme(label_first=True), ["PRS-B", "PRS-I", "O", "GEO-B"]),
        (Scheme(label_first=True, outside="0"), ["PRS-B", "PRS-I", "0", "GEO-B"]),
        (Scheme(outside="Other"), ["B-PRS", "I-PRS", "Other", "B-GEO"]),
        (Scheme(separator=""), ["BPRS", "IPRS", "O", "BGEO"]),
        (Scheme(separator="", label_first=True), ["PRSB", "PRSI", "O", "GEOB"]),
    ],
)
def test_the_scheme_says_how_tags_are_written(scheme: Scheme, tags: list[str]) -> None:
    assert decode(tags, scheme) == [("PRS", 0, 1), ("GEO", 3, 3)]


@pytest.mark.parametrize(
    ("scheme", "tag"),
    [
        (Scheme(separator=""), "B"),
        (Scheme(separator=""), ""),
        (Scheme(separator=""), "XPRS"),
        (Scheme(label_first=True), "B-PRS"),
        (Scheme(label_first=True), "-B"),
        (Scheme(outside="0"), "O"),
    ],
)
def test_a_tag_of_another_scheme_is_refused(scheme: Scheme, tag: str) -> None:
    assert not is_tag(tag, scheme)


NESTED = Scheme(parted_by=" ")


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["B-ORG", "I-ORG B-GPE", "O"], [("ORG", 0, 1), ("GPE", 1, 1)]),
        (["B-OCC", "I-OCC B-ORG", "I-ORG"], [("OCC", 0, 1), ("ORG", 1, 2)]),
        (["B-ORG B-ORG", "I-ORG I-ORG", "I-ORG"], [("ORG", 0, 2), ("ORG", 0, 1)]),
        (["B-ORG", "I-ORG B-ORG"], [("ORG", 0, 1), ("ORG", 1, 1)]),
        (["B-GPE", "B-GPE"], [("GPE", 0, 0), ("GPE", 1, 1)]),
        (["O", "I-GPE I-ORG"], [("GPE", 1, 1), ("ORG", 1, 1)]),
        (["B-ORG S-GPE", "E-ORG", "I-ORG"], [("ORG", 0, 1), ("GPE", 0, 0), ("ORG", 2, 2)]),
    ],
    ids=["inner", "inner moves up", "same label", "same label inside", "neighbours", "no span open", "BIOES"],
)
def test_several_tags_of_a_token_are_nested_spans(tags: list[str], spans: list[tuple[str, int, int]]) -> None:
    assert decode(tags, NESTED) == spans


@given(tags_of("BI") | tags_of("BIES"))
def test_one_tag_a_token_is_read_alike_with_nested_spans_and_without(tags: list[str]) -> None:
    assert decode(tags, NESTED) == decode(tags)


def test_all_of_the_tags_of_a_token_must_be_tags() -> None:
    assert is_tag("I-ORG B-GPE", NESTED)
    assert not is_tag("I-ORG GPE", NESTED)


def test_no_tags_have_no_spans() -> None:
    assert decode([]) == []


@pytest.mark.parametrize("tag", ["", "PER", "B", "B-", "-PER", "X-PER", "BI-PER", "b-PER", "o", "B_PER", "_"])
def test_what_is_not_a_tag_is_refused(tag: str) -> None:
    assert not is_tag(tag)
    with pytest.raises(ValueError, match="is not O nor one of"):
        decode(["O", tag])


@given(tags_of("BIMELSU"))
def test_every_tagged_token_is_in_exactly_one_span_with_its_label(tags: list[str]) -> None:
    covered = {index: span.label for span in decode(tags) for index in range(span.first, span.last + 1)}
    assert covered == {index: tag.partition("-")[2] for index, tag in enumerate(tags) if tag != OUTSIDE}
    assert len(covered) == sum(span.last - span.first + 1 for span in decode(tags))


@given(tags_of("BI") | tags_of("BIES"))
def test_seqeval_finds_the_same_spans(tags: list[str]) -> None:
    assert decode(tags) == get_entities(tags)
