"""A plan as findings, for reports."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import printable
from ..findings import Column, Headline, number
from ..result import Answer, answered
from .search import Plan

SIZES = (
    Column("rows", "rows a side", width=13),
    Column("power", "power", ".3f", 9),
    Column("standard_error", "error", ".3f", 9),
    Column("smallest_p_value", "smallest p", ".2g", 13),
)
# Columns that are named.
NAMED = 8


def answer(plan: Plan) -> Answer:
    """Return what reports show of a plan; its JSON object is that of `Plan.to_dict`."""
    said, shown = dict(_lines(plan)), ("sizes", SIZES, "")
    return answered(plan.to_dict(), said, _headline(plan), plan.warnings, shown)


def _headline(plan: Plan) -> Headline:
    found = next((s for s in plan.sizes if s.rows == plan.rows), plan.sizes[-1])
    error = f"standard error {found.standard_error:.2g}"
    estimate = f"estimated power {found.power:.3g} ({error}) at level {number(plan.alpha)}"
    most = "AT MOST " * (found is plan.sizes[0])
    if plan.rows:
        return Headline(f"{most}{found.rows:,} ROWS A SIDE", estimate)
    return Headline(f"MORE THAN {found.rows:,} ROWS", f"with these, {estimate}")


def _lines(plan: Plan) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Key of a finding, and labels with texts; they stand in the order of the findings."""
    change = plan.change
    parts = [f"shift by {number(change['shift'])} robust spreads"] * (change["shift"] != 0)
    parts += [f"spread times {number(change['scale_by'])}"] * (change["scale_by"] != 1)
    where = ", ".join(printable(name) for name in change["columns"][:NAMED])
    left = len(change["columns"]) - NAMED
    more = f" and {left} more" if left > 0 else ""
    mixed = f", in {number(100 * change['mix'])} % of the rows" if change["mix"] < 1 else ""
    test = plan.test
    lines = [
        ("change", f"{', '.join(parts)} in {where}{more}{mixed}"),
        ("test", f"{test['method']}, {test['permutations']} permutations"),
        (
            "draws",
            f"{test['draws']} for each number of rows, each a new split of "
            f"{sum(plan.n.values()):,} rows, seed {plan.params['seed']}",
        ),
    ]
    ends = zip(plan.between, ("too few", "enough"), strict=True)
    bounds = [f"{rows:,} are {word}" for rows, word in ends if rows is not None]
    if bounds:
        lines.append(("range", f"{' and '.join(bounds)}, by two standard errors"))
    level = number(plan.alpha)
    lines.append(("smallest", f"{plan.smallest_rows} rows a side can reach level {level} at all"))
    if not plan.rows:
        split = 2 * plan.sizes[-1].rows >= sum(plan.n.values()) - 1
        advice = "give more rows of the reference" if split else "raise --most-rows"
        lines.append(("advice", advice))
    yield "test", lines
