"""The page of languages: a heat map of systems by languages, a system's profile, the best system for each language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st
from controls import (
    board,
    choose_benchmark,
    choose_card,
    choose_task,
    downloads,
    link_to_view,
    no_results,
    one_of,
    some_of,
)
from frames import Column, Frame, pd
from look import heat, interval, interval_chart, is_dark, number, show
from ranking import APART, OVERLAPS, Place, language_name, language_of, standings
from table import Board

from massie.catalogue import MetricCard

_ORDERS = ("family", "name", "score")
_AT_FIRST = 20


@dataclass(frozen=True, slots=True)
class _View:
    """What the page is about: the systems by rank in a task, and their scores by language.

    ``scores`` has a row for each system and language: ``id``, ``label``, ``code``, ``score``, ``low``, ``high``.
    ``languages`` has one for each language: ``code``, ``name``, ``family``, ``script``, ``mean`` over ranked systems.
    """

    task: str
    card: MetricCard
    systems: Frame
    scores: Frame
    languages: Frame


def page() -> None:
    """The page."""
    st.title("Languages")
    results = board()
    if no_results(results):
        return
    with st.container(horizontal=True):
        benchmark, systems = choose_benchmark(results)
        task, card = choose_task(overall=False), choose_card(results, benchmark)
        order = one_of("Order of languages", {f"by {order}": order for order in _ORDERS}, "order")
    view = _view(results, systems, task, card, order)
    if view.scores.empty:
        st.info("No result has scores by language for this task.")
        return
    picked = _heat_map(view, order)
    system = _profile(view)
    _best(view)
    _gaps(view)
    st.divider()
    caption = f"{card.title} by language, {task}, {benchmark.label}"
    downloads(_wide(view, list(view.systems["label"])), "massie-languages", caption)
    keys = {"benchmark": "benchmark", "of_task": "of_task", "score": "score", "order": "order"}
    link_to_view({name: st.session_state[key] for name, key in keys.items()} | {"systems": picked, "system": system})


def _view(results: Board, systems: Frame, task: str, card: MetricCard, order: str) -> _View:
    ranked = standings(results, systems, task, Place(), card)
    rows = results.rows
    rows = rows[(rows["level"] == "language") & (rows["task"] == task) & rows["id"].isin(ranked.index)]
    nothing = pd.Series(float("nan"), index=rows.index)
    scores = pd.DataFrame(
        {
            "id": rows["id"].astype(str),
            "code": rows["key"].astype(str),
            "score": rows[card.name],
            "low": rows.get(f"{card.name}.low", nothing),
            "high": rows.get(f"{card.name}.high", nothing),
        }
    ).dropna(subset="score")
    scores["label"] = scores["id"].map(ranked["label"])
    fair = scores[scores["id"].map(ranked["state"]) == ""]
    means = (fair if len(fair) else scores).groupby("code")["score"].mean()
    languages = pd.DataFrame([_described(code) for code in sorted(scores["code"].unique())])
    if len(languages):
        languages["mean"] = languages["code"].map(means)
        by = {"family": ["family", "name"], "name": ["name"], "score": ["mean"]}[order]
        languages = languages.sort_values(by, ascending=order != "score", na_position="last")
    with_scores = ranked[ranked.index.isin(scores["id"].unique())]
    return _View(task, card, with_scores, scores, languages)


def _described(code: str) -> dict[str, str]:
    known = language_of(code)
    return {
        "code": code,
        "name": known.name if known else code,
        "family": known.family if known else "unknown",
        "script": known.script if known else "unknown",
    }


def _heat_map(view: _View, order: str) -> list[str]:
    """The heat map; returns the systems that the reader picked for it."""
    st.subheader("Systems by languages")
    picked = some_of("Systems", list(view.systems["label"]), "systems", none=f"The first {_AT_FIRST} by rank")
    labels = [label for label in view.systems["label"] if label in picked] or list(view.systems["label"][:_AT_FIRST])
    wide = view.scores[view.scores["label"].isin(labels)].pivot(index="label", columns="code", values="score")
    wide = wide.reindex(index=labels, columns=list(view.languages["code"])).dropna(axis="columns", how="all")
    families = dict(zip(view.languages["code"], view.languages["family"], strict=True))
    helps = {code: number(f"{language_name(code)}, {families[code]}") for code in wide.columns}
    wide.index.name = "System"
    columns = {"System": st.column_config.TextColumn(width=150, pinned=True)} | helps
    show(heat(wide.reset_index(), is_dark()), "Heat map of scores, systems by languages", columns, 20)
    grouped = view.languages[view.languages["code"].isin(wide.columns)]
    st.caption(
        f"{view.card.title} of {view.task}, {wide.min().min():.1f} (faintest) to {wide.max().max():.1f} "
        f"(strongest), {len(wide.columns)} languages; the name of a language shows over its code."
    )
    if order == "family":
        with st.expander("Families, in the order of the columns"):
            for family, members in grouped.groupby("family", sort=False):
                st.text(f"{family}: {', '.join(language_name(code) for code in members['code'])}")
    return picked


def _profile(view: _View) -> str:
    """A system's scores over the languages with intervals; returns the system's label."""
    st.subheader("Profile of a system")
    label = one_of("System", {label: label for label in view.systems["label"]}, "system")
    mine = view.scores[view.scores["label"] == label].set_index("code")
    codes = [code for code in view.languages["code"] if code in mine.index]
    middle = view.scores[view.scores["id"].map(view.systems["state"]) == ""].groupby("code")["score"].median()
    drawn = mine.loc[codes].assign(middle=middle.reindex(codes), mark="this system")
    drawn["label"] = [language_name(code) for code in codes]
    st.caption("Points: this system with 95% intervals. Upright lines: the median of the ranked systems.")
    half = (len(drawn) + 1) // 2
    for column, part in zip(st.columns(2, gap="medium"), (drawn[:half], drawn[half:]), strict=True):
        if len(part):
            # Both halves share one axis, since it spans what the whole profile spans.
            columns = ["label", "score", "low", "high", "middle", "mark"]
            chart = interval_chart(part[columns], view.card.title, "middle", drawn)
            column.altair_chart(chart, width="stretch", alt="Scores of the system by language with 95% intervals")
    return label


def _best(view: _View) -> None:
    st.subheader("Best system for each language")
    fair = view.scores[view.scores["id"].map(view.systems["state"]) == ""]
    if fair.empty or view.card.kind == "diagnostic":
        st.caption(
            "There is no best here: there is no complete result, or the score is a diagnostic, which ranks nothing."
        )
        return
    rows: list[dict[str, Any]] = []
    for code, group in fair.sort_values("score", ascending=view.card.direction == "lower").groupby("code", sort=False):
        best, second = group.iloc[0], group.iloc[1] if len(group) > 1 else None
        row = {"code": code, "Best system": best["label"], view.card.title: best["score"]}
        row |= {"95% interval": interval(best["low"], best["high"])}
        if second is not None:
            row |= {"Next": second["label"], "Next one's": second["score"], "Against next": _against(best, second)}
        rows.append(row)
    named = view.languages.rename(columns={"name": "Language", "family": "Family", "script": "Script"})
    table = named[["code", "Language", "Family", "Script"]].merge(pd.DataFrame(rows), on="code").drop(columns="code")
    show(table, "Best system for each language", {view.card.title: number(view.card.summary), "Next one's": number()})


def _against(one: Column, other: Column) -> str:
    if any(pd.isna(bound) for bound in (one["low"], one["high"], other["low"], other["high"])):
        return ""
    return OVERLAPS if one["low"] <= other["high"] and other["low"] <= one["high"] else APART


def _gaps(view: _View) -> None:
    """How far each system falls from the languages that systems do best to those that they do worst."""
    st.subheader("Gap between high and low languages")
    known = view.languages.dropna(subset="mean").sort_values("mean", ascending=False)
    size = len(known) // 4
    if not size:
        st.caption("This needs at least four languages.")
        return
    high, low = list(known["code"][:size]), list(known["code"][-size:])
    scores = view.scores.pivot(index="label", columns="code", values="score").reindex(view.systems["label"])
    means = {name: scores[codes].mean(axis=1, skipna=False) for name, codes in (("High", high), ("Low", low))}
    gaps = pd.DataFrame(means)
    gaps["Gap"] = gaps["High"] - gaps["Low"]
    st.caption(
        "Mean over the quarter of the languages on which the ranked systems do best on average, less that over the "
        "quarter on which they do worst; the same languages for every system, each counting once."
    )
    st.text(f"High: {', '.join(language_name(code) for code in high)}")
    st.text(f"Low: {', '.join(language_name(code) for code in low)}")
    table = gaps.sort_values("Gap", na_position="last").rename_axis("System").reset_index()
    show(table, "Gap between high and low languages by system", {name: number() for name in ("High", "Low", "Gap")})


def _wide(view: _View, labels: list[str]) -> Frame:
    """All systems by languages, for the downloads."""
    wide = view.scores.pivot(index="label", columns="code", values="score")
    wide = wide.reindex(index=labels, columns=list(view.languages["code"]))
    return wide.rename_axis("System").rename_axis(None, axis="columns").reset_index()
