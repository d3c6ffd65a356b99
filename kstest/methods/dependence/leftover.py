"""What the given columns leave of every tested block, as smoothed kernel features.

First the location is taken out of every column, out of fold (`location`); then kernel features of
what remains are smoothed once more over the given columns, one by one (`kstest.engine.smoothers`),
because not only the mean of a block may vary with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine.residuals import Basis
from ...kernels import KERNELS, MISMATCH, Rows, scale_columns
from .. import common
from . import smoothing
from .column_blocks import Block
from .conditional import Given
from .jumps import fast_changes
from .landmarks import kernel_features, median_distance, principal, spread_rows
from .learners import Columns, indicators
from .location import Location, locate

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Bandwidths of the tested blocks in median distances, landmark rows, and components kept.
BLOCK_WIDTHS, BLOCK_LANDMARKS = (0.6, 1.5), 30
SHARE, MOST_COMPONENTS = 0.99, 15
# Components of the kernel of the given columns that is a third factor.
FACTOR_LANDMARKS, MOST_FACTORS = 60, 8
# Smoothers that are sums of functions of predicted columns: of how many, and their landmark rows.
MOST_PREDICTED, PREDICTED_LANDMARKS = 8, 15


@frozen
class Targets:
    """The tested columns as numbers, in the order of the test, and what was learned of each.

    Attributes
    ----------
    rows : ndarray of int (n,)
        That order.
    size : int
        Rows of a unit, consecutive ones in that order.
    given : Columns
        The given columns.
    values : ndarray (n, t)
        Scaled numbers, and an indicator per level of a category.
    names : tuple of str (t,)
        Column of the table.
    numeric : ndarray of bool (t,)
        Whether a column is a number.
    location : Location
    steep, stepped : ndarray of bool (n, t)
        Rows where the prediction of a column changes fast, and at a step; see `jumps`.
    """

    rows: Index
    size: int
    given: Columns
    values: Array
    names: tuple[str, ...]
    numeric: NDArray[np.bool_]
    location: Location
    steep: NDArray[np.bool_]
    stepped: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        columns: Sequence[Block],
        given: Given,
        rows: Index,
        size: int,
        scale: str,
        rng: np.random.Generator,
    ) -> Targets:
        """Learn every column, a block of its own each, from the given ones."""
        known = Columns.of(given.rows.take(rows))
        parts, names, numeric = [], [], []
        for block in columns:
            scaled = block.scaled(scale).take(rows)
            found = [scaled.values, *(indicators(codes) for codes in scaled.codes.T)]
            for part, number in zip(found, [True] + [False] * len(found), strict=False):
                parts.append(part)
                names += [block.names[0]] * part.shape[1]
                numeric += [number] * part.shape[1]
        values = np.hstack(parts)
        location = locate(known, values, np.arange(len(rows)) // size, rng)
        changes = fast_changes(known.numbers, location, values - location.predicted)
        kinds = tuple(names), np.array(numeric)
        return cls(rows, size, known, values, *kinds, location, *changes)

    def rows_of(self, mask: NDArray[np.bool_], blocks: Sequence[Block]) -> NDArray[np.bool_]:
        """Rows that a mask (n, t) has for any column of each block; shape (L, n)."""
        return np.array([mask[:, self.of_block(block.names)].any(axis=1) for block in blocks])

    def of_block(self, names: Sequence[str]) -> Index:
        """Positions of the columns of a block."""
        return np.flatnonzero([name in names for name in self.names])

    def residuals(self, names: Sequence[str], scale: str, cityblock: bool) -> Array:
        """What is left of a block's columns, numbers in units of their spread; shape (n, k)."""
        chosen = self.of_block(names)
        out = self.values[:, chosen] - self.location.predicted[:, chosen]
        number = self.numeric[chosen]
        out[:, number] = scale_columns(out[:, number], scale)
        if cityblock:  # rows of different levels differ in two indicators
            out[:, ~number] *= MISMATCH["cityblock"] / 2
        return out


def smoother_bases(given: Given, targets: Targets) -> list[Basis]:
    """Bases over the given columns, in the order of the test, and over what was predicted."""
    found = [basis.take(targets.rows) for basis in given.bases]
    predicted = targets.location.predicted
    if predicted.shape[1] <= MOST_PREDICTED:
        numbers, every = given.rows.values[targets.rows], np.arange(len(targets.rows))
        parts = [predicted]
        for column in predicted.T:
            rows = Rows.of(np.ascontiguousarray(column[:, None]))
            marks = spread_rows(rows, every, PREDICTED_LANDMARKS)
            width = median_distance(rows, every)
            parts.append(kernel_features(rows, KERNELS["gaussian"], width, marks))
        found.append(smoothing.basis(np.hstack(parts), numbers))
    return found


def block_features(
    rows: Array, kernel: str, rule: str, rng: np.random.Generator
) -> tuple[list[Array], list[float | None]]:
    """Principal components of a kernel's features of residual rows, per bandwidth."""
    known = KERNELS[kernel]
    everything = Rows.of(np.ascontiguousarray(rows))
    index = np.arange(len(rows))
    if not known.has_bandwidth:
        widths: list[float | None] = [None]
    elif rule in ("aggregate", "median"):
        (grid,) = common.grids(everything, kernel, "median", "octaves", rng)
        factors = BLOCK_WIDTHS if rule == "aggregate" else (1.0,)
        widths = [factor * grid.bandwidths[0] for factor in factors]
    else:
        widths = list(common.bandwidth_numbers(rule))
    marks = spread_rows(everything, index, BLOCK_LANDMARKS)
    found = [
        principal(kernel_features(everything, known, h or 1.0, marks), SHARE, MOST_COMPONENTS)
        for h in widths
    ]
    return found, widths


def factor_features(given: Given, rows: Index) -> Array:
    """Components of a kernel of the given columns, for dependences that change with them."""
    ordered = given.rows.take(rows)
    marks = spread_rows(ordered, np.arange(len(rows)), FACTOR_LANDMARKS)
    features = kernel_features(ordered, KERNELS["gaussian"], given.width, marks)
    return principal(features, SHARE, MOST_FACTORS)
