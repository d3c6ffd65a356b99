"""What `skit` keeps of a stream between looks."""

from __future__ import annotations

from kstest.frozen import frozen

from ...sample import Columns
from .skit_core import Core
from .skit_options import Params


@frozen
class State:
    """A stream under test.

    Attributes
    ----------
    params : Params
    columns : Columns
    sides : tuple of tuple of str
        The names of both blocks; with all pairs of columns, of every column.
    core : Core
        What is kept of the rows.
    """

    params: Params
    columns: Columns
    sides: tuple[tuple[str, ...], ...]
    core: Core
