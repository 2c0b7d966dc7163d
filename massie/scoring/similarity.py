"""Similarity of items: normalised Levenshtein similarity over their fields (paper, section 2.4).

``sim(y, g) = 1 - sum of Levenshtein(y_f, g_f) / sum of max(|y_f|, |g_f|)`` in code points, over the fields f of two
items of one direction; items of different directions have similarity 0.

What is found between many rows and many columns is found in blocks of rows, so that an answer of a million records
takes time in proportion, and no more memory than its strings do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance.Levenshtein import distance, normalized_similarity
from rapidfuzz.process import cdist

from massie.scoring.items import Item

Fields = str | tuple[str, str]
"""What is compared of an item: its span, or the head and the tail of a relation."""

Array = NDArray[np.float64]

# From this many pairs on, one call that fills a matrix is cheaper than single calls.
_MATRIX_FROM = 16
# So many pairs are compared at once: a matrix of 8 MiB.
_PAIRS_AT_ONCE = 1 << 20


def fields_of(item: Item) -> Fields:
    """What is compared of an item."""
    return item[1] if len(item) == 2 else item[1:]


def similarity(fields: Fields, others: Fields) -> float:
    """The similarity of two items' fields, of equally many, 0 to 1 (two empty strings are equal)."""
    if isinstance(fields, str):
        return normalized_similarity(fields, others)
    edits = length = 0
    for one, other in zip(fields, others, strict=True):
        edits += distance(one, other)
        length += max(len(one), len(other))
    return 1.0 - edits / length if length else 1.0


def similarities(rows: Sequence[Fields], columns: Sequence[Fields]) -> Array:
    """The similarity of every row's fields to every column's: shape (rows, columns)."""
    if len(rows) * len(columns) < _MATRIX_FROM:
        return np.array([[similarity(row, column) for column in columns] for row in rows], dtype=np.float64)
    if isinstance(rows[0], str):
        return cdist(rows, columns, scorer=normalized_similarity, dtype=np.float64)
    edits = np.zeros((len(rows), len(columns)))
    length = np.zeros((len(rows), len(columns)))
    for field in range(len(rows[0])):
        left, right = [row[field] for row in rows], [column[field] for column in columns]
        edits += cdist(left, right, scorer=distance, dtype=np.int32)
        length += np.maximum.outer([len(text) for text in left], [len(text) for text in right])
    return 1.0 - np.divide(edits, length, out=np.zeros_like(edits), where=length > 0)


def best_similarities(rows: Sequence[Fields], columns: Sequence[Fields]) -> tuple[list[float], list[float]]:
    """For every row its greatest similarity to a column, and for every column its greatest to a row.

    Neither side may be empty.
    """
    if len(columns) > len(rows):
        of_columns, of_rows = best_similarities(columns, rows)
        return of_rows, of_columns
    if len(rows) * len(columns) < _MATRIX_FROM:
        values = [[similarity(row, column) for column in columns] for row in rows]
        return list(map(max, values)), list(map(max, zip(*values, strict=True)))
    if len(rows) * len(columns) <= _PAIRS_AT_ONCE:
        return _greatest(similarities(rows, columns))
    of_rows: list[float] = []
    of_columns = np.zeros(len(columns))
    for _, block in _blocks(rows, columns):
        of_rows += np.maximum.reduce(block, axis=1).tolist()
        of_columns = np.maximum(of_columns, np.maximum.reduce(block, axis=0))
    return of_rows, of_columns.tolist()


def best_assignment(rows: Sequence[Fields], columns: Sequence[Fields]) -> tuple[list[float], list[float], float]:
    """What ``best_similarities`` gives, and the greatest sum of similarities of pairs of a row and a column.

    In that sum each row and each column stands once at most.
    """
    if len(columns) > len(rows):
        of_columns, of_rows, matched = best_assignment(columns, rows)
        return of_rows, of_columns, matched
    if len(columns) == 1:
        values = [similarity(row, columns[0]) for row in rows]
        return values, [max(values)], max(values)
    if len(rows) * len(columns) > _PAIRS_AT_ONCE:
        return _best_assignment_by_blocks(rows, columns)
    from scipy.optimize import linear_sum_assignment  # large, and a run that only asks does without

    matrix = similarities(rows, columns)
    matched = fsum(matrix[linear_sum_assignment(matrix, maximize=True)].tolist())
    return *_greatest(matrix), matched


def _greatest(matrix: Array) -> tuple[list[float], list[float]]:
    """The greatest value of every row and of every column."""
    # As matrix.max(), which takes half as long again to get here.
    return np.maximum.reduce(matrix, axis=1).tolist(), np.maximum.reduce(matrix, axis=0).tolist()


def _blocks(rows: Sequence[Fields], columns: Sequence[Fields]) -> Iterator[tuple[int, Array]]:
    """The matrix of similarities some rows at a time, each time with the number of the first."""
    step = max(1, _PAIRS_AT_ONCE // len(columns))
    for start in range(0, len(rows), step):
        yield start, similarities(rows[start : start + step], columns)


def _best_assignment_by_blocks(
    rows: Sequence[Fields], columns: Sequence[Fields]
) -> tuple[list[float], list[float], float]:
    """``best_assignment`` where rows are many, from the n rows most similar to each of the n columns.

    Of these a best assignment can be made: where one pairs a column with another row, the other n - 1 columns leave one
    of the column's own n rows free, and to pair it with that one is no worse.
    """
    number = len(columns)
    of_rows: list[float] = []
    strongest = np.empty((0, number))
    places: NDArray[np.intp] = np.empty((0, number), dtype=np.intp)
    weakest = np.full(number, -1.0)
    for start, block in _blocks(rows, columns):
        of_rows += np.maximum.reduce(block, axis=1).tolist()
        stronger = np.flatnonzero((block > weakest).any(axis=1))
        strongest = np.concatenate([strongest, block[stronger]])
        places = np.concatenate([places, np.repeat(start + stronger[:, None], number, axis=1)])
        if len(strongest) > number:
            kept = np.argpartition(strongest, -number, axis=0)[-number:]
            strongest, places = np.take_along_axis(strongest, kept, axis=0), np.take_along_axis(places, kept, axis=0)
            weakest = strongest.min(axis=0)
    pairs = _assigned(strongest, places)
    matched = fsum(similarity(rows[row], columns[column]) for row, column in pairs)
    return of_rows, strongest.max(axis=0).tolist(), matched


def _assigned(values: Array, places: NDArray[np.intp]) -> list[tuple[int, int]]:
    """The pairs (row, column) of the best assignment: ``values[:, c]`` are column c's to the rows ``places[:, c]``."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    numbers, rows = np.unique(places.T, return_inverse=True)
    starts = np.arange(len(places.T) + 1) * len(places)
    # In a sparse matrix 0 is no pair; a pair of similarity 0 is one, so that every column has a partner.
    sparse = csr_array((values.T.ravel() + 1.0, rows.ravel(), starts))
    columns, chosen = min_weight_full_bipartite_matching(sparse, maximize=True)
    return list(zip(numbers[chosen].tolist(), columns.tolist(), strict=True))
