"""Linear smoothers of features over the rows, one for each feature, and their repetition.

A feature f (n values) less what other columns predict of it is (I - H) f with H = U D U', U (n, q)
orthonormal and made from those columns alone, D diagonal: 1 for directions that are taken out
whole (the constant, straight lines), s / (s + lambda) for those of a kernel ridge regression. Each
feature takes the U and the lambda that generalised cross-validation chooses for it.

Such residuals are not independent of each other: in-sample smoothing makes neighbours opposed. A
null distribution of random signs has to know that, so `Smoothed.again` applies the same H to the
residuals with signs. For the same with whole kernel matrices under permutation see `residuals`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .residuals import Basis

Numbers = NDArray[np.float64]

# 1 - h of a row that a smoother follows nearly wholly; dividing by less would only raise noise.
LEAST_LEFT = 0.2


@frozen
class Part:
    """The features that chose one basis: H = U diag(d) U' with one column of d per feature."""

    columns: NDArray[np.int64]
    vectors: Numbers
    damping: Numbers


@frozen
class Smoothed:
    """Features without what other columns predict of them.

    Attributes
    ----------
    left : ndarray (n, p)
        (I - H) f per feature.
    raised : ndarray (n, p)
        The same over sqrt(1 - h), h the leverage of the row (or unit of rows): of the size that
        the noise had before it was smoothed.
    parts : tuple of Part
    """

    left: Numbers
    raised: Numbers
    parts: tuple[Part, ...]

    def again(self, signs: Numbers) -> Numbers:
        """Smooth the raised residuals times signs (b, n); shape (b, n, p)."""
        out: Numbers = signs[:, :, None] * self.raised
        for part in self.parts:
            some = out[:, :, part.columns]
            out[:, :, part.columns] = some - part.vectors @ (part.damping * (part.vectors.T @ some))
        return out


def smooth_features(
    features: Numbers, bases: Sequence[Basis], penalties: Numbers, size: int, wholes: bool
) -> Smoothed:
    """Smooth every feature by the basis and penalty that suit it.

    Parameters
    ----------
    features : ndarray (n, p)
    bases : sequence of Basis
    penalties : ndarray (P,)
    size : int
        Rows of a unit, consecutive ones, the last may be short.
    wholes : bool
        Whether the bases are constant within units: a unit then counts as one observation, the
        mean of its rows (see `residuals`), and all units are of one size.

    Notes
    -----
    The smallest ||(I - H) f||^2 / (1 - tr(H) / n)^2 (Craven and Wahba 1978).
    """
    means = features.reshape(-1, size, features.shape[1]).mean(axis=1) if wholes else features
    squares = (size if wholes else 1) * np.einsum("ij,ij->j", means, means)
    best = np.full(features.shape[1], np.inf)
    choice = np.zeros((2, features.shape[1]), np.int64)
    for place, basis in enumerate(bases):
        along = (basis.vectors.T @ features) ** 2
        damping = 1 / (1 + penalties[:, None] / basis.strengths)
        left = np.maximum(squares - (1 - (1 - damping) ** 2) @ along, 0.0)
        score = left / np.maximum(1 - damping.sum(axis=1) / len(means), 1e-12)[:, None] ** 2
        bandwidth = score.argmin(axis=0)
        found = np.take_along_axis(score, bandwidth[None], axis=0)[0]
        better = found < best
        best[better], choice[0, better], choice[1, better] = found[better], place, bandwidth[better]
    parts = []
    for place in np.unique(choice[0]):
        columns = np.flatnonzero(choice[0] == place)
        basis = bases[place]
        damping = 1 / (1 + penalties[choice[1, columns]] / basis.strengths[:, None])
        parts.append(Part(columns, basis.vectors, damping))
    return _smoothed(features, tuple(parts), size)


def _smoothed(features: Numbers, parts: tuple[Part, ...], size: int) -> Smoothed:
    left, kept = features.copy(), np.ones_like(features)
    starts = np.arange(0, len(features), size)
    counts = np.diff(np.r_[starts, len(features)])
    for part in parts:
        U = part.vectors
        left[:, part.columns] -= U @ (part.damping * (U.T @ features[:, part.columns]))
        # Of a unit: what the smoother takes of a level that its rows have in common.
        sums = np.add.reduceat(U, starts) ** 2 / counts[:, None]
        kept[:, part.columns] = np.repeat(1 - sums @ part.damping, counts, axis=0)
    return Smoothed(left, left / np.sqrt(np.maximum(kept, LEAST_LEFT)), parts)
