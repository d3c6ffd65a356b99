"""The rows of one run of a sequential test, and whether they may be saved before they end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from typing import Any

from kstest.frozen import frozen

from ..archive import ledger as ledgers
from ..archive.ledger import HEAD_ROWS, Ledger, Open
from ..betting.rows import row_bytes
from ..contract import StreamTest
from ..errors import DataError
from ..sample import Columns, Sample
from ..sources.feeds import Feed


@frozen
class Taken:
    """What is known after some rows.

    Attributes
    ----------
    state : State
    rows : int
    digest : hash object
        Of all rows.
    head : str
        Digest of the first `HEAD_ROWS`.
    possible : tuple of Open
        Batches that were cut off after more rows than these and that began alike.
    resumed : Open or None
        The batch that was cut off and whose rows these are; `state` counts them once.
    """

    state: Any
    rows: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    head: str = ""
    possible: tuple[Open, ...] = ()
    resumed: Open | None = None


class Batch:
    """The rows of this run, while they come.

    Parameters
    ----------
    state : State
        Before them.
    ledger : Ledger
    name : str or None
        Of the batch.
    path : str
        Of the state file, for messages.
    again : bool
        Whether rows that were counted may be counted again.
    """

    def __init__(
        self, state: Any, ledger: Ledger, name: str | None, path: str, again: bool
    ) -> None:
        self.before, self.ledger = state, ledger
        self.name, self.path, self.again = name, path, again
        # One attribute for all of it, so that an interruption finds a state that belongs to rows.
        self.taken = Taken(state, possible=ledger.open)
        self.shown, self.saved_rows, self.saved = False, 0, time.monotonic()

    @property
    def state(self) -> Any:
        return self.taken.state

    @property
    def content(self) -> str:
        return str(self.taken.digest.hexdigest())

    def cuts(self) -> list[int]:
        """Rows after which a sample has to end: where batches were cut off."""
        return sorted({batch.rows for batch in self.ledger.open})

    def take(self, test: StreamTest[Any, Any], sample: Sample, columns: Columns | None) -> None:
        """Take more rows; without `columns` nothing is kept, and no digest needed."""
        then = self.taken
        rows = then.rows + sample.n
        if columns is None:
            self.taken = replace(then, state=test.step(then.state, sample), rows=rows)
            return
        data, digest, head = row_bytes(sample, columns), then.digest.copy(), then.head
        if then.rows < HEAD_ROWS:
            first = digest.copy()
            first.update(data[: len(data) // sample.n * (HEAD_ROWS - then.rows)])
            head = first.hexdigest()
        digest.update(data)
        content = digest.hexdigest()
        possible, resumed = [], None
        for batch in then.possible:
            if not _agrees(batch, rows, content, head):
                self._require_other_name(batch)
            elif batch.rows == rows:
                resumed = batch
            else:
                possible.append(batch)
        # Rows that were counted when the batch was cut off leave the state as it was.
        state = self.before if resumed else test.step(then.state, sample)
        self.taken = Taken(state, rows, digest, head, tuple(possible), resumed or then.resumed)

    def may_save(self) -> bool:
        """Whether the rows so far can be saved: not if they may turn out to be counted."""
        now = self.taken
        if not now.rows or now.possible:
            return False
        if self.ledger.forgotten and not self.again:
            return False
        named = ledgers.may_be_counted(self.ledger, "", self.name)
        if named or self.again or not len(self.ledger.records):
            return not named
        return now.rows >= HEAD_ROWS and not ledgers.may_be_counted(self.ledger, now.head, None)

    def require_new(self) -> None:
        """Refuse a beginning that was counted, of a file that is followed and has no end.

        Raises
        ------
        DataError
        """
        now = self.taken
        if self.again or now.rows < HEAD_ROWS or now.resumed or now.possible:
            return
        self.counted()  # says what is wrong with its name
        if ledgers.may_be_counted(self.ledger, now.head, self.name):
            raise DataError(
                f"{self.path}: a batch with this beginning or name was counted before, and rows "
                "of a file that is followed are counted as they come. Follow it with a new --state "
                "file; if these are other rows, say --allow-duplicate"
            )

    def counted(self) -> bool:
        """Whether the batch, at its end, is one that was counted before.

        Raises
        ------
        DataError
            If its name is that of other rows, or if nobody can know.
        """
        for batch in self.taken.possible:  # longer than this one
            self._require_other_name(batch)
        found = ledgers.counted(self.ledger, self.content, self.name, self.path)
        if not found and self.ledger.forgotten and not self.again:
            raise DataError(
                f"{self.path}: was begun by an earlier kstest, which remembered only the last 512 "
                f"batches. Whether this one is among the {self.ledger.forgotten:,} others cannot "
                "be known. Begin a new --state file, or, if its rows are new, say --allow-duplicate"
            )
        return found

    def ended(self) -> Ledger:
        """The ledger with this batch."""
        now = self.taken
        return ledgers.with_batch(self.ledger, self.content, now.head, self.name, now.resumed)

    def so_far(self) -> Ledger:
        """The ledger with this batch as one that has not ended."""
        now = self.taken
        name = ledgers.digest_of(self.name) or (now.resumed.name if now.resumed else "")
        new = Open(now.rows, self.content, now.head, name)
        return ledgers.with_open(self.ledger, new, now.resumed)

    def _require_other_name(self, batch: Open) -> None:
        if self.name is not None and batch.name == ledgers.digest_of(self.name):
            raise ledgers.other_rows(self.name, self.path)


def _agrees(batch: Open, rows: int, content: str, head: str) -> bool:
    """Whether rows with these digests can be the beginning of a batch that was cut off."""
    if rows == batch.rows:
        return content == batch.content
    return not batch.head or rows < HEAD_ROWS or batch.head == head


def pieces(feed: Feed, rows: int | None, cuts: Sequence[int]) -> Iterator[Sample]:
    """The samples of a feed, cut after every `rows` rows, and at `cuts`."""
    seen, ahead = 0, list(cuts)
    for sample in feed.samples():
        done = 0
        while done < sample.n:
            more = sample.n - done
            if rows:
                more = min(more, rows - seen % rows)
            if ahead:
                more = min(more, ahead[0] - seen)
            yield sample if more == sample.n else sample.part(done, done + more)
            seen, done = seen + more, done + more
            if ahead and seen == ahead[0]:
                del ahead[0]
