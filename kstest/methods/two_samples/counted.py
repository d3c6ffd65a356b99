"""Histograms: a row is a bin, and stands for as many entries as its count says.

Under the null hypothesis all entries are exchangeable, so the counts of one side are multivariate
hypergeometric given the pooled counts and both totals (`kstest.nulls.hypergeometric`). Everything
else (units, bandwidths, which bins are told apart) is a function of the pooled counts: exact for
any counts and positions. Conditional on both totals, so a difference of rate is not tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...engine import Work
from ...errors import DataError
from ...kernels import BandwidthGrid
from ...result import Result
from ...sample import Sample
from .pooled import Pooled, pool, refused
from .weighted import in_units

if TYPE_CHECKING:
    from .differences import Masses

Array = NDArray[np.float64]

# Different positions at most: their kernel matrix is summed whole, for every draw.
MOST_BINS = 4096
# A histogram has few rows at distances that are all alike.
MOST_GRID_ROWS = 10_000


def bins_of(samples: Sequence[Sample], scale: str) -> tuple[list[Sample], Pooled, Array, Array]:
    """Join rows of one position, and count the entries of each side there.

    Returns
    -------
    samples : list of Sample
        The distinct positions, the same on both sides.
    pooled : Pooled
        Of one copy of them, smaller side first as everywhere.
    first, both : ndarray (C,)
        Entries of the first sample given, and of both.
    """
    keys = [np.hstack([s.values, s.codes]) for s in samples]
    marks = [np.zeros(s.values.shape, bool) if s.missing is None else s.missing for s in samples]
    stacked = np.hstack([np.concatenate(keys), np.concatenate(marks)])
    _, place, of = np.unique(stacked, axis=0, return_index=True, return_inverse=True)
    of = of.reshape(-1)
    split = samples[0].n
    counts = [np.asarray(s.weights, dtype=np.float64) for s in samples]
    first = np.bincount(of[:split], counts[0], len(place)).astype(np.float64)
    both = first + np.bincount(of[split:], counts[1], len(place))
    used = both > 0
    place, first, both = place[used], first[used], both[used]
    if len(place) > MOST_BINS:
        raise DataError(
            f"--counts: found {len(place):,} different positions; at most {MOST_BINS:,} are "
            "accepted. Use wider bins, fewer columns (--columns), or one row per entry"
        )
    values = np.concatenate([s.values for s in samples])[place]
    codes = np.concatenate([s.codes for s in samples])[place]
    missing = np.concatenate(marks)[place] if any(s.missing is not None for s in samples) else None
    bins = replace(
        samples[0], values=values, codes=codes, missing=missing, weights=None, groups=None, kept=()
    )
    empty = replace(
        bins, values=values[:0], codes=codes[:0], missing=None if missing is None else missing[:0]
    )
    pooled = replace(pool([bins, empty], scale, sort=False), reference_first=True)
    back = np.argsort(pooled.origin)
    return [bins, empty], replace(pooled, origin=pooled.origin), first[back], both[back]


def masses_of(
    pooled: Pooled, first: Array, both: Array, draws: int, rng: np.random.Generator
) -> tuple[Masses, bool]:
    """Differences of the two histograms as observed and under the null, and whether exact."""
    from ...nulls.hypergeometric import bin_counts, exact_draws
    from .differences import Masses

    whole = both.astype(np.int64)
    total, entries = float(first.sum()), float(both.sum())
    dealt = bin_counts(whole, int(total), draws, rng)
    mine = np.hstack([first[:, None], dealt])
    a = mine / total - (both[:, None] - mine) / (entries - total)
    mass = both / entries
    rows = in_units(pooled.rows, mass, pooled.scale)
    count = len(both)
    masses = Masses(
        rows, np.arange(count), np.arange(count + 1), np.ones(count), mass, a,
        first / total + (both - first) / (entries - total),
    )  # fmt: skip
    return masses, exact_draws(whole)


def bin_statistics(
    masses: Masses, grids: Sequence[BandwidthGrid], work: Work
) -> tuple[Array, Array]:
    """MMD of every kernel on the positions, and chi-squared; with the spread of each over draws.

    Chi-squared is a' diag(1 / c) a: a kernel that tells bins apart however near, which sees a
    single bin that has too many entries.
    """
    from .differences import kernel_statistics

    T, _ = kernel_statistics(masses, grids, work)
    chi = (1 / masses.pooled) @ masses.coefficients**2
    T = np.vstack([T, chi])
    return T, T.std(axis=1)


def looks_counted(samples: Sequence[Sample]) -> bool:
    """Whether whole-number weights sit on a regular grid of positions: those of a histogram."""
    for sample in samples:
        w = sample.weights
        if w is None or not (w == np.rint(w)).all() or w.max(initial=0) < 2 or (w < 0).any():
            return False
        if not 5 <= sample.n <= MOST_GRID_ROWS or sample.values.shape[1] != 1:
            return False
        if sample.missing is not None or not _regular(sample.values[:, 0]):
            return False
    return True


def _regular(x: Array) -> bool:
    """Distinct values at equal steps, but for gaps of empty bins."""
    steps = np.diff(np.unique(x))
    if len(steps) + 1 < len(x) or not len(steps):
        return False
    multiples = steps / np.median(steps)
    return bool((np.abs(multiples - np.rint(multiples)) < 1e-3).all())


def refused_for_counts(samples: Sequence[Sample], base: Result) -> Result | None:
    """No verdict, where weights or a column look like the counts of a histogram: name --counts.

    As single observations the rows of a histogram say nothing: positions on one grid in both files
    are no draws of any distribution, and the test has as many observations as there are bins.
    """
    if samples[0].weights is not None:
        if not looks_counted(samples):
            return None
        what = "the weights are whole numbers and the positions a regular grid"
        other = " or leave --weights out"
    else:
        name = _count_column(samples)
        if name is None:
            return None
        what = f"one column is the same regular grid in both files and {name!r} holds whole numbers"
        other = f", or test {name!r} alone with --columns"
    return refused(
        base,
        f"{what}, as in histograms, whose rows are no single observations ({samples[0].n} and "
        f"{samples[1].n} of them). If a row stands for so many entries, give their column to "
        f"--counts; if not, leave a row number out with --exclude{other}",
        "unsound-histogram",
    )


def _count_column(samples: Sequence[Sample]) -> str | None:
    """The column of two that looks like counts, beside the same regular grid in both files."""
    x, y = (s.values for s in samples)
    if x.shape[1] != 2 or samples[0].categorical or not 5 <= len(x) <= MOST_GRID_ROWS:
        return None
    if len(x) != len(y) or any(s.missing is not None for s in samples):
        return None
    for place in (1, 0):
        counts = np.concatenate([x[:, place], y[:, place]])
        positions = [np.sort(values[:, 1 - place]) for values in (x, y)]
        whole = bool((counts == np.rint(counts)).all() and (counts >= 0).all() and counts.max() > 1)
        if whole and (positions[0] == positions[1]).all() and _regular(positions[0]):
            return samples[0].columns[place]
    return None
