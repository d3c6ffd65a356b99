"""The errors kstest raises, each with the exit code the shell sees.

Every message names the file, column, row or option, what was found, what is accepted and what
to try. Nothing else in the package chooses an exit code for a failure; the codes of a finished
test are in `kstest.result`.
"""

from __future__ import annotations

from collections.abc import Sequence


def printable(text: str) -> str:
    """Escape the characters that a terminal would obey, and leave all others."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class KstestError(Exception):
    """Anything the user can mend. Printed as one message, never with a traceback.

    Attributes
    ----------
    more : tuple of str
        Options that the command lacked, where they are known: the shell prints it with them.
    """

    exit_code = 2

    def __init__(self, message: str, more: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.more = tuple(more)


class UsageError(KstestError):
    """An option or argument that cannot be used as given."""


class DataError(KstestError):
    """A file, stream or array that cannot be read or cannot be tested."""


class MissingError(DataError):
    """Rows with missing cells, where they are to be refused.

    Attributes
    ----------
    names : tuple of str
        Their columns.
    """

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


class ApartError(DataError):
    """Rows that belong together are in several files, which can only be read at once."""


class OutputError(KstestError):
    """The result could not be written where it was asked for."""
