"""Level, power and published figures of the monitoring of batches; slow ones are marked."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, chi2, ks_2samp, norm

from kstest.datasets.drift_tubes import make
from kstest.dqm import calibrate
from kstest.engine import Work
from kstest.inputs.batches import calibrated, from_objects
from kstest.kernels import Rows
from kstest.likelihood_ratio import (
    Pool,
    Reference,
    choose_centres,
    nystrom,
    toy_statistics,
)
from kstest.sources import ReadOptions

ONE = Work(threads=1)


def calibration(reference, pool, **given):
    data = {"reference": reference, "pool": pool}
    return calibrated(data, calibrate.Params(**given), ReadOptions(), from_objects, ONE)


def p_values(known, batches):
    mean, sd = np.array(known.layout.mean), np.array(known.layout.sd)
    rows = [Rows.of((b - mean) / sd) for b in batches]
    return [score.p_value for score in known.scores(rows, [None] * len(rows), 0, ONE)]


def drift(n, rng, **fault):
    table = make(n, rng, **fault)
    return np.stack([table[name] for name in ("t1", "t2", "t3", "t4", "theta")], axis=1)


def fresh_p_values(size, ratio, runs, **given):
    """One good batch for each of many references and pools, in two columns with ties."""
    found = []
    for run in range(runs):
        rng = np.random.default_rng([size, ratio, run])

        def table(n, rng=rng):
            return np.column_stack([rng.normal(size=n), rng.poisson(3, n)]).astype(float)

        options = {"toys": 99, "centres": 25, "widths": "3,1", "seed": run} | given
        known = calibration(table(size * ratio), table(20 * size), batch_size=str(size), **options)
        found += p_values(known, [table(size)])
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["subsets", "disjoint"])
def test_level(draw):
    p = fresh_p_values(50, 4, 1000, draw=draw, toys=99 if draw == "subsets" else 19)
    for alpha in (0.05, 0.2, 0.5):
        low, high = binom.ppf([5e-4, 1 - 5e-4], 1000, alpha)
        assert low <= np.count_nonzero(p <= alpha) <= high, (alpha, np.mean(p <= alpha))


@pytest.mark.slow
@pytest.mark.parametrize("size", [100, 250, 500, 1000, 5000])
@pytest.mark.parametrize("ratio", [2, 10, 100])
def test_level_of_the_matrix(size, ratio):
    # One batch per reference and pool: with one fixed reference the null has an offset.
    runs = 1000 if size * ratio <= 10_000 else 200
    p = fresh_p_values(size, ratio, runs)
    for alpha in (0.01, 0.05, 0.2):
        low, high = binom.ppf([5e-4, 1 - 5e-4], runs, alpha)
        assert low <= np.count_nonzero(p <= alpha) <= high, (alpha, np.mean(p <= alpha))


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [2, 10, 50])
def test_level_of_poisson_counts(ratio):
    found = []
    for run in range(1000):
        rng = np.random.default_rng([7, ratio, run])
        known = calibration(
            rng.normal(size=(100 * ratio, 2)), rng.normal(size=(2000, 2)), batch_size="100",
            toys=99, centres=25, widths="3,1", count="poisson", seed=run,
        )  # fmt: skip
        found += p_values(known, [rng.normal(size=(rng.poisson(100), 2))])
    for alpha in (0.01, 0.05, 0.2):
        low, high = binom.ppf([5e-4, 1 - 5e-4], 1000, alpha)
        assert low <= np.count_nonzero(np.array(found) <= alpha) <= high, alpha


@pytest.mark.slow
def test_level_between_runs_that_differ():
    # Every run has a centre of its own: plain toys reject far too often, tolerant ones do not.
    plain, tolerant = [], []
    for number in range(300):
        rng = np.random.default_rng([11, number])

        def run(n, rng=rng):
            return rng.normal(size=(n, 1)) + rng.normal(scale=0.3)

        reference = np.concatenate([run(40) for _ in range(25)])
        pool = np.concatenate([run(120) for _ in range(19)])
        label = np.repeat(np.arange(19), 120)
        frame = _frame(pool).assign(run=label)
        how = {"batch_size": "50", "centres": 20, "widths": "1.5", "seed": number}
        data = {"reference": _frame(reference), "pool": frame}
        options = ReadOptions(group="run", categorical=None)
        known = calibrated(
            data, calibrate.Params(tolerance=True, toys=190, **how), options, from_objects, ONE
        )
        batch = run(50)
        tolerant += p_values(known, [batch])
        plain += p_values(calibration(reference, pool, toys=99, **how), [batch])
    assert np.mean(np.array(plain) <= 0.05) > 0.1
    assert np.count_nonzero(np.array(tolerant) <= 0.0501) <= binom.isf(1e-3, 300, 0.05)


def _frame(values):
    import pandas as pd

    return pd.DataFrame(values, columns=["x"])


@pytest.mark.slow
def test_power_on_drift_tubes_beside_single_variables():
    # Over ten references: one fixed reference moves the power by a few per cent.
    faults = ({"threshold": 0.75}, {"cathode": 0.75})
    found, single = np.zeros((2, 10)), np.zeros((2, 10))
    for run in range(10):
        rng = np.random.default_rng([1, run])
        reference = drift(2000, rng)
        known = calibration(reference, drift(10_000, rng), batch_size="500", toys=299)
        for k, fault in enumerate(faults):
            batches = [drift(500, rng, **fault) for _ in range(40)]
            found[k, run] = np.mean(np.array(p_values(known, batches)) <= 0.05)
            smallest = [
                min(ks_2samp(reference[:, j], b[:, j]).pvalue for j in range(5)) for b in batches
            ]
            single[k, run] = np.mean(np.array(smallest) <= 0.01)
    error = found.std(axis=1) / np.sqrt(10)
    assert found[0].mean() >= 0.97 - 2 * error[0]
    assert found[1].mean() >= 0.75
    assert (single.mean(axis=1) < 0.15).all()


@pytest.mark.slow
def test_the_published_benchmark_in_one_dimension():
    # Letizia et al. (2022): reference 8 exp(-8x) of 200,000, Poisson(2000) events, width 0.3,
    # lambda 1e-10; null mean 9.58, observed median Z 2.43, 2.82, 3.04.
    rng = np.random.default_rng(0)
    N, ridge = 2000.0, 1e-10 * 202_000 / 4000
    X = Rows.of(rng.exponential(1 / 8, (200_000, 1)))
    centres = choose_centres(X, 100, "kmeans++", rng)
    side = Reference.of(X, None, centres, nystrom(centres, [0.3], 1e-14), ONE)

    def statistics(signal, count):
        parts = [np.r_[rng.exponential(1 / 8, rng.poisson(N)), signal()] for _ in range(count)]
        ends = np.cumsum([0, *map(len, parts)])
        index = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
        pool = Pool(Rows.of(np.concatenate(parts)[:, None]))
        return toy_statistics(side, pool, index, N, ridge, "extended", False, ONE)[0]

    mean = statistics(list, 300).mean()
    assert 9.2 <= mean <= 10.0
    for published, signal in (
        (2.43, lambda: rng.normal(0.8, 0.02, rng.poisson(10))),
        (2.82, lambda: rng.normal(0.2, 0.02, rng.poisson(90))),
        (3.04, lambda: rng.gamma(3, 1 / 8, rng.poisson(90))),
    ):
        z = np.median(norm.isf(chi2.sf(statistics(signal, 100), mean)))
        assert abs(z - published) < 0.45
    assert z >= 3.0
