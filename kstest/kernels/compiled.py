"""What kernels, and the numbers around them, are in compiled loops: one branch per kernel.

The loops of `kstest.engine` and `kstest.betting` inline these functions, each for its own strip or
pair of rows; `Kernel.branch` in `radial` says which branch is whose. A change here gives all
compiled code another key in the cache (`kstest.jit`), so no loop goes on with an old formula.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import inline

f32 = np.float32
u64 = np.uint64
# SplitMix64 (Steele, Lea, Flood 2014): a counter through this mixer is a good random stream, and
# any element of it can be had without those before.
GOLDEN = u64(0x9E3779B97F4A7C15)
FIRST = u64(0xBF58476D1CE4E5B9)
SECOND = u64(0x94D049BB133111EB)
TO_UNIT = 2.0**-53
# Beyond this many units a value is compressed logarithmically, as in `kstest.kernels.scaling`.
FAR = 1e6
LARGEST = 1.7e308


@inline
def power_of_two(t: Any) -> Any:
    """2^t for -126 < t <= 0: 2^k by exponent bits, 2^r (|r| <= 1/2) by its Taylor polynomial."""
    k = np.rint(t)
    r = t - k
    p = f32(1.5403530e-4)
    p = p * r + f32(1.3333558e-3)
    p = p * r + f32(9.6181291e-3)
    p = p * r + f32(5.5504109e-2)
    p = p * r + f32(2.4022651e-1)
    p = p * r + f32(6.9314718e-1)
    p = p * r + f32(1.0)
    return p * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(f32)


@inline
def exp_minus(u: Any) -> Any:
    """exp(-u) for u >= 0; anything below 0 counts as 0.

    Branch-free float32, so that LLVM vectorises it; math.exp stays scalar. The relative error
    is below 3e-7 + 1e-7 u (tested), which rounding u to float32 costs anyway; exp(-87) stands
    in for anything smaller.
    """
    return power_of_two(min(max(u * f32(-1.4426950408889634), f32(-125.51446)), f32(0)))


@inline
def profile_sum(
    u: Any, width: Any, code: Any, a: Any, skip: Any, count_squares: Any, out: Any
) -> Any:
    """Sums over one strip of phi(a u) and, if asked for, of its square, without column `skip`.

    The branches follow `Kernel.branch`. The code is looked at once
    per strip, not once per value. Values are left in `out`.
    """
    if code == 0:
        for j in range(width):
            out[j] = exp_minus(a * u[j])
    elif code == 1:
        for j in range(width):
            out[j] = f32(1) / np.sqrt(f32(1) + a * u[j])
    elif code == 2:
        for j in range(width):
            out[j] = f32(1) / (f32(1) + a * u[j])
    elif code == 3:
        for j in range(width):
            v = np.sqrt(a * u[j])
            out[j] = (f32(1) + v) * exp_minus(v)
    elif code == 4:
        for j in range(width):
            v = np.sqrt(a * u[j])
            out[j] = (f32(1) + v + a * u[j] * f32(1 / 3)) * exp_minus(v)
    else:
        for j in range(width):
            out[j] = -np.sqrt(a * u[j])
    if skip >= 0:
        out[skip] = f32(0)
    s = f32(0)
    q = f32(0)
    if count_squares:
        for j in range(width):
            e = out[j]
            s += e
            q += e * e
    else:
        for j in range(width):
            s += out[j]
    return s, q


@inline
def stein_strip(
    r2: Any,
    ss: Any,
    cross: Any,
    weights: Any,
    weight: Any,
    width: Any,
    code: Any,
    factors: Any,
    skip: Any,
    sums: Any,
    squares: Any,
) -> None:
    """Add one strip's Stein sums, and sums of squares, for all bandwidths.

    r2, ss : |x - y|^2 and s_x . s_y of one row against a strip
    cross : (s_x - s_y) . (x - y) + d
    weights, weight : of the strip and of the row
    skip : position of the row itself in the strip, or -1
    """
    for l in range(len(factors)):
        a = factors[l]
        total = 0.0
        square = 0.0
        if code == 0:
            for j in range(width):
                k = np.exp(-a * r2[j])
                u = weights[j] * k * (ss[j] + 2.0 * a * (cross[j] - 2.0 * a * r2[j]))
                total += u
                square += u * u
        else:
            for j in range(width):
                w = 1.0 / (1.0 + a * r2[j])
                k = np.sqrt(w)
                u = weights[j] * k * (ss[j] + a * w * (cross[j] - 3.0 * a * r2[j] * w))
                total += u
                square += u * u
        if skip >= 0:
            u = ss[skip]
            if code == 0:
                u += 2.0 * a * cross[skip]
            else:
                u += a * cross[skip]
            u *= weights[skip]
            total -= u
            square -= u * u
        sums[l] += weight * total
        squares[l] += weight * weight * square


@inline
def pair_value(x: Any, i: Any, y: Any, j: Any, mx: Any, my: Any, code: Any, gamma: Any) -> Any:
    """Kernel of row i of x and row j of y in float64, zero where a mark differs.

    code : 0 Gaussian, 1 Laplace, 2 the inner product
    """
    for c in range(mx.shape[1]):
        if mx[i, c] != my[j, c]:
            return 0.0
    u = 0.0
    if code == 0:
        for c in range(x.shape[1]):
            u += (x[i, c] - y[j, c]) ** 2
        return np.exp(-gamma * u)
    if code == 1:
        for c in range(x.shape[1]):
            u += abs(x[i, c] - y[j, c])
        return np.exp(-gamma * u)
    for c in range(x.shape[1]):
        u += x[i, c] * y[j, c]
    return u if x.shape[1] else 1.0


@inline
def tilted(u: Any, w: Any, a: Any, i: Any, j: Any, squared: Any) -> Any:
    """The tilted Stein kernel of rows i and j, for (1 + r^2 / squared)^(-1/2)."""
    d = u.shape[1]
    q = 0.0
    both = 0.0
    first = 0.0
    second = 0.0
    for c in range(d):
        gap = u[j, c] - u[i, c]
        q += gap * gap
        both += a[i, c] * a[j, c]
        first += a[i, c] * gap
        second += a[j, c] * gap
    t = 1.0 / (1.0 + q / squared)
    k = np.sqrt(t)
    slope = k * t / squared  # the gradient in row i is slope times the gap, in j minus that
    trace = d * slope - 3 * q * slope * t / squared
    return both * k - w[j] * slope * first + w[i] * slope * second + w[i] * w[j] * trace


@inline
def scaled(value: Any, centre: Any, unit: Any) -> Any:
    """The value in units of its column."""
    z = (value - centre) / unit
    size = abs(z)
    if size > FAR:
        size = FAR * (1.0 + np.log(min(size, LARGEST) / FAR))
        z = size if z > 0 else -size
    return z


@inline
def mixed(word: Any) -> Any:
    """The output function of SplitMix64."""
    z = word + GOLDEN
    z = (z ^ (z >> u64(30))) * FIRST
    z = (z ^ (z >> u64(27))) * SECOND
    return z ^ (z >> u64(31))
