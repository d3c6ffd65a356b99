"""How the CPU time of every test grows with rows and columns: seconds and exponents.

    python3 benchmarks/growth.py [--only WORD ...]

Data in memory, one thread, default options. Each is measured at n and 4 n rows of five columns, and
at n rows of twenty; the exponent of growth is the logarithm of the ratio to the base 4. What a test
costs whatever the data are (a few hundredths of a second) is measured on 60 rows of as many
columns, and taken off (of any time half at most). Of `dqm check` the rows are those of one batch,
and the calibration is made before; the covariates of `effect` and the given columns of `moments`
are the columns. `--limits` prints what the heaviest step that no way around is known of costs
alone: the yardstick loop over pairs, or NumPy.
"""

from __future__ import annotations

import argparse
import functools
import os
import time

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import numpy as np
import pandas as pd

import kstest


def normal(n, d, seed=0):
    return np.random.default_rng([seed, n, d]).standard_normal((n, d))


def both(name, **options):
    """A test of two samples, or of two blocks of columns."""

    def test(n, d):
        some = options | ({"features": "none"} if n < 100 and "features" in options else {})
        return getattr(kstest, name)(normal(n, d), normal(n, d, 1), **some)

    return test


def texts(n, d):
    """Sequences of 4 d symbols."""
    letters = np.random.default_rng(n).choice(list("abcd"), (n, 4 * d))
    return kstest.seqksd(
        ["".join(row) for row in letters], target="fit:order=1", draws=199, threads=1
    )


def study(n, d):
    """Half of the rows treated, by the first two of d covariates."""
    rng, X = np.random.default_rng([2, n, d]), normal(n, d)
    arm = X[:, 0] + 0.5 * X[:, 1] + rng.logistic(size=n) > 0
    table = {f"x{j}": X[:, j] for j in range(d)}
    return table | {"arm": 1 * arm, "y": X[:, 0] + np.sin(2 * X[:, 1]) + rng.normal(size=n)}


def effect(n, d):
    names = {"treatment": "arm", "outcome": "y", "covariates": "x*"}
    return kstest.effect(pd.DataFrame(study(n, d)), **names, **ONE)


def moments(n, d):
    X, rng = normal(n, d), np.random.default_rng([3, n, d])
    table = {f"x{j}": X[:, j] for j in range(d)} | {"y": X[:, 0] + rng.normal(size=n)}
    given = ",".join(f"x{j}" for j in range(d))
    return kstest.moments(
        pd.DataFrame(table), residual="y - b*x0", fit="b", given=given, null="signs", **ONE
    )


@functools.cache
def calibration(n, d):
    return kstest.dqm_calibrate(normal(2000, d), normal(8000, d, 1), batch_size=n, toys=100, **ONE)


def dqm_check(n, d):
    return kstest.dqm_check(calibration(n, d), normal(n, d, 2), **ONE)


def thin(n, d):
    return kstest.thin(normal(n, d), rows=min(200, n // 3), **ONE)


def ksd(features):
    """Random signs at every size: below some hundred rows data sets would be simulated."""

    def test(n, d):
        return kstest.ksd(
            normal(n, d), target="normal(0, 1)", null="wild",
            features=features if n >= 1000 else "none", **ONE,
        )  # fmt: skip

    return test


def pksd(n, d):
    """A mixture of two modes, of which the data have both."""
    means = [[-5.0] * d, [5.0] * d]
    target = f"gaussian_mixture(weights=[.5, .5], means={means}, covariances=[1, 1])"
    X = normal(n, d)
    X[: n // 2] -= 5
    X[n // 2 :] += 5
    return kstest.pksd(X, target=target, **ONE)


ONE = {"threads": 1}
# What is measured, and how many rows it takes to be measured.
CASES = {
    "mmd, all pairs": (8_000, both("mmd", scale="robust", features="none", explain="none", **ONE)),
    "mmd, landmarks": (50_000, both("mmd", scale="robust", features="512", explain="none", **ONE)),
    "mmd, several geometries": (8_000, both("mmd", features="none", explain="none", **ONE)),
    "ks": (50_000, both("ks", **ONE)),
    "hsic": (1_500, both("hsic", features="none", **ONE)),
    "hsic, landmarks": (20_000, both("hsic", features="64", **ONE)),
    "ksd": (8_000, ksd("none")),
    "seqksd": (2_000, texts),
    "skit": (5_000, both("skit", **ONE)),
    "smmd": (5_000, both("smmd", **ONE)),
    "sksd": (20_000, lambda n, d: kstest.sksd(normal(n, d), target="normal(0, 1)", **ONE)),
    "ksd, landmarks": (50_000, ksd("300")),
    "pksd": (1_000, pksd),
    "hsic --lags 0:20": (10_000, both("hsic", lags="0:20", **ONE)),
    "moments": (50_000, moments),
    "effect": (4_000, effect),
    "dqm check": (500, dqm_check),
    "thin": (10_000, thin),
}


def product(n, d, features=200):
    """Gaussian kernel of n rows with landmarks, one bandwidth."""
    X, Z = normal(n, d), normal(features, d, 1)
    return np.exp(X @ Z.T - (X**2).sum(1)[:, None] / 2 - (Z**2).sum(1) / 2)


def pairs_of(samples, bandwidths):
    """The yardstick loop over all pairs of rows."""
    import yardstick

    return lambda n, d: yardstick.prepared(max(1024, samples * n), d, bandwidths)()


def landmarks(samples, features, bandwidths):
    """Kernels of all rows with landmarks, in single precision."""

    def values(n, d):
        X, Z = (normal(k, d).astype(np.float32) for k in (samples * n, features))
        for _ in range(bandwidths):
            table = X @ Z.T
            np.exp(table, out=table)

    return values


# What nobody can leave out, at the rows of CASES.
LIMITS = {
    "mmd, all pairs": (8_000, pairs_of(2, 9)),
    "mmd, landmarks": (50_000, landmarks(2, 512, 1)),
    "hsic, landmarks": (20_000, landmarks(1, 64, 10)),
    "ksd": (8_000, pairs_of(1, 10)),
    "ksd, landmarks": (50_000, landmarks(1, 300, 10)),
    "ks": (50_000, lambda n, d: np.sort(np.vstack([normal(n, d), normal(n, d, 1)]), axis=0)),
    "moments": (50_000, lambda n, d: product(n, d, 512)),
    "effect": (4_000, lambda n, d: product(n, d, 512)),
    "dqm check": (500, product),
    "thin": (10_000, lambda n, d: product(n, d, 200)),
    "hsic --lags 0:20": (
        10_000,
        lambda n, d: np.fft.rfft(np.hstack([product(n, d, 100)] * 2), axis=0),
    ),
}


def seconds(test, n, d, repeat):
    best = np.inf
    for _ in range(repeat):
        clock = time.process_time()
        test(n, d)
        best = min(best, time.process_time() - clock)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="tests whose names contain one of these words")
    parser.add_argument("--repeat", type=int, default=2, help="of which the smallest counts")
    parser.add_argument("--limits", action="store_true", help="the step that cannot be left out")
    given = parser.parse_args()
    print(f"{'':20}{'rows':>9}{'CPU s':>8}{'4 n':>8}{'d = 20':>8}{'exponent n':>12}{'d':>6}")
    for name, (n, test) in (LIMITS if given.limits else CASES).items():
        if given.only and not any(word in name for word in given.only):
            continue
        idle = {d: seconds(test, 60, d, given.repeat + 1) for d in (5, 20)}
        found = [seconds(test, *size, given.repeat) for size in ((n, 5), (4 * n, 5), (n, 20))]
        base, rows, columns = (
            max(t - min(idle[d], t / 2), 1e-3) for t, d in zip(found, (5, 5, 20), strict=True)
        )
        exponents = (np.log(t / base) / np.log(4) for t in (rows, columns))
        text = "".join(f"{t:8.2f}" for t in found)
        print(f"{name:20}{n:9,}{text}" + "{:12.2f}{:6.2f}".format(*exponents), flush=True)


if __name__ == "__main__":
    main()
