"""The page of the board's state: benchmark versions, what was loaded, what was left out and why, how to submit."""

from __future__ import annotations

import streamlit as st
from controls import board
from frames import pd
from look import show
from ranking import benchmarks, of_benchmark
from table import RUNS, Board, folders_of_runs, short_path

from massie.catalogue import metric_cards

_SUBMIT = """
1. Run the system on all of a benchmark; the run's folder then holds `result.json` and `scores.parquet`.
2. Score it once more from the stored predictions, and look at it here.
3. Copy the two files to `runs/SYSTEM/BENCHMARK/` of the project, and open a pull request that adds that folder.

Partial results and results of other samples (another manifest digest) are shown, but never ranked.
"""
_COMMANDS = """massie run m-light --data DIR --adapter my_system.py:MyAdapter
massie score runs/local/my-system/m-light
massie leaderboard --runs runs/local"""


def page() -> None:
    """The page."""
    st.title("Status")
    results = board()
    _rejected(results)
    _benchmarks(results)
    _loaded(results)
    st.subheader("How to submit")
    st.markdown(_SUBMIT)
    st.code(_COMMANDS, language="bash", wrap_lines=True)
    _scores()


def _rejected(results: Board) -> None:
    st.subheader(f"Left out: {len(results.rejected)}")
    if not results.rejected:
        st.caption("Every result file that was found is on the board.")
        return
    st.caption("These files are not on the board; the others are not touched by them.")
    table = pd.DataFrame([(entry.id, entry.reason) for entry in results.rejected], columns=["Folder", "Reason"])
    show(table, "Results that were left out, with the reason", rows=10)
    with st.expander("Reasons in full"):
        for entry in results.rejected[:50]:
            st.text(f"{entry.id}: {entry.reason}")


def _benchmarks(results: Board) -> None:
    st.subheader("Benchmarks")
    rows: list[dict[str, object]] = []
    for benchmark in benchmarks(results):
        systems = of_benchmark(results, benchmark)
        rows.append(
            {
                "Benchmark": benchmark.id,
                "Version": benchmark.version,
                "Split": benchmark.split,
                "Results": benchmark.systems,
                "Ranked": int((systems["state"] == "").sum()),
                "Manifest digest": benchmark.digest,
            }
        )
    if rows:
        show(pd.DataFrame(rows), "Benchmarks with the number of results")
    else:
        st.caption("None yet.")


def _loaded(results: Board) -> None:
    st.subheader(f"Loaded: {len(results.systems)}")
    st.caption(f"Looked for below these folders (the variable {RUNS} names them):")
    st.code("\n".join(short_path(folder) for folder in folders_of_runs()), language=None, wrap_lines=True)
    if results.systems.empty:
        return
    table = results.systems[["id", "name", "benchmark", "version", "split", "created", "massie_version"]]
    titles = ["Folder", "System", "Benchmark", "Version", "Split", "Made", "MASSIE"]
    table = table.set_axis(titles, axis="columns")
    show(table, "Loaded results", rows=10)


def _scores() -> None:
    st.subheader("What the scores mean")
    cards = metric_cards().values()
    better = {"higher": "higher", "lower": "lower", "neutral": "neither"}
    rows = [(card.title, card.summary, better[card.direction], card.source) for card in cards]
    show(pd.DataFrame(rows, columns=["Score", "Meaning", "Better", "Source"]), "The scores and what they mean", rows=20)
    with st.expander("Formulas"):
        for card in cards:
            st.caption(card.title)
            st.code(card.formula, language=None, wrap_lines=True)
