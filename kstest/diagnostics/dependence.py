"""Rows that are like their neighbours in the file: a warning, and the length of blocks of time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels import scale_columns
from ..result import Notice
from ..sample import Sample

Array = NDArray[np.float64]

# Autocorrelation below this does little harm even when it is significant.
SMALLEST = 0.1
# Lags over which the memory of sizes is summed, and the sum that does little harm: with it the
# mean of a stretch varies by half as much again as that of independent rows.
SPELL, SMALLEST_SPELL = 10, 0.25
# Lags averaged, at least, to see where a memory ends that single lags hardly show.
WINDOWS = (5, 10, 20, 40, 80)
# A block of time lasts so many times the memory that single lags show, and that many show together.
MEMORIES, SPELLS = 4, 15
# Values that are looked at together: columns of many rows come a few at a time.
AT_ONCE = 1 << 22
# Share of independent data sets in which the warning may appear.
FALSE_WARNINGS = 1e-3
# A record of fewer independent stretches than this tells memory and difference poorly apart.
LEAST_AUTO = 12
# Values are cut here (in robust standard deviations), so that one outlier decides nothing.
CUT = 3.0


def strongest_lag(values: Array) -> tuple[float, int] | None:
    """Return lag-1 autocorrelation and column where rows are most like their neighbours.

    None unless it is beyond what independent rows show, see `serial_dependence`.
    """
    n, d = values.shape
    if n < 20:
        return None
    x = np.clip(scale_columns(values, "robust"), -CUT, CUT)
    r = autocorrelation(x - x.mean(axis=0), 1)
    c = int(np.argmax(np.abs(r)))
    return (float(r[c]), c) if abs(r[c]) > notable(n, d) else None


def notable(n: int, comparisons: int, least: float = SMALLEST) -> float:
    """Autocorrelation of n rows that is worth a warning, the largest of several."""
    bound = math.sqrt(2 * math.log(2 * comparisons / FALSE_WARNINGS))
    return max(least, bound / math.sqrt(n))


def serial_dependence(
    samples: Sequence[Sample], remedy: str = "--block-length auto"
) -> tuple[Notice, ...]:
    """Warn when rows look like their neighbours in the file.

    The sign: the lag-1 autocorrelation of a column or of its absolute deviations, in file order,
    above 0.1 and beyond what independent rows show in one of 1,000 data sets (normal tail bound,
    Bonferroni over columns). Deviations count because the volatility of a price comes in spells
    although its returns are uncorrelated, and a slow change of volatility alone makes a test of
    permuted rows reject. Where lag 1 is quiet the sum over `SPELL` lags is looked at, which sees
    memory that is faint from row to row and lasts: see `_likeness`.
    """
    worst: tuple[float, str, str] | None = None
    for sample in samples:
        if sample.n < 20 or not sample.columns:
            continue
        r, far = _likeness(sample, len(samples))
        d = len(sample.columns)
        c = int(np.argmax(far[:d]))  # values before sizes: the plainer thing to say
        c = c if far[c] > 1 else d + int(np.argmax(far[d:]))
        if far[c] > 1 and (worst is None or abs(r[c]) > abs(worst[0])):
            what = "column " if c < d else "the size of deviations in column "
            worst = (float(r[c]), f"{what}{sample.columns[c % d]!r}", sample.name)
    if worst is None:
        return ()
    return (
        Notice(
            "serial-dependence",
            f"neighbouring rows are alike (lag-1 autocorrelation {worst[0]:.2f} in "
            f"{worst[1]} of the {worst[2]}). If the file is in order of time, rows are not "
            f"exchangeable and false alarms are likely: try {remedy}. If it is only sorted, "
            "ignore this",
        ),
    )


def _likeness(sample: Sample, samples: int) -> tuple[Array, Array]:
    """Lag-1 autocorrelation of values and sizes, shape (2 d,), and how notable either is.

    Notable beyond 1: the lag-1 autocorrelation, or of sizes the sum over `SPELL` lags. That sum
    has the standard deviation sqrt(SPELL / n) in independent rows, and sees memory that is faint
    from row to row and lasts.
    """
    n, d = sample.n, len(sample.columns)
    step = max(1, AT_ONCE // n)
    parts = [_alike(sample, slice(c, c + step)) for c in range(0, d, step)]
    r, spell = (np.concatenate([p[k] for p in parts], axis=1) for k in (0, 1))
    comparisons = 2 * d * samples
    far = np.abs(r) / notable(n, comparisons)
    bound = max(SMALLEST_SPELL, math.sqrt(SPELL) * notable(n, comparisons, 0.0))
    far[1] = np.maximum(far[1], spell[0] / bound)
    return r.ravel(), far.ravel()


def _alike(sample: Sample, columns: slice) -> tuple[Array, Array]:
    """Of some columns: lag-1 autocorrelation of values and sizes (2, k), sums for sizes (1, k)."""
    x = with_sizes(centred(sample, columns))
    d = x.shape[1] // 2
    spell = np.zeros((1, d))
    if len(x) >= 10 * SPELL:
        spell[0] = np.sum([autocorrelation(x[:, d:], k) for k in range(1, SPELL + 1)], axis=0)
    return autocorrelation(x, 1).reshape(2, d), spell


def centred(sample: Sample, columns: slice = slice(None)) -> Array:
    """Numeric columns in robust units, far values cut, mean 0."""
    missing = None if sample.missing is None else sample.missing[:, columns]
    x = scale_columns(sample.values[:, columns], "robust", missing)
    np.clip(x, -CUT, CUT, out=x)
    x -= x.mean(axis=0)
    return x


def with_sizes(x: Array) -> Array:
    """Put the centred absolute values of centred columns beside them."""
    n, d = x.shape
    out = np.empty((n, 2 * d))
    out[:, :d] = x
    sizes = np.abs(x, out=out[:, d:])
    sizes -= sizes.mean(axis=0)
    return out


def autocorrelation(x: Array, lag: int) -> Array:
    """Autocorrelation of centred columns at a lag; 0 for constant columns."""
    variance = np.einsum("ij,ij->j", x, x)
    lagged = np.einsum("ij,ij->j", x[lag:], x[:-lag])
    found = np.divide(lagged, variance, out=np.zeros_like(lagged), where=variance > 0)
    return np.asarray(found)


def memory(x: Array) -> int:
    """Lag after which the autocorrelation of every column is within its noise.

    The rule of Politis and White (2004, Econometric Reviews 23): the smallest lag that is
    followed by at least five insignificant ones, |r| < 2 sqrt(log10(n) / n).
    """
    n = len(x)
    noise = 2 * math.sqrt(math.log10(max(n, 10)) / max(n, 1))
    quiet = 0
    for lag in range(1, n // 2):
        quiet = quiet + 1 if (np.abs(autocorrelation(x, lag)) < noise).all() else 0
        if quiet == 5:
            return lag - 5
    return n // 2


def spell(parts: Sequence[Array]) -> int:
    """Lag after which no column's autocorrelation, averaged over many lags, is beyond its noise.

    As `memory`, for what is faint from row to row and lasts: the sizes of deviations of a
    volatile series, or a slow course beneath independent noise. `memory` looks at single lags and
    takes the first quiet ones for the end. Here a mean over as many lags as the lag itself is
    looked at, over `WINDOWS` lags at least, because its noise is smaller. Series that remember
    have noisier autocorrelations (Bartlett 1946, Journal of the Royal Statistical Society,
    Supplement 8): a mean over w lags far out has about the standard deviation
    (1 + 2 sum of r) / sqrt(n w), the sum being over the lags before.

    Parameters
    ----------
    parts : sequence of ndarray (n_i, d)
        Centred columns of each sample. Their autocorrelations are looked at one by one and,
        together having less noise, as a mean weighted by the numbers of rows.
    """
    found = [(autocorrelations(x), len(x)) for x in parts if len(x) >= 8 and x.size]
    longest = max((_spell(r, n) for r, n in found), default=0)
    if len(found) < 2:
        return longest
    total, lags = sum(n for _, n in found), min(len(r) for r, _ in found)
    pooled = np.sum([n * r[:lags] for r, n in found], axis=0) / total
    return max(longest, _spell(pooled, total))


def _spell(r: Array, n: int) -> int:
    """`spell` of autocorrelations at lags 0, 1, ..., shape (lags, d), estimated from n rows."""
    most = len(r) // 2
    several = 2 * math.log(r.shape[1])  # many columns are no reason to find memory in one
    sums = r.cumsum(axis=0)
    lags = np.arange(1, most)
    before = np.maximum(1.0, 2 * sums[lags - 1] - 1)
    longest = 0
    for window in WINDOWS:
        width = np.minimum(np.maximum(window, lags), most)
        means = np.abs(sums[lags + width - 1] - sums[lags - 1]) / width[:, None]
        noise = np.sqrt((4 * math.log10(max(n, 10)) + several) / n / width)
        quiet = means < noise[:, None] * before
        ends = np.where(quiet.any(axis=0), quiet.argmax(axis=0), len(lags))
        longest = max(longest, int(ends.max(initial=0)))
    return longest


def autocorrelations(x: Array) -> Array:
    """Autocorrelation of centred columns at lags 0 to n // 2 - 1; 0 for constant columns."""
    n = len(x)
    power = np.abs(np.fft.rfft(x, 2 * n, axis=0)) ** 2
    r = np.fft.irfft(power, axis=0)[: n // 2]
    return np.asarray(np.divide(r, r[0], out=np.zeros_like(r), where=r[0] > 0))


def block_length(text: str, samples: Sequence[Sample]) -> int:
    """Rows per block of time: as given, or some times the memory of the series.

    Of a column's values and of the sizes of their deviations, whichever is longest: four times the
    memory that single lags show (`memory`), or 15 times the one that many lags show together
    (`spell`), most of which is lost in the noise. Blocks as long as that are nearly independent of
    each other: dependence is left only between their ends. The factors come from the false alarms
    on autoregressive series (benchmarks/level.py) and volatile ones (benchmarks/series_level.py).
    """
    if text != "auto":
        return int(text)
    parts = [with_sizes(centred(s)) for s in samples if s.columns and s.n > 1]
    single = max((memory(x) for x in parts), default=0)
    return max(1, MEMORIES * single, SPELLS * spell(parts))
