"""Statistics of several kernels side by side, and the one number that they become."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...nulls import aggregate, informative

Values = NDArray[np.float64]
# A kernel of each block: name and bandwidths, None where the kernel has none.
Combination = tuple[str, tuple[float | None, ...]]


@frozen
class Statistics:
    """Statistics of K kernels under B + 1 pairings, the observed one first.

    Attributes
    ----------
    T : ndarray (K, B + 1)
    size : ndarray (K,)
        Unit of each kernel's statistic; 0 where the kernel says nothing.
    combinations : list of Combination
    """

    T: Values
    size: Values
    combinations: list[Combination]


def joined(parts: Sequence[Statistics]) -> Statistics:
    """Put the statistics of several kernels together."""
    return Statistics(
        np.concatenate([p.T for p in parts]),
        np.concatenate([p.size for p in parts]),
        [combination for p in parts for combination in p.combinations],
    )


def combined(found: Statistics, rule: str, n: int) -> Values | None:
    """Return one statistic per pairing; None if no kernel says anything."""
    keep = informative(found.T, found.size)
    if not keep.any():
        return None
    if len(found.size) == 1:
        return np.asarray(found.T[0])
    return aggregate(found.T[keep], found.size[keep], rule, n)


def informative_z(found: Statistics) -> list[float | None]:
    """Distance of each kernel's observed statistic from its null mean, in units of its spread."""
    keep = informative(found.T, found.size)
    T = np.where(keep[:, None], found.T, np.arange(found.T.shape[1]))
    z = (T[:, 0] - T.mean(axis=1)) / T.std(axis=1)
    return [float(value) if good else None for value, good in zip(z, keep, strict=True)]


def largest_z(found: Statistics) -> float | None:
    """Return the largest of `informative_z`."""
    return max((z for z in informative_z(found) if z is not None), default=None)
