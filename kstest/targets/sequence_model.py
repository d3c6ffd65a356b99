"""SequenceModel: the distribution that a test of sequences compares the data with, up to its
constant.

A model of sequences over an alphabet of S symbols is one of three distributions, by what a change
of one symbol costs: a sum over windows (Markov chains, n-grams, Markov random fields, independent
symbols), a hidden Markov model, or a Python function. The test asks for ratios of probabilities of
neighbouring sequences only, so no distribution has to be normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]
Codes = NDArray[np.int32]
Offsets = NDArray[np.int64]
Drawn = tuple[Codes, Offsets]

# Cells of the largest table: 8 bytes each, and read at random.
MOST_CELLS = 1 << 23


@frozen
class Windows:
    """log p(x) = sum_{i = 0}^{n} table[x_{i - K + 1}, ..., x_i] + lengths[n], up to a constant.

    Attributes
    ----------
    symbols : int
        S.
    size : int
        K, the order plus one.
    table : ndarray ((S + 1)^K,)
        Log weight of every window, C order, -inf where it is impossible. Position S of an axis
        stands for what is before the beginning (x_i, i < 0), and in the last axis for the end
        (i = n).
    lengths : ndarray (L + 1,)
        Log weight of every length, and -inf beyond L; empty if lengths have no weight of their
        own.
    """

    symbols: int
    size: int
    table: Array
    lengths: Array = field(default_factory=lambda: np.empty(0))


@frozen
class Hidden:
    """A hidden Markov model with H states that emit a symbol each.

    Attributes
    ----------
    start : ndarray (H,)
    transition : ndarray (H, H)
        From row to column; rows sum to 1 - stop.
    emission : ndarray (H, S)
    stop : ndarray (H,)
        Probability of ending after the symbol of a state; ones where lengths have a distribution.
    lengths : ndarray (L + 1,)
        As in `Windows`.
    empty : float
        Weight of the empty sequence.
    """

    start: Array
    transition: Array
    emission: Array
    stop: Array
    lengths: Array = field(default_factory=lambda: np.empty(0))
    empty: float = 0.0

    @property
    def symbols(self) -> int:
        return int(self.emission.shape[1])


@frozen
class LogRatio:
    """A Python function of two sequences, as tuples of symbols: log p(y) - log p(x)."""

    function: Callable[[tuple[str, ...], tuple[str, ...]], float]
    alphabet: tuple[str, ...]

    @property
    def symbols(self) -> int:
        return len(self.alphabet)


Distribution = Windows | Hidden | LogRatio


@frozen
class SequenceModel:
    """A distribution of sequences; what it can do beyond ratios is optional.

    Attributes
    ----------
    name : str
        As the user wrote it.
    alphabet : tuple of str
        The S symbols; codes are positions in it.
    order : int
        How many symbols the next one depends on, for the default kernel.
    distribution : Windows, Hidden or LogRatio
    sample : callable or None
        (n, rng) to n independent draws: codes (T,) and offsets (n + 1,).
    simulate : callable or None
        Set where parameters were estimated: (n, rng) to n draws, and the distribution as it would
        have been estimated beside them.
    own_alphabet : bool
        Whether the alphabet comes from the model and not from the data.
    """

    name: str
    alphabet: tuple[str, ...]
    order: int
    distribution: Distribution
    sample: Callable[[int, np.random.Generator], Drawn] | None = None
    simulate: Callable[[int, np.random.Generator], tuple[Drawn, Distribution]] | None = None
    own_alphabet: bool = True


def joined(lengths: NDArray[np.int64], steps: Sequence[tuple[Any, Any]]) -> Drawn:
    """Put draws, step by step (which sequences, their symbols), into codes and offsets."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    codes = np.empty(offsets[-1], np.int32)
    for t, (which, symbols) in enumerate(steps):
        codes[offsets[which] + t] = symbols
    return codes, offsets
