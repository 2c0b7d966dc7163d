"""What the reader chooses, with the choices kept in the page's address, so that a link reproduces the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import streamlit as st
from exports import csv_text, json_text, latex_text
from frames import Frame
from look import task_title
from ranking import OVERALL, Benchmark, Place, benchmarks, of_benchmark, places
from reading import TASKS
from table import Board, Found, Rejected, cache_file, find, folders_of_runs, read_board

from massie.catalogue import MetricCard, metric_cards
from massie.results import RATES

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Choice:
    """The choices that the views share: benchmark with its systems, task, and score."""

    benchmark: Benchmark
    systems: Frame
    task: str
    card: MetricCard


def board() -> Board:
    """The board of all results below the folders of runs, read again only where files changed."""
    folders = tuple(folders_of_runs())
    files, rejected = _find(folders)
    return _read(hash((files, rejected)), files, rejected, folders)


@st.cache_resource(ttl=5, max_entries=2, show_spinner=False)
def _find(folders: tuple[Path, ...]) -> tuple[tuple[Found, ...], tuple[Rejected, ...]]:
    return find(folders)


# Streamlit leaves arguments with an underscore out of the key: it would take long to hash hundreds of files again.
@st.cache_resource(max_entries=2, show_spinner="Reading the results. Only the first time takes long.")
def _read(key: int, _files: tuple[Found, ...], _rejected: tuple[Rejected, ...], _folders: tuple[Path, ...]) -> Board:
    return read_board(_files, _rejected, cache_file(_folders))


def one_of(label: str, things: Mapping[str, Thing], key: str, help_text: str | None = None) -> Thing:
    """The thing that the reader picks by its title; the first one, until another is picked."""
    title = st.selectbox(label, list(things), key=key, help=help_text, bind="query-params")
    return things[title]


def some_of(label: str, titles: Sequence[str], key: str, none: str = "All") -> list[str]:
    """The titles that the reader picks; none of them means no restriction, which the words ``none`` say."""
    return st.multiselect(label, titles, key=key, bind="query-params", placeholder=none)


def choose_benchmark(results: Board) -> tuple[Benchmark, Frame]:
    """The benchmark that the reader picks, with its systems; one that goes by another score brings that to the fore."""
    titles: dict[str, Benchmark] = {}
    for benchmark in benchmarks(results):
        titles.setdefault(benchmark.label if benchmark.label not in titles else benchmark.whole_label, benchmark)
    help_text = "Results are set beside each other only where they are about the very same samples (manifest digest)."
    chosen = one_of("Benchmark", titles, "benchmark", help_text)
    headline = metric_cards()[chosen.headline].title
    if st.session_state.get("headline", headline) != headline:
        st.session_state["score"] = headline
    st.session_state["headline"] = headline
    return chosen, of_benchmark(results, chosen)


def choose_task(overall: bool = True) -> str:
    """The task that the reader picks, or all of them where that makes sense."""
    tasks = [OVERALL, *TASKS] if overall else list(TASKS)
    return one_of("Task", {task_title(task): task for task in tasks}, "task" if overall else "of_task")


def choose_card(results: Board, benchmark: Benchmark) -> MetricCard:
    """The score that the reader picks, by its metric card's title; at first the one that the benchmark goes by.

    What no result has (some scores are made only where they are asked for) is not offered.
    """
    known = [card for card in metric_cards().values() if card.kind == "score" or card.name in RATES]
    cards = [card for card in known if card.name == benchmark.headline or results.rows[card.name].notna().any()]
    cards.sort(key=lambda card: card.name != benchmark.headline)
    return one_of("Score", {card.title: card for card in cards}, "score")


def choose_place(results: Board, systems: Frame) -> Place:
    """The languages that the reader picks: all, or one language, family or script."""
    help_text = "One language, family or script: scores are then those over its samples alone."
    return one_of("Languages", {place.label: place for place in places(results, systems)}, "languages", help_text)


def no_results(results: Board) -> bool:
    """Whether there is nothing to show; then it says so."""
    if len(results.systems):
        return False
    st.info("There are no results yet. The page Status says where they are looked for and how one is added.")
    return True


def link_to_view(state: Mapping[str, str | list[str]]) -> None:
    """The address that reproduces the view, to be copied: every choice, also those that are the default today."""
    chosen = {key: value for key, value in state.items() if value}
    st.caption("Link to this view")
    address = st.context.url or ""
    address += "/" if address.count("/") == 2 else ""
    st.code(f"{address}?{urlencode(chosen, doseq=True, safe=',:/()[]')}", language=None, wrap_lines=True)


def downloads(table: Frame, name: str, caption: str) -> None:
    """Buttons that download the table as CSV, JSON and LaTeX."""
    kinds: list[tuple[str, Any, str]] = [
        ("CSV", lambda: csv_text(table), "text/csv"),
        ("JSON", lambda: json_text(table), "application/json"),
        ("LaTeX", lambda: latex_text(table, caption), "application/x-tex"),
    ]
    with st.container(horizontal=True, gap="small"):
        for kind, text, mime in kinds:
            ending = "tex" if kind == "LaTeX" else kind.lower()
            st.download_button(
                kind,
                text,
                f"{name}.{ending}",
                mime,
                key=f"{name}-{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
