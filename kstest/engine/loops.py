"""The compiled inner loops: sums of kernel values over blocks of pairs.

Everything here takes float32 arrays and plain numbers, writes into the arrays it is given, and
calls nothing outside this file and `kstest.kernels.compiled`, which has the kernels themselves (see
`kstest.jit`). The NumPy twin is `kstest.engine.tiles`.

How one block is swept: four rows at a time against a strip of at most STRIP columns, so that the
strip's distances stay in the first-level cache while the coordinates are added one after the
other; then the kernel is applied in place, and each further bandwidth of a bandwidth grid is one
multiplication per value, because it is the square of the bandwidth before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import inline, loop
from ..kernels.compiled import exp_minus, profile_sum, stein_strip

STRIP = 512
f32 = np.float32


@inline
def strip_sums(
    u: Any,
    width: Any,
    code: Any,
    factors: Any,
    squaring: Any,
    skip: Any,
    out: Any,
    sums: Any,
    squares: Any,
) -> None:
    """Add one strip's kernel sums, and sums of squares, for all bandwidths.

    squares : empty if nobody needs them, which saves a single bandwidth a quarter of its time
    u : distances of one row to a strip (overwritten); out : scratch of the same width
    skip : position of the row itself in the strip, or -1
    """
    bandwidths = len(factors)
    count_squares = len(squares) > 0
    if not squaring:
        for j in range(width):
            u[j] = max(u[j], f32(0))
        for l in range(bandwidths):
            s, q = profile_sum(u, width, code, factors[l], skip, count_squares, out)
            sums[l] += s
            if count_squares:
                squares[l] += q
        return
    a = factors[0]
    if bandwidths == 1 and skip < 0:  # nothing to store
        s = f32(0)
        q = f32(0)
        if count_squares:
            for j in range(width):
                e = exp_minus(a * u[j])
                s += e
                q += e * e
            squares[0] += q
        else:
            for j in range(width):
                s += exp_minus(a * u[j])
        sums[0] += s
        return
    s = f32(0)
    for j in range(width):
        e = exp_minus(a * u[j])
        u[j] = e
        s += e
    if skip >= 0:
        u[skip] = f32(0)
        s = f32(0)
        for j in range(width):
            s += u[j]
    sums[0] += s
    # Four bandwidths per pass: the strip is loaded and stored once for four of them.
    l = 1
    while l + 4 <= bandwidths:
        s1 = f32(0)
        s2 = f32(0)
        s3 = f32(0)
        s4 = f32(0)
        for j in range(width):
            e1 = u[j] * u[j]
            e2 = e1 * e1
            e3 = e2 * e2
            e4 = e3 * e3
            u[j] = e4
            s1 += e1
            s2 += e2
            s3 += e3
            s4 += e4
        sums[l] += s1
        sums[l + 1] += s2
        sums[l + 2] += s3
        sums[l + 3] += s4
        l += 4
    while l < bandwidths:
        s = f32(0)
        for j in range(width):
            e = u[j] * u[j]
            u[j] = e
            s += e
        sums[l] += s
        l += 1
    if count_squares:
        s = f32(0)
        for j in range(width):
            s += u[j] * u[j]
        squares[bandwidths - 1] += s


@loop
def block_row(
    X: Any,
    XT: Any,
    norms: Any,
    codes: Any,
    codesT: Any,
    apart: Any,
    starts: Any,
    a: Any,
    b_first: Any,
    b_last: Any,
    cityblock: Any,
    code: Any,
    factors: Any,
    squaring: Any,
    sums: Any,
    squares: Any,
) -> None:
    """Kernel sums of block a against the blocks b_first <= b < b_last, all b >= a.

    Parameters
    ----------
    X, XT : float32 (N, d) and (d, N)
        Rows, and the same transposed.
    norms : float32 (N,)
        |x|^2 (Euclidean geometry only).
    codes, codesT : int32 (N, c) and (c, N)
        Categorical columns, and the same transposed.
    apart : float32
        Added to the distance for every categorical column in which rows differ.
    starts : int64 (G + 1,)
        Block g holds the rows starts[g] <= i < starts[g + 1].
    cityblock, squaring : bool
    code : int
        Kernel, see `profile_sum`.
    factors : float32 (L,)
        a of u = a D, per bandwidth.
    sums : float64 (L, b_last - b_first)
        Set; the pairs i = i are left out.
    squares : float64 (L,) or (0,)
        The sums of squared kernel values over unordered pairs are added; empty: not counted.
    """
    d = X.shape[1]
    bandwidths = len(factors)
    buf = np.empty((4, STRIP), f32)
    out = np.empty(STRIP, f32)
    acc = np.empty(bandwidths)
    acc2 = np.empty(len(squares))
    i_first, i_last = starts[a], starts[a + 1]
    for b in range(b_first, b_last):
        acc[:] = 0.0
        acc2[:] = 0.0
        for j0 in range(starts[b], starts[b + 1], STRIP):
            width = min(STRIP, starts[b + 1] - j0)
            for i in range(i_first, i_last, 4):
                rows = min(4, i_last - i)
                i1 = min(i + 1, i_last - 1)
                i2 = min(i + 2, i_last - 1)
                i3 = min(i + 3, i_last - 1)
                u0 = buf[0]
                u1 = buf[1]
                u2 = buf[2]
                u3 = buf[3]
                if cityblock:
                    for j in range(width):
                        u0[j] = f32(0)
                        u1[j] = f32(0)
                        u2[j] = f32(0)
                        u3[j] = f32(0)
                    for c in range(d):
                        y = XT[c, j0 : j0 + width]
                        x0 = X[i, c]
                        x1 = X[i1, c]
                        x2 = X[i2, c]
                        x3 = X[i3, c]
                        for j in range(width):
                            v = y[j]
                            u0[j] += abs(x0 - v)
                            u1[j] += abs(x1 - v)
                            u2[j] += abs(x2 - v)
                            u3[j] += abs(x3 - v)
                else:
                    y = norms[j0 : j0 + width]
                    for j in range(width):
                        v = y[j]
                        u0[j] = norms[i] + v
                        u1[j] = norms[i1] + v
                        u2[j] = norms[i2] + v
                        u3[j] = norms[i3] + v
                    for c in range(d):
                        y = XT[c, j0 : j0 + width]
                        x0 = f32(-2) * X[i, c]
                        x1 = f32(-2) * X[i1, c]
                        x2 = f32(-2) * X[i2, c]
                        x3 = f32(-2) * X[i3, c]
                        for j in range(width):
                            v = y[j]
                            u0[j] += x0 * v
                            u1[j] += x1 * v
                            u2[j] += x2 * v
                            u3[j] += x3 * v
                for c in range(codes.shape[1]):
                    level = codesT[c, j0 : j0 + width]
                    l0 = codes[i, c]
                    l1 = codes[i1, c]
                    l2 = codes[i2, c]
                    l3 = codes[i3, c]
                    for j in range(width):
                        v = level[j]
                        u0[j] += apart if l0 != v else f32(0)
                        u1[j] += apart if l1 != v else f32(0)
                        u2[j] += apart if l2 != v else f32(0)
                        u3[j] += apart if l3 != v else f32(0)
                for r in range(rows):
                    u = buf[r]
                    skip = i + r - j0 if a == b and j0 <= i + r < j0 + width else -1
                    strip_sums(u, width, code, factors, squaring, skip, out, acc, acc2)
        for l in range(bandwidths):
            sums[l, b - b_first] = acc[l]
        for l in range(len(squares)):
            squares[l] += acc2[l] * (0.5 if a == b else 1.0)


@loop
def product_tile(
    products: Any,
    row_norms: Any,
    column_norms: Any,
    codes: Any,
    codesT: Any,
    apart: Any,
    diagonal: Any,
    own: Any,
    code: Any,
    factors: Any,
    squaring: Any,
    sums: Any,
    squares: Any,
) -> None:
    """Kernel sums of one tile whose inner products a matrix product has already made.

    For many columns this beats `block_row`, whose strips then no longer fit the cache.

    Parameters
    ----------
    products : float32 (rows, width <= STRIP)
        x_i . y_j (overwritten).
    row_norms, column_norms : float32
    codes, codesT, apart
        As in `block_row`: the codes of the tile's rows (rows, c) and of its columns (c, width).
    diagonal, own : int, bool
        If own, row i meets itself in column diagonal + i.
    sums, squares : float64 (L,)
        Added to, `squares` unless it is empty; sums over ordered pairs as they stand in the tile.
    """
    rows, width = products.shape
    out = np.empty(STRIP, f32)
    for i in range(rows):
        u = products[i]
        row_distances(u, row_norms[i], column_norms, codes[i], codesT, apart, width)
        skip = diagonal + i if own and 0 <= diagonal + i < width else -1
        strip_sums(u, width, code, factors, squaring, skip, out, sums, squares)


@inline
def row_distances(
    u: Any, norm: Any, norms: Any, own_levels: Any, levels: Any, apart: Any, width: Any
) -> None:
    """Turn inner products of one row with `width` others into distances, in place."""
    for j in range(width):
        u[j] = norm + norms[j] - f32(2) * u[j]
    for c in range(len(own_levels)):
        level = levels[c]
        own = own_levels[c]
        for j in range(width):
            u[j] += apart if own != level[j] else f32(0)


@loop
def weighted_tile(
    products: Any,
    row_norms: Any,
    column_norms: Any,
    codes: Any,
    codesT: Any,
    apart: Any,
    diagonal: Any,
    own: Any,
    code: Any,
    factors: Any,
    squaring: Any,
    row_weights: Any,
    column_weights: Any,
    sums: Any,
    squares: Any,
) -> None:
    """Sums of w_i w_j k(x_i, y_j) of one tile; parameters as in `product_tile`.

    row_weights, column_weights : float32
        w_i of the tile's rows, and of its columns.
    squares : float64 (L,) or (0,)
        Sums of k(x_i, y_j)^2 without weights are added, of every bandwidth.
    """
    rows, width = products.shape
    out = np.empty(STRIP, f32)
    for i in range(rows):
        u = products[i]
        row_distances(u, row_norms[i], column_norms, codes[i], codesT, apart, width)
        for j in range(width):
            u[j] = max(u[j], f32(0))
        skip = diagonal + i if own and 0 <= diagonal + i < width else -1
        for l in range(len(factors)):
            if squaring and l > 0:
                for j in range(width):
                    out[j] = out[j] * out[j]
            else:
                profile_sum(u, width, code, factors[l], skip, False, out)
            s = f32(0)
            for j in range(width):
                s += column_weights[j] * out[j]
            sums[l] += row_weights[i] * s
            if len(squares) > 0:
                q = f32(0)
                for j in range(width):
                    q += out[j] * out[j]
                squares[l] += q


@loop
def stein_row(
    X: Any,
    S: Any,
    XT: Any,
    ST: Any,
    weights: Any,
    starts: Any,
    a_first: Any,
    a_last: Any,
    code: Any,
    factors: Any,
    sums: Any,
    squares: Any,
) -> None:
    """Sums of the Stein kernel of blocks a_first <= a < a_last against all blocks b >= a.

    In float64, unlike the sweeps above: the sum over pairs is smaller than the sum of absolute
    values by a factor of the number of rows, and scores have no bounded range. Distances are
    made directly, coordinate by coordinate, so that nothing cancels.

    Parameters
    ----------
    X, S, XT, ST : float64 (N, d) and (d, N)
        Rows and scores, and the same transposed.
    weights : float64 (N,)
        Every pair counts w_i w_j times.
    starts : int64 (G + 1,)
    code : int
        0 Gaussian, else inverse multiquadric, as `Kernel.stein_branch`.
    factors : float64 (L,)
        a of phi(a r^2), per bandwidth.
    sums : float64 (L, a_last - a_first, G)
        Entries [:, a - a_first, b] are set for b >= a; the pairs i = i are left out.
    squares : float64 (L,)
        The sums of squares over unordered pairs are added.
    """
    d = X.shape[1]
    r2 = np.empty(STRIP)
    ss = np.empty(STRIP)
    cross = np.empty(STRIP)
    acc = np.empty(len(factors))
    acc2 = np.empty(len(factors))
    for a in range(a_first, a_last):
        for b in range(a, len(starts) - 1):
            acc[:] = 0.0
            acc2[:] = 0.0
            for j0 in range(starts[b], starts[b + 1], STRIP):
                width = min(STRIP, starts[b + 1] - j0)
                for i in range(starts[a], starts[a + 1]):
                    for j in range(width):
                        r2[j] = 0.0
                        ss[j] = 0.0
                        cross[j] = float(d)
                    for c in range(d):
                        x = X[i, c]
                        s = S[i, c]
                        y = XT[c, j0 : j0 + width]
                        t = ST[c, j0 : j0 + width]
                        for j in range(width):
                            delta = x - y[j]
                            r2[j] += delta * delta
                            ss[j] += s * t[j]
                            cross[j] += (s - t[j]) * delta
                    skip = i - j0 if a == b and j0 <= i < j0 + width else -1
                    w = weights[j0 : j0 + width]
                    stein_strip(r2, ss, cross, w, weights[i], width, code, factors, skip, acc, acc2)
            for l in range(len(factors)):
                sums[l, a - a_first, b] = acc[l]
                squares[l] += acc2[l] * (0.5 if a == b else 1.0)
