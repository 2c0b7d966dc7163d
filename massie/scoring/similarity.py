"""Similarity of items: normalised Levenshtein similarity over their fields (paper, section 2.4).

``sim(y, g) = 1 - sum of Levenshtein(y_f, g_f) / sum of max(|y_f|, |g_f|)`` in code points, over the fields f of two
items of one direction; items of different directions have similarity 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance.Levenshtein import distance
from rapidfuzz.process import cdist

Fields = tuple[str, ...]

# From this many pairs on, one call that fills a matrix is cheaper than single calls.
_MATRIX_FROM = 64


def similarity(fields: Fields, others: Fields) -> float:
    """The similarity of two items' fields, 0 to 1 (two empty strings are equal)."""
    if len(fields) == 1:  # all tasks but RE; said shortly, since this is where scoring spends its time
        one, other = fields[0], others[0]
        length = max(len(one), len(other))
        return 1.0 - distance(one, other) / length if length else 1.0
    edits = length = 0
    for one, other in zip(fields, others, strict=True):
        edits += distance(one, other)
        length += max(len(one), len(other))
    return 1.0 - edits / length if length else 1.0


def similarities(rows: Sequence[Fields], columns: Sequence[Fields]) -> NDArray[np.float64]:
    """The similarity of every row's fields to every column's: shape (rows, columns)."""
    if len(rows) * len(columns) < _MATRIX_FROM:
        return np.array([[similarity(row, column) for column in columns] for row in rows], dtype=np.float64)
    edits = np.zeros((len(rows), len(columns)))
    length = np.zeros((len(rows), len(columns)))
    for field in range(len(rows[0])):
        left, right = [row[field] for row in rows], [column[field] for column in columns]
        edits += cdist(left, right, scorer=distance, dtype=np.int32)
        length += np.maximum.outer([len(text) for text in left], [len(text) for text in right])
    return 1.0 - np.divide(edits, length, out=np.zeros_like(edits), where=length > 0)
