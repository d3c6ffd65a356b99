"""Sums of the Stein kernel over pairs of rows.

For rows x with scores s(x) = grad log p(x) and a kernel k(x, y) = phi(r^2), r = x - y, the
Langevin Stein kernel is, coordinate after coordinate added up,

    u(x, y) = (s_x . s_y) phi - 2 phi' [(s_x - s_y) . r + d] - 4 r^2 phi''

(Liu, Lee, Jordan 2016, arXiv 1602.03253; Chwialkowski, Strathmann, Gretton 2016, arXiv
1602.02964). Three numbers per pair are enough for every bandwidth: r^2, s_x . s_y and
(s_x - s_y) . r. Its expectation is 0 in each argument if the rows are drawn from p.

An angle has no place in that formula, because a kernel of its value jumps at 2 pi. Its kernel
looks at the point on a circle instead, and with delta = x - y along the circle of radius R the
coordinate's share of r^2 is 2 R^2 (1 - cos(delta / R)), of (s_x - s_y) . r is
(s_x - s_y) R sin(delta / R), of d is cos(delta / R) and of the last r^2 is R^2 sin^2(delta / R):
the same formula, derived along the arc.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import BandwidthGrid
from .blocks import cut_blocks, load_loops
from .work import Work, run_tasks, silent, single_blas

Array = NDArray[np.float64]

# Below this many elementary steps NumPy has finished before numba could be imported.
NUMPY_STEPS = 2e8
# Rectangles of pairs that NumPy evaluates at once: their ten arrays stay in the cache.
TILE_ROWS, TILE_COLUMNS = 64, 1024
# Freed once, an array of this many bytes has the C library (glibc) keep smaller ones for reuse. It
# else gives their memory back to the system each time, and a third of the time goes into that.
KEPT = 4 << 20
# One compiled call covers about this many steps, so that progress moves and Ctrl-C is heard.
CALL_STEPS = 1e9


@frozen
class SteinPoints:
    """Rows with their scores, ready for the Stein kernel; float64 throughout.

    Attributes
    ----------
    rows : ndarray (n, d)
        Scaled coordinates. For an angle the length of the arc.
    scores : ndarray (n, d)
        Gradient of the log density with respect to `rows`.
    radius : ndarray (d,)
        Infinite for a coordinate on a line, the circle's radius for an angle.
    weights : ndarray (n,) or None
        Every pair counts w_i w_j times.
    """

    rows: Array
    scores: Array
    radius: Array
    weights: Array | None = None

    @classmethod
    def of(cls, rows: Array, scores: Array, radius: Array | None = None) -> SteinPoints:
        """Centre the coordinates on lines: matrix products lose digits far from the origin."""
        if radius is None:
            radius = np.full(rows.shape[1], np.inf)
        centre = np.where(np.isinf(radius), rows.mean(axis=0), 0.0)
        return cls(np.ascontiguousarray(rows - centre), np.ascontiguousarray(scores), radius)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: NDArray[np.int64]) -> SteinPoints:
        return SteinPoints(
            np.ascontiguousarray(self.rows[index]),
            np.ascontiguousarray(self.scores[index]),
            self.radius,
            None if self.weights is None else self.weights[index],
        )

    def embedded(self) -> Array:
        """Return rows whose Euclidean distances are those of the kernel, angles on circles."""
        rows, flat = self.rows, np.isinf(self.radius)
        if flat.all():
            return rows
        angles, radius = rows[:, ~flat] / self.radius[~flat], self.radius[~flat]
        return np.concatenate(
            [rows[:, flat], radius * np.cos(angles), radius * np.sin(angles)], axis=1
        )

    def own(self, grid: BandwidthGrid) -> Array:
        """Return u(x, x) of all rows, (L, n): |s|^2 phi(0) - 2 d phi'(0), weighted."""
        derivatives, d = grid.kernel.derivatives, self.rows.shape[1]
        assert derivatives is not None
        square = np.einsum("ij,ij->i", self.scores, self.scores)
        weights = np.ones(len(self)) if self.weights is None else self.weights
        at_zero = [derivatives(np.zeros(1), float(a)) for a in grid.factors]
        return np.array([(square * phi + d * first) * weights**2 for phi, first, _ in at_zero])


@frozen
class SteinSums:
    """Sums of the Stein kernel at L bandwidths over G blocks.

    Attributes
    ----------
    blocks : ndarray (L, G, G)
        Over i in block a, j in block b, i != j; symmetric.
    squares : ndarray (L,)
        Of u(x_i, x_j)^2 over the unordered pairs i < j that were visited.
    """

    blocks: Array
    squares: Array


@frozen
class Pairs:
    """The numbers of a rectangle of pairs; each (len i, len j), `trace` may be the number d.

    `last` is the factor of -4 phi'', r^2 but for angles; `weights` multiplies the whole.
    """

    r2: Array
    scores: Array
    cross: Array
    trace: Array | float
    last: Array
    weights: Array | None = None

    def stein(self, grid: BandwidthGrid) -> Iterator[NDArray[np.floating[Any]]]:
        """Yield u of every pair, one array per bandwidth."""
        derivatives = grid.kernel.derivatives
        if derivatives is None:
            raise ValueError(f"the {grid.kernel.name} kernel has no derivatives")
        slope = self.cross + self.trace
        for a in grid.factors:
            phi, first, second = derivatives(self.r2, float(a))
            phi *= self.scores
            first *= slope
            second *= self.last
            phi += first
            phi -= second
            if self.weights is not None:
                phi *= self.weights
            yield phi


def pair_numbers(points: SteinPoints, i: slice, j: slice) -> Pairs:
    """Return the numbers of rows i against rows j."""
    x, y, s, t = points.rows[i], points.rows[j], points.scores[i], points.scores[j]
    flat = np.isinf(points.radius)
    if not flat.all():
        return _with_circles(points, i, j)
    r2 = x @ y.T
    r2 *= -2
    r2 += np.einsum("ij,ij->i", x, x)[:, None]
    r2 += np.einsum("ij,ij->i", y, y)
    np.maximum(r2, 0, out=r2)
    cross = np.einsum("ij,ij->i", s, x)[:, None] + np.einsum("ij,ij->i", t, y)
    cross -= s @ y.T
    cross -= x @ t.T
    return Pairs(r2, s @ t.T, cross, float(x.shape[1]), r2, _weights(points, i, j))


def _weights(points: SteinPoints, i: slice, j: slice) -> Array | None:
    w = points.weights
    return None if w is None else np.outer(w[i], w[j])


def _with_circles(points: SteinPoints, i: slice, j: slice) -> Pairs:
    shape = (i.stop - i.start, j.stop - j.start)
    r2, cross, trace, last = (np.zeros(shape) for _ in range(4))
    for c, radius in enumerate(points.radius):
        delta = points.rows[i, c, None] - points.rows[None, j, c]
        difference = points.scores[i, c, None] - points.scores[None, j, c]
        if np.isinf(radius):
            r2 += delta * delta
            last += delta * delta
            cross += difference * delta
            trace += 1
        else:
            sine = np.sin(delta / radius)
            r2 += (2 * radius * np.sin(delta / (2 * radius))) ** 2
            last += (radius * sine) ** 2
            cross += difference * radius * sine
            trace += np.cos(delta / radius)
    scores = points.scores[i] @ points.scores[j].T
    return Pairs(r2, scores, cross, trace, last, _weights(points, i, j))


def stein_sums(
    points: SteinPoints,
    starts: NDArray[np.int64],
    grid: BandwidthGrid,
    work: Work,
    first: int | None = None,
) -> SteinSums:
    """Sum the Stein kernel over pairs of blocks of rows, for all bandwidths.

    Parameters
    ----------
    points : SteinPoints
        Block after block.
    starts : ndarray of int (G + 1,)
        Block g holds the rows starts[g] <= i < starts[g + 1].
    grid : BandwidthGrid
        Of a kernel with derivatives.
    work : Work
    first : int, optional
        Only pairs of which one row is in the first so many blocks; the other cells stay 0.

    Returns
    -------
    SteinSums
        Pairs of a row with itself are left out.
    """
    with single_blas():
        return _sums(points, starts, grid, work, 1, first)


def stein_totals(
    samples: Iterable[tuple[SteinPoints, BandwidthGrid]],
    count: int,
    work: Work,
    starts: NDArray[np.int64] | None = None,
) -> Iterator[SteinSums]:
    """Sum the Stein kernel over all pairs of each of `count` samples, one after the other.

    Each is cut into blocks at `starts` (see `stein_sums`), and by default a single block.
    """
    quiet = silent(work)
    with single_blas():
        for number, (points, grid) in enumerate(samples, 1):
            blocks = np.array([0, len(points)]) if starts is None else starts
            yield _sums(points, blocks, grid, quiet, count)
            work.progress(number / count)


def _sums(
    points: SteinPoints,
    starts: NDArray[np.int64],
    grid: BandwidthGrid,
    work: Work,
    repeats: int,
    first: int | None = None,
) -> SteinSums:
    n, d = points.rows.shape
    first = len(starts) - 1 if first is None else first
    side = int(starts[first])
    steps = repeats * side * (n - side / 2) * (6 + d + 4 * len(grid))
    compiled = (
        grid.kernel.stein_branch is not None
        and steps >= NUMPY_STEPS
        and bool(np.isinf(points.radius).all())
    )
    return (_compiled if compiled else _numpy)(points, starts, grid, work, first)


def _numpy(
    points: SteinPoints, starts: NDArray[np.int64], grid: BandwidthGrid, work: Work, first: int
) -> SteinSums:
    n, groups, side = len(points), len(starts) - 1, int(starts[first])
    single = groups == n
    np.empty(KEPT, np.uint8)
    out = np.zeros((len(grid), groups, groups))
    squares = np.zeros(len(grid))
    for begin in range(0, side, TILE_ROWS):
        i = slice(begin, min(begin + TILE_ROWS, side))
        i_cut = cut_blocks(starts, i)
        for j in (i, *_strips(i.stop, n)):
            j_cut = cut_blocks(starts, j)
            for l, values in enumerate(pair_numbers(points, i, j).stein(grid)):
                if j is i:
                    np.fill_diagonal(values, 0)
                flat = values.ravel()
                part = values
                if not single:
                    part = np.add.reduceat(values, j_cut[1], axis=1)
                    part = np.add.reduceat(part, i_cut[1], axis=0)
                out[l, i_cut[0], j_cut[0]] += part
                if j is i:
                    squares[l] += flat @ flat / 2
                else:
                    out[l, j_cut[0], i_cut[0]] += part.T
                    squares[l] += flat @ flat
        work.progress(1 - (1 - i.stop / side) ** 2)
    return SteinSums(out, squares)


def _strips(start: int, stop: int) -> list[slice]:
    return [slice(j, min(j + TILE_COLUMNS, stop)) for j in range(start, stop, TILE_COLUMNS)]


def _compiled(
    points: SteinPoints, starts: NDArray[np.int64], grid: BandwidthGrid, work: Work, first: int
) -> SteinSums:
    load_loops("stein", work)
    groups, d = len(starts) - 1, points.rows.shape[1]
    out = np.zeros((len(grid), groups, groups))
    columns = np.ascontiguousarray(points.rows.T)
    score_columns = np.ascontiguousarray(points.scores.T)
    factors, code = grid.factors, grid.kernel.stein_branch
    weights = np.ones(len(points)) if points.weights is None else points.weights
    # Blocks of few rows are handed over several at a time; a call must be worth its overhead.
    spans = _spans(starts, first, CALL_STEPS / (6 + d + 4 * len(grid)))
    numbers = points.rows, points.scores, columns, score_columns, weights, starts
    tasks = [(*numbers, *span, code, factors) for span in spans]
    costs = [float(starts[b] - starts[a]) * float(starts[-1] - starts[a]) for a, b in spans]
    partial: list[Array] = []
    for (begin, last), (sums, squares) in zip(
        spans, run_tasks(_span_sums, tasks, work, costs), strict=True
    ):
        for a in range(begin, last):
            out[:, a, a:] = out[:, a:, a] = sums[:, a - begin, a:]
        partial.append(squares)
    return SteinSums(out, np.sum(partial, axis=0))


def _span_sums(*arguments: Any) -> tuple[Array, Array]:
    """Call `loops.stein_row`: all its arguments but the results."""
    from .loops import stein_row

    *_, starts, begin, last, _, factors = arguments
    sums = np.zeros((len(factors), last - begin, len(starts) - 1))
    squares = np.zeros(len(factors))
    stein_row(*arguments, sums, squares)
    return sums, squares


def _spans(starts: NDArray[np.int64], groups: int, pairs: float) -> Sequence[tuple[int, int]]:
    """Ranges of the first `groups` blocks whose rows meet about this many pairs each."""
    spans, begin = [], 0
    while begin < groups:
        rest = float(starts[-1] - starts[begin])
        rows = pairs / max(rest, 1.0)
        last = int(np.searchsorted(starts, starts[begin] + rows, side="right")) - 1
        last = min(max(last, begin + 1), groups)
        spans.append((begin, last))
        begin = last
    return spans
