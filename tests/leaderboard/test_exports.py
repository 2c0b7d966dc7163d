from __future__ import annotations

import json

from exports import csv_text, json_text, latex_text
from frames import pd


def test_csv_defuses_what_a_spreadsheet_would_run() -> None:
    table = pd.DataFrame({"System": ["=1+2", "-x", "plain"], "LF1": [-1.5, 2.0, 3.0]})
    assert csv_text(table).splitlines() == ["System,LF1", "'=1+2,-1.5", "'-x,2.0", "plain,3.0"]


def test_json_keeps_numbers_and_says_null() -> None:
    table = pd.DataFrame({"System": ["<b>"], "LF1": [float("nan")], "Rank": pd.array([None], dtype="Int64")})
    assert json.loads(json_text(table)) == [{"System": "<b>", "LF1": None, "Rank": None}]


def test_latex_escapes_every_text() -> None:
    table = pd.DataFrame({"System": [r"\input{x} & 50% $_^~#<>"], "LF1": [62.34]})
    cell = r"\textbackslash{}input\{x\} \& 50\% \$\_\textasciicircum{}\textasciitilde{}\#\textless{}\textgreater{}"
    lines = latex_text(table, "a_b").splitlines()
    assert rf"{cell} & 62.3 \\" in lines
    assert r"\caption{a\_b}" in lines
    assert r"\begin{tabular}{lr}" in lines
