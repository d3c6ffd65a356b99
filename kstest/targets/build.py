"""From a Spec to a Target: families over columns, and products of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from .certificate import of_family, of_product
from .dirichlet import dirichlet
from .discrete import DISCRETE_NAMES
from .families import FAMILIES
from .family import Family
from .gaussian import mixture, multivariate_normal
from .language import Spec, arguments
from .target import Target
from .transforms import Transform

Array = NDArray[np.float64]

# Beyond it squares and quotients of parameters leave the range of numbers.
LARGEST = 1e100

JOINT: dict[str, Callable[[Spec, tuple[str, ...]], Target]] = {
    "multivariate_normal": multivariate_normal,
    "gaussian_mixture": mixture,
    "dirichlet": dirichlet,
}


def build(spec: Spec, columns: Sequence[str], name: str) -> Target:
    """Return the Target of a Spec for the given data columns.

    Parameters
    ----------
    spec : Spec
    columns : sequence of str
        Columns of the data, in order. A Spec with columns of its own picks from them.
    name : str
        How the result calls it.

    Raises
    ------
    UsageError
        Naming the family or parameter.
    """
    chosen = tuple(spec.columns or columns)
    if spec.family == "product":
        return replace(_product(spec), name=name)
    if spec.family in JOINT:
        return replace(JOINT[spec.family](spec, chosen), name=name)
    if spec.family in DISCRETE_NAMES:
        raise UsageError(
            f"--target: {spec.family} is a distribution of single values and has no density, "
            "which this test needs; kstest ksd tests it, by its frequencies"
        )
    if spec.family not in FAMILIES:
        known = ", ".join([*FAMILIES, *JOINT, "product", *DISCRETE_NAMES])
        raise UsageError(f"--target: no family {spec.family!r}; choose from {known}")
    return replace(_marginals(FAMILIES[spec.family], spec, chosen), name=name)


def own_columns(spec: Spec) -> tuple[str, ...] | None:
    """Return the columns that a Spec names itself, None if it takes any."""
    return tuple(spec.named) if spec.family == "product" else spec.columns


def _marginals(family: Family, spec: Spec, columns: tuple[str, ...]) -> Target:
    """Independent columns, all of one family."""
    if spec.fit:
        return _fitted(family, spec, columns)
    return from_parameters(family, _parameters(family, spec, len(columns)), columns)


def from_parameters(family: Family, values: dict[str, Any], columns: tuple[str, ...]) -> Target:
    """Return the Target of one family with parameters (d,) per name."""
    transforms = tuple(
        family.transform({k: float(v[c]) for k, v in values.items()}) for c in range(len(columns))
    )
    modes = None
    if family.mode is not None:
        modes = np.atleast_2d(np.broadcast_to(family.mode(**values), (len(columns),)))
    return Target(
        name=family.name,
        columns=columns,
        transforms=transforms,
        score=lambda X: family.score(X, **values),
        logpdf=lambda X: np.asarray(family.logpdf(X, **values).sum(axis=1)),
        sample=lambda n, rng: inside(family.draw(rng, (n, len(columns)), **values), transforms),
        modes=modes,
        components=_normal(values) if family.name == "normal" else None,
        certificate=of_family(family.name, values, len(columns)),
        cdf=None if family.cdf is None else partial(family.cdf, **values),
    )


def _normal(values: dict[str, Array]) -> tuple[Array, Array]:
    return values["mean"][None], np.diag(values["sd"] ** 2)[None]


def inside(X: Array, transforms: Sequence[Transform]) -> Array:
    """Move draws that rounding put on the edge of the support into it."""
    for c, transform in enumerate(transforms):
        if not transform.real and not transform.angle:
            low = np.nextafter(transform.low, np.inf)
            high = np.nextafter(transform.high, -np.inf)
            X[:, c] = np.clip(X[:, c], low, high)
    return X


def _parameters(family: Family, spec: Spec, d: int) -> dict[str, Array]:
    names = tuple(family.parameters)
    given = dict(spec.named)
    if family.rate and "rate" in given:
        if family.rate in given:
            raise UsageError(f"--target: {family.name}: give rate or {family.rate}, not both")
        rate = _vector(family, "rate", given.pop("rate"), d)
        if not ((rate >= 1 / LARGEST) & (rate <= LARGEST)).all():
            raise UsageError(
                f"--target: {family.name}: rate must be above 0, from {1 / LARGEST:g} to "
                f"{LARGEST:g}"
            )
        given[family.rate] = list(1 / rate)
    bound = arguments(replace(spec, named=given), names)
    values = {}
    for name, default in family.parameters.items():
        value = bound.get(name, default)
        if value is None:
            raise UsageError(
                f"--target: {family.name} needs {name}; for example {family.examples[0]}"
            )
        if name not in bound and np.isinf(value):
            values[name] = np.full(d, value)
            continue
        values[name] = _vector(family, name, value, d)
        if name in family.positive and not (values[name] > 0).all():
            raise UsageError(f"--target: {family.name}: {name} must be above 0")
        size = np.abs(values[name])
        if (size > LARGEST).any() or (name in family.positive and (size < 1 / LARGEST).any()):
            raise UsageError(
                f"--target: {family.name}: {name} = {values[name][np.argmax(size)]:g}; accepted: "
                f"numbers up to {LARGEST:g}, and where they are above 0 from {1 / LARGEST:g} on"
            )
    if family.ordered:
        low, high = family.ordered
        if not (values[low] < values[high]).all():
            raise UsageError(f"--target: {family.name}: {low} must be below {high}")
    return values


def _vector(family: Family, name: str, value: Any, d: int) -> Array:
    try:
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        vector = np.full((), np.nan)
    if vector.ndim > 1 or not np.isfinite(vector).all():
        raise UsageError(f"--target: {family.name}: {name} takes a number, or a list of numbers")
    if vector.ndim == 1 and len(vector) != d:
        raise UsageError(
            f"--target: {family.name}: {name} has {len(vector)} numbers, but {d} columns are "
            "tested; give one number, or one per column, or choose columns with --columns"
        )
    return np.broadcast_to(vector, (d,)).copy()


def _fitted(family: Family, spec: Spec, columns: tuple[str, ...]) -> Target:
    """A target without parameters yet: `refit` gives it some."""
    fit = family.fit
    if fit is None or spec.named or spec.positional:
        able = ", ".join(f.name for f in FAMILIES.values() if f.fit)
        raise UsageError(
            f"--target: {family.name}(fit) is not possible; fit, without other parameters, "
            f"takes {able}"
        )
    transforms = tuple(family.transform({}) for _ in columns)

    def refit(X: Array) -> Target:
        with np.errstate(all="ignore"):
            each = [fit(X[:, c]) for c in range(len(columns))]
        values = {name: np.array([e[name] for e in each]) for name in family.parameters}
        for name, fitted in values.items():
            least = 1 / LARGEST if name in family.positive else -LARGEST
            bad = ~((fitted >= least) & (fitted <= LARGEST))
            if bad.any():
                c = int(np.argmax(bad))
                raise DataError(
                    f"--target: {family.name}(fit): the {name} of column {columns[c]!r} comes out "
                    f"as {fitted[c]:g}; a column that does not vary, or by too much, cannot be "
                    "fitted"
                )
        target = from_parameters(family, values, columns)
        draw = target.sample
        assert draw is not None

        def simulate(n: int, rng: np.random.Generator) -> tuple[Array, Target]:
            drawn = draw(n, rng)
            return drawn, refit(drawn)

        names = tuple(family.parameters)
        return replace(target, fitted=names, refit=refit, simulate=simulate, cdf=None)

    return Target(
        name=family.name,
        columns=columns,
        transforms=transforms,
        score=lambda X: np.zeros_like(X),
        fitted=tuple(family.parameters),
        refit=refit,
        certificate="its parameters are fitted to the tested rows",
    )


def _product(spec: Spec) -> Target:
    if spec.positional or not spec.named or spec.fit:
        raise UsageError(
            "--target: product takes column=family(...), for example product(a=normal(0, 1), "
            "b=gamma(2, 1))"
        )
    parts = []
    for column, part in spec.named.items():
        if not isinstance(part, Spec) or part.fit or part.family in ("product", *JOINT):
            known = ", ".join(FAMILIES)
            raise UsageError(
                f"--target: product: column {column} takes a family of one column with its "
                f"parameters: {known}"
            )
        parts.append(build(part, (column,), part.family))
    return combine(parts)


def combine(parts: Sequence[Target]) -> Target:
    """Return the product of independent one-column targets."""

    def score(X: Array) -> Array:
        return np.concatenate([p.score(X[:, c : c + 1]) for c, p in enumerate(parts)], axis=1)

    def logpdf(X: Array) -> Array:
        terms = [p.logpdf(X[:, c : c + 1]) for c, p in enumerate(parts) if p.logpdf]
        return np.asarray(np.sum(terms, axis=0))

    def sample(n: int, rng: np.random.Generator) -> Array:
        return np.concatenate([p.sample(n, rng) for p in parts if p.sample], axis=1)

    def cdf(X: Array) -> Array:
        columns = [p.cdf(X[:, c : c + 1]) for c, p in enumerate(parts) if p.cdf]
        return np.concatenate(columns, axis=1)

    modes = [p.modes for p in parts if p.modes is not None]
    return Target(
        name="product",
        columns=tuple(column for p in parts for column in p.columns),
        transforms=tuple(transform for p in parts for transform in p.transforms),
        score=score,
        logpdf=logpdf,
        sample=sample,
        modes=np.concatenate(modes, axis=1) if len(modes) == len(parts) else None,
        certificate=of_product([p.certificate for p in parts]),
        cdf=cdf if all(p.cdf for p in parts) else None,
    )
