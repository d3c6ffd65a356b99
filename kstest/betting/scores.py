"""Fixed scores of rows, learned from some rows of a reference once, and their bins.

- *novelty*: -ln of the mean over known rows of 1 / (1 + |z - z_r|^2 / h^2 + categories that
  differ), h half the median distance. Its tails are heavy on purpose: the score goes on growing
  with the distance, which no finite set of random features would do.
- *a column of numbers*: the value. Location is seen here first.
- *a column of categories*: its rank by frequency among the known rows, rarest last; what is not
  known comes after all.

**Bins.** Edges are `QUANTILES` - 1 order statistics of the known rows' scores (for novelty of each
row against the others), the smallest and the largest, and beyond both `TAIL` more at distances
that double. The bin of s is #{edges < s} + #{edges <= s}, so what ties with an edge has a bin of
its own: known rows that are all 7 put 7 and 8 into different bins, and the tops are open.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import KERNELS
from . import wing_loops
from .blocks import Design
from .features import Scale, learn_scale
from .rows import Rows

Array = NDArray[np.float64]
Marks = NDArray[np.uint64]

QUANTILES, FEW_QUANTILES = 128, 32
# With more columns than this there are fewer quantiles, so that tables of counts stay small.
MANY_COLUMNS = 16
TAIL = 2.0 ** np.arange(-3, 5)
# What is beyond the edge of scores that are all equal, in units of their size.
NEXT = 1e-6


@frozen
class Scores:
    """Scores of one reference: novelty, then every column of numbers, then of categories.

    Attributes
    ----------
    known : Rows
        The m rows that were learned from.
    scale : Scale
    city : bool
        City-block distance, as the Laplace kernel has it.
    levels, ranks : tuples of ndarrays
        Of every column of categories: its known categories in ascending order, their ranks.
    edges : ndarray (S, E)
    """

    known: Rows
    scale: Scale
    city: bool
    levels: tuple[Marks, ...]
    ranks: tuple[Array, ...]
    edges: Array

    @classmethod
    def of(cls, design: Design, known: Rows) -> Scores:
        """Learn from rows, two at least."""
        scale = learn_scale(known, design.scale, design.kernel, design.bandwidths[0])
        ranked = [by_frequency(known.marks[:, c]) for c in range(known.marks.shape[1])]
        begun = cls(
            known,
            scale,
            KERNELS[design.kernel].geometry == "cityblock",
            tuple(levels for levels, _ in ranked),
            tuple(ranks for _, ranks in ranked),
            np.empty((0, 0)),
        )
        table = begun.table(known, itself=True)
        edges = np.array([edges_of(row, len(table) - 1) for row in table])
        return cls(known, scale, begun.city, begun.levels, begun.ranks, edges)

    @property
    def bin_count(self) -> int:
        """Bins of every score."""
        return 2 * int(self.edges.shape[1]) + 1

    def table(self, rows: Rows, itself: bool = False) -> Array:
        """All scores of rows, (S, n); with `itself` of the known rows, against each other."""
        novelty = np.empty(len(rows))
        wing_loops.novelty_scores(
            np.ascontiguousarray(rows.values),
            np.ascontiguousarray(rows.marks),
            np.ascontiguousarray(self.known.values),
            np.ascontiguousarray(self.known.marks),
            self.scale.centre,
            self.scale.unit,
            0.5 * self.scale.bandwidth,
            self.city,
            itself,
            novelty,
        )
        parts = [novelty, *rows.values.T]
        for c, (levels, ranks) in enumerate(zip(self.levels, self.ranks, strict=True)):
            place = np.minimum(np.searchsorted(levels, rows.marks[:, c]), len(levels) - 1)
            there = levels[place] == rows.marks[:, c]
            parts.append(np.where(there, ranks[place], float(len(levels))))
        return np.array(parts)

    def bins(self, rows: Rows) -> NDArray[np.int64]:
        """The bins of all scores of rows, (S, n)."""
        out = np.empty((len(self.edges), len(rows)), np.int64)
        for k, (edges, scores) in enumerate(zip(self.edges, self.table(rows), strict=True)):
            out[k] = np.searchsorted(edges, scores, "left")
            out[k] += np.searchsorted(edges, scores, "right")
        return out


def bins(columns: int) -> int:
    """Bins of every score of a stream of so many columns; see `edges_of`."""
    many = QUANTILES if columns <= MANY_COLUMNS else FEW_QUANTILES
    return 2 * (many + 1 + 2 * len(TAIL)) + 1


def by_frequency(marks: Marks) -> tuple[Marks, Array]:
    """The categories in ascending order of their marks, and the rank of each by frequency.

    Examples
    --------
    >>> by_frequency(np.array([5, 9, 9, 7, 7, 7], np.uint64))
    (array([5, 7, 9], dtype=uint64), array([2., 0., 1.]))
    """
    levels, counts = np.unique(marks, return_counts=True)
    ranks = np.empty(len(levels))
    ranks[np.lexsort((levels, -counts))] = np.arange(len(levels))
    return levels, ranks


def edges_of(scores: Array, columns: int) -> Array:
    """Ascending edges of the bins, from the scores of known rows.

    Examples
    --------
    >>> edges = edges_of(np.full(50, 7.0), columns=1)
    >>> np.unique(np.searchsorted(edges, [6.0, 7.0, 8.0], "right")).tolist()
    [0, 137, 145]
    """
    ordered = np.sort(scores)
    m, least, most = len(ordered), float(ordered[0]), float(ordered[-1])
    middle = float(ordered[m // 2])
    many = QUANTILES if columns <= MANY_COLUMNS else FEW_QUANTILES
    within = ordered[np.ceil(m * np.arange(1, many) / many).astype(np.int64) - 1]
    with np.errstate(over="ignore"):
        reach = (most - least) or NEXT * (abs(most) or 1.0)
        above = most + ((most - middle) or reach) * TAIL
        below = least - ((middle - least) or reach) * TAIL
    return np.concatenate([below[::-1], [least], within, [most], above])
