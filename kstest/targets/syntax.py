"""User text to a syntax tree that is safe to walk: bounded in size, refused where it is odd.

Nothing a user writes is ever evaluated by Python; the two small languages (`language`,
`expression`) walk the tree and accept only the nodes they know.
"""

from __future__ import annotations

import ast
import math
import warnings

from ..errors import UsageError

MOST_CHARACTERS = 4096
MOST_NODES = 500
MOST_DEPTH = 50
LARGEST_NUMBER = 1e300


def parse(text: str, option: str) -> ast.expr:
    """Parse one expression.

    Raises
    ------
    UsageError
        If the text is no expression, or longer, larger or deeper than the limits.
    """
    if len(text) > MOST_CHARACTERS:
        raise UsageError(
            f"{option}: the expression has {len(text):,} characters; at most "
            f"{MOST_CHARACTERS:,} are accepted"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's remarks on the style of the text
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else "it cannot be parsed"
        raise UsageError(f"{option} {shorten(text)!r}: not an expression: {why}") from None
    stack, count = [(tree, 1)], 0
    while stack:
        node, depth = stack.pop()
        count += 1
        if depth > MOST_DEPTH or count > MOST_NODES:
            raise UsageError(
                f"{option} {shorten(text)!r}: too large; at most {MOST_NODES} terms, nested at "
                f"most {MOST_DEPTH} deep, are accepted"
            )
        stack += [(child, depth + 1) for child in ast.iter_child_nodes(node)]  # type: ignore[misc]
    return tree


def refuse(node: ast.AST, option: str, accepted: str) -> UsageError:
    """Say which part of the text is not accepted."""
    try:
        what = shorten(ast.unparse(node))
    except (RecursionError, ValueError):
        what = type(node).__name__
    return UsageError(f"{option}: {what!r} is not accepted; accepted: {accepted}")


def shorten(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def number(node: ast.AST, option: str) -> float | None:
    """Return the value of a numeric constant, None if the node is something else."""
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return None
    try:
        value = float(node.value)  # type: ignore[arg-type]
    except OverflowError:
        value = math.inf
    if not abs(value) <= LARGEST_NUMBER:
        raise UsageError(f"{option}: a number in it is too large; at most 1e300 is accepted")
    return value
