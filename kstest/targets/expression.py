"""A log density written in column names, with exact derivatives.

The text is parsed, checked against a short list of nodes, and evaluated on whole columns by
forward-mode differentiation: every intermediate value carries its derivative with respect to
each column (Griewank and Walther 2008, Evaluating Derivatives, chapter 3). No part of it is ever
run as Python.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .charts import REAL, Chart
from .syntax import number, parse, refuse
from .target import Target

Array = NDArray[np.float64]

LARGEST_EXPONENT = 100.0


@dataclass(frozen=True)
class Dual:
    """A value on all rows, and its derivative with respect to each column that it depends on."""

    value: Any
    slopes: Mapping[int, Any]

    def through(self, value: Any, slope: Any) -> Dual:
        """Return f(self), given f and f' at self."""
        return Dual(value, {c: slope * s for c, s in self.slopes.items()})


def _add(a: Dual, b: Dual, sign: float = 1.0) -> Dual:
    slopes = dict(a.slopes)
    for c, s in b.slopes.items():
        slopes[c] = slopes[c] + sign * s if c in slopes else sign * s
    return Dual(a.value + sign * b.value, slopes)


def _multiply(a: Dual, b: Dual) -> Dual:
    slopes = {c: s * b.value for c, s in a.slopes.items()}
    for c, s in b.slopes.items():
        slopes[c] = slopes[c] + s * a.value if c in slopes else s * a.value
    return Dual(a.value * b.value, slopes)


def _power(a: Dual, exponent: float) -> Dual:
    if exponent == 0:
        return Dual(np.ones_like(a.value), {})
    return a.through(a.value**exponent, exponent * a.value ** (exponent - 1))


def _divide(a: Dual, b: Dual) -> Dual:
    return _multiply(a, _power(b, -1.0))


def _lgamma(x: Any) -> tuple[Any, Any]:
    from scipy.special import digamma, gammaln

    return gammaln(x), digamma(x)


def _erf(x: Any) -> tuple[Any, Any]:
    from scipy.special import erf

    return erf(x), 2 / math.sqrt(math.pi) * np.exp(-x * x)


def _exp(x: Any) -> tuple[Any, Any]:
    value = np.exp(x)
    return value, value


def _sqrt(x: Any) -> tuple[Any, Any]:
    value = np.sqrt(x)
    return value, 0.5 / value


# Each gives f and f'.
FUNCTIONS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "exp": _exp,
    "log": lambda x: (np.log(x), 1 / x),
    "log1p": lambda x: (np.log1p(x), 1 / (1 + x)),
    "expm1": lambda x: (np.expm1(x), np.exp(x)),
    "sqrt": _sqrt,
    "sin": lambda x: (np.sin(x), np.cos(x)),
    "cos": lambda x: (np.cos(x), -np.sin(x)),
    "tanh": lambda x: (np.tanh(x), 1 - np.tanh(x) ** 2),
    "abs": lambda x: (np.abs(x), np.sign(x)),
    "lgamma": _lgamma,
    "erf": _erf,
}


def _logsumexp(items: Sequence[Dual]) -> Dual:
    top = items[0].value
    for item in items[1:]:
        top = np.maximum(top, item.value)
    shares = [np.exp(item.value - top) for item in items]
    total = sum(shares)
    slopes: dict[int, Any] = {}
    for item, share in zip(items, shares, strict=True):
        for c, s in item.slopes.items():
            slopes[c] = slopes.get(c, 0.0) + share / total * s
    return Dual(top + np.log(total), slopes)


def _choose(items: Sequence[Dual], better: Callable[[Any, Any], Any]) -> Dual:
    best = items[0]
    for item in items[1:]:
        take = better(item.value, best.value)
        columns = {**best.slopes, **item.slopes}
        best = Dual(
            np.where(take, item.value, best.value),
            {c: np.where(take, item.slopes.get(c, 0.0), best.slopes.get(c, 0.0)) for c in columns},
        )
    return best


SEVERAL: dict[str, Callable[[Sequence[Dual]], Dual]] = {
    "logsumexp": _logsumexp,
    "min": lambda items: _choose(items, np.less),
    "max": lambda items: _choose(items, np.greater),
}
ACCEPTED = "numbers, columns, parameters, + - * /, ** with a constant exponent, and " + ", ".join(
    [*FUNCTIONS, *SEVERAL]
)


def expression_target(
    text: str,
    parameters: Mapping[str, float],
    columns: Sequence[str],
    support: Mapping[str, Chart] | None = None,
) -> Target:
    """Return the Target of a log density in column names.

    Parameters
    ----------
    text : str
        For example ``-0.5*x**2 - 0.5*((y - x**2)/s)**2``. Constants may be left out.
    parameters : mapping of str to float
        Values of names that are no columns.
    columns : sequence of str
        The columns of the data. Those that the text names are tested, in the data's order.
    support : mapping of str to Chart, optional
        Of columns that are not on the whole line.

    Raises
    ------
    UsageError
        For anything the language does not have, naming it.
    """
    tree = parse(text, "--target logp")
    check(tree)
    used = names(tree)
    chosen = tuple(c for c in columns if c in used and c not in parameters)
    unknown = sorted(used - set(parameters) - set(columns))
    if unknown:
        raise UsageError(
            f"--target logp: {unknown[0]!r} is neither a column ({', '.join(columns[:10])}) nor "
            f"a parameter; give it with --param {unknown[0]}=NUMBER"
        )
    both = sorted(set(parameters) & set(columns) & used)
    if both:
        raise UsageError(f"--param {both[0]}: is also a column of the data; rename one of them")
    unused = sorted(set(parameters) - used)
    if unused:
        raise UsageError(f"--param {unused[0]}: the target does not use it")
    if not chosen:
        raise UsageError("--target logp: the expression names no column of the data")
    charts = support or {}
    idle = sorted(set(charts) - set(chosen))
    if idle:
        raise UsageError(f"--target: support.{idle[0]}: the expression has no such column")
    place = {name: c for c, name in enumerate(chosen)}
    _require_finite(tree, place, parameters)

    def evaluate(X: Array) -> Dual:
        with np.errstate(all="ignore"):
            return _walk(tree, X, place, parameters)

    def score(X: Array) -> Array:
        out = np.zeros_like(X)
        for c, slope in evaluate(X).slopes.items():
            out[:, c] = slope
        return out

    return Target(
        name=f"logp: {text.strip()}",
        columns=chosen,
        charts=tuple(charts.get(c, REAL) for c in chosen),
        score=score,
        logpdf=lambda X: np.broadcast_to(evaluate(X).value, (len(X),)).copy(),
        normalised=False,
    )


def _require_finite(
    tree: ast.expr, place: Mapping[str, int], parameters: Mapping[str, float]
) -> None:
    """Refuse a part without a column, such as 1 / 0 or log(-1), that is no finite number."""
    none = np.empty((0, 0))
    inner = [n for n in ast.iter_child_nodes(tree) if isinstance(n, ast.expr)]
    if isinstance(tree, ast.Call):
        inner = tree.args
    for node in inner:
        _require_finite(node, place, parameters)
    if names(tree) & set(place):
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div):
            below = tree.right
            if not names(below) & set(place) and _walk(below, none, {}, parameters).value == 0:
                raise refuse(tree, "--target logp", "divisors other than 0")
        return
    with np.errstate(all="ignore"):
        value = _walk(tree, none, {}, parameters).value
    if not np.isfinite(value).all():
        raise refuse(tree, "--target logp", "an expression whose constant parts are finite numbers")


def names(tree: ast.AST) -> set[str]:
    """Return the names in an expression that are no functions."""
    functions = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in functions}


def names_in(text: str) -> set[str]:
    return names(parse(text, "--target logp"))


_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def check(node: ast.AST) -> None:
    """Refuse everything that is not on the list; nothing is computed yet."""
    option = "--target logp"
    if number(node, option) is not None or isinstance(node, ast.Name):
        return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        check(node.operand)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, _BINARY):
        check(node.left)
        check(node.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        check(node.left)
        exponent(node.right)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        several = node.func.id in SEVERAL
        if not several and node.func.id not in FUNCTIONS:
            raise refuse(node, option, ACCEPTED)
        if not node.args or (not several and len(node.args) != 1):
            raise refuse(node, option, f"{node.func.id} of {'several' if several else 'one'}")
        for argument in node.args:
            check(argument)
    else:
        raise refuse(node, option, ACCEPTED)


def exponent(node: ast.AST) -> float:
    """Return a constant exponent of moderate size."""
    sign = 1.0
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -sign, node.operand
    value = number(node, "--target logp")
    if value is None and isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        top, bottom = number(node.left, "--target logp"), number(node.right, "--target logp")
        if top is not None and bottom:
            value = top / bottom
    if value is None or abs(value) > LARGEST_EXPONENT:
        raise refuse(node, "--target logp", "a number of at most 100 as exponent, such as 2")
    return sign * value


def _walk(node: Any, X: Array, place: Mapping[str, int], parameters: Mapping[str, float]) -> Dual:
    if isinstance(node, ast.Constant):
        return Dual(np.float64(number(node, "--target logp")), {})
    if isinstance(node, ast.Name):
        if node.id in place:
            c = place[node.id]
            return Dual(X[:, c], {c: 1.0})
        return Dual(np.float64(parameters[node.id]), {})
    if isinstance(node, ast.UnaryOp):
        inner = _walk(node.operand, X, place, parameters)
        return inner.through(-inner.value, -1.0) if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        left = _walk(node.left, X, place, parameters)
        if isinstance(node.op, ast.Pow):
            return _power(left, exponent(node.right))
        right = _walk(node.right, X, place, parameters)
        if isinstance(node.op, ast.Mult):
            return _multiply(left, right)
        if isinstance(node.op, ast.Div):
            return _divide(left, right)
        return _add(left, right, 1.0 if isinstance(node.op, ast.Add) else -1.0)
    items = [_walk(argument, X, place, parameters) for argument in node.args]
    if node.func.id in SEVERAL:
        return SEVERAL[node.func.id](items)
    value, slope = FUNCTIONS[node.func.id](items[0].value)
    return items[0].through(value, slope)
