"""Learners of one column from the given ones: what each predicts for all rows, from some of them.

They are candidates for the location that `location` takes out; which one is right for a column is
decided there, out of fold. Straight lines, a function of one straight line (single index),
functions of all given columns together or sums of functions of one (kernel ridge regression on
landmark rows), and boosted regression trees, whose split points are exact: those of binned values
blur a step.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...kernels import KERNELS, Rows
from .landmarks import kernel_features, median_distance, spread_rows

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MEAN, LINE, INDEX, SMOOTH, ADDITIVE, TREES = (
    "mean", "straight line", "function of a straight line", "smooth function", "sum of functions",
    "trees",
)  # fmt: skip

# Levels of a category that are columns of their own.
MOST_LEVELS = 100
# Landmark rows of a kernel ridge regression, of all columns or of one; widths in median distances.
LANDMARKS, FEW_LANDMARKS = 100, 30
WIDTHS, INDEX_WIDTHS, ADDITIVE_WIDTH = (1.0, 0.3, 0.1), (1.0, 0.3), 0.5
PENALTIES = np.geomspace(1e-4, 1e2, 13)
# Directions of features of smaller eigenvalues than this share of the largest are rounding.
RANK = 1e-9
# Boosted trees: depth, rows per leaf, learning rate, and rounds after which they predict.
DEPTH, LOOP, RATE, ROUNDS = 4, 5, 0.15, (10, 30, 80)
GAUSSIAN = KERNELS["gaussian"]


@frozen
class Columns:
    """The given columns as learners take them.

    Attributes
    ----------
    rows : Rows
        Scaled, for kernels.
    numbers : ndarray (n, k)
        Numeric columns and an indicator per frequent level of the others.
    """

    rows: Rows
    numbers: Array

    @classmethod
    def of(cls, rows: Rows) -> Columns:
        """Take scaled rows."""
        return cls(rows, np.hstack([rows.values, *map(indicators, rows.codes.T)]))

    def __len__(self) -> int:
        return len(self.rows)


def indicators(codes: NDArray[np.int32], most: int = MOST_LEVELS) -> Array:
    """A column of 0 and 1 per level, the `most` frequent ones; shape (n, levels)."""
    levels, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    kept = np.argsort(-counts, kind="stable")[:most]
    return np.asarray(place[:, None] == np.sort(kept)[None, :], np.float64)[:, : len(levels)]


def smooth_learners(
    given: Columns, targets: Array, train: Index, families: frozenset[str]
) -> Iterator[tuple[str, Array]]:
    """Fit everything but trees on some rows.

    Parameters
    ----------
    given : Columns
    targets : ndarray (n, t)
    train : ndarray of int
        Rows that are learned from.
    families : frozenset of str
        Those wanted.

    Yields
    ------
    str, ndarray (n, t)
        Family, and predictions for every row.
    """
    mean = targets[train].mean(axis=0)
    yield MEAN, np.broadcast_to(mean, targets.shape)
    line = straight_line(given.numbers, targets, train)
    yield LINE, line
    left = targets - line
    many = given.numbers.shape[1] > 1
    if many and INDEX in families:
        for width in INDEX_WIDTHS:
            parts = [
                _of_one(line[:, [t]], left[:, [t]], train, width) for t in range(line.shape[1])
            ]
            yield INDEX, line + np.hstack(parts)
    if SMOOTH in families:
        marks = spread_rows(given.rows, train, LANDMARKS)
        scale = median_distance(given.rows, train)
        for width in WIDTHS:
            yield (
                SMOOTH,
                line
                + ridge(kernel_features(given.rows, GAUSSIAN, width * scale, marks), left, train),
            )
    if many and ADDITIVE in families and given.rows.values.shape[1] > 1:
        yield ADDITIVE, line + ridge(additive(given.rows, train), left, train)


def straight_line(X: Array, targets: Array, train: Index) -> Array:
    """Ordinary least squares with a constant."""
    design = np.hstack([np.ones((len(X), 1)), X])
    return np.asarray(design @ np.linalg.lstsq(design[train], targets[train], rcond=None)[0])


def additive(rows: Rows, train: Index) -> Array:
    """Features of one-column kernels side by side."""
    few = max(3, LANDMARKS // rows.values.shape[1])
    parts = []
    for column in rows.values.T:
        one = Rows.of(np.ascontiguousarray(column[:, None]))
        marks = spread_rows(one, train, min(few, FEW_LANDMARKS))
        width = ADDITIVE_WIDTH * median_distance(one, train)
        parts.append(kernel_features(one, GAUSSIAN, width, marks))
    return np.hstack(parts)


def _of_one(column: Array, targets: Array, train: Index, width: float) -> Array:
    rows = Rows.of(np.ascontiguousarray(column))
    marks = spread_rows(rows, train, FEW_LANDMARKS)
    scale = median_distance(rows, train)
    return ridge(kernel_features(rows, GAUSSIAN, width * scale, marks), targets, train)


def ridge(
    features: Array,
    targets: Array,
    train: Index,
    penalties: Array = PENALTIES,
    at: Index | None = None,
) -> Array:
    """Ridge regression with a constant, the penalty of each target by cross-validation (GCV).

    Learned from the rows `train`; predictions for the rows `at`, all by default.
    """
    centre, middle = features[train].mean(axis=0), targets[train].mean(axis=0)
    X, T = features[train] - centre, targets[train] - middle
    values, vectors = np.linalg.eigh(X.T @ X)
    values = np.maximum(values, RANK * max(float(values[-1]), 1e-300))
    along = vectors.T @ (X.T @ T)
    damping = 1 / (1 + penalties[:, None] / values)
    squares = along**2 / values[:, None]
    left = np.einsum("ij,ij->j", T, T) - (1 - (1 - damping) ** 2) @ squares
    score = left / np.maximum(1 - (1 + damping.sum(axis=1)) / len(train), 1e-12)[:, None] ** 2
    chosen = damping[score.argmin(axis=0)].T
    asked = features if at is None else features[at]
    return np.asarray((asked - centre) @ (vectors @ (chosen * along / values[:, None])) + middle)


def trees(X: Array, target: Array, train: Index, seed: int) -> list[Array]:
    """Predictions of boosted trees for every row, after each number of rounds of `ROUNDS`.

    Parameters
    ----------
    X : ndarray (n, k)
    target : ndarray (n,)
    train : ndarray of int
    seed : int
        Of the order in which equally good splits are tried.
    """
    from sklearn.tree import DecisionTreeRegressor

    single = X.astype(np.float32)
    some, left = single[train], target[train] - target[train].mean()
    total, found = np.full(len(X), target[train].mean()), []
    for round_ in range(1, max(ROUNDS) + 1):
        tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=LOOP, random_state=seed)
        tree.fit(some, left, check_input=False)
        step = RATE * tree.tree_.predict(single)[:, 0]
        total = total + step
        left = left - step[train]
        if round_ in ROUNDS:
            found.append(total)
    return found
