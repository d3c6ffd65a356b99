"""What the sequential independence test has to say of all pairs of columns."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ...betting import column_pairs, ebh
from ...betting.blocks import ARRANGEMENTS
from ...betting.features import BANDWIDTHS
from ...findings import Pairs, summary
from ...result import Notice, Result, Verdict
from ...wording import listed
from .detection import MOST_LOG, evidence, numbers, scheme_of
from .skit_report import GUARD_OFF, remedies, too_few_rows
from .skit_state import State

if TYPE_CHECKING:
    from ...picture import Picture

_VERDICTS: tuple[Verdict, ...] = ("not rejected", "rejected", "no verdict")
# Pairs and columns that a warning names.
NAMED = 5


def report(state: State) -> Result:
    """Build the Result of all pairs of columns of a stream so far.

    Notes
    -----
    Rejected if a pair is. No verdict if none can have one: too few rows, or the guard has flagged
    both columns of every pair. ``e_value`` is max_k k e_(k) / m, ``p_value`` is 1 / its maximum
    over time: evidence that some pair is dependent, see `kstest.betting.ebh`.
    """
    core, params = state.core, state.params
    assert core.every is not None
    every, total = core.every, len(core.every.log_e)
    count = int((every.outcome == column_pairs.REJECTED).sum())
    judged = bool(core.wealth.rounds) and bool((every.outcome != column_pairs.UNSOUND).any())
    found: Verdict = "rejected" if count else "not rejected" if judged else "no verdict"
    if count:
        text = f"{count} of {total} pairs of columns are dependent (e-BH)"
    elif judged:
        text = (
            f"not enough evidence so far that any of {total} pairs of columns depend on each other"
        )
    elif core.wealth.rounds:
        text = "every column depends on the time of the row, so dependence cannot be told from that"
    else:
        text = "too few rows to decide"
    if core.verdict:
        text += f"; decided after {core.row:,} rows"
    scheme = f"permutations of blocks of {params.block} rows"
    null = {"scheme": scheme, "replicates": ARRANGEMENTS, "exact": True, "correction": "e-BH"}
    return Result(
        method="skit",
        verdict=found,
        alpha=params.alpha,
        **numbers(core.wealth, None, params),
        n={"data": core.used},
        d=len(state.sides),
        columns=tuple(name for (name,) in state.sides),
        kernel={"name": params.kernel, "bandwidths": [], "combinations": BANDWIDTHS},
        null=null,
        findings=(
            summary(text),
            evidence(
                core.wealth,
                params,
                scheme_of(null),
                core.used,
                core.row,
                thresholds=_thresholds(total, params.alpha),
            ),
            _pairs(state),
        ),
        warnings=tuple(_notices(state)),
    )


def _pairs(state: State) -> Pairs:
    """The finding ``all_pairs``; pairs that were decided first come first."""
    rows = _rows(state)
    after = [row["decided_after_row"] for row in rows]
    return Pairs(
        "all_pairs",
        rows,
        "e-BH",
        tuple("" if row is None else f"after row {row:,}" for row in after),
        tuple(math.inf if row is None else float(row) for row in after),
    )


def _thresholds(total: int, alpha: float) -> list[float]:
    """The e-value that each of 1, 2, ... pairs has to reach to be rejected together."""
    return [float(e) for e in np.exp(ebh.thresholds(total, math.log(1 / alpha)))]


def _rows(state: State) -> list[dict[str, Any]]:
    """Every pair: its evidence, where it was decided, and what the guard saw by then."""
    core = state.core
    assert core.every is not None
    every = core.every
    counted = column_pairs.counted(every, core.used, state.params.guard == "on")
    adjusted = ebh.adjusted(counted)
    needed = ebh.needed(counted, math.log(1 / state.params.alpha))
    found = []
    for k, ((x,), (y,)) in enumerate(combinations(state.sides, 2)):
        verdict = _VERDICTS[int(every.outcome[k])]
        row = {
            "x": x,
            "y": y,
            "e_value": math.exp(min(float(every.log_e[k]), MOST_LOG)),
            "e_value_needed": math.exp(float(needed[k])),
            "p_value": math.exp(-float(every.largest[k])),
            "adjusted_p_value": math.exp(float(adjusted[k])),
            "verdict": verdict,
            "reject": None if verdict == "no verdict" else verdict == "rejected",
            "decided_after_row": int(every.row[k]) or None,
        }
        if state.params.guard == "on":
            row["guard"] = [
                {
                    "column": name,
                    "e_value": math.exp(min(float(every.guards[k, side]), MOST_LOG)),
                    "flagged_after_row": int(every.flagged[k, side]) or None,
                }
                for side, name in enumerate((x, y))
            ]
        found.append(row)
    return found


def _notices(state: State) -> list[Notice]:
    core, params = state.core, state.params
    assert core.every is not None
    every = core.every
    if not core.wealth.rounds and not (every.outcome == column_pairs.UNSOUND).any():
        return [too_few_rows(core.used)]
    if params.guard == "off":
        return [GUARD_OFF]
    notices = []
    names = [f"{x} ~ {y}" for (x,), (y,) in combinations(state.sides, 2)]
    unsound = [names[k] for k in np.flatnonzero(every.outcome == column_pairs.UNSOUND)]
    if unsound:
        notices.append(
            Notice(
                "unsound-order",
                f"no verdict on {listed(unsound, NAMED)}: the rows of both columns depend on their "
                f"time, and a common season or memory looks like dependence. {remedies(params)}",
            )
        )
    columns = [[x, y] for (x,), (y,) in combinations(state.sides, 2)]
    one = [columns[k][place] for k, place in zip(*np.nonzero(every.flagged), strict=True)]
    one = list(dict.fromkeys(one))
    if one and len(unsound) < len(names):
        notices.append(
            Notice(
                "serial-dependence",
                f"the rows of {listed(one, NAMED)} depend on their time; the test of a pair holds "
                "if the rows of its other column do not",
            )
        )
    return notices


def draw(state: State) -> Picture:
    """Evidence that some pair is dependent over the rows, and a map of the pairs."""
    core, params = state.core, state.params
    assert core.every is not None
    found = report(state)
    rows = core.every.row[core.every.outcome == column_pairs.REJECTED]
    first = [int(rows.min())] if len(rows) else []
    least = _thresholds(len(core.every.log_e), params.alpha)
    words = f"max over k of k e_(k) / {len(least)}, e_(k) the k-th largest e-value of a pair"
    each = [f"{least[0]:.4g} for one pair", f"{least[-1]:.4g} each for all {len(least)}"]
    if len(least) > 2:
        each.insert(
            1,
            f"{least[1]:.4g} each for two, ..."
            if len(least) > 3
            else f"{least[1]:.4g} each for two",
        )
    words += f"; e-BH rejects from {', '.join(each)}"
    from ..dependence.pairs_map import pairs_map
    from .picture import evidence_picture, rejection_panel

    panel = rejection_panel("some pair", core.wealth, params.alpha, first, words)
    pairs = found.explanation["all_pairs"]
    return evidence_picture([panel, pairs_map(pairs, found)])
