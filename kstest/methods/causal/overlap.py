"""Whether both arms have rows of the same kind: without that no comparison means anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...findings import Column, Facts, Line, Table, number
from ...result import Notice
from .data import Study
from .features import CovariateFeatures
from .nuisances import Robust

Array = NDArray[np.float64]

# No verdict below so many effective rows of an arm, or such a share of its rows, or where a larger
# share of the probabilities of treatment is at its limits.
LEAST_EFFECTIVE, LEAST_SHARE, MOST_CLIPPED = 20, 1 / 3, 0.1
# Of the histogram of probabilities.
BINS = 20


@frozen
class Overlap:
    """What the weights of the two arms are like, the untreated first.

    Attributes
    ----------
    effective : (float, float)
        (sum w)^2 / sum w^2, w one over the probability of the own arm, or that of the other.
    rows : (int, int)
    clipped : float
    lowest, highest : float
        Probability of treatment.
    balance : list of dict
        For every column the difference of the arms' means in standard deviations, before and
        after weighting; the largest before first.
    """

    effective: tuple[float, float]
    rows: tuple[int, int]
    clipped: float
    lowest: float
    highest: float
    balance: list[dict[str, object]]
    propensity: dict[str, Array]
    weighted: bool = False

    @property
    def few(self) -> tuple[bool, bool]:
        """Whether either arm has too few effective rows."""
        share = 0.0 if self.weighted else LEAST_SHARE
        none, one = (
            e < LEAST_EFFECTIVE or e < share * rows
            for e, rows in zip(self.effective, self.rows, strict=True)
        )
        return none, one

    @property
    def extreme(self) -> bool:
        """Whether too many probabilities are at a limit, where the weights divide by them."""
        return not self.weighted and self.clipped > MOST_CLIPPED

    @property
    def lacking(self) -> bool:
        """Whether the rule refuses."""
        return any(self.few) or self.extreme


def overlap(made: Study, covariates: CovariateFeatures, robust: Robust, weighted: bool) -> Overlap:
    """Look at the weights, and at the balance of covariates that they make."""
    pi, treated = robust.propensity, made.treated
    other, own = np.where(treated, 1 - pi, pi), np.where(treated, pi, 1 - pi)
    weights = other if weighted else 1 / own
    effective = [
        float(weights[treated == arm].sum() ** 2 / (weights[treated == arm] ** 2).sum())
        for arm in (False, True)
    ]
    lines = covariates.values[:, : len(covariates.names)]
    before, after = (_differences(lines, treated, w) for w in (np.ones(len(pi)), weights))
    return Overlap(
        (effective[0], effective[1]),
        made.sizes,
        robust.clipped,
        float(pi.min()),
        float(pi.max()),
        _by_column(covariates.names, before, after),
        _histogram(pi, treated),
        weighted,
    )


def _histogram(pi: Array, treated: NDArray[np.bool_]) -> dict[str, Array]:
    """Shares of the arms in bins of the probability of treatment."""
    edges = np.linspace(0, 1, BINS + 1)
    none, one = (
        np.histogram(pi[treated == arm], edges)[0] / max(1, int((treated == arm).sum()))
        for arm in (False, True)
    )
    return {"edges": edges, "control": none, "treated": one}


def _differences(lines: Array, treated: NDArray[np.bool_], weights: Array) -> Array:
    """Difference of weighted means in standard deviations within the arms."""
    means = [
        weights[treated == arm] @ lines[treated == arm] / weights[treated == arm].sum()
        for arm in (False, True)
    ]
    spread = np.sqrt(sum(lines[treated == arm].var(axis=0) for arm in (False, True)) / 2)
    tiny = spread <= 1e-9
    gap = means[1] - means[0]
    gap[tiny & (np.abs(gap) <= 1e-9)] = 0.0
    return np.asarray(gap / np.maximum(spread, 1e-9))


def _by_column(names: Sequence[str], before: Array, after: Array) -> list[dict[str, object]]:
    """The straight line of every column that differs most."""
    order = np.argsort(-np.abs(before), kind="stable")
    rows: dict[str, dict[str, object]] = {}
    for k in order:
        row = {"column": names[k], "before": float(before[k]), "after": float(after[k])}
        rows.setdefault(names[k], row)
    return list(rows.values())


def overlap_found(found: Overlap, arms: tuple[str, str]) -> tuple[Facts, Table]:
    """What is said of it."""
    worst = max((abs(float(str(row["after"]))) for row in found.balance), default=0.0)
    text = (
        f"effective rows {found.effective[0]:,.0f} of {found.rows[0]:,} and "
        f"{found.effective[1]:,.0f} of {found.rows[1]:,}; probability of treatment "
        f"{number(found.lowest)} to {number(found.highest)}, {100 * found.clipped:.3g} % at a "
        "limit"
    )
    value = {
        "effective_rows": dict(zip(arms, found.effective, strict=True)),
        "clipped": found.clipped,
        "lowest": found.lowest,
        "highest": found.highest,
        "largest_imbalance": worst,
        "propensity": found.propensity,
    }
    columns = Column("column", "column"), Column("before", "before"), Column("after", "after")
    note = "Difference of the arms' means in standard deviations, before and after weighting."
    return (
        Facts("overlap", value, (Line("overlap", text, "numbers"),)),
        Table("balance", found.balance, columns, "Balance of the covariates", note=note),
    )


def refused(found: Overlap, arms: tuple[str, str]) -> Notice:
    """Why there is no verdict."""
    needed = f"at least {LEAST_EFFECTIVE}"
    if not found.weighted:
        needed += " and a third of them"
    reasons = [
        f"{e:,.0f} effective rows of {rows:,} with {arm} ({needed} are needed)"
        for arm, e, rows, few in zip(arms, found.effective, found.rows, found.few, strict=True)
        if few
    ]
    if found.extreme:
        reasons.append(
            f"{100 * found.clipped:.3g} % of the probabilities of treatment at their limits (at "
            f"most {100 * MOST_CLIPPED:.0f} % are accepted)"
        )
    most = f"; they differ most in {found.balance[0]['column']}" if found.balance else ""
    other = "" if found.weighted else (
        ". --overlap weights asks another question, of the rows that could have been in either"
    )  # fmt: skip
    return Notice(
        "too-little-overlap",
        f"too little overlap: {', '.join(reasons)}. Rows of one arm have no counterparts in the "
        f"other{most}. Choose the rows that could have been in either arm with --where, and leave "
        f"out covariates that determine the treatment, such as a number or a date{other}",
    )
