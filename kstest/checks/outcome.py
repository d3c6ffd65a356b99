"""What a run of checks found: a list of outcomes, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from kstest.frozen import frozen

from ..picture import Picture
from ..result import Result

Status = Literal["rejected", "not rejected", "no verdict", "error"]
REJECTED, NO_VERDICT, ERROR, BUG = 1, 3, 2, 70


@frozen
class Change:
    """Something about the columns that is not as in the reference.

    Attributes
    ----------
    code : str
        Stable: ``column-appeared``, ``column-vanished``, ``column-kind``, ``missing-share``,
        ``unseen-level``, ``out-of-range``, ``clock-overlap``.
    column : str
    message : str
    p_value : float or None
        Where chance may have made it: of the exact test, corrected within the check. None for
        facts.
    """

    code: str
    column: str
    message: str
    p_value: float | None = None


@frozen
class Outcome:
    """What became of a check, or of a part of it.

    Attributes
    ----------
    name : str
        Of the check.
    unit : str
        The level of `by`, or the batch; empty where there is one only.
    test, severity, over_time : str
    status : {'rejected', 'not rejected', 'no verdict', 'error'}
        After the correction over the checks of the run.
    alpha : float
        Level of the check, which `adjusted` is compared with.
    level : float or None
        What of it this run may use, before the correction.
    p_value, adjusted : float or None
        Of the test, and corrected.
    message : str
        Why there is an error or no verdict; else the summary of the test.
    changes : tuple of Change
    schema : {'error', 'warn', 'off'}
        Their severity.
    acknowledged : str or None
        Until when and why an alarm is known.
    repeated : bool
        Whether the same data were checked before, which does not count again.
    seconds : float
    result : Result or None
        None after an error.
    bug : bool
        Whether the error is one of kstest.
    picture : Picture or None
        Of a rejection, where a page is to show it.
    """

    name: str
    unit: str
    test: str
    severity: str
    over_time: str
    status: Status
    alpha: float
    level: float | None = None
    p_value: float | None = None
    adjusted: float | None = None
    message: str = ""
    changes: tuple[Change, ...] = ()
    schema: str = "warn"
    acknowledged: str | None = None
    repeated: bool = False
    seconds: float = 0.0
    result: Result | None = None
    bug: bool = False
    picture: Picture | None = None

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.name} {self.unit}".rstrip()

    def alarm(self, fail_on: str) -> bool:
        """Whether this makes the exit code 1."""
        if self.acknowledged is not None or fail_on == "never":
            return False
        wanted = counting(fail_on)
        rejected = self.status == "rejected" and self.severity in wanted
        return rejected or (bool(self.changes) and self.schema in wanted)


def counting(fail_on: str) -> tuple[str, ...]:
    """The severities that the exit code takes note of."""
    return ("error", "warn") if fail_on == "warn" else ("error",)


@frozen
class Past:
    """What the history knows of earlier runs, see `kstest.checks.past`.

    Attributes
    ----------
    outcomes : mapping of (str, str) to sequence of mapping
        By name and series of a check, in their order, this run included.
    runs : mapping of int to mapping
        The last ones by their numbers, this one included.
    events : sequence of mapping
        Acknowledgements and resets.
    """

    outcomes: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    runs: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    events: Sequence[Mapping[str, Any]] = ()

    def of(self, outcome: Outcome) -> Sequence[Mapping[str, Any]]:
        """The outcomes of a check; batches of one check are one series."""
        own = self.outcomes.get((outcome.name, outcome.unit))
        return self.outcomes.get((outcome.name, ""), ()) if own is None else own

    def started(self, run: int) -> str:
        return str(self.runs[run]["started"]) if run in self.runs else ""


@frozen
class Report:
    """A run.

    Attributes
    ----------
    config, digest : str
        File of the checks and SHA-256 of its bytes.
    started, date : str
        When it was made (UTC), and the date that stands in its paths.
    seconds : float
    settings : mapping
        Of the run, by name.
    outcomes : tuple of Outcome
        In the order of the file.
    control : tuple of str
        A sentence per kind of control over time: what is promised.
    run : int or None
        Number in the history.
    command : str
        By which it was made.
    past : Past
        What the history knows of earlier runs, where a page is to show it.
    code : int or None
        Exit code that the history has of it; None where it is to be found out.
    """

    config: str
    digest: str
    started: str
    date: str
    seconds: float
    settings: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    control: tuple[str, ...] = ()
    run: int | None = None
    command: str = ""
    past: Past = field(default_factory=Past)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    code: int | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of the run.

        Notes
        -----
        The first line that holds:

        ==== ==========================================================================
        1    a check of enough severity rejected, or found a change of its columns, and
             it is not acknowledged (``fail_on``)
        70   kstest itself failed in some check
        2    some check could not run, whatever its severity
        3    some check of enough severity has no verdict
        0    otherwise
        ==== ==========================================================================
        """
        if self.code is not None:
            return self.code
        if any(o.alarm(str(self.settings["fail_on"])) for o in self.outcomes):
            return REJECTED
        if any(o.bug for o in self.outcomes):
            return BUG
        if any(o.status == "error" for o in self.outcomes):
            return ERROR
        wanted = counting(str(self.settings["fail_on"]))
        if any(o.status == "no verdict" and o.severity in wanted for o in self.outcomes):
            return NO_VERDICT
        return 0
