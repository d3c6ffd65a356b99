"""A log density written in column names, with exact derivatives.

`kstest.syntax` parses and checks the text; it is evaluated here on whole columns, each value with
its derivatives (`derivatives`). No part of it is ever run as Python.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..errors import UsageError, printable
from ..syntax import Language, Parsed, constant, parse, shorten
from .derivatives import FUNCTIONS, SEVERAL, Dual, add, divide, multiply, power
from .target import Target
from .transforms import REAL, Transform

Array = NDArray[np.float64]

LARGEST_EXPONENT = 100.0
LANGUAGE = Language(
    "--target logp",
    "numbers, columns, parameters, + - * /, ** with a constant exponent, and "
    + ", ".join([*FUNCTIONS, *SEVERAL])
    + "; names with odd characters in `backquotes`",
    frozenset({ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UnaryOp, ast.USub})
    | {ast.UAdd, ast.Call, ast.Name, ast.Load, ast.Constant},
    {
        ast.Attribute: "is not accepted; a name with a point stands in backquotes",
        ast.Subscript: "is not accepted; a name with brackets stands in backquotes",
    },
)


def expression_target(
    text: str,
    parameters: Mapping[str, float],
    columns: Sequence[str],
    support: Mapping[str, Transform] | None = None,
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
    support : mapping of str to Transform, optional
        Of columns that are not on the whole line.

    Raises
    ------
    UsageError
        For anything the language does not have, naming it.
    """
    parsed = parse(text, LANGUAGE)
    tree = parsed.tree
    _check(tree, parsed)
    used = _names(tree)
    chosen = tuple(c for c in columns if c in used and c not in parameters)
    unknown = sorted(used - set(parameters) - set(columns))
    if unknown:
        name = shorten(unknown[0])
        raise UsageError(
            f"--target logp: {name!r} is neither a column ({', '.join(columns[:10])}) nor "
            f"a parameter; give it with --param {printable(name)}=NUMBER"
        )
    both = sorted(set(parameters) & set(columns) & used)
    if both:
        raise UsageError(f"--param {both[0]}: is also a column of the data; rename one of them")
    unused = sorted(set(parameters) - used)
    if unused:
        raise UsageError(f"--param {unused[0]}: the target does not use it")
    if not chosen:
        raise UsageError("--target logp: the expression names no column of the data")
    transforms = support or {}
    idle = sorted(set(transforms) - set(chosen))
    if idle:
        raise UsageError(f"--target: support.{idle[0]}: the expression has no such column")
    place = {name: c for c, name in enumerate(chosen)}
    _require_finite(tree, place, parameters, parsed)

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
        transforms=tuple(transforms.get(c, REAL) for c in chosen),
        score=score,
        logpdf=lambda X: np.broadcast_to(evaluate(X).value, (len(X),)).copy(),
        normalised=False,
    )


@frozen
class Formula:
    """An expression in column names and parameters, whatever option it belongs to.

    Attributes
    ----------
    option : str
        Named in messages.
    text : str
    parsed : Parsed
    """

    option: str
    text: str
    parsed: Parsed

    @classmethod
    def read(cls, text: str, option: str) -> Formula:
        """Parse and check a text.

        Raises
        ------
        UsageError
            For anything the language does not have, naming it.

        Examples
        --------
        >>> Formula.read("y - exp(b * x)", "--residual").names
        ('b', 'x', 'y')
        """
        whole = cls.parse(text, option)
        return whole.part(whole.parsed.tree)

    @classmethod
    def parse(cls, text: str, option: str) -> Formula:
        """Parse a text whose parts are to be checked one by one (`part`)."""
        return cls(option, text, parse(text, replace(LANGUAGE, option=option)))

    def part(self, tree: ast.expr) -> Formula:
        """Return a part of the expression, checked, as one of its own."""
        _check(tree, self.parsed)
        found = Formula(self.option, self.text, replace(self.parsed, tree=tree))
        place = {name: c for c, name in enumerate(found.names)}
        _require_finite(tree, place, {}, self.parsed)
        return found

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names that are no functions, sorted."""
        return tuple(sorted(_names(self.parsed.tree)))

    @property
    def first(self) -> str:
        """What a sum or difference begins with, if that is a name that occurs only once in it."""
        tree = self.parsed.tree
        while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub):
            tree = tree.left
        found = tree.id if isinstance(tree, ast.Name) else ""
        used = [n for n in ast.walk(self.parsed.tree) if isinstance(n, ast.Name) and n.id == found]
        return found if len(used) == 1 else ""

    def evaluate(self, X: Array, names: Sequence[str]) -> Dual:
        """Return value and derivatives at rows X (n, k), whose columns are so named."""
        place = {name: c for c, name in enumerate(names)}
        with np.errstate(all="ignore"):
            return _walk(self.parsed.tree, X, place, {})


def _require_finite(
    tree: ast.expr, place: Mapping[str, int], parameters: Mapping[str, float], parsed: Parsed
) -> None:
    """Refuse a part without a column, such as 1 / 0 or log(-1), that is no finite number."""
    none = np.empty((0, 0))
    inner = [n for n in ast.iter_child_nodes(tree) if isinstance(n, ast.expr)]
    if isinstance(tree, ast.Call):
        inner = tree.args
    for node in inner:
        _require_finite(node, place, parameters, parsed)
    if _names(tree) & set(place):
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div):
            below = tree.right
            if not _names(below) & set(place) and _walk(below, none, {}, parameters).value == 0:
                raise parsed.refuse(tree, accepted="divisors other than 0")
        return
    with np.errstate(all="ignore"):
        value = _walk(tree, none, {}, parameters).value
    if not np.isfinite(value).all():
        raise parsed.refuse(tree, accepted="constant parts that are finite numbers")


def _names(tree: ast.AST) -> set[str]:
    """Return the names in an expression that are no functions."""
    functions = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in functions}


def names_in(text: str) -> set[str]:
    return _names(parse(text, LANGUAGE).tree)


def _check(node: ast.AST, parsed: Parsed) -> None:
    """Refuse what the language has nodes for and no meaning; nothing is computed yet."""
    if parsed.number(node) is not None or isinstance(node, ast.Name):
        return
    if isinstance(node, ast.UnaryOp):
        _check(node.operand, parsed)
    elif isinstance(node, ast.BinOp):
        _check(node.left, parsed)
        if not isinstance(node.op, ast.Pow):
            _check(node.right, parsed)
        elif not abs(_exponent(node.right)) <= LARGEST_EXPONENT:
            raise parsed.refuse(node.right, accepted="a number of at most 100 as exponent")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        several = node.func.id in SEVERAL
        if not several and node.func.id not in FUNCTIONS:
            raise parsed.refuse(node)
        if not node.args or (not several and len(node.args) != 1):
            raise parsed.refuse(
                node, accepted=f"{node.func.id} of {'several' if several else 'one'}"
            )
        for argument in node.args:
            _check(argument, parsed)
    else:
        raise parsed.refuse(node)


def _exponent(node: ast.AST) -> float:
    """Return the value of a constant exponent: a number or a quotient of two; NaN else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_exponent(node.operand)
    value = constant(node)
    if value is None and isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        top, bottom = constant(node.left), constant(node.right)
        value = top / bottom if top is not None and bottom else None
    return np.nan if value is None else value


def _walk(node: Any, X: Array, place: Mapping[str, int], parameters: Mapping[str, float]) -> Dual:
    if isinstance(node, ast.Constant):
        return Dual(np.float64(constant(node)), {})
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
            return power(left, _exponent(node.right))
        right = _walk(node.right, X, place, parameters)
        if isinstance(node.op, ast.Mult):
            return multiply(left, right)
        if isinstance(node.op, ast.Div):
            return divide(left, right)
        return add(left, right, 1.0 if isinstance(node.op, ast.Add) else -1.0)
    items = [_walk(argument, X, place, parameters) for argument in node.args]
    if node.func.id in SEVERAL:
        return SEVERAL[node.func.id](items)
    value, slope = FUNCTIONS[node.func.id](items[0].value)
    return items[0].through(value, slope)
