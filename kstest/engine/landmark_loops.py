"""The compiled loop of the sums at landmarks: powers of a tile of kernel values, summed by column.

The NumPy twin is `kstest.engine.landmarks._gaussian_values` with a product per bandwidth, which
goes through the tile twice for each of them. Here values stay in the first-level cache until every
bandwidth has taken its square of the one before. Rows are added in one written order, so that the
sums are the same wherever the loop is compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import exact_loop

# Columns at a time, and rows up to which they are added one by one; from there on in groups of
# eight, whose rounding errors do not grow with the tile.
STRIP, FEW = 128, 48
f32 = np.float32


@exact_loop
def power_sums(values: Any, out: Any) -> None:
    """Add the sums over rows of k, k^2, k^4, ... to `out`.

    values : float32 (n, r)
    out : float64 (L, r), is added to
    """
    n, r = values.shape
    v = np.empty(8 * STRIP, f32)
    sums = np.empty((len(out), STRIP), f32)
    for first in range(0, r, STRIP):
        width = min(STRIP, r - first)
        sums[:] = f32(0)
        i = 0
        while i < n:
            group = 8
            if n <= FEW or n - i == 1:
                group = 1
            elif n - i < 4:
                group = 2
            elif n - i < 8:
                group = 4
            for k in range(group):
                for q in range(width):
                    v[k * STRIP + q] = values[i + k, first + q]
            for l in range(len(out)):
                s = sums[l]
                if group == 8:
                    _eight(v, s)
                elif group == 4:
                    _four(v, s)
                elif group == 2:
                    _two(v, s)
                else:
                    _one(v, s)
            i += group
        for l in range(len(out)):
            for q in range(width):
                out[l, first + q] += sums[l, q]


@exact_loop
def add_rounded(values: Any, grain: Any, out: Any) -> None:
    """Add values, rounded to multiples of `grain`, a power of two, to `out`; both (L, r)."""
    inverse = 1.0 / grain
    for l in range(len(values)):
        for j in range(values.shape[1]):
            out[l, j] += np.rint(values[l, j] * inverse) * grain


# Rows of a group lie one after the other in `v`, which is left with their squares. Written out, so
# that they are seen not to overlap.


@exact_loop
def _eight(v: Any, s: Any) -> None:
    for q in range(STRIP):
        a, b, c, d = v[q], v[STRIP + q], v[2 * STRIP + q], v[3 * STRIP + q]
        e, f, g, h = v[4 * STRIP + q], v[5 * STRIP + q], v[6 * STRIP + q], v[7 * STRIP + q]
        s[q] += a + b + c + d + e + f + g + h
        v[q], v[STRIP + q], v[2 * STRIP + q], v[3 * STRIP + q] = a * a, b * b, c * c, d * d
        v[4 * STRIP + q], v[5 * STRIP + q] = e * e, f * f
        v[6 * STRIP + q], v[7 * STRIP + q] = g * g, h * h


@exact_loop
def _four(v: Any, s: Any) -> None:
    for q in range(STRIP):
        a, b, c, d = v[q], v[STRIP + q], v[2 * STRIP + q], v[3 * STRIP + q]
        s[q] += a + b + c + d
        v[q], v[STRIP + q], v[2 * STRIP + q], v[3 * STRIP + q] = a * a, b * b, c * c, d * d


@exact_loop
def _two(v: Any, s: Any) -> None:
    for q in range(STRIP):
        a, b = v[q], v[STRIP + q]
        s[q] += a + b
        v[q], v[STRIP + q] = a * a, b * b


@exact_loop
def _one(v: Any, s: Any) -> None:
    for q in range(STRIP):
        a = v[q]
        s[q] += a
        v[q] = a * a
