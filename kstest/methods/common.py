"""What several tests say about their data and their options."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..kernels import scale_columns
from ..result import Notice
from ..sample import Sample

# Autocorrelation below this does little harm even when it is significant.
SMALLEST = 0.1
# Share of independent data sets in which the warning may appear.
FALSE_WARNINGS = 1e-3
# Values are cut here (in robust standard deviations), so that one outlier decides nothing.
CUT = 3.0


def strongest_lag(values: NDArray[np.float64], comparisons: int = 1) -> tuple[float, int] | None:
    """Return lag-1 autocorrelation and column where rows are most like their neighbours.

    None unless it is above 0.1 and beyond what independent rows show in one of 1,000 data sets
    (normal tail bound, Bonferroni over columns and `comparisons`).
    """
    n, d = values.shape
    if n < 20:
        return None
    bound = math.sqrt(2 * math.log(2 * d * comparisons / FALSE_WARNINGS))
    x = np.clip(scale_columns(values, "robust"), -CUT, CUT)
    x -= x.mean(axis=0)
    variance = np.einsum("ij,ij->j", x, x)
    lagged = np.einsum("ij,ij->j", x[1:], x[:-1])
    r = np.divide(lagged, variance, out=np.zeros_like(lagged), where=variance > 0)
    c = int(np.argmax(np.abs(r)))
    return (float(r[c]), c) if abs(r[c]) > max(SMALLEST, bound / math.sqrt(n)) else None


def serial_dependence(samples: Sequence[Sample]) -> tuple[Notice, ...]:
    """Warn when rows look like their neighbours in the file."""
    worst: tuple[float, str, str] | None = None
    for sample in samples:
        found = strongest_lag(sample.values, len(samples))
        if found and (worst is None or abs(found[0]) > abs(worst[0])):
            worst = (found[0], sample.columns[found[1]], sample.name)
    if worst is None:
        return ()
    return (
        Notice(
            "serial-dependence",
            f"neighbouring rows are alike (lag-1 autocorrelation {worst[0]:.2f} in column "
            f"{worst[1]!r} of the {worst[2]}). If the file is in order of time, rows are not "
            "exchangeable and false alarms are likely; if it is only sorted, ignore this",
        ),
    )


def fingerprint(rows: NDArray[np.float64]) -> int:
    """Return a number that depends on the rows but not on their order."""
    return int(np.add.reduce(row_hashes(rows)))


def row_hashes(rows: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return a number per row; equal rows have equal numbers."""
    words = np.ascontiguousarray(rows + 0.0).view(np.uint64)  # + 0.0: -0.0 is 0.0
    odd = np.random.default_rng(0).integers(2**63, size=words.shape[1], dtype=np.uint64) * 2 + 1
    mixed = (words ^ (words >> np.uint64(29))) * odd
    mixed ^= mixed >> np.uint64(32)
    hashes = mixed.sum(axis=1) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(hashes ^ (hashes >> np.uint64(29)))


def bandwidth_numbers(text: str) -> tuple[float, ...]:
    """The numbers of --bandwidth, widest first; empty for the two words."""
    if text in ("aggregate", "median"):
        return ()
    try:
        numbers = tuple(sorted({float(part) for part in text.split(",")}, reverse=True))
    except ValueError:
        numbers = (math.nan,)
    if not all(1e-12 <= h <= 1e12 for h in numbers):
        raise UsageError(
            f"--bandwidth {text!r}: give aggregate, median, or positive numbers separated by "
            "commas, in units of the scaled columns"
        )
    return numbers
