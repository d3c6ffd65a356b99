"""Discrete families of one column: whole numbers or names, each with its probability.

They are no densities and have no score; `kstest ksd` compares the frequencies of their values
instead (`kstest.methods.frequencies`). To add a family append it to `_ALL`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..errors import DataError, UsageError
from .cells import MOST_VALUES, Cells, on_grid, single
from .language import Spec, arguments

Array = NDArray[np.float64]

LARGEST = 1e9
SUM_TOLERANCE = 1e-6


@frozen
class DiscreteTarget:
    """Distributions of d columns, in cells each; how the columns depend on each other is left open.

    Attributes
    ----------
    name : str
        As the user wrote it.
    columns : tuple of str
    distributions : tuple of Cells
    """

    name: str
    columns: tuple[str, ...]
    distributions: tuple[Cells, ...]


@frozen
class DiscreteFamily:
    """A family of distributions of whole numbers.

    Attributes
    ----------
    name : str
    parameters : tuple of str
        In the order of positional arguments.
    distribution : callable
        One number per parameter to its Cells; raises ValueError with what is accepted.
    example : str
    """

    name: str
    parameters: tuple[str, ...]
    distribution: Callable[..., Cells]
    example: str


def _whole(value: float, name: str, least: float) -> float:
    if not (value == math.floor(value) and least <= value <= LARGEST):
        raise ValueError(f"{name} takes a whole number from {least:g} to {LARGEST:g}")
    return value


def _uniform(low: float, high: float) -> Cells:
    _whole(low, "low", -LARGEST)
    _whole(high, "high", -LARGEST)
    if not low < high:
        raise ValueError("low must be below high")
    if high - low >= MOST_VALUES:
        raise ValueError(f"takes at most {MOST_VALUES:,} values")
    values = np.arange(low, high + 1)
    return single(values, np.full(len(values), 1 / len(values)))


def _poisson(rate: float) -> Cells:
    from scipy.special import gammainc, gammaincc, gammaln, xlogy

    if not 1 / LARGEST <= rate <= LARGEST:
        raise ValueError(f"rate takes a number from {1 / LARGEST:g} to {LARGEST:g}")

    def below(k: Array) -> Array:
        return np.where(k < 0, 0.0, gammaincc(np.maximum(k, 0) + 1, rate))

    def above(k: Array) -> Array:
        return np.where(k < 0, 1.0, gammainc(np.maximum(k, 0) + 1, rate))

    def mass(k: Array) -> Array:
        at = np.maximum(k, 0)
        return np.where(k < 0, 0.0, np.exp(xlogy(at, rate) - gammaln(at + 1) - rate))

    return on_grid(below, above, mass, math.floor(rate), (0, math.inf))


def _binomial(n: float, p: float) -> Cells:
    from scipy.special import betainc, gammaln, xlog1py, xlogy

    _whole(n, "n", 1)
    if not 0 < p < 1:
        raise ValueError("p takes a probability between 0 and 1")

    def below(k: Array) -> Array:
        inner = np.clip(k, 0, n - 1)
        return np.where(k < 0, 0.0, np.where(k >= n, 1.0, betainc(n - inner, inner + 1, 1 - p)))

    def above(k: Array) -> Array:
        inner = np.clip(k, 0, n - 1)
        return np.where(k < 0, 1.0, np.where(k >= n, 0.0, betainc(inner + 1, n - inner, p)))

    def mass(k: Array) -> Array:
        at = np.clip(k, 0, n)
        ways = gammaln(n + 1) - gammaln(at + 1) - gammaln(n - at + 1)
        return np.where(at == k, np.exp(ways + xlogy(at, p) + xlog1py(n - at, -p)), 0.0)

    return on_grid(below, above, mass, math.floor(n * p), (0, n))


def _negative_binomial(n: float, p: float) -> Cells:
    from scipy.special import betainc, gammaln

    if not (1 / LARGEST <= n <= LARGEST and 1 / LARGEST <= p < 1 and n * (1 - p) / p <= LARGEST):
        raise ValueError(
            "n takes a number above 0, p a probability between 0 and 1, and their mean "
            f"n (1 - p) / p may be up to {LARGEST:g}"
        )

    def below(k: Array) -> Array:
        return np.where(k < 0, 0.0, betainc(n, np.maximum(k, 0) + 1, p))

    def above(k: Array) -> Array:
        return np.where(k < 0, 1.0, betainc(np.maximum(k, 0) + 1, n, 1 - p))

    def mass(k: Array) -> Array:
        at = np.maximum(k, 0)
        ways = gammaln(at + n) - gammaln(n) - gammaln(at + 1)
        return np.where(k < 0, 0.0, np.exp(ways + n * math.log(p) + at * math.log1p(-p)))

    return on_grid(below, above, mass, math.floor(n * (1 - p) / p), (0, math.inf))


_ALL = (
    DiscreteFamily("discrete_uniform", ("low", "high"), _uniform, "discrete_uniform(0, 9)"),
    DiscreteFamily("poisson", ("rate",), _poisson, "poisson(rate=3)"),
    DiscreteFamily("binomial", ("n", "p"), _binomial, "binomial(n=10, p=0.3)"),
    DiscreteFamily(
        "negative_binomial", ("n", "p"), _negative_binomial, "negative_binomial(n=2, p=0.4)"
    ),
)
CATEGORICAL = "categorical"
CATEGORICAL_EXAMPLE = "categorical(0.2, 0.3, 0.5) or categorical(red=0.4, blue=0.6)"
DISCRETE: dict[str, DiscreteFamily] = {family.name: family for family in _ALL}
DISCRETE_NAMES = (*DISCRETE, CATEGORICAL)


def is_discrete(spec: Spec) -> bool:
    """Whether a Spec is a discrete distribution, or a product of such.

    Raises
    ------
    UsageError
        For a product of discrete distributions and densities.
    """
    if spec.family != "product":
        return spec.family in DISCRETE_NAMES
    kinds = {
        column: isinstance(part, Spec) and part.family in DISCRETE_NAMES
        for column, part in spec.named.items()
    }
    if len(set(kinds.values())) > 1:
        discrete = next(c for c, yes in kinds.items() if yes)
        density = next(c for c, yes in kinds.items() if not yes)
        raise UsageError(
            f"--target: product: column {discrete} has a discrete distribution and column "
            f"{density} a density; test them by two runs"
        )
    return any(kinds.values())


def build_discrete(spec: Spec, columns: Sequence[str], name: str) -> DiscreteTarget:
    """Return the DiscreteTarget of a Spec for the given columns of the data.

    Raises
    ------
    UsageError, DataError
        Naming the family, the parameter or the column.
    """
    if spec.family == "product":
        wanted = {column: part for column, part in spec.named.items() if isinstance(part, Spec)}
        distributions = tuple(_distributions(part, 1)[0] for part in wanted.values())
        chosen = tuple(wanted)
    else:
        chosen = tuple(spec.columns or columns)
        distributions = _distributions(spec, len(chosen))
    bare = tuple(columns) == tuple(str(c + 1) for c in range(len(columns)))
    absent = [c for c in chosen if c not in columns]
    if absent and bare and len(chosen) == len(columns):
        chosen = tuple(columns)
    elif absent:
        raise DataError(
            f"--target: the data have no column {absent[0]!r}; they have {', '.join(columns[:10])}"
        )
    return DiscreteTarget(name, chosen, distributions)


def _distributions(spec: Spec, d: int) -> tuple[Cells, ...]:
    if spec.fit:
        raise UsageError(
            f"--target: {spec.family}(fit) is not possible: discrete distributions take their "
            "parameters from you, and none that were estimated from the tested rows"
        )
    if spec.family == CATEGORICAL:
        return (_categorical(spec),) * d
    family = DISCRETE[spec.family]
    bound = arguments(spec, family.parameters)
    missing = [name for name in family.parameters if name not in bound]
    if missing:
        raise UsageError(
            f"--target: {family.name} needs {missing[0]}; for example {family.example}"
        )
    vectors = {name: _vector(family.name, name, value, d) for name, value in bound.items()}
    try:
        return tuple(
            family.distribution(**{name: float(v[c]) for name, v in vectors.items()})
            for c in range(d)
        )
    except ValueError as error:
        raise UsageError(f"--target: {family.name}: {error}") from None


def _vector(family: str, name: str, value: Any, d: int) -> Array:
    try:
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        vector = np.full((), np.nan)
    if vector.ndim > 1 or not np.isfinite(vector).all() or vector.shape not in ((), (1,), (d,)):
        raise UsageError(
            f"--target: {family}: {name} takes a finite number, or a list of one per column "
            f"({d} are tested)"
        )
    return np.broadcast_to(vector, (d,))


def _categorical(spec: Spec) -> Cells:
    """Probabilities of 0, 1, ... in order, or of names."""
    given = spec.positional
    if len(given) == 1 and isinstance(given[0], list):
        given = tuple(given[0])
    named: Mapping[str, Any] = spec.named
    if set(named) == {"probabilities"} and not given and isinstance(named["probabilities"], list):
        given, named = tuple(named["probabilities"]), {}
    numbers = [*given, *named.values()]
    sound = all(isinstance(p, float) and 0 <= p <= 1 for p in numbers)
    if bool(given) == bool(named) or len(numbers) < 2 or not sound:
        raise UsageError(
            "--target: categorical takes the probabilities of 0, 1, 2, ..., or of names, at least "
            f"two of them; for example {CATEGORICAL_EXAMPLE}"
        )
    p = np.array(numbers)
    if abs(p.sum() - 1) > SUM_TOLERANCE:
        raise UsageError(
            f"--target: categorical: probabilities must sum to 1, found a sum of {p.sum():.6g}"
        )
    cells = single(np.arange(len(p), dtype=np.float64), p, tuple(named))
    if len(cells) < 2:
        raise UsageError("--target: categorical: at least two probabilities must be above 0")
    return replace(cells, ordered=False)
