"""Counts of rows in cells against known probabilities: the statistic under simulated counts.

Under the null hypothesis the counts of n independent rows are multinomial. Their distribution is
simulated, and the observed counts get their statistic exactly as simulated ones do, so p <= alpha
has probability at most alpha at every n and for any number of cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...kernels.frequencies import cell_kernels, sizes
from ...nulls import aggregate, informative
from ...targets import Cells

Array = NDArray[np.float64]

# Cells at most; more are joined with their neighbours.
MOST_CELLS = 256
# Counts that are simulated at once.
AT_ONCE = 2_000_000
# Shares of two statistics beside the aggregate of all: the discrete Stein kernel for spikes at the
# edges, Anderson-Darling for a slope. Chosen by power at n = 200 (benchmarks/discrete.py).
STEIN_SHARE, SLOPE_SHARE = 0.2, 0.1


@frozen
class Evidence:
    """The statistic of one column.

    Attributes
    ----------
    T : ndarray (B + 1,)
        The observed one first; empty if it is the same whatever the counts.
    bandwidths : tuple of float
        Of the Gaussian kernels, in the column's units.
    kernels : tuple of str
        What else was combined.
    """

    T: Array
    bandwidths: tuple[float, ...]
    kernels: tuple[str, ...]


def evidence(counts: Array, cells: Cells, draws: int, rng: np.random.Generator) -> Evidence:
    """Return the statistic of counts (L,) in cells, and of `draws` simulated ones."""
    p, n = cells.probability, round(float(counts.sum()))
    kernels, gaussian = cell_kernels(cells.positions, p, n, cells.ordered)
    T = np.empty((len(kernels) + 1, draws + 1))
    T[:, :1] = statistics(counts[:, None], p, kernels)
    some = max(1, AT_ONCE // len(p))
    for first in range(1, draws + 1, some):
        columns = slice(first, min(first + some, draws + 1))
        drawn = rng.multinomial(n, p, size=columns.stop - columns.start).T
        T[:, columns] = statistics(drawn.astype(np.float64), p, kernels)
    # The largest single cell has no kernel; its spread stands for its size.
    size = np.append(sizes(kernels, p), T[-1].std())
    widths = tuple(float(name.split()[1]) for name in list(kernels)[:gaussian])
    return Evidence(_combined(T, size, [*kernels, "cell"]), widths, tuple(kernels)[gaussian:])


def statistics(counts: Array, p: Array, kernels: dict[str, Array]) -> Array:
    """Return n d' K d per kernel, and the largest deviance of a cell; (K + 1, B).

    Parameters
    ----------
    counts : ndarray (L, B)
    p : ndarray (L,)
    kernels : dict of str to ndarray (L, L) or (L,)

    Notes
    -----
    The deviance of a cell with c rows, e = n p expected, is 2 (c log(c / e) - c + e): that of a
    Poisson distribution, in which a row where hardly any is expected is as surprising as it should
    be.
    """
    from scipy.special import xlogy

    n = counts[:, 0].sum()
    expected = n * p[:, None]
    d = (counts - expected) / n
    out = np.empty((len(kernels) + 1, counts.shape[1]))
    for row, K in zip(out, kernels.values(), strict=False):
        row[:] = n * np.einsum("lb,lb->b", d, K[:, None] * d if K.ndim == 1 else K @ d)
    deviance = 2 * (xlogy(counts, counts / expected) - counts + expected)
    out[-1] = deviance.max(axis=0)
    return out


def _combined(T: Array, size: Array, names: list[str]) -> Array:
    """One statistic (B + 1,): Mahalanobis of all but the Stein kernel, and shares of two of them.

    The Stein kernel has a share of its own because, as one more direction of the distance, it would
    take power from smooth misfits.
    """
    keep = informative(T, size)
    if not keep.any():
        return np.empty(0)
    place = {name: k for k, name in enumerate(names)}
    all_but = keep.copy()
    total = np.zeros(T.shape[1])
    if "Stein" in place:
        all_but[place["Stein"]] = False
        for name, share in (("Stein", STEIN_SHARE), ("Anderson-Darling", SLOPE_SHARE)):
            if keep[place[name]]:
                total += share * _standardised(T[place[name]])
    if all_but.any():
        total += _standardised(aggregate(T[all_but], size[all_but], "mahalanobis", 2))
    return total


def _standardised(values: Array) -> Array:
    spread = values.std()
    return np.asarray((values - values.mean()) / spread) if spread > 0 else np.zeros_like(values)
