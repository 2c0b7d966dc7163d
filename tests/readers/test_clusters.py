"""Pairs of mentions that come of a relation between clusters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from massie.readers.clusters import cluster, relations_between
from massie.types import Mention, Relation

MENTIONS = st.lists(
    st.builds(Mention, st.sampled_from("abc"), st.tuples(st.tuples(st.integers(0, 9), st.integers(10, 12))))
)


@given(MENTIONS)
def test_a_cluster_has_each_surface_once_where_it_stands_first(mentions: list[Mention]) -> None:
    found = cluster(mentions)

    assert sorted(mention.surface for mention in found) == sorted({mention.surface for mention in mentions})
    for mention in found:
        assert mention.fragments == min(other.fragments for other in mentions if other.surface == mention.surface)


@given(MENTIONS, MENTIONS)
def test_two_clusters_give_a_relation_for_every_pair(heads: list[Mention], tails: list[Mention]) -> None:
    pairs = [(relation.head, relation.tail) for relation in relations_between("r", heads, tails, to_itself=False)]

    assert pairs == [(head, tail) for head in heads for tail in tails]


@given(MENTIONS)
def test_a_cluster_and_itself_give_a_relation_for_every_mention(mentions: list[Mention]) -> None:
    assert list(relations_between("r", mentions, mentions, to_itself=True)) == [
        Relation("r", mention, mention) for mention in mentions
    ]


def test_figure_1_of_the_paper() -> None:
    film = cluster([Mention("羅生門", ((1, 4),)), Mention("らしうもん", ((6, 11),))])
    country = cluster([Mention("日本", ((20, 22),)), Mention("日本", ((30, 32),))])

    assert [
        (relation.head.surface, relation.tail.surface)
        for relation in relations_between("administrative location", film, country, to_itself=False)
    ] == [("羅生門", "日本"), ("らしうもん", "日本")]
