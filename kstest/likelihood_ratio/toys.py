"""Toys: batches from a pool of known good events, and their statistics.

The pool holds good events that are not in the reference: the reference's own rows would fit it
too well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..engine import Work, single_blas, stage
from ..engine.work import run_tasks, silent
from ..kernels import Rows
from .features import transform
from .fit import OneStep, one_step
from .reference import Reference, statistics

Array = NDArray[np.float64]
Index = NDArray[np.int64]

DRAWS = ("subsets", "replacement", "disjoint", "consecutive")
# Features of the whole pool are kept while they are not more numbers than this (1 GB): else every
# toy makes its own.
MOST_VALUES = 1 << 27
# Fits whose log ratios are evaluated on the reference at the same time.
TOGETHER = 256
# Different expected weights for which the first step is prepared.
PREPARED = 4


@frozen
class Pool:
    """Good events.

    Attributes
    ----------
    rows : Rows
        N_P of them, scaled like the reference.
    weights : ndarray (N_P,) or None
    runs : ndarray of int (N_P,) or None
        The run of each event, where every toy comes from one run.
    """

    rows: Rows
    weights: Array | None = None
    runs: Index | None = None


def draw_indices(
    pool: Pool, how: str, size: int, count: int, poisson: bool, rng: np.random.Generator
) -> tuple[list[Index], Index | None]:
    """Draw toys: the events of each, and the run that each comes from.

    Parameters
    ----------
    pool : Pool
    how : {'subsets', 'replacement', 'disjoint', 'consecutive'}
        Without or with replacement within a toy; parts of the shuffled pool that have no event in
        common; or neighbours in the file.
    size : int
        Events of a toy, or their mean if `poisson`.
    count : int
        Toys; of disjoint ones as many as there are, if fewer.
    poisson : bool
    rng : numpy.random.Generator

    Notes
    -----
    A toy without replacement has exactly the distribution of a fresh batch, averaged over pools;
    toys of one pool resemble each other more than they resemble a batch (see `finite_pool`).
    Disjoint toys are independent given the reference, so that p is exact for one fixed reference.
    Consecutive ones keep what neighbours have in common.
    """
    n = len(pool.rows)
    sizes = rng.poisson(size, count) if poisson else np.full(count, size)
    if pool.runs is not None:
        members = [np.flatnonzero(pool.runs == run) for run in range(int(pool.runs.max()) + 1)]
        runs = np.arange(count) % len(members)
        found = [
            _drawn(len(members[run]), how, int(k), rng, members[run])
            for run, k in zip(runs, sizes, strict=True)
        ]
        return found, runs.astype(np.int64)
    if how == "disjoint":
        order, ends = rng.permutation(n), np.cumsum(sizes)
        fit = int(np.searchsorted(ends, n, side="right"))
        return [np.sort(part) for part in np.split(order, ends[:fit])[:fit]], None
    everything = np.arange(n)
    return [_drawn(n, how, int(k), rng, everything) for k in sizes], None


def _drawn(n: int, how: str, size: int, rng: np.random.Generator, members: Index) -> Index:
    if how == "consecutive":
        first = int(rng.integers(max(n - size, 0) + 1))
        return members[first : first + size]
    return np.asarray(members[rng.choice(n, size, replace=how == "replacement")])


@single_blas()
def toy_statistics(
    reference: Reference,
    pool: Pool,
    draws: Sequence[Index],
    expected: float | None,
    ridge: float,
    kind: str,
    converged: bool,
    work: Work,
    alone: bool = False,
) -> Array:
    """Return the statistic of every width for every toy; shape (K, B).

    Parameters
    ----------
    draws : sequence of ndarray of int
        The events of each toy.
    expected : float, or None
        Weight that the reference expects in a batch; None takes each batch's own, so that only
        the shape counts.
    ridge : float
        Penalty per unit of data weight, rho = 2 N ridge.
    converged : bool
        Converge every fit instead of taking one step.
    work : Work
    alone : bool
        Give a toy the same bits whichever others there are.
    """
    K, B = len(reference.features), len(draws)
    sums = np.empty((K, B))
    expectations = np.array([batch_weight(pool.weights, index, expected) for index in draws])
    coefficients: list[Array] = []
    kept = None if alone else _kept_features(reference, pool)
    for k in range(K):
        phi = None if kept is None else kept[k]
        solver = _Solver.of(reference, k, ridge, converged, expectations)
        found = np.empty((reference.features[k].rank, B))
        tasks = [
            (solver, pool, phi, index, float(total))
            for index, total in zip(draws, expectations, strict=True)
        ]
        with single_blas():
            fits = run_tasks(_toy, tasks, stage(work, k / K, (k + 1) / K))
            for b, (fit, total) in enumerate(fits):
                found[:, b], sums[k, b] = fit, total
        coefficients.append(found)
    out = np.empty((K, B))
    for first in range(0, B, TOGETHER):
        some = slice(first, first + TOGETHER)
        out[:, some] = statistics(
            reference,
            [c[:, some] for c in coefficients],
            sums[:, some],
            expectations[some],
            kind,
            silent(work),
            alone,
        )
    return out


def batch_weight(weights: Array | None, index: Index, expected: float | None) -> float:
    """Weight that the reference expects in a batch: given, or the batch's own."""
    if expected is not None:
        return expected
    return float(len(index) if weights is None else weights[index].sum())


def _kept_features(reference: Reference, pool: Pool) -> list[Array] | None:
    """Features of the whole pool for every width; None if they are too many to be kept."""
    if len(pool.rows) * sum(f.rank for f in reference.features) > MOST_VALUES:
        return None
    return transform(pool.rows, reference.centres, reference.features)


@frozen
class _Solver:
    """Fits of one width; the step from f = 0 is prepared for a few expected weights."""

    reference: Reference
    k: int
    ridge: float
    converged: bool
    prepared: dict[float, OneStep]

    @classmethod
    def of(
        cls, reference: Reference, k: int, ridge: float, converged: bool, expectations: Array
    ) -> _Solver:
        solver = cls(reference, k, ridge, converged, {})
        different = [] if converged else list(dict.fromkeys(expectations.tolist()))
        return replace(solver, prepared={N: solver.step(N) for N in different[:PREPARED]})

    def step(self, expected: float) -> OneStep:
        gram, mean = self.reference.grams[self.k], self.reference.means[self.k]
        return one_step(gram, mean, expected, 2 * expected * self.ridge)

    def solve(self, phi: Array, weights: Array | None, expected: float) -> Array:
        if self.converged:
            ridge, one = 2 * expected * self.ridge, Work(threads=1)
            fit = self.reference.newton(self.k, phi, weights, expected, ridge, one)
            return fit.coefficients
        return (self.prepared.get(expected) or self.step(expected)).solve(phi, weights)


def _toy(
    solver: _Solver, pool: Pool, phi: Array | None, index: Index, expected: float
) -> tuple[Array, float]:
    """Coefficients of one toy, and the sum of its events' log ratios."""
    if phi is not None:
        own = phi[index]
    else:
        own = solver.reference.transform(pool.rows.take(index), solver.k)
    u = None if pool.weights is None else pool.weights[index]
    fit = solver.solve(own, u, expected)
    f = own @ fit
    return fit, float(f.sum() if u is None else u @ f)
