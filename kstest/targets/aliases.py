"""Other names of families and parameters, as SciPy, NumPy, Stan and PyMC write them.

Names are understood where they mean the same thing there as here. Where libraries put different
numbers in the same place (`expon(0, 2)`, `Gamma(2, 3)`), the parameters have to be named.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..errors import UsageError
from .discrete import DISCRETE, DISCRETE_NAMES
from .families import FAMILIES
from .language import Spec

JOINT_NAMES = ("multivariate_normal", "gaussian_mixture", "dirichlet", "product")
# Without blanks, underscores and capitals.
_FAMILIES = {
    "norm": "normal", "gaussian": "normal", "gauss": "normal",
    "t": "student_t", "student": "student_t", "doubleexponential": "laplace",
    "expon": "exponential", "lognorm": "lognormal",
    "unif": "uniform", "halfnorm": "half_normal", "invgamma": "inv_gamma",
    "inversegamma": "inv_gamma", "weibullmin": "weibull", "chi2": "chi_squared",
    "chisquare": "chi_squared", "chisq": "chi_squared", "truncnorm": "truncated_normal",
    "truncnormal": "truncated_normal", "binom": "binomial", "nbinom": "negative_binomial",
    "mvn": "multivariate_normal", "mvnormal": "multivariate_normal",
    "multinormal": "multivariate_normal",
}  # fmt: skip
# Families whose numbers stand in another order, or mean something else, in some library.
_NAMED_ONLY = frozenset({
    "exponential", "gamma", "inv_gamma", "lognormal", "weibull", "pareto", "truncated_normal",
    "negative_binomial",
})  # fmt: skip
_LOCATION = dict.fromkeys(("mu", "loc", "location", "mean"))
_SCALE = dict.fromkeys(("sigma", "scale", "std", "stddev", "sd"))
_PARAMETERS: dict[str, dict[str, str]] = {
    "normal": {**dict.fromkeys(_LOCATION, "mean"), **dict.fromkeys(_SCALE, "sd")},
    "student_t": {"nu": "df", **dict.fromkeys(_LOCATION, "location"), "sigma": "scale"},
    "cauchy": dict.fromkeys(_LOCATION, "location"),
    "laplace": {**dict.fromkeys(_LOCATION, "location"), "b": "scale"},
    "logistic": {**dict.fromkeys(_LOCATION, "location"), "s": "scale"},
    "gamma": {"alpha": "shape", "a": "shape", "k": "shape", "beta": "rate", "theta": "scale"},
    "inv_gamma": {"alpha": "shape", "a": "shape", "beta": "scale"},
    "weibull": {"alpha": "shape", "c": "shape", "k": "shape", "beta": "scale"},
    "beta": {"alpha": "a", "beta": "b"},
    "lognormal": {"mu": "log_mean", "sigma": "log_sd", "s": "log_sd"},
    "exponential": {"lam": "rate"},
    "half_normal": dict.fromkeys(_SCALE, "sd"),
    "half_cauchy": {"beta": "scale", "sigma": "scale"},
    "pareto": {"alpha": "shape", "b": "shape", "m": "scale"},
    "chi_squared": {"nu": "df", "k": "df"},
    "uniform": {"lower": "low", "upper": "high", "min": "low", "max": "high"},
    "von_mises": {**dict.fromkeys(("mu", "loc"), "mean"), "kappa": "concentration"},
    "truncated_normal": {
        **dict.fromkeys(_LOCATION, "mean"), **dict.fromkeys(_SCALE, "sd"),
        "lower": "low", "upper": "high",
    },
    "multivariate_normal": {"mu": "mean", "loc": "mean", "cov": "covariance"},
    "dirichlet": {"alpha": "concentration", "a": "concentration"},
    "poisson": {"mu": "rate", "lam": "rate", "lambda": "rate"},
}  # fmt: skip
# What means something else elsewhere: SciPy's scale of these is no parameter here.
_OTHER = {
    ("lognormal", "scale"): "SciPy's scale is exp(log_mean)",
    ("lognormal", "loc"): "a shifted variable has no name here; use 'logp: ...'",
    ("exponential", "beta"): "beta is a rate in Stan and a scale in NumPy",
    ("exponential", "loc"): "a shifted variable has no name here; use 'logp: ...'",
    ("uniform", "loc"): "SciPy's uniform goes from loc to loc + scale",
    ("uniform", "scale"): "SciPy's uniform goes from loc to loc + scale",
    ("truncated_normal", "a"): "SciPy's a and b count standard deviations from loc",
    ("truncated_normal", "b"): "SciPy's a and b count standard deviations from loc",
    ("negative_binomial", "mu"): "with the mean mu and n, p is n / (n + mu)",
}


def understood(spec: Spec) -> Spec:
    """Return a Spec in the names of this room; of a product, of each column.

    Raises
    ------
    UsageError
        For an unknown family, with those that are spelled alike; for numbers without names where
        libraries differ, and for parameters that mean something else, with the right spelling.

    Examples
    --------
    >>> from kstest.targets.language import read
    >>> understood(read("Normal(mu=1, sigma=2)"))
    Spec(family='normal', positional=(), named={'mean': 1.0, 'sd': 2.0}, fit=False, columns=None)
    """
    if spec.family == "product":
        named = {n: understood(v) if isinstance(v, Spec) else v for n, v in spec.named.items()}
        return replace(spec, named=named)
    family = _family(spec.family)
    if family != spec.family and len(spec.positional) > 0 and family in _NAMED_ONLY:
        raise UsageError(
            f"--target: {spec.family}: libraries differ in what its numbers mean; name the "
            f"parameters, as in {_examples(family)}"
        )
    return replace(spec, family=family, named=_named(family, spec))


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


def _family(name: str) -> str:
    known = [*FAMILIES, *DISCRETE_NAMES, *JOINT_NAMES]
    if name in known:
        return name
    plain = {_plain(k): k for k in known}
    found = plain.get(_plain(name), _FAMILIES.get(_plain(name)))
    if found is not None:
        return found
    alike = difflib.get_close_matches(_plain(name)[:40], [*plain, *_FAMILIES], 3, 0.7)
    meant = dict.fromkeys(plain.get(a, _FAMILIES.get(a, "")) for a in alike)
    hint = f" did you mean {' or '.join(meant)}?" if meant else ""
    raise UsageError(f"--target: no family {name!r};{hint} choose from {', '.join(known)}")


def _examples(family: str) -> str:
    if family in DISCRETE:
        return DISCRETE[family].example
    return " or ".join(FAMILIES[family].examples[:2])


def _named(family: str, spec: Spec) -> dict[str, Any]:
    other = _PARAMETERS.get(family, {})
    own = _own(family)
    out: dict[str, Any] = {}
    for name, value in spec.named.items():
        if (family, name) in _OTHER and name not in own:
            why = _OTHER[family, name]
            raise UsageError(
                f"--target: {family} has no parameter {name!r}: {why}. Write for example "
                f"{_examples(family)}"
            )
        wanted = name if name in own else other.get(name, name)
        if wanted in out:
            raise UsageError(f"--target: {family}: {name} is another name of {wanted}; give one")
        out[wanted] = value
    return out


def _own(family: str) -> Iterable[str]:
    if family in FAMILIES:
        rate = ("rate",) if FAMILIES[family].rate else ()
        return (*FAMILIES[family].parameters, *rate)
    return DISCRETE[family].parameters if family in DISCRETE else ()
