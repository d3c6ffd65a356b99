"""Options that the Stein tests share; each test calls those it has, in its own order."""

from __future__ import annotations

from typing import Any

from ...errors import UsageError
from ...kernels import lacking, serving
from ...params import NULL, option
from ...targets import FAMILIES
from .signs import FLIP


def target(more: str) -> Any:
    return option(
        "",
        f"The density: a family ({', '.join(FAMILIES)}, multivariate_normal, gaussian_mixture, "
        "dirichlet, product) such as 'gamma(shape=2, scale=3)'; a YAML, TOML or JSON file; 'logp: "
        f"EXPRESSION' in column names{more}.",
        metavar="TARGET",
        brief="The density, such as 'gamma(shape=2, scale=3)'.",
    )


def param() -> Any:
    return option(
        (),
        "A parameter of 'logp: EXPRESSION'; may be repeated.",
        metavar="NAME=NUMBER",
    )


def allow_python() -> Any:
    return option(False, "Let --target python:module:name import the module, which runs its code.")


def kernel() -> Any:
    return option(
        "imq",
        "Kernel: inverse multiquadric, which also controls the tails, or Gaussian.",
        choices=serving("derivatives"),
        refused=lacking("derivatives"),
    )


def bandwidth(default: str) -> Any:
    return option(
        default,
        "Bandwidths: ten of them, combined (aggregate); one, the median distance (median); or "
        "numbers, in units of the scaled coordinates.",
        metavar="aggregate|median|NUMBER[,NUMBER...]",
    )


def aggregate() -> Any:
    return option(
        "studentised",
        "How several bandwidths become one statistic.",
        choices=("studentised", "minp", "fuse"),
    )


def scale() -> Any:
    return option(
        "whiten",
        "Coordinates: unit variance without correlation, unit variance, or as they are.",
        choices=("whiten", "standard", "none"),
    )


def flip() -> Any:
    return option(
        "auto",
        "With --chain or --null markov: probability that the sign changes from one row to the "
        "next; about one over the length of the dependence. auto takes it from the effective "
        f"sample size of the chains; without --chain it is {FLIP}.",
        metavar="auto|NUMBER",
        section=NULL,
    )


def check_flip(text: str) -> None:
    """Refuse what is no probability of a change."""
    try:
        sound = text == "auto" or 0 < float(text) <= 0.5
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(f"--flip {text}: give auto, or a number above 0 and at most 0.5")
