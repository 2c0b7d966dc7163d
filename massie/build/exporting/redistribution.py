"""The licence gate: which datasets of a build may be passed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from massie.build.manifest import DatasetEntry, Manifest
from massie.catalogue import Access, Card, Catalogue
from massie.types import BuildError

_WITHHELD = frozenset({Access.ON_REQUEST, Access.LDC})
"""Ways to have raw files that bind their receiver, whatever a card says of the licence."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A dataset of a build, and what stands against passing its samples on (None where nothing does).

    ``card`` is today's card of the dataset, where the catalogue has one.
    """

    dataset: str
    entry: DatasetEntry
    card: Card | None
    obstacle: str | None


def standings(manifest: Manifest, datasets: Iterable[str], catalogue: Catalogue) -> list[Standing]:
    """How some datasets of a build stand, in the order of their ids.

    The stricter of the manifest, which keeps the licence of the day of the build, and of today's card counts: a mark
    that was mended since then holds for builds that were made before.
    """
    found: list[Standing] = []
    for dataset in sorted(datasets):
        entry = manifest.datasets[dataset]
        card = catalogue.card(dataset) if dataset in catalogue.card_paths else None
        found.append(Standing(dataset, entry, card, _obstacle(entry, card)))
    return found


def _obstacle(entry: DatasetEntry, card: Card | None) -> str | None:
    if not entry.licence.redistributable:
        return entry.licence.title
    if card is None:
        return (
            f"{entry.licence.title}; its card is not at hand to say how the data are had: name its folder with --tasks"
        )
    if card.access in _WITHHELD:
        return f"{card.licence.title}; access: {card.access}"
    if not card.licence.redistributable:
        return f"{card.licence.title}, by its card of today"
    return None


def passed_on(found: Sequence[Standing]) -> list[Standing]:
    """Those that may be passed on; raises BuildError where there is none."""
    kept = [standing for standing in found if standing.obstacle is None]
    if not kept:
        named = ", ".join(f"{standing.dataset} ({standing.obstacle})" for standing in found)
        raise BuildError(
            f"nothing of this may be passed on: {named}; "
            "--private exports them for your own use, and marks the export so"
        )
    return kept
