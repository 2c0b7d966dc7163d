"""Scores: items, similarity, LF1 and its relatives, bootstrap, totals. Knows nothing of runs or files."""

from massie.scoring.aggregation import DIAGNOSTICS, SCORES, Interval, ScoreRow, totals
from massie.scoring.bootstrap import REPLICATES, SEED
from massie.scoring.samples import SampleScores, ScoredSample, lf1, score_sample, score_samples

__all__ = [
    "DIAGNOSTICS",
    "REPLICATES",
    "SCORES",
    "SEED",
    "Interval",
    "SampleScores",
    "ScoreRow",
    "ScoredSample",
    "lf1",
    "score_sample",
    "score_samples",
    "totals",
]
