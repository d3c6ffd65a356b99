"""Sums over pairs of products of margins, for all permutations of bins of rows at once.

Two ways, both one sweep over pairs of rows in strips (no n x n matrix is ever whole):

`table_products`, for two margins and few bins. The s^2 blocks of both matrices, each laid out as
a row, meet in one matrix product: P[(a, b), (c, d)] = <K_ab, L_cd>. A permutation p of the bins
then costs s^2 additions: sum_ab P[(a, b), (p(a), p(b))]. By symmetry a < b is enough.

`grid_products`, for any number of margins and any number of bins (single rows too). The left
margins are permuted in I ways and the right ones in J ways, and a single matrix product of the
I and J flattened matrices gives all I x J relative permutations.

Which permutations are drawn, and why that is exact, is in `kstest.nulls.pairings`. Rows behind
the last bin never move; their pairs are counted like all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .margins import SPAN, Index, Margin
from .residuals import Residual
from .tiles import Array
from .work import Work, run_tasks, silent, single_blas

AnyMargin = Margin | Residual

# Kernel values of a strip, over all margins: long enough rows for matrix products, 64 MB.
STRIP_VALUES = 16_000_000
# Entries of one flattened matrix that meet in one matrix product of the grid.
CHUNK = 8192
# Pairs of single rows in double precision whose values are gathered, and multiplied, at a time:
# they stay in the second-level cache.
ROW_CHUNK = 256
# Kernel values per task and bandwidth: what it returns is still in the cache when it is put in
# place, and tasks are long enough not to wait for the interpreter lock.
TASK_VALUES = 100_000


def table_products(
    margins: Sequence[AnyMargin],
    pairs: Sequence[tuple[int, int]],
    permutations: Sequence[Index],
    size: int,
    work: Work,
) -> list[NDArray[np.float64]]:
    """Evaluate sum_{i != j} k~(i, j) l~(p(i), p(j)) for pairs of margins and permutations of bins.

    Parameters
    ----------
    margins : sequence of Margin or Residual
    pairs : sequence of (int, int)
        Which margins meet, as positions in `margins`.
    permutations : sequence of ndarray of int (B, s)
        Per pair: bin a of the first margin meets bin p(a) of the second. Bin g holds the rows
        g h <= i < (g + 1) h, rows from s h on are fixed.
    size : int
        h.
    work : Work

    Returns
    -------
    list of ndarray (R, R', B)
        Per pair.

    Notes
    -----
    Memory: R R' s^4 / 2 numbers per pair, and a strip of values. Time: R R' s^2 n^2 / 2
    multiply-adds per pair, all in matrix products, and n^2 kernel values per margin and bandwidth.
    """
    count = permutations[0].shape[1]
    tables = _Tables(margins, pairs, count, size)
    width = max(1, STRIP_VALUES // (tables.tiles * size))
    with single_blas():
        for first in range(0, size, width):
            strip = slice(first, min(first + width, size))
            tables.add_strip(strip, silent(work))
            work.progress(strip.stop / size)
        tables.add_fixed()
    return [tables.evaluate(k, p) for k, p in enumerate(permutations)]


class _Tables:
    """The growing tables of `table_products`: every task adds to cells of its own."""

    def __init__(
        self, margins: Sequence[AnyMargin], pairs: Sequence[tuple[int, int]], count: int, size: int
    ) -> None:
        self.margins, self.pairs, self.count = margins, pairs, count
        self.bins = np.arange(count * size).reshape(count, size)
        self.fixed = np.arange(count * size, len(margins[0]))
        a, b = np.triu_indices(count, 1)
        # Upper pairs a < b first, then their mirror images: a first margin needs only the upper.
        self.a, self.b = np.concatenate([a, b]), np.concatenate([b, a])
        self.upper = len(a)
        self.place = np.zeros((count, count), np.int64)
        self.place[self.a, self.b] = np.arange(len(self.a))
        seconds = {second for _, second in pairs}
        self.needed = [len(self.a) if m in seconds else self.upper for m in range(len(margins))]
        self.tiles = sum(len(m.grid) * k for m, k in zip(margins, self.needed, strict=True))
        bandwidths = [(len(margins[x].grid), len(margins[y].grid)) for x, y in pairs]
        self.off = [np.zeros((rx, self.upper, ry * len(self.a))) for rx, ry in bandwidths]
        self.own = [np.zeros((rx * count, ry * count)) for rx, ry in bandwidths]
        self.constant = [np.zeros((rx, ry)) for rx, ry in bandwidths]

    def add_strip(self, strip: slice, work: Work) -> None:
        """Add the pairs whose first row stands at these positions of its bin."""
        rows, buffers, owns = self.bins[:, strip], [], []
        tiles: list[tuple[Any, ...]] = []
        places: list[Array] = []
        for margin, needed in zip(self.margins, self.needed, strict=True):
            shape = (len(margin.grid), needed, rows.shape[1], self.bins.shape[1])
            buffers.append(np.empty(shape, margin.rows.dtype))
            owns.append(np.empty((shape[0], self.count, *shape[2:]), margin.rows.dtype))
            tiles.append((margin, rows, self.bins, True))
            places.append(owns[-1])
            step = max(1, TASK_VALUES // (rows.shape[1] * self.bins.shape[1]))
            for k in range(0, needed, step):
                part = slice(k, min(k + step, needed))
                tiles.append((margin, rows[self.a[part]], self.bins[self.b[part]], False))
                places.append(buffers[-1][:, part])
        _fill(places, tiles, work)
        products: list[tuple[Array, Array]] = []
        sums: list[NDArray[np.float64]] = []
        for k, (x, y) in enumerate(self.pairs):
            right = buffers[y].reshape(len(buffers[y]) * self.needed[y], -1)
            for r, left in enumerate(buffers[x]):
                for half in (slice(0, self.upper // 2), slice(self.upper // 2, self.upper)):
                    products.append((left[half], right))
                    sums.append(self.off[k][r, half])
            products.append((_flat(owns[x]), _flat(owns[y])))
            sums.append(self.own[k])
        for total, found in zip(sums, run_tasks(_product, products, work), strict=True):
            total += found

    def add_fixed(self) -> None:
        """Add the pairs with a row that never moves."""
        if not len(self.fixed):
            return
        columns = np.broadcast_to(self.fixed, (self.count, len(self.fixed)))
        moving, still = [], []
        for margin in self.margins:
            bandwidths, dtype = len(margin.grid), margin.rows.dtype
            out = np.empty((bandwidths, *self.bins.shape, len(self.fixed)), dtype)
            margin.values(self.bins, columns, False, out)
            moving.append(out)
            own = np.empty((bandwidths, 1, len(self.fixed), len(self.fixed)), dtype)
            margin.values(self.fixed[None], self.fixed[None], True, own)
            still.append(own.reshape(bandwidths, -1))
        for k, (x, y) in enumerate(self.pairs):
            self.own[k] += 2.0 * (_flat(moving[x]) @ _flat(moving[y]).T)
            self.constant[k] += still[x] @ still[y].T

    def evaluate(self, k: int, permutations: Index) -> NDArray[np.float64]:
        """Look the permutations of pair k up; shape (R, R', B)."""
        x, y = self.pairs[k]
        bandwidths = len(self.margins[x].grid), len(self.margins[y].grid)
        off = self.off[k].reshape(bandwidths[0], self.upper, bandwidths[1], -1)
        own = self.own[k].reshape(bandwidths[0], self.count, bandwidths[1], self.count)
        a, b = self.a[: self.upper], self.b[: self.upper]
        places = np.arange(self.upper) * len(self.a)
        places = places + self.place[permutations[:, a], permutations[:, b]]
        owns = np.arange(self.count) * self.count + permutations
        out = np.empty((*bandwidths, len(permutations)))
        for r in range(bandwidths[0]):
            for q in range(bandwidths[1]):
                out[r, q] = 2 * np.take(off[r, :, q], places).sum(axis=1)
                out[r, q] += np.take(own[r, :, q], owns).sum(axis=1) + self.constant[k][r, q]
        return out


def _flat(values: Array) -> Array:
    """(R, P, a, b) as (R P, a b)."""
    return values.reshape(values.shape[0] * values.shape[1], -1)


def _product(left: Array, right: Array) -> Array:
    return left.reshape(len(left), -1) @ right.T


def _tile(margin: AnyMargin, i: Index, j: Index, own: bool) -> Array:
    """Kernel values of P tiles, as `Margin.values` writes them; (R, P, a, b)."""
    out = np.empty((len(margin.grid), len(i), i.shape[1], j.shape[1]), margin.rows.dtype)
    margin.values(i, j, own, out)
    return out


def _fill(places: Sequence[Array], tiles: Sequence[tuple[Any, ...]], work: Work) -> None:
    """Put the tiles where they belong, so that whoever asks for their products has large ones."""
    for place, found in zip(places, run_tasks(_tile, tiles, work), strict=True):
        place[...] = found.reshape(place.shape)


def grid_products(
    left: Sequence[AnyMargin],
    right: Sequence[AnyMargin],
    permutations: tuple[Sequence[Index], Sequence[Index]],
    size: int,
    crossed: bool,
    work: Work,
) -> NDArray[np.float64]:
    """Evaluate sum_{i != j} of the product of all margins' values, for I x J permutations.

    Parameters
    ----------
    left, right : sequence of Margin or Residual
        Of one number of bandwidths on each side.
    permutations : pair of sequences of ndarray of int (I, s) and (J, s)
        Per margin: position a holds bin p(a), of `size` rows. Rows from s h on are fixed.
    size : int
        h; 1 permutes rows, and then the kernel matrices are held whole.
    crossed : bool
        Every bandwidth of the left with every bandwidth of the right, or bandwidth by bandwidth.
    work : Work

    Returns
    -------
    ndarray (R, R', I, J) if crossed, else (R, I, J)

    Notes
    -----
    Time: I J n^2 / 2 multiply-adds per pair of bandwidths, in matrix products, and (I + J) n^2 / 2
    gathered values per bandwidth and margin.
    """
    sides = [(left, permutations[0]), (right, permutations[1])]
    count = permutations[0][0].shape[1]
    bandwidths = [len(margins[0].grid) for margins, _ in sides]
    heights = [len(p[0]) for _, p in sides]
    total = np.zeros((bandwidths[0] * heights[0], bandwidths[1] * heights[1]))
    bins = np.arange(count * size).reshape(count, size)
    fixed = np.arange(count * size, len(left[0]))
    a, b = np.triu_indices(count, 0 if size > 1 else 1)
    weights = np.where(a == b, 1.0, 2.0)

    def add(values: list[list[Array]], tiles: int, entries: int, pairs: bool) -> None:
        """Add the products of all tiles, chunk by chunk and in order."""
        step = max(1, CHUNK // entries)
        tasks: list[tuple[Any, ...]] = []
        for k in range(0, tiles, step):
            some = slice(k, min(k + step, tiles))
            if pairs:
                tasks.append((values, permutations, (a[some], b[some]), weights[some], crossed))
            else:
                twice = np.full(some.stop - some.start, 2.0)
                tasks.append((values, permutations, (np.arange(tiles)[some],), twice, crossed))
        part = _row_part if pairs and size == 1 else _grid_part
        for found in run_tasks(part, tasks, silent(work)):
            np.add(total, found, out=total)

    per_row = sum(len(m.grid) for m in (*left, *right)) * count * count * size
    width = max(1, STRIP_VALUES // per_row)
    with single_blas():
        for first in range(0, size, width):
            strip = slice(first, min(first + width, size))
            values = [
                [
                    kernel_table(m, count, work) if size == 1 else _square(m, bins, strip, work)
                    for m in margins
                ]
                for margins, _ in sides
            ]
            add(values, len(a), (strip.stop - strip.start) * size, True)
            work.progress(strip.stop / size)
        if len(fixed):
            values = [[_edge(m, bins, fixed) for m in margins] for margins, _ in sides]
            add(values, count, size * len(fixed), False)
            still = [[_own(m, fixed) for m in margins] for margins, _ in sides]
            x, y = (np.prod(np.stack(s), axis=0) for s in still)
            constant = x @ y.T if crossed else np.einsum("rk,rk->r", x, y)
        else:
            constant = np.zeros((bandwidths[0], bandwidths[1]) if crossed else bandwidths[0])
    found = total.reshape(bandwidths[0], heights[0], bandwidths[1], heights[1]).transpose(
        0, 2, 1, 3
    )
    if crossed:
        return np.asarray(found + constant[:, :, None, None])
    own = np.arange(bandwidths[0])
    return np.asarray(found[own, own] + constant[:, None, None])


def _grid_part(
    values: Sequence[Sequence[Array]],
    permutations: Sequence[Sequence[Index]],
    bins: tuple[Index, ...],
    weight: NDArray[np.float64],
    crossed: bool,
) -> Array:
    """Products of permuted values of both sides over some tiles, (R I, R' J).

    Parameters
    ----------
    values : two sequences of ndarray (R, tiles, entries)
        Per side and margin.
    permutations, crossed
        See `grid_products`.
    bins : tuple of ndarray of int (some,)
        Row bin and column bin of each tile, or the bin alone.
    weight : ndarray (some,)
    """
    x, y = (
        _gathered(side, orders, bins) for side, orders in zip(values, permutations, strict=True)
    )
    x *= np.repeat(weight, x.shape[2] // len(weight)).astype(x.dtype)
    if crossed:
        return x.reshape(-1, x.shape[2]) @ y.reshape(-1, y.shape[2]).T
    (bandwidths, left, _), right = x.shape, y.shape[1]
    out = np.zeros((bandwidths * left, bandwidths * right), x.dtype)
    for r in range(bandwidths):
        out[r * left : (r + 1) * left, r * right : (r + 1) * right] = x[r] @ y[r].T
    return out


def _gathered(values: Sequence[Array], orders: Sequence[Index], bins: tuple[Index, ...]) -> Array:
    """Permuted values of one side, of all margins multiplied; (R, copies, entries)."""
    out: Array | None = None
    for part, order in zip(values, orders, strict=True):
        index = order[:, bins[0]]
        if len(bins) == 2:
            index = index * order.shape[1] + order[:, bins[1]]
        found = np.take(part, index, axis=1, mode="clip").reshape(len(part), len(index), -1)
        out = found if out is None else np.multiply(out, found, out=out)
    assert out is not None
    return out


def _row_part(
    values: Sequence[Sequence[Array]],
    permutations: Sequence[Sequence[Index]],
    rows: tuple[Index, Index],
    weight: NDArray[np.float64],
    crossed: bool,
) -> Array:
    """What `_grid_part` returns, of single rows; `values` are (n^2, R) as of `kernel_table`.

    The values of all bandwidths lie together, and so are found at once.
    """
    dtype = values[0][0].dtype
    step = ROW_CHUNK if dtype == np.float64 else len(weight)
    total: Array | None = None
    for k in range(0, len(weight), step):
        some = (rows[0][k : k + step], rows[1][k : k + step])
        x, y = (_met(side, orders, some) for side, orders in zip(values, permutations, strict=True))
        x *= weight[k : k + step, None, None].astype(dtype)
        (_, left, R), (_, right, Q) = x.shape, y.shape
        if crossed:
            found = x.reshape(len(x), -1).T @ y.reshape(len(y), -1)
        else:
            found = np.zeros((left, R, right, Q), dtype)
            for r in range(R):
                found[:, r, :, r] = x[:, :, r].T @ y[:, :, r]
        total = found if total is None else np.add(total, found, out=total)
    assert total is not None
    return total.reshape(left, R, right, Q).transpose(1, 0, 3, 2).reshape(R * left, Q * right)


def _met(values: Sequence[Array], orders: Sequence[Index], rows: tuple[Index, Index]) -> Array:
    """Values of permuted pairs of rows of one side, of all margins multiplied; (pairs, I, R)."""
    out: Array | None = None
    for part, order in zip(values, orders, strict=True):
        place = np.take(order.T, rows[0], axis=0)
        place *= order.shape[1]
        place += np.take(order.T, rows[1], axis=0)
        found = np.take(part, place, axis=0, mode="clip")
        out = found if out is None else np.multiply(out, found, out=out)
    assert out is not None
    return out


def kernel_table(margin: AnyMargin, n: int, work: Work) -> Array:
    """Return values of all ordered pairs of the first n rows, (n^2, R), bandwidth by bandwidth."""
    out = np.empty((n, n, len(margin.grid)), margin.rows.dtype)
    columns, by_bandwidth = np.arange(n)[None], out.transpose(2, 0, 1)[:, None]
    starts = [slice(k, k + SPAN) for k in range(0, n, SPAN)]
    tiles = [(margin, columns[:, part], columns, True) for part in starts]
    _fill([by_bandwidth[:, :, part] for part in starts], tiles, silent(work))
    return out.reshape(n * n, -1)


def _square(margin: AnyMargin, bins: Index, strip: slice, work: Work) -> Array:
    """Values of all ordered pairs of bins, for some rows of each; (R, s^2, entries).

    Of single rows (s^2, R), see `_row_part`.
    """
    count, size = bins.shape
    if size == 1:
        return kernel_table(margin, count, work)
    shape = (len(margin.grid), count * count, strip.stop - strip.start, size)
    out = np.empty(shape, margin.rows.dtype)
    tiles: list[tuple[Any, ...]] = []
    places: list[Array] = []
    if isinstance(margin, Residual):
        # Pairs with some bins as columns by one large tile: it has large products.
        step = max(1, TASK_VALUES // (count * shape[2] * size))
        i = bins[:, strip]
        by_bin = out.reshape(len(out), count, count, *shape[2:]).transpose(0, 1, 3, 2, 4)
        for k in range(0, count, step):
            j = bins[k : k + step]
            tiles.append((margin, i.reshape(1, -1), j.reshape(1, -1), True))
            places.append(by_bin[:, :, :, k : k + step])
    else:
        a, b = np.divmod(np.arange(count * count), count)
        step = max(1, TASK_VALUES // (shape[2] * size))
        for k in range(0, count * count, step):
            part = slice(k, k + step)
            tiles.append((margin, bins[a[part], strip], bins[b[part]], True))
            places.append(out[:, part])
    _fill(places, tiles, silent(work))
    return out.reshape(len(out), count * count, -1)


def _edge(margin: AnyMargin, bins: Index, fixed: Index) -> Array:
    """Values of all bins against the fixed rows; (R, s, entries)."""
    columns = np.broadcast_to(fixed, (len(bins), len(fixed)))
    out = np.empty((len(margin.grid), *bins.shape, len(fixed)), margin.rows.dtype)
    margin.values(bins, columns, False, out)
    return out.reshape(*out.shape[:2], -1)


def _own(margin: AnyMargin, fixed: Index) -> NDArray[np.float64]:
    """Values of the fixed rows among themselves; (R, entries)."""
    out = np.empty((len(margin.grid), 1, len(fixed), len(fixed)), margin.rows.dtype)
    margin.values(fixed[None], fixed[None], True, out)
    return out.reshape(len(out), -1).astype(np.float64)
