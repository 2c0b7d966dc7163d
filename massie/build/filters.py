"""De-duplication and de-contamination over all cells (steps 6 and 7 of a build; paper, appendix B)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from unicodedata import normalize

from massie.build.instances import Steps
from massie.types import Cell, Instance, Split, Task

Cells = Mapping[tuple[Cell, Split], list[Instance]]
AllSteps = Mapping[tuple[Cell, Split], Steps]


def text_key(text: str) -> bytes:
    """What two texts are compared by: the hash of the text after NFC and white-space folding."""
    return blake2b(" ".join(normalize("NFC", text).split()).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def deduplicate(cells: Cells, steps: AllSteps) -> dict[tuple[Cell, Split], list[Instance]]:
    """Keep a train text in one dataset for each task: the first by id (where the paper took directory order).

    The languages of one dataset keep what they share, each in a cell of its own; within a cell texts are merged
    already, so that equal (text, schemas) entries stand once in every cell.
    """
    owner: dict[tuple[Task, str], str] = {}
    kept: dict[tuple[Cell, Split], list[Instance]] = {}
    for (cell, split), instances in sorted(cells.items()):
        if split is Split.TRAIN:
            fresh = [one for one in instances if owner.setdefault((cell.task, one.text), cell.dataset) == cell.dataset]
            if gone := len(instances) - len(fresh):
                steps[cell, split].dropped.add("train text that another dataset has", str(cell), gone)
            instances = fresh
        steps[cell, split].after("de-duplicate", instances)
        kept[cell, split] = instances
    return kept


def decontaminate(cells: Cells, steps: AllSteps) -> dict[tuple[Cell, Split], list[Instance]]:
    """Remove train and dev texts that are a test text of any dataset and task."""
    training = [key for key in cells if key[1] is not Split.TEST]
    pool = {
        text_key(instance.text)
        for (_, split), instances in cells.items()
        if split is Split.TEST and training
        for instance in instances
    }
    kept = dict(cells)
    for cell, split in training:
        instances = cells[cell, split]
        kept[cell, split] = [instance for instance in instances if text_key(instance.text) not in pool]
        if gone := len(instances) - len(kept[cell, split]):
            steps[cell, split].dropped.add("text that is also a test text", str(cell), gone)
    for key, instances in kept.items():
        steps[key].after("de-contaminate", instances)
    return kept
