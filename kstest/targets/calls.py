"""Functions of a user as functions of rows, whatever library they are written in.

NumPy, JAX and torch are told apart by what a function takes and gives back; none is imported here
that the user's session has not imported. A function of all rows, (n, d) to (n,) or (n, d), and one
of a single row, (d,) to a number or (d,), are told apart by their answers at a few rows.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..errors import UsageError
from ..wording import one_line

Array = NDArray[np.float64]

# Rows at which a function is tried; one more where there are as many columns.
TRIED_ROWS = 3
# Rows whose answers alone are compared with those among so many rows of the data.
ALONE, AMONG = 5, 1000
# How far these answers may be apart, and how far where they are in single precision.
ALIKE_64, ALIKE = 1e-8, 1e-3
# Compiled functions see no fewer rows, and only powers of two, so that they are compiled rarely.
LEAST_ROWS = 32
# What `math.log(-1)` says, before Python 3.14 and since.
NO_VALUE = ("math domain error", "expected a positive input")


@frozen
class Call:
    """A user's function, and how it is called.

    Attributes
    ----------
    function : callable
    label : str
        Its name in messages.
    width : int or None
        Columns of its answer; None for a number a row.
    library : {'numpy', 'jax', 'torch'}
    size : int
        Bytes of the numbers that it is given: 4 where it takes no others.
    single : bool
        Whether it takes one row.
    """

    function: Callable[[Any], Any]
    label: str
    width: int | None
    library: str = "numpy"
    size: int = 8
    single: bool = False

    def __call__(self, X: Array) -> Array:
        """(n, d) rows to the answer, (n,) or (n, `width`)."""
        try:
            with self.precision():
                values = self._answer(X)
        except UsageError:
            raise
        except Exception as error:  # whatever the user's function raises
            raise UsageError(f"target: the {self.label} raised {said(error)}") from error
        return self.formed(values, len(X))

    def _answer(self, X: Array) -> Array:
        if self.library == "jax":
            return self.numbers(padded(self.compiled, self.given, X))
        if self.single:
            return np.array([self._of_row(row) for row in X])
        return self.numbers(self.function(self.given(X)))

    def _of_row(self, row: Array) -> Array:
        """The answer for a row; what `math` raises where a function has no value is one."""
        try:
            return self.numbers(self.function(self.given(row))).reshape(self.expected(1)[1:])
        except ArithmeticError:
            pass
        except ValueError as error:
            if str(error) not in NO_VALUE:
                raise
        return np.full(self.expected(1)[1:], np.nan)

    @cached_property
    def over_rows(self) -> Callable[[Any], Any]:
        """The function of many rows, of JAX."""
        return sys.modules["jax"].vmap(self.function) if self.single else self.function

    @cached_property
    def compiled(self) -> Callable[[Any], Any]:
        return compiled(self.over_rows, self.function if self.single else None)

    def given(self, X: Array) -> Any:
        """Rows as the function takes them: a copy, which it may write into."""
        copy = np.array(X, np.float64 if self.size == 8 else np.float32)
        if self.library == "torch":
            return sys.modules["torch"].tensor(copy)
        return sys.modules["jax"].numpy.asarray(copy) if self.library == "jax" else copy

    def precision(self) -> AbstractContextManager[Any]:
        """JAX computes with as many digits as it is given, whatever the session's default."""
        jax: Any = sys.modules.get("jax")
        if jax is None:
            return nullcontext()
        if not callable(getattr(jax, "enable_x64", None)):  # before JAX 0.8
            jax = importlib.import_module("jax.experimental")
        found: AbstractContextManager[Any] = jax.enable_x64(self.size == 8)
        return found

    def numbers(self, answer: Any) -> Array:
        """An answer as an array of float64."""
        if answer is None:
            raise UsageError(f"target: the {self.label} returned nothing (None)")
        if hasattr(answer, "detach"):
            answer = answer.detach().cpu()
        try:
            array = np.asarray(answer)
            if array.dtype.kind not in "fiub":
                raise TypeError
        except (TypeError, ValueError):
            found = f"{type(answer).__name__}"
            raise UsageError(
                f"target: the {self.label} is no array of real numbers ({found})"
            ) from None
        return array.astype(np.float64)

    def expected(self, rows: int) -> tuple[int, ...]:
        return (rows,) if self.width is None else (rows, self.width)

    def formed(self, values: Array, rows: int) -> Array:
        """An answer in its shape, without or with axes of length 1; others are refused."""
        wanted = self.expected(rows)
        if squeezed(values.shape) != squeezed(wanted):
            raise UsageError(self.misshapen(values.shape, rows))
        return np.ascontiguousarray(values.reshape(wanted))

    def misshapen(self, shape: tuple[int, ...], rows: int) -> str:
        wanted = self.expected(rows)
        text = f"target: expected the {self.label} in the shape {wanted} (rows"
        text += ")" if self.width is None else ", columns)"
        text += f", found {shape}"
        if self.width is None and len(shape) == 2 and shape[0] == rows:
            return f"{text}: sum over the columns, axis 1"
        if self.width is not None and shape == wanted[::-1]:
            return f"{text}: it is transposed"
        return text


def said(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def padded(function: Callable[[Any], Any], given: Callable[[Array], Any], X: Array) -> Any:
    """The answer for rows, some of them repeated so that their number is a power of two."""
    count = max(LEAST_ROWS, 1 << (len(X) - 1).bit_length())
    answer = function(given(np.concatenate([X, np.repeat(X[-1:], count - len(X), axis=0)])))
    shape = getattr(answer, "shape", ())
    return answer[: len(X)] if shape[:1] == (count,) else answer


def compiled(
    function: Callable[[Any], Any], one: Callable[[Any], Any] | None
) -> Callable[[Any], Any]:
    """A function of JAX compiled; as it is, or in a loop over rows, where JAX cannot trace it."""
    jax = sys.modules["jax"]
    fast = [jax.jit(function)]

    def loop(X: Any) -> Any:
        return function(X) if one is None else jax.numpy.stack([one(row) for row in X])

    def call(X: Any) -> Any:
        if fast:
            try:
                return fast[0](X)
            except Exception:  # if it is the function's own, it comes again below
                fast.clear()
        return loop(X)

    return call


def ways(call: Call) -> Iterator[Call]:
    """The function with the arrays of every library that the session has imported."""
    yield call
    for library in ("jax", "torch"):
        if library in sys.modules:
            yield replace(call, library=library)
            yield replace(call, library=library, size=4)


def understood(function: Any, X: Array, width: int | None, label: str) -> Call:
    """Find out how a function is called.

    Parameters
    ----------
    function : callable
    X : ndarray (n, d)
        Rows of the data; it is tried at the first, the last and some between.
    width : int or None
        Columns that its answer should have; None for a number a row.
    label : str

    Raises
    ------
    UsageError
        If it raises, if its answer has another shape, or if that of a row depends on other rows.
    """
    if not callable(function):
        kind = type(function).__name__
        raise UsageError(f"target: the {label} is no function (found a {kind})")
    rows = TRIED_ROWS + (X.shape[1] == TRIED_ROWS)
    P = X[np.linspace(0, len(X) - 1, rows).astype(np.int64)]
    failures: dict[str, Exception] = {}
    with np.errstate(all="ignore"):
        for way in ways(Call(function, label, width)):
            try:
                found = _tried(way, P)
            except UsageError:
                raise
            except Exception as error:  # whatever the user's function raises
                failures.setdefault(way.library, error)
                continue
            _require_separate(found, X)
            return found
    first = next(iter(failures.values()))
    kinds = {"numpy": "an array", "jax": "an array of JAX", "torch": "a tensor of torch"}
    with_all = (f"{said(e)} (given {kinds[name]} {P.shape})" for name, e in failures.items())
    raise UsageError(f"target: the {label} raised {'; '.join(with_all)}") from first


def _tried(way: Call, P: Array) -> Call:
    """How a function takes rows in this way, of many rows or of one."""
    with way.precision():
        try:
            answer = way.function(way.given(P))
        except Exception:
            one = replace(way, single=True)
            if squeezed(one.numbers(way.function(way.given(P[0]))).shape) != squeezed(
                one.expected(1)
            ):
                raise
            return replace(one, library=_library(way, way.function(way.given(P[0]))))
        values, way = way.numbers(answer), replace(way, library=_library(way, answer))
        if squeezed(values.shape) == squeezed(way.expected(len(P))):
            return way
        try:
            alone = way.numbers(way.function(way.given(P[0])))
        except Exception:
            alone = values
    if alone.ndim <= 1 and squeezed(alone.shape) == squeezed(way.expected(1)):
        return replace(way, single=True)
    raise UsageError(way.misshapen(values.shape, len(P)))


def _library(way: Call, answer: Any) -> str:
    name = type(answer).__module__.partition(".")[0]
    return {"jaxlib": "jax", "jax": "jax", "torch": "torch"}.get(name, way.library)


def _require_separate(way: Call, X: Array) -> None:
    """Refuse a function whose answer for a row is another one without the other rows."""
    if way.single:
        return
    Z = X[np.unique(np.linspace(0, len(X) - 1, AMONG).astype(np.int64))]
    rows = np.unique(np.linspace(0, len(Z) - 1, ALONE).astype(np.int64))
    among = way(Z)[rows]
    alone = np.concatenate([way(Z[row : row + 1]) for row in rows])
    close = ALIKE if np.array_equal(among, among.astype(np.float32), equal_nan=True) else ALIKE_64
    wrong = ~np.isclose(among, alone, rtol=close, atol=close, equal_nan=True)
    if not wrong.any():
        return
    place = tuple(int(k[0]) for k in np.nonzero(wrong))
    at = "" if way.width is None else f", column {place[1] + 1}"
    raise UsageError(
        f"target: {way.label} of a row{at}: {among[place]:.6g} among {len(Z):,} rows, "
        f"{alone[place]:.6g} without the others; an answer must depend on its own row alone. A "
        "function of one row has to be called for each (jax.vmap, or a loop); sums over columns "
        "are those of axis 1"
    )
