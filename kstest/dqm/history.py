"""History: what earlier checks found of every batch, for alarms over many runs.

It is a table of the SQLite file in which `kstest run` remembers, too (`kstest.archive.database`),
with verdict, p-value, number of events, rule and the digest of the calibration of every batch.
Lines of JSON of earlier versions are read, and become such a file with the next batch; the old file
stays beside it.

Alarms count batches of one calibration only. What another one found says nothing about how often
this one is wrong, and rejections by it may be why there is a new one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kstest.frozen import frozen

from ..archive import locked
from ..archive.database import Database, begin, damaged, is_one, opened
from ..errors import DataError, OutputError, UsageError
from ..wording import label, printable, shown
from . import lines as older

# The name under which acknowledgements are entered, of all calibrations and of one.
CHECK = "kstest dqm check"
OF_ONE = "kstest dqm check, calibration "
# Digits of a digest that are shown, and the fewest that name one.
DIGITS, FEWEST = 12, 6
TEXTS = ("batch", "name", "content", "calibration", "started")
KEYS = (*TEXTS, "p_value", "alarm", "verdict", "events", "judged", "level", "rule")


@frozen
class Identity:
    """Which batch it is.

    Attributes
    ----------
    name : str
        Given with --batch-id, else the name of its file, the rows of it and --where.
    content : str
        Digest of its events as they are judged.
    given : bool
        Whether the name was given: then it may not have another content.
    """

    name: str
    content: str
    given: bool = False


@dataclass
class History:
    """Earlier batches in the order in which they were first checked.

    Attributes
    ----------
    calibration : str
        Digest of the one whose batches count.
    lines : list of dict
        Of all calibrations.
    path : str
        For messages; empty without a file.
    acknowledged : str or None
        Until when and why alarms are known.
    counted : list of dict
        Those of this calibration.
    """

    calibration: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)
    path: str = ""
    acknowledged: str | None = None
    counted: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.counted = [x for x in self.lines if x.get("calibration") == self.calibration]
        self._named: dict[str, list[dict[str, Any]]] = {}
        self._equal: dict[str, dict[str, Any]] = {}
        for line in self.counted:
            self._enter(line)

    def _enter(self, line: dict[str, Any]) -> None:
        self._named.setdefault(line["name"], []).append(line)
        self._equal[line["content"]] = line

    @property
    def skipped(self) -> int:
        """Number of batches of other calibrations."""
        return len(self.lines) - len(self.counted)

    def find(self, batch: Identity) -> dict[str, Any] | None:
        """Return the line of a batch that was checked before, with this calibration.

        Raises
        ------
        DataError
            If another batch has the name that was given.
        """
        for line in self._named.get(batch.name, ()):
            if line["content"] == batch.content:
                return line
            if batch.given:
                raise DataError(
                    f"--batch-id {shown(batch.name)}: {self.path} has a batch of this name with "
                    f"other events, checked {line['started']}. Give this one another name, or find "
                    "out which of the two is right."
                )
        return None

    def alike(self, batch: Identity) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Lines of other batches with the same name, and with the same events."""
        return self._named.get(batch.name, [None])[-1], self._equal.get(batch.content)

    def add(self, label: str, batch: Identity, started: str, p: float | None) -> dict[str, Any]:
        """Add a batch and return its line, to which the alarm is still to be added."""
        line = {
            "batch": label,
            "name": batch.name,
            "content": batch.content,
            "calibration": self.calibration,
            "started": started,
            "p_value": p,
            "alarm": False,
        }
        self.lines.append(line)
        self.counted.append(line)
        self._enter(line)
        return line


@contextmanager
def remembered(
    path: str | None, calibration: str, seconds: float = 10.0
) -> Iterator[History | None]:
    """Read a history, and write it if batches were added; nobody else may meanwhile.

    `seconds` is how long to wait for another process that does.

    Raises
    ------
    DataError
        If the file is none, or is damaged; it is left as it is.
    OutputError
        If it cannot be written; it is then as it was.
    """
    if path is None:
        yield None
        return
    with locked(path, seconds):
        lines, known = read(path, seconds, calibration) if os.path.exists(path) else ([], None)
        before = len(lines)
        history = History(calibration, lines, path, known)
        yield history
        if len(lines) == before:
            return
        if before and not is_one(path):
            _convert(path, lines)
            return
        if not before and not os.path.exists(path):
            _begin(path)
        with opened(path, seconds, kind=Database) as base:
            _enter(base, lines, before)


def _begin(path: str) -> None:
    try:
        begin(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: str, error: OSError) -> OutputError:
    return OutputError(f"--history {path}: cannot be written: {error.strerror or error}")


def read(
    path: str, seconds: float = 10.0, calibration: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """The batches of a file, and until when and why alarms of a calibration are acknowledged.

    With `calibration` it is going to be written.

    Raises
    ------
    DataError
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(f"--history {path}: is no regular file; give the name of a file")
    if os.path.exists(path) and not is_one(path):
        return older.read(path), None
    with opened(path, seconds, new=calibration is not None, kind=Database) as base:
        day = f"{datetime.now().astimezone():%Y-%m-%d}"
        return _lines(base, path), base.acknowledged(day, CHECK, f"{OF_ONE}{calibration}")


def _lines(base: Database, path: str) -> list[dict[str, Any]]:
    return [_line(row, k, path) for k, row in enumerate(base.rows("batches", "ORDER BY id"))]


def _line(row: Mapping[str, Any], place: int, path: str) -> dict[str, Any]:
    """A batch, of which every value is what it has to be."""
    p = row["p_value"]
    fits = all(isinstance(row[name], str) for name in TEXTS) and row["alarm"] in (0, 1)
    fits &= p is None or (isinstance(p, float) and 0 < p <= 1)
    if not fits or row["place"] != place:
        raise damaged(path, "batches of kstest dqm check are lost, or are none")
    return {**{name: row[name] for name in KEYS}, "alarm": bool(row["alarm"])}


def _enter(base: Database, lines: Sequence[Mapping[str, Any]], first: int) -> None:
    """Enter all batches from the one numbered `first` on, in one transaction."""
    with base.transaction():
        last = base.rows("batches", "ORDER BY id DESC LIMIT 1")
        if (last[0]["place"] + 1 if last else 0) != first:
            raise damaged(base.path, "batches were entered meanwhile")
        for place, line in enumerate(lines[first:], first):
            p = line["p_value"]
            row = {name: _stored(line.get(name)) for name in KEYS}
            row |= {"place": place, "alarm": int(line["alarm"])}
            base.add("batches", {**row, "p_value": None if p is None else float(p)})


def _stored(value: Any) -> Any:
    """Text as SQLite can hold it: names of files may have bytes that are no text."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return printable(value)
    return value


def _convert(path: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Put a new file in the place of lines of JSON, which stay beside it as `NAME.old`."""
    real = Path(os.path.realpath(path))
    try:
        folder = tempfile.mkdtemp(dir=real.parent, prefix=".kstest-")
        try:
            made = os.path.join(folder, real.name)
            begin(made)
            with opened(made, kind=Database) as base:
                _enter(base, lines, 0)
            shutil.copymode(real, made)
            kept = real.with_name(f"{real.name}.old")
            while kept.exists() and kept.read_bytes() != real.read_bytes():
                kept = kept.with_name(f"{kept.name}.old")
            shutil.copy2(real, kept)
            os.replace(made, real)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def acknowledge(
    path: str, until: str, why: str, seconds: float = 10.0, calibration: str | None = None
) -> str:
    """Enter that alarms are known, up to some day, and return in words which.

    Parameters
    ----------
    path, until, why : str
    seconds : float
        How long to wait for another process.
    calibration : str or None
        First digits of the digest of the one whose alarms are known; None for all.

    Raises
    ------
    DataError
        If there is no history, or one of an earlier version, which has no place for it.
    UsageError
        If the digits are of no calibration in it, or of several.
    """
    if not os.path.exists(path):
        raise DataError(
            f"history {label(path)}: is not there; kstest dqm check --history begins it"
        )
    if not is_one(path):
        older.read(path)
        raise DataError(
            f"history {label(path)}: is of an earlier version; it becomes a new one with the next "
            "batch that kstest dqm check --history adds"
        )
    with locked(path, seconds), opened(path, seconds, kind=Database) as base:
        if calibration is None:
            base.event("ack", CHECK, until, why, "batches")
            return "of every calibration"
        counts = Counter(line["calibration"] for line in _lines(base, path))
        digest = _named(calibration, counts, path)
        base.event("ack", f"{OF_ONE}{digest}", until, why, "batches")
        return f"of calibration {digest[:DIGITS]}, which has judged {counts[digest]:,} batches"


def _named(digits: str, counts: Mapping[str, int], path: str) -> str:
    """The one digest that begins with some digits."""
    found = [digest for digest in counts if digest and digest.startswith(digits.lower())]
    if len(digits) >= FEWEST and len(found) == 1:
        return found[0]
    known = ", ".join(printable(digest[:DIGITS]) for digest in counts if digest)
    raise UsageError(
        f"--calibration {shown(digits)}: give the first digits, {FEWEST} or more, of one "
        f"calibration in {label(path)}, as kstest dqm status shows them; it has {known or 'none'}"
    )
