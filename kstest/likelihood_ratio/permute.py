"""The statistic under permutations of the labels of reference and batch.

For few events, and no pool: features, widths and centres come from all rows without their labels,
so that p is exact where the rows are exchangeable. The Gram matrix of all rows is computed once,
and a permutation subtracts that of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    out = np.empty((len(features), len(batches)))
    for k, phi in enumerate(transform(rows, centres, features)):
        gram, total = phi.T @ phi, phi.sum(axis=0)
        tasks = [(phi, gram, total, batch, ridge) for batch in batches]
        out[k] = list(run_tasks(_statistic, tasks, work))
    return out


def _statistic(phi: Array, gram: Array, total: Array, batch: Index, ridge: float) -> float:
    """The statistic of one width if these rows are the batch."""
    size, rest = len(batch), len(phi) - len(batch)
    own = phi[batch]
    square, sums = own.T @ own, own.sum(axis=0)
    step = one_step((gram - square) / rest, (total - sums) / rest, size, 2 * size * ridge)
    f = phi @ step.solve(own, None)
    grown = np.exp(np.minimum(f, LARGEST))
    excess = (grown.sum() - grown[batch].sum()) / rest - 1
    return float(2 * (f[batch].sum() - size * excess))
