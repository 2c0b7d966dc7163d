"""The page that ranks the systems of a benchmark."""

from __future__ import annotations

from typing import Any

import streamlit as st
from controls import (
    Choice,
    board,
    choose_benchmark,
    choose_card,
    choose_place,
    choose_task,
    downloads,
    link_to_view,
    no_results,
    some_of,
)
from frames import Frame, pd
from look import interval, interval_chart, number, show, show_to_pick, task_columns
from ranking import OVERALL, standings
from reading import TASKS
from views import system

from massie.catalogue import MetricCard

_SIZES = {
    "under 1B": (0, 1e9),
    "1B to 4B": (1e9, 4e9),
    "4B to 10B": (4e9, 1e10),
    "10B to 40B": (1e10, 4e10),
    "40B and more": (4e10, float("inf")),
}
_UNSTATED = "not stated"
_WEIGHTS = {True: "open", False: "closed", None: _UNSTATED}
_KINDS = ("language model", "encoder", "baseline", "other")
_IN_CHART = 40
_ROWS_IN_SIGHT = 18
_CHOSEN = (*TASKS, "Coverage", "Kind", "Parameters", "Weights", "Prompt")
_MORE = ("Organisation", "Model", "Licence", "Benchmark run on", "Address")


def page() -> None:
    """The page."""
    st.title("MASSIE leaderboard")
    st.caption("Information extraction in many languages: entities, slots, relations, event triggers and events.")
    results = board()
    if no_results(results):
        return
    with st.container(horizontal=True):
        benchmark, systems = choose_benchmark(results)
        choice = Choice(benchmark, systems, choose_task(), choose_card(results, benchmark))
        place = choose_place(results, systems)
    with st.expander("More filters and columns", icon=":material/tune:"):
        kept, state = _kept(systems)
        columns = st.multiselect("Columns", [*_CHOSEN, *_MORE], _CHOSEN, key="columns", bind="query-params")
    ranked = standings(results, systems, choice.task, place, choice.card)
    _explain(choice)
    shown = ranked[ranked.index.isin(kept) & ranked["state"].isin(["", "reference"]) & ranked["score"].notna()]
    others = ranked[ranked.index.isin(kept) & ~ranked.index.isin(shown.index)]
    _counts(ranked, shown, others)
    _table_and_chart(shown, choice, columns)
    _not_ranked(others, choice.card)
    st.divider()
    title = f"{choice.card.title}, {choice.task}, {place.label}, {benchmark.label}"
    downloads(_display(shown, choice.card, [*_CHOSEN, *_MORE]), "massie-overview", title)
    other = {"columns": columns} if columns != list(_CHOSEN) else {}
    views = {"benchmark": "benchmark", "task": "task", "score": "score", "languages": "languages"}
    link_to_view({name: st.session_state[key] for name, key in views.items()} | state | other)


def _kept(systems: Frame) -> tuple[list[str], dict[str, list[str]]]:
    """The systems that the filters of kind, size and weights leave, and what was picked."""
    with st.container(horizontal=True):
        kinds = some_of("Kind of system", _KINDS, "kind")
        sizes = some_of("Parameters", [*_SIZES, _UNSTATED], "size")
        weights = some_of("Weights", list(_WEIGHTS.values()), "weights")
    kept = systems
    if kinds:
        kept = kept[kept["kind"].isin(kinds)]
    if sizes:
        kept = kept[kept["parameters"].map(_size).isin(sizes)]
    if weights:
        kept = kept[kept["open_weights"].map(_weights).isin(weights)]
    return list(kept.index), {"kind": kinds, "size": sizes, "weights": weights}


def _size(parameters: float) -> str:
    return next((name for name, (least, below) in _SIZES.items() if least <= parameters < below), _UNSTATED)


def _weights(is_open: object) -> str:
    return "open" if is_open is True else "closed" if is_open is False else _UNSTATED


def _explain(choice: Choice) -> None:
    """What the numbers of the page are, in one or two sentences."""
    said = [choice.card.summary]
    if choice.task == OVERALL:
        said.append("Over all tasks: the plain mean of the task scores.")
    if choice.card.kind == "diagnostic":
        said.append("It is a diagnostic: reported, and nothing is ranked by it.")
    st.caption(" ".join(said))


def _counts(ranked: Frame, shown: Frame, others: Frame) -> None:
    references = int((shown["state"] == "reference").sum())
    hidden = len(ranked) - len(shown) - len(others)
    parts = [f"{len(shown) - references} complete", f"{references} for reference", f"{len(others)} below, not ranked"]
    st.caption(" · ".join([*parts, *([f"{hidden} hidden by filters"] if hidden else [])]))


def _table_and_chart(shown: Frame, choice: Choice, columns: list[str]) -> None:
    if shown.empty:
        st.info("No complete result has this score here. Take a filter away, or pick another task or language.")
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        table = _display(shown, choice.card, columns)
        about = "Systems by rank with scores and intervals"
        row = show_to_pick(table, about, _configuration(choice.card), _ROWS_IN_SIGHT, "standings")
        if row is not None and row < len(shown):
            chosen = {"benchmark": st.session_state["benchmark"], "system": shown["label"].iloc[row]}
            st.page_link(
                system.as_page(),
                label="Open the selected system",
                icon=":material/arrow_forward:",
                query_params=chosen,
            )
    with right:
        drawn = shown.head(_IN_CHART).assign(mark=shown["state"].map({"": "complete", "reference": "reference"}))
        if len(shown) > _IN_CHART:
            st.caption(f"The first {_IN_CHART} of {len(shown)}")
        title = f"{choice.card.title} with 95% interval" if drawn["low"].notna().any() else choice.card.title
        chart = interval_chart(drawn[["label", "score", "low", "high", "mark"]], title)
        st.altair_chart(chart, width="stretch", alt="Scores with 95% intervals, as in the table")


def _display(table: Frame, card: MetricCard, columns: list[str]) -> Frame:
    """The table as it is shown and downloaded: one column for each thing, under its title."""
    said: dict[str, Any] = {
        "Rank": table["rank"].astype("Int64"),
        "System": table["label"],
        card.title: table["score"],
        "95% interval": [interval(low, high) for low, high in zip(table["low"], table["high"], strict=True)],
        "Against above": table["above"].where(table["state"] == "", "reference"),
        **{task: table[task] for task in TASKS},
        "Coverage": 100 * table["samples"] / table["samples_of"],
        "Kind": table["kind"],
        "Parameters": table["parameters"],
        "Weights": table["open_weights"].map(_weights),
        "Prompt": table["prompt"],
        "Organisation": table["organisation"],
        "Model": table["model"],
        "Licence": table["licence"],
        "Benchmark run on": table["created"],
        "Address": table["url"],
    }
    always = ("Rank", "System", card.title, "95% interval", "Against above")
    return pd.DataFrame({name: said[name] for name in (*always, *columns)}).reset_index(drop=True)


def _configuration(card: MetricCard) -> dict[str, Any]:
    text = st.column_config.TextColumn
    above = "Whether the interval overlaps that of the ranked system above; where it does, the order may be chance"
    return task_columns(card) | {
        "Rank": st.column_config.NumberColumn(
            help="Among all complete results of the benchmark", width=48, pinned=True
        ),
        "System": text(width=170, pinned=True),
        card.title: number(card.summary),
        "95% interval": text(help="From a bootstrap over the instances of each cell", width=96),
        "Against above": text(help=above, width=96),
        "Coverage": number("Samples answered, in percent of those of the split"),
        "Parameters": st.column_config.NumberColumn(format="compact", width=84),
        "Address": text(help="As the result states it; text, not a link, so that you see where it leads"),
    }


def _not_ranked(others: Frame, card: MetricCard) -> None:
    """Below the table: results that are never ranked, with the reason."""
    if others.empty:
        return
    st.subheader("Not ranked")
    st.caption("These cover less than the whole benchmark, or have no score here. They are never set against others.")
    reasons = others["state"].where(others["state"] != "", "no score here")
    said = {"System": others["label"], "Why": reasons, card.title: others["score"]}
    shown = pd.DataFrame(said | {task: others[task] for task in TASKS})
    columns = task_columns(card) | {card.title: number(card.summary), "Why": st.column_config.TextColumn(width=260)}
    show(shown, "Results that are not ranked", columns)
