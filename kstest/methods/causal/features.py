"""Outcomes and covariates as features of kernels.

The outcome kernels see the outcome as it is, and less what the covariates predict of it: a change
of its distribution given the covariates is blurred in the former by all that these explain.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...kernels import KERNELS, Rows
from ...kernels.bandwidths import pair_distances
from ..dependence.column_blocks import Block
from ..dependence.landmarks import kernel_features, median_distance, spread_rows
from ..dependence.learners import additive, indicators
from .nuisances import leftover
from .quantiles import below

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Bandwidths of the outcome kernel, in median distances; landmark rows of one column and of several.
BANDWIDTHS = (4.0, 2.0, 1.0, 0.5, 0.25)
LANDMARKS, MANY_LANDMARKS = 40, 60
# Landmark rows of the covariates: a tenth of the rows, at most so many; of fewer rows, none.
COVARIATE_LANDMARKS, FEW_ROWS = 100, 50
# Spreads beyond which covariates, and outcomes that are predicted, are compressed.
FAR = 5.0
# Columns at most that have features of their own.
MOST_SINGLE = 20
GAUSSIAN = KERNELS["gaussian"]


@frozen
class OutcomeFeatures:
    """Features of the outcome kernels, all side by side, then what distribution functions are
    means of, then the outcomes themselves.

    Attributes
    ----------
    values : ndarray (n, D + k)
        The k numeric outcomes, for mean differences, in the units of `units`.
    blocks : tuple of slice
        Columns of each kernel.
    bandwidths : tuple of float
        In units of the scaled outcomes.
    residual : tuple of bool
        Whether the kernel sees what the covariates leave of the outcomes.
    sizes : ndarray
        Root mean square of each kernel between different rows.
    points : ndarray (p,)
        Where distribution functions are wanted.
    below : slice
        Columns of 1 where the outcome is at most the point.
    means : slice
        Columns of the outcomes.
    units : ndarray (k,)
    """

    values: Array
    blocks: tuple[slice, ...]
    bandwidths: tuple[float, ...]
    residual: tuple[bool, ...]
    sizes: Array
    points: Array
    below: slice
    means: slice
    units: Array


def outcome_features(
    block: Block,
    X: Array,
    rng: np.random.Generator,
    points: Array,
    groups: Index | None = None,
) -> OutcomeFeatures:
    """Nystrom features of Gaussian kernels of several bandwidths around the median distance.

    Parameters
    ----------
    block : Block
        The outcomes, n rows.
    X : ndarray (n, p)
        Features of the covariates. If there are any, and an outcome is a number, kernels of what
        they leave of it follow those of the outcome.
    rng : numpy.random.Generator
    points : ndarray (p,)
        Where distribution functions are wanted.
    groups : ndarray of int (n,), optional
        Rows of a group are predicted from other groups.

    Notes
    -----
    The treatment is not looked at: if it does nothing, features of both kinds have the same
    distribution given the covariates in both arms, however bad the predictions are.
    """
    rows = block.scaled("robust")
    kinds = [rows]
    if X.shape[1] and rows.values.shape[1]:
        left = leftover(X, bounded(rows.values), rng, groups)
        kinds.append(Rows(np.ascontiguousarray(left), rows.codes))
    parts, bandwidths, residual = [], [], []
    for kind in kinds:
        everything = np.arange(len(block))
        alone = kind.values.shape[1] + kind.codes.shape[1] == 1
        marks = spread_rows(kind, everything, LANDMARKS if alone else MANY_LANDMARKS)
        median = _distance(kind, everything)
        for factor in BANDWIDTHS:
            parts.append(kernel_features(kind, GAUSSIAN, factor * median, marks))
            bandwidths.append(factor * median)
            residual.append(kind is not rows)
    ends = [0, *np.cumsum([part.shape[1] for part in parts]).tolist()]
    units = np.abs(block.values).max(axis=0, initial=0.0)
    units[units == 0] = 1.0
    steps = [below(block.values[:, 0], points)] if len(points) else []
    values = np.hstack([*parts, *steps, block.values / units])
    middle = ends[-1] + len(points)
    return OutcomeFeatures(
        values,
        tuple(itertools.starmap(slice, itertools.pairwise(ends))),
        tuple(bandwidths),
        tuple(residual),
        np.array([_size(part) for part in parts]),
        points,
        slice(ends[-1], middle),
        slice(middle, values.shape[1]),
        units,
    )


def bounded(values: Array) -> Array:
    """Values beyond `FAR` compressed logarithmically, which keeps their order."""
    size = np.abs(values)
    return np.where(
        size > FAR, np.sign(values) * (FAR + np.log1p(np.maximum(size - FAR, 0))), values
    )


def _distance(rows: Rows, some: Index) -> float:
    """Median distance; of the pairs that differ, where more than half are ties; 1 if all are."""
    median = median_distance(rows, some)
    if median > 0:
        return median
    step = max(1, len(some) // 500)
    distances = np.asarray(pair_distances(rows.take(some[::step]), "euclidean"))
    return float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0


def _size(features: Array, most: int = 300) -> float:
    few = features[:: max(1, len(features) // most)]
    table = few @ few.T
    off = table[~np.eye(len(few), dtype=bool)]
    return float(np.sqrt(np.mean(off**2))) if len(off) else 0.0


@frozen
class CovariateFeatures:
    """What outcomes and treatment are predicted from.

    Attributes
    ----------
    values : ndarray (n, p)
        Straight lines (numbers, an indicator per level), then features of a Gaussian kernel, then
        of kernels of single columns.
    joint : int
        Features before the last part: the treatment is predicted from these.
    names : tuple of str
        Of the straight lines.
    """

    values: Array
    joint: int
    names: tuple[str, ...]


def covariate_features(block: Block) -> CovariateFeatures:
    """Scaled columns, an indicator per level and for missing cells, and Nystrom features."""
    rows = block.scaled("robust")
    rows = Rows(np.ascontiguousarray(bounded(rows.values)), rows.codes)
    levels = [indicators(column) for column in rows.codes.T]
    lines = np.hstack([rows.values, *levels])
    n, everything = len(rows), np.arange(len(rows))
    names = _names(block, [part.shape[1] for part in levels])
    width = median_distance(rows, everything) if n >= FEW_ROWS and lines.shape[1] else 0.0
    if not width > 0:
        return CovariateFeatures(lines, lines.shape[1], names)
    marks = spread_rows(rows, everything, min(COVARIATE_LANDMARKS, n // 10))
    joint = np.hstack([lines, kernel_features(rows, GAUSSIAN, width, marks)])
    return CovariateFeatures(np.hstack([joint, *_single(rows)]), joint.shape[1], names)


def _single(rows: Rows) -> list[Array]:
    """Features of every column by itself, where several columns have more than a few values."""
    everything = np.arange(len(rows))
    parts = [Rows.of(np.ascontiguousarray(column[:, None])) for column in rows.values.T]
    varied = [k for k, part in enumerate(parts) if median_distance(part, everything) > 0]
    if not 1 < len(varied) <= MOST_SINGLE:
        return []
    return [additive(Rows.of(np.ascontiguousarray(rows.values[:, varied])), everything)]


def _names(block: Block, counts: Sequence[int]) -> tuple[str, ...]:
    """The column of every straight line, numbers first; `counts` has the lines of every code."""
    numeric = block.values.shape[1]
    holes = [] if block.missing is None else list(np.flatnonzero(block.missing.any(axis=0)))
    coded = [*block.names[numeric:], *(block.names[h] for h in holes)]
    more = (name for name, count in zip(coded, counts, strict=True) for _ in range(count))
    return (*block.names[:numeric], *more)
