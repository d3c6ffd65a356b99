"""User text to a syntax tree that is safe to walk: the one reader of --where and of --target.

Python's grammar does the parsing (`ast`); nothing that a user writes is evaluated by Python. Each
small language lists the nodes that it has (`Language`), and everything else is refused with its
place in the text. Names become placeholders before Python's parser sees them, so a column may be
called ``class`` or, in backquotes, anything: `` `theta[1]` ``. Length and nesting are limited
before that parser runs, the tree itself before anybody walks it.
"""

from __future__ import annotations

import ast
import bisect
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import field

from kstest.frozen import frozen

from .errors import UsageError

MOST_DEPTH = 50  # nodes inside nodes
LINKS = 5  # of a sum, that count as one of them
MOST_BRACKETS = 150  # open at once; Python's parser takes 200
LARGEST_NUMBER = 1e300
_SHOWN = 60  # characters of the text in a message
_PREFIXES = ("-", "+", "~", "not")

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
    | (?P<triple>\"\"\"|''')
    | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<quoted>`(?:[^`]|``)+`)
    | (?P<number>[0-9][\w.]*|\.[0-9][\w.]*)
    | (?P<word>[^\W\d]\w*)
    | (?P<operator>[=!<>]=)
    | (?P<odd>[#\\;`:])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@frozen
class Language:
    """A small language inside Python's grammar.

    Attributes
    ----------
    option : str
        Named in messages.
    accepted : str
        What messages recommend.
    nodes : frozenset of type
        The nodes of `ast` that it has.
    hints : mapping of type to str
        Why another node is not accepted, where there is more to say than that.
    words : mapping of str to str
        Words that are no names, and how Python spells them.
    odd : mapping of str to str
        Single characters that it does not have, and what to write instead.
    most_characters, most_nodes : int
    """

    option: str
    accepted: str
    nodes: frozenset[type[ast.AST]]
    hints: Mapping[type[ast.AST], str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    odd: Mapping[str, str] = field(default_factory=dict)
    most_characters: int = 4096
    most_nodes: int = 2500


@frozen
class Parsed:
    """A checked tree, with the names as the user wrote them, that knows its places in the text.

    Attributes
    ----------
    tree : ast.expr
        Nodes of the language only, at most `MOST_DEPTH` inside each other.
    """

    tree: ast.expr
    _source: _Source

    def refuse(self, node: ast.AST, why: str = "is not accepted", accepted: str = "") -> UsageError:
        """Return the message that a part of the text is not accepted."""
        return self._source.refuse_node(node, why, accepted)

    def number(self, node: ast.AST) -> float | None:
        """Return the value of a numeric constant, None if the node is something else.

        Raises
        ------
        UsageError
            Beyond `LARGEST_NUMBER`.
        """
        value = constant(node)
        if value is not None and not abs(value) <= LARGEST_NUMBER:
            raise self.refuse(node, "is too large", f"numbers up to {LARGEST_NUMBER:g}")
        return value


def parse(text: str, language: Language) -> Parsed:
    """Read one expression of a language.

    Raises
    ------
    UsageError
        Showing the place that is not understood.
    """
    option, most = language.option, language.most_characters
    if len(text) > most:
        raise UsageError(
            f"{option}: found {len(text):,} characters; at most {most:,} are accepted."
        )
    if not text.strip():
        raise UsageError(f"{option}: is empty; accepted: {language.accepted}.")
    source = _Source(text, language)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's remarks on the style of the text
            tree = ast.parse(source.python, mode="eval").body
    except SyntaxError as error:
        at = error.offset - 1 if error.offset else len(source.python)
        raise source.refuse(source.places(at)[0], len(text), "cannot be read") from None
    except (ValueError, MemoryError, RecursionError):
        raise source.refuse(0, len(text), "cannot be read") from None
    _check(tree, source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = source.names[node.id]
        elif isinstance(node, ast.keyword) and node.arg is not None:
            node.arg = source.names[node.arg]
    return Parsed(tree, source)


def constant(node: ast.AST) -> float | None:
    """Return the value of a numeric constant, infinite where it is too large; None else."""
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return None
    try:
        return float(node.value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf


def shorten(text: str, most: int = _SHOWN) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _check(tree: ast.expr, source: _Source) -> None:
    """Refuse nodes that the language does not have, and trees too deep or large to be walked."""
    language, count = source.language, 0
    stack: list[tuple[ast.AST, ast.AST, float]] = [(tree, tree, 1)]
    while stack:
        node, place, depth = stack.pop()
        # operators have no place of their own: what holds them has
        place = node if hasattr(node, "col_offset") else place
        count += 1
        if type(node) not in language.nodes:
            raise source.refuse_node(place, language.hints.get(type(place), "is not accepted"))
        if depth > MOST_DEPTH:
            raise source.refuse_node(place, _too_large("nested too deeply", language))
        if count > language.most_nodes:
            raise source.refuse_node(tree, _too_large("too many parts", language))
        children = list(ast.iter_child_nodes(node))
        # a + b + c is a chain, in which many links are as deep as one bracket.
        before = node.left if isinstance(node, ast.BinOp) and _sum(node) else None
        steps = [1 / LINKS if child is before and _sum(child) else 1 for child in children]
        stack += [
            (child, place, depth + step) for child, step in zip(children, steps, strict=True)
        ][::-1]


def _sum(node: ast.AST) -> bool:
    """Whether a node is a sum or a difference."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def _too_large(why: str, language: Language) -> str:
    limits = f"at most {language.most_nodes:,} parts, nested at most {MOST_DEPTH} deep"
    return f"cannot be read: too large, {why} ({limits})"


class _Source:
    """A text, what Python's parser gets of it, and the way back from there.

    Attributes
    ----------
    python : str
        The text with a placeholder for every name.
    names : dict of str to str
        By placeholder.
    """

    def __init__(self, text: str, language: Language) -> None:
        self.text, self.language = text, language
        self.names: dict[str, str] = {}
        self._placeholders: dict[str, str] = {}
        # Of each token: where it starts in `python`, where it starts and ends in the text.
        self._starts: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self.python = self._rewritten()

    def places(self, at: int) -> tuple[int, int]:
        """Return start and end in the text of the token that holds a character of `python`."""
        k = bisect.bisect_right(self._starts, at) - 1
        return self._spans[k] if k >= 0 and at < len(self.python) else (len(self.text),) * 2

    def refuse_node(self, node: ast.AST, why: str, accepted: str = "") -> UsageError:
        # ast counts bytes, and texts in quotes may hold characters of several
        code = self.python.encode()
        first = len(code[: getattr(node, "col_offset", 0)].decode())
        last = len(code[: getattr(node, "end_col_offset", len(code))].decode()) - 1
        return self.refuse(self.places(first)[0], self.places(last)[1], why, accepted)

    def refuse(self, start: int, end: int, why: str, accepted: str = "") -> UsageError:
        """Return the message that characters of the text are not accepted."""
        here = self.text[start:end].rstrip()
        here = here if len(here) <= _SHOWN else here[:_SHOWN] + "…"
        return UsageError(
            f"{self.language.option}: {why}: at character {start + 1:,}, {here or 'the end'!r}; "
            f"accepted: {accepted or self.language.accepted}."
        )

    def _rewritten(self) -> str:
        out: list[str] = []
        size = brackets = prefixes = 0
        for kind, token, start in _tokens(self.text):
            why, end = self._oddity(kind, token), start + len(token)
            # A parser that calls itself per level is given no text that could exhaust the stack.
            brackets += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
            if kind == "blank":
                token = " " if out else ""  # Python would take it for an indentation
            elif kind == "word" and token in self.language.words:
                token = self.language.words[token]
            elif kind in ("word", "quoted"):
                token = self._placeholder(token)
            if kind != "blank":
                prefixes = prefixes + 1 if token in _PREFIXES else 0
            if brackets > MOST_BRACKETS or prefixes > MOST_DEPTH:
                why = _too_large("nested too deeply", self.language)
            if why:
                raise self.refuse(start, start + _SHOWN // 2, why)
            if kind in ("quoted", "word", "number") and out and out[-1][-1:].isalnum():
                out.append(" ")  # a`b` is two names, not one
                size += 1
            self._starts.append(size)
            self._spans.append((start, end))
            out.append(token)
            size += len(token)
        return "".join(out)

    def _oddity(self, kind: str, token: str) -> str:
        """Say why a token is not accepted; nothing where Python's parser may see it."""
        if kind == "triple":
            return "three quotes in a row"
        if token in self.language.odd:
            return self.language.odd[token]
        if kind == "odd":
            return "this character is not accepted"
        if kind == "other" and not (token.isascii() and token.isprintable()):
            return "this character is not accepted"  # it might join the name before it
        return ""

    def _placeholder(self, token: str) -> str:
        name = token[1:-1].replace("``", "`") if token[0] == "`" else token
        fresh = self._placeholders.setdefault(name, f"n{len(self._placeholders)}")
        self.names[fresh] = name
        return fresh


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield kind, text and start of every token; they cover the text, but for its end."""
    text, at = text.rstrip(), 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found is not None
        end, kind = found.end(), str(found.lastgroup)
        while kind == "word" and end < len(text) and f"a{text[end]}".isidentifier():
            end += 1  # accents and vowel signs that stand alone
        yield kind, text[at:end], at
        at = end
