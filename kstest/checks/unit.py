"""Unit: one test of a check, before and after it was run."""

from __future__ import annotations

import hashlib
from typing import Any

from kstest.frozen import frozen

from ..picture import Picture
from ..result import Notice, Result
from .config import Check
from .execute import DQM
from .history import History
from .outcome import Change


@frozen
class Unit:
    """A test to be run, or why it cannot be; then what came of it.

    Attributes
    ----------
    check : Check
    label : str
        The level of `by`, or the batch.
    options : mapping
    inputs : mapping of str to list of str
    changes : tuple of Change
        Of the columns; with the first unit of a check.
    told : tuple of Notice
        Of levels that are not tested; with the first unit, whose result will say it.
    result : Result or None
    error : str
    bug : bool
    seconds : float
    picture : Picture or None
        Of a rejection, where it is wanted.
    """

    check: Check
    label: str
    options: dict[str, Any]
    inputs: dict[str, list[str]]
    changes: tuple[Change, ...] = ()
    told: tuple[Notice, ...] = ()
    result: Result | None = None
    error: str = ""
    bug: bool = False
    seconds: float = 0.0
    picture: Picture | None = None

    @property
    def series(self) -> str:
        """Whose level over time it uses: batches of one check share theirs."""
        return "" if self.check.kind.name == DQM else self.label

    @property
    def identity(self) -> str:
        """Of check and data; empty where the data are not known."""
        if self.result is None:
            return ""
        known = [str(i.get("sha256")) for i in self.result.inputs]
        text = f"{self.check.digest} {self.series} {known}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def past_of(history: History, check: Check, series: str) -> list[dict[str, Any]]:
    """The earlier outcomes that matter for the level of a check."""
    if check.over_time not in ("spending", "online-fdr"):
        return []
    return history.series(check.name, series)
