"""A plan of the number of rows, as text in 80 columns or as JSON; see `kstest.power`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..wording import printable
from .layout import entry, heading
from .wording import number

if TYPE_CHECKING:
    from ..power import Plan


def render(plan: Plan, form: str) -> str:
    """Return the plan in one of `kstest.report.FORMATS`, ending in a newline."""
    if form == "text":
        return _text(plan)
    layout: dict[str, Any] = {"indent": 2} if form == "json" else {"separators": (",", ":")}
    return json.dumps(plan.to_dict(), allow_nan=False, **layout) + "\n"


def _text(plan: Plan) -> str:
    found = next((s for s in plan.sizes if s.rows == plan.rows), plan.sizes[-1])
    error = f"standard error {found.standard_error:.2g}"
    estimate = f"estimated power {found.power:.3g} ({error}) at level {number(plan.alpha)}"
    most = "AT MOST " * (found is plan.sizes[0])
    title = f"{most}{found.rows:,} ROWS A SIDE" if plan.rows else f"MORE THAN {found.rows:,} ROWS"
    lines = heading(title, title, estimate if plan.rows else f"with these, {estimate}")
    lines += [line for label, text in _rows(plan) for line in entry(label, text)]
    lines += ["", f"  {'rows a side':>11}{'power':>9}{'error':>9}{'smallest p':>13}"]
    lines += [
        f"  {s.rows:>11,}{s.power:>9.3f}{s.standard_error:>9.3f}{s.smallest_p_value:>13.2g}"
        for s in plan.sizes
    ]
    return "\n".join(lines) + "\n"


def _rows(plan: Plan) -> Iterator[tuple[str, str]]:
    change, below, above = plan.change, *plan.between
    parts = [f"shift by {number(change['shift'])} robust spreads"] * (change["shift"] != 0)
    parts += [f"spread times {number(change['scale_by'])}"] * (change["scale_by"] != 1)
    where = ", ".join(printable(name) for name in change["columns"][:8])
    more = f" and {len(change['columns']) - 8} more" if len(change["columns"]) > 8 else ""
    mixed = f", in {number(100 * change['mix'])} % of the rows" if change["mix"] < 1 else ""
    yield "change", f"{', '.join(parts)} in {where}{more}{mixed}"
    test = plan.test
    yield "test", f"{test['method']}, {test['permutations']} permutations"
    yield (
        "draws",
        f"{test['draws']} for each number of rows, each a new split of {sum(plan.n.values()):,} "
        f"rows, seed {plan.params['seed']}",
    )
    ends = ((below, "too few"), (above, "enough"))
    bounds = [f"{rows:,} are {word}" for rows, word in ends if rows is not None]
    if bounds:
        yield "range", f"{' and '.join(bounds)}, by two standard errors"
    yield (
        "smallest",
        f"{plan.smallest_rows} rows a side can reach level {number(plan.alpha)} at all",
    )
    if not plan.rows:
        split = 2 * plan.sizes[-1].rows >= sum(plan.n.values()) - 1
        yield "advice", "give more rows of the reference" if split else "raise --most-rows"
    for notice in plan.warnings:
        yield "warning", notice.message
