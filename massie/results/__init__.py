"""Results: scores of a run at every level, and the files that hold them."""

from massie.results.making import RESULT, finish_run, without_places
from massie.results.schema import Result, Row, read_result, write_result
from massie.results.scores import Scores, aggregate, diagnostics_rates, score

__all__ = [
    "RESULT",
    "Result",
    "Row",
    "Scores",
    "aggregate",
    "diagnostics_rates",
    "finish_run",
    "read_result",
    "score",
    "without_places",
    "write_result",
]
