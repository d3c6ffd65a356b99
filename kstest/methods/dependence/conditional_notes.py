"""What an independence test given other columns says besides its p-value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...engine import Residual
from ...nulls import Pairing
from ...result import Notice, Result
from ...wording import listed
from .arrangement import Arranged
from .statistics import Made, parted

# Residuals this many standard errors more alike among neighbours than chance has it.
UNEXPLAINED = 3.0


def with_given(base: Result, data: Arranged, made: Made, params: Any) -> Result:
    """Add what the given columns explain of every block, and warnings about what they leave."""
    assert data.given is not None
    explanation: dict[str, Any] = {"given": list(data.given.block.names), "explained": None}
    if data.targets is not None:
        return replace(base, explanation=explanation | _learned(data))
    margins = [side[0] for side in parted(made)[1][0] if isinstance(side[0], Residual)]
    if params.conditional == "residuals":
        middle = len(margins[0].bank) // 2
        explanation["explained"] = [float(margin.explained[middle]) for margin in margins]
    notices = () if data.equal else _unexplained(data, margins)
    return replace(base, warnings=(*base.warnings, *notices), explanation=explanation)


def _learned(data: Arranged) -> dict[str, Any]:
    """Share of every block that is predicted out of fold, and by which learners."""
    targets = data.targets
    assert targets is not None
    owned = [targets.of_block(block.names) for block in data.blocks]
    location = targets.location
    return {
        "explained": [float(location.explained[some].mean()) for some in owned],
        "learners": [list(dict.fromkeys(location.families[t] for t in some)) for some in owned],
    }


def _unexplained(data: Arranged, margins: Sequence[Residual]) -> tuple[Notice, ...]:
    """Warn when two blocks or more may still vary with the given columns among what is permuted.

    One block is enough of each pair to be free of it: then products of residuals have mean 0.
    """
    given, cut = data.given, data.cut
    assert given is not None
    found = np.array([_likeness(margin, cut) for margin in margins])
    high = np.flatnonzero(found > UNEXPLAINED)
    if len(high) < 2:
        return ()
    names = " ".join(given.block.names)
    which = "both blocks depend"
    if len(margins) > 2:
        which = f"blocks such as {listed([' '.join(data.blocks[k].names) for k in high])} depend"
    why = (
        f"{which} on {names} so closely that false alarms are likely: they still vary with {names} "
        "among the rows that are permuted with each other. More rows, or fewer columns in --given, "
        "help; repeated values (rounded ones) make the test exact"
    )
    return (Notice("given-not-taken-out", why),)


def _likeness(margin: Residual, cut: Pairing) -> float:
    """Largest mean residual kernel value within cells, in standard errors, over the rungs."""
    assert cut.cells is not None
    margin = replace(margin, shift=0.0)
    edges = np.flatnonzero(np.diff(np.repeat(cut.cells, cut.size), prepend=-1, append=-1))
    total, squares = np.zeros((2, len(margin.bank)))
    for first, stop in pairwise(edges):
        i = np.arange(first, stop)[None]
        out = np.empty((len(total), 1, i.size, i.size), margin.rows.dtype)
        margin.values(i, i, True, out)
        total += out.sum(axis=(1, 2, 3), dtype=np.float64)
        squares += np.einsum("rpij,rpij->r", out, out, dtype=np.float64)
    ratio = np.divide(total, np.sqrt(2 * squares), out=np.zeros_like(total), where=squares > 0)
    return float(ratio.max())
