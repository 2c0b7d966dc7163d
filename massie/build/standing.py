"""How far a card's dataset can be built here: what is missing of it, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from massie.build.manifest import Manifest
from massie.catalogue import Access, Card, Status
from massie.sources import SourceStore, lacking
from massie.types import Split

RawCell = tuple[str, str]
"""Language and raw split."""


class Reason(StrEnum):
    """Why a dataset of the paper, or a part of it, cannot be built; what keeps the whole dataset away comes first."""

    LDC = "LDC"
    ON_REQUEST = "on request"
    UNSTATED = "not stated"
    NO_READER = "no reader"
    BRING = "bring files"
    UNTESTED = "untested"
    NOT_AT_HAND = "not at hand"
    FAILED = "failed"
    LEFT_OUT = "left out"
    IN_PART = "in part"


SENTENCES = {
    Reason.LDC: "The Linguistic Data Consortium licenses it; there is no reader yet.",
    Reason.ON_REQUEST: "Its publishers give it on request; there is no reader yet.",
    Reason.UNSTATED: "Nobody states how its files are had; there is no reader yet.",
    Reason.NO_READER: "It is open, but there is no reader yet.",
    Reason.BRING: "Its users must bring the files (--raw DIR).",
    Reason.UNTESTED: "The reader is not yet proved on the real files.",
    Reason.NOT_AT_HAND: "The files are not on this machine.",
    Reason.LEFT_OUT: "The build was made without it.",
}
REASON_OF_ACCESS = {
    Access.LDC: Reason.LDC,
    Access.ON_REQUEST: Reason.ON_REQUEST,
    Access.UNKNOWN: Reason.UNSTATED,
    Access.OPEN: Reason.NO_READER,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A card with the raw cells that cannot be had here, and why, and the languages in which it can be tested here."""

    card: Card
    missing: dict[RawCell, tuple[Reason, str]]
    tested: frozenset[str]

    @property
    def raw_cells(self) -> int:
        """How many pairs of language and raw split the card's source has."""
        return sum(1 for _ in self.card.raw_cells())

    @property
    def buildable(self) -> bool:
        """Whether something of it can be built, or is."""
        return len(self.missing) < self.raw_cells


def at_hand(card: Card, store: SourceStore) -> Standing:
    """A card with the files that a build would find or download."""
    cells = [*card.raw_cells()] if card.status is Status.UNTESTED else []
    if card.status is Status.READY:
        cells = lacking(card, store)
    missing = {cell: _not_had(card) for cell in cells}
    tested = {
        language
        for language, raw_split in card.raw_cells()
        if (language, raw_split) not in missing and Split.TEST in card.splits_of(raw_split)
    }
    return Standing(card, missing, frozenset(tested))


def built_standing(card: Card, manifest: Manifest) -> Standing:
    """A card with what a build has of it."""
    built = {(entry.language, entry.split) for entry in manifest.cells if entry.dataset == card.id}
    gaps = {(gap.language, gap.raw_split): gap for gap in manifest.gaps if gap.dataset == card.id}
    missing: dict[RawCell, tuple[Reason, str]] = {}
    for language, raw_split in card.raw_cells():
        gap = gaps.get((language, raw_split))
        if gap and gap.kind == "failed":
            missing[language, raw_split] = Reason.FAILED, gap.reason
        elif gap:
            missing[language, raw_split] = Reason.NOT_AT_HAND, SENTENCES[Reason.NOT_AT_HAND]
        elif not any((language, split) in built for split in card.splits_of(raw_split)):
            left_out = Reason.LEFT_OUT, SENTENCES[Reason.LEFT_OUT]
            missing[language, raw_split] = left_out if card.status is Status.READY else _not_had(card)
    tested = {entry.language for entry in manifest.cells_of(Split.TEST) if entry.dataset == card.id}
    return Standing(card, missing, frozenset(tested))


def _not_had(card: Card) -> tuple[Reason, str]:
    """Why nothing is built of files that a card names, and the sentence that says so."""
    ready = card.status is Status.READY
    if card.source and card.source.path:
        reason = Reason.BRING
    else:
        reason = Reason.NOT_AT_HAND if ready else Reason.UNTESTED
    return reason, SENTENCES[reason] if ready else card.gap or SENTENCES[reason]
