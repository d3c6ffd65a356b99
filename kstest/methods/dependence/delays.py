"""Dependence of two series at an unknown delay: all circular shifts at once.

With centred features A (n, q) of the rows x_t and B (n, q') of y_t, the dependence at the lag s is

    H(s) = | (1/n) sum_t A_t B_{t+s}' |^2,

the HSIC of x_t and y_{t+s} (Gretton et al. 2007) with the kernels A A' and B B'. Its values at all
n circular shifts are q q' Fourier transforms. Asked is whether the largest H of a window of lags is
larger than in other windows of the same length. If the two series are independent and each is
stationary, shifting one of them changes nothing in distribution, whatever the memory of each; the
windows far from the asked one are draws of the null distribution.

Kernels: a Gaussian one at the median distance, which sees any shape, and a linear one, which sees a
weak straight line better. The largest value of each is standardised over all windows, the asked one
among them, and the larger of the two is the statistic: every window is treated alike.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import Work
from ...engine.feature_margins import feature_margins, landmark_rows
from ...errors import UsageError
from ...kernels import Rows, scale_columns
from ..common import grids
from .column_blocks import Block

Array = NDArray[np.float64]

# Leading directions of the features of a block; q^2 Fourier transforms a pair.
DIRECTIONS = 8
# Windows as far as this many lengths from lag 0 and from the asked lags are draws of the null.
APART = 3
# A rejection needs at least as many other windows.
LEAST_WINDOWS = 20
# In robust standard deviations, so that one outlier is not the straight line.
CUT = 5.0
# Standard errors of a rank correlation of no dependence.
UNEVEN = 2.8


@frozen
class Lags:
    """The lags from `first` to `last`: how many rows later y is looked at than x."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Lags:
        """Read A:B, whole numbers, A at most B."""
        parts = text.split(":")
        try:
            first, last = (int(part) for part in parts)
        except ValueError:
            first, last = 1, 0
        if first > last:
            raise UsageError(
                f"--lags {text}: give two whole numbers of rows, such as 0:20 (y up to 20 rows "
                "after x) or -20:20 (either first)"
            )
        return cls(first, last)

    def __len__(self) -> int:
        return self.last - self.first + 1

    @property
    def reversed(self) -> Lags:
        """The same lags for the pair the other way round."""
        return Lags(-self.last, -self.first)

    def windows(self, n: int) -> NDArray[np.int64]:
        """Return circular shifts by window, (windows, len(self)), the asked one first."""
        size = len(self)
        near = APART * size
        low, high = min(self.first, 0), max(self.last, 0)
        # Shifts from high + near to n + low - near are far from the asked lags and from 0.
        starts = np.arange(high + near, n + low - near - size + 2, size)
        all_starts = np.concatenate([[self.first], starts])
        return np.asarray((all_starts[:, None] + np.arange(size)) % n)

    def rows_needed(self, windows: int) -> int:
        """Return the rows that give so many windows besides the asked one."""
        high, low = max(self.last, 0), min(self.first, 0)
        return high - low + (2 * APART + windows) * len(self) - 1


@frozen
class Spectrum:
    """Fourier transforms of the features of a block, one entry a kernel, (n // 2 + 1, q)."""

    gaussian: NDArray[np.complex128]
    linear: NDArray[np.complex128] | None
    n: int


@frozen
class Delay:
    """Dependence of two series over lags.

    Attributes
    ----------
    p_value : float
    statistic : float
        Largest of the standardised maxima of the kernels.
    threshold : float
        The statistic rejects from here on.
    lag : int
        Where the deciding kernel is largest.
    kernel : str
        The deciding one: ``gaussian`` or ``linear``.
    curve : ndarray (lags,)
        H at each asked lag by the deciding kernel, in units of its mean over the other windows.
    windows : int
        Other windows.
    uneven : bool
        Whether the statistics of the other windows have a pattern, which a common course of both
        series over the record gives them and independent stationary series do not.
    """

    p_value: float
    statistic: float
    threshold: float
    lag: int
    kernel: str
    curve: Array
    windows: int
    uneven: bool


def spectra(
    blocks: list[Block], scale: str, rng: np.random.Generator, work: Work
) -> list[Spectrum]:
    """Transform the features of every block, rows in order of time."""
    scaled = [block.scaled(scale) for block in blocks]
    used = [
        (
            rows,
            grids(rows.take(rng.permutation(len(rows))), "gaussian", "median", "octaves", rng)[0],
        )
        for rows in scaled
    ]
    marks = [_spread(rows, rng) for rows in scaled]
    made = feature_margins(used, marks, work)
    return [
        Spectrum(
            _transform(np.asarray(margin.features[0], np.float64)),
            _straight(block, scale),
            len(block),
        )
        for block, margin in zip(blocks, made, strict=True)
    ]


def _spread(rows: Rows, rng: np.random.Generator) -> Rows:
    """Landmarks: of one column at equal distances in rank, else at random."""
    n = len(rows)
    count = min(landmark_rows(rows), n)
    order = rng.permutation(n)
    if rows.width == 1:
        order = np.argsort(rows.values[:, 0], kind="stable") if rows.values.size else order
        return rows.take(order[np.linspace(0, n - 1, count).astype(np.int64)])
    return rows.take(np.sort(order[:count]))


def _straight(block: Block, scale: str) -> NDArray[np.complex128] | None:
    """Transform the columns themselves, far values cut; None without numbers."""
    if not block.values.size:
        return None
    values = np.clip(scale_columns(block.values, scale, block.missing), -CUT, CUT)
    return _transform(values - values.mean(axis=0))


def _transform(features: Array) -> NDArray[np.complex128]:
    """Fourier transform of the leading directions of centred features."""
    import scipy.fft

    if features.shape[1] > DIRECTIONS:
        _, vectors = np.linalg.eigh(features.T @ features)
        features = features @ vectors[:, : -DIRECTIONS - 1 : -1]
    return np.asarray(scipy.fft.rfft(features, axis=0))


def shifted(a: NDArray[np.complex128], b: NDArray[np.complex128], n: int) -> Array:
    """Return H(s) of all circular shifts s = 0, ..., n - 1."""
    import scipy.fft

    found = np.zeros(n)
    for column in np.conj(a).T:
        found += (scipy.fft.irfft(column[:, None] * b, n, axis=0) ** 2).sum(axis=1)
    return found / n**2


def delay(x: Spectrum, y: Spectrum, lags: Lags, alpha: float) -> Delay | None:
    """Test whether y depends on x at one of the lags; None if one of the two is constant.

    Returns
    -------
    Delay
        With p = (1 + #{windows whose statistic is at least the asked one's}) / (1 + windows).
    """
    windows = lags.windows(x.n)
    curves = {"gaussian": shifted(x.gaussian, y.gaussian, x.n)[windows]}
    if x.linear is not None and y.linear is not None:
        curves["linear"] = shifted(x.linear, y.linear, x.n)[windows]
    usable = {name: H for name, H in curves.items() if H.max() > 0 and np.ptp(H.max(axis=1)) > 0}
    if not usable:
        return None
    # The cube root makes sums of squares nearly normal (Wilson and Hilferty 1931).
    maxima = np.cbrt(np.array([H.max(axis=1) for H in usable.values()]))
    z = (maxima - maxima.mean(axis=1, keepdims=True)) / maxima.std(axis=1, keepdims=True)
    T = z.max(axis=0)
    name = list(usable)[int(z[:, 0].argmax())]
    H = usable[name]
    others = np.sort(T[1:])[::-1]
    return Delay(
        p_value=float((1 + (T[1:] >= T[0]).sum()) / len(T)),
        statistic=float(T[0]),
        threshold=_threshold(others, alpha),
        lag=lags.first + int(H[0].argmax()),
        kernel=name,
        curve=np.asarray(H[0] / H[1:].mean()),
        windows=len(T) - 1,
        uneven=_uneven(T[1:], windows[1:, 0], x.n),
    )


def _uneven(T: Array, shifts: NDArray[np.int64], n: int) -> bool:
    """Say whether the other windows have a pattern that no independent stationary series give.

    Looked at are rank correlations of a window's statistic with its distance from lag 0, with that
    of the window as far on the other side, and with that of the window after the next.
    """
    from scipy.stats import spearmanr

    distance = np.minimum(shifts, n - shifts)
    half = len(T) // 2
    pairs = [(distance, T), (T[:half], T[::-1][:half]), (T[:-2], T[2:])]
    return any(
        abs(spearmanr(a, b).statistic) * math.sqrt(len(a) - 1) > UNEVEN
        for a, b in pairs
        if np.ptp(a) > 0 and np.ptp(b) > 0
    )


def _threshold(others: Array, alpha: float) -> float:
    """Value above which 1 + #{others >= T} <= alpha (1 + windows)."""
    allowed = math.floor(alpha * (len(others) + 1) + 1e-9) - 1
    return float(others[allowed]) if allowed >= 0 else math.inf
