"""Columns of chains: the one that --chain names, and those that number the draws."""

from __future__ import annotations

from collections.abc import Sequence

from kstest.errors import UsageError
from kstest.sources.chain_options import NONE, ChainOptions
from kstest.sources.table import Table
from kstest.wording import shown

COUNTERS = ("draw", "iteration", ".draw", ".iteration")


def chain_column(first: Table, options: ChainOptions) -> str | None:
    """The column that --chain names, None where it names none.

    Raises
    ------
    UsageError
        For a column that a file lacks which knows its chains anyway.
    """
    text = options.chain
    if text is None or (text == NONE and NONE not in first.names):
        return None
    if first.chains and text in ("chain", ".chain") and text not in first.names:
        raise UsageError(
            f"{first.label}: --chain {text}: has no column {shown(text)}, and needs none: its "
            "chains are known from the file; leave --chain out."
        )
    return text


def counters_of(names: Sequence[str]) -> tuple[str, ...]:
    """Columns that number the draws of a chain, as ArviZ and posterior call them."""
    return tuple(name for name in names if name in COUNTERS)
