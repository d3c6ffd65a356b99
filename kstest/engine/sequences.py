"""Stein features of sequences: the Zanella-Stein operator under an explicit feature map.

For a distribution p of sequences the operator A f(x) = sum_u g(p(u) / p(x)) (f(u) - f(x)), over the
neighbours u of x and with a balancing function g(t) = t g(1 / t), has expectation 0 under p
(Baum, Kanagawa, Gretton 2023, arXiv 2210.10741). The contiguous subsequence kernel has a finite
feature map phi, so that the Stein kernel of two sequences is the inner product of their Stein
features xi(x) = A phi(x): sums over pairs come from sums of features, in time linear in n.

`sequence_loops` says which neighbours there are and has the compiled loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .. import jit
from ..targets import Hidden, LogRatio, Windows
from .sequence_functions import function_ratios
from .sequence_near import Neighbourhood
from .work import Work

Array = NDArray[np.float64]
Codes = NDArray[np.int32]
Offsets = NDArray[np.int64]

# More cells than this are shared by subsequences, by a hash.
MOST_CELLS = 1 << 15
# Where lengths must be equal: cells for the features of all lengths.
STRIDE = 40_503
# Neighbours whose weights are in memory at the same time.
BLOCK_EDITS = 1 << 21
# Substitutions of pairs in one compiled call, so that progress moves and Ctrl-C is heard.
PAIR_STEPS = 1e8
LOOPS = Path(__file__).with_name("sequence_loops.py")


@frozen
class Subsequences:
    """The contiguous subsequence kernel of lengths shortest..longest over S symbols.

    Attributes
    ----------
    symbols, shortest, longest : int
    equal_lengths : bool
        Times 1 if both sequences have equally many symbols, else 0.
    most : int
        Cells beyond which subsequences share cells.
    """

    symbols: int
    shortest: int
    longest: int
    equal_lengths: bool = False
    most: int = MOST_CELLS

    @property
    def firsts(self) -> NDArray[np.int64]:
        """Place of the first subsequence of each length, and the number of places."""
        numbers = [self.symbols**length for length in range(self.shortest, self.longest + 1)]
        return np.array([sum(numbers[:k]) for k in range(len(numbers) + 1)], dtype=np.int64)

    @property
    def hashed(self) -> bool:
        return int(self.firsts[-1]) > self.most

    @property
    def cells(self) -> int:
        """D, the number of features."""
        return self.most if self.hashed or self.equal_lengths else int(self.firsts[-1])

    @property
    def places(self) -> int:
        return self.most if self.hashed else int(self.firsts[-1])


@frozen
class Features:
    """Sums of Stein features.

    Attributes
    ----------
    bins : ndarray (G, D)
        By bin of sequences.
    squares : ndarray (D,)
        Sums of squares over sequences.
    norms : ndarray (n,)
        Squared length of the features of each sequence.
    growth : ndarray (n,)
        Stein feature of the number of symbols: sum_u g_u (|u| - |x|).
    """

    bins: Array
    squares: Array
    norms: Array
    growth: Array


BALANCING: dict[str, Callable[[Array], Array]] = {}


def _barker(r: Array) -> Array:
    """t / (1 + t) with r = log t."""
    np.negative(r, out=r)
    np.exp(r, out=r)
    r += 1
    return np.divide(1.0, r, out=r)


def _metropolis(r: Array) -> Array:
    """min(1, t)"""
    return np.exp(np.minimum(r, 0.0, out=r), out=r)


def _root(r: Array) -> Array:
    """sqrt(t)"""
    r *= 0.5
    return np.exp(r, out=r)


BALANCING |= {"barker": _barker, "metropolis": _metropolis, "root": _root}


def log_weights(
    codes: Codes, offsets: Offsets, distribution: Windows | Hidden, work: Work
) -> Array:
    """Return log p of every sequence up to a constant, (n,); -inf where it is impossible."""
    loops = load_sequence_loops(work)
    out = np.empty(len(offsets) - 1)
    if isinstance(distribution, Hidden):
        loops.hidden_logs(codes, offsets, *_parts(distribution), out)
    else:
        loops.window_logs(
            codes,
            offsets,
            distribution.symbols,
            distribution.size,
            distribution.table,
            distribution.lengths,
            out,
        )
    return out


def _parts(distribution: Hidden) -> tuple[Any, ...]:
    return (
        distribution.start,
        distribution.transition,
        distribution.emission,
        distribution.stop,
        distribution.lengths,
        distribution.empty,
    )


def log_ratios(
    codes: Codes,
    offsets: Offsets,
    distribution: Windows | Hidden | LogRatio,
    near: Neighbourhood,
    work: Work,
) -> Iterator[tuple[int, int, Array]]:
    """Yield log p(u) - log p(x) of all neighbours, for blocks of sequences.

    Yields
    ------
    first, last : int
        Sequences first <= s < last.
    ratios : ndarray
        Laid out as in `sequence_loops`; may be overwritten.
    """
    loops = load_sequence_loops(work)
    edges = np.concatenate([[0], np.cumsum(near.count(np.diff(offsets), distribution.symbols))])
    flags = (near.substitution, near.insertion, near.deletion, near.positions)
    first, n = 0, len(offsets) - 1
    while first < n:
        reach = edges[first] + BLOCK_EDITS
        last = max(int(np.searchsorted(edges, reach, side="right")) - 1, first + 1)
        out = np.empty(int(edges[last] - edges[first]))
        if isinstance(distribution, Windows):
            loops.window_ratios(
                codes, offsets, first, last, distribution.symbols, distribution.size,
                distribution.table, distribution.lengths, *flags, out,
            )  # fmt: skip
        elif isinstance(distribution, Hidden):
            loops.hidden_ratios(codes, offsets, first, last, *_parts(distribution), *flags, out)
        else:
            function_ratios(codes, offsets, first, last, distribution, near, out)
        yield first, last, out
        first = last


def stein_features(
    codes: Codes,
    offsets: Offsets,
    distribution: Windows | Hidden | LogRatio,
    kernel: Subsequences,
    near: Neighbourhood,
    balancing: str,
    bins: NDArray[np.int64],
    groups: int,
    work: Work,
) -> Features:
    """Return the Stein features of sequences, summed by bin.

    Parameters
    ----------
    codes, offsets
        Sequences, every one possible under the distribution.
    distribution, kernel, near
    balancing : str
        A key of `BALANCING`.
    bins : ndarray of int (n,)
        Bin of each sequence, 0 to `groups` - 1.
    groups : int
    work : Work
    """
    loops = load_sequence_loops(work)
    n, D = len(offsets) - 1, kernel.cells
    found = Features(np.zeros((groups, D)), np.zeros(D), np.zeros(n), np.zeros(n))
    scratch = _scratch(kernel, int(np.diff(offsets).max(initial=0)))
    flags = (near.substitution, near.insertion, near.deletion, near.positions)
    weigh = BALANCING[balancing]
    with np.errstate(over="ignore"):  # exp of a large number: the weight is 0
        for first, last, ratios in log_ratios(codes, offsets, distribution, near, work):
            loops.subsequence_features(
                codes, offsets, first, last, _numbers(kernel), flags, weigh(ratios), bins, scratch,
                found.bins, found.squares, found.norms, found.growth,
            )  # fmt: skip
            work.progress(last / n)
    return found


def _numbers(kernel: Subsequences) -> tuple[Any, ...]:
    """The kernel as the compiled loop takes it."""
    slots, stride = kernel.places if kernel.hashed else 0, STRIDE if kernel.equal_lengths else 0
    return kernel.symbols, kernel.shortest, kernel.longest, kernel.firsts, slots, stride


def _scratch(kernel: Subsequences, longest: int) -> tuple[Any, ...]:
    """Room of the compiled loop, for sequences of up to `longest` symbols."""
    D, steps = kernel.cells, np.diff(np.sqrt(np.arange(longest + 4.0)))
    touched, number = np.zeros(D, np.int64), np.zeros(1, np.int64)
    counts = np.zeros(kernel.places, np.int64)
    return np.zeros(D), np.zeros(D, np.bool_), touched, number, counts, steps


def hamming_blocks(
    codes: Codes,
    offsets: Offsets,
    distribution: Windows | Hidden | LogRatio,
    near: Neighbourhood,
    balancing: str,
    bins: NDArray[np.int64],
    groups: int,
    work: Work,
) -> Array:
    """Sum the Stein kernel of the exponentiated Hamming kernel over pairs i != j, by bins.

    The base kernel is exp(-Hamming distance / n) for two sequences of n symbols and 0 for
    different lengths; `near` has substitutions only. Cost: n^2 times symbols times alphabet.

    Returns
    -------
    ndarray (groups, groups)
    """
    loops = load_sequence_loops(work)
    n = len(offsets) - 1
    edges = np.concatenate([[0], np.cumsum(near.count(np.diff(offsets), distribution.symbols))])
    weights, at = np.empty(int(edges[-1])), 0
    with np.errstate(over="ignore"):
        for _, _, ratios in log_ratios(codes, offsets, distribution, near, work):
            weights[at : at + len(ratios)] = BALANCING[balancing](ratios)
            at += len(ratios)
    out = np.zeros((groups, groups))
    steps = max(1, int(PAIR_STEPS / max(1.0, n * edges[-1] / max(n, 1))))
    for first in range(0, n, steps):
        last = min(first + steps, n)
        loops.hamming_sums(
            codes,
            offsets,
            first,
            last,
            distribution.symbols,
            near.positions,
            edges,
            weights,
            bins,
            out,
        )
        work.progress(1 - (1 - last / n) ** 2)
    return out


def load_sequence_loops(work: Work) -> Any:
    """Import the compiled loops, telling the user when they have to be compiled first."""
    compiled = jit.is_compiled(LOOPS)
    if not compiled:
        work.notify("compiling the loops over sequences, once per machine: a few seconds")
    from . import sequence_loops

    if not compiled:
        _compile(sequence_loops)
        jit.mark_compiled(LOOPS)
    return sequence_loops


def _compile(loops: Any) -> None:
    """Run all loops once, on one sequence of one symbol."""
    codes, offsets, numbers = np.zeros(1, np.int32), np.array([0, 1]), np.zeros(1)
    kernel, near = Subsequences(1, 1, 1), Neighbourhood()
    distribution = Windows(1, 1, np.zeros(2))
    flags = (near.substitution, near.insertion, near.deletion, near.positions)
    loops.window_logs(codes, offsets, 1, 1, distribution.table, distribution.lengths, numbers)
    loops.window_ratios(
        codes, offsets, 0, 1, 1, 1, distribution.table, distribution.lengths, *flags, np.zeros(4)
    )
    one = np.ones(1)
    hidden = Hidden(one, np.ones((1, 1)), np.ones((1, 1)), one)
    loops.hidden_logs(codes, offsets, *_parts(hidden), numbers)
    loops.hidden_ratios(codes, offsets, 0, 1, *_parts(hidden), *flags, np.zeros(4))
    loops.hamming_sums(
        codes, offsets, 0, 1, 1, 1, offsets, np.zeros(4), np.zeros(1, np.int64), np.zeros((1, 1))
    )
    loops.subsequence_features(
        codes, offsets, 0, 1, _numbers(kernel), flags, np.zeros(4), np.zeros(1, np.int64),
        _scratch(kernel, 1), np.zeros((1, 1)), np.zeros(1), np.zeros(1), np.zeros(1),
    )  # fmt: skip
