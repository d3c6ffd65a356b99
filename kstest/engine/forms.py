"""Quadratic forms v' K v of all labellings at once, from block sums or straight from the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import Bank
from .blocks import block_sums
from .tiles import TILE_ROWS, Points, tile_values
from .work import Work, run_tasks, single_blas

# With more blocks than this (then they are single rows) no matrix of block sums is kept.
MOST_STORED = 1024
TILE_COLUMNS = 2048


@dataclass(frozen=True)
class Forms:
    """What a labelled pair statistic needs, for L kernels and B + 1 sign vectors v in {+1, -1}^N.

    With K0 the kernel matrix without its diagonal:

    Attributes
    ----------
    quadratic : ndarray (L, B + 1)
        v' K0 v
    linear : ndarray (L, B + 1)
        1' K0 v
    total : ndarray (L,)
        1' K0 1
    squares : ndarray (L,)
        Sum of k(x_i, x_j)^2 over ordered pairs i != j.
    """

    quadratic: NDArray[np.float64]
    linear: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]


def quadratic_forms(
    rows: NDArray[np.float64],
    starts: NDArray[np.int64],
    signs: NDArray[np.int8],
    banks: Sequence[Bank],
    work: Work,
) -> Forms:
    """Evaluate the forms of all labellings.

    Parameters
    ----------
    rows : ndarray (N, d)
        Scaled rows, block after block.
    starts : ndarray of int (G + 1,)
    signs : ndarray of int8 (G, B + 1)
        One labelling per column.
    banks : sequence of Bank
        L kernels in all.
    work : Work
    """
    if len(starts) - 1 > MOST_STORED:
        if len(starts) - 1 != len(rows):
            raise ValueError(f"at most {MOST_STORED} blocks, or blocks of one row")
        parts = [_from_rows(rows, signs, bank, work) for bank in banks]
        return Forms(
            *(np.concatenate([getattr(p, f) for p in parts]) for f in Forms.__dataclass_fields__)
        )
    sums = block_sums(rows, starts, banks, work)
    v = signs.astype(np.float64)
    quadratic = signed_sums(sums.blocks, v)
    with single_blas():
        linear = sums.blocks.sum(axis=1) @ v
    return Forms(quadratic, linear, sums.blocks.sum(axis=(1, 2)), 2 * sums.squares)


def signed_sums(blocks: NDArray[np.float64], signs: NDArray[Any]) -> NDArray[np.float64]:
    """Return v' A v for all A in `blocks` (L, G, G) and columns v of `signs` (G, B + 1)."""
    v = signs.astype(np.float64)
    with single_blas():
        return np.array([np.einsum("gb,gb->b", v, block @ v) for block in blocks])


def _from_rows(rows: NDArray[np.float64], signs: NDArray[np.int8], bank: Bank, work: Work) -> Forms:
    """Row labellings: each tile of K meets all sign vectors in one float32 matrix product.

    Only the upper triangle is visited, so a tile off the diagonal counts twice.
    """
    points = Points.of(rows, np.float32)
    n, columns = len(points), signs.shape[1]
    spans = [slice(i, min(i + TILE_ROWS, n)) for i in range(0, n, TILE_ROWS)]
    # One partial result per span, added in order: no result depends on who finished first.
    quadratic = np.zeros((len(spans), len(bank), columns))
    linear = np.zeros((len(spans), len(bank), columns))
    total = np.zeros((len(spans), len(bank)))
    squares = np.zeros((len(spans), len(bank)))

    def task(number: int) -> None:
        i = spans[number]
        left = signs[i].astype(np.float32)
        rest = range(i.stop, n, TILE_COLUMNS)
        for j in (i, *(slice(c, min(c + TILE_COLUMNS, n)) for c in rest)):
            own = j is i
            right = left if own else signs[j].astype(np.float32)
            weight = 1 if own else 2
            for l, values in enumerate(tile_values(points, i, j, bank)):
                product = values @ right
                product *= left
                quadratic[number, l] += weight * product.sum(axis=0, dtype=np.float64)
                across = values.sum(axis=0, dtype=np.float64)
                linear[number, l] += across @ right
                if not own:
                    linear[number, l] += values.sum(axis=1, dtype=np.float64) @ left
                total[number, l] += weight * across.sum()
                flat = values.ravel()
                squares[number, l] += weight * float(flat @ flat)

    tasks: list[Callable[[], None]] = [lambda k=k: task(k) for k in range(len(spans))]  # type: ignore[misc]
    with single_blas():
        run_tasks(tasks, [n - i.start for i in spans], work)
    return Forms(*(part.sum(axis=0) for part in (quadratic, linear, total, squares)))
