"""Numbers that stand for rows: of a whole sample whatever its order, and of each row."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..kernels import Rows, scale_columns

Array = NDArray[np.float64]

# Rows of a column that are mixed at a time.
FEW = 1 << 16


def fingerprint(rows: Rows, robust: bool) -> int:
    """Return a number that depends on the rows, but not on their order, units or origin.

    Values enter in robust units (`robust` says that they are scaled so already), in steps of
    1/1024. The offset keeps round numbers, such as the median itself, away from the edges of the
    steps, where rounding would decide.
    """
    values = rows.values if robust else scale_columns(rows.values, "robust")
    return fingerprint_of(values.T, rows.codes, len(rows))


def fingerprint_of(columns: Iterable[Array], codes: NDArray[np.int32], n: int) -> int:
    """`fingerprint` of n rows whose numbers come column by column, in robust units."""
    keys = np.random.default_rng(0)
    total = np.zeros(n, np.uint64)
    for column in itertools.chain(columns, codes.T):
        odd = np.uint64(2 * int(keys.integers(2**63)) + 1)
        for start in range(0, n, FEW):
            part = column[start : start + FEW]
            if part.dtype.kind == "f":
                part = np.rint(1024 * part + 0.1234)
            word = part.astype(np.int64).view(np.uint64)
            mixed = (word ^ (word >> np.uint64(29))) * odd
            total[start : start + FEW] += mixed ^ (mixed >> np.uint64(32))
    total *= np.uint64(0x9E3779B97F4A7C15)
    return int(np.add.reduce(total ^ (total >> np.uint64(29))))


def row_hashes(rows: Array) -> NDArray[np.uint64]:
    """Return a number per row; equal rows have equal numbers."""
    words = np.ascontiguousarray(rows + 0.0).view(np.uint64)  # + 0.0: -0.0 is 0.0
    odd = np.random.default_rng(0).integers(2**63, size=words.shape[1], dtype=np.uint64) * 2 + 1
    mixed = (words ^ (words >> np.uint64(29))) * odd
    mixed ^= mixed >> np.uint64(32)
    hashes = mixed.sum(axis=1) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(hashes ^ (hashes >> np.uint64(29)))
