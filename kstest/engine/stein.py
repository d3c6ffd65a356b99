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

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import Bank
from .blocks import Sums, cut_blocks, load_leaves
from .tiles import TILE_ROWS
from .work import Work, run_tasks, single_blas

Array = NDArray[np.float64]

# Below this many elementary steps NumPy has finished before numba is imported.
NUMPY_STEPS = 2e8
# One compiled call covers about this many steps, so that progress moves and Ctrl-C is heard.
CALL_STEPS = 1e9


@dataclass(frozen=True)
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
    """

    rows: Array
    scores: Array
    radius: Array

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

    def diagonals(self, bank: Bank) -> Array:
        """Return sum_i u(x_i, x_i) per bandwidth: |s|^2 phi(0) - 2 d phi'(0) added up."""
        jet, (n, d) = bank.kernel.jet, self.rows.shape
        assert jet is not None
        own = float(np.einsum("ij,ij->", self.scores, self.scores))
        zero = np.zeros(1)
        jets = [jet(zero, float(a)) for a in bank.factors]
        return np.array([own * phi[0] + n * d * first[0] for phi, first, _ in jets])


@dataclass(frozen=True)
class Pairs:
    """The numbers of a rectangle of pairs; each (len i, len j), `trace` may be the number d."""

    r2: Array
    scores: Array
    cross: Array
    trace: Array | float
    last: Array

    def stein(self, bank: Bank) -> Iterator[NDArray[np.floating[Any]]]:
        """Yield u of every pair, one array per bandwidth."""
        jet = bank.kernel.jet
        if jet is None:
            raise ValueError(f"the {bank.kernel.name} kernel has no derivatives")
        slope = self.cross + self.trace
        for a in bank.factors:
            phi, first, second = jet(self.r2, float(a))
            phi *= self.scores
            first *= slope
            second *= self.last
            phi += first
            phi -= second
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
    return Pairs(r2, s @ t.T, cross, float(x.shape[1]), r2)


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
    return Pairs(r2, points.scores[i] @ points.scores[j].T, cross, trace, last)


def stein_sums(
    points: SteinPoints,
    starts: NDArray[np.int64],
    bank: Bank,
    work: Work,
) -> Sums:
    """Sum the Stein kernel over all pairs of blocks of rows, for all bandwidths.

    Parameters
    ----------
    points : SteinPoints
        Block after block.
    starts : ndarray of int (G + 1,)
        Block g holds the rows starts[g] <= i < starts[g + 1].
    bank : Bank
        Of a kernel with derivatives.
    work : Work

    Returns
    -------
    Sums
        Pairs of a row with itself are left out.
    """
    with single_blas():
        return _sums(points, starts, bank, work, 1)


def stein_totals(
    samples: Iterable[tuple[SteinPoints, Bank]], count: int, work: Work
) -> Iterator[Sums]:
    """Sum the Stein kernel over all pairs of each of `count` samples; G = 1 in every `Sums`."""
    quiet = replace(work, progress=lambda share: None)
    with single_blas():
        for number, (points, bank) in enumerate(samples, 1):
            yield _sums(points, np.array([0, len(points)]), bank, quiet, count)
            work.progress(number / count)


def _sums(
    points: SteinPoints, starts: NDArray[np.int64], bank: Bank, work: Work, repeats: int
) -> Sums:
    n, d = points.rows.shape
    steps = repeats * n**2 / 2 * (6 + d + 4 * len(bank))
    compiled = (
        bank.kernel.leaf is not None
        and steps >= NUMPY_STEPS
        and bool(np.isinf(points.radius).all())
    )
    return (_compiled if compiled else _numpy)(points, starts, bank, work)


def _numpy(points: SteinPoints, starts: NDArray[np.int64], bank: Bank, work: Work) -> Sums:
    n, groups = len(points), len(starts) - 1
    single = groups == n
    out = np.zeros((len(bank), groups, groups))
    squares = np.zeros(len(bank))
    for first in range(0, n, TILE_ROWS):
        i = slice(first, min(first + TILE_ROWS, n))
        i_cut = cut_blocks(starts, i)
        for j in (i, slice(i.stop, n)):
            if j.start == j.stop:
                continue
            j_cut = cut_blocks(starts, j)
            for l, values in enumerate(pair_numbers(points, i, j).stein(bank)):
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
        work.progress(1 - (1 - i.stop / n) ** 2)
    return Sums(out, squares)


def _compiled(points: SteinPoints, starts: NDArray[np.int64], bank: Bank, work: Work) -> Sums:
    load_leaves(work)
    from .leaves import stein_row

    groups, d = len(starts) - 1, points.rows.shape[1]
    out = np.zeros((len(bank), groups, groups))
    columns = np.ascontiguousarray(points.rows.T)
    score_columns = np.ascontiguousarray(points.scores.T)
    factors, code = bank.factors, bank.kernel.leaf
    tasks: list[Callable[[], None]] = []
    costs: list[float] = []
    partial: list[Array] = []
    # Blocks of few rows are handed over several at a time; a call must be worth its overhead.
    for first, last in _spans(starts, CALL_STEPS / (6 + d + 4 * len(bank))):
        squares = np.zeros(len(bank))
        partial.append(squares)
        args = (
            points.rows, points.scores, columns, score_columns, starts, first, last,
            code, factors, out, squares,
        )  # fmt: skip
        tasks.append(lambda args=args: stein_row(*args))  # type: ignore[misc]
        costs.append(float(starts[last] - starts[first]) * float(starts[-1] - starts[first]))
    run_tasks(tasks, costs, work)
    return Sums(out, np.sum(partial, axis=0))


def _spans(starts: NDArray[np.int64], pairs: float) -> Sequence[tuple[int, int]]:
    """Ranges of blocks whose rows meet about this many pairs with what follows them."""
    spans, first, groups = [], 0, len(starts) - 1
    while first < groups:
        rest = float(starts[-1] - starts[first])
        rows = pairs / max(rest, 1.0)
        last = int(np.searchsorted(starts, starts[first] + rows, side="right")) - 1
        last = min(max(last, first + 1), groups)
        spans.append((first, last))
        first = last
    return spans
