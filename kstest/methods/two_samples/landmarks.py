"""Which rows stand for all when kernels are summed at landmarks, and when they are.

A landmark must not tell the two samples apart, else the permutation test is not exact. Landmarks
are therefore rows whose label no permutation changes (`kstest.nulls.partition`, `fixed`): given
them, all other rows are exchangeable, whatever is computed from the landmarks, and half of them may
come from each sample. Taken from all rows alike, a small sample beside a large one would hardly get
one, and a clump in it would be overlooked.

Where groups or stretches of time are permuted there are no such rows to choose. Landmarks are then
drawn from all rows alike: a permutation carries rows drawn so to rows drawn so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import landmark_count
from ...errors import UsageError
from ...nulls import Partition
from ...params import option

# Pooled rows from which on kernels are summed at landmarks.
MANY_ROWS = 200_000
# Of the smaller sample, landmarks are at most this share.
SHARE = 1 / 20


def features() -> Any:
    return option(
        "auto",
        "Sum the kernel over all pairs of rows (none), or its values at R landmark rows; auto: at "
        "landmarks from 200,000 rows on, where that is faster. The p-value is exact either way; "
        "landmarks overlook clumps of fewer than rows / R rows.",
        metavar="auto|none|R",
    )


def check_features(text: str) -> None:
    """Refuse what --features does not take."""
    if text in ("auto", "none"):
        return
    if not text.isdecimal() or not 5 <= int(text) <= 4096:
        raise UsageError(f"--features {text}: give auto, none or a number of rows, 5 to 4096")


def landmarks_of_each(params: Any, m: int, n: int) -> tuple[int, int]:
    """Return how many landmarks each sample gives; 0 and 0 for the sum over all pairs.

    Parameters
    ----------
    params
        With `features`, `permute` and `tolerance`.
    m, n : int
        Rows of the samples.
    """
    if params.features == "none":
        return 0, 0
    asked = params.features != "auto"
    for name, given in (("--permute rows", params.permute == "rows"),
                        ("--tolerance", bool(params.tolerance))):  # fmt: skip
        if given and asked:
            raise UsageError(f"--features {params.features} with {name}: leave out one of the two")
        if given:
            return 0, 0
    if not asked and m + n < MANY_ROWS:
        return 0, 0
    count = int(params.features) if asked else landmark_count(m + n)
    if 10 * count > m + n:
        raise UsageError(f"--features {count}: give at most a tenth of the {m + n:,} rows, or none")
    few = max(1, min(count // 2, int(SHARE * min(m, n))))
    return (few, count - few) if m <= n else (count - few, few)


def choose(
    cut: Partition, m: int, counts: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw landmarks; return their positions among the rows in block order.

    Parameters
    ----------
    cut : Partition
        With as many fixed rows of each sample as landmarks are wanted, or else landmarks are drawn
        from all rows alike.
    m : int
        Rows of the first sample.
    counts : (int, int)
        Landmarks from each sample.
    rng : numpy.random.Generator
    """
    fixed = np.arange(int(cut.starts[cut.movable]), len(cut.order))
    of_first = cut.order[fixed] < m
    sides = fixed[of_first], fixed[~of_first]
    if any(len(side) < count for side, count in zip(sides, counts, strict=True)):
        return np.sort(rng.choice(len(cut.order), sum(counts), replace=False))
    drawn = [
        rng.choice(side, count, replace=False) for side, count in zip(sides, counts, strict=True)
    ]
    return np.sort(np.concatenate(drawn))
