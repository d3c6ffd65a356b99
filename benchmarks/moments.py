"""Levels, power and time of `kstest moments`, with the classical tests beside it.

    python3 -m benchmarks.moments [--sets 400] [--power 60] [--only calibration,regression,...]

Prints one line per case: share of rejections at level .05 of the kernel test, and of the classical
tests on the same data.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import numpy as np
import pandas as pd

import kstest

DRAWS = 199


def expit(x):
    return 1 / (1 + np.exp(-x))


def classifier(rng, kind, n=500):
    """Outcomes of known probabilities, and what a model says of them."""
    x, region = rng.normal(size=n), rng.integers(0, 2, n)
    logit = 1.2 * x
    p = expit(logit)
    truth = {
        "calibrated": p,
        "over-confident": expit(logit / 1.3),
        "wiggle": np.clip(p + 0.06 * np.sin(8 * p), 0, 1),
        "two regions": expit(logit + np.where(region == 1, 0.45, -0.45)),
    }[kind]
    y = (rng.random(n) < truth).astype(float)
    return pd.DataFrame({"y": y, "p": p, "region": np.where(region == 1, "north", "south")})


def regression(rng, kind, n=300):
    """A straight line in one of two columns, with noise that grows with it."""
    x, z = rng.normal(size=n), rng.normal(size=n)
    curve = {"right": 0.0, "square": 0.15 * x**2, "sine": 0.5 * np.sin(3 * x)}[kind]
    y = 1 + x - 0.5 * z + curve + (0.4 + 0.6 * np.abs(x)) * rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "z": z})


def instruments(rng, kind, n=400):
    """A regressor that shares a cause with the outcome, and instruments that do not, or do."""
    z1, z2, u = rng.normal(size=(3, n))
    x = z1 + 0.7 * z2 + 0.8 * u + rng.normal(size=n)
    wrong = {"valid": 0.0, "linear": 0.25 * z2, "square": 0.25 * z1**2}[kind]
    y = 1 + x + wrong + u + 0.5 * rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "z1": z1, "z2": z2})


def groups(rng, kind, n=400):
    """Rows in groups of ten that share most of their error."""
    of = np.repeat(np.arange(n // 10), 10)
    x = np.repeat(rng.normal(size=n // 10), 10) + 0.3 * rng.normal(size=n)
    y = np.repeat(rng.normal(size=n // 10), 10) + 0.5 * rng.normal(size=n)
    return pd.DataFrame({"y": 1 + x + y, "x": x, "user": of})


def series(rng, kind, n=800):
    """Rows in order of time, errors and regressor with memory."""
    e = rng.normal(size=(2, n))
    for k in range(1, n):
        e[:, k] += 0.6 * e[:, k - 1]
    return pd.DataFrame({"y": 1 + e[0] + e[1], "x": e[1]})


def small(rng, kind, n=40):
    """Few rows, skewed noise."""
    x = rng.normal(size=n)
    return pd.DataFrame({"y": 1 + x + rng.exponential(size=n) - 1, "x": x})


def counts(rng, kind, n=300):
    mu = np.exp(0.5 + 0.6 * rng.normal(size=n))
    return pd.DataFrame({"y": rng.poisson(mu).astype(float), "mu": mu})


LINE = {"residual": "y - b0 - b1*x - b2*z", "fit": "b0,b1,b2", "given": "x,z"}
ONE = {"residual": "y - b0 - b1*x", "fit": "b0,b1"}


# name: maker, kind, options, whether the null hypothesis is true
def skewed(rng, kind, n):
    """Residuals of mean 0, by random signs."""
    x = rng.normal(size=n)
    r = {
        "exponential": lambda: rng.exponential(size=n) - 1,
        "lognormal 1.5": lambda: rng.lognormal(0, 1.5, n) - np.exp(1.125),
        "pareto 1.5": lambda: rng.pareto(1.5, n) - 2,
    }[kind]()
    return pd.DataFrame({"r": r, "x": x})


CASES = {
    "calibration": [
        (classifier, "calibrated", {"residual": "y - p", "given": "p"}, True),
        (classifier, "calibrated", {"residual": "y - p", "given": "p,region"}, True),
        (classifier, "calibrated", {"residual": "y - p", "given": "p", "null": "signs"}, True),
        (classifier, "over-confident", {"residual": "y - p", "given": "p"}, False),
        (classifier, "wiggle", {"residual": "y - p", "given": "p"}, False),
        (classifier, "two regions", {"residual": "y - p", "given": "p"}, False),
        (classifier, "two regions", {"residual": "y - p", "given": "p,region"}, False),
        (counts, "", {"residual": "y - mu", "given": "mu", "null": "poisson"}, True),
    ],
    "regression": [
        (regression, "right", LINE, True),
        (regression, "square", LINE, False),
        (regression, "sine", LINE, False),
    ],
    "instruments": [
        (instruments, "valid", {**ONE, "instruments": "z1,z2"}, True),
        (instruments, "linear", {**ONE, "instruments": "z1,z2"}, False),
        (instruments, "square", {**ONE, "instruments": "z1,z2"}, False),
        (instruments, "valid", {**ONE, "instruments": "z1"}, True),
        (instruments, "square", {**ONE, "instruments": "z1"}, False),
    ],
    "dependent": [
        (groups, "", {**ONE, "given": "x", "group": "user"}, True),
        (groups, "rows", {**ONE, "given": "x"}, True),
        (series, "", {**ONE, "given": "x", "block_length": "auto"}, True),
        (series, "rows", {**ONE, "given": "x"}, True),
        (small, "40 rows", {**ONE, "given": "x"}, True),
    ],
    "skewed": [
        (partial(skewed, n=n), kind, {"residual": "r", "given": "x"}, True)
        for kind in ("exponential", "lognormal 1.5", "pareto 1.5")
        for n in (15, 50, 200)
    ],
}


def rates(make, kind, options, sets, seed):
    """Share of rejections of every test, over data sets that could be tested."""
    found: dict[str, list[bool]] = {"kernel": []}
    unable = 0
    for k in range(sets):
        table = make(np.random.default_rng([seed, k]), kind)
        if "user" in table and "group" not in options:
            table = table.drop(columns="user")
        result = kstest.moments(table, draws=DRAWS, seed=k, threads=1, **options)
        if result.reject is None:
            unable += 1
            continue
        found["kernel"].append(bool(result.reject))
        for test in result.explanation.get("classical", ()):
            found.setdefault(test.name, []).append(test.p_value <= 0.05)
        z = result.explanation["mean_residual"]["z"]
        if z is not None:
            found.setdefault("mean z", []).append(abs(z) > 1.96)
    return {name: float(np.mean(values)) for name, values in found.items() if values}, unable


def times():
    """CPU seconds of the largest cases."""
    rng = np.random.default_rng(0)
    for n, options in (
        (20_000, {"residual": "y - p", "given": "p,x,z", "null": "signs"}),
        (20_000, {"residual": "y - p", "given": "p,x,z"}),
        (1_000_000, {"residual": "y - p", "given": "p,x,z", "null": "signs"}),
        (1_000_000, {"residual": "y - p", "given": "p,x,z"}),
        (1_000_000, {"residual": "y - b0 - b1*x", "fit": "b0,b1", "given": "p,x,z"}),
    ):
        p, x, z = rng.uniform(size=n), rng.normal(size=n), rng.normal(size=n)
        y = (rng.random(n) < p).astype(float)
        table = pd.DataFrame({"y": y, "p": p, "x": x, "z": z})
        began = time.process_time()
        result = kstest.moments(table, threads=1, **options)
        seconds = time.process_time() - began
        kind = options.get("null", "fit" if "fit" in options else "bernoulli")
        print(f"time {n:>9,} rows, {kind:<10} {seconds:6.1f} CPU s, p {result.p_value:.3f}")


def _name(make):
    """Of the function, and what is set in it."""
    inner = getattr(make, "func", make)
    return " ".join(
        [inner.__name__, *(f"{k} {v}" for k, v in getattr(make, "keywords", {}).items())]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400, help="data sets under the null")
    parser.add_argument("--power", type=int, default=60, help="data sets under alternatives")
    parser.add_argument("--only", default=",".join([*CASES, "time"]))
    given = parser.parse_args()
    for number, (name, cases) in enumerate(CASES.items()):
        for place, (make, kind, options, null) in enumerate(cases):
            if name not in given.only.split(","):
                continue
            sets = given.sets if null else given.power
            shares, unable = rates(make, kind, options, sets, 1000 * number + place)
            text = ", ".join(f"{test} {share:.3f}" for test, share in shares.items())
            what = "level" if null else "power"
            said = " ".join(f"{k} {v}" for k, v in options.items() if k not in ("residual", "fit"))
            none = f", no verdict {unable}" if unable else ""
            print(f"{name} {_name(make)} {kind} [{said}] {what} of {sets}: {text}{none}",
                  flush=True)  # fmt: skip
    if "time" in given.only:
        times()


if __name__ == "__main__":
    main()
