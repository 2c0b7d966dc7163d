"""How the board looks: charts, the colours of heat maps, and the formats of columns.

Colour never stands alone: a heat map prints its values, a chart sets what differs apart by shape and place. Texts from
result files go only where they are drawn as text (cells of data frames, labels of charts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import streamlit as st
from frames import Frame, pd
from ranking import OVERALL
from reading import TASKS

from massie.catalogue import MetricCard

_TASK_NAMES = {
    "NER": "named entity recognition",
    "SF": "slot filling",
    "RE": "relation extraction",
    "ED": "event detection",
    "EE": "event extraction",
}
# Mid-tones that keep a contrast of 3 : 1 on the light and on the dark ground alike.
_MARK, _MUTED = "#3a87b2", "#7d8a90"
_LIGHT_RAMP = ("#f2f7f9", "#14506f")
_DARK_RAMP = ("#1a2327", "#8fcdf0")
_INKS = ("#10181c", "#ffffff")
_LABEL_PIXELS = 150
_SHAPES = {"complete": "circle", "reference": "diamond", "this system": "circle"}
_streamlit: Any = st  # where a type of pandas, which has none, stands in what is called


def show(table: Any, about: str, columns: Mapping[str, Any] | None = None, rows: int = 12) -> None:
    """The table, as wide as there is room and with at most so many ``rows`` in sight; ``about`` names it aloud."""
    _streamlit.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config=columns,
        height=_height(table, rows),
        alt=about,
    )


def show_to_pick(table: Frame, about: str, columns: Mapping[str, Any], rows: int, key: str) -> int | None:
    """The same with a box at each row; returns the place of the row that the reader ticked, if any."""
    event = _streamlit.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config=columns,
        height=_height(table, rows),
        alt=about,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
    )
    return next(iter(event["selection"]["rows"]), None)


def _height(table: Any, rows: int) -> int | str:
    """That of the content, or pixels for so many rows where there are more: a row cut in half shows that it goes on."""
    return "content" if len(getattr(table, "data", table)) <= rows else round(33 * (rows + 1.5))


def number(help_text: str = "", width: int | None = 64) -> Any:
    """The column of a score, 0 to 100, one decimal; as wide as its title where ``width`` is None."""
    return st.column_config.NumberColumn(help=help_text or None, format="%.1f", width=width)


def task_columns(card: MetricCard) -> dict[str, Any]:
    """The columns of the tasks' scores."""
    return {task: number(f"{card.title} of {_TASK_NAMES[task]}") for task in TASKS}


def task_title(task: str) -> str:
    """A task in words, as a choice of a list."""
    return task if task == OVERALL else f"{task} {_TASK_NAMES[task]}"


def percent(part: float, whole: float) -> str:
    """A share with its counts: ``2.5% (3 of 120)``; a dash where there is nothing to count."""
    return f"{100 * part / whole:.1f}% ({part:,.0f} of {whole:,.0f})" if whole > 0 else "–"


def interval(low: float | None, high: float | None) -> str:
    """A 95% interval in words; empty where there is none."""
    return "" if pd.isna(low) or pd.isna(high) else f"{low:.1f} to {high:.1f}"


def interval_chart(table: Frame, title: str, context: str | None = None, whole: Frame = None) -> Any:
    """Points with whiskers, one row for each ``label`` in the table's order.

    ``score``, ``low`` and ``high`` give point and whiskers, ``mark`` what a row is (its shape), and the column named by
    ``context``, if any, a short upright line to compare with. Where the table is a part of a ``whole``, the axis spans
    that.
    """
    order = list(table["label"])
    rows = alt.Y("label:N", sort=order, title=None, axis=_names_axis())
    scale = alt.Scale(domain=_domain(table if whole is None else whole, context), nice=False, zero=False)
    axis = alt.Axis(orient="top", grid=True, tickCount=5, labelColor=_ink(), titleColor=_ink())
    shapes = [mark for mark in _SHAPES if mark in set(table["mark"])]
    legend = alt.Legend(title=None, orient="bottom", symbolFillColor=_MARK) if len(shapes) > 1 else None
    tips = [
        alt.Tooltip("label:N", title="Name"),
        alt.Tooltip("score:Q", title=title, format=".1f"),
        alt.Tooltip("low:Q", title="95% from", format=".1f"),
        alt.Tooltip("high:Q", title="to", format=".1f"),
    ]
    base = alt.Chart(table).encode(y=rows, tooltip=tips)
    x = alt.X("score:Q", title=title, scale=scale, axis=axis)
    layers: list[alt.Chart] = [
        base.mark_rule(color=_MARK, strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    ]
    if context:
        layers.append(base.mark_tick(color=_MUTED, thickness=2, size=13).encode(x=alt.X(f"{context}:Q", scale=scale)))
    shape = alt.Shape("mark:N", legend=legend, scale=alt.Scale(domain=shapes, range=[_SHAPES[mark] for mark in shapes]))
    layers.append(base.mark_point(color=_MARK, fill=_MARK, size=55, opacity=1).encode(x=x, shape=shape))
    return alt.layer(*layers).properties(height=alt.Step(_step(len(table))))


def _step(rows: int) -> int:
    """Pixels for a row of a chart: few rows fill the height of a table, many come closer together."""
    return max(18, min(34, 620 // max(1, rows)))


def bar_chart(table: Frame, title: str) -> Any:
    """Bars of ``share``, all of one colour, in the table's order; ``what`` names each with its number."""
    axis = alt.Axis(tickCount=4, labelColor=_ink(), titleColor=_ink())
    return (
        alt.Chart(table)
        .mark_bar(color=_MARK, height=14)
        .encode(
            y=alt.Y("what:N", sort=list(table["what"]), title=None, axis=_names_axis()),
            x=alt.X("share:Q", title=title, scale=alt.Scale(domain=[0, 100]), axis=axis),
            tooltip=[alt.Tooltip("what:N", title="Kind")],
        )
        .properties(height=alt.Step(24))
    )


def _names_axis() -> alt.Axis:
    return alt.Axis(labelLimit=_LABEL_PIXELS, labelOverlap=False, labelFlush=False, labelColor=_ink(), ticks=False)


def _ink() -> str:
    """The colour of words in charts: the theme's own is too faint for names that matter."""
    return "#c9d2d5" if is_dark() else "#3a4449"


def heat(table: Frame, dark: bool) -> Any:
    """The table's numbers over a ramp from the lowest to the highest value, each printed in an ink that can be read."""
    low, high = float(table.min(numeric_only=True).min()), float(table.max(numeric_only=True).max())
    ramp = _DARK_RAMP if dark else _LIGHT_RAMP

    def style(value: float) -> str:
        if pd.isna(value):
            return ""
        ground = _between(*ramp, (value - low) / (high - low) if high > low else 0.5)
        ink = max(_INKS, key=lambda colour: _contrast(colour, ground))
        return f"background-color: {ground}; color: {ink}"

    numbers = list(table.select_dtypes("number").columns)
    return table.style.map(style, subset=numbers).format("{:.1f}", na_rep="–", subset=numbers)


def is_dark() -> bool:
    """Whether the reader sees the dark theme (light where the browser does not say)."""
    return st.context.theme.type == "dark"


def _domain(table: Frame, context: str | None) -> list[float]:
    """From a little below the lowest to a little above the highest value, within 0 to 100."""
    columns = ["score", "low", "high", *([context] if context else [])]
    low, high = float(table[columns].min().min()), float(table[columns].max().max())
    return [max(0.0, low - 3), min(100.0, high + 3)]


def _between(low: str, high: str, share: float) -> str:
    mixed = [round(a + (b - a) * share) for a, b in zip(_channels(low), _channels(high), strict=True)]
    return f"#{mixed[0]:02x}{mixed[1]:02x}{mixed[2]:02x}"


def _channels(colour: str) -> Sequence[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 defines it, 1 to 21."""
    lights = sorted(_luminance(colour) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    parts = [channel / 255 for channel in _channels(colour)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
