"""From p-values to verdicts: what this run may use of every check's level, then the correction.

Over time, a check has a level for this run, by what its earlier runs used:

- ``per-run``: alpha, every time. Nothing is promised over many runs; `prices` says what that costs.
- ``spending``: alpha / horizon, until alpha is spent. The probability of any false alarm, over all
  time, is at most alpha, whatever the dependence between the runs.
- ``online-fdr``: the level of a rule of `kstest.nulls.online`, which keeps the share of false ones
  among all alarms of the check.
- ``anytime``: the evidence of a stream test, valid at every time. Its level is shared among the
  streams of a file when it begins, and is not corrected again.

Across the checks of a run: a p-value p with level a of this run is a p-value p A / a at the largest
level A of the family, since P(p A / a <= x) = P(p <= x a / A) <= x. These are corrected together.
Checks without a verdict and those that could not run stay in the family, with p = 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..nulls.online import Rule
from ..nulls.several import P_VALUE_CORRECTIONS
from ..nulls.several import replicates as needed
from .config import Check
from .settings import Settings
from .templates import duration

MONTH = timedelta(days=30)
# Rounding of sums of levels that are spent.
TIED = 1e-9


@frozen
class Member:
    """One p-value of the family of a run.

    Attributes
    ----------
    p : float
        1 where there is none.
    level : float
        What the run may use of `alpha`.
    alpha : float
    """

    p: float
    level: float
    alpha: float


def levels(check: Check, past: Sequence[Mapping[str, Any]], count: int) -> list[float]:
    """Levels of the next `count` p-values of a series.

    Parameters
    ----------
    check : Check
    past : sequence of mapping
        Rows of the history that count, in their order.
    count : int
        With online-fdr those after the first are the levels if the earlier ones of this run do not
        reject, which are not larger than if they do.
    """
    if check.over_time == "spending":
        spent, found = math.fsum(row["level"] for row in past), []
        for _ in range(count):
            left = check.alpha - spent
            level = min(check.alpha / check.horizon, left) if left > TIED * check.alpha else 0.0
            found.append(level)
            spent += level
        return found
    if check.over_time == "online-fdr":
        rule = Rule(check.rule, check.alpha)
        for row in past:
            rule.add(row["p_value"], row["status"] == "rejected")
        found = []
        for _ in range(count):
            found.append(rule.level)
            rule.add(1.0)
        return found
    return [check.alpha] * count


def adjusted(members: Sequence[Member], correction: str) -> list[float]:
    """p-values corrected over the family, each to be compared with its `alpha`.

    Parameters
    ----------
    members : sequence of Member
    correction : {'holm', 'bh', 'by', 'none'}

    Examples
    --------
    >>> adjusted([Member(0.01, 0.05, 0.05), Member(0.5, 0.05, 0.05)], "holm")
    [0.02, 0.5]
    """
    if not members:
        return []
    largest = max(m.alpha for m in members)
    scaled = np.array([min(1.0, m.p * largest / m.level) if m.level else 1.0 for m in members])
    found = P_VALUE_CORRECTIONS[correction](scaled)
    return [
        min(1.0, float(p) * m.alpha / largest) if p < 1 else 1.0
        for p, m in zip(found, members, strict=True)
    ]


def draws_needed(member: Member, family: int, given: int) -> int:
    """Permutations with which a p-value can reject, alone in its family; at least `given`.

    Parameters
    ----------
    member : Member
        Its `p` does not count.
    family : int
        Members of the family.
    given : int
        The number by default.
    """
    if not member.level:
        return given
    tests = math.ceil(family * member.alpha / member.level * (1 - TIED))
    return needed(tests, member.alpha, given)


def smallest(replicates: int | None) -> float:
    """The smallest p-value of a test by so many permutations; 0 where it has no such bound."""
    return 0.0 if not replicates else 1 / (1 + replicates)


def prices(
    settings: Settings, checks: Sequence[Check], members: int, streams: Sequence[float]
) -> list[str]:
    """What is promised over time, a sentence per kind of control that occurs.

    Parameters
    ----------
    settings : Settings
    checks : sequence of Check
    members : int
        Number of p-values of a run.
    streams : sequence of float
        The levels of the streams.
    """
    said = []
    kinds = {check.over_time for check in checks}
    if "per-run" in kinds:
        said.append(f"per-run: {_per_run(settings, checks, members)}")
    if "spending" in kinds:
        alpha = max(c.alpha for c in checks if c.over_time == "spending")
        said.append(
            f"spending: each check falsely alarms with probability at most {alpha:g} over all runs"
        )
    if "online-fdr" in kinds:
        alpha = max(c.alpha for c in checks if c.over_time == "online-fdr")
        rules = sorted({c.rule for c in checks if c.over_time == "online-fdr"})
        proven = (
            "" if rules == ["lond"] else "; proven for p-values that are independent of each other"
        )
        said.append(
            f"online-fdr ({', '.join(rules)}): at most {alpha:g} of the alarms of a check are "
            f"expected to be false{proven}"
        )
    if streams:
        together = math.fsum(streams)
        said.append(
            f"anytime: {len(streams)} stream{'s' * (len(streams) != 1)}, any false alarm at any "
            f"time has probability at most {together:.4g}"
        )
    return said


def _per_run(settings: Settings, checks: Sequence[Check], members: int) -> str:
    alpha = max(c.alpha for c in checks if c.over_time == "per-run")
    if settings.correction == "none":
        rate = alpha * members
        text = f"every run may falsely alarm, {rate:.3g} times on average without a correction"
    else:
        rate = alpha
        text = f"every run falsely alarms with probability up to {alpha:g}"
    if not settings.every:
        return f'{text}; set every = "1h" to see how often that is a month'
    runs = MONTH / duration(settings.every)
    return (
        f"{text}: up to {rate * runs:.3g} expected false alarms a month at every {settings.every}"
    )
