"""What drives a Stein discrepancy: columns, and places where the Stein witness is largest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.stein import SteinPoints, pair_numbers
from ...errors import UsageError
from ...findings import Finding
from ...kernels import BandwidthGrid
from ..by_column import drivers

Array = NDArray[np.float64]

# Rows that are looked at; the explanation is no test and does not need all of them.
MOST_ROWS = 1000
PLACES, MOST_PLACES = 3, 50


def places(text: str) -> int:
    """Read --explain: the number of places.

    Raises
    ------
    UsageError
        For a text that is not one of its three forms.
    """
    if text in ("auto", "none"):
        return PLACES if text == "auto" else 0
    number = text.removeprefix("places=")
    if number == text or not number.isdecimal() or not 1 <= int(number) <= MOST_PLACES:
        raise UsageError(
            f"--explain {text!r}: give auto, none, or places=K with K from 1 to {MOST_PLACES}"
        )
    return int(number)


def explain(
    points: SteinPoints,
    order: NDArray[np.int64],
    grid: BandwidthGrid,
    X: Array,
    columns: tuple[str, ...],
    numbers: NDArray[np.int64],
    count: int = PLACES,
    said: int = 1,
) -> tuple[Finding, ...]:
    """Return the share of each column and the places where the witness is largest.

    Parameters
    ----------
    points : SteinPoints
        In random order, or in that of the file.
    order : ndarray of int
        Row of the data of each point.
    grid : BandwidthGrid
        Of one bandwidth.
    X : ndarray (n, d)
        The data in their own units.
    columns : tuple of str
    numbers : ndarray of int (n,)
        Number of each row of the data in its file.
    count, said : int
        Places at most, and how many are said in words; each place is a
        bandwidth or more away from those before it.

    Notes
    -----
    The Stein kernel is a sum over coordinates; the share of a column is its part of the sum over
    pairs, negative parts counted as 0. The witness at a place v is the mean over rows of
    s(x) k(x, v) + grad k(x, v) = E[(s_p - s_q) k(x, v)]; its squared length is what the finite
    set Stein discrepancy adds up over its test locations (Jitkrittum et al. 2017, arXiv
    1705.07673). Positive in a column: the target has more of its mass at larger values.
    """
    if len(points) > MOST_ROWS:
        index = np.linspace(0, len(points) - 1, MOST_ROWS).astype(np.int64)
        points, order = points.take(index), order[index]
    parts, witness = contributions(points, grid)
    share = np.maximum(parts, 0)
    share = share / share.sum() if share.sum() > 0 else share
    ranked = np.argsort(-share, kind="stable")
    return drivers(
        [{"column": columns[c], "share": float(share[c])} for c in ranked],
        [
            _place(i, witness, order, X, columns, numbers)
            for i in _separated(points, witness, grid.bandwidths[0], count)
        ],
        said,
    )


def witness_at_rows(points: SteinPoints, grid: BandwidthGrid) -> Array:
    """Return the witness at every row, leaving that row out, (n, d); see `explain`."""
    return contributions(points, grid)[1]


def contributions(points: SteinPoints, grid: BandwidthGrid) -> tuple[Array, Array]:
    """Return each coordinate's mean over pairs i != j, (d,), and the witness of rows, (n, d)."""
    n = len(points)
    whole = slice(0, n)
    pairs = pair_numbers(points, whole, whole)
    derivatives = grid.kernel.derivatives
    assert derivatives is not None
    phi, first, second = derivatives(pairs.r2, float(grid.factors[0]))
    for values in (phi, first, second):
        np.fill_diagonal(values, 0)
    X, S, pull, push = points.rows, points.scores, first.sum(axis=0), second.sum(axis=0)
    by_score, by_row = phi @ S, first @ X
    # On a line delta = x_i - x_j, so sums over pairs come apart into products of matrices.
    total = np.einsum("ic,ic->c", S, by_score) + pull.sum()
    total += 2 * (pull @ (S * X) - np.einsum("ic,ic->c", S, by_row))
    total -= 2 * (push @ X**2 - np.einsum("ic,ic->c", X, second @ X))
    # grad_x k = 2 phi' r, and `first` is -2 phi'.
    witness = by_score - (by_row - pull[:, None] * X)
    for c in np.flatnonzero(np.isfinite(points.radius)):
        s, radius = S[:, c], points.radius[c]
        turn = (X[:, c, None] - X[None, :, c]) / radius
        delta = radius * np.sin(turn)
        u = phi * s[:, None] * s + first * ((s[:, None] - s) * delta + np.cos(turn))
        total[c] = (u - second * delta**2).sum()
        witness[:, c] = s @ phi - (first * delta).sum(axis=0)
    return total / (n * (n - 1)), witness / (n - 1)


def _separated(points: SteinPoints, witness: Array, bandwidth: float, count: int) -> list[int]:
    """Rows of largest witness, none nearer than a bandwidth to one before it."""
    size = np.einsum("ij,ij->i", witness, witness)
    chosen: list[int] = []
    places = points.embedded()
    for i in np.argsort(-size, kind="stable"):
        near = [np.linalg.norm(places[i] - places[j]) < bandwidth for j in chosen]
        if not any(near):
            chosen.append(int(i))
        if len(chosen) == count:
            break
    return chosen


def _place(
    i: int,
    witness: Array,
    order: NDArray[np.int64],
    X: Array,
    columns: tuple[str, ...],
    numbers: NDArray[np.int64],
) -> dict[str, object]:
    c = int(np.argmax(np.abs(witness[i])))
    row = int(order[i])
    return {
        "row": int(numbers[row]),
        "column": columns[c],
        "value": float(X[row, c]),
        "witness": float(witness[i, c]),
        "target_has_more": "above" if witness[i, c] > 0 else "below",
    }
