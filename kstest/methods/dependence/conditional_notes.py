"""What an independence test given other columns says besides its p-value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...engine.residuals import Residual
from ...errors import printable
from ...findings import Facts, Line
from ...nulls.pairings import Pairing
from ...result import Notice, Result
from ...wording import listed
from .arrangement import Arranged
from .statistics import Made, parted

# Residuals this many standard errors more alike among neighbours than chance has it.
UNEXPLAINED = 3.0


def with_given(base: Result, data: Arranged, made: Made, params: Any) -> Result:
    """Add what the given columns explain of every block, and warnings about what they leave."""
    assert data.given is not None
    names = list(data.given.block.names)
    if data.targets is not None:
        return base.told(*_explained(names, params, *_learned(data)))
    margins = [side[0] for side in parted(made)[1][0] if isinstance(side[0], Residual)]
    shares = None
    if params.conditional == "residuals":
        middle = len(margins[0].grid) // 2
        shares = [float(margin.explained[middle]) for margin in margins]
    notices = () if data.equal else _unexplained(data, margins)
    return base.told(*_explained(names, params, shares, None), warnings=(*base.warnings, *notices))


def _explained(
    names: list[str], params: Any, shares: list[float] | None, learners: list[list[str]] | None
) -> Iterator[Facts]:
    """The findings ``given``, ``explained`` and ``learners``, with a sentence of all."""
    yield Facts("given", names)
    lines = []
    if shares:
        each = [f"{100 * share:.0f} %" for share in shares]
        what = f"{each[0]} of the first block, {each[-1]} of the second"
        if len(each) > 2:
            low, high = (f"{100 * share:.0f} %" for share in (min(shares), max(shares)))
            what = f"{low} to {high} of the {'columns' if params.all_pairs else 'blocks'}"
        used = list(dict.fromkeys(name for block in learners or () for name in block))
        how = f" out of fold ({', '.join(used)})" if used else ""
        listing = ", ".join(printable(name) for name in names)
        lines.append(Line("given", f"{listing}: explains {what}{how}"))
    yield Facts("explained", shares, tuple(lines))
    if learners is not None:
        yield Facts("learners", learners)


def _learned(data: Arranged) -> tuple[list[float], list[list[str]]]:
    """Share of every block that is predicted out of fold, and by which learners."""
    targets = data.targets
    assert targets is not None
    owned = [targets.of_block(block.names) for block in data.blocks]
    location = targets.location
    return (
        [float(location.explained[some].mean()) for some in owned],
        [list(dict.fromkeys(location.families[t] for t in some)) for some in owned],
    )


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
    """Largest mean residual kernel value within cells, in standard errors, over the bandwidths."""
    assert cut.cells is not None
    margin = replace(margin, shift=0.0)
    edges = np.flatnonzero(np.diff(np.repeat(cut.cells, cut.size), prepend=-1, append=-1))
    total, squares = np.zeros((2, len(margin.grid)))
    for first, stop in pairwise(edges):
        i = np.arange(first, stop)[None]
        out = np.empty((len(total), 1, i.size, i.size), margin.rows.dtype)
        margin.values(i, i, True, out)
        total += out.sum(axis=(1, 2, 3), dtype=np.float64)
        squares += np.einsum("rpij,rpij->r", out, out, dtype=np.float64)
    ratio = np.divide(total, np.sqrt(2 * squares), out=np.zeros_like(total), where=squares > 0)
    return float(ratio.max())
