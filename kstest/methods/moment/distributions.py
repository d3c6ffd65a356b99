"""Null distributions of a residual: signs of rows or groups of rows, or outcomes drawn anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.dependence import block_length
from ...diagnostics.digests import row_hashes
from ...errors import DataError, UsageError
from ...kernels import Rows
from ...nulls import SIGN_BINS, sign_bins
from ...wording import shown
from .question import LARGEST, Question, numbers

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# With fewer rows, groups or blocks of time random signs copy the null distribution poorly, and
# with fewer for each parameter the fit takes too much of the residual.
LEAST_UNITS, LEAST_PER_PARAMETER = 12, 8
# NumPy draws Poisson numbers up to this mean.
LARGEST_MEAN = 1e15


@frozen
class Drawn:
    """Outcomes that are drawn anew, as the residuals that they give.

    Attributes
    ----------
    kind : {'bernoulli', 'normal', 'poisson'}
    parameter : ndarray (n,)
        Probability, standard deviation, or mean.
    """

    kind: str
    parameter: Array

    def draw(self, rows: slice, draws: int, rng: np.random.Generator) -> Array:
        """Draw residuals of some rows; shape (rows, draws)."""
        at = self.parameter[rows, None]
        shape = (len(at), draws)
        if self.kind == "bernoulli":
            return np.asarray((rng.random(shape) < at) - at)
        if self.kind == "poisson":
            return np.asarray(rng.poisson(at, shape) - at, dtype=np.float64)
        return rng.standard_normal(shape) * at

    @property
    def size(self) -> float:
        """Mean variance of the residuals."""
        p = self.parameter
        variance = {"bernoulli": p * (1 - p), "poisson": p}.get(self.kind, p**2)
        return float(variance.mean())

    def take(self, order: Index) -> Drawn:
        return Drawn(self.kind, self.parameter[order])


def drawn_of(question: Question, params: Any) -> Drawn | None:
    """Return how outcomes are drawn, None for random signs.

    ``auto`` draws outcomes of 0 and 1 where their probabilities are known (nothing is fitted), rows
    are independent, and the given columns hold all that the probability is made of: else the
    residual may be 0 on average given those columns although the probabilities are wrong.

    Raises
    ------
    UsageError, DataError
        Where outcomes are no draws of what was asked for.
    """
    kind = question.null.kind
    dependent = question.sample.groups is not None or params.block_length is not None
    if kind == "signs":
        return None
    if kind == "auto":
        known = set(question.predictors()) <= set(question.given.names)
        if dependent or question.parameters or not question.outcome or not known:
            return None
        y, p = question.observed(), question.prediction()
        shares = bool(((y == 0) | (y == 1)).all() and ((p >= 0) & (p <= 1)).all())
        return Drawn("bernoulli", p) if shares else None
    for option, used in (
        ("--fit", bool(question.parameters)),
        ("--group", question.sample.groups is not None),
        ("--block-length", params.block_length is not None),
    ):
        if used:
            raise UsageError(
                f"--null {kind} and {option}: outcomes are drawn row by row from known "
                "distributions; take --null signs, or leave one of the two out"
            )
    if kind == "normal":
        return Drawn("normal", _spread(question))
    if not question.outcome:
        raise UsageError(
            f"--null {kind}: takes a residual that is an outcome less its prediction, such as "
            f"'y - p', found {shown(question.formula.text)}"
        )
    return _counted(question, kind)


def _counted(question: Question, kind: str) -> Drawn:
    """Probabilities of outcomes 0 and 1, or means of counts."""
    y, mean = question.observed(), question.prediction()
    if kind == "bernoulli":
        wrong, wanted = (y != 0) & (y != 1), "0 or 1"
        off, range_ = ~((mean >= 0) & (mean <= 1)), "a probability, 0 to 1"
    else:
        wrong, wanted = (y < 0) | (y != np.floor(y)), "a count, 0, 1, 2, ..."
        off, range_ = ~((mean >= 0) & (mean <= LARGEST_MEAN)), f"a mean, 0 to {LARGEST_MEAN:g}"
    for bad, what, values, accepted in (
        (wrong, question.outcome, y, wanted),
        (off, "the prediction", mean, range_),
    ):
        if bad.any():
            i = int(np.argmax(bad))
            raise DataError(
                f"--null {kind}: {what} is {values[i]:.6g} at {question.sample.where(i)}; "
                "accepted: "
                f"{accepted}. Take --null signs for other outcomes and predictions"
            )
    return Drawn(kind, mean)


def _spread(question: Question) -> Array:
    spread = question.null.spread
    if spread is None:
        return np.ones(question.n)
    X = numbers(question.sample, spread.names, "--null") if spread.names else question.X
    value = spread.evaluate(X, spread.names).value
    found = np.array(np.broadcast_to(value, (question.n,)), dtype=np.float64)
    bad = ~((found >= 0) & (found < LARGEST))
    if bad.any():
        i = int(np.argmax(bad))
        raise DataError(
            f"--null normal: the standard deviation is {found[i]:g} at {question.sample.where(i)}; "
            "accepted: numbers of at least 0"
        )
    return found


def impossible(drawn: Drawn, question: Question, r: Array) -> str:
    """Name a row whose outcome has probability 0; empty if there is none."""
    p = drawn.parameter
    never = {
        "bernoulli": ((p == 0) & (r > 0)) | ((p == 1) & (r < 0)),
        "poisson": (p == 0) & (r > 0),
        "normal": (p == 0) & (r != 0),
    }[drawn.kind]
    if not never.any():
        return ""
    i = int(np.argmax(never))
    more = f" (and {int(never.sum()) - 1:,} more rows)" if never.sum() > 1 else ""
    if drawn.kind == "normal":
        return (
            f"{question.sample.where(i)} has a residual of {r[i]:.6g} where none is possible{more}"
        )
    y, where = question.observed()[i], question.sample.where(i)
    return f"{where} has {question.outcome} = {y:g} where {p[i]:g} was predicted{more}"


@frozen
class Units:
    """What shares a sign: rows, groups, or blocks of consecutive rows.

    Attributes
    ----------
    name : str
    count : int
    of : ndarray of int (n,) or None
        The unit of each row, None where each is its own.
    """

    name: str
    count: int
    of: Index | None = None


def units_of(question: Question, params: Any, r: Array) -> Units:
    """Return what shares a sign: by --group, by --block-length, or each row its own."""
    groups, n = question.sample.groups, question.n
    if groups is not None:
        if params.block_length is not None:
            raise UsageError(
                "--group and --block-length: signs are of groups, or of blocks of time; give one"
            )
        names, of = np.unique(groups, return_inverse=True)
        return Units("groups", len(names), of.astype(np.int64))
    if params.block_length is None:
        return Units("rows", n)
    series = replace(
        question.sample, values=r[:, None], columns=("residual",), missing=None, categorical=(),
        codes=np.empty((n, 0), np.int32), levels=(),
    )  # fmt: skip
    length = max(1, min(block_length(params.block_length, [series]), n))
    # what is left over at the end joins the last block
    count = max(1, n // length)
    of = np.minimum(np.arange(n) // length, count - 1)
    return Units(f"blocks of {length:,} consecutive rows", count, of)


@frozen
class Cut:
    """Rows in the order of the sums, in bins that share a sign.

    Attributes
    ----------
    order : ndarray of int (n,)
    starts : ndarray of int (G + 1,)
    """

    order: Index
    starts: Index


def cut_rows(
    rows: Rows, keys: Array, units: Units, rng: np.random.Generator
) -> tuple[Cut, np.random.Generator]:
    """Put rows in random order, those of one unit together, and cut them into bins.

    Rows that are units of their own are sorted before they are shuffled, so that their order in
    the file does not matter; then what they hold, with `keys` (n, k), enters the seed.
    """
    n = len(rows)
    if units.of is None:
        hashes = row_hashes(np.column_stack([rows.values, rows.codes, keys]))
        order = np.argsort(hashes, kind="stable")
        drawn = int(rng.integers(2**63))
        rng = np.random.default_rng([drawn, int(np.add.reduce(hashes))])
        return Cut(order[rng.permutation(n)], sign_bins(n)), rng
    bins = units.count if units.count < 2 * SIGN_BINS else SIGN_BINS
    of = (rng.permutation(units.count) * bins // units.count)[units.of]
    sizes = np.bincount(of, minlength=bins)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Cut(np.argsort(of, kind="stable"), starts), rng
