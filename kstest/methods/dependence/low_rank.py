"""When an independence test sums features at landmark rows instead of all pairs of rows.

Landmarks and bandwidths of a block come from that block alone, so permuting the rows of another
cannot move them, and the permutation test stays exact. A Gaussian kernel of one column has so low a
rank that nothing is lost (`kstest.engine.feature_margins`); of several columns narrow structure
may be, so there features wait until the sum over pairs would take a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...engine.feature_margins import landmark_rows
from ...errors import UsageError
from ...kernels import BandwidthGrid, Rows
from ...params import option
from .arrangement import Arranged

# Rows from which on every block gets features.
MANY_ROWS = 200_000
# Multiply-adds of the sum over pairs, of all pairs of blocks, beyond which single columns do; and
# every block, as they take a minute (22,000 rows with 16 pairs of bandwidths).
LONG, VERY_LONG = 2e10, 1e12
# Landmarks of a block of several columns where there are fewer rows than that.
MORE = 128
# Most bins for which cross products of all pairs of bins are made.
MOST_BINS = 32


def features() -> Any:
    return option(
        "auto",
        "Sum the kernels over all pairs of rows (none), or features of them at R landmark rows of "
        "each block; auto: features where all pairs would take a minute, of single columns where "
        "that is faster, and from 200,000 rows on. In two passes, round the rows of each block to "
        "R cells. The p-value is exact either way.",
        metavar="auto|none|R",
    )


def check_features(text: str) -> None:
    """Refuse what --features does not take."""
    if text not in ("auto", "none") and not (text.isdecimal() and 5 <= int(text) <= 1024):
        raise UsageError(f"--features {text}: give auto, none or a number of rows, 5 to 1024")


def landmarks_of(
    data: Arranged, grids: Sequence[BandwidthGrid], params: Any, joint: bool
) -> list[Rows] | None:
    """Return landmark rows of every block, or None for the sum over all pairs.

    Parameters
    ----------
    data : Arranged
    grids : sequence of BandwidthGrid
        Of every block.
    params
        With `features` and `all_pairs`.
    joint : bool
        Whether three blocks or more are tested together.
    """
    text, n = params.features, len(data.rows[0])
    if text == "none":
        return None
    obstacle = _obstacle(data, grids, joint)
    if text != "auto":
        if obstacle:
            raise UsageError(f"--features {text}: is not for {obstacle}; leave it out")
        if 10 * int(text) > n:
            raise UsageError(f"--features {text}: give at most a tenth of the {n:,} rows, or none")
        return [_spaced(rows, int(text)) for rows in data.rows]
    if obstacle:
        return None
    sums = _multiply_adds(data, grids, params.all_pairs)
    if n >= MANY_ROWS or (sums > LONG and _single(data, grids)):
        return [_spaced(rows, landmark_rows(rows)) for rows in data.rows]
    return [_spaced(rows, MORE) for rows in data.rows] if sums > VERY_LONG else None


def _obstacle(data: Arranged, grids: Sequence[BandwidthGrid], joint: bool) -> str:
    if data.given is not None:
        return "--given"
    if joint:
        return "more than two blocks"
    if data.cut.bins > MOST_BINS:
        return f"permutations of {data.cut.bins:,} {data.how.unit}"
    without = [grid.kernel.name for grid in grids if not grid.kernel.has_bandwidth]
    return f"--kernel {without[0]}" if without else ""


def _single(data: Arranged, grids: Sequence[BandwidthGrid]) -> bool:
    """Whether every block is one column with a Gaussian kernel."""
    wide = any(rows.width > 1 for rows in data.rows)
    return not wide and all(grid.kernel.name == "gaussian" for grid in grids)


def _multiply_adds(data: Arranged, grids: Sequence[BandwidthGrid], all_pairs: bool) -> float:
    """What the sum over all pairs of rows takes."""
    pairs = len(grids) * (len(grids) - 1) / 2 if all_pairs else 1
    combinations = max(len(grid) for grid in grids)
    n = len(data.rows[0])
    return float(pairs * combinations**2 * data.cut.bins**2 * n**2 / 2)


def _spaced(rows: Rows, count: int) -> Rows:
    """Rows at equal distances: rows are in random order, so they are drawn at random."""
    return rows.take(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64))
