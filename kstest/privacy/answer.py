"""What is said of a release, as findings."""

from __future__ import annotations

from ..errors import printable
from ..findings import Headline, number
from ..result import Answer, answered
from .release import BATCH, Released


def answer(found: Released, path: str) -> Answer:
    """What reports show; the JSON object is that of `Released.to_dict`."""
    rows = f"{found.n['reference']:,} ROWS"
    headline = Headline(f"SKETCH OF {rows}", "experimental, not reviewed")
    return answered(found.to_dict(), _lines(found, path), headline, found.warnings)


def _lines(found: Released, path: str) -> dict[str, list[tuple[str, str]]]:
    whom = "one row is" if found.neighbours == "row" else "all rows of one user are"
    spent = found.ledger
    count, at = spent["releases"], f"delta {number(spent['delta'])}"
    rest = "no budget is set"
    if spent["budget"] is not None:
        rest = f"budget {number(spent['budget']['epsilon'])}"
    names = [printable(name) for name in found.columns]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return {
        "epsilon": [
            ("protects", f"what changes where {whom} replaced; the number of rows is public"),
            ("privacy", f"epsilon {number(found.epsilon)}, delta {number(found.delta)} "
                        f"(rho {number(found.rho)}, discrete Gaussian noise)"),
        ],
        "noise": [("noise", f"{number(found.noise)} on means of features of length 1")],
        "rows_free": [
            ("free from", f"about {found.rows_free:,} rows on, for batches of {BATCH:,} rows")
        ],
        "ledger": [
            ("spent", f"epsilon {number(spent['epsilon'])} at {at} by {count:,} "
                      f"release{'s' * (count != 1)}, for {printable(spent['protects'])}; {rest}"),
            ("ledger", f"{printable(spent['path'])}: stays with the rows"),
        ],
        "columns": [("columns", ", ".join(names[:8]) + more)],
        "n": [("written", f"{printable(path)}: this file may leave, and nothing else")],
    }  # fmt: skip
