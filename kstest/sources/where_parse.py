"""The language of --where: text to a `Condition`.

    dom == 9 and 0 < tot_ns <= 200 and carrier in ('UA', 'AA') and `wind dir` is not null

Comparisons (also chained) of columns with numbers, texts, true, false or other columns; ``in``,
``not in``, ``is null``, ``is not null``; ``and``, ``or``, ``not``, parentheses. A name with odd
characters stands in backquotes. Dates and times are texts in ISO 8601, in UTC unless they name a
zone: ``day >= '2024-05-01'``.

`kstest.syntax` parses and checks the text; its nodes are translated here to the classes of
`where_tree`. `where` reads the result over the rows.
"""

from __future__ import annotations

import ast
import math

from kstest.sources.where_tree import (
    All,
    Any,
    Column,
    Comparison,
    Condition,
    Constant,
    Membership,
    Not,
    Null,
    Truth,
)
from kstest.syntax import Language, Parsed
from kstest.syntax import parse as parsed

LONGEST = 4000  # characters
_LARGEST_WHOLE = 2**53  # columns are float64: larger whole numbers are not told apart

_WORDS = {"and": "and", "or": "or", "not": "not", "in": "in", "is": "is", "null": "None"}
_WORDS |= {"true": "True", "false": "False"}
_OPERATORS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
LANGUAGE = Language(
    "--where",
    "comparisons such as x >= 1.5, name == 'text', x in (1, 2), x is not null, joined by and, or, "
    "not; names with odd characters in `backquotes`",
    frozenset(
        {ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, *_OPERATORS}
        | {ast.In, ast.NotIn, ast.Is, ast.IsNot, ast.Name, ast.Constant, ast.Tuple, ast.List}
        | {ast.Load}
    ),
    {
        ast.Call: "functions are not accepted",
        ast.BinOp: "arithmetic is not accepted (and write and, or for &, |)",
        ast.Attribute: "a name with a point stands in backquotes",
        ast.Subscript: "is not accepted; a name with brackets stands in backquotes",
    },
    {k: v for word, v in _WORDS.items() for k in (word, word.upper(), word.capitalize())},
    {"=": "write == to compare"},
    most_characters=LONGEST,
    most_nodes=LONGEST,
)


def parse(text: str) -> Condition:
    """Read the text of --where.

    Raises
    ------
    UsageError
        Showing the place that is not understood.
    """
    found = parsed(text, LANGUAGE)
    return _condition(found.tree, found)


def _condition(node: ast.expr, text: Parsed) -> Condition:
    if isinstance(node, ast.BoolOp):
        parts = tuple(_condition(part, text) for part in node.values)
        return All(parts) if isinstance(node.op, ast.And) else Any(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return Not(_condition(node.operand, text))
    if isinstance(node, ast.Compare):
        return _comparison(node, text)
    if isinstance(node, ast.Name):
        return Truth(Column(node.id))
    if isinstance(node, ast.Constant):
        raise text.refuse(node, "a value alone is no condition")
    raise text.refuse(node)


def _comparison(node: ast.Compare, text: Parsed) -> Condition:
    parts: list[Condition] = []
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        if isinstance(operator, ast.In | ast.NotIn):
            parts.append(_membership(left, isinstance(operator, ast.NotIn), right, text))
        elif isinstance(operator, ast.Is | ast.IsNot):
            if not isinstance(right, ast.Constant) or right.value is not None:
                raise text.refuse(right, "is and is not stand before null only")
            parts.append(Null(_column(left, text), isinstance(operator, ast.IsNot)))
        else:
            one, other = _operand(left, text), _operand(right, text)
            if isinstance(one, Constant) and isinstance(other, Constant):
                raise text.refuse(left, "compares no column")
            parts.append(Comparison(one, _OPERATORS[type(operator)], other))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _membership(left: ast.expr, negated: bool, right: ast.expr, text: Parsed) -> Membership:
    values = right.elts if isinstance(right, ast.Tuple | ast.List) else [right]
    if not values:
        raise text.refuse(right, "no value to be in")
    return Membership(_column(left, text), tuple(_constant(v, text) for v in values), negated)


def _operand(node: ast.expr, text: Parsed) -> Column | Constant:
    return _column(node, text) if isinstance(node, ast.Name) else _constant(node, text)


def _column(node: ast.expr, text: Parsed) -> Column:
    if not isinstance(node, ast.Name):
        raise text.refuse(node, "a column is expected here")
    return Column(node.id)


def _constant(node: ast.expr, text: Parsed) -> Constant:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant(node.operand, text) if isinstance(node.operand, ast.Constant) else None
        if inner is None or isinstance(inner.value, bool | str):
            raise text.refuse(node, "a minus stands before a number only")
        return Constant(-inner.value)
    if isinstance(node, ast.Compare):
        raise text.refuse(node, "a comparison is not a value: join comparisons with and, or")
    if isinstance(node, ast.Name):
        raise text.refuse(node, "a column is not accepted here, only values")
    if not isinstance(node, ast.Constant):
        raise text.refuse(node)
    value = node.value
    if isinstance(value, bool | str):
        return Constant(value)
    if isinstance(value, int) and abs(value) <= _LARGEST_WHOLE:
        return Constant(float(value))
    if isinstance(value, float) and math.isfinite(value):
        return Constant(value)
    if isinstance(value, int | float):
        raise text.refuse(node, "numbers beyond 2^53 (whole) or 1.8e308 cannot be compared")
    raise text.refuse(node, "null stands after is only" if value is None else "is not accepted")
