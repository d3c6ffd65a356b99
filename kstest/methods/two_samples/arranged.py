"""Rows of two samples in an order that tells nothing, without a copy of their numbers.

Sorted within each sample, the answer depends neither on the order of rows in the file nor on which
sample is called the reference; columns come in order of their names. Tests that go column by column
take one at a time from the samples as they were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.digests import fingerprint_of
from ...kernels import scale_columns
from ...sample import Sample

# Rows that are compared at a time where the first difference counts.
LOOK = 4096


@frozen
class Arranged:
    """Which row of which sample stands where, and all that is not a number.

    Attributes
    ----------
    m, n : int
        Rows of either side; the smaller one comes first.
    origin : ndarray of int (N,)
        Position of each row in the concatenation of the samples as they were given.
    codes : ndarray of int32 (N, c)
        Categorical columns, then a column of marks for each numeric one that has missing cells.
    groups : ndarray of int (N,) or None
    weights : ndarray (N,) or None
    numeric : int
        Numeric columns, d.
    names : tuple of str
        The numeric columns in order of their names, then those of `codes`; a column whose missing
        cells are marked appears in both.
    reference_first : bool
        Whether the m rows are those of the first sample given.
    missing : ndarray of bool (N, d) or None
        Numeric cells that are marked as missing.
    """

    m: int
    n: int
    origin: NDArray[np.int64]
    codes: NDArray[np.int32]
    groups: NDArray[np.int64] | None
    weights: NDArray[np.float64] | None
    numeric: int
    names: tuple[str, ...]
    reference_first: bool
    missing: NDArray[np.bool_] | None

    @property
    def width(self) -> int:
        """Columns of all kinds."""
        return self.numeric + int(self.codes.shape[1])

    def present(self, column: int) -> NDArray[np.bool_] | None:
        """Rows where a numeric column has a value; None where it has one everywhere."""
        return None if self.missing is None else ~self.missing[:, column]

    def column(self, samples: Sequence[Sample], column: int) -> NDArray[np.float64]:
        """The numbers of a numeric column as they were read, shape (N,)."""
        place = samples[0].columns.index(self.names[column])
        return np.concatenate([s.values[:, place] for s in samples])[self.origin]

    def table(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        """A copy of the numbers of all rows, shape (N, d)."""
        order = sorted(range(self.numeric), key=samples[0].columns.__getitem__)
        sides = (0, 1) if self.reference_first else (1, 0)
        rows = [self.origin[: self.m], self.origin[self.m :]]
        orders = [rows[sides.index(side)] - (0, samples[0].n)[side] for side in (0, 1)]
        return join([columns_of(s.values, order) for s in samples], orders, sides)

    def mark(self, samples: Sequence[Sample]) -> int:
        """A number of the pooled rows that knows neither labels nor order, for the seed."""
        return fingerprint_of(self._scaled(samples), self.codes, self.m + self.n)

    def _scaled(self, samples: Sequence[Sample]) -> Iterator[NDArray[np.float64]]:
        for c in range(self.numeric):
            holes = None if self.missing is None else self.missing[:, c : c + 1]
            yield scale_columns(self.column(samples, c)[:, None], "robust", holes)[:, 0]

    @property
    def parts(self) -> dict[str, Any]:
        """The fields by name, for what is made of them."""
        return {f.name: getattr(self, f.name) for f in fields(Arranged)}


def arrange(samples: Sequence[Sample], sort: bool) -> Arranged:
    """Put the rows of two samples in order; as they are, unless `sort`."""
    numeric = sorted(range(len(samples[0].columns)), key=samples[0].columns.__getitem__)
    categories = sorted(range(len(samples[0].categorical)), key=samples[0].categorical.__getitem__)
    codes = [columns_of(s.codes, categories) for s in samples]
    names = [samples[0].columns[c] for c in numeric]
    names += [samples[0].categorical[c] for c in categories]
    missing = None
    if any(s.missing is not None for s in samples):
        missing = [
            np.zeros(s.values.shape, bool) if s.missing is None else s.missing[:, numeric]
            for s in samples
        ]
        holes = np.flatnonzero(missing[0].any(axis=0) | missing[1].any(axis=0))
        codes = [
            np.hstack([code, mark[:, holes]]).astype(np.int32)
            for code, mark in zip(codes, missing, strict=True)
        ]
        names += [names[c] for c in holes]
    tables = [[[s.values[:, c] for c in numeric] for s in samples], [[*code.T] for code in codes]]
    orders = [np.arange(s.n) for s in samples]
    first = 0
    if sort:
        keys = zip(*tables, map(_extra, samples), strict=True)
        orders = [row_order([*v, *c, *extra]) for v, c, extra in keys]
        first = _first(tables, orders)
    sides = (first, 1 - first)

    def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return join(parts, orders, sides)

    groups = [s.groups for s in samples if s.groups is not None]
    weights = [s.weights for s in samples if s.weights is not None]
    offset = (0, samples[0].n)
    return Arranged(
        m=samples[first].n,
        n=samples[1 - first].n,
        origin=np.concatenate([offset[side] + orders[side] for side in sides]).astype(np.int64),
        codes=np.ascontiguousarray(joined(codes)),
        groups=joined(groups) if groups else None,
        weights=joined(weights) if weights else None,
        numeric=len(numeric),
        names=tuple(names),
        reference_first=first == 0,
        missing=None if missing is None else joined(missing),
    )


def columns_of(table: NDArray[Any], order: Sequence[int]) -> NDArray[Any]:
    """Columns in another order; the table itself where that is its own."""
    return table if list(order) == list(range(table.shape[1])) else table[:, order]


def join(
    parts: Sequence[NDArray[Any]], orders: Sequence[NDArray[np.int64]], sides: Sequence[int]
) -> NDArray[Any]:
    """Rows of both sides in order, straight to their place: a million are not copied twice."""
    out = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), np.result_type(*parts))
    place = 0
    for side in sides:
        rows = len(parts[side])
        np.take(parts[side], orders[side], axis=0, out=out[place : place + rows], mode="clip")
        place += rows
    return out


def row_order(keys: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Return the order of ``np.lexsort(keys[::-1])``: by the first key, equal rows by the next.

    Later keys are looked at only for rows that are equal so far. In a table of measured numbers
    hardly any are, and one sort is all there is.
    """
    order = np.argsort(keys[0])
    tied = np.zeros(0, np.int64)
    if len(order) > 1:
        value = keys[0][order]
        tied, run = _runs(value[1:] != value[:-1])
    for key in keys[1:]:
        if not len(tied):
            return order
        rows = order[tied]
        finer = np.lexsort((key[rows], run))
        order[tied] = rows[finer]
        value = key[order[tied]]
        apart = (value[1:] != value[:-1]) | (run[1:] != run[:-1])
        still, run = _runs(apart)
        tied = tied[still]
    if len(tied):  # rows that are equal in every key: as they stood
        rows = order[tied]
        order[tied] = rows[np.lexsort((rows, run))]
    return order


def _runs(apart: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places that are equal to a neighbour, and the number of the run that each is in.

    `apart`, shape (n - 1,), says which neighbours differ.
    """
    if apart.all():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    edge = np.concatenate([[True], apart, [True]])
    inside = np.flatnonzero(~(edge[:-1] & edge[1:]))
    return inside, np.cumsum(edge[:-1])[inside]


def _extra(sample: Sample) -> list[NDArray[Any]]:
    return [x for x in (sample.groups, sample.weights) if x is not None]


def _first(
    tables: Sequence[Sequence[Sequence[NDArray[Any]]]], orders: Sequence[NDArray[np.int64]]
) -> int:
    """The smaller sample or, tied, the one whose first different row is smaller.

    `tables` are columns of both samples: numbers before categories.
    """
    if len(orders[0]) != len(orders[1]):
        return int(len(orders[1]) < len(orders[0]))
    for columns in tables:
        for start in range(0, len(orders[0]) if columns[0] else 0, LOOK):
            a, b = (
                np.column_stack([column[order[start : start + LOOK]] for column in side])
                for side, order in zip(columns, orders, strict=True)
            )
            if (a != b).any():
                place = np.argmax((a != b).ravel())
                return int(b.ravel()[place] < a.ravel()[place])
    return 0
