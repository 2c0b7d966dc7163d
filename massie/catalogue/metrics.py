"""The metric cards of ``metrics/``: what each score means; the board's column titles and help come from them."""

from __future__ import annotations

from functools import cache
from typing import Literal

from massie._content import content_folder
from massie.catalogue.yaml import Content, read_yaml, validated

_NOT_CARDS = {"vectors.yaml"}


class MetricCard(Content):
    """What a score means.

    ``range`` is its lowest and highest value, ``direction`` which way is better. A ``score`` stands in results with an
    interval; a ``diagnostic`` is a rate made of a result's counts, without one. A score ``on_request`` stands only in
    results that were made with it (``massie score --text-overlap``).
    """

    name: str
    title: str
    kind: Literal["score", "diagnostic"]
    range: tuple[float, float]
    direction: Literal["higher", "lower", "neutral"]
    ranked: bool
    on_request: bool = False
    summary: str
    formula: str
    source: str


@cache
def metric_cards() -> dict[str, MetricCard]:
    """All metric cards by name: the ranked score first, then scores, then diagnostics.

    Raises ContentError naming file and field where a card does not validate.
    """
    paths = [path for path in sorted(content_folder("metrics").glob("*.yaml")) if path.name not in _NOT_CARDS]
    cards = [validated(MetricCard, read_yaml(path), path) for path in paths]
    cards.sort(key=lambda card: (not card.ranked, card.kind != "score", card.name))
    return {card.name: card for card in cards}
