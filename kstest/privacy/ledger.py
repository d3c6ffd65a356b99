"""The ledger of a reference: every release of its rows, and what they spend together.

A file beside the reference. It stays inside with the rows. An entry is written before the sketch
that it is about, so that a process that is killed in between has spent more than it released, never
less. rho of all releases is added up (zCDP) and turned into epsilon at the delta of the budget.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kstest.frozen import frozen

from ..archive import locked
from ..archive.schema import Number, Word, real
from ..errors import DataError, OutputError, UsageError
from ..files import replace as write_whole
from ..wording import label, shown
from .accounting import DELTA, EPSILON, Privacy, epsilon_of, rho_for, total
from .sketch import dump_json, load_json

KIND, VERSION, SUFFIX = "ledger", 1, ".ledger"


@frozen
class Budget:
    """What all releases together may spend."""

    epsilon: float
    delta: float


@frozen
class Entry:
    """A release.

    Attributes
    ----------
    made : str
        Time, in UTC.
    epsilon, delta, sigma2, rows_per_group
        See `Privacy`.
    group : str
        Column that tells users apart; empty where rows are protected.
    n : int
    sketch : str
        Digest of the file that was to be written.
    """

    made: str
    epsilon: float
    delta: float
    sigma2: int
    rows_per_group: int | None
    group: str
    n: int
    sketch: str

    @property
    def privacy(self) -> Privacy:
        return Privacy(self.epsilon, self.delta, self.sigma2, self.rows_per_group)


@frozen
class Ledger:
    """Releases, in their order, and the budget that was set last.

    `replaced` is another budget, which the release just entered has put out of force; it is not
    written down.
    """

    entries: tuple[Entry, ...] = ()
    budget: Budget | None = None
    replaced: Budget | None = None

    @property
    def rho(self) -> float:
        return float(total(entry.privacy for entry in self.entries))

    @property
    def protects(self) -> str:
        """Whom the sum is about: users only where every release is by the same column of them."""
        groups = {entry.group for entry in self.entries}
        return f"users ({groups.pop()})" if len(groups) == 1 and groups != {""} else "rows"

    def epsilon(self, delta: float) -> float:
        """What all releases together protect, at this delta."""
        return epsilon_of(self.rho, delta)


def budget_of(text: str, delta: float) -> Budget:
    """Read EPS[,DELTA]; the delta of the release where none is given.

    Raises
    ------
    UsageError
    """
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers.append(delta)
    bounds = (EPSILON, DELTA)
    if len(numbers) != 2 or not all(
        low <= x <= high for x, (low, high) in zip(numbers, bounds, strict=True)
    ):
        raise UsageError(
            f"--budget {shown(text)}: give EPSILON or EPSILON,DELTA for all releases "
            "together, such as 2,1e-6"
        )
    return Budget(*numbers)


def default_path(files: Sequence[str]) -> str:
    """The ledger beside a file.

    Raises
    ------
    UsageError
        Where there is no one file on this machine.
    """
    if len(files) == 1 and os.path.isfile(files[0]):
        return os.path.realpath(files[0]) + SUFFIX  # one ledger, whatever links lead there
    raise UsageError(
        "--ledger: is missing. The ledger lies beside the reference where that is one file on this "
        "machine; say by --ledger FILE where it is for these rows, the same FILE at every release"
    )


def enter(path: str, entry: Entry, budget: Budget | None, seconds: float) -> Ledger:
    """Write a release down, before it leaves.

    Parameters
    ----------
    path : str
        Of the ledger; it is begun where there is none.
    entry : Entry
    budget : Budget or None
        For all releases from now on; None keeps that of the ledger.
    seconds : float
        How long to wait for another process.

    Returns
    -------
    Ledger
        As it is now on disk.

    Raises
    ------
    UsageError
        If the budget does not allow it; the ledger is then as it was.
    DataError
        If the ledger is damaged: what was spent is then unknown.
    OutputError
    """
    with locked(path, seconds):
        before = read(path)
        limit = budget or before.budget
        replaced = None if limit == before.budget else before.budget
        after = Ledger((*before.entries, entry), limit, replaced)
        _require_room(path, before, after, entry)
        try:
            write_whole(dump_json(_json(after)).encode(), Path(path))
        except OSError as error:
            raise OutputError(
                f"--ledger {path}: cannot be written: {error.strerror or error}; nothing was "
                "released"
            ) from error
    return after


def read(path: str) -> Ledger:
    """Read a ledger; one without releases where there is no file.

    Raises
    ------
    DataError
    """
    if not os.path.lexists(path):
        return Ledger()
    found = load_json(path, KIND, VERSION)
    try:
        entries = tuple(_entry(given) for given in found["releases"])
        budget = None if found["budget"] is None else Budget(**found["budget"])
        if budget is not None:
            real(*EPSILON).check("epsilon", budget.epsilon, {})
            real(*DELTA).check("delta", budget.delta, {})
        return Ledger(entries, budget)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{label(path)}: is a ledger, but none that this kstest writes ({error}); bring it "
            "back from a copy: what was spent is unknown otherwise"
        ) from error


def _entry(given: Mapping[str, Any]) -> Entry:
    entry = Entry(**given)
    sizes: dict[str, Any] = {}
    for name in ("made", "group", "sketch"):
        Word().check(name, getattr(entry, name), sizes)
    real(*EPSILON).check("epsilon", entry.epsilon, sizes)
    real(*DELTA).check("delta", entry.delta, sizes)
    Number(1, 10**60).check("sigma2", entry.sigma2, sizes)
    Number(1).check("n", entry.n, sizes)
    if entry.rows_per_group is not None:
        Number(1, 10**9).check("rows_per_group", entry.rows_per_group, sizes)
    return replace(entry, epsilon=float(entry.epsilon), delta=float(entry.delta))


def _json(ledger: Ledger) -> dict[str, Any]:
    return {
        "kstest": KIND,
        "version": VERSION,
        "budget": None if ledger.budget is None else asdict(ledger.budget),
        "releases": [asdict(entry) for entry in ledger.entries],
    }


def _require_room(path: str, before: Ledger, after: Ledger, entry: Entry) -> None:
    budget = after.budget
    if budget is None:
        return
    would, was = after.epsilon(budget.delta), before.epsilon(budget.delta)
    if would <= budget.epsilon * (1 + 1e-9):
        return
    room = rho_for(budget.epsilon, budget.delta) - before.rho
    left = epsilon_of(room, entry.delta) if room > 0 else 0.0
    advice = (
        f"at most --epsilon {left * 0.995:.3g} is left"
        if left > EPSILON[0]
        else "nothing is left for these rows"
    )
    raise UsageError(
        f"--budget {budget.epsilon:g},{budget.delta:g}: {len(before.entries)} releases of these "
        f"rows have spent epsilon {was:.4g} at delta {budget.delta:g}, and with this one it would "
        f"be {would:.4g} ({label(path)}). Nothing was released; {advice}"
    )
