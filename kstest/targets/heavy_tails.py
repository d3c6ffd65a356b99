"""More univariate families: heavy tails, halves of symmetric families, and cut-off ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .family import Array, Family, above, gammaln, open_uniform, positive, real, special
from .transforms import Transform

_HALF_LOG = 0.5 * math.log(2 * math.pi)


def _mass(a: Any, b: Any) -> Array:
    """Log of the probability of a standard normal variable between a and b, also far out."""
    a, b = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
    upper, lower = special("log_ndtr", b), special("log_ndtr", a)
    with np.errstate(divide="ignore"):
        return np.asarray(upper + np.log1p(-np.exp(lower - upper)))


def _truncated_pdf(x: Array, mean: Any, sd: Any, low: Any, high: Any) -> Array:
    size = _mass((low - mean) / sd, (high - mean) / sd)
    return np.asarray(-0.5 * ((x - mean) / sd) ** 2 - np.log(sd) - _HALF_LOG - size)


def _truncated_cdf(x: Array, mean: Any, sd: Any, low: Any, high: Any) -> Array:
    a, b = (low - mean) / sd, (high - mean) / sd
    return np.asarray(np.exp(_mass(a, (np.clip(x, low, high) - mean) / sd) - _mass(a, b)))


def _truncated_draw(
    rng: np.random.Generator, size: Any, mean: Any, sd: Any, low: Any, high: Any
) -> Array:
    """By inversion, in the tail in which the interval lies."""
    a, b = (low - mean) / sd, (high - mean) / sd
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    u = np.log(open_uniform(rng, size)) + _mass(a, b)
    z = special("ndtri_exp", np.minimum(np.logaddexp(special("log_ndtr", a), u), 0.0))
    return np.asarray(np.clip(mean + sd * np.where(flip, -z, z), low, high))


def _weibull_pdf(x: Array, shape: Any, scale: Any) -> Array:
    z = x / scale
    return np.asarray(np.log(shape / scale) + (shape - 1) * np.log(z) - z**shape)


def _inverse_gamma_pdf(x: Array, shape: Any, scale: Any) -> Array:
    size = shape * np.log(scale) - gammaln(shape)
    return np.asarray(size - (shape + 1) * np.log(x) - scale / x)


def _chi_squared_pdf(x: Array, df: Any) -> Array:
    size = gammaln(df / 2) + df / 2 * math.log(2)
    return np.asarray((df / 2 - 1) * np.log(x) - x / 2 - size)


def _inverse_gamma_cdf(x: Array, shape: Any, scale: Any) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(special("gammaincc", shape, scale / above(x)))


MORE = (
    Family(
        "cauchy",
        {"location": 0.0, "scale": 1.0},
        ("scale",),
        real,
        lambda x, location, scale: (
            -np.log(math.pi * scale) - np.log1p(((x - location) / scale) ** 2)
        ),
        lambda x, location, scale: -2 * (x - location) / (scale**2 + (x - location) ** 2),
        lambda rng, size, location, scale: location + scale * rng.standard_cauchy(size),
        lambda location, scale: location,
        examples=("cauchy(location=0, scale=2)",),
        cdf=lambda x, location, scale: 0.5 + np.arctan((x - location) / scale) / math.pi,
    ),
    Family(
        "half_normal",
        {"sd": 1.0},
        ("sd",),
        positive,
        lambda x, sd: -0.5 * (x / sd) ** 2 - np.log(sd) - _HALF_LOG + math.log(2),
        lambda x, sd: -x / sd**2,
        lambda rng, size, sd: sd * np.abs(rng.standard_normal(size)),
        None,
        lambda x: {"sd": float(np.sqrt((x**2).mean()))},
        examples=("half_normal(sd=2)",),
        cdf=lambda x, sd: special("erf", above(x) / sd / math.sqrt(2)),
    ),
    Family(
        "half_cauchy",
        {"scale": 1.0},
        ("scale",),
        positive,
        lambda x, scale: math.log(2 / math.pi) - np.log(scale) - np.log1p((x / scale) ** 2),
        lambda x, scale: -2 * x / (scale**2 + x**2),
        lambda rng, size, scale: scale * np.abs(rng.standard_cauchy(size)),
        examples=("half_cauchy(scale=2)",),
        cdf=lambda x, scale: 2 / math.pi * np.arctan(above(x) / scale),
    ),
    Family(
        "inv_gamma",
        {"shape": None, "scale": 1.0},
        ("shape", "scale"),
        positive,
        _inverse_gamma_pdf,
        lambda x, shape, scale: -(shape + 1) / x + scale / x**2,
        lambda rng, size, shape, scale: scale / rng.gamma(shape, 1.0, size),
        examples=("inv_gamma(shape=3, scale=2)",),
        cdf=_inverse_gamma_cdf,
    ),
    Family(
        "weibull",
        {"shape": None, "scale": 1.0},
        ("shape", "scale"),
        positive,
        _weibull_pdf,
        lambda x, shape, scale: (shape - 1 - shape * (x / scale) ** shape) / x,
        lambda rng, size, shape, scale: scale * rng.weibull(shape, size),
        examples=("weibull(shape=1.5, scale=2)",),
        cdf=lambda x, shape, scale: -np.expm1(-((above(x) / scale) ** shape)),
    ),
    Family(
        "chi_squared",
        {"df": None},
        ("df",),
        positive,
        _chi_squared_pdf,
        lambda x, df: (df / 2 - 1) / x - 0.5,
        lambda rng, size, df: rng.chisquare(df, size),
        examples=("chi_squared(df=3)",),
        cdf=lambda x, df: special("gammainc", df / 2, above(x) / 2),
    ),
    Family(
        "pareto",
        {"shape": None, "scale": 1.0},
        ("shape", "scale"),
        lambda values: Transform(low=values["scale"]),
        lambda x, shape, scale: np.log(shape / scale) - (shape + 1) * np.log(x / scale),
        lambda x, shape, scale: -(shape + 1) / x,
        lambda rng, size, shape, scale: scale * (1 + rng.pareto(shape, size)),
        examples=("pareto(shape=3, scale=2)",),
        cdf=lambda x, shape, scale: -np.expm1(-shape * np.log(np.maximum(x, scale) / scale)),
    ),
    Family(
        "truncated_normal",
        {"mean": 0.0, "sd": 1.0, "low": -math.inf, "high": math.inf},
        ("sd",),
        lambda values: Transform(values["low"], values["high"]),
        _truncated_pdf,
        lambda x, mean, sd, low, high: (mean - x) / sd**2,
        _truncated_draw,
        ordered=("low", "high"),
        examples=("truncated_normal(mean=1, sd=2, low=0, high=5)", "truncated_normal(low=0)"),
        cdf=_truncated_cdf,
    ),
)
