"""What the Stein tests say: refusals, the null distribution, the discrepancy at every bandwidth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...findings import Finding, by_bandwidth, summary
from ...kernels import BandwidthGrid
from ...nulls import aggregate, informative
from ...result import Notice, Result
from ...targets import Target
from .draws import Draws
from .signs import Signs

Array = NDArray[np.float64]

# Of a statistic that no draw of the null changes, and how that comes about.
UNVARYING = ("draw of the null", "the bandwidth is far below or above the distances of the rows")


def fits(rejected: bool, draws: Draws | None = None) -> str:
    """What a verdict means."""
    if not rejected:
        return "no evidence at this level against the target"
    kind = "independent draws" if draws is None else "draws"
    return f"the data do not fit the target: they are not {kind} from it"


def null_block(
    distribution: str, n: int, params: Any, target: Target | None, signs: Signs | None = None
) -> dict[str, object]:
    """The null distribution of n rows: simulated, or by signs."""
    fitted = target is not None and bool(target.fitted)
    schemes = {
        "parametric": "samples simulated from the target" + ", refitted" * fitted,
        "wild": "random signs of rows",
    }
    return {
        "scheme": (signs and signs.scheme) or schemes[distribution],
        "replicates": params.draws,
        "exact": distribution == "parametric" and not fitted,
        "bins": n if signs is None else len(signs.starts) - 1,
    }


def kernel_block(name: str, grid: BandwidthGrid, params: Any) -> dict[str, object]:
    several = len(grid) > 1
    return {
        "name": name,
        "bandwidths": grid.bandwidths,
        "aggregate": params.aggregate if several else None,
        "scale": params.scale,
    }


def impossible(base: Result, outside: str, params: Any, what: str = "target") -> Result:
    """A value that the target cannot give: probability 0 under the null, whatever the rest."""
    return base.told(
        summary(f"the data do not fit the {what}: {outside}"),
        verdict="rejected",
        p_value=1 / (1 + params.draws),
        null={"scheme": f"support of the {what}", "replicates": params.draws, "exact": True},
    )


def too_few(n: int, distribution: str, alpha: float) -> bool:
    """Whether no sample of n rows could be rejected."""
    return n < 2 or (distribution != "parametric" and 2.0 ** (1 - n) > alpha)


def undecided(base: Result, params: Any) -> Result:
    n = base.n["data"]
    enough = max(2, 1 + math.ceil(-math.log2(params.alpha)))
    why = Notice(
        "too-few-rows",
        f"{n} row{'s' * (n != 1)}: the test needs at least 2, and {enough} where the null "
        f"distribution comes from random signs, to reject at level {params.alpha}",
    )
    return base.told(summary("too few rows to decide"), warnings=(why,))


def combined(T: Array, size: Array, params: Any, n: int) -> tuple[Array, NDArray[np.bool_]]:
    """Return one statistic (B + 1,) out of T (L, B + 1), and which bandwidths say anything."""
    keep = informative(T, size)
    if not keep.any():
        return np.zeros(2), keep
    if len(T) == 1:
        return T[0], keep
    return aggregate(T[keep], size[keep], params.aggregate, n), keep


def _z(T: Array, keep: NDArray[np.bool_]) -> Array:
    z = np.full(len(T), -np.inf)
    z[keep] = (T[keep, 0] - T[keep].mean(axis=1)) / T[keep].std(axis=1)
    return z


def strongest(T: Array, keep: NDArray[np.bool_]) -> int:
    return int(np.argmax(_z(T, keep)))


def per_bandwidth(
    T: Array, keep: NDArray[np.bool_], grid: BandwidthGrid, measure: str = "ksd2"
) -> tuple[Finding, ...]:
    """Squared discrepancy per bandwidth, also in units of its null's spread."""
    z = _z(T, keep)
    rows = [
        {"bandwidth": h, measure: float(T[l, 0]), "z": float(z[l]) if keep[l] else None}
        for l, h in enumerate(grid.bandwidths)
    ]
    return by_bandwidth(rows, strongest(T, keep), measure)
