"""The univariate families, one entry each: support, density, score, sampler, fit.

Parameters are arrays over the d columns (or single numbers), so that `normal(mean=[0, 1])` is a
target for two independent columns. To add a family append it to `_ALL`; the help, the
mini-language and the tests (score against finite differences of the density, sampler against
the density) pick it up. `heavy_tails` has more of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .family import Array, Family, above, gammaln, open_uniform, positive, real, special
from .heavy_tails import MORE
from .transforms import ANGLE, Transform


def _logistic_cdf(x: Array, location: Any, scale: Any) -> Array:
    return np.asarray(special("expit", (x - location) / scale))


def _laplace_cdf(x: Array, location: Any, scale: Any) -> Array:
    half = 0.5 * np.exp(-np.abs(x - location) / scale)
    return np.asarray(np.where(x < location, half, 1 - half))


def _log_normal_cdf(x: Array, log_mean: Any, log_sd: Any) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(special("ndtr", (np.log(above(x)) - log_mean) / log_sd))


def _log_normal_fit(x: Array) -> dict[str, float]:
    return {"log_mean": float(np.log(x).mean()), "log_sd": float(np.log(x).std())}


def _laplace_fit(x: Array) -> dict[str, float]:
    centre = float(np.median(x))
    return {"location": centre, "scale": float(np.abs(x - centre).mean())}


def _gamma_fit(x: Array) -> dict[str, float]:
    """Newton's method on log a - digamma(a) = log(mean) - mean(log), from Minka's start."""
    from scipy.special import digamma, polygamma

    mean = float(x.mean())
    gap = max(math.log(mean) - float(np.log(x).mean()), 1e-12)
    a = (3 - gap + math.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    for _ in range(50):
        step = (math.log(a) - float(digamma(a)) - gap) / (1 / a - float(polygamma(1, a)))
        a = max(a - step, a / 10)
        if abs(step) < 1e-12 * a:
            break
    return {"shape": a, "scale": mean / a}


def _logistic_pdf(x: Array, location: Any, scale: Any) -> Array:
    z = np.abs((x - location) / scale)
    return np.asarray(-z - 2 * np.log1p(np.exp(-z)) - np.log(scale))


def _von_mises_pdf(x: Array, mean: Any, concentration: Any) -> Array:
    from scipy.special import i0e

    size = np.log(2 * math.pi * i0e(concentration))
    return np.asarray(concentration * (np.cos(x - mean) - 1) - size)


def _student_pdf(x: Array, df: Any, location: Any, scale: Any) -> Array:
    z = (x - location) / scale
    size = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * math.pi) - np.log(scale)
    return np.asarray(size - (df + 1) / 2 * np.log1p(z * z / df))


def _student_score(x: Array, df: Any, location: Any, scale: Any) -> Array:
    z = (x - location) / scale
    return np.asarray(-(df + 1) * z / (df + z * z) / scale)


_ALL = (
    Family(
        "normal",
        {"mean": 0.0, "sd": 1.0},
        ("sd",),
        real,
        lambda x, mean, sd: (
            -0.5 * ((x - mean) / sd) ** 2 - np.log(sd) - 0.5 * math.log(2 * math.pi)
        ),
        lambda x, mean, sd: (mean - x) / sd**2,
        lambda rng, size, mean, sd: mean + sd * rng.standard_normal(size),
        lambda mean, sd: mean,
        lambda x: {"mean": float(x.mean()), "sd": float(x.std())},
        examples=("normal(mean=0, sd=1)", "normal(mean=[0, 5], sd=[1, 2])", "normal(fit)"),
        cdf=lambda x, mean, sd: special("ndtr", (x - mean) / sd),
    ),
    Family(
        "student_t",
        {"df": None, "location": 0.0, "scale": 1.0},
        ("df", "scale"),
        real,
        _student_pdf,
        _student_score,
        lambda rng, size, df, location, scale: location + scale * rng.standard_t(df, size),
        lambda df, location, scale: location,
        examples=("student_t(df=4)", "student_t(3, location=1, scale=2)"),
        cdf=lambda x, df, location, scale: special("stdtr", df, (x - location) / scale),
    ),
    Family(
        "laplace",
        {"location": 0.0, "scale": 1.0},
        ("scale",),
        real,
        lambda x, location, scale: -np.abs(x - location) / scale - np.log(2 * scale),
        lambda x, location, scale: np.sign(location - x) / scale,
        lambda rng, size, location, scale: rng.laplace(location, scale, size),
        lambda location, scale: location,
        _laplace_fit,
        examples=("laplace(location=0, scale=2)",),
        cdf=_laplace_cdf,
    ),
    Family(
        "logistic",
        {"location": 0.0, "scale": 1.0},
        ("scale",),
        real,
        _logistic_pdf,
        lambda x, location, scale: -np.tanh((x - location) / (2 * scale)) / scale,
        lambda rng, size, location, scale: rng.logistic(location, scale, size),
        lambda location, scale: location,
        examples=("logistic(location=0, scale=1)",),
        cdf=_logistic_cdf,
    ),
    Family(
        "gamma",
        {"shape": None, "scale": 1.0},
        ("shape", "scale"),
        positive,
        lambda x, shape, scale: (
            (shape - 1) * np.log(x) - x / scale - gammaln(shape) - shape * np.log(scale)
        ),
        lambda x, shape, scale: (shape - 1) / x - 1 / scale,
        lambda rng, size, shape, scale: rng.gamma(shape, scale, size),
        None,
        _gamma_fit,
        rate="scale",
        examples=("gamma(shape=2, scale=3)", "gamma(shape=2, rate=0.5)"),
        cdf=lambda x, shape, scale: special("gammainc", shape, above(x) / scale),
    ),
    Family(
        "beta",
        {"a": None, "b": None},
        ("a", "b"),
        lambda values: Transform(0.0, 1.0),
        lambda x, a, b: (
            (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - gammaln(a) - gammaln(b) + gammaln(a + b)
        ),
        lambda x, a, b: (a - 1) / x - (b - 1) / (1 - x),
        lambda rng, size, a, b: rng.beta(a, b, size),
        examples=("beta(a=2, b=5)",),
        cdf=lambda x, a, b: special("betainc", a, b, above(x, 0.0, 1.0)),
    ),
    Family(
        "lognormal",
        {"log_mean": 0.0, "log_sd": 1.0},
        ("log_sd",),
        positive,
        lambda x, log_mean, log_sd: (
            -0.5 * ((np.log(x) - log_mean) / log_sd) ** 2
            - np.log(x * log_sd)
            - 0.5 * math.log(2 * math.pi)
        ),
        lambda x, log_mean, log_sd: -((np.log(x) - log_mean) / log_sd**2 + 1) / x,
        lambda rng, size, log_mean, log_sd: rng.lognormal(log_mean, log_sd, size),
        None,
        _log_normal_fit,
        examples=("lognormal(log_mean=0, log_sd=0.5)",),
        cdf=_log_normal_cdf,
    ),
    Family(
        "exponential",
        {"scale": 1.0},
        ("scale",),
        positive,
        lambda x, scale: -x / scale - np.log(scale),
        lambda x, scale: np.full(np.shape(x), -1.0) / scale,
        lambda rng, size, scale: rng.exponential(scale, size),
        None,
        lambda x: {"scale": float(x.mean())},
        rate="scale",
        examples=("exponential(scale=2)", "exponential(rate=0.5)", "exponential(fit)"),
        cdf=lambda x, scale: -np.expm1(-above(x) / scale),
    ),
    Family(
        "uniform",
        {"low": 0.0, "high": 1.0},
        (),
        lambda values: Transform(values["low"], values["high"]),
        lambda x, low, high: -np.log(high - low) + 0 * x,
        lambda x, low, high: np.zeros(np.shape(x)),
        lambda rng, size, low, high: low + (high - low) * open_uniform(rng, size),
        ordered=("low", "high"),
        examples=("uniform(low=0, high=1)", "uniform(low=[0, 0], high=[1, 9])"),
        cdf=lambda x, low, high: (np.clip(x, low, high) - low) / (high - low),
    ),
    Family(
        "von_mises",
        {"mean": 0.0, "concentration": 1.0},
        ("concentration",),
        lambda values: ANGLE,
        _von_mises_pdf,
        lambda x, mean, concentration: -concentration * np.sin(x - mean),
        lambda rng, size, mean, concentration: rng.vonmises(mean, concentration, size),
        lambda mean, concentration: mean,
        examples=("von_mises(mean=0, concentration=2)",),
    ),
)


FAMILIES: dict[str, Family] = {family.name: family for family in (*_ALL, *MORE)}
