"""Block sums of Gaussian kernels of one or two columns in linear time: no pairs, a Fourier series.

On data whose values span a range R, exp(-f (x - y)^2) equals its copy of period
L = R + sqrt(t / f), t = -log(tolerance), up to the tolerance, and so its Fourier series

    sum over k = 0..K of c_k cos(2 pi k (x - y) / L),   K = sqrt(t f) L / pi,
    c_k = m_k sqrt(pi / f) / L exp(-(pi k / L)^2 / f),  m_0 = 1, m_k = 2 otherwise.

As cos(a - b) = cos a cos b + sin a sin b, the sum over the pairs of two blocks is an inner product
of 2 (K + 1) sums over the rows of one block each. In two columns the kernel is a product, and so
are its modes. Bandwidths within a factor of four share a period and the sums over rows.

The series is a fixed positive definite function, even where it is cut off: a permutation test with
it is exact, like one with the kernel. Its error, about 1e-9 a pair, is far below that of a sweep
in single precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import BandwidthGrid, Rows
from .work import Work, run_tasks, silent

Array = NDArray[np.float64]

# -log(tolerance): what the series may be off by, a pair.
LOG_TOLERANCE = -math.log(1e-9)
# Factors (inverse squared bandwidths) that share a period: bandwidths within a factor of four.
SHARED = 16.0
# Numbers of the sums over rows that are held at once: 64 MB.
HELD = 8_000_000
# Numbers of the powers that one task holds.
TASK_VALUES = 500_000

# Spread of a column in units of the narrowest bandwidth beyond which no estimate is made.
MOST_MODES = 1e6

# Nanoseconds, from benchmarks/engine.py: a multiply-add of a matrix product, a power of a complex
# number, and what a block costs whatever its size.
PRODUCT_COST, POWER_COST, BLOCK_COST = 0.06, 6.0, 20_000.0


@frozen
class Group:
    """Bandwidths that share a period.

    Attributes
    ----------
    places : list of int
        Which bandwidths of the bandwidth grid.
    factors : ndarray
        f of each.
    periods : ndarray (d,)
        L of every column.
    modes : list of int
        Number of modes K + 1 of every column.
    """

    places: list[int]
    factors: Array
    periods: Array
    modes: list[int]

    def coefficients(self, factor: float, column: int) -> Array:
        """c_k of one column, k = 0..K; shape (K + 1,)."""
        period, k = self.periods[column], np.arange(self.modes[column])
        c = math.sqrt(math.pi / factor) / period * np.exp(-((np.pi * k / period) ** 2) / factor)
        c[1:] *= 2
        return np.asarray(c)

    def needed(self, factor: float, column: int) -> int:
        """Modes that one bandwidth of the group needs."""
        return min(_modes(factor, float(self.periods[column])), self.modes[column])


def groups(rows: Rows, grid: BandwidthGrid) -> list[Group]:
    """Cut the bandwidths of a bandwidth grid into groups, from the widest to the narrowest."""
    spread = np.ptp(rows.values, axis=0)
    order = np.argsort(grid.factors, kind="stable")
    out, first = [], 0
    while first < len(order):
        smallest = grid.factors[order[first]]
        last = first
        while last < len(order) and grid.factors[order[last]] <= SHARED * smallest * (1 + 1e-9):
            last += 1
        places = [int(l) for l in order[first:last]]
        periods = spread + math.sqrt(LOG_TOLERANCE / smallest)
        largest = float(grid.factors[places[-1]])
        modes = [_modes(largest, float(period)) for period in periods]
        out.append(Group(places, grid.factors[places], periods, modes))
        first = last
    return out


def _modes(factor: float, period: float) -> int:
    return 1 + math.ceil(math.sqrt(LOG_TOLERANCE * factor) * period / math.pi)


def seconds(rows: Rows, blocks: int, grid: BandwidthGrid) -> float:
    """Estimate the CPU seconds of `fourier_sums`; infinite where the series does not serve."""
    columns = rows.values.shape[1]
    if grid.kernel.name != "gaussian" or columns not in (1, 2) or rows.codes.shape[1]:
        return math.inf
    spread = float(np.ptp(rows.values, axis=0).max())
    if not spread * math.sqrt(float(grid.factors.max())) < MOST_MODES:
        return math.inf
    total = 0.0
    for group in groups(rows, grid):
        shape = _shape(group)
        total += len(rows) * (4 * shape[0] * shape[1] * PRODUCT_COST + sum(shape) * POWER_COST)
        total += blocks * BLOCK_COST
        for factor in group.factors:
            modes = [2 * group.needed(factor, c) for c in range(columns)]
            total += blocks**2 * math.prod(modes) * PRODUCT_COST
    return total * 1e-9


def _shape(group: Group) -> tuple[int, int]:
    """How many powers are multiplied with how many: of two columns, or k = a + b A of one."""
    if len(group.modes) == 2:
        return group.modes[0], group.modes[1]
    low = math.ceil(math.sqrt(group.modes[0]))
    return low, math.ceil(group.modes[0] / low)


def fourier_sums(
    rows: Rows,
    starts: NDArray[np.int64],
    grid: BandwidthGrid,
    work: Work,
    weights: Array | None = None,
) -> tuple[Array, Array]:
    """Sum a Gaussian kernel of all bandwidths over all pairs of blocks.

    Parameters
    ----------
    rows : Rows
        One or two numeric columns, no categories; block after block.
    starts : ndarray of int (G + 1,)
    grid : BandwidthGrid
        Gaussian, L bandwidths.
    work : Work
    weights : ndarray (N,), optional

    Returns
    -------
    blocks : ndarray (L, G, G)
        As `kstest.engine.blocks.Sums.blocks`, to some 1e-9 a pair.
    squares : ndarray (L,)
        As `Sums.squares`, to some 1e-5 of the number of pairs.

    Notes
    -----
    Time: N times the number of modes, and G^2 times that. Memory: 64 MB beside the result.
    """
    count, n = len(starts) - 1, len(rows)
    out, squares = np.zeros((len(grid), count, count)), np.zeros(len(grid))
    own = np.ones(n) if weights is None else weights * weights
    own = np.add.reduceat(own, starts[:-1])
    parts = [(group, part) for group in groups(rows, grid) for part in _parts(group, count)]
    for done, (group, part) in enumerate(parts):
        sums, plain = _row_sums(rows, starts, group, part, weights, silent(work))
        tasks = [(group, part, sums, plain, k) for k in range(len(group.places))]
        grams = run_tasks(_gram, tasks, silent(work))
        for l, (gram, square) in zip(group.places, grams, strict=True):
            if gram is not None:
                out[l] += gram
            squares[l] += square
        work.progress((done + 1) / len(parts))
    diagonal = np.arange(count)
    for group in groups(rows, grid):
        columns = range(len(group.modes))
        for l, factor in zip(group.places, group.factors, strict=True):
            # The pairs i = i: the series at 0, which is 1 up to the tolerance.
            out[l, diagonal, diagonal] -= own * _at_zero(group, factor, columns, 1.0)
            squares[l] = max((squares[l] - n * _at_zero(group, factor, columns, 2.0)) / 2, 0.0)
    return out, squares


def _at_zero(group: Group, factor: float, columns: range, power: float) -> float:
    """The series of k^power at x = y, with the modes that were used."""
    return math.prod(
        float(group.coefficients(power * factor, c)[: group.needed(factor, c)].sum())
        for c in columns
    )


def _parts(group: Group, count: int) -> Iterator[slice]:
    """Ranges of modes of the first column whose sums over rows are held at once."""
    if len(group.modes) == 1:
        yield slice(0, group.modes[0])
        return
    width = max(1, HELD // (4 * group.modes[1] * count))
    for first in range(0, group.modes[0], width):
        yield slice(first, min(first + width, group.modes[0]))


def _row_sums(
    rows: Rows,
    starts: NDArray[np.int64],
    group: Group,
    part: slice,
    weights: Array | None,
    work: Work,
) -> tuple[Array, Array]:
    """Sums over the rows of every block of products of cosines and sines.

    Returns
    -------
    sums : ndarray
        One column: (G, 2, K + 1), of w cos and w sin of mode k. Two columns: of their products,
        (G, 2, part, 2, K' + 1).
    plain : ndarray
        The same without weights, of all rows together.
    """
    count = len(starts) - 1
    low, high = _shape(group)
    first = part.stop - part.start if len(group.modes) == 2 else low
    middle = rows.values.mean(axis=0)  # angles near zero lose no digits
    shape = (2, first, 2, high)
    products = np.empty((count, *shape))
    width = max(1, TASK_VALUES // (2 * (first + high)))
    spans = _spans(starts, width)
    plains = np.zeros((len(spans), *shape)) if weights is not None else None
    tasks = []
    for a, b in spans:
        inside = slice(int(starts[a]), int(starts[b]))
        heavy = None if weights is None else weights[inside]
        tasks.append((rows.values[inside], middle, starts[a : b + 1], group, part, heavy))
    for number, (found, own) in enumerate(run_tasks(_span_sums, tasks, work)):
        products[slice(*spans[number])] = found.reshape(-1, *shape)
        if plains is not None and own is not None:
            plains[number] = own.reshape(shape)
    plain = products.sum(axis=0) if plains is None else plains.sum(axis=0)
    if len(group.modes) == 2:
        return products, plain
    return _added(products, group.modes[0]), _added(plain[None], group.modes[0])[0]


def _span_sums(
    values: Array,
    middle: Array,
    starts: NDArray[np.int64],
    group: Group,
    part: slice,
    weights: Array | None,
) -> tuple[Array, Array | None]:
    """Sums over the rows of each of a few blocks; with weights also those of all rows without."""
    low, high = _shape(group)
    angles = 2 * np.pi / group.periods * (values - middle)
    if len(group.modes) == 2:
        left = _powers(angles[:, 0], part.start, part.stop)
        right = _powers(angles[:, 1], 0, high)
    else:
        left, right = _powers(angles[:, 0], 0, low), _powers(low * angles[:, 0], 0, high)
    heavy = left if weights is None else left * weights[:, None]
    edges = starts - starts[0]
    products = np.empty((len(edges) - 1, left.shape[1], right.shape[1]))
    for g in range(len(products)):
        block = slice(edges[g], edges[g + 1])
        products[g] = heavy[block].T @ right[block]
    return products, None if weights is None else left.T @ right


def _spans(starts: NDArray[np.int64], width: int) -> list[tuple[int, int]]:
    """Ranges of blocks of about `width` rows, at least one block each."""
    spans, first, last = [], 0, len(starts) - 1
    while first < last:
        stop = int(np.searchsorted(starts, starts[first] + width, side="right")) - 1
        stop = min(max(stop, first + 1), last)
        spans.append((first, stop))
        first = stop
    return spans


def _powers(angles: Array, first: int, stop: int) -> Array:
    """Return cos and sin of k times the angles, first <= k < stop; shape (n, 2 (stop - first)).

    By doubling: each pass multiplies all powers so far by one complex number.
    """
    count = stop - first
    powers = np.empty((count, len(angles)), np.complex128)
    powers[0] = np.exp(1j * first * angles)
    done = 1
    while done < count:
        more = min(done, count - done)
        np.multiply(powers[:more], np.exp(1j * done * angles), out=powers[done : done + more])
        done += more
    out = np.empty((2, count, len(angles)))
    out[0], out[1] = powers.real, powers.imag
    return out.reshape(2 * count, len(angles)).T


def _added(products: Array, modes: int) -> Array:
    """From products of powers a and b A to cosines and sines of the sums a + b A."""
    cosine, sine = products[:, 0], products[:, 1]  # of a, each (G, A, 2, B)
    real, imaginary = cosine[:, :, 0] - sine[:, :, 1], sine[:, :, 0] + cosine[:, :, 1]
    out = np.stack([real, imaginary], axis=1)  # (G, 2, A, B)
    out = np.swapaxes(out, 2, 3).reshape(len(products), 2, -1)
    return np.ascontiguousarray(out[:, :, :modes])


def _gram(
    group: Group, part: slice, sums: Array, plain: Array, k: int
) -> tuple[Array | None, float]:
    """Return what these modes give to the block sums of the group's bandwidth number k, if any."""
    factor = float(group.factors[k])
    wanted = group.needed(factor, 0)
    scales = [group.coefficients(power * factor, 0)[:wanted] for power in (1.0, 2.0)]
    if len(group.modes) == 1:
        held = sums[:, :, :wanted]
        own = plain[:, :wanted]
    else:
        height, width = max(0, min(part.stop, wanted) - part.start), group.needed(factor, 1)
        if not height:
            return None, 0.0
        inside = slice(part.start, part.start + height)
        scales = [
            s[inside, None, None] * group.coefficients(power * factor, 1)[:width]
            for s, power in zip(scales, (1.0, 2.0), strict=True)
        ]
        held, own = sums[:, :, :height, :, :width], plain[:, :height, :, :width]
    features = (held * np.sqrt(scales[0])).reshape(len(sums), -1)
    return features @ features.T, float((own * own * scales[1]).sum())
