"""More than two arms: each beside the control, with p-values corrected by Holm's method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...findings import Column, Facts, Line, Table, Verdict, number, summary
from ...nulls import holm_adjusted
from ...result import Notice, Result
from .data import Study
from .options import Params
from .result import claim


def of_arms(compared: Sequence[Study], results: Sequence[Result], params: Params) -> Result:
    """Return the answers of all treated arms as one.

    Parameters
    ----------
    compared : sequence of Study
    results : sequence of Result
        Of the same arms; those without a verdict keep their place in the correction.
    params : Params

    Returns
    -------
    Result
        Rejected if any arm differs from the control; without a verdict if none does and one has
        none. The p-value is the smallest corrected one.
    """
    raw = np.array([1.0 if r.p_value is None else r.p_value for r in results])
    adjusted = holm_adjusted(raw)
    decided = [r.p_value is not None for r in results]
    rejected = (adjusted <= params.alpha) & decided
    names = [made.arms[1] for made in compared]
    rows: list[dict[str, Any]] = [
        {"arm": name, "rows": made.sizes[1], "p_value": r.p_value, "adjusted": float(p) if sure
         else None, "verdict": "rejected" if yes else "not rejected" if sure else "no verdict",
         **{k: v for k, v in r.explanation.items() if k not in ("summary", "treated", "claim")}}
        for name, made, r, p, sure, yes in zip(
            names, compared, results, adjusted, decided, rejected, strict=True
        )
    ]  # fmt: skip
    best = int(np.lexsort([raw, ~np.array(decided)])[0])
    verdict: Verdict = "not rejected" if all(decided) else "no verdict"
    if rejected.any():
        verdict = "rejected"
    control = compared[0].arms[0]
    return Result(
        method="effect",
        verdict=verdict,
        alpha=params.alpha,
        statistic=results[best].statistic if decided[best] else None,
        p_value=float(adjusted[best]) if verdict != "no verdict" else None,
        n={control: compared[0].sizes[0]} | {m.arms[1]: m.sizes[1] for m in compared},
        d=results[best].d,
        columns=results[best].columns,
        kernel=results[best].kernel,
        null=results[best].null,
        warnings=tuple(
            Notice(w.code, f"{name}: {w.message}")
            for name, r in zip(names, results, strict=True)
            for w in r.warnings
        ),
    ).told(
        summary(_sentence(names, rejected, control, decided)),
        Facts("control", control, (Line("control", control, "data"),)),
        claim(params),
        Table(
            "arms",
            rows,
            (Column("arm", "arm"), Column("rows", "rows"), Column("p_value", "p"),
             Column("adjusted", "p, corrected"), Column("verdict", "verdict")),
            "Arms",
            _lines(rows),
            note="p-values corrected by Holm's method.",
            strong=tuple(bool(r) for r in rejected),
        ),
    )  # fmt: skip


def _sentence(
    names: Sequence[str], rejected: NDArray[np.bool_], control: str, decided: list[bool]
) -> str:
    """What was found."""
    if rejected.any():
        some = ", ".join(name for name, yes in zip(names, rejected, strict=True) if yes)
        return f"the outcome of {some} differs from that of {control}"
    if all(decided):
        return f"no evidence at this level that any arm differs from {control}"
    lacking = ", ".join(name for name, sure in zip(names, decided, strict=True) if not sure)
    return f"no decision is possible of {lacking}"


def _lines(rows: Sequence[dict[str, Any]]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for row in rows:
        text = f"{row['arm']}: {row['verdict']}"
        if row["p_value"] is not None:
            text += f", p {number(row['adjusted'])} corrected"
        for mean in row.get("mean_difference", ()):
            text += (
                f"; mean of {mean['column']} {number(mean['difference'])} "
                f"({number(mean['low'])} to {number(mean['high'])})"
            )
        lines.append(Line("" if lines else "arms", text, "numbers"))
    return tuple(lines)
