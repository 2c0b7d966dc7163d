"""From texts to instances: validate, merge, refine; what is dropped is counted by kind, with places."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build.instances import Steps, by_split, instances_of
from massie.catalogue import Card
from massie.readers import Faults, RawText
from massie.types import Argument, Event, Instance, Mention, Record, Relation, Span, Split, Task

NER: dict[str, Any] = {
    "entities": {
        "RIV": {"name": "river"},
        "STREAM": {"name": "river"},
        "LAKE": {"name": "lake"},
        "MISC": {"drop": True},
    }
}
EVENTS: dict[str, Any] = {
    "tasks": ["ED", "EE"],
    "events": {
        "Flood": {"name": "flood", "roles": ["Where", "When", "Noise"]},
        "Drought": {"name": "drought", "roles": ["Where"]},
    },
    "roles": {"Where": {"name": "place"}, "When": {"name": "time"}, "Noise": {"drop": True}},
}


def at(text: str, surface: str) -> Mention:
    start = text.index(surface)
    return Mention(surface, ((start, start + len(surface)),))


def raw(text: str, *annotations: Record, where: str = "file:1") -> RawText:
    return RawText(text, annotations, where)


def made(
    card: Card, *texts: RawText, task: Task = Task.NER, glue: str = " ", language: str = "swa"
) -> tuple[list[Instance], Steps]:
    steps = Steps()
    return instances_of(card, task, language, Split.TEST, texts, glue, steps), steps


@pytest.mark.parametrize(
    ("mention", "kind"),
    [
        (Mention("Nil", ((4, 8),)), "surface not at its offsets"),
        (Mention("nile", ((4, 8),)), "surface not at its offsets"),
        (Mention("Nile ", ((4, 9),)), "offsets outside the text"),
        (Mention("e", ((-1, 8),)), "offsets outside the text"),
        (Mention("elin", ((8, 4),)), "offsets outside the text"),
        (Mention("Nile", ((4, 4),)), "offsets outside the text"),
        (Mention("", ((4, 4),)), "empty span"),
        (Mention(" ", ((3, 4),)), "empty span"),
        (Mention("Nile", ()), "empty span"),
    ],
)
def test_a_mention_that_is_not_where_it_says_is_dropped_and_counted(make_card: Any, mention: Mention, kind: str):
    instances, steps = made(make_card(**NER), raw("The Nile", Span("RIV", mention), where="file:7"))
    assert [instance.records for instance in instances] == [()]
    assert steps.dropped.counts == {kind: 1}
    assert steps.dropped.places == {kind: ["file:7"]}


PIECES = st.tuples(st.integers(-2, 12), st.integers(-2, 12))
MENTIONS = st.builds(Mention, st.text("aé字 ", max_size=4), st.lists(PIECES, max_size=2).map(tuple))
RAW_LABELS = st.sampled_from(["RIV", "STREAM", "LAKE", "MISC", "OTHER"])


@st.composite
def raw_texts(draw: st.DrawFn) -> tuple[str, list[RawText]]:
    """What joins fragments, and texts with mentions of which some stand where they say."""
    glue = draw(st.sampled_from(["", " "]))
    texts: list[RawText] = []
    for _ in range(draw(st.integers(0, 8))):
        text = draw(st.text("aé字 ", max_size=10))
        places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
        standing = st.lists(places, min_size=1, max_size=2).map(
            lambda found, text=text: Mention(glue.join(text[start:end] for start, end in found), tuple(found))
        )
        annotations = draw(st.lists(st.builds(Span, RAW_LABELS, MENTIONS | standing), max_size=5))
        texts.append(RawText(text, tuple(annotations), "file:1"))
    return glue, texts


@settings(deadline=None)
@given(raw_texts())
def test_whatever_is_read_every_surface_stands_at_its_offsets_and_nothing_is_lost_uncounted(
    make_card: Any, case: tuple[str, list[RawText]]
):
    glue, texts = case
    instances, steps = made(make_card(**NER), *texts, glue=glue)
    for instance in instances:
        assert instance.text.strip()
        assert len(set(instance.records)) == len(instance.records)
        for record in instance.records:
            assert isinstance(record, Span)
            fragments = record.mention.fragments
            assert glue.join(instance.text[start:end] for start, end in fragments) == record.mention.surface
            assert record.mention.surface.strip()
    assert len({instance.text for instance in instances}) == len(instances)
    of_texts = {"text without characters", "duplicate text (its records are merged)"}
    lost_texts = sum(number for kind, number in steps.dropped.counts.items() if kind in of_texts)
    assert steps.texts["read"] == len(texts) == len(instances) + lost_texts
    kept_records = sum(len(instance.records) for instance in instances)
    lost_records = sum(number for kind, number in steps.dropped.counts.items() if kind not in of_texts)
    assert steps.records["read"] == kept_records + lost_records


def test_offsets_are_code_points(make_card: Any):
    text = "🌊🏽 Nile e\u0301"
    instances, steps = made(
        make_card(**NER), raw(text, Span("RIV", at(text, "Nile")), Span("RIV", at(text, "e\u0301")))
    )
    assert len(instances[0].records) == 2
    assert not steps.dropped.counts


@pytest.mark.parametrize(("glue", "surface"), [(" ", "White Nile"), ("", "WhiteNile")])
def test_fragments_are_joined_by_a_space_or_by_nothing(make_card: Any, glue: str, surface: str):
    text = "White and Blue Nile"
    mention = Mention(surface, ((0, 5), (15, 19)))
    instances, steps = made(make_card(**NER), raw(text, Span("RIV", mention)), glue=glue)
    assert instances[0].records == (Span("river", mention),)
    assert not steps.dropped.counts
    _, steps = made(make_card(**NER), raw(text, Span("RIV", mention)), glue="-")
    assert steps.dropped.counts == {"surface not at its offsets": 1}


def test_nested_and_overlapping_records_are_kept(make_card: Any):
    text = "Lake Nile River"
    spans = [Span("LAKE", at(text, "Lake Nile")), Span("RIV", at(text, "Nile River")), Span("RIV", at(text, "Nile"))]
    instances, steps = made(make_card(**NER), raw(text, *spans))
    assert len(instances[0].records) == 3
    assert not steps.dropped.counts


def test_annotations_of_one_text_are_merged(make_card: Any):
    text = "Nile and Chad"
    nile, chad = Span("RIV", at(text, "Nile")), Span("LAKE", at(text, "Chad"))
    instances, steps = made(make_card(**NER), raw(text, nile), raw("Other"), raw(text, chad, where="file:3"))
    assert [instance.text for instance in instances] == [text, "Other"]
    assert {record.label for record in instances[0].records} == {"river", "lake"}
    assert steps.dropped.counts == {"duplicate text (its records are merged)": 1}
    assert steps.dropped.places == {"duplicate text (its records are merged)": ["file:3"]}


def test_equal_records_of_a_text_are_kept_once(make_card: Any):
    text = "Nile, Nile"
    first, second = Mention("Nile", ((0, 4),)), Mention("Nile", ((6, 10),))
    spans = [Span("RIV", first), Span("RIV", second), Span("RIV", first)]
    instances, steps = made(make_card(**NER), raw(text, *spans), raw(text, Span("RIV", second)))
    assert instances[0].records == (Span("river", first), Span("river", second))
    assert steps.dropped.counts["equal record"] == 2


def test_raw_labels_that_become_one_label_give_one_record(make_card: Any):
    mention = at("Nile", "Nile")
    instances, steps = made(make_card(**NER), raw("Nile", Span("RIV", mention), Span("STREAM", mention)))
    assert instances[0].records == (Span("river", mention),)
    assert steps.dropped.counts == {"equal record": 1}


def test_dropped_and_unknown_labels_are_counted_by_label_and_their_text_stays_as_an_empty_one(make_card: Any):
    mention = at("Nile", "Nile")
    texts = [raw("Nile", Span("MISC", mention), Span("XYZ", mention)), raw("Nile 2", Span("XYZ", mention))]
    instances, steps = made(make_card(**NER), *texts)
    assert [(instance.text, instance.records) for instance in instances] == [("Nile", ()), ("Nile 2", ())]
    assert steps.dropped.counts == {"label 'MISC' dropped by the card": 1, "label 'XYZ' not in the card": 2}


def test_texts_that_cannot_be_asked_about_are_dropped(make_card: Any):
    instances, steps = made(make_card(**NER), raw(""), raw(" \u3000\n"), raw("half \ud83c of it"), raw("whole"))
    assert [instance.text for instance in instances] == ["whole"]
    assert steps.dropped.counts == {"text without characters": 2, "text with half of a surrogate pair": 1}
    assert steps.texts == {"read": 4}


def test_text_is_changed_in_nothing(make_card: Any):
    text = "  A\u00a0text\twith e\u0301 and \u200fmarks\r\n"
    assert made(make_card(**NER), raw(text))[0][0].text == text


@pytest.mark.parametrize("spoilt", ["head", "tail"])
def test_a_relation_stands_with_both_its_ends(make_card: Any, spoilt: str):
    card = make_card(tasks=["RE"], relations={"INTO": {"name": "flows into"}})
    text = "Nile to sea"
    ends = {"head": at(text, "Nile"), "tail": at(text, "sea")}
    whole = Relation("INTO", **ends)
    broken = Relation("INTO", **(ends | {spoilt: Mention("Niger", ((0, 4),))}))
    instances, steps = made(card, raw(text, whole, broken), task=Task.RE)
    assert instances[0].records == (Relation("flows into", ends["head"], ends["tail"]),)
    assert steps.dropped.counts == {"surface not at its offsets": 1}


def test_a_relation_has_a_direction(make_card: Any):
    card = make_card(tasks=["RE"], relations={"NEAR": {"name": "near"}})
    nile, sea = at("Nile to sea", "Nile"), at("Nile to sea", "sea")
    both = raw("Nile to sea", Relation("NEAR", nile, sea), Relation("NEAR", sea, nile))
    assert len(made(card, both, task=Task.RE)[0][0].records) == 2


def test_a_task_reads_its_own_kind_of_annotation_only(make_card: Any):
    card = make_card(tasks=["NER", "RE"], relations={"NEAR": {"name": "near"}})
    nile = at("Nile", "Nile")
    text = raw("Nile", Span("RIV", nile), Relation("NEAR", nile, nile))
    for task, kind in ((Task.NER, Span), (Task.RE, Relation)):
        instances, steps = made(card, text, task=task)
        assert [type(record) for record in instances[0].records] == [kind]
        assert steps.records["read"] == 1


FLOODED = "Rain flooded Nairobi on Monday"


def test_arguments_are_renamed_and_dropped_by_role_and_counted(make_card: Any):
    place, time = at(FLOODED, "Nairobi"), at(FLOODED, "Monday")
    arguments = (
        Argument("Where", place),
        Argument("When", time),
        Argument("Noise", at(FLOODED, "Rain")),
        Argument("Unheard", place),
        Argument("Where", Mention("Mombasa", place.fragments)),
        Argument("Where", place),
    )
    flood = Event("Flood", at(FLOODED, "flooded"), arguments)
    instances, steps = made(make_card(**EVENTS), raw(FLOODED, flood), task=Task.EE)
    expected = (Argument("place", place), Argument("time", time))
    assert instances[0].records == (Event("flood", at(FLOODED, "flooded"), expected),)
    assert steps.dropped.counts == {
        "role 'Noise' dropped by the card": 1,
        "role 'Unheard' not in the card for its event type": 1,
        "surface not at its offsets": 1,
    }


def test_a_role_counts_for_the_event_types_that_name_it(make_card: Any):
    drought = Event("Drought", at(FLOODED, "flooded"), (Argument("When", at(FLOODED, "Monday")),))
    instances, steps = made(make_card(**EVENTS), raw(FLOODED, drought), task=Task.EE)
    assert instances[0].records == (Event("drought", at(FLOODED, "flooded")),)
    assert steps.dropped.counts == {"role 'When' not in the card for its event type": 1}


def test_an_event_without_its_trigger_is_dropped_whole(make_card: Any):
    flood = Event("Flood", Mention("flood", ((0, 4),)), (Argument("Where", at(FLOODED, "Nairobi")),))
    instances, steps = made(make_card(**EVENTS), raw(FLOODED, flood), task=Task.EE)
    assert instances[0].records == ()
    assert steps.dropped.counts == {"surface not at its offsets": 1}


def test_event_detection_knows_no_arguments_so_that_events_of_one_trigger_are_equal(make_card: Any):
    trigger = at(FLOODED, "flooded")
    here = Event("Flood", trigger, (Argument("Where", at(FLOODED, "Nairobi")),))
    then = Event("Flood", trigger, (Argument("When", at(FLOODED, "Monday")),))
    detected, steps = made(make_card(**EVENTS), raw(FLOODED, here, then), task=Task.ED)
    assert detected[0].records == (Event("flood", trigger),)
    assert steps.dropped.counts == {"equal record": 1}
    extracted, steps = made(make_card(**EVENTS), raw(FLOODED, here, then), task=Task.EE)
    assert len(extracted[0].records) == 2
    assert not steps.dropped.counts


def test_an_instances_id_says_dataset_language_split_and_text_and_nothing_else(make_card: Any):
    first, second = raw("Nile"), raw("Chad", Span("LAKE", at("Chad", "Chad")))
    ids = {instance.text: instance.id for instance in made(make_card(**NER), first, second)[0]}
    again = {instance.text: instance.id for instance in made(make_card(**NER), raw("Chad"), first)[0]}
    assert ids == again
    assert len(set(ids.values())) == 2
    others = [made(make_card("lakes", **NER), first)[0][0], made(make_card(**NER), first, language="deu")[0][0]]
    assert len({ids["Nile"], *(instance.id for instance in others)}) == 3


def test_of_each_kind_of_drop_the_first_five_places_are_kept(make_card: Any):
    texts = [raw(f"text {number}", Span("XYZ", Mention("t", ((0, 1),))), where=f"file:{number}") for number in range(9)]
    _, steps = made(make_card(**NER), *texts)
    assert steps.dropped.counts == {"label 'XYZ' not in the card": 9}
    assert steps.dropped.places == {"label 'XYZ' not in the card": [f"file:{number}" for number in range(5)]}


def test_what_the_reader_counted_is_taken_over(make_card: Any):
    faults, steps = Faults(), Steps()
    faults.add("a broken line", "file:3", 2)
    steps.dropped.merge(faults)
    assert steps.dropped.counts == {"a broken line": 2}
    assert steps.dropped.places == {"a broken line": ["file:3"]}


MADE = {
    "source": {"path": "x", "files": [{"splits": ["all", "test"], "path": "texts.jsonl"}]},
    "splits": [{"of": "all", "shares": {"train": 0.8, "dev": 0.15, "test": 0.05}}],
}


def test_made_splits_have_their_shares(make_card: Any):
    texts = [raw(f"text {number}") for number in range(4000)]
    parts = by_split(make_card(**MADE), "all", texts)
    shares = {split: len(part) / len(texts) for split, part in parts.items()}
    assert shares == {
        Split.TRAIN: pytest.approx(0.8, abs=0.02),
        Split.DEV: pytest.approx(0.15, abs=0.02),
        Split.TEST: pytest.approx(0.05, abs=0.02),
    }


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), max_size=30), st.randoms(use_true_random=False))
def test_a_text_goes_to_one_made_split_whatever_its_place(make_card: Any, texts: list[str], dice: Any):
    card = make_card(**MADE)
    parts = by_split(card, "all", [raw(text) for text in texts])
    shuffled = by_split(card, "all", [raw(text) for text in dice.sample(texts, len(texts))])
    assert Counter(text.text for part in parts.values() for text in part) == Counter(texts)
    places = {text.text: split for split, part in parts.items() for text in part}
    assert all(places[text.text] is split for split, part in parts.items() for text in part)
    for split, part in parts.items():
        assert sorted(text.text for text in part) == sorted(text.text for text in shuffled[split])


def test_a_split_that_the_source_has_stays_as_it_is(make_card: Any):
    texts = [raw("a"), raw("b")]
    assert by_split(make_card(**MADE), "test", texts) == {Split.TEST: texts}


def test_a_made_split_is_there_even_where_no_text_falls_into_it(make_card: Any):
    assert by_split(make_card(**MADE), "all", []) == {Split.TRAIN: [], Split.DEV: [], Split.TEST: []}
