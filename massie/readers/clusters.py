"""Relations between entities that are clusters of coreferent mentions, as relations between mentions.

The paper's figure 1 shows how: of a relation between {羅生門, らしうもん} and {日本} both (羅生門, 日本) and
(らしうもん, 日本) are gold records. So a relation between two clusters holds between every surface of the one and every
surface of the other; a surface that a cluster has several times stands where it stands first. A relation of a cluster
to itself holds between each surface and itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from massie.types import Mention, Relation

NOT_THERE = "mention that is not at its offsets"
WITHOUT_MENTIONS = "relation to an entity without usable mentions"
UNKNOWN_ENTITY = "relation to an unknown entity"


def cluster(mentions: Iterable[Mention]) -> tuple[Mention, ...]:
    """The first mention of each surface, in the order of the text."""
    by_surface: dict[str, Mention] = {}
    for mention in sorted(mentions, key=lambda mention: mention.fragments):
        by_surface.setdefault(mention.surface, mention)
    return tuple(by_surface.values())


def relations_between(
    label: str, heads: Sequence[Mention], tails: Sequence[Mention], to_itself: bool
) -> Iterator[Relation]:
    """Yield a relation for every pair of mentions of two clusters; ``to_itself``: the two are one cluster."""
    if to_itself:
        for mention in heads:
            yield Relation(label, mention, mention)
    else:
        for head in heads:
            for tail in tails:
                yield Relation(label, head, tail)
