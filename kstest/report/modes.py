"""What a test of perturbed rows reports: the modes, their weights, the jumps between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..result import Result
from ..wording import printable
from .wording import number

MOST_MODES = 8
MOST_COLUMNS = 4


def modes(result: Result) -> Iterator[tuple[str, str]]:
    """Modes with their shares, and how rows moved between them."""
    why = result.explanation
    table = list(why.get("modes", ()))
    for k, mode in enumerate(table[:MOST_MODES]):
        shares = (
            f"{_percent(mode['share'])} of the rows, {_percent(mode['target_share'])} of the target"
        )
        yield "" if k else "modes", f"{mode['mode']} at {_place(mode['place'])}: {shares}"
    if len(table) > MOST_MODES:
        yield "", f"and {len(table) - MOST_MODES} more modes"
    if table and not str(why["target_shares"]).startswith("draws"):
        yield "", f"the target's shares are {why['target_shares']}"
    scales = why.get("jumps", {}).get("scales", [])
    if scales:
        yield "jumps", _jumps(scales, int(why["jumps"]["steps"]))
    if "unmoved" in why:
        yield "unmoved", f"KSD of the rows as they are: p {number(why['unmoved']['p_value'])}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _place(place: Mapping[str, float]) -> str:
    shown = [f"{printable(c)} = {number(_round(x))}" for c, x in list(place.items())[:MOST_COLUMNS]]
    return ", ".join(shown) + ", ..." * (len(place) > MOST_COLUMNS)


def _round(x: float) -> float:
    """The search ends near a mode, not on it: 3e-08 stands for 0."""
    return round(x, 6) + 0.0


def _jumps(scales: list[dict[str, Any]], steps: int) -> str:
    jumped = [s["jumped"] for s in scales]
    best = max(scales, key=lambda s: max(s["ksd2"]))
    share = f"{100 * min(jumped):.0f} to {100 * max(jumped):.0f} %"
    if len(scales) == 1:
        return (
            f"{steps} tried per row at scale {number(best['scale'])}, which the other half chose; "
            f"{100 * jumped[0]:.0f} % of the rows moved"
        )
    each = [s["scale"] for s in scales]
    ends = f"{number(min(each))} to {number(max(each))}"
    return (
        f"{steps} tried per row and scale, {len(scales)} scales {ends}; {share} of the rows moved, "
        f"strongest at {number(best['scale'])}"
    )
