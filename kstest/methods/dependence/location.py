"""What the given columns predict of each column, learned out of fold, and how sure that is.

Every column takes the learner whose predictions are best for rows that it has not seen; the
residuals of those predictions go on to the test. Nothing here looks at two tested columns together,
so the choices are functions of one block and the given columns.

How much a longer table would still improve the learning is seen from the loss after learning from
half of the rows and from four fifths (`learning_curve`). Where a prediction changes fast between
neighbours is the matter of `jumps`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .learners import (
    ADDITIVE,
    INDEX,
    LINE,
    MEAN,
    ROUNDS,
    SMOOTH,
    TREES,
    Columns,
    smooth_learners,
    trees,
)

Array = NDArray[np.float64]
Index = NDArray[np.int64]

EVERY = frozenset({MEAN, LINE, INDEX, SMOOTH, ADDITIVE, TREES})
FOLDS, FEW_FOLDS, REPEATS = 5, 2, 5
# Rows that a learner is fitted to, at most.
MOST_TRAINED = 4000
# Trees are fitted to all folds where their loss in the first is within this factor of the best.
RACE = 1.1
# A squared residual counts at most as this many robust variances of the column.
FAR = 25.0


@frozen
class Location:
    """Out-of-fold predictions of some columns.

    Attributes
    ----------
    predicted : ndarray (n, t)
        Of each row by the models that have not seen it.
    by_fold, bent : ndarray (FOLDS, n, t)
        Of every row by the models of each fold, and the same less the straight line.
    fold : ndarray of int (n,)
        Fold of each row.
    families : tuple of str
        Learner of each column.
    explained : ndarray (t,)
        Share of the loss of the mean that it saves, 0 to 1.
    """

    predicted: Array
    by_fold: Array
    bent: Array
    fold: Index
    families: tuple[str, ...]
    explained: Array


def locate(given: Columns, targets: Array, unit: Index, rng: np.random.Generator) -> Location:
    """Learn every column from the given ones, out of fold.

    Parameters
    ----------
    given : Columns
    targets : ndarray (n, t)
    unit : ndarray of int (n,)
        Rows of one unit share a fold.
    rng : numpy.random.Generator
    """
    fold, most = folds(unit, FOLDS, rng), MOST_TRAINED
    grown = np.ones(targets.shape[1], np.bool_)
    fits: list[list[Array]] = []
    for k in range(FOLDS):
        names, fit = _fit(given, targets, _training(fold, k, most, rng), EVERY, grown, rng)
        fits.append(fit)
        if k == 0:  # trees cost most: where they are far behind they are not tried again
            smooth, boosted = (
                _losses([some], targets, np.where(fold == 0, 0, -1)).min(axis=0)
                for some in (fit[: -len(ROUNDS)], fit[-len(ROUNDS) :])
            )
            grown = boosted <= RACE * smooth
    loss = _losses(fits, targets, fold)
    best, columns = loss.argmin(axis=0), np.arange(targets.shape[1])
    by_fold = np.stack(
        [np.stack([fit[m][:, t] for t, m in enumerate(best)], axis=1) for fit in fits]
    )
    families = tuple(names[m] for m in best)
    straight = np.stack([fit[names.index(LINE)] for fit in fits])
    return Location(
        by_fold[fold, np.arange(len(fold))],
        by_fold,
        by_fold - straight * np.array([family != MEAN for family in families]),
        fold,
        families,
        1 - loss[best, columns] / np.maximum(loss[0], 1e-300),
    )


def learning_curve(
    given: Columns,
    targets: Array,
    families: tuple[str, ...],
    unit: Index,
    rng: np.random.Generator,
) -> Array:
    """Share by which the loss grows if half of the rows are learned from instead of four fifths.

    Of the mean, the straight line and the column's own learner, whichever is best. Several splits
    are made, as one is noisy, and the standard error of their mean is taken off. Shape (t,); at
    least 0, and 0 where the learner is a straight line or the mean: what their coefficients add to
    the loss (1 + p / n rows, which is divided out of others) does no harm, as lines are taken out
    whole.
    """
    bent = np.array([family not in (MEAN, LINE) for family in families])
    if not bent.any():
        return np.zeros(len(families))
    own = [family for family, curved in zip(families, bent, strict=True) if curved]
    grown = np.array([family == TREES for family in own])
    most = min(MOST_TRAINED, len(unit) * (FOLDS - 1) // FOLDS)
    loss = np.zeros((2, REPEATS, len(own)))
    for repeat in range(REPEATS):
        for k, (count, rows) in enumerate(((FEW_FOLDS, most * 5 // 8), (FOLDS, most))):
            fold = folds(unit, count, rng)
            fits = []
            for f in range(count):
                train = _training(fold, f, rows, rng)
                names, fit = _fit(given, targets[:, bent], train, frozenset(own), grown, rng)
                fits.append(fit)
            allowed = [[name in (MEAN, LINE, one) for one in own] for name in names]
            found = np.where(allowed, _losses(fits, targets[:, bent], fold), np.inf).min(axis=0)
            lines = (1 + given.numbers.shape[1]) / min(rows, len(unit) * (count - 1) // count)
            loss[k, repeat] = found / (1 + lines)
    ratio = loss[0] / np.maximum(loss[1].mean(axis=0), 1e-300)
    out = np.zeros(len(families))
    out[bent] = ratio.mean(axis=0) - ratio.std(axis=0, ddof=1) / np.sqrt(REPEATS) - 1
    return np.maximum(out, 0.0)


def folds(unit: Index, count: int, rng: np.random.Generator) -> Index:
    """Give every unit of rows a fold; folds hold nearly equal numbers of units."""
    number = np.unique(unit, return_inverse=True)[1]
    units = int(number.max()) + 1
    return np.asarray(rng.permutation(np.arange(units) % count)[number], np.int64)


def _training(fold: Index, held: int, most: int, rng: np.random.Generator) -> Index:
    rows = np.flatnonzero(fold != held)
    return np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows


def _fit(
    given: Columns,
    targets: Array,
    train: Index,
    wanted: frozenset[str],
    grown: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[list[str], list[Array]]:
    """Names and predictions (n, t) of the learners; infinite where no trees are grown."""
    made = list(smooth_learners(given, targets, train, wanted))
    names, fit = [name for name, _ in made], [prediction for _, prediction in made]
    seed = int(rng.integers(2**31))
    if TREES in wanted:
        boosted = np.full((len(ROUNDS), *targets.shape), np.inf)
        for t in np.flatnonzero(grown):
            boosted[:, :, t] = trees(given.numbers, targets[:, t], train, seed)
        names, fit = names + [TREES] * len(ROUNDS), [*fit, *boosted]
    return names, fit


def _losses(fits: list[list[Array]], targets: Array, fold: Index) -> Array:
    """Mean capped squared error out of fold of every learner and column; shape (m, t)."""
    spread = 1.4826 * np.median(np.abs(targets - np.median(targets, axis=0)), axis=0)
    cap = np.where(spread > 0, FAR * spread**2, np.inf)
    total, count = np.zeros((len(fits[0]), targets.shape[1])), 0
    for k, fit in enumerate(fits):
        rows = np.flatnonzero(fold == k)
        count += len(rows)
        for m, prediction in enumerate(fit):
            error = prediction[rows] - targets[rows]
            capped = np.minimum(error * error, cap).sum(axis=0)
            total[m] += np.where(np.isfinite(error).all(axis=0), capped, np.inf)
    return np.asarray(total / max(count, 1))
