"""Studies in which a treatment does nothing, made to mislead `effect`: one function per kind.

Each takes a generator and a number of rows, and returns a table of covariates x*, the treatment
`arm` and the outcome `y`. Covariates decide who is treated and explain the outcome.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit


def table(rng, X, odds, y):
    """Rows treated with these log odds."""
    A = odds + rng.logistic(size=len(X)) > 0
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    return frame.assign(arm=A * 1, y=y)


def drawn(rng, n, columns=5):
    """Covariates, log odds of treatment, and what they explain of the outcome."""
    X = rng.normal(size=(n, columns))
    odds = 0.8 * X[:, 0] + 0.5 * X[:, 1] - 0.5 * X[:, 2]
    return X, odds, X[:, 0] + np.sin(2 * X[:, 1]) + 0.5 * X[:, 2] ** 2


def plain(rng, n):
    X, odds, surface = drawn(rng, n)
    return table(rng, X, odds, surface + rng.normal(size=n))


def cauchy(rng, n):
    X, odds, surface = drawn(rng, n)
    return table(rng, X, odds, surface + rng.standard_cauchy(n))


def binary(rng, n):
    X, odds, surface = drawn(rng, n)
    return table(rng, X, odds, 1.0 * (rng.random(n) < expit(surface)))


def counts(rng, n):
    X, odds, surface = drawn(rng, n)
    return table(rng, X, odds, 1.0 * rng.poisson(np.exp(0.5 * surface)))


def atom(rng, n):
    X, odds, surface = drawn(rng, n)
    return table(rng, X, odds, np.maximum(surface + rng.normal(size=n) - 0.5, 0))


def skewed(rng, n):
    """Lognormal covariates that enter as they are."""
    X = rng.lognormal(size=(n, 5))
    far = np.minimum(X[:, 0], 4)
    return table(rng, X, 0.8 * (far - 1.5) - 0.3 * (np.minimum(X[:, 1], 4) - 1.5),
                 X[:, 0] + 0.5 * X[:, 1] + rng.normal(size=n))  # fmt: skip


def skewed_both(rng, n):
    """Lognormal noise, too."""
    X = rng.lognormal(size=(n, 5))
    far = np.minimum(X[:, 0], 4)
    return table(rng, X, 0.8 * (far - 1.5), X[:, 0] + rng.lognormal(sigma=1.5, size=n))


def strong(rng, n):
    X, odds, surface = drawn(rng, n)
    return table(rng, X, 1.7 * odds, surface + rng.normal(size=n))


def few_treated(rng, n):
    """A tenth of the rows."""
    X, odds, surface = drawn(rng, n)
    return table(rng, X, odds - 2.8, surface + rng.normal(size=n))


def uneven(rng, n):
    """Noise as wide as a covariate that decides who is treated."""
    X, odds, surface = drawn(rng, n)
    return table(rng, X, odds, surface + (0.2 + np.abs(X[:, 0] + 1)) * rng.normal(size=n))


def waves(rng, n):
    X = rng.normal(size=(n, 3))
    wave = np.sin(2.5 * X[:, 0])
    return table(rng, X, 1.5 * wave, 1.5 * wave + rng.normal(size=n))


def steps(rng, n):
    X = rng.normal(size=(n, 3))
    step = np.where(X[:, 0] > 0.3, 1.0, -1.0)
    return table(rng, X, 0.9 * step, 1.5 * step + rng.normal(size=n))


def corners(rng, n):
    """A product of two covariates decides and explains."""
    X = rng.normal(size=(n, 4))
    product = np.clip(X[:, 0] * X[:, 1], -2, 2)
    return table(rng, X, product, product + rng.normal(size=n))


def many(rng, n):
    X, odds, surface = drawn(rng, n, 25)
    return table(rng, X, odds, surface + rng.normal(size=n))


def levels(rng, n):
    """Twenty categories, some of them rare, each with odds and a mean of its own."""
    share = 1 / np.arange(1, 21)
    c = rng.choice(20, n, p=share / share.sum())
    mean = np.random.default_rng(7).normal(size=20)
    x = rng.normal(size=n)
    found = table(rng, x[:, None], mean[c] + 0.5 * x, 1.5 * mean[c] + x + rng.normal(size=n))
    return found.assign(x1=[f"level {k}" for k in c])


def rounded(rng, n):
    """Covariates and outcome of few values: many ties, some rows alike."""
    X, odds, surface = drawn(rng, n, 3)
    return table(rng, np.round(X), odds, np.round(surface + rng.normal(size=n)))


def drift(rng, n):
    """Two files: the second has other covariates, and the same outcome given these."""
    new = np.arange(n) % 2
    X = rng.normal(size=(n, 3)) + 0.7 * new[:, None] * [1, 0.5, 0]
    y = X[:, 0] + 0.3 * X[:, 0] ** 2 + rng.normal(size=n)
    return pd.DataFrame(X, columns=["x0", "x1", "x2"]).assign(arm=new, y=y)


KINDS = {f.__name__: f for f in (
    plain, cauchy, binary, counts, atom, skewed, skewed_both, strong, few_treated, uneven, waves,
    steps, corners, many, levels, rounded, drift,
)}  # fmt: skip
