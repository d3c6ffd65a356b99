"""Options of `effect`, and the columns that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from kstest.frozen import frozen

from ...columns import ByOption, parse_items, resolve
from ...errors import UsageError
from ...params import NULL, alpha, check_common, draws, option, seed
from ...wording import shown

OBSERVATIONAL, RANDOMISED = "observational", "randomised"
MULTIPLIERS, CROSS = "multipliers", "cross"
UNTREATED = ("control", "placebo", "untreated", "sham", "none", "no")
FITS = ("normal", "gamma", "lognormal", "quartic")


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    outcome: str = option(
        "",
        "Column whose distribution is compared; several are compared together.",
        metavar="LIST",
        brief="Column whose distribution is compared.",
    )
    covariates: str = option(
        "",
        "Columns that may explain both the treatment and the outcome, measured before the "
        "treatment: numbers and categories.",
        metavar="LIST",
        brief="Columns that may explain both.",
    )
    treatment: str = option(
        "",
        "Column that says who was treated, with a value for each arm; with two files the sample is "
        "the treated arm. Of more than two arms each is compared with the control, and p-values "
        "are corrected by Holm's method.",
        metavar="COLUMN",
        brief="Column that says who was treated.",
    )
    control: str | None = option(
        None,
        "Value of --treatment that counts as untreated; by default the smallest number, or a text "
        f"among {', '.join(UNTREATED)}, else the first text.",
        metavar="VALUE",
    )
    design: str = option(
        OBSERVATIONAL,
        "How rows came to be treated: by what the covariates say, which is estimated "
        "(observational, approximate), or by lot (randomised, exact).",
        choices=(OBSERVATIONAL, RANDOMISED),
        brief="Whether the treatment was drawn by lot.",
    )
    strata: str = option(
        "",
        "With --design randomised: columns within whose equal values the lot was drawn.",
        metavar="LIST",
    )
    target: str = option(
        "",
        "Compare one arm with a density instead: the distribution of the outcome, had all rows "
        "been in --arm, such as 'normal(0, 1)'; see kstest ksd --help.",
        metavar="DENSITY",
    )
    fit: str = option(
        "",
        f"Fit a family to the distribution of the outcome, had all rows been in --arm, and test "
        f"whether it fits: {', '.join(FITS)} (exp of a polynomial of degree 4).",
        metavar="FAMILY",
    )
    arm: str | None = option(
        None,
        "With --target or --fit: the value of --treatment; of two, the one that is not the "
        "control by default.",
        metavar="VALUE",
    )
    overlap: str = option(
        "refuse",
        "Where rows of one arm have few counterparts in the other: no verdict (refuse), or compare "
        "those that could have been in either arm, weighted by the chance of both (weights), which "
        "is another question.",
        choices=("refuse", "weights"),
    )
    sensitivity: bool = option(
        False,
        "Say how strong a cause that is not among the covariates would have to be to explain a "
        "rejection away: the factor by which it multiplies the odds of treatment.",
    )
    null: str = option(
        MULTIPLIERS,
        "How the null distribution is found in an observational design: Gaussian multipliers, or "
        "the normal limit of the published cross statistic of the median bandwidth (cross), which "
        "spends half of the rows on a direction.",
        section=NULL,
        choices=(MULTIPLIERS, CROSS),
    )
    alpha: float = alpha()
    draws: int = draws()
    seed: int = seed()

    def __post_init__(self) -> None:
        check_common(self)
        if not self.outcome:
            raise UsageError("--outcome: name the column whose distribution is compared")
        if self.design == OBSERVATIONAL and not self.covariates:
            raise UsageError(
                "--covariates: name the columns that may explain both treatment and outcome, or "
                "give --design randomised if the treatment was drawn by lot"
            )
        if self.strata and self.design != RANDOMISED:
            raise UsageError(
                "--strata: goes with --design randomised; in an observational design put these "
                "columns among the --covariates"
            )
        if self.control is not None and not self.treatment:
            raise UsageError(f"--control {self.control!r}: needs --treatment, the column it is in")
        _check_one_arm(self)
        if self.sensitivity and (
            self.design == RANDOMISED or self.overlap != "refuse" or self.null != MULTIPLIERS
            or self.target or self.fit
        ):  # fmt: skip
            raise UsageError(
                "--sensitivity: asks of the multipliers of an observational design, and goes with "
                "neither --design randomised nor --overlap weights, --null cross, --target or --fit"
            )
        for name, usual in (("overlap", "refuse"), ("null", MULTIPLIERS)):
            given = getattr(self, name)
            if self.design == RANDOMISED and given != usual:
                raise UsageError(
                    f"--{name} {given!r} and --design randomised: a lot needs neither overlap nor "
                    f"an approximate null distribution. Leave --{name} out"
                )


def _check_one_arm(params: Params) -> None:
    """Refuse what does not go with a look at one arm."""
    if not (params.target or params.fit):
        if params.arm is not None:
            raise UsageError("--arm: goes with --target or --fit, which look at one arm")
        return
    if params.target and params.fit:
        raise UsageError("--target and --fit: give one; --fit estimates the parameters itself")
    if params.fit and params.fit not in FITS:
        raise UsageError(f"--fit {params.fit!r}: accepted: {', '.join(FITS)}")
    if params.design != OBSERVATIONAL:
        raise UsageError(
            "--target and --fit: with --design randomised the rows of an arm are draws of its "
            "distribution already, which kstest ksd compares with a density"
        )
    for name, usual in (("overlap", "refuse"), ("null", MULTIPLIERS)):
        if getattr(params, name) != usual:
            raise UsageError(f"--{name}: does not go with --target or --fit")


@frozen
class Named:
    """Columns by their part: names of the columns of a file."""

    treatment: tuple[str, ...]
    outcome: tuple[str, ...]
    covariates: tuple[str, ...]
    strata: tuple[str, ...]

    @classmethod
    def of(cls, params: Params, names: Sequence[str]) -> Named:
        """Resolve the lists of the options.

        Raises
        ------
        UsageError
            For a column that does not exist, or that has two parts (strata may be covariates).
        """
        lists = {
            "--treatment": params.treatment,
            "--outcome": params.outcome,
            "--covariates": params.covariates,
            "--strata": params.strata,
        }
        found = {
            name: resolve(parse_items(text, name), names, name) if text else ()
            for name, text in lists.items()
        }
        if len(found["--treatment"]) > 1:
            raise UsageError(f"--treatment {params.treatment!r}: name one column")
        for first, second in (
            ("--treatment", "--outcome"), ("--treatment", "--covariates"),
            ("--treatment", "--strata"), ("--outcome", "--covariates"), ("--outcome", "--strata"),
        ):  # fmt: skip
            for name in found[first]:
                if name in found[second]:
                    raise UsageError(
                        f"{second}: column {shown(name)} is also in {first}. Name every column "
                        "in one of them only"
                    )
        return cls(*found.values())

    @property
    def by_option(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(f"--{f.name}", getattr(self, f.name)) for f in fields(self)]

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for _, part in self.by_option for name in part))


def columns(params: Params) -> ByOption:
    """Return how the columns of a file are chosen."""
    return ByOption(lambda names: Named.of(params, names).by_option)
