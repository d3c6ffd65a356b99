"""History: what is remembered of runs of checks, in a file of `kstest.archive.database`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..archive import database
from ..archive.database import Database, digest

__all__ = ["History", "digest", "head", "opened"]


class History(Database):
    """An open history; see `opened`."""

    def __init__(self, base: sqlite3.Connection, path: str) -> None:
        super().__init__(base, path)
        self._series: dict[tuple[str, str, int], list[dict[str, Any]]] = {}

    def forgotten(self) -> None:
        self._series.clear()

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

    def forget(self, keep: int) -> None:
        """Drop the whole results of all but the last runs; what counts over time stays.

        It belongs to a transaction.
        """
        names = ", ".join(("id", "checksum", *database.OUTCOME))
        marks = ", ".join("?" * (2 + len(database.OUTCOME)))
        with self._guarded():
            # Deleted and entered anew: SQLite gives the room of a shortened row to no other.
            rows = self._base.execute(
                f"SELECT {names} FROM outcomes WHERE result IS NOT NULL AND run <= "
                "(SELECT coalesce(max(id), 0) FROM runs) - ?",
                (keep,),
            ).fetchall()
            self._base.executemany("DELETE FROM outcomes WHERE id = ?", [row[:1] for row in rows])
            self._base.executemany(f"INSERT INTO outcomes ({names}) VALUES ({marks})", rows)

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


def head(name: str, series: str) -> str:
    """The name of a series among the heads."""
    return json.dumps([name, series])


def _is_p(value: Any) -> bool:
    return isinstance(value, float) and 0 < value <= 1


@contextmanager
def opened(path: str, seconds: float = 10.0, *, new: bool = True) -> Iterator[History]:
    """Open a history; parameters and errors as `kstest.archive.database.opened`."""
    with database.opened(path, seconds, new=new, kind=History) as found:
        yield found
