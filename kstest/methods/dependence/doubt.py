"""When a rejection given other columns is no verdict: what they explain was not learned well.

The test rests on the product of the errors of two regressions being negligible. No look at the
smoothed residuals can tell: smoothing in sample makes every such check blind. What can tell is the
learning curve. If half of the rows predict much worse than four fifths of them, all of the rows
are not enough yet; and where the predictions of two blocks step together, both are wrong on the
rows beside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...result import Notice
from ...wording import listed
from .arrangement import Arranged
from .location import learning_curve
from .neighbourhoods import EQUAL_BINS

UNLEARNED = "what the given columns explain was not learned well enough to tell"

# Errors of both regressions, in standard deviations of the noise, from which on they count.
MOST_ERROR = 1.0
# Share of rows at steps of both blocks from which on the rows beside them count.
MOST_STEPPED = 0.01


@frozen
class Curves:
    """What the rule looks at, for every block.

    Attributes
    ----------
    growth : ndarray (L,)
        Share by which the loss grows if half of the rows are learned from, of the worst column.
    stepped : ndarray of bool (L, n)
        Rows at a step of a block's prediction.
    rows : int
        Observations: rows, or units of rows if the given columns do not change within one.
    """

    growth: NDArray[np.float64]
    stepped: NDArray[np.bool_]
    rows: int

    @classmethod
    def of(cls, data: Arranged, rng: np.random.Generator) -> Curves:
        targets, given = data.targets, data.given
        assert targets is not None
        assert given is not None
        unit = np.arange(len(targets.rows)) // targets.size
        families = targets.location.families
        found = learning_curve(targets.given, targets.values, families, unit, rng)
        owned = [targets.of_block(block.names) for block in data.blocks]
        rows = int(unit[-1]) + 1 if given.unit > 1 else len(unit)
        return cls(
            np.array([found[some].max() for some in owned]),
            targets.rows_of(targets.stepped, data.blocks),
            rows,
        )

    def error(self, x: int, y: int) -> float:
        """Product of both errors, in standard deviations of the noise of its mean."""
        return math.sqrt(self.rows * self.growth[x] * self.growth[y])

    def together(self, x: int, y: int) -> float:
        """Share of rows at a step of both blocks: one alone does no harm."""
        return float((self.stepped[x] & self.stepped[y]).mean())

    def doubtful(self, x: int, y: int) -> bool:
        """Whether a dependence of two blocks may be what was not learned of both."""
        return self.error(x, y) > MOST_ERROR or self.together(x, y) > MOST_STEPPED


def doubt_notice(
    data: Arranged, curves: Curves, pairs: Sequence[tuple[int, int]], p: float
) -> Notice:
    """Say why a rejection of these pairs of blocks is no verdict, and what helps."""
    given = data.given
    assert given is not None
    names = [" ".join(block.names) for block in data.blocks]
    z = " ".join(given.block.names)
    slow = sorted({l for pair in pairs if curves.error(*pair) > MOST_ERROR for l in pair})
    sharp = sorted({l for pair in pairs if curves.together(*pair) > MOST_STEPPED for l in pair})
    why = []
    if slow:
        why.append(f"more rows would still explain more of {listed([names[l] for l in slow])}")
    if sharp:
        why.append(f"{listed([names[l] for l in sharp])} change by steps where {z} hardly does")
    equal = EQUAL_BINS * data.how.size
    message = (
        f"p = {p:.3g} is not to be trusted: {' and '.join(why)}, so what {z} explains may pass for "
        f"dependence. What helps: more rows; rounding {z} so that its values repeat, {equal} rows "
        "or more to each (then the test is exact given the rounded ones); or giving the step "
        "itself, such as the number of the run"
    )
    return Notice("unsound-given", message)


def doubted(data: Arranged, p: float, rng: np.random.Generator) -> Notice | None:
    """Return why a rejection of all blocks is no verdict; None if nothing speaks against it."""
    curves = Curves.of(data, rng)
    pairs = [pair for pair in combinations(range(len(data.blocks)), 2) if curves.doubtful(*pair)]
    return doubt_notice(data, curves, pairs, p) if pairs else None
