"""Family: what is asked of a distribution of one column, and what several of them need."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .transforms import POSITIVE, REAL, Transform

Array = NDArray[np.float64]
Values = Mapping[str, Any]


@frozen
class Family:
    """A family of densities of one column.

    Attributes
    ----------
    name : str
    parameters : mapping of str to float or None
        Name to default; None has to be given, and what is infinite by default may be. In the
        order of positional arguments.
    positive : tuple of str
        Parameters that must be above 0.
    transform : callable
        Parameters of one column to its support.
    logpdf, score : callable
        (x, **parameters), elementwise.
    draw : callable
        (rng, size, **parameters).
    mode : callable or None
        (**parameters) to the place of the largest density, where there is one inside.
    fit : callable or None
        One column to its maximum-likelihood parameters.
    cdf : callable or None
        (x, **parameters) to the probability of values up to x, elementwise; x may lie outside of
        the support.
    rate : str
        A parameter that may be given as its reciprocal under the name ``rate``.
    ordered : tuple of str
        Two parameters of which the first must be the smaller one.
    """

    name: str
    parameters: Mapping[str, float | None]
    positive: tuple[str, ...]
    transform: Callable[[Values], Transform]
    logpdf: Callable[..., Array]
    score: Callable[..., Array]
    draw: Callable[..., Array]
    mode: Callable[..., Any] | None = None
    fit: Callable[[Array], dict[str, float]] | None = None
    rate: str = ""
    examples: tuple[str, ...] = field(default=())
    cdf: Callable[..., Array] | None = None
    ordered: tuple[str, ...] = ()


def gammaln(x: Any) -> Any:
    """The logarithm of the gamma function."""
    return special("gammaln", x)


def special(name: str, *arguments: Any) -> Any:
    """A function of scipy.special, which is loaded where it is used."""
    import scipy.special

    return getattr(scipy.special, name)(*arguments)


def above(x: Any, low: float = 0.0, high: float = math.inf) -> Any:
    """Values with those outside of a support moved to its end."""
    return np.clip(x, low, high)


def real(values: Values) -> Transform:
    """The whole line."""
    return REAL


def positive(values: Values) -> Transform:
    """Numbers above 0."""
    return POSITIVE


def open_uniform(rng: np.random.Generator, size: Any) -> Array:
    """Uniform draws that are never exactly 0, where the logit is infinite."""
    return np.asarray(np.maximum(rng.random(size), 2.0**-54))
