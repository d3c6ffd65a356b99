"""One line below the verdict of a text report: what to do next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..report.layout import entry
from ..result import Result

# Of every test, options that tell more of a rejection: the first that was not given is named.
TABLE = "explain", "--explain all has every column with p-value and distance"
DRAWN = "plot", "--plot why.html draws where"
LARGE = "min_effect", "--min-effect 2% rejects only what is as large as that"
HIDDEN = "sensitivity", "--sensitivity asks what a hidden common cause could do"
MORE = {"mmd": (TABLE, DRAWN, LARGE), "ks": (TABLE, DRAWN, LARGE), "effect": (HIDDEN, DRAWN)}

KEPT = "this proves nothing: a smaller departure takes more rows"
PLAN = "kstest plan tells which change so many rows would find"
FOLLOW = "more rows may follow at any time, with --state FILE"
KEPT_BY = {"mmd": PLAN, "ks": PLAN, "skit": FOLLOW, "smmd": FOLLOW, "sksd": FOLLOW}
OPEN = "nothing was decided; mend what stands at why, and run it again"


def next_step(result: Result, given: Mapping[str, Any], written: Collection[str]) -> str:
    """Return the line, or nothing.

    Parameters
    ----------
    result : Result
    given : mapping
        The options of the command.
    written : collection of str
        Those that were on the command line.
    """
    if result.verdict == "no verdict":
        text = OPEN
    elif result.verdict == "not rejected":
        text = KEPT_BY.get(result.method, KEPT)
    else:
        alone = result.params.get("by") is not None
        lot = result.params.get("design") == "randomised"
        some = (DRAWN,) if lot or alone else MORE.get(result.method, (DRAWN,))
        text = next((t for name, t in some if name in given and name not in written), "")
    return "\n".join([*entry("next", text), ""]) if text else ""
