"""Which systems may stand together, and in what order: benchmarks, places, scores, ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from frames import Frame, pd
from reading import TASKS
from table import Board

from massie.catalogue import Language, MetricCard, language
from massie.types import UnknownNameError

OVERALL = "All tasks"
REFERENCES = {"gold", "empty"}  # the ceiling and the floor of every board, not competitors
OVERLAPS, APART = "overlaps", "apart"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The samples that some results have in common: only these results are ever set beside each other.

    ``headline`` names the score that they go by, ``systems`` is their number.
    """

    id: str
    version: str
    split: str
    digest: str
    headline: str
    systems: int

    @property
    def label(self) -> str:
        """The benchmark in words, with a short form of its manifest digest."""
        return f"{self.id} {self.version}, {self.split}, {self.digest[:8]}"

    @property
    def whole_label(self) -> str:
        """The same with the whole digest, where the short forms of two are alike."""
        return f"{self.id} {self.version}, {self.split}, {self.digest}"


@dataclass(frozen=True, slots=True)
class Place:
    """Which languages scores are over: all, or one language, family or script."""

    level: str = "all"
    key: str = ""

    @property
    def label(self) -> str:
        """The place in words."""
        if self.level == "all":
            return "All languages"
        return f"{self.level.capitalize()}: {language_name(self.key) if self.level == 'language' else self.key}"


def benchmarks(board: Board) -> list[Benchmark]:
    """The benchmarks of the results, those with most systems first."""
    keys = ["benchmark", "version", "split", "digest"]
    listed = [
        Benchmark(*map(str, key), headline=str(headlines.mode().iloc[0]), systems=len(headlines))
        for key, headlines in board.systems.reset_index(drop=True).groupby(keys, sort=True)["headline"]
    ]
    return sorted(listed, key=lambda benchmark: -benchmark.systems)


def of_benchmark(board: Board, benchmark: Benchmark) -> Frame:
    """The systems of a benchmark with a ``label`` that is theirs alone and a ``state``.

    The state is empty for a result that may be ranked, "reference" for floor and ceiling, else why it may not.
    """
    systems = board.systems
    mine = systems[
        (systems["digest"] == benchmark.digest)
        & (systems["benchmark"] == benchmark.id)
        & (systems["version"] == benchmark.version)
        & (systems["split"] == benchmark.split)
    ].copy()
    twice = mine["name"].duplicated(keep=False)
    mine["label"] = mine["name"].where(~twice, mine["name"] + " [" + mine["id"] + "]")
    mine["state"] = [_state(system) for system in mine.to_dict("records")]
    return mine


def _state(system: Mapping[str, Any]) -> str:
    if system["adapter"] in REFERENCES:
        return "reference"
    if system["only"]:
        return f"restricted to {system['only']}"
    if system["cells"] < system["cells_of"]:
        return f"covers {system['cells']:,} of {system['cells_of']:,} cells"
    if system["samples"] < system["samples_of"]:
        return f"covers {system['samples']:,} of {system['samples_of']:,} samples"
    return "partial" if system["partial"] else ""


def standings(board: Board, systems: Frame, task: str, place: Place, card: MetricCard) -> Frame:
    """The systems with their scores in a place, best first.

    Adds ``score``, ``low`` and ``high`` (of the task, or overall), a column for each task, ``rank`` among the systems
    that may be ranked (equal scores share one; none by a diagnostic, which is reported only), and ``above``: whether
    the interval overlaps that of the ranked system above. No system is left out: one without a score there has none.
    """
    scores = task_scores(board, systems, place, card)
    chosen = _overall(board, systems, place, card) if task == OVERALL else scores[task]
    table = systems.join(chosen).join(pd.DataFrame({name: scores[name]["score"] for name in TASKS}))
    table = table.sort_values(["score", "label"], ascending=[card.direction == "lower", True], na_position="last")
    eligible = (table["state"] == "") & table["score"].notna() & (card.kind == "score")
    ranked = table.loc[eligible, "score"].rank(method="min", ascending=card.direction == "lower")
    table["rank"] = ranked.reindex(table.index)
    table["above"] = pd.Series(_overlaps(table[eligible]), index=table.index[eligible], dtype="object")
    return table


def task_scores(board: Board, systems: Frame, place: Place, card: MetricCard) -> dict[str, Frame]:
    """For each task the score with its interval in a place, by system."""
    level = "task" if place.level == "all" else place.level
    rows = board.rows[(board.rows["level"] == level) & board.rows["id"].isin(systems.index)]
    if place.level != "all":
        rows = rows[rows["key"] == place.key]
    return {task: _scores(rows[rows["task"] == task], card) for task in TASKS}


def _overall(board: Board, systems: Frame, place: Place, card: MetricCard) -> Frame:
    """The score over all tasks in a place, as the results have it: the plain mean of the task scores there.

    A system whose tasks there are not those of most complete results has none: it would be a mean over other things.
    """
    level = "overall" if place.level == "all" else place.level
    rows = board.rows[(board.rows["level"] == level) & (board.rows["task"] == "")]
    rows = rows[rows["id"].isin(systems.index)]
    if place.level == "all":
        return _scores(rows, card)
    tasks = task_scores(board, systems, place, card)
    of_tasks = pd.DataFrame({task: frame["score"].notna() for task, frame in tasks.items()}).fillna(False).astype(bool)
    complete = of_tasks[systems["state"].reindex(of_tasks.index) == ""]
    asked = (complete if len(complete) else of_tasks).mean() >= 0.5
    alike = of_tasks.index[(of_tasks == asked).all(axis="columns")]
    return _scores(rows[(rows["key"] == place.key) & rows["id"].isin(alike)], card)


def _scores(rows: Frame, card: MetricCard) -> Frame:
    """Score, low and high by system; a rate of counts has no interval."""
    found = rows.drop_duplicates("id").set_index(rows.drop_duplicates("id")["id"].astype(str))
    nothing = pd.Series(float("nan"), index=found.index)
    columns = {"score": card.name, "low": f"{card.name}.low", "high": f"{card.name}.high"}
    return pd.DataFrame({name: found.get(column, nothing) for name, column in columns.items()})


def _overlaps(table: Frame) -> list[str | None]:
    """For each system in order whether its interval overlaps that of the one above; None where one has none."""
    bounds = list(zip(table["low"], table["high"], strict=True))
    told: list[str | None] = [None] * min(1, len(bounds))
    for (low_above, high_above), (low, high) in pairwise(bounds):
        if any(pd.isna(bound) for bound in (low_above, high_above, low, high)):
            told.append(None)
        else:
            told.append(OVERLAPS if low <= high_above and low_above <= high else APART)
    return told


def places(board: Board, systems: Frame) -> list[Place]:
    """All languages, then the scripts, families and languages that the systems have scores for."""
    rows = board.rows[board.rows["id"].isin(systems.index)]
    listed = [Place()]
    for level in ("script", "family", "language"):
        keys = {str(key) for key in rows.loc[rows["level"] == level, "key"].unique()}
        listed += sorted((Place(level, key) for key in keys), key=lambda place: place.label)
    return listed


@lru_cache(maxsize=4096)
def language_of(code: str) -> Language | None:
    """What the catalogue knows of a language; None of a code that it does not know."""
    try:
        return language(code)
    except UnknownNameError:
        return None


def language_name(code: str) -> str:
    """English name and code of a language; of an unknown one the code alone."""
    known = language_of(code)
    return f"{known.name} ({code})" if known else code
