"""Densities given by functions of Python: scores, a log density, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..errors import DataError, UsageError
from .calls import Call, understood
from .gradients import by_differences, gradient
from .target import Target
from .transforms import REAL

Array = NDArray[np.float64]
Where = Callable[[int], str]

# Rows at which density and score are compared, how far they may differ, and the share of these
# rows that may: a density may have kinks.
CHECKED_ROWS, TOLERANCE, KINKS = 20, 0.05, 0.25
# Values of rows times columns at which they are compared, at most.
MOST_VALUES = 1000
# Distances beyond the outermost rows at which a density may end, in standard deviations.
BEYOND = (0.01, 0.1, 0.5, 1.0, 2.0)
# Halvings of the way to an end, and the nats by which the density has to have fallen there.
HALVINGS, VANISHED = 40, 7.0


@frozen
class Functions:
    """What a user gave: functions of rows, in the order of the data's columns.

    Attributes
    ----------
    scores : callable, array or None
        (n, d) rows to the gradient of the log density, (n, d), or of one row, (d,); or its values
        at the rows of the data.
    logdensity : callable or None
        (n, d) rows to the log density, (n,), up to a constant; or of one row, a number. Without
        `scores` these are its gradient.
    name : str
        In reports; by default that of the function.
    sample : callable or None
        (n, rng) to n independent draws, (n, d).
    words : tuple of str
        How messages call the first two.
    """

    scores: Any = None
    logdensity: Any = None
    name: str = ""
    sample: Callable[[int, np.random.Generator], Any] | None = None
    words: tuple[str, str] = ("scores", "logdensity")

    @property
    def called(self) -> str:
        """The name, or that of a function which has one."""
        given = self.logdensity if callable(self.logdensity) else self.scores
        name = str(getattr(getattr(given, "func", given), "__name__", type(given).__name__))
        if callable(given) and name == "<lambda>":
            name = self.words[1] if given is self.logdensity else self.words[0]
        return self.name or (name if callable(given) else self.words[0])

    def values(self, columns: Sequence[str], everything: Sequence[str], rows: Any) -> Array | None:
        """Scores that were given as an array, at some rows; None where they are a function.

        Parameters
        ----------
        columns, everything : sequence of str
            Columns that are tested, and all of the data; scores are of either.
        rows : tuple of int and ndarray of int
            Rows of the data, and the numbers from 1 of those that are tested.
        """
        if self.scores is None or callable(self.scores):
            return None
        count, numbers = rows
        table, names = self.scores, getattr(self.scores, "columns", None)
        if names is not None:
            table = _by_name(table, [str(name) for name in names], columns)
        try:
            array = np.asarray(table, dtype=np.float64)
        except (TypeError, ValueError):
            found = type(table).__name__
            raise UsageError(
                f"scores: found a {found}; accepted: a function, or numbers of the shape of the "
                "data"
            ) from None
        array = array[:, None] if array.ndim == 1 else array
        wide = len(everything) if array.ndim == 2 and array.shape[1] != len(columns) else 0
        wanted = (count, wide or len(columns))
        if array.shape != wanted:
            raise UsageError(
                f"scores: found the shape {array.shape}, expected {(count, len(columns))}, that of "
                f"the data (columns {', '.join(columns[:10])})"
            )
        if wide:
            array = array[:, [everything.index(name) for name in columns]]
        return np.ascontiguousarray(array[numbers - 1])


def _by_name(table: Any, names: list[str], columns: Sequence[str]) -> Any:
    """Columns of a frame called as those of the data; a frame with other names by position."""
    if len(set(names)) == len(names) and set(columns) <= set(names):
        return np.column_stack([table[table.columns[names.index(c)]] for c in columns])
    return table


def from_functions(given: Functions, columns: tuple[str, ...]) -> Target:
    """Return the Target of functions; its `met` looks at rows, to know how these are called."""

    def met(X: Array, where: Where) -> Target:
        return _met(given, target, X, where)

    def score(X: Array) -> Array:
        return met(X, _row).score(X)

    def logpdf(X: Array) -> Array:
        return understood(given.logdensity, X, None, given.words[1])(X)

    target = Target(
        name=given.called,
        columns=columns,
        transforms=(REAL,) * len(columns),
        score=score,
        logpdf=None if given.logdensity is None else logpdf,
        sample=given.sample,
        normalised=False,
        met=met,
    )
    return target


def _row(i: int) -> str:
    return f"row {i + 1:,}"


def _met(given: Functions, target: Target, X: Array, where: Where) -> Target:
    if not len(X):
        return replace(target, met=None)
    widths = np.where(X.std(axis=0) > 0, X.std(axis=0), np.maximum(np.abs(X).max(axis=0), 1e-300))
    score = density = None
    if given.scores is not None:
        score = understood(given.scores, X, len(target.columns), given.words[0])
    if given.logdensity is None:
        return replace(target, score=score or target.score, met=None)
    density = understood(given.logdensity, X, None, given.words[1])
    _require_values(density, X, target.columns, where)
    _require_whole_line(density, X, widths, target.columns)
    rows = _few(X)
    exact = gradient(density, X)
    slopes, errors = _slopes(density, exact, X[rows], widths)
    remark = ""
    if score is not None:
        _require_agreement(given.words, score(X[rows]), slopes, errors, rows, target, where)
    elif exact is None:
        remark = _remark(given.words, slopes, errors, rows, target, where)
        exact = lambda Z: by_differences(density, Z, widths)[0]  # noqa: E731
    return replace(
        target, score=score or exact or target.score, logpdf=density, remark=remark, met=None
    )


def _few(X: Array) -> NDArray[np.int64]:
    """Rows at which functions are compared, all over the data."""
    count = max(3, min(CHECKED_ROWS, MOST_VALUES // X.shape[1]))
    return np.unique(np.linspace(0, len(X) - 1, count).astype(np.int64))


def _slopes(
    density: Call, exact: Callable[[Array], Array] | None, X: Array, widths: Array
) -> tuple[Array, Array]:
    with np.errstate(all="ignore"):
        if exact is not None:
            return exact(X), np.zeros_like(X)
        return by_differences(density, X, widths)


def _require_agreement(
    words: tuple[str, str],
    S: Array,
    G: Array,
    errors: Array,
    rows: NDArray[np.int64],
    target: Target,
    where: Where,
) -> None:
    """Refuse a density whose slope is not the score, in any column."""
    known = np.isfinite(S) & np.isfinite(G) & np.isfinite(errors)
    size = np.where(known, np.maximum(np.abs(S), np.abs(G)), 0.0)
    allowed = TOLERANCE * size + 1e-3 * size.max(axis=0) + 3 * np.where(known, errors, 0.0)
    wrong = known & (np.abs(np.where(known, S - G, 0.0)) > allowed)
    often = wrong.sum(axis=0) > KINKS * np.maximum(known.sum(axis=0), 1)
    if not often.any():
        return
    c = int(np.argmax(often))
    row = int(np.argmax(wrong[:, c]))
    score, slope = S[row, c], G[row, c]
    times = f", {slope / score:.3g} times that" if score else ""
    turned = "; its sign is turned round" if np.allclose(S[wrong], -G[wrong], rtol=0.01) else ""
    raise UsageError(
        f"target: {words[0]} and {words[1]} disagree: at {where(int(rows[row]))} in column "
        f"{target.columns[c]!r} the score is {score:.6g} and the slope of the log density "
        f"{slope:.6g}{times}; the score must be the gradient of the log density in the order "
        f"of the columns {', '.join(target.columns[:10])}{turned}"
    )


def _remark(
    words: tuple[str, str],
    G: Array,
    errors: Array,
    rows: NDArray[np.int64],
    target: Target,
    where: Where,
) -> str:
    """What there is to say of numerical derivatives; refused where there are none."""
    sizes = np.maximum(np.abs(G), 1e-3 * np.nanmax(np.abs(np.append(G, 0.0))))
    bad = ~(errors <= TOLERANCE * sizes + 1e-9)
    bad &= bad.mean(axis=0) > KINKS
    if bad.any():
        row, c = (int(k[0]) for k in np.nonzero(bad))
        raise UsageError(
            f"target: {words[1]} has no numerical derivative at {where(int(rows[row]))} in column "
            f"{target.columns[c]!r}: differences give {G[row, c]:.6g}, give or take "
            f"{errors[row, c]:.2g}. Give the gradient itself, {words[0]}"
        )
    finite = errors[np.isfinite(errors)]
    most = float(finite.max()) if finite.size else 0.0
    return (
        f"the scores are numerical derivatives of the {words[1]}, right to about "
        f"{max(most, 1e-12):.1g}; for exact ones give {words[0]}, or write it in JAX or torch"
    )


def _require_values(density: Call, X: Array, columns: tuple[str, ...], where: Where) -> None:
    """Refuse a log density without a finite value at a row of the data."""
    with np.errstate(all="ignore"):
        values = density(X)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad))
        place = ", ".join(f"{c} = {x:.6g}" for c, x in zip(columns[:5], X[row], strict=False))
        raise DataError(
            f"target: the {density.label} is {values[row]:g} at {where(row)} ({place}); "
            f"{int(bad.sum()):,} rows have no finite value"
        )


def _require_whole_line(density: Call, X: Array, widths: Array, columns: tuple[str, ...]) -> None:
    """Refuse a density that ends where it has not vanished: Stein's identity does not hold."""
    with np.errstate(all="ignore"):
        for c, name in enumerate(columns):
            for row, sign in ((X[:, c].argmin(), -1.0), (X[:, c].argmax(), 1.0)):
                found = _end(density, X[row], c, sign * widths[c])
                if found is not None:
                    raise DataError(
                        f"target: the {density.label} ends at {name} = {found:.6g} and has no "
                        "value beyond, but it has not vanished there; the test is for densities "
                        "on the whole line. Give the data on a scale without end, such as log(x), "
                        "with the logarithm of the Jacobian in the density, or name a family"
                    )


def _end(density: Call, row: Array, c: int, unit: float) -> float | None:
    """Where a density ends beyond a row in column c, unless it vanishes there."""
    points = np.repeat(row[None], len(BEYOND) + 1, axis=0)
    points[1:, c] += unit * np.array(BEYOND)
    values = density(points)
    none = ~np.isfinite(values)
    if not none.any():
        return None
    first = int(np.argmax(none))
    inside, outside = points[first - 1].copy(), points[first].copy()
    last = values[first - 1]
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        value = density(middle[None])[0]
        if np.isfinite(value):
            inside, last = middle, value
        else:
            outside = middle
    return float(inside[c]) if last > values[0] - VANISHED else None
