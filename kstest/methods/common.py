"""What several tests share: how they read their options and look at their rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..kernels import KERNELS, scale_columns
from ..result import Notice
from ..sample import Sample

# Rows whose pairwise distances give the bandwidths; half a million pairs fix a quantile well.
DISTANCE_ROWS = 1000
# Autocorrelation below this does little harm even when it is significant.
SMALLEST = 0.1
# Share of independent data sets in which the warning may appear.
FALSE_WARNINGS = 1e-3
# Values are cut here (in robust standard deviations), so that one outlier decides nothing.
CUT = 3.0


@dataclass(frozen=True)
class Autocorrelation:
    """The strongest lag-1 autocorrelation of a sample, where it is beyond chance."""

    value: float
    column: str


def autocorrelation(sample: Sample, tests: int) -> Autocorrelation | None:
    """Return the strongest lag-1 autocorrelation of the columns in file order, or None.

    None unless it is above 0.1 and beyond what independent rows show in one of 1,000 data sets
    (normal tail bound, Bonferroni over `tests` columns).
    """
    if sample.n < 20:
        return None
    bound = math.sqrt(2 * math.log(2 * tests / FALSE_WARNINGS))
    x = np.clip(scale_columns(sample.values, "robust"), -CUT, CUT)
    x -= x.mean(axis=0)
    variance = np.einsum("ij,ij->j", x, x)
    lagged = np.einsum("ij,ij->j", x[1:], x[:-1])
    r = np.divide(lagged, variance, out=np.zeros_like(lagged), where=variance > 0)
    c = int(np.argmax(np.abs(r)))
    if abs(r[c]) <= max(SMALLEST, bound / math.sqrt(sample.n)):
        return None
    return Autocorrelation(float(r[c]), sample.columns[c])


def decorrelation_rows(blocks: Sequence[NDArray[np.float64]]) -> int:
    """Return a length after which stretches of a time series hardly depend on each other.

    Twice the first lag at which the autocorrelation of a column is below 0.05 (or below two
    standard errors), for the column with the longest memory; 1 if none has any.
    """
    n = len(blocks[0])
    limit = max(0.05, 2 / math.sqrt(n))
    longest = 1
    for block in blocks:
        x = np.clip(scale_columns(block, "robust"), -CUT, CUT)
        x -= x.mean(axis=0)
        for column in x.T:
            spectrum = np.fft.rfft(column, 2 * n)
            r = np.fft.irfft((spectrum * spectrum.conj()).real)[:n]
            if r[0] > 0:
                longest = max(longest, int(np.argmax(r < limit * r[0])))
    return 2 * longest if longest > 1 else 1


def serial_dependence(samples: Sequence[Sample]) -> tuple[Notice, ...]:
    """Warn when rows look like their neighbours in the file (`autocorrelation`)."""
    tests = len(samples[0].columns) * len(samples)
    worst: tuple[Autocorrelation, str] | None = None
    for sample in samples:
        found = autocorrelation(sample, tests)
        if found and (worst is None or abs(found.value) > abs(worst[0].value)):
            worst = found, sample.name
    if worst is None:
        return ()
    return (
        Notice(
            "serial-dependence",
            f"neighbouring rows are alike (lag-1 autocorrelation {worst[0].value:.2f} in column "
            f"{worst[0].column!r} of the {worst[1]}). If the file is in order of time, rows are "
            "not exchangeable and false alarms are likely; if it is only sorted, ignore this",
        ),
    )


def fingerprint(rows: NDArray[np.float64]) -> int:
    """Return a number that depends on the rows but not on their order."""
    words = np.ascontiguousarray(rows + 0.0).view(np.uint64)  # + 0.0: -0.0 is 0.0
    odd = np.random.default_rng(0).integers(2**63, size=words.shape[1], dtype=np.uint64) * 2 + 1
    mixed = (words ^ (words >> np.uint64(29))) * odd
    mixed ^= mixed >> np.uint64(32)
    hashes = mixed.sum(axis=1) * np.uint64(0x9E3779B97F4A7C15)
    return int(np.add.reduce(hashes ^ (hashes >> np.uint64(29))))


def kernel_names(text: str) -> tuple[str, ...]:
    """Return the kernels that --kernel names."""
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in KERNELS:
            raise UsageError(f"--kernel {name!r}: choose from {', '.join(KERNELS)}")
    if len(set(names)) < len(names):
        raise UsageError(f"--kernel {text!r}: name each kernel once")
    return names


def bandwidth_numbers(text: str, name: str) -> tuple[float, ...]:
    """Return the numbers of a bandwidth option, widest first; empty for its two words."""
    if text in ("aggregate", "median"):
        return ()
    try:
        numbers = tuple(sorted({float(part) for part in text.split(",")}, reverse=True))
    except ValueError:
        numbers = (math.nan,)
    if not all(1e-12 <= h <= 1e12 for h in numbers):
        raise UsageError(
            f"{name} {text!r}: give aggregate, median, or positive numbers separated by "
            "commas, in units of the scaled columns"
        )
    return numbers
