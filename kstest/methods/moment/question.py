"""What is asked: a residual in column names, the columns it is given, and how it is drawn."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...columns import ByOption, parse_items, resolve
from ...errors import DataError, UsageError
from ...sample import Sample
from ...targets.expression import Formula
from ...wording import listed, nearest, shown
from ..dependence.column_blocks import Block, kept_blocks

Array = NDArray[np.float64]

DISTRIBUTIONS = ("bernoulli", "normal", "poisson")
_ACCEPTED_NULLS = (
    "auto, signs, bernoulli, poisson, normal, or 'normal(0, SD)' with a number or an expression"
)
# Beyond this a residual has no square.
LARGEST = 1e150


@frozen
class Null:
    """Where the null distribution comes from.

    Attributes
    ----------
    kind : str
        ``auto``, ``signs`` or one of `DISTRIBUTIONS`.
    spread : Formula or None
        Standard deviation of normal residuals; None for 1.
    """

    kind: str
    spread: Formula | None = None

    @classmethod
    def read(cls, text: str) -> Null:
        """Read --null.

        Raises
        ------
        UsageError
        """
        if text in ("auto", "signs", *DISTRIBUTIONS):
            return cls(text)
        refused = UsageError(f"--null {shown(text)}: accepted: {_ACCEPTED_NULLS}")
        whole = Formula.parse(text, "--null")
        tree = whole.parsed.tree
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            raise refused
        centred = len(tree.args) == 2 and whole.parsed.number(tree.args[0]) == 0
        if tree.func.id != "normal" or not centred:
            raise refused
        return cls("normal", whole.part(tree.args[1]))

    @property
    def names(self) -> tuple[str, ...]:
        return () if self.spread is None else self.spread.names


def parameters(text: str) -> dict[str, float]:
    """Read --fit: names, each with a start or 0, such as ``b0,b1=2``.

    Raises
    ------
    UsageError
    """
    found: dict[str, float] = {}
    for item in parse_items(text, "--fit") if text else ():
        name, equals, start = (part.strip() for part in item.partition("="))
        try:
            value = float(start) if equals else 0.0
        except ValueError:
            value = np.nan
        if not name or not abs(value) < LARGEST:
            raise UsageError(f"--fit {shown(item)}: give NAME or NAME=START, such as b0,b1=2")
        if name in found:
            raise UsageError(f"--fit {shown(text)}: names {shown(name)} twice; give it once")
        found[name] = value
    return found


def residual_of(params: Any) -> Formula:
    """Return the residual, which uses a column and every parameter."""
    formula = Formula.read(params.residual, "--residual")
    fitted = parameters(params.fit)
    idle = [name for name in fitted if name not in formula.names]
    if idle:
        raise UsageError(f"--fit {shown(idle[0])}: the residual does not use it; leave it out")
    if not set(formula.names) - set(fitted):
        raise UsageError("--residual: names no column of the data, only parameters")
    return formula


def columns(params: Any) -> ByOption:
    """Which columns of a file are read: those of the residual, and those that are named."""
    formula, fitted, null = residual_of(params), parameters(params.fit), Null.read(params.null)

    def find(names: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
        used = [n for n in formula.names if n not in fitted]
        require(used, names, "--residual")
        require(null.names, names, "--null")
        both = [n for n in fitted if n in names]
        if both:
            raise UsageError(f"--fit {shown(both[0])}: is a column of the data; rename one of them")
        found: list[tuple[str, Sequence[str]]] = [("--residual", used), ("--null", null.names)]
        for option in ("--given", "--instruments"):
            if text := getattr(params, option[2:]):
                found.append((option, resolve(parse_items(text, option), names, option)))
        return found

    return ByOption(find)


def require(wanted: Sequence[str], names: Sequence[str], option: str) -> None:
    """Refuse names that are no columns."""
    for name in wanted:
        if name not in names:
            # A parameter is a word; other names stand in backquotes and can be columns only.
            parameter = ", nor in --fit;" + f" fit it (--fit {name}), or" * name.isidentifier()
            raise UsageError(
                f"{option}: {shown(name)} is no column of the data"
                f"{parameter if option == '--residual' else ';'} choose from "
                f"{listed(nearest(name, list(names)))}"
            )


@frozen
class Question:
    """The data of a moment test.

    Attributes
    ----------
    sample : Sample
    formula : Formula
        The residual.
    null : Null
    X : ndarray (n, k)
        The columns of the residual, `names`.
    names : tuple of str
    parameters : tuple of str
        P of them.
    start : ndarray (P,)
    given : Block
    instruments : Block or None
    outcome : str
        Where the residual is this column less a prediction that does not use it; else empty.
    """

    sample: Sample
    formula: Formula
    null: Null
    X: Array
    names: tuple[str, ...]
    parameters: tuple[str, ...]
    start: Array
    given: Block
    instruments: Block | None
    outcome: str

    @classmethod
    def of(cls, sample: Sample, params: Any) -> Question:
        """Take the columns of a sample that the options name.

        Raises
        ------
        UsageError, DataError
        """
        formula, fitted = residual_of(params), parameters(params.fit)
        names = tuple(n for n in formula.names if n not in fitted)
        every, null = (*sample.columns, *sample.categorical), Null.read(params.null)
        require(names, every, "--residual")
        require(null.names, every, "--null")
        instruments = _block(sample, params.instruments, "--instruments")
        given = _block(sample, params.given, "--given") or instruments
        assert given is not None  # Params want one of the two
        outcome = formula.first if formula.first in names else ""
        for option, block in (("--given", given), ("--instruments", instruments)):
            if outcome and block is not None and outcome in block.names:
                raise UsageError(
                    f"{option}: holds {shown(outcome)}, the outcome, as the residual begins with "
                    "it; a residual is never unrelated to its outcome. Name what was known before "
                    "it, and write outcome - prediction, such as 'y - p'"
                )
        X = numbers(sample, names, "--residual")
        start = np.array(list(fitted.values()), dtype=np.float64)
        return cls(
            sample, formula, null, X, names, tuple(fitted), start, given, instruments, outcome
        )

    @property
    def n(self) -> int:
        return self.sample.n

    def residual(self, theta: Array) -> tuple[Array, Array]:
        """Return the residuals (n,) at parameters (P,) and their gradients (n, P)."""
        value, slopes = self._evaluated(self.X, theta)
        k = len(self.names)
        G = [np.broadcast_to(slopes.get(k + p, 0.0), (self.n,)) for p in range(len(theta))]
        return value, np.array(G, dtype=np.float64).reshape(len(theta), self.n).T

    def prediction(self) -> Array:
        """Return the prediction (n,) of the outcome; nothing is fitted.

        The residual is outcome - prediction, so that is less the residual where the outcome is 0.
        """
        X = self.X.copy()
        X[:, self.names.index(self.outcome)] = 0
        return 0.0 - self._evaluated(X, self.start)[0]

    def _evaluated(self, X: Array, theta: Array) -> tuple[Array, Any]:
        full = np.hstack([X, np.broadcast_to(theta, (self.n, len(theta)))]) if len(theta) else X
        dual = self.formula.evaluate(full, (*self.names, *self.parameters))
        return np.array(np.broadcast_to(dual.value, (self.n,)), dtype=np.float64), dual.slopes

    def observed(self) -> Array:
        """Return the outcome (n,)."""
        return self.X[:, self.names.index(self.outcome)]

    def predictors(self) -> tuple[str, ...]:
        """Columns of the residual but its outcome."""
        return tuple(name for name in self.names if name != self.outcome)

    def require_finite(self, values: Array, what: str, hint: str = "") -> None:
        """Refuse values that are no numbers, or too large to be squared, naming the first row."""
        bad = ~(np.abs(values) < LARGEST)
        if bad.any():
            i = int(np.argmax(bad))
            at = ", ".join(
                f"{shown(n)[1:-1]} = {x:.6g}" for n, x in zip(self.names, self.X[i], strict=True)
            )
            raise DataError(
                f"--residual: {what} is {values[i]:g} at {self.sample.where(i)} ({at}), and no "
                "usable "
                f"number at {int(bad.sum()):,} rows in all; choose rows with --where{hint}"
            )


def numbers(sample: Sample, names: Sequence[str], option: str) -> Array:
    """Return numeric columns without missing cells, shape (n, k)."""
    texts = [name for name in names if name in sample.categorical]
    if texts:
        raise UsageError(
            f"{option}: column {shown(texts[0])} holds categories; a formula takes numbers"
        )
    places = [sample.columns.index(name) for name in names]
    if sample.missing is not None and sample.missing[:, places].any():
        name = names[int(np.argmax(sample.missing[:, places].any(axis=0)))]
        raise DataError(
            f"{option}: column {shown(name)} has missing cells, and a formula has no value there; "
            "take --missing drop, or choose rows with --where"
        )
    return np.ascontiguousarray(sample.values[:, places])


def _block(sample: Sample, text: str, option: str) -> Block | None:
    if not text:
        return None
    return Block.of(sample, kept_blocks([(option, text)], sample)[0])
