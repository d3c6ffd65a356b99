"""Random tables with given margins: permutations of rows that are known by their cells alone.

Of n rows, row i is in cell a(i) of one block of columns and in cell b(i) of another. Where the rows
of one block are permuted against those of the other, all n! pairings alike, the table of counts
N_ab is a draw from the tables with these margins, of probability

    prod_a n_a! prod_b n_b! / (n! prod_ab N_ab!).

So the permutation test of any statistic of the table needs the table, and no row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

# Rows of a table at most: NumPy draws from fewer than 10^9.
MOST_ROWS = 900_000_000


def random_tables(rows: Whole, columns: Whole, count: int, rng: np.random.Generator) -> Whole:
    """Draw tables with given margins, as permutations of rows make them; exact.

    Parameters
    ----------
    rows, columns : ndarray of int (K,), (K',)
        Margins, of the same sum, at most MOST_ROWS.
    count : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int (count, K, K')

    Notes
    -----
    A row of the table after the other, each a draw without replacement from what is left of the
    columns.
    """
    out = np.zeros((count, len(rows), len(columns)), np.int64)
    for table in out:
        left = columns.copy()
        for cells, n in zip(table, rows.tolist(), strict=True):
            if n:
                cells[:] = rng.multivariate_hypergeometric(left, n, method="marginals")
                left -= cells
    return out
