"""Scores: items, similarity, LF1 and its relatives, bootstrap, totals. Knows nothing of runs or files."""

from massie.scoring.aggregation import Interval, ScoreRow, totals
from massie.scoring.bootstrap import REPLICATES, SEED
from massie.scoring.cells import (
    DIAGNOSTICS,
    MEANS,
    SCORES,
    CellScores,
    CellTotals,
    ScoredSample,
    cell_scores,
    cell_totals,
    score_samples,
)
from massie.scoring.levels import Levels
from massie.scoring.records import MicroScores, lf1, micro_f1
from massie.scoring.samples import SampleScores, score_sample

__all__ = [
    "DIAGNOSTICS",
    "MEANS",
    "REPLICATES",
    "SCORES",
    "SEED",
    "CellScores",
    "CellTotals",
    "Interval",
    "Levels",
    "MicroScores",
    "SampleScores",
    "ScoreRow",
    "ScoredSample",
    "cell_scores",
    "cell_totals",
    "lf1",
    "micro_f1",
    "score_sample",
    "score_samples",
    "totals",
]
