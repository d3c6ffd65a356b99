"""Good events: the pool that toys are drawn from, its runs, and the batch that is put aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..likelihood_ratio import Pool
from ..params import option_name
from ..sample import Sample
from .settings import Params

# A pool of fewer batches than this shifts the null by what it lacks itself.
POOL_BATCHES = 20


def runs_of(pool: Sample) -> Any:
    found = pool.row_inputs if pool.groups is None else pool.groups
    count = int(found.max()) + 1
    if count < 2:
        raise DataError(
            "--tolerance: the pool holds one run; give several files as --pool, or name the column "
            "with the run of an event by --group"
        )
    return found


def run_names(pool: Sample) -> list[str]:
    return [i.path for i in pool.inputs] if pool.groups is None else list(pool.group_names)


def require_rows(pool: Pool, counts: Sequence[int], params: Params) -> None:
    needed = counts[-1]
    if pool.runs is not None:
        own = np.bincount(pool.runs)
        if own.min() < needed:
            raise DataError(
                f"--tolerance: run {int(own.argmin()) + 1} of the pool has {own.min():,} rows, a "
                f"batch {needed:,}; leave it out, or give a smaller --batch-size"
            )
        return
    most = needed * (2 if params.draw == "disjoint" else 1)
    if len(pool.rows) < most and params.draw != "replacement":
        raise DataError(
            f"pool: has {len(pool.rows):,} rows, fewer than {most:,}; give more good events, at "
            f"least {POOL_BATCHES} times {option_name('batch_size')}"
        )


def put_aside(pool: Pool, size: int, params: Params, rng: np.random.Generator) -> tuple[Pool, Pool]:
    """Take one batch out of the pool; none from a pool, or run, of fewer than two batches."""
    n = len(pool.rows)
    members = np.arange(n) if pool.runs is None else np.flatnonzero(pool.runs == 0)
    taken = np.empty(0, np.int64)
    if len(members) >= 2 * size:
        last = params.draw == "consecutive"
        taken = members[-size:] if last else np.sort(rng.choice(members, size, replace=False))
    kept = np.setdiff1d(np.arange(n), taken)
    return _taken(pool, taken), _taken(pool, kept)


def _taken(pool: Pool, index: Any) -> Pool:
    weights = None if pool.weights is None else pool.weights[index]
    return Pool(pool.rows.take(index), weights, None if pool.runs is None else pool.runs[index])
