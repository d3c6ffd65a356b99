"""Draws of a sampler: chains of rows that depend on each other, and what is to be said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.chains import Memory, Mixing, memory, mixing, repeats, scores_of_ranks
from ...diagnostics.digests import row_hashes
from ...errors import UsageError
from ...findings import Facts, Line, summary
from ...result import Notice, Result
from ...sample import Sample

Array = NDArray[np.float64]

# What the null of some targets takes for granted.
INDEPENDENT = {
    "discrete": "the frequencies of a discrete target are compared with those of independent rows",
    "fitted": "a fitted target is compared with simulated samples of independent rows",
}
# From so many chains on each has one sign, whatever its rows do.
MANY_CHAINS = 32
# Of fewer chains: rows of one, on average, and independent rows they are worth, at least.
LEAST_ROWS, LEAST_EFFECTIVE = 10, 12
# A row that repeats for so many rows, and so many times longer than rows remember, is a chain that
# is stuck: what the others remember says nothing of it.
LEAST_STUCK, STUCK_TIMES = 30, 10
# Share of rows that repeat the one before them from which on a warning is given.
REPEATED = 0.01


@frozen
class Draws:
    """Rows that lie one chain after the other.

    Attributes
    ----------
    lengths : ndarray of int (C,)
    memory : Memory
        Of coordinates and scores, and of the sizes of their deviations.
    column : str
        That remembers longest.
    mixing : Mixing or None
        Of the coordinates.
    apart : str
        The column in which chains differ.
    marks : ndarray (n,)
        Equal where rows are.
    """

    lengths: NDArray[np.int64]
    memory: Memory
    column: str
    mixing: Mixing | None
    apart: str
    marks: NDArray[np.uint64]

    @classmethod
    def of(cls, Y: Array, S: Array, chain: NDArray[np.int64], names: tuple[str, ...]) -> Draws:
        """Look at rows (n, d) that lie one chain after the other; `chain` (n,) tells which."""
        lengths = np.diff([0, *np.flatnonzero(np.diff(chain)) + 1, len(chain)]).astype(np.int64)
        places = scores_of_ranks(Y)
        both = np.column_stack([places, scores_of_ranks(S)])
        mixed = mixing(places, lengths)
        found = memory(both, lengths, together=mixed is None or not mixed.apart)
        d = len(names)
        slowest = names[int(np.argmax(found.times)) % d]
        apart = names[mixed.column % d] if mixed else ""
        return cls(lengths, found, slowest, mixed, apart, row_hashes(Y))

    @property
    def time(self) -> float:
        """Rows of a chain that are worth one independent row."""
        return float(self.memory.times.max())

    @property
    def effective(self) -> float:
        """Independent rows that all are worth."""
        return int(self.lengths.sum()) / self.time

    @property
    def whole(self) -> bool:
        """Whether there are chains enough to ask nothing of their dependence."""
        return len(self.lengths) >= MANY_CHAINS

    @property
    def moved(self) -> NDArray[np.uint64]:
        """The marks of rows that do not repeat the one before."""
        return self.marks[np.r_[True, self.marks[1:] != self.marks[:-1]]]

    @property
    def stands(self) -> int:
        """Rows for which a chain stands still, the longest time that one does."""
        starts = self.marks[1:] != self.marks[:-1]
        starts[np.cumsum(self.lengths)[:-1] - 1] = True
        return int(np.diff([0, *np.flatnonzero(starts) + 1, len(self.marks)]).max())

    @property
    def words(self) -> str:
        """How many of which length."""
        count, least, most = len(self.lengths), int(self.lengths.min()), int(self.lengths.max())
        rows = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        return f"{count:,} chain{'s' * (count != 1)} of {rows} row{'s' * (most != 1)}"

    @property
    def too_few(self) -> str:
        """Why there can be no verdict; empty if there can."""
        if self.whole:
            return ""
        n, count = int(self.lengths.sum()), len(self.lengths)
        more = f"give longer chains, or at least {MANY_CHAINS} of them"
        if n < LEAST_ROWS * count:
            return (
                f"{self.words}: too short to show how rows depend on each other (on average "
                f"{LEAST_ROWS} rows are needed); {more}, or --chain none if rows are independent"
            )
        if self.effective < LEAST_EFFECTIVE:
            return (
                f"{self.words} are worth about {self.effective:.0f} independent draws (column "
                f"{self.column!r} remembers for about {self.time:.0f} rows); {LEAST_EFFECTIVE} are "
                f"needed: {more}"
            )
        if self.stands > max(LEAST_STUCK, STUCK_TIMES * self.time):
            return (
                f"a chain stands still for {self.stands:,} rows, far longer than rows remember "
                f"(about {self.time:.0f} rows): it is stuck, and what it is worth is not known; "
                "leave that chain out with --where, or give longer chains"
            )
        return ""

    def notices(self) -> tuple[Notice, ...]:
        """What may weaken a verdict."""
        found = []
        if self.mixing is not None and self.mixing.apart:
            what = "chains" if len(self.lengths) > 1 else "halves of the chain"
            found.append(
                Notice(
                    "not-mixed",
                    f"the chains have not mixed: {what} differ in column {self.apart!r} by more "
                    f"than their dependence explains (R-hat {self.mixing.r_hat:.2f}), so they "
                    "cannot all be draws of one law. The p-value rests on chains that are; a "
                    "rejection may be about the sampler, and a pass means nothing. Run the chains "
                    "for longer, leave out their beginnings, or look at them one by one with "
                    "--where",
                )
            )
        return (*found, *self._repeated())

    def _repeated(self) -> tuple[Notice, ...]:
        n, again = repeats(self.marks, self.lengths)
        if again <= REPEATED * n:
            return ()
        step, left, still = 1, n, again
        while still > REPEATED * left and left > LEAST_EFFECTIVE:
            step += 1
            left, still = repeats(self.marks, self.lengths, step)
        advice = (
            f"Every {step}{_ordinal(step)} row would leave {left:,} rows, {still / left:.1%} of "
            "which repeat the one before; a test of all rows sees more"
        )
        if left <= LEAST_EFFECTIVE:
            advice = "No thinning would end that: a chain stands still for long"
        worth = f"the {n:,} rows are worth about {min(self.effective, n):,.0f} independent ones"
        return (
            Notice(
                "repeated-rows",
                f"{again / n:.0%} of the rows repeat the row before them in their chain, as a "
                f"sampler's do that refused a move; {worth}, and the signs allow for that. "
                f"{advice}",
            ),
        )

    def finding(self) -> Facts:
        """What the chains are worth."""
        r_hat = None if self.mixing is None else self.mixing.r_hat
        value = {
            "count": len(self.lengths),
            "shortest": int(self.lengths.min()),
            "longest": int(self.lengths.max()),
            "effective": self.effective,
            "slowest": self.column,
            "r_hat": r_hat,
            "mixed": None if self.mixing is None else not self.mixing.apart,
        }
        said = "" if r_hat is None else f", R-hat {r_hat:.2f}"
        text = (
            f"{self.words}, worth about {self.effective:,.0f} independent draws (least in column "
            f"{self.column!r}){said}"
        )
        return Facts("chains", value, (Line("chains", text, "data"),))


def _ordinal(k: int) -> str:
    if 10 < k % 100 < 14:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(k % 10, "th")


def chains_of(sample: Sample, params: Any, otherwise: str = "") -> NDArray[np.int64] | None:
    """The chain of each row, None where there are none or the null takes independent rows.

    Parameters
    ----------
    otherwise : str
        Why the target's null takes independent rows, empty if it does not.

    Raises
    ------
    UsageError
        Where chains were named that the null makes no use of.
    """
    if not sample.chained:
        return None
    why = otherwise or {
        "parametric": "--null parametric simulates independent rows",
        "wild": "--null wild takes rows as independent",
    }.get(params.null, "")
    if getattr(params, "contamination", 0):
        why = "--contamination takes rows as independent"
    if getattr(params, "features", "auto") not in ("auto", "none"):
        why = "--features takes rows as independent"
    if not why:
        return sample.groups
    if sample.chained == "named":
        raise UsageError(
            f"--chain: {why}, and draws of a chain are not. Thin the chains until neighbours are "
            "nearly independent, and leave --chain out"
        )
    return None


def worth_too_little(base: Result, draws: Draws) -> Result:
    """No verdict, since the chains are worth too little."""
    warnings = (Notice("too-few-draws", draws.too_few), *base.warnings)
    return base.told(summary("too few draws to decide"), draws.finding(), warnings=warnings)
