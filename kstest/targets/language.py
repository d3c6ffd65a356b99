"""The mini-language of --target: `normal(mean=0, sd=1)`, `product(a=normal(), b=gamma(2))`.

A call has a family's name, numbers, lists of numbers and, in `product`, further calls. The text
is parsed by Python's parser and walked here; it is never evaluated.
"""

from __future__ import annotations

import ast
import math
import operator
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError
from .syntax import number, parse, refuse

ACCEPTED = "family(parameter=number or [numbers], ...), and + - * / between numbers"
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_NAMES = {"pi": math.pi, "inf": math.inf}


@dataclass(frozen=True)
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


def read(text: str, option: str = "--target") -> Spec:
    """Parse the mini-language.

    Examples
    --------
    >>> read("gamma(2, scale=1/2)").named
    {'scale': 0.5}
    """
    tree = parse(text, option)
    if isinstance(tree, ast.Name):
        return Spec(tree.id)
    if not isinstance(tree, ast.Call):
        raise refuse(tree, option, ACCEPTED)
    return _call(tree, option)


def _call(node: ast.Call, option: str) -> Spec:
    if not isinstance(node.func, ast.Name):
        raise refuse(node.func, option, ACCEPTED)
    positional, fit = [], False
    for argument in node.args:
        if isinstance(argument, ast.Name) and argument.id == "fit":
            fit = True
        else:
            positional.append(_value(argument, option))
    named = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise refuse(keyword.value, option, ACCEPTED)
        if keyword.arg in named:
            raise UsageError(f"{option}: {node.func.id} has {keyword.arg!r} twice; give it once")
        named[keyword.arg] = _value(keyword.value, option)
    return Spec(node.func.id, tuple(positional), named, fit)


def _value(node: ast.AST, option: str) -> Any:
    constant = number(node, option)
    if constant is not None:
        return constant
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, option) for item in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, option)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _number(node.left, option), _number(node.right, option)
        try:
            return _OPERATORS[type(node.op)](left, right)
        except (ZeroDivisionError, OverflowError):
            raise refuse(node, option, "finite numbers") from None
    if isinstance(node, ast.Call):
        return _call(node, option)
    raise refuse(node, option, ACCEPTED)


def _number(node: ast.AST, option: str) -> float:
    value = _value(node, option)
    if not isinstance(value, float):
        raise refuse(node, option, "a number")
    return value


def arguments(spec: Spec, names: tuple[str, ...], option: str = "--target") -> dict[str, Any]:
    """Bind the arguments of a Spec to parameter names.

    Raises
    ------
    UsageError
        Naming a parameter that the family does not have, or that is given twice.
    """
    if len(spec.positional) > len(names):
        raise UsageError(
            f"{option}: {spec.family} takes {len(names)} parameters ({', '.join(names)}), found "
            f"{len(spec.positional)}"
        )
    bound = dict(zip(names, spec.positional, strict=False))
    for name, value in spec.named.items():
        if name in bound:
            raise UsageError(f"{option}: {spec.family} has {name} twice")
        if name not in names:
            raise UsageError(
                f"{option}: {spec.family} has no parameter {name!r}; it has {', '.join(names)}"
            )
        bound[name] = value
    return bound
