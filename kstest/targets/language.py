"""The mini-language of --target: `normal(mean=0, sd=1)`, `product(a=normal(), b=gamma(2))`.

A call has a family's name, numbers, lists of numbers and, in `product`, further calls: a column
with odd characters stands in backquotes there. `kstest.syntax` parses and checks the text.
"""

from __future__ import annotations

import ast
import math
import operator
from dataclasses import field
from typing import Any

from kstest.frozen import frozen

from ..errors import UsageError
from ..syntax import Language, Parsed, parse

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_NAMES = {"pi": math.pi, "inf": math.inf}
LANGUAGE = Language(
    "--target",
    "family(parameter=number or [numbers], ...), and + - * / between numbers; "
    "names with odd characters in `backquotes`",
    frozenset({ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple})
    | {ast.UnaryOp, ast.USub, ast.BinOp, *_OPERATORS},
)


@frozen
class Spec:
    """A family with its arguments, from the mini-language or from a file.

    Attributes
    ----------
    family : str
    positional : tuple
        Numbers, lists or Specs in order.
    named : dict of str to number, list or Spec
    fit : bool
        The parameters are to be estimated from the data.
    columns : tuple of str or None
        The columns it speaks of; None takes those of the data.
    """

    family: str
    positional: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    fit: bool = False
    columns: tuple[str, ...] | None = None


def read(text: str) -> Spec:
    """Parse the mini-language.

    Raises
    ------
    UsageError
        Showing the place that is not understood.

    Examples
    --------
    >>> read("gamma(2, scale=1/2)").named
    {'scale': 0.5}
    """
    parsed = parse(text, LANGUAGE)
    if isinstance(parsed.tree, ast.Name):
        return Spec(parsed.tree.id)
    if not isinstance(parsed.tree, ast.Call):
        raise parsed.refuse(parsed.tree)
    return _call(parsed.tree, parsed)


def _call(node: ast.Call, parsed: Parsed) -> Spec:
    if not isinstance(node.func, ast.Name):
        raise parsed.refuse(node.func)
    positional, fit = [], False
    for argument in node.args:
        if isinstance(argument, ast.Name) and argument.id == "fit":
            fit = True
        else:
            positional.append(_value(argument, parsed))
    named = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise parsed.refuse(keyword)
        if keyword.arg in named:
            raise UsageError(f"--target: {node.func.id} has {keyword.arg!r} twice; give it once")
        named[keyword.arg] = _value(keyword.value, parsed)
    return Spec(node.func.id, tuple(positional), named, fit)


def _value(node: ast.AST, parsed: Parsed) -> Any:
    constant = parsed.number(node)
    if constant is not None:
        return constant
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, parsed) for item in node.elts]
    if isinstance(node, ast.UnaryOp):
        return -_number(node.operand, parsed)
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left, parsed), _number(node.right, parsed)
        try:
            return _OPERATORS[type(node.op)](left, right)
        except (ZeroDivisionError, OverflowError):
            raise parsed.refuse(node, accepted="finite numbers") from None
    if isinstance(node, ast.Call):
        return _call(node, parsed)
    raise parsed.refuse(node)


def _number(node: ast.AST, parsed: Parsed) -> float:
    value = _value(node, parsed)
    if not isinstance(value, float):
        raise parsed.refuse(node, accepted="a number")
    return value


def arguments(spec: Spec, names: tuple[str, ...]) -> dict[str, Any]:
    """Bind the arguments of a Spec to parameter names.

    Raises
    ------
    UsageError
        Naming a parameter that the family does not have, or that is given twice.
    """
    if len(spec.positional) > len(names):
        raise UsageError(
            f"--target: {spec.family} takes {len(names)} parameters ({', '.join(names)}), found "
            f"{len(spec.positional)}"
        )
    bound = dict(zip(names, spec.positional, strict=False))
    for name, value in spec.named.items():
        if name in bound:
            raise UsageError(f"--target: {spec.family} has {name} twice")
        if name not in names:
            raise UsageError(
                f"--target: {spec.family} has no parameter {name!r}; it has {', '.join(names)}"
            )
        bound[name] = value
    return bound
