"""Random Fourier features of a row as whole numbers, whose length is bounded without rounding.

A row x of declared columns becomes q pairs (cos, sin) of the phases w_j . x. The phase is rounded
to one of `STEPS` parts of a turn, and cosine and sine are looked up in a table of whole numbers, so

    |v(x)|^2 = sum_j table_cos(k_j)^2 + table_sin(k_j)^2 <= q * PAIR   for every x whatever,

where `PAIR` is the largest such sum in the table, a whole number. Two consequences that a private
release rests on:

- The length of a sum of rows changes by at most 2 sqrt(q PAIR) where one row is replaced. This is
  a fact about whole numbers: no rounding of floats enters, since any phase, wrong or right, is some
  place of the table.
- v(x) depends on nothing but x: every operation before the table is an elementwise product, sum or
  rounding of IEEE numbers (no matrix product, whose last bits depend on the neighbours), so that
  low bits of one row say nothing of another.

Frequencies: Gaussian kernels of the bandwidths `BANDWIDTHS` times the root of the number of
columns, by orthogonal directions with chi-distributed lengths (Yu, Suresh, Choromanski,
Holtmann-Rice and Kumar 2016, arXiv 1610.09072). They are public and come from a seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

BANDWIDTHS = (0.5, 1.0, 2.0, 4.0)
PER_BANDWIDTH = 15
PAIRS = len(BANDWIDTHS) * PER_BANDWIDTH
WIDTH = 2 * PAIRS
# Parts of a turn, and what stands for 1 in the table.
STEPS = 1 << 16
AMPLITUDE = 1 << 15
# In units of a column; beyond it values are taken as it. A public rule, so that phases are finite.
FAR = float(1 << 20)
ROWS_AT_ONCE = 1 << 12


@cache
def _table() -> tuple[Whole, int]:
    """Cosines of all parts of a turn in units of 1 / `AMPLITUDE`, and the longest pair squared."""
    turns = np.arange(STEPS) / STEPS
    cosines = np.rint(AMPLITUDE * np.cos(2 * np.pi * turns)).astype(np.int64)
    sines = cosines[(np.arange(STEPS) - STEPS // 4) % STEPS]
    return cosines, int((cosines**2 + sines**2).max())


def length_squared() -> int:
    """The largest possible squared length of the features of a row."""
    return PAIRS * _table()[1]


@frozen
class Frequencies:
    """Frequencies in turns per unit.

    Attributes
    ----------
    numeric : ndarray (d, q)
        Of the numeric columns.
    levels : tuple of ndarray (levels + 1, q)
        Of every categorical column: what a row of that level adds to the phases, the last one for
        all that were not declared. Two levels are as far apart as two independent draws of a
        numeric column of unit variance are on average.
    """

    numeric: Array
    levels: tuple[Array, ...]

    @classmethod
    def drawn(cls, numeric: int, levels: tuple[int, ...], seed: int) -> Frequencies:
        """Draw frequencies for so many numeric columns, and columns of so many levels."""
        widths = [count + 1 for count in levels]
        # The stream of numbers of this generator is frozen: a sketch is read years later.
        rng = np.random.RandomState(seed)
        d, columns = numeric + sum(widths), numeric + len(levels)
        drawn = [_orthogonal(d, rng) / (h * math.sqrt(columns)) for h in BANDWIDTHS]
        whole = np.ascontiguousarray(np.vstack(drawn).T / (2 * np.pi))
        ends = numeric + np.cumsum([0, *widths])
        return cls(whole[:numeric], tuple(whole[a:b] for a, b in pairwise(ends)))

    @property
    def check(self) -> float:
        """A number that other frequencies do not have, for the file."""
        parts = (self.numeric, *self.levels)
        size = sum(float(np.abs(part).sum()) for part in parts)
        return float(f"{size + sum(float(part.sum()) for part in parts):.9g}")


def _orthogonal(d: int, rng: np.random.RandomState) -> Array:
    """Gaussian frequencies (`PER_BANDWIDTH`, d) whose directions are orthogonal, d at a time."""
    blocks: list[Array] = []
    while sum(map(len, blocks)) < PER_BANDWIDTH:
        Q, R = np.linalg.qr(rng.standard_normal((d, min(d, PER_BANDWIDTH))))
        blocks.append((Q * np.sign(np.diag(R))).T)  # the signs that every LAPACK agrees on
    directions = np.vstack(blocks)[:PER_BANDWIDTH]
    return np.asarray(directions * np.sqrt(rng.chisquare(d, PER_BANDWIDTH))[:, None])


def features(values: Array, codes: Whole, at: Frequencies) -> Iterator[Whole]:
    """Yield the features of some rows at a time; shape (rows, `WIDTH`).

    Parameters
    ----------
    values : ndarray (n, d)
        Numeric columns in their units; any number, no NaN.
    codes : ndarray (n, c)
        Places of the levels among the declared ones; the place behind the last one for others.
    at : Frequencies
    """
    table = _table()[0]
    for first in range(0, len(values), ROWS_AT_ONCE):
        x = np.clip(values[first : first + ROWS_AT_ONCE], -FAR, FAR)
        phase = np.zeros((len(x), PAIRS))
        for c in range(x.shape[1]):
            phase += x[:, c, None] * at.numeric[c]
        for c, steps in enumerate(at.levels):
            phase += steps[codes[first : first + ROWS_AT_ONCE, c]]
        place = np.rint(phase * STEPS).astype(np.int64)
        yield np.hstack([table[place % STEPS], table[(place - STEPS // 4) % STEPS]])
