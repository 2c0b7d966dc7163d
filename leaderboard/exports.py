"""A view's table as CSV, JSON and LaTeX: the same rows and columns, safe to open in what they are meant for."""

from __future__ import annotations

from frames import Frame, pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def csv_text(table: Frame) -> str:
    """CSV with a header; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return table.map(_no_formula).to_csv(index=False)


def json_text(table: Frame) -> str:
    """A list of objects, one for each row, full precision, null where there is no value."""
    return table.to_json(orient="records", indent=1, force_ascii=False, double_precision=4) + "\n"


def latex_text(table: Frame, caption: str) -> str:
    """A LaTeX table (package booktabs), every text escaped, numbers with one decimal."""
    numeric = [pd.api.types.is_numeric_dtype(table[column]) for column in table.columns]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        rf"\begin{{tabular}}{{{''.join('r' if number else 'l' for number in numeric)}}}",
        r"\toprule",
        _line([str(column) for column in table.columns]),
        r"\midrule",
        *(_line([_cell(value) for value in row]) for row in table.itertuples(index=False)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A text without any character that LaTeX would act on."""
    return "".join(_LATEX.get(char, char) for char in text)


def _line(cells: list[str]) -> str:
    return " & ".join(escaped(cell) for cell in cells) + r" \\"


def _cell(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "--"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) > 100 else f"{value:.1f}"
    return str(value)


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
