"""One SQLite file that remembers: runs of checks, what became of each, batches, what people said.

What is entered together is one transaction: whatever happens to the process, it is there whole or
not at all, and two at once come one after the other. The order is that of the transactions and
never that of clocks, which may be put back. Every row carries a checksum, for levels and alarms are
computed from what is read here. A file that cannot be trusted is refused and left as it is; a copy
is put beside it.

`kstest.checks.history` and `kstest.dqm.history` say what the rows mean.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DataError, KstestError, OutputError
from ..wording import label, one_line
from .lock import locked

MAGIC, APPLICATION, VERSION = b"SQLite format 3\x00", 0x6B737431, 2
RUN = (
    "started", "date", "seconds", "version", "config", "digest", "settings", "exit_code", "heads",
)  # fmt: skip
OUTCOME = (
    "run", "name", "unit", "series", "place", "test", "severity", "over_time", "status", "p_value",
    "e_value", "statistic", "level", "adjusted", "counted", "acknowledged", "identity", "seconds",
    "message", "changes", "result_digest",
)  # fmt: skip
EVENT = ("kind", "name", "made", "until", "why", "after")
BATCH = (
    "place", "batch", "name", "content", "calibration", "started", "p_value", "verdict", "events",
    "judged", "level", "rule", "alarm",
)  # fmt: skip
TABLES = {"runs": RUN, "outcomes": OUTCOME, "events": EVENT, "batches": BATCH}
# Tables that came with later versions.
SINCE = {"batches": 2}
# Words of SQLite for a file that holds something else than it should.
DAMAGE = ("malformed", "no such", "not a database", "decode", "file format")
# Whole results that are still there: what is forgotten is found without a look at all that was.
KEPT = "CREATE INDEX IF NOT EXISTS by_kept ON outcomes (run) WHERE result IS NOT NULL"
ENCODER = json.JSONEncoder(default=repr)
D = TypeVar("D", bound="Database")


class Database:
    """An open file; see `opened`."""

    def __init__(self, base: sqlite3.Connection, path: str) -> None:
        self._base, self.path = base, path
        self._version = int(base.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is read and written within; others wait."""
        with self._guarded():
            self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._guarded():
                self._base.execute("COMMIT")
        except BaseException:
            self.forgotten()
            with contextlib.suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")
            raise

    def add(self, table: str, values: dict[str, Any], result: str | None = None) -> int:
        """Enter a row and return its number."""
        names = TABLES[table]
        row = [values.get(name) for name in names]
        more = ("checksum", "result") if table == "outcomes" else ("checksum",)
        extra = [_checksum(row), result][: len(more)]
        marks = ", ".join("?" * (len(row) + len(extra)))
        text = f"INSERT INTO {table} ({', '.join((*names, *more))}) VALUES ({marks})"
        with self._guarded():
            return int(self._base.execute(text, [*row, *extra]).lastrowid or 0)

    def rows(self, table: str, condition: str = "", *given: Any) -> list[dict[str, Any]]:
        """Rows in the order in which they were entered, each held against its checksum."""
        if SINCE.get(table, 1) > self._version:
            return []
        names = TABLES[table]
        text = f"SELECT id, checksum, {', '.join(names)} FROM {table} {condition}"
        with self._guarded():
            found = self._base.execute(text, given).fetchall()
        for number, checksum, *row in found:
            if checksum != _checksum(row):
                raise self._damaged(f"row {number} of its {table} was altered")
        return [{"id": number, **dict(zip(names, row, strict=True))} for number, _, *row in found]

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Acknowledgements and resets of a check, which may have several names.

        All are read, since one with an altered name would not be found by it.
        """
        return [e for e in self.rows("events", "ORDER BY id") if e["name"] in names]

    def acknowledged(self, day: str, *names: str) -> str | None:
        """Until when and why an alarm of a check is known, on some day; None where it is not."""
        found = self.events(*names)
        if not found or found[-1]["kind"] != "ack" or found[-1]["until"] < day:
            return None
        return f"until {found[-1]['until']}: {found[-1]['why']}"

    def event(
        self, kind: str, name: str, until: str | None = None, why: str = "", table: str = "outcomes"
    ) -> None:
        """Enter that an alarm is known (``ack``), or that a check begins anew (``reset``).

        Its place is after the last row of `table`.
        """
        with self.transaction():
            last = self._base.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
            made = datetime.now(UTC).isoformat(timespec="seconds")
            self.add("events", dict(zip(EVENT, (kind, name, made, until, why, last), strict=True)))

    def forgotten(self) -> None:
        """What was read in a transaction that failed is not kept."""

    def _guarded(self) -> AbstractContextManager[None]:
        return _guarded(self.path)

    def _damaged(self, why: str) -> DataError:
        return damaged(self.path, why)


@contextmanager
def _guarded(where: str) -> Iterator[None]:
    """Turn what SQLite raises into messages for the user."""
    try:
        yield
    except sqlite3.OperationalError as error:
        words = one_line(error)
        if "locked" in words or "busy" in words:
            raise OutputError(
                f"history {where}: another process has been using it for too long; let it finish "
                "and run this again"
            ) from error
        if any(w in words for w in DAMAGE):
            raise damaged(where, words) from error
        raise OutputError(f"history {where}: cannot be used: {words}") from error
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise  # a bug, and nothing that a file can hold
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise damaged(where, one_line(error)) from error


def digest(text: str) -> str:
    """Of a text, for telling whether it was altered."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _checksum(row: Sequence[Any]) -> str:
    return digest(ENCODER.encode(list(row)))


@contextmanager
def opened(path: str, seconds: float = 10.0, *, new: bool = True, kind: type[D]) -> Iterator[D]:
    """Open a history.

    Parameters
    ----------
    path : str
    seconds : float
        How long to wait for another process.
    new : bool
        Whether to begin one where there is none, and to write at all.
    kind : type of Database
        What to open it as.

    Raises
    ------
    DataError
        If it is none or is damaged; it is left as it is.
    OutputError
        If it cannot be written.
    """
    where = label(path)
    if new:
        _require(path, where, seconds)
    elif not os.path.exists(path):
        raise DataError(
            f"history {where}: is not there; kstest run, or kstest dqm check --history, begins one"
        )
    _require_kind(path, where)
    with _guarded(where):
        base = _connected(path, seconds, new)
    try:
        with _guarded(where):
            version = _version(base, where)
            if new and version < VERSION:
                _upgrade(base)
            _require_whole(base, where)
            if new:
                base.execute(KEPT)
        yield kind(base, where)
    finally:
        base.close()


def _connected(path: str, seconds: float, new: bool) -> sqlite3.Connection:
    """A connection; for reading only, one that needs no permission to write."""
    if new:
        base = sqlite3.connect(path, timeout=seconds, isolation_level=None)
        base.execute("PRAGMA synchronous = FULL")
        return base
    uri = Path(os.path.abspath(path)).as_uri()
    base = sqlite3.connect(f"{uri}?mode=ro", timeout=seconds, isolation_level=None, uri=True)
    try:
        base.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:  # a folder without permission to make the file of the log
        base.close()
        base = sqlite3.connect(f"{uri}?immutable=1", isolation_level=None, uri=True)
    except sqlite3.DatabaseError:
        pass  # said when the version is asked for
    return base


def _require(path: str, where: str, seconds: float) -> None:
    """Begin a history where there is none: made beside it, then renamed."""
    folder = Path(os.path.realpath(path)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.path.exists(path):
            if not os.access(path, os.W_OK) or not os.access(folder, os.W_OK):
                raise PermissionError(13, "no permission to write")
            return
        with locked(path, seconds):
            if not os.path.exists(path):
                begin(path)
    except OSError as error:
        raise OutputError(
            f"history {where}: cannot be written: {error.strerror or error}; --history FILE names "
            "another, --history none remembers nothing"
        ) from error


def begin(path: str) -> None:
    """Make an empty file, beside its place and then renamed."""
    folder = Path(os.path.realpath(path)).parent
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".kstest-")
    os.close(handle)
    try:
        with _guarded(label(path)):
            _fill(temporary)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _fill(path: str) -> None:
    """Make the tables, none of which has a row."""
    base = sqlite3.connect(path, isolation_level=None)
    try:
        base.execute(f"PRAGMA application_id = {APPLICATION}")
        base.execute(f"PRAGMA user_version = {VERSION}")
        for table in TABLES:
            base.execute(_definition(table))
        base.execute("CREATE INDEX by_name ON outcomes (name, series, id)")
        base.execute("CREATE INDEX by_identity ON outcomes (identity)")
        base.execute("CREATE INDEX by_run ON outcomes (run)")
        base.execute(KEPT)
        base.execute("PRAGMA journal_mode = WAL")
    finally:
        base.close()


def _definition(table: str) -> str:
    more = ", result" if table == "outcomes" else ""
    names = ", ".join(TABLES[table])
    return f"CREATE TABLE {table} (id INTEGER PRIMARY KEY AUTOINCREMENT, checksum, {names}{more})"


def _upgrade(base: sqlite3.Connection) -> None:
    """Add the tables that an earlier kstest did not have; it no longer reads the file then."""
    base.execute("BEGIN IMMEDIATE")
    try:
        version = base.execute("PRAGMA user_version").fetchone()[0]
        for table in TABLES:
            if SINCE.get(table, 1) > version:
                base.execute(_definition(table))
        base.execute(f"PRAGMA user_version = {VERSION}")
        base.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            base.execute("ROLLBACK")
        raise


def is_one(path: str) -> bool:
    """Whether a file begins like a history.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError as error:
        why = error.strerror or error
        raise DataError(f"history {label(path)}: cannot be read: {why}") from error


def _require_kind(path: str, where: str) -> None:
    if not is_one(path):
        raise damaged(where, "it does not begin like a database", path)


def _version(base: sqlite3.Connection, where: str) -> int:
    """The version of a file that this kstest reads."""
    application = base.execute("PRAGMA application_id").fetchone()[0]
    version = int(base.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION:
        raise damaged(where, "it is a database, but no history of kstest")
    if not 1 <= version <= VERSION:
        raise DataError(
            f"history {where}: is of version {version}; this kstest reads version {VERSION}. Use "
            "the kstest that wrote it, or name another file with --history"
        )
    return version


def _require_whole(base: sqlite3.Connection, where: str) -> None:
    """Refuse tables that lack rows: none is ever deleted, and SQLite counts them on its own."""
    counts = dict(base.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    version = base.execute("PRAGMA user_version").fetchone()[0]
    for table in TABLES:
        if SINCE.get(table, 1) > version:
            continue
        text = f"SELECT count(*), coalesce(max(id), 0) FROM {table} NOT INDEXED"
        rows, last = base.execute(text).fetchone()
        if not rows == last == counts.get(table, 0):
            raise damaged(where, f"rows of its {table} are lost")


def damaged(where: str, why: str, path: str | None = None) -> DataError:
    """What to say of a history that cannot be trusted; a copy of it is put beside it."""
    source = Path(path or where)
    copy = source.with_name(f"{source.name}.damaged")
    kept = "it was left as it is"
    with contextlib.suppress(OSError, KstestError):
        if not copy.exists():
            shutil.copy2(source, copy)
        kept = f"it was left as it is, and a copy is kept as {label(str(copy))}"
    return DataError(
        f"history {where}: is damaged, or is none of kstest ({why}); {kept}. Bring back an earlier "
        "copy, or move it away to begin a new one: checks with over-time spending or online-fdr "
        "then begin anew"
    )
