"""Advice in the terms of a test whose options name the columns.

What reads files advises to leave a column out with --exclude, which is right where a test takes
all columns. Where `--outcome` or `--x` names it, --exclude would only lead to the next error: it is
to be left out of that option, or another one named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..columns import ByOption
from ..errors import KstestError, MissingError
from ..result import Notice
from ..sources.notices import KEEP
from ..wording import in_words

# A value as `option_value` writes it: bare, in quotes, or what stands for one.
_VALUE = r"(?: (?P<names>'[^']*'|[\w.][^\s;]*[^\s;.,]|\w|NAME\[,NAME\.\.\.\]))?"
_OUT = re.compile(rf"\b(?P<verb>[Ll])eave (?P<what>[\w ]+?) out with --exclude{_VALUE}")
_CHOOSE = re.compile(r"\b(?P<verb>[Cc])hoose columns with --columns or --exclude")

# Options that name columns of which no cell may be missing, even with --missing indicator.
VALUED = "--residual", "--treatment", "--outcome"


class Named:
    """A choice of columns that remembers which option named each.

    Attributes
    ----------
    options : dict of str to list of str
        Columns by option.
    """

    def __init__(self, wanted: ByOption) -> None:
        self._wanted = wanted
        self.options: dict[str, list[str]] = {}

    def __call__(self, names: Sequence[str]) -> Sequence[str]:
        for option, part in self._wanted.find(names):
            known = self.options.setdefault(option, [])
            known += [name for name in part if name not in known]
        return self._wanted(names)

    def advice(self, text: str) -> str:
        """The same advice, with the options that name the columns in place of --exclude."""
        if not self.options:
            return text
        return _CHOOSE.sub(self._other, _OUT.sub(self._leave, text))

    def needs_values(self, names: Sequence[str]) -> bool:
        """Whether one of these columns is named by an option that takes no missing cell."""
        return any(set(self.options.get(option, ())) & set(names) for option in VALUED)

    def _leave(self, found: re.Match[str]) -> str:
        value = found["names"]
        if value is None or value.startswith("NAME"):
            return self._other(found)
        names = value.strip("'").split(",")
        asked, ways = set(names), []
        for option, known in self.options.items():
            held = [name for name in known if name in asked]
            if not held:
                continue
            alone = option == "--residual" or len(held) == len(known)
            what = in_words(held) if len(names) > 1 else found["what"]
            ways.append(
                f"name another column in {option}" if alone else f"leave {what} out of {option}"
            )
        if not ways:
            return found[0]
        return _cased(" and ".join(ways), found["verb"])

    def _other(self, found: re.Match[str]) -> str:
        options = [option for option, known in self.options.items() if known]
        return _cased(f"name other columns in {in_words(options)}", found["verb"])


def _cased(text: str, verb: str) -> str:
    return text[0].upper() + text[1:] if verb.isupper() else text


def remembered(options: Any) -> Any:
    """Options of reading whose choice of columns is remembered by option, where a test has one."""
    wanted = getattr(options, "choose", None)
    return replace(options, choose=Named(wanted)) if isinstance(wanted, ByOption) else options


@contextmanager
def advising(options: Any, accepts: Set[str]) -> Iterator[None]:
    """Put the advice of errors in the terms of a test and its options that name the columns.

    Parameters
    ----------
    options : object
        Of reading.
    accepts : set of str
        What the test `accepts`.
    """
    wanted = getattr(options, "choose", None)
    try:
        yield
    except KstestError as error:
        if isinstance(error, MissingError) and (
            "missing" not in accepts
            or (isinstance(wanted, Named) and wanted.needs_values(error.names))
        ):
            error.args = (str(error).replace(KEEP, ""),)
        if isinstance(wanted, Named) and wanted.options:
            error.args = (wanted.advice(str(error)),)
            error.more = () if "--exclude" in error.more else error.more
        raise


def advised(notices: Sequence[Notice], options: Any) -> tuple[Notice, ...]:
    """The same for notices."""
    wanted = getattr(options, "choose", None)
    if not isinstance(wanted, Named):
        return tuple(notices)
    return tuple(replace(notice, message=wanted.advice(notice.message)) for notice in notices)
