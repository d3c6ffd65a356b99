"""History: one SQLite file that remembers every run of the checks of a project.

A run is one transaction: whatever happens to the process, it is there whole or not at all, and two
runs at once come one after the other. The order is that of the transactions and never that of
clocks, which may be put back. Every row carries a checksum, for the levels of the next run are
computed from what is read here. A file that cannot be trusted is refused and left as it is; a copy
is put beside it.
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
from typing import Any

from ..archive import locked
from ..errors import DataError, KstestError, OutputError
from ..wording import label, one_line

MAGIC, APPLICATION, VERSION = b"SQLite format 3\x00", 0x6B737431, 1
RUN = (
    "started", "date", "seconds", "version", "config", "digest", "settings", "exit_code", "heads",
)  # fmt: skip
OUTCOME = (
    "run", "name", "unit", "series", "place", "test", "severity", "over_time", "status", "p_value",
    "e_value", "statistic", "level", "adjusted", "counted", "acknowledged", "identity", "seconds",
    "message", "changes", "result_digest",
)  # fmt: skip
EVENT = ("kind", "name", "made", "until", "why", "after")
TABLES = {"runs": RUN, "outcomes": OUTCOME, "events": EVENT}


class History:
    """An open history; see `opened`."""

    def __init__(self, base: sqlite3.Connection, path: str) -> None:
        self._base, self.path = base, path
        self._series: dict[tuple[str, str, int], list[dict[str, Any]]] = {}

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
            self._series.clear()
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
        names = TABLES[table]
        text = f"SELECT id, checksum, {', '.join(names)} FROM {table} {condition}"
        with self._guarded():
            found = self._base.execute(text, given).fetchall()
        for number, checksum, *row in found:
            if checksum != _checksum(row):
                raise self._damaged(f"row {number} of its {table} was altered")
        return [{"id": number, **dict(zip(names, row, strict=True))} for number, _, *row in found]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Acknowledgements and resets of a check.

        All are read, since one with an altered name would not be found by it.
        """
        return [e for e in self.rows("events", "ORDER BY id") if e["name"] == name]

    def since(self, name: str) -> int:
        """Number of the last outcome of a check before it began anew; 0 without."""
        found = [e for e in self.events(name) if e["kind"] == "reset"]
        return int(found[-1]["after"]) if found else 0

    def resets(self, name: str) -> int:
        """How often a check began anew."""
        return sum(e["kind"] == "reset" for e in self.events(name))

    def heads(self) -> dict[str, list[int]]:
        """Where every series begins and how many outcomes it has, by the last run.

        The last row of a series could be lost without a trace otherwise: a row that cannot be found
        by its name any more has no checksum that fails.
        """
        found = self.rows("runs", "ORDER BY id DESC LIMIT 1")
        heads: dict[str, list[int]] = json.loads(found[0]["heads"]) if found else {}
        return heads

    def series(self, name: str, series: str) -> list[dict[str, Any]]:
        """The outcomes of a check that count, since it began anew.

        What was read before is kept: only rows that came since are read again.
        """
        since = self.since(name)
        found = self._series.setdefault((name, series, since), [])
        last = found[-1]["id"] if found else since
        condition = "WHERE name = ? AND series = ? AND counted = 1 AND id > ? ORDER BY id"
        for row in self.rows("outcomes", condition, name, series, last):
            fits = row["place"] == len(found) and row["level"] is not None
            if not fits or not _is_p(row["p_value"]):
                raise self._damaged(f"outcomes of {name} are lost or are none")
            found.append(row)
        begun, length = self.heads().get(head(name, series), [since, 0])
        if len(found) != (length if begun == since else 0):
            raise self._damaged(f"outcomes of {name} are lost")
        return list(found)

    def known(self, name: str, series: str, identity: str) -> dict[str, Any] | None:
        """The outcome that counts of a check of the same data, since it began anew."""
        found = self.rows(
            "outcomes",
            "WHERE identity = ? AND name = ? AND series = ? AND counted = 1 AND id > ? ORDER BY id",
            identity, name, series, self.since(name),
        )  # fmt: skip
        return found[0] if found else None

    def acknowledged(self, name: str, day: str) -> str | None:
        """Until when and why an alarm of a check is known, on some day; None where it is not."""
        found = self.events(name)
        if not found or found[-1]["kind"] != "ack" or found[-1]["until"] < day:
            return None
        return f"until {found[-1]['until']}: {found[-1]['why']}"

    def event(self, kind: str, name: str, until: str | None = None, why: str = "") -> None:
        """Enter that an alarm is known (``ack``), or that a check begins anew (``reset``)."""
        with self.transaction():
            last = self._base.execute("SELECT coalesce(max(id), 0) FROM outcomes").fetchone()[0]
            made = datetime.now(UTC).isoformat(timespec="seconds")
            self.add("events", dict(zip(EVENT, (kind, name, made, until, why, last), strict=True)))

    def forget(self, keep: int) -> None:
        """Drop the whole results of all but the last runs; what counts over time stays."""
        with self._guarded():
            self._base.execute(
                "UPDATE outcomes SET result = NULL WHERE result IS NOT NULL AND run <= "
                "(SELECT coalesce(max(id), 0) FROM runs) - ?",
                (keep,),
            )

    def result(self, outcome: dict[str, Any]) -> dict[str, Any] | None:
        """The Result of an outcome, as JSON has it; None where it was dropped."""
        with self._guarded():
            text = self._base.execute(
                "SELECT result FROM outcomes WHERE id = ?", (outcome["id"],)
            ).fetchone()[0]
        if text is None:
            return None
        if outcome["result_digest"] != digest(text):
            raise self._damaged(f"the result of outcome {outcome['id']} was altered")
        found: dict[str, Any] = json.loads(text)
        return found

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
        if any(w in words for w in ("malformed", "no such", "not a database", "decode")):
            raise damaged(where, words) from error
        raise OutputError(f"history {where}: cannot be used: {words}") from error
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise  # a bug, and nothing that a file can hold
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise damaged(where, one_line(error)) from error


def head(name: str, series: str) -> str:
    """The name of a series among the heads."""
    return json.dumps([name, series])


def digest(text: str) -> str:
    """Of a text, for telling whether it was altered."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _checksum(row: Sequence[Any]) -> str:
    return digest(json.dumps(list(row), default=repr))


def _is_p(value: Any) -> bool:
    return isinstance(value, float) and 0 < value <= 1


@contextmanager
def opened(path: str, seconds: float = 10.0, *, new: bool = True) -> Iterator[History]:
    """Open a history.

    Parameters
    ----------
    path : str
    seconds : float
        How long to wait for another process.
    new : bool
        Whether to begin one where there is none, and to write at all.

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
        raise DataError(f"history {where}: is not there; kstest run begins one")
    _require_kind(path, where)
    with _guarded(where):
        base = _connected(path, seconds, new)
    try:
        with _guarded(where):
            _require_version(base, where)
            _require_whole(base, where)
        yield History(base, where)
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
                _begin(path, folder)
    except OSError as error:
        raise OutputError(
            f"history {where}: cannot be written: {error.strerror or error}; --history FILE names "
            "another, --history none remembers nothing"
        ) from error


def _begin(path: str, folder: Path) -> None:
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".kstest-")
    os.close(handle)
    try:
        base = sqlite3.connect(temporary, isolation_level=None)
        try:
            base.execute(f"PRAGMA application_id = {APPLICATION}")
            base.execute(f"PRAGMA user_version = {VERSION}")
            for table, names in TABLES.items():
                more = ", result" if table == "outcomes" else ""
                base.execute(
                    f"CREATE TABLE {table} (id INTEGER PRIMARY KEY AUTOINCREMENT, checksum, "
                    f"{', '.join(names)}{more})"
                )
            base.execute("CREATE INDEX by_name ON outcomes (name, series, id)")
            base.execute("CREATE INDEX by_identity ON outcomes (identity)")
            base.execute("CREATE INDEX by_run ON outcomes (run)")
            base.execute("PRAGMA journal_mode = WAL")
        finally:
            base.close()
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _require_kind(path: str, where: str) -> None:
    try:
        with open(path, "rb") as stream:
            head = stream.read(len(MAGIC))
    except OSError as error:
        raise DataError(f"history {where}: cannot be read: {error.strerror or error}") from error
    if head != MAGIC:
        raise damaged(where, "it does not begin like a database", path)


def _require_version(base: sqlite3.Connection, where: str) -> None:
    application = base.execute("PRAGMA application_id").fetchone()[0]
    version = base.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise damaged(where, "it is a database, but no history of kstest")
    if version != VERSION:
        raise DataError(
            f"history {where}: is of version {version}; this kstest reads version {VERSION}. Use "
            "the kstest that wrote it, or name another file with --history"
        )


def _require_whole(base: sqlite3.Connection, where: str) -> None:
    """Refuse tables that lack rows: none is ever deleted, and SQLite counts them on its own."""
    counts = dict(base.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    for table in TABLES:
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
