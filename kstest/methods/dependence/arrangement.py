"""How the rows of an independence test are arranged: what moves together, and in which order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.dependence import LEAST_AUTO, block_length
from ...diagnostics.digests import fingerprint
from ...errors import DataError, UsageError
from ...kernels import Rows
from ...nulls.pairings import Pairing, pair_rows
from ...sample import Sample
from .column_blocks import Block

if TYPE_CHECKING:
    from .conditional import Given
    from .leftover import Targets

ROWS, BINS = "rows", "bins of rows"
STRETCHES, GROUPS = "blocks of consecutive rows", "groups"

# Up to this many rows single rows are permuted, beyond it bins of rows.
MOST_ROWS = 512
# The grid keeps kernel matrices of permuted rows whole.
MOST_WHOLE_ROWS = 4096
# Groups, blocks of consecutive rows, or bins that move among neighbours, at most: more would cost
# memory with their number.
MOST_MOVED = 256


@frozen
class Plan:
    """Which rows move together.

    Attributes
    ----------
    size : int
        Rows per bin; 1 permutes rows.
    unit : str
        What a bin is: ROWS, BINS (random ones), STRETCHES (in file order) or GROUPS.
    least : int
        Bins without which there is no verdict.
    groups : ndarray of int (G, n / G), or None
        The rows of each group.
    """

    size: int
    unit: str = BINS
    least: int = 0
    groups: NDArray[np.int64] | None = None


def plan(n: int, params: Any, sample: Sample | None = None) -> Plan:
    """Choose the bins of n rows: by --group, --block-length, --permute, or by their number.

    `sample` holds the groups, and the columns whose memory decides the length of blocks of time.
    """
    if sample is not None and sample.groups is not None:
        return _group_plan(sample.groups, params)
    if params.block_length is not None:
        length = block_length(params.block_length, [sample] if sample else [])
        least = LEAST_AUTO if params.block_length == "auto" else 0
        return Plan(max(1, min(length, n), math.ceil(n / MOST_MOVED)), STRETCHES, least)
    # One table of few bins serves all pairs; cells of neighbours need more of them.
    tabled = params.all_pairs and not params.given
    most = MOST_ROWS if tabled else MOST_WHOLE_ROWS
    if params.permute == "rows" and n > most:
        raise UsageError(
            f"--permute rows: found {n:,} rows; at most {most:,} are accepted, as kernel matrices "
            "are then held whole; --permute bins moves several rows together"
        )
    rows = n <= MOST_ROWS and not tabled if params.permute == "auto" else None
    if rows or params.permute == "rows":
        return Plan(1, ROWS)
    size = max(1, math.ceil(n / (MOST_MOVED if params.given else params.bins)))
    return Plan(size, BINS if size > 1 else ROWS)


def group_rows(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of each group, in file order, shape (G, n / G).

    Raises
    ------
    DataError
        If groups differ in size.
    """
    sizes = np.bincount(groups)
    sizes = sizes[sizes > 0]
    if sizes.min() < sizes.max():
        raise DataError(
            f"--group: {len(sizes):,} groups hold {sizes.min():,} to {sizes.max():,} rows. A group "
            "can only take the place of one with as many rows: choose rows with --where so that "
            "all groups are of one size, or average within groups first."
        )
    return np.argsort(groups, kind="stable").reshape(len(sizes), -1)


def _group_plan(groups: NDArray[np.int64], params: Any) -> Plan:
    """Whole groups move, with the order of their rows; of more than MOST_MOVED several together."""
    given = [
        option
        for option, used in (
            ("--block-length", params.block_length is not None),
            (f"--permute {params.permute}", params.permute != "auto"),
        )
        if used
    ]
    if given:
        raise UsageError(f"--group and {given[0]}: whole groups are permuted; give one of the two")
    rows = group_rows(groups)
    together = math.ceil(len(rows) / MOST_MOVED)
    return Plan(rows.shape[1] * together, GROUPS, groups=rows)


@frozen
class Arranged:
    """Rows ready for permutation.

    Attributes
    ----------
    blocks : list of Block
        As read.
    rows : list of Rows
        Scaled rows of every block, each in its own stored order.
    cut : Pairing
        What moves, and with given columns within which cells.
    how : Plan
    given : Given or None
    equal : bool
        Whether what moves within a cell is equal in the given columns.
    unit : int
        Rows of a group, or of a block of consecutive rows; else 1.
    targets : Targets or None
        Of the tested columns, where random signs take the place of permutations.
    """

    blocks: list[Block]
    rows: list[Rows]
    cut: Pairing
    how: Plan
    given: Given | None = None
    equal: bool = True
    unit: int = 1
    targets: Targets | None = None

    @property
    def units(self) -> int:
        """Rows, groups or blocks of consecutive rows."""
        return -(-len(self.blocks[0]) // self.unit)


def arrange(
    blocks: Sequence[Block],
    how: Plan,
    scale: str,
    rng: np.random.Generator,
    given: Given | None = None,
) -> Arranged:
    """Scale the columns, put the rows in random order, cut them into bins, within cells if given.

    Rows are sorted before they are shuffled, so that their order in the file does not matter; only
    blocks of consecutive rows, and the rows within a group, keep that order. Sorted rows would meet
    the same shuffles in every data set, so the rows of each block, as a set that does not know
    which rows are paired, enter the seed of `rng`: see `seeded`.
    """
    n = len(blocks[0])
    if how.groups is not None:
        units = how.groups[rng.permutation(len(how.groups))]
    elif how.unit == STRETCHES:
        units = np.arange(n // how.size * how.size).reshape(-1, how.size)
    else:
        keys = [key for block in [*blocks, *([given.block] if given else [])] for key in block.keys]
        units = np.lexsort(keys[::-1])[rng.permutation(n)][:, None]
    cells = None
    if given is not None:
        from .neighbourhoods import form_cells

        cells = form_cells(given.block, given.rows, units, how.size // units.shape[1])
        units = units[cells.order]
    order = np.concatenate([units.ravel(), np.arange(units.size, n)])
    cut = pair_rows(order, how.size, len(blocks), rng, cells.bins if cells else None)
    scaled = [block.scaled(scale).take(cut.rows(l)) for l, block in enumerate(blocks)]
    equal = cells is None or cells.equal
    return Arranged(list(blocks), scaled, cut, how, given, equal, units.shape[1])


def seeded(blocks: Sequence[Block], scale: str, rng: np.random.Generator) -> np.random.Generator:
    """Return a generator that depends on the seed and on the rows of each block as a set."""
    drawn = int(rng.integers(2**63))
    prints = [fingerprint(block.scaled(scale), scale == "robust") for block in blocks]
    return np.random.default_rng([drawn, *prints])
