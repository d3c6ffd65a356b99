"""The statistic under permutations of the labels of reference and batch.

For few events, and no pool: features, widths and centres come from all rows without their labels,
so that p is exact where the rows are exchangeable. The Gram matrix of all rows is computed once,
and a permutation subtracts that of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..engine import Work, single_blas
from ..engine.work import run_tasks
from ..kernels import Rows
from .features import Features, transform
from .fit import one_step
from .reference import LARGEST

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@single_blas()
def permutation_statistics(
    rows: Rows,
    batches: Sequence[Index],
    centres: Rows,
    features: Sequence[Features],
    ridge: float,
    work: Work,
) -> Array:
    """Return the extended statistic of every width for every choice of the batch; shape (K, B).

    Parameters
    ----------
    rows : Rows
        All n rows.
    batches : sequence of ndarray of int (n_D,)
        The rows that play the batch; the others are the reference.
    centres : Rows
    features : sequence of Features
    ridge : float
        Per unit of data weight.
    work : Work
    """
    n, size = len(rows), len(batches[0])
    out = np.empty((len(features), len(batches)))
    for k, phi in enumerate(transform(rows, centres, features)):
        gram, total = phi.T @ phi, phi.sum(axis=0)

        def fit(b: int, k: int = k, phi: Array = phi, gram: Array = gram,
                total: Array = total) -> None:  # fmt: skip
            own = phi[batches[b]]
            square, sums = own.T @ own, own.sum(axis=0)
            mean = (total - sums) / (n - size)
            step = one_step((gram - square) / (n - size), mean, size, 2 * size * ridge)
            f = phi @ step.solve(own, None)
            grown = np.exp(np.minimum(f, LARGEST))
            excess = (grown.sum() - grown[batches[b]].sum()) / (n - size) - 1
            out[k, b] = 2 * (f[batches[b]].sum() - size * excess)

        tasks = [partial(fit, b) for b in range(len(batches))]
        run_tasks(tasks, [1.0] * len(batches), work)
    return out
