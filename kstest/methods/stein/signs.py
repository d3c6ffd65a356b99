"""Random signs of rows: independent ones, ones that persist, and those of a sampler's chains."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import signed_sums
from ...nulls import SIGN_BINS, chain_bins, independent_signs, markov_signs, sign_bins
from .draws import Draws

Array = NDArray[np.float64]

# Flip without chains, where nothing is known of the dependence.
FLIP = 0.1
# Stretches over which signs of effective draws persist: so many times the root of their number.
# More are blind to dependence that lasts, of fewer the null distribution is coarse.
STRETCHES = 5.0


@frozen
class Signs:
    """Signs of bins of rows.

    Attributes
    ----------
    starts : ndarray of int (G + 1,)
    values : ndarray of int8 (G, B + 1)
        Column 0 is all ones.
    near : ndarray of bool (G, G), or None
        Pairs of bins that depend on each other and are left out; by default a bin and itself.
    wider : float
        By what replicates are multiplied, for dependence that outlasts the signs.
    scheme : str
        In words.
    """

    starts: NDArray[np.int64]
    values: NDArray[np.int8]
    near: NDArray[np.bool_] | None = None
    wider: float = 1.0
    scheme: str = ""

    def between(self, blocks: Array) -> float:
        """Leave out, in place, pairs within bins and of `near` ones; return how many are left."""
        sizes = np.diff(self.starts).astype(np.float64)
        if self.near is None:
            within = np.arange(len(sizes))
            blocks[:, within, within] = 0
            return float(self.starts[-1]) ** 2 - float((sizes**2).sum())
        blocks[:, self.near] = 0
        return float(sizes.sum()) ** 2 - float(sizes @ self.near @ sizes)

    def sums(self, blocks: Array) -> Array:
        """Sums over pairs under every column of signs; (L, B + 1)."""
        T = signed_sums(blocks, self.values)
        T[:, 1:] *= self.wider
        return T


def random_signs(
    n: int,
    distribution: str,
    params: Any,
    rng: np.random.Generator,
    chains: Draws | None = None,
) -> Signs:
    """Draw the signs of n rows; those of chains lie one chain after the other."""
    if chains is not None:
        return _of_chains(chains, params, rng)
    starts = sign_bins(n)
    if distribution == "markov":
        flip = flip_of(params) or FLIP
        signs = markov_signs(starts, params.draws, flip, rng)
        return Signs(starts, signs, scheme=f"persistent signs of rows (flip {flip:g})")
    return Signs(starts, independent_signs(len(starts) - 1, params.draws, rng))


def flip_of(params: Any) -> float | None:
    """The number of --flip, None for auto."""
    return None if params.flip == "auto" else float(params.flip)


def _of_chains(chains: Draws, params: Any, rng: np.random.Generator) -> Signs:
    """Signs that persist within a chain, and are independent from one chain to the next.

    Two rows of a chain share a sign up to (1 - 2 flip)^lag, so that the replicates see their
    autocorrelation r_lag so far only. `wider` makes that good: the ratio of the standard deviations
    of sums over pairs with all of r and with what the signs see of it, over all columns. Pairs
    nearer than the autocorrelation time are left out, since their mean is above 0.
    """
    lengths = chains.lengths
    if chains.whole:
        return _of_wholes(lengths, params, rng)
    n = int(lengths.sum())
    flip = flip_of(params)
    if flip is None:
        flip = min(0.5, STRETCHES * math.sqrt(chains.effective) / n / 2)
    starts, chain = chain_bins(lengths)
    signs = markov_signs(starts, params.draws, flip, rng, chain)
    apart = starts[:-1] - starts[1:, None] + 1  # rows from the end of a bin to the start of another
    near = (np.maximum(apart, apart.T) < chains.time) & (chain[:, None] == chain)
    np.fill_diagonal(near, True)
    seen = chains.memory.seen(1 - 2 * flip)
    wider = math.sqrt((chains.memory.times**2).sum() / (seen**2).sum())
    words = f"persistent signs of rows within each chain (flip {flip:.2g})"
    return Signs(starts, signs, near, max(1.0, wider), words)


def _of_wholes(lengths: NDArray[np.int64], params: Any, rng: np.random.Generator) -> Signs:
    """A sign per chain, or per several where there are many: their dependence may be any."""
    ends = np.cumsum([0, *lengths])
    starts = ends[np.unique(np.linspace(0, len(lengths), min(len(lengths), SIGN_BINS) + 1).round())
                  .astype(np.int64)]  # fmt: skip
    signs = independent_signs(len(starts) - 1, params.draws, rng)
    return Signs(starts, signs, scheme="random signs of chains")
