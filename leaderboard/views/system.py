"""The page of one system: what it is, how to reproduce it, all its scores and diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, cast

import streamlit as st
from controls import board, choose_benchmark, downloads, link_to_view, no_results, one_of
from frames import Column, pd
from look import bar_chart, interval, number, percent, show
from ranking import OVERALL, Place, language_name, standings
from reading import COUNTS, TASKS, one_sentence, visible

from massie.catalogue import metric_cards
from massie.results import RATES, Result, read_result
from massie.types import ResultError, Task

_LEVELS = {
    "Tasks": "task",
    "Datasets": "dataset",
    "Languages": "language",
    "Families": "family",
    "Scripts": "script",
    "Cells": "cell",
}
_ERRORS = {
    "boundary": "the right label, but the span is off",
    "type": "the right span, but another label",
    "both": "span and label are off",
    "spurious": "there is nothing like it",
    "missed": "not found",
}


def as_page() -> st.Page:
    """The page with its address, for the navigation and for links to it."""
    return st.Page(page, title="System", url_path="system")


def page() -> None:
    """The page."""
    st.title("System")
    results = board()
    if no_results(results):
        return
    with st.container(horizontal=True):
        benchmark, systems = choose_benchmark(results)
        card = metric_cards()[benchmark.headline]
        ranked = standings(results, systems, OVERALL, Place(), card)
        chosen = one_of("System", {row["label"]: row for _, row in ranked.iterrows()}, "system")
    try:
        result = read_result(Path(chosen["path"]))
    except ResultError as error:
        st.warning("The result file changed and does not load any more:")
        st.text(one_sentence(str(error), chosen["path"]))
        return
    _numbers(chosen, card.title)
    _about(chosen, result)
    st.subheader("Reproduce it")
    st.code("\n".join(visible(line) for line in result.command.splitlines()), language="bash", wrap_lines=True)
    level = _scores(result)
    _diagnostics(result)
    _settings(result)
    st.divider()
    link_to_view({"benchmark": st.session_state["benchmark"], "system": chosen["label"], "level": level})


def _numbers(chosen: Column, title: str) -> None:
    """The figures that a reader looks for first."""
    rank = "–" if pd.isna(chosen["rank"]) else f"{chosen['rank']:.0f}"
    score = "–" if pd.isna(chosen["score"]) else f"{chosen['score']:.1f}"
    parameters = "not stated" if pd.isna(chosen["parameters"]) else _short(chosen["parameters"])
    with st.container(horizontal=True, gap="medium"):
        st.metric(f"Overall {title}", score, width="content")
        st.metric("95% interval", interval(chosen["low"], chosen["high"]) or "–", width="content")
        st.metric("Rank", rank, width="content")
        st.metric("Cells covered", f"{chosen['cells']:,} of {chosen['cells_of']:,}", width="content")
        st.metric("Parameters", parameters, width="content")
    if chosen["state"] == "reference":
        st.caption("A reference row: the floor or the ceiling of the board, never ranked.")
    elif chosen["state"]:
        st.caption("Not ranked, because this result covers less than the whole benchmark:")
        st.text(chosen["state"])


def _short(count: float) -> str:
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"


def _about(chosen: Column, result: Result) -> None:
    """The system's card, each fact as text."""
    card = result.system
    weights = {True: "open", False: "closed", None: None}[card.open_weights]
    facts = {
        "Name": card.name,
        "Kind": card.kind,
        "Organisation": card.organisation,
        "Model": card.model,
        "Weights": weights,
        "Licence": card.licence,
        "Prompt": card.prompt,
        "Address": card.url,
        "Benchmark": f"{chosen['benchmark']} {chosen['version']}, {chosen['split']}",
        "Made": result.created,
        "Folder": chosen["id"],
    }
    st.subheader("About the system")
    if card.description:
        st.text(visible(card.description))
    _list_facts(facts)


def _list_facts(facts: dict[str, str | None]) -> None:
    """Facts under their names, as many beside each other as there is room for; what is not stated is left out."""
    with st.container(horizontal=True, gap="medium"):
        for name, fact in facts.items():
            if fact:
                with st.container(width=165, gap=None):
                    st.caption(name)
                    st.text(visible(fact))


def _scores(result: Result) -> str:
    """All scores with their intervals at the level that the reader picks; returns its name."""
    st.subheader("Scores")
    level = st.segmented_control(
        "Level", list(_LEVELS), default="Tasks", required=True, key="level", bind="query-params"
    )
    cards = [card for name, card in metric_cards().items() if any(name in row.scores for row in result.rows)]
    rows = [row for row in result.rows if row.level == _LEVELS[level] or (level == "Tasks" and row.level == "overall")]
    table: list[dict[str, Any]] = []
    for row in rows:
        key = _key(row.level, visible(row.key))
        entry: dict[str, Any] = {"Task": str(row.task or "all"), _LEVELS[level].capitalize(): key}
        for card in cards:
            score = row.scores.get(card.name)
            entry[card.title] = score.value if score else None
            entry[f"{card.title} 95%"] = interval(score.low, score.high) if score else ""
        table.append(entry | {"Instances": row.instances, "Samples": row.samples})
    columns: dict[str, Any] = {card.title: number(card.summary, width=None) for card in cards}
    columns |= {name: st.column_config.NumberColumn(format="localized") for name in ("Instances", "Samples")}
    shown = pd.DataFrame(table)
    show(shown, "All scores of the system with intervals", columns, rows=14)
    downloads(shown, "massie-system", f"{result.system.name}, {result.benchmark.id}")
    return level


def _key(level: str, key: str) -> str:
    if level == "language":
        return language_name(key)
    if level == "cell":
        dataset, _, code = key.rpartition("/")
        return f"{dataset}, {language_name(code)}"
    return key


def _diagnostics(result: Result) -> None:
    """Rates with their counts by task, and the kinds of errors."""
    st.subheader("Diagnostics")
    st.caption("Counted, never ranked. Each share stands with its counts.")
    cards = metric_cards()
    table: list[dict[str, str]] = []
    for task in (None, *TASKS):
        row = result.row("overall" if task is None else "task", Task(task) if task else None)
        if row is None:
            continue
        counts = dict.fromkeys(COUNTS, 0) | row.diagnostics | {"samples": row.samples}
        shown = {"Task": task or "all"}
        for name, (counted, total, less) in RATES.items():
            title = cards[name].title if name in cards else name
            shown[title] = percent(counts[counted], counts[total] - (counts[less] if less else 0))
        shown["Empty gold"] = percent(counts["empty_gold"], counts["samples"])
        shown["Repairable"] = percent(counts["repairable"], counts["invalid"])
        shown["Truncated"] = percent(counts["truncated"], counts["samples"])
        table.append(shown)
    text = st.column_config.TextColumn
    helps = {cards[name].title: text(help=cards[name].summary) for name in RATES if name in cards}
    helps["Repairable"] = text(help="Invalid outputs that a JSON repairer would have saved")
    helps["Truncated"] = text(help="Samples whose output ended at its length limit")
    helps["Empty gold"] = text(help="Samples in which there is nothing to find")
    show(pd.DataFrame(table), "Diagnostics by task", helps)
    _error_kinds(result)


def _error_kinds(result: Result) -> None:
    st.subheader("Kinds of errors")
    tasks = [row for row in result.rows if row.level in ("overall", "task")]
    names = {str(row.task or OVERALL): row for row in tasks}
    if not names:
        st.caption("The result counts none.")
        return
    row = one_of("Errors of", names, "errors_of")
    counts = {name: row.diagnostics.get(name, 0) for name in _ERRORS}
    total = sum(counts.values())
    shares = {name: 100 * count / total if total else 0.0 for name, count in counts.items()}
    what = [f"{name} {shares[name]:.1f}% ({count:,})" for name, count in counts.items()]
    chart = bar_chart(pd.DataFrame({"what": what, "share": list(shares.values())}), "% of unmatched items")
    st.altair_chart(chart, width="stretch", alt="Kinds of errors")
    st.caption("; ".join(f"{name}: {meaning}" for name, meaning in _ERRORS.items()) + ".")


def _settings(result: Result) -> None:
    """What the run used, and with which settings."""
    st.subheader("Usage and settings")
    usage, coverage = result.usage, result.coverage
    latency = usage.latency
    facts = {
        "Time": _told(usage.wall_seconds if usage.wall_seconds is not None else usage.seconds, "{:,.0f} s"),
        "Samples per second": _told(usage.per_second, "{:,.1f}"),
        "Requests": _told(usage.requests, "{:,}"),
        "Retries": _told(usage.retries, "{:,}"),
        "Latency, median": _told(latency and latency.p50, "{:.2f} s"),
        "Latency, 99 of 100": _told(latency and latency.p99, "{:.2f} s"),
        "Input tokens": _told(usage.input_tokens, "{:,}"),
        "Cached input tokens": _told(usage.cached_tokens, "{:,}"),
        "Output tokens": _told(usage.output_tokens, "{:,}"),
        "Reasoning tokens": _told(usage.reasoning_tokens, "{:,}"),
        "Cost": _told(usage.cost, "${:,.2f}"),
        "Price": usage.price,
        "Samples answered": percent(coverage.samples, coverage.samples_of),
        "Failed samples": f"{coverage.failed:,}",
        "Adapter": result.adapter,
        "MASSIE": result.massie_version,
        "Manifest digest": result.benchmark.manifest_digest[:16],
    }
    _list_facts(facts)
    details = dict(islice(_flat(result.details), _MOST))
    groups = {
        "option": result.options,
        "method": details,
        "bootstrap": result.bootstrap,
        "environment": result.environment,
    }
    settings = [
        (kind, visible(name), visible(str(value))) for kind, group in groups.items() for name, value in group.items()
    ]
    show(pd.DataFrame(settings, columns=["Of", "Setting", "Value"]), "Settings of the run")
    if len(details) == _MOST:
        st.caption(f"Of the method, the first {_MOST} settings are shown.")


def _told(value: float | None, form: str) -> str | None:
    """A number as people read it; None where it is not known."""
    return None if value is None else form.format(value)


def _flat(details: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """What a result says of its system in detail, a name and a value each; deep or long things cut short."""
    for name, value in details.items():
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _flat(cast("dict[str, Any]", value), f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}"[:200], str(cast("object", value))[:_LONGEST]


_DEEPEST, _LONGEST, _MOST = 4, 300, 500
