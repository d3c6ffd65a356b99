"""Cross-fitted predictions of outcome features and treatment, and the doubly robust features.

Every row is predicted from rows of other folds. With b_a(x) the prediction of psi(Y) in arm a and
pi(x) the probability of treatment, the row contributes

    phi = A / pi (psi(Y) - b_1) + b_1 - (1 - A) / (1 - pi) (psi(Y) - b_0) - b_0,

whose mean estimates E psi(Y(1)) - E psi(Y(0)). An error of b and one of pi enter by their product
only (Robins, Rotnitzky, Zhao 1994; Chernozhukov et al. 2018, arXiv 1608.00060).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import Work
from ..dependence.learners import ridge

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Labels = NDArray[np.bool_]

FOLDS = 5
# Draws of the folds that are averaged, lest two seeds tell two stories; of many rows, one.
FOLD_DRAWS, MANY_ROWS = 3, 20_000
# Ridge penalties, times the number of rows; inverse penalties of the logistic regression.
PENALTIES = np.geomspace(1e-5, 10, 13)
INVERSE_PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
# Rows and folds by which the latter is chosen.
CHOICE_ROWS, CHOICE_FOLDS = 5000, 3
# Probabilities of treatment are kept from 0 and 1 by this, or by this share of the smaller arm's.
CLIP, CLIP_SHARE = 0.02, 0.2


@frozen
class Robust:
    """Doubly robust features.

    Attributes
    ----------
    phi : ndarray (n, D)
    first : ndarray (n, d)
        The part of the treated arm in phi, of some features; empty with overlap weights.
    predicted : ndarray (n, D)
        The part b_1 - b_0 in phi; empty unless it was asked for.
    size : ndarray (n,)
        The effect on a feature is the mean of phi over that of `size`: 1, or with overlap
        weights an estimate of pi (1 - pi).
    propensity : ndarray (n,)
        Probability of treatment, clipped where phi divides by it; the mean over the draws of the
        folds.
    clipped : float
        Share of the rows that were at a limit.
    """

    phi: Array
    first: Array
    predicted: Array
    size: Array
    propensity: Array
    clipped: float

    def influence(self, columns: slice) -> tuple[Array, Array]:
        """The effects on some features, and what every row contributes to their error."""
        part, size = self.phi[:, columns], float(self.size.mean())
        effect = part.mean(axis=0) / size
        return effect, (part - self.size[:, None] * effect) / size


def folds_of(
    treated: Labels, rng: np.random.Generator, folds: int = FOLDS, groups: Index | None = None
) -> Index:
    """A fold for every row, as equally many of either arm in each as there can be; (n,).

    Rows of one group are in one fold.
    """
    if groups is not None:
        counts = np.bincount(groups)
        share = np.bincount(groups, treated) / counts
        kind = np.where(share == 0, 0, np.where(share == 1, 2, 1))
        return _dealt(kind, rng, folds)[groups]
    return _dealt(treated.astype(np.int64), rng, folds)


def _dealt(kind: Index, rng: np.random.Generator, folds: int) -> Index:
    """Folds, those of one kind dealt one after the other."""
    out = np.empty(len(kind), np.int64)
    for one in np.unique(kind):
        rows = rng.permutation(np.flatnonzero(kind == one))
        out[rows] = np.arange(len(rows)) % folds
    return out


def draws_of_folds(n: int) -> int:
    """How often folds are drawn."""
    return FOLD_DRAWS if n < MANY_ROWS else 1


def _splits(
    treated: Labels, rng: np.random.Generator, groups: Index | None, work: Work | None = None
) -> Iterator[tuple[Index, Index]]:
    """Rows to predict, and rows to learn from, for every fold of every draw of the folds."""
    times = draws_of_folds(len(treated))
    for turn in range(times):
        fold = folds_of(treated, rng, groups=groups)
        for k in range(FOLDS):
            if work is not None:
                work.progress((turn * FOLDS + k) / (times * FOLDS))
            yield np.flatnonzero(fold == k), np.flatnonzero(fold != k)


def doubly_robust(
    X: Array,
    Z: Array,
    psi: Array,
    treated: Labels,
    rng: np.random.Generator,
    groups: Index | None = None,
    weighted: bool = False,
    work: Work | None = None,
    apart: slice = slice(0, 0),
    keep: bool = False,
) -> Robust:
    """Doubly robust features of every row.

    Parameters
    ----------
    X, Z : ndarray (n, p), (n, q)
        Features of the covariates from which outcomes and treatment are predicted.
    psi : ndarray (n, D)
        Features of the outcome.
    treated : ndarray of bool (n,)
    rng : numpy.random.Generator
    groups : ndarray of int (n,), optional
    weighted : bool
        With overlap weights pi (1 - pi): phi = (A - pi) (psi - m), m(x) = E[psi | x].
    work : Work, optional
        Told how far the folds are.
    apart : slice
        Features whose part of the treated arm is kept.
    keep : bool
        Whether what is predicted is kept.

    Notes
    -----
    With overlap weights (Li, Morgan, Zaslavsky 2018) phi is orthogonal too: it is the product of
    two residuals (Robinson 1988), and nothing is divided by a small probability.
    """
    n, times = len(X), draws_of_folds(len(X))
    phi, size, total, clipped = np.zeros_like(psi), np.zeros(n), np.zeros(n), 0.0
    first = np.zeros_like(psi[:, apart])
    predicted = np.zeros_like(psi if keep else psi[:, :0])
    strength = _inverse_penalty(Z, treated, rng)
    limits = clip_limits(treated)
    for at, train in _splits(treated, rng, groups, work):
        raw = _probabilities(Z, treated, train, at, strength)
        clipped += float(((raw <= limits[0]) | (raw >= limits[1])).sum()) / (n * times)
        pi = raw if weighted else np.clip(raw, *limits)
        total[at] += pi / times
        if weighted:
            left = treated[at] - pi
            m = ridge(X, psi, train, PENALTIES * len(train), at)
            phi[at] += left[:, None] * (psi[at] - m) / times
            size[at] += left**2 / times
            continue
        size[at] += 1 / times
        for arm, sign in ((True, 1.0), (False, -1.0)):
            learned = train[treated[train] == arm]
            b = ridge(X, psi, learned, PENALTIES * len(learned), at)
            weight = np.where(treated[at] == arm, 1 / (pi if arm else 1 - pi), 0.0)
            part = (weight[:, None] * (psi[at] - b) + b) / times
            phi[at] += sign * part
            if keep:
                predicted[at] += sign * b / times
            if arm:
                first[at] += part[:, apart]
    return Robust(phi, first, predicted, size, total, clipped)


def one_arm(
    X: Array,
    Z: Array,
    xi: Array,
    treated: Labels,
    rng: np.random.Generator,
    groups: Index | None = None,
    work: Work | None = None,
) -> Robust:
    """Doubly robust features of the treated arm alone: A / pi (xi - b) + b of every row.

    Parameters as those of `doubly_robust`; `xi` is looked at in rows of the arm only. Clipped are
    probabilities near 0, by which is divided.
    """
    n, times = len(X), draws_of_folds(len(X))
    phi, total, clipped = np.zeros_like(xi), np.zeros(n), 0.0
    strength = _inverse_penalty(Z, treated, rng)
    low = clip_limits(treated)[0]
    for at, train in _splits(treated, rng, groups, work):
        raw = _probabilities(Z, treated, train, at, strength)
        clipped += float((raw <= low).sum()) / (n * times)
        pi = np.maximum(raw, low)
        total[at] += pi / times
        learned = train[treated[train]]
        b = ridge(X, xi, learned, PENALTIES * len(learned), at)
        weight = np.where(treated[at], 1 / pi, 0.0)
        phi[at] += (weight[:, None] * (xi[at] - b) + b) / times
    return Robust(phi, phi[:, :0], phi[:, :0], np.ones(n), np.minimum(total, 1 - 1e-12), clipped)


def leftover(X: Array, psi: Array, rng: np.random.Generator, groups: Index | None = None) -> Array:
    """What covariates leave of the outcome's features, out of fold, without looking at the arms."""
    if not X.shape[1] or len(X) < 2 * FOLDS:
        return np.asarray(psi - psi.mean(axis=0))
    times = draws_of_folds(len(X))
    predicted = np.zeros_like(psi)
    for at, train in _splits(np.zeros(len(X), bool), rng, groups):
        predicted[at] += ridge(X, psi, train, PENALTIES * len(train), at) / times
    left = psi - predicted
    return np.asarray(left - left.mean(axis=0))


def clip_limits(treated: Labels) -> tuple[float, float]:
    """Smallest and largest probability of treatment that is believed."""
    share = float(treated.mean())
    return min(CLIP, CLIP_SHARE * share), 1 - min(CLIP, CLIP_SHARE * (1 - share))


def _inverse_penalty(X: Array, treated: Labels, rng: np.random.Generator) -> float:
    """The penalty of the smallest loss out of fold."""
    rows = np.arange(len(X))
    if len(X) > CHOICE_ROWS:
        fold = folds_of(treated, rng, -(-len(X) // CHOICE_ROWS))
        rows = np.flatnonzero(fold == 0)
    X, treated = X[rows], treated[rows]
    fold = folds_of(treated, rng, CHOICE_FOLDS)
    losses = np.zeros(len(INVERSE_PENALTIES))
    for k in range(CHOICE_FOLDS):
        at, train = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        for place, strength in enumerate(INVERSE_PENALTIES):
            p = np.clip(_probabilities(X, treated, train, at, strength), 1e-9, 1 - 1e-9)
            losses[place] -= np.log(np.where(treated[at], p, 1 - p)).sum()
    return INVERSE_PENALTIES[int(losses.argmin())]


def _probabilities(X: Array, treated: Labels, train: Index, at: Index, strength: float) -> Array:
    """Probability of treatment by logistic ridge regression."""
    from sklearn.linear_model import LogisticRegression

    centre = X[train].mean(axis=0)
    model = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=50)
    with warnings.catch_warnings():
        # What a Newton step says of near-singular systems: the penalty bounds the coefficients.
        warnings.simplefilter("ignore")
        model.fit(X[train] - centre, treated[train])
        return np.asarray(model.predict_proba(X[at] - centre)[:, 1])
