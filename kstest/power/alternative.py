"""The distribution to find: rows of the reference, some of them changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..columns import parse_items, resolve
from ..errors import UsageError
from ..kernels import robust_spread
from ..sample import Sample

Array = NDArray[np.float64]


@frozen
class Change:
    """What happens to a row; made by `Change.of`.

    Attributes
    ----------
    columns : tuple of str
        The columns that change.
    places : ndarray of int (k,)
        Their positions.
    centre, spread : ndarray (k,)
        Median and robust spread in the reference, in the column's own units.
    levels : tuple of (ndarray or None)
        The distinct values of a column that repeats its values, None for any other.
    shift, scale_by, mix : float
        In units of the spread; a factor; the share of rows that change.
    """

    columns: tuple[str, ...]
    places: NDArray[np.int64]
    centre: Array
    spread: Array
    levels: tuple[Array | None, ...]
    shift: float
    scale_by: float
    mix: float

    @classmethod
    def of(
        cls, reference: Sample, change: str | None, shift: float, scale_by: float, mix: float
    ) -> Change:
        """Look at the reference once.

        Raises
        ------
        UsageError
            If a column is not numeric, or no column has a spread.
        """
        names = reference.columns
        if change is not None:
            names = resolve(parse_items(change, "--change"), reference.columns, "--change")
        places = np.array([reference.columns.index(name) for name in names], np.int64)
        present = [_present(reference, c) for c in places]
        spread = np.array([robust_spread(x) for x in present])
        if not len(spread) or not spread.any():
            raise UsageError(
                f"--change {change}: these columns have one value only; choose others"
                if change is not None and len(spread)
                else "kstest plan changes numeric columns, and the reference has none that varies"
            )
        levels = [np.unique(x) for x in present]
        repeats = [2 * len(v) <= len(x) for v, x in zip(levels, present, strict=True)]
        return cls(
            tuple(names),
            places,
            np.array([np.median(x) if len(x) else 0.0 for x in present]),
            spread,
            tuple(v if r else None for v, r in zip(levels, repeats, strict=True)),
            shift,
            scale_by,
            mix,
        )

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the rows, each changed with probability `mix`.

        x becomes centre + scale_by (x - centre) + shift spread. In a column that repeats its
        values, such as whole numbers, the result moves to one of the two nearest values of the
        reference, at random so that its mean stays; otherwise the test would find values that no
        real sample has. Beyond the smallest and largest value it stops there. Missing cells stay.
        """
        values = sample.values.copy()
        chosen = rng.random(sample.n) < self.mix
        for k, place in enumerate(self.places):
            x = values[chosen, place]
            with np.errstate(over="ignore"):
                moved = self.centre[k] + self.scale_by * (x - self.centre[k])
                moved = moved + self.shift * self.spread[k]
            limit = np.finfo(np.float64).max
            moved, levels = np.clip(moved, -limit, limit), self.levels[k]
            if levels is not None and self.spread[k] > 0:
                moved = _snapped(moved, levels, rng)
            values[chosen, place] = moved
        if sample.missing is not None:
            values[sample.missing] = 0.0
        return replace(sample, values=values)


def _snapped(x: Array, levels: Array, rng: np.random.Generator) -> Array:
    x = np.clip(x, levels[0], levels[-1])
    above = np.clip(np.searchsorted(levels, x, side="left"), 1, len(levels) - 1)
    low, high = levels[above - 1], levels[above]
    return np.asarray(np.where(rng.random(len(x)) < (x - low) / (high - low), high, low))


def _present(sample: Sample, place: np.int64) -> Array:
    values = sample.values[:, place]
    return values if sample.missing is None else values[~sample.missing[:, place]]
