"""Random signs for one-sample tests: the wild bootstrap, for independent and for dependent rows.

A degenerate statistic sum u(x_i, x_j) is repeated as sum w_i w_j u(x_i, x_j) with random signs w.
Independent rows take independent signs. Rows that depend on their neighbours take signs that
stay together over about the length of that dependence (a Markov chain: Leucht and Neumann 2013;
Chwialkowski, Sejdinovic, Gretton 2014, arXiv 1408.5404).

Both are asymptotic: the signs copy the null distribution's spread, and its shape the better the
more rows there are. Rows may share a sign in bins. The sums over bins are nearer to a symmetric
distribution than single rows are, and for symmetric sums independent signs are exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Bins from which on more change nothing measurable, and cost their square.
SIGN_BINS = 256


def sign_bins(n: int, bins: int = SIGN_BINS) -> NDArray[np.int64]:
    """Return the starts (G + 1,) of G bins of n rows: single rows while n < 2 bins."""
    groups = n if n < 2 * bins else bins
    return (np.arange(groups + 1) * n) // groups


def chain_bins(
    lengths: NDArray[np.int64], bins: int = SIGN_BINS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the starts (G + 1,) of bins of rows that lie chain after chain, and their chains (G,).

    No bin has rows of two chains; single rows while there are fewer than 2 bins rows.
    """
    n = int(lengths.sum())
    counts = lengths
    if n >= 2 * bins:
        counts = np.clip((lengths * bins / n).round().astype(np.int64), 1, lengths)
    firsts = np.cumsum(lengths) - lengths
    starts = [
        first + (np.arange(count) * m) // count
        for first, count, m in zip(firsts.tolist(), counts.tolist(), lengths.tolist(), strict=True)
    ]
    return np.concatenate([*starts, [n]]), np.repeat(np.arange(len(lengths)), counts)


def independent_signs(groups: int, draws: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Draw independent signs; shape (groups, draws + 1), column 0 is all ones."""
    out = np.ones((groups, draws + 1), np.int8)
    out[:, 1:] -= 2 * rng.integers(0, 2, (groups, draws), dtype=np.int8)
    return out


def markov_signs(
    starts: NDArray[np.int64],
    draws: int,
    flip: float,
    rng: np.random.Generator,
    chain: NDArray[np.int64] | None = None,
) -> NDArray[np.int8]:
    """Draw signs that change from one row to the next with probability `flip`.

    Parameters
    ----------
    starts : ndarray of int (G + 1,)
        Bins of consecutive rows. The sign of a bin is that of its middle row in a chain with
        autocovariance (1 - 2 flip)^lag.
    draws : int
    flip : float
        At most 1/2, which makes the signs independent.
    rng : numpy.random.Generator
    chain : ndarray of int (G,), optional
        Chain of each bin; the signs of different chains are independent.

    Returns
    -------
    ndarray of int8 (G, draws + 1)
        Column 0 is all ones.
    """
    middles = (starts[:-1] + starts[1:]) / 2
    change = (1 - (1 - 2 * flip) ** np.diff(middles)) / 2
    if chain is not None:
        change[chain[1:] != chain[:-1]] = 0.5
    first = rng.integers(0, 2, (1, draws))
    flips = rng.random((len(middles) - 1, draws)) < change[:, None]
    out = np.ones((len(middles), draws + 1), np.int8)
    out[:, 1:] -= 2 * (np.cumsum(np.concatenate([first, flips]), axis=0) % 2).astype(np.int8)
    return out
