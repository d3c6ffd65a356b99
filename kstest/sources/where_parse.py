"""The language of --where: text to a `Condition`.

    dom == 9 and 0 < tot_ns <= 200 and carrier in ('UA', 'AA') and `wind dir` is not null

Comparisons (also chained) of columns with numbers, texts, true, false or other columns; ``in``,
``not in``, ``is null``, ``is not null``; ``and``, ``or``, ``not``, parentheses. A name with odd
characters stands in backquotes. Dates and times are texts in ISO 8601, in UTC unless they name a
zone: ``day >= '2024-05-01'``.

Python's grammar does the parsing (`ast`), nothing is ever evaluated by Python: each node is
translated to one of the classes of `where_tree` or refused. `where` reads the result over the rows.
"""

from __future__ import annotations

import ast
import math
import re
import warnings

from kstest.errors import UsageError
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
from kstest.wording import one_line, shown

LONGEST = 4000  # characters
DEEPEST = 50  # nodes inside nodes
_LARGEST_WHOLE = 2**53  # columns are float64: larger whole numbers are not told apart

_WORDS = {"and": "and", "or": "or", "not": "not", "in": "in", "is": "is", "null": "None"}
_WORDS |= {"true": "True", "false": "False"}
_KEYWORDS = {k: v for word, v in _WORDS.items() for k in (word, word.upper(), word.capitalize())}
_TOKEN = re.compile(
    r"""
    (?P<triple>\"\"\"|''')
    | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | `(?P<quoted>(?:[^`]|``)+)`
    | (?P<number>[0-9][\w.]*|\.[0-9][\w.]*)
    | (?P<word>[^\W\d]\w*)
    | (?P<operator>[=!<>]=)
    | (?P<odd>[#\\;`:=])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ACCEPTED = (
    "accepted: comparisons such as x >= 1.5, name == 'text', x in (1, 2), x is not null, joined by "
    "and, or, not; names with odd characters in `backquotes`"
)
_OPERATORS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


def parse(text: str) -> Condition:
    """Read the text of --where.

    Raises
    ------
    UsageError
        Showing the place that is not understood.
    """
    if len(text) > LONGEST:
        raise UsageError(
            f"--where: found {len(text):,} characters; at most {LONGEST:,} are accepted."
        )
    if not text.strip():
        raise UsageError(f"--where: is empty; {_ACCEPTED}.")
    return _Reader(text).condition()


class _Reader:
    """Reads one text. Names become placeholders before Python's grammar sees them.

    So a column may be called ``class`` or ``lambda``, and no name of the text is a name of Python.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._names: dict[str, str] = {}
        self._starts: list[tuple[int, int]] = []  # in the rewritten text, in the text
        self._source = self._rewritten()

    def condition(self) -> Condition:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about backslashes in texts
                tree = ast.parse(self._source, mode="eval")
        except SyntaxError as error:
            at, place = (error.offset or 0) - 1, None if error.offset else len(self._text)
            raise self._refuse(at, "cannot be read", place) from None
        except ValueError as error:
            raise UsageError(f"--where: cannot be read: {one_line(error)}; {_ACCEPTED}.") from None
        except (MemoryError, RecursionError):
            raise UsageError(f"--where: is nested too deeply; {_ACCEPTED}.") from None
        return self._condition(tree.body, 0)

    def _rewritten(self) -> str:
        out: list[str] = []
        size = 0
        for found in _TOKEN.finditer(self._text.replace("\n", " ").replace("\r", " ").rstrip()):
            token, kind = found[0], found.lastgroup
            if not out and token.isspace():
                continue  # Python would take it for an indentation
            if kind == "triple":
                raise self._refuse(found.start(), "three quotes in a row", found.start())
            if kind == "odd":
                hint = "write == to compare" if token == "=" else f"{token} is not accepted"
                raise self._refuse(found.start(), hint, found.start())
            if kind == "other" and not token.isascii():
                # Some would be taken for a part of the name before them.
                raise self._refuse(found.start(), "this character is not accepted", found.start())
            if kind == "quoted":
                token = self._placeholder(found["quoted"].replace("``", "`"))
            elif kind == "word":
                token = _KEYWORDS.get(token) or self._placeholder(token)
            if kind in ("quoted", "word", "number") and out and out[-1][-1].isalnum():
                out.append(" ")  # a`b` is two names, not one
                size += 1
            self._starts.append((size, found.start()))
            out.append(token)
            size += len(token)
        return "".join(out)

    def _placeholder(self, name: str) -> str:
        for known, meant in self._names.items():
            if meant == name:
                return known
        fresh = f"n{len(self._names)}"
        self._names[fresh] = name
        return fresh

    def _refuse(self, at: int, why: str, place: int | None = None) -> UsageError:
        """Refuse what stands at character `at` of the rewritten text, `place` of the text."""
        if place is None:
            before = [(new, old) for new, old in self._starts if new <= at] or [(0, 0)]
            place = before[-1][1]
        here = self._text[place : place + 30].rstrip()
        return UsageError(
            f"--where: {why}: at character {place + 1:,}, {shown(here or 'the end')}; {_ACCEPTED}."
        )

    def _wrong(self, node: ast.AST, why: str) -> UsageError:
        # ast counts bytes, and names are the only parts that may be longer than in the text
        offset = getattr(node, "col_offset", 0)
        return self._refuse(len(self._source.encode()[:offset].decode("utf-8", "ignore")), why)

    def _condition(self, node: ast.expr, depth: int) -> Condition:
        if depth > DEEPEST:
            raise self._wrong(node, "is nested too deeply")
        if isinstance(node, ast.BoolOp):
            parts = tuple(self._condition(part, depth + 1) for part in node.values)
            return All(parts) if isinstance(node.op, ast.And) else Any(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self._condition(node.operand, depth + 1))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Name):
            return Truth(self._column(node))
        if isinstance(node, ast.Constant):
            raise self._wrong(node, "a value alone is no condition")
        raise self._wrong(node, _why(node))

    def _comparison(self, node: ast.Compare) -> Condition:
        parts: list[Condition] = []
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
            if isinstance(operator, ast.In | ast.NotIn):
                parts.append(self._membership(left, isinstance(operator, ast.NotIn), right))
            elif isinstance(operator, ast.Is | ast.IsNot):
                if not isinstance(right, ast.Constant) or right.value is not None:
                    raise self._wrong(right, "is and is not stand before null only")
                parts.append(Null(self._column(left), isinstance(operator, ast.IsNot)))
            else:
                one, other = self._operand(left), self._operand(right)
                if isinstance(one, Constant) and isinstance(other, Constant):
                    raise self._wrong(left, "compares no column")
                parts.append(Comparison(one, _OPERATORS[type(operator)], other))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _membership(self, left: ast.expr, negated: bool, right: ast.expr) -> Membership:
        values = right.elts if isinstance(right, ast.Tuple | ast.List) else [right]
        if not values:
            raise self._wrong(right, "no value to be in")
        return Membership(self._column(left), tuple(self._constant(v) for v in values), negated)

    def _operand(self, node: ast.expr) -> Column | Constant:
        return self._column(node) if isinstance(node, ast.Name) else self._constant(node)

    def _column(self, node: ast.expr) -> Column:
        if not isinstance(node, ast.Name):
            raise self._wrong(node, "a column is expected here")
        return Column(self._names[node.id])

    def _constant(self, node: ast.expr) -> Constant:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self._constant(node.operand) if isinstance(node.operand, ast.Constant) else None
            if inner is None or isinstance(inner.value, bool | str):
                raise self._wrong(node, "a minus stands before a number only")
            return Constant(-inner.value)
        if not isinstance(node, ast.Constant):
            raise self._wrong(node, _why(node))
        value = node.value
        if isinstance(value, bool | str):
            return Constant(value)
        if isinstance(value, int) and abs(value) <= _LARGEST_WHOLE:
            return Constant(float(value))
        if isinstance(value, float) and math.isfinite(value):
            return Constant(value)
        if isinstance(value, int | float):
            raise self._wrong(node, "numbers beyond 2^53 (whole) or 1.8e308 cannot be compared")
        raise self._wrong(node, "null stands after is only" if value is None else _why(node))


def _why(node: ast.AST) -> str:
    what = {
        ast.Call: "functions are not accepted",
        ast.BinOp: "arithmetic is not accepted (and write and, or for &, |)",
        ast.Attribute: "a name with a point stands in backquotes",
        ast.Compare: "a comparison is not a value: join comparisons with and, or",
        ast.Name: "a column is not accepted here, only values",
    }
    return what.get(type(node), "is not accepted")
