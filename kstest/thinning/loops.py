"""The compiled loops of kernel halving: one row's kernel values against many, and what follows.

Rows are float32, the kernel is the sum of Gaussian kernels whose bandwidths fall by a factor of
sqrt(2), so that each is the square of the one before. Sums over rows are float64. Nothing outside
this file and `kstest.kernels.compiled` is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import inline, loop
from ..kernels.compiled import exp_minus

f32 = np.float32


@inline
def values(
    XT: Any, norms: Any, codesT: Any, apart: Any, i: Any, first: Any, factor: Any, count: Any,
    out: Any,
) -> None:  # fmt: skip
    """The summed kernel of row i and the rows from `first` on, into out[first:]."""
    n = XT.shape[1]
    for j in range(first, n):
        out[j] = norms[i] + norms[j]
    for c in range(XT.shape[0]):
        x = f32(-2) * XT[c, i]
        for j in range(first, n):
            out[j] += x * XT[c, j]
    for c in range(codesT.shape[0]):
        level = codesT[c, i]
        for j in range(first, n):
            out[j] += apart if codesT[c, j] != level else f32(0)
    for j in range(first, n):
        e = exp_minus(factor * max(out[j], f32(0)))
        s = e
        for _ in range(1, count):
            e = e * e
            s += e
        out[j] = s
    if i >= first:
        out[i] = f32(count)


@loop
def split(
    XT: Any, norms: Any, codesT: Any, apart: Any, factor: Any, count: Any, draws: Any,
    constant: Any, chosen: Any,
) -> None:  # fmt: skip
    """Choose one row of every pair (2 p, 2 p + 1) by the self-balancing walk of kernel thinning.

    Parameters
    ----------
    XT, norms, codesT : float32 (d, N), float32 (N,), int32 (c, N)
    apart, factor : float32
        Added to the squared distance where levels differ; 1 / (2 h^2) of the widest bandwidth.
    count : int
        Bandwidths.
    draws : float64 (N / 2,)
        Uniform numbers.
    constant : float
        2 log(2 N / delta).
    chosen : int8 (N,)
        Set to 1 for one row of every pair, 0 for the other.
    """
    n = XT.shape[1]
    f = np.zeros(n)
    kx = np.empty(n, f32)
    ky = np.empty(n, f32)
    spread = 0.0
    for p in range(n // 2):
        x, y = 2 * p, 2 * p + 1
        values(XT, norms, codesT, apart, x, x, factor, count, kx)
        values(XT, norms, codesT, apart, y, x, factor, count, ky)
        b = max(2.0 * count - 2.0 * kx[y], 0.0)
        a = max(np.sqrt(spread * b * constant), b)
        # f is the sum over the rows chosen so far less that over the others.
        first = 0.5
        if a > 0:
            first = 0.5 * (1.0 - (f[x] - f[y]) / a)
            spread += b * max(0.0, 1.0 + (b / a - 2.0) * spread / a)
        sign = 1.0 if draws[p] < first else -1.0
        chosen[x] = 1 if sign > 0 else 0
        chosen[y] = 0 if sign > 0 else 1
        for j in range(y + 1, n):
            f[j] += sign * (kx[j] - ky[j])


@loop
def swap(
    XT: Any, norms: Any, codesT: Any, apart: Any, factor: Any, count: Any, chosen: Any
) -> None:
    """Exchange every chosen row, in turn, for the row that lowers the MMD to all rows most.

    chosen : int8 (N,), changed in place
    """
    n = XT.shape[1]
    whole = np.zeros(n)  # sum of the kernel over all rows, at every row
    part = np.zeros(n)  # and over the chosen ones
    row = np.empty(n, f32)
    size = 0
    for i in range(n):
        size += chosen[i]
        values(XT, norms, codesT, apart, i, i, factor, count, row)
        for j in range(i + 1, n):
            whole[j] += row[j]
        total = 0.0
        for j in range(i, n):
            total += row[j]
        whole[i] += total
        if chosen[i] == 1:
            for j in range(i, n):
                part[j] += row[j]
        inside = 0.0
        for j in range(i + 1, n):
            inside += row[j] * chosen[j]
        part[i] += inside
    weight = 2.0 * size / n
    for i in range(n):
        if chosen[i] == 0:
            continue
        values(XT, norms, codesT, apart, i, 0, factor, count, row)
        # What row j would add to the squared MMD in the place of row i, but for what all share.
        best = i
        least = 2.0 * (part[i] - row[i]) - weight * whole[i]
        for j in range(n):
            if chosen[j] == 0:
                gain = 2.0 * (part[j] - row[j]) - weight * whole[j]
                if gain < least:
                    least = gain
                    best = j
        if best != i:
            chosen[i] = 0
            chosen[best] = 1
            for j in range(n):
                part[j] -= row[j]
            values(XT, norms, codesT, apart, best, 0, factor, count, row)
            for j in range(n):
                part[j] += row[j]


@loop
def sums(
    XT: Any, norms: Any, codesT: Any, ZT: Any, z_norms: Any, z_codesT: Any, apart: Any,
    factor: Any, out: Any,
) -> None:  # fmt: skip
    """Sums over all rows x of the kernel at every z, by bandwidth.

    XT, ZT : float32 (d, N) and (d, M)
    out : float64 (M, L), set
    """
    n, count = XT.shape[1], out.shape[1]
    strip = np.empty(1024, f32)
    for m in range(ZT.shape[1]):
        out[m, :] = 0.0
        for start in range(0, n, 1024):
            width = min(1024, n - start)
            for j in range(width):
                strip[j] = z_norms[m] + norms[start + j]
            for c in range(XT.shape[0]):
                z = f32(-2) * ZT[c, m]
                for j in range(width):
                    strip[j] += z * XT[c, start + j]
            for c in range(codesT.shape[0]):
                level = z_codesT[c, m]
                for j in range(width):
                    strip[j] += apart if codesT[c, start + j] != level else f32(0)
            total = f32(0)
            for j in range(width):
                e = exp_minus(factor * max(strip[j], f32(0)))
                strip[j] = e
                total += e
            out[m, 0] += total
            for l in range(1, count):
                total = f32(0)
                for j in range(width):
                    e = strip[j] * strip[j]
                    strip[j] = e
                    total += e
                out[m, l] += total


@loop
def precise_sums(
    XT: Any, codesT: Any, ZT: Any, z_codesT: Any, apart: Any, factor: Any, out: Any
) -> None:
    """As `sums`, in float64 throughout: for what is divided by small eigenvalues."""
    n, count = XT.shape[1], out.shape[1]
    strip = np.empty(1024)
    for m in range(ZT.shape[1]):
        out[m, :] = 0.0
        for start in range(0, n, 1024):
            width = min(1024, n - start)
            strip[:width] = 0.0
            for c in range(XT.shape[0]):
                z = np.float64(ZT[c, m])
                for j in range(width):
                    gap = XT[c, start + j] - z
                    strip[j] += gap * gap
            for c in range(codesT.shape[0]):
                level = z_codesT[c, m]
                for j in range(width):
                    strip[j] += apart if codesT[c, start + j] != level else 0.0
            for j in range(width):
                strip[j] = np.exp(-factor * strip[j])
            for l in range(count):
                total = 0.0
                for j in range(width):
                    total += strip[j]
                    strip[j] *= strip[j]
                out[m, l] += total
