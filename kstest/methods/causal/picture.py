"""The picture of `effect`: the outcome's distribution in either arm, and who had which chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...picture import Curve, Drawing, Histogram, Panel, Picture
from ...result import Result
from ...sample import Sample


def picture(samples: Sequence[Sample], params: Any, result: Result) -> Picture:
    """Return what there is to draw about an effect.

    Parameters
    ----------
    samples : sequence of Sample
    params : Params of the test
    result : Result
        Of these.

    Returns
    -------
    Picture
        The counterfactual distributions of a single outcome that is a number, with the difference
        of their shares; and the chances of treatment. Of more than two arms a pair of panels each.
    """
    found = result.explanation
    rows: Sequence[Mapping[str, Any]] = found.get("arms") or [{"arm": "", **found}]
    control, *treated = result.n
    panels = []
    for row in rows:
        name, strong = str(row["arm"]), row.get("verdict", result.verdict) == "rejected"
        if "shares" in row:
            title = " ".join(filter(None, [params.outcome, name]))
            panels.append(Panel(title, _words(row), _distributions(row["shares"]), strong))
        if "overlap" in row and "propensity" in row["overlap"]:
            drawn = row["overlap"]["propensity"]
            title = " ".join(filter(None, ["chance of treatment", name]))
            panels.append(Panel(title, (), (_histogram(drawn),)))
    series = (control, treated[0] if len(treated) == 1 else "treated")
    notes = (
        "Distributions as they would be if all rows were in the one arm or the other. Where the "
        "chances of treatment of both arms do not overlap, nothing can be compared.",
    )
    return Picture(series, tuple(panels), notes=notes if panels else ())


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"mean difference {mean['difference']:.4g} ({mean['low']:.4g} to {mean['high']:.4g})"
        for mean in row.get("mean_difference", ())
    )


def _distributions(found: Mapping[str, Any]) -> tuple[Drawing, ...]:
    drawn = _histogram(found)
    middle = (drawn.edges[1:] + drawn.edges[:-1]) / 2
    return drawn, Curve(middle, drawn.shares[1] - drawn.shares[0], "difference")


def _histogram(found: Mapping[str, Any]) -> Histogram:
    edges, none, one = (np.asarray(found[k], float) for k in ("edges", "control", "treated"))
    return Histogram(edges, (none, one))
