"""Columns that an independence test is conditioned on: what is smoothed out, who is alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.dependence import centred
from ...engine import Work
from ...engine.margins import bare
from ...engine.residuals import Basis, Residual, residuals
from ...kernels import KERNELS, BandwidthGrid, Rows
from ...sample import Sample
from .. import common
from . import smoothing
from .column_blocks import Block
from .neighbourhoods import row_cells

Index = NDArray[np.int64]


@frozen
class Given:
    """The columns that are conditioned on.

    Attributes
    ----------
    block : Block
    rows : Rows
        Scaled.
    label : ndarray of int (n,)
        Rows of one number are alike, for descriptions; what is permuted may be larger units.
    width : float
        Median distance.
    bases : tuple of Basis
        What can be smoothed out of the other columns.
    unit : int
        Rows that count as one in the choice of a smoother: those of a group, if no given column
        changes within groups.
    """

    block: Block
    rows: Rows
    label: Index
    width: float
    bases: tuple[Basis, ...]
    unit: int = 1

    @classmethod
    def of(cls, block: Block, groups: Index | None, params: Any, rng: np.random.Generator) -> Given:
        """Prepare columns; `groups` (G, r) are the rows of each group."""
        rows = block.scaled(params.scale)
        order, label = row_cells(block, rows)
        (grid,) = common.grids(rows.take(order), "gaussian", "median", "octaves", rng)
        width = float(grid.bandwidths[0])
        bases: tuple[Basis, ...] = (smoothing.constant(len(rows)),)
        if params.conditional == "residuals":
            count = min(smoothing.LANDMARKS, len(rows))
            landmarks = order[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
            bases = tuple(smoothing.bases(rows, width, landmarks))
        return cls(block, rows, label, width, bases, _unit(block, groups))

    def margins(
        self, rows: Rows, grid: BandwidthGrid, order: Index, apart: int, joint: bool, work: Work
    ) -> list[Residual]:
        """Residual kernels of a block whose rows are stored in this order, in runs of `apart`.

        They come as they are and times a kernel of the given columns; with `joint` only as they
        are, plus 1 (see `independence.many_blocks`).
        """
        bases = [basis.take(order) for basis in self.bases]
        factor = bare(self.rows.take(order), BandwidthGrid(KERNELS["gaussian"], (self.width,)))
        weights = [None] if joint else [None, factor]
        found = residuals(rows, grid, bases, smoothing.PENALTIES, weights, work, self.unit, apart)
        return [replace(margin, shift=1.0) for margin in found] if joint else found

    def left_over(self, series: Sample) -> Sample:
        """Numeric columns, far values cut, after the given ones were smoothed out of them."""
        values = smoothing.take_out(centred(series), self.bases)
        return replace(series, values=values)


def _unit(block: Block, groups: Index | None) -> int:
    """Rows per group if the columns are constant in every one, else 1."""
    if groups is None:
        return 1
    constant = all((key[groups] == key[groups[:, :1]]).all() for key in block.keys)
    return groups.shape[1] if constant else 1
