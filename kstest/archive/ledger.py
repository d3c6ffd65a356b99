"""Which batches a stream has counted, so that none is ever counted twice.

A batch that has ended is 16 bytes: parts of the digests of its rows, of its name and of its first
rows. Of a batch that was cut off a whole digest is kept, until its rows come again and it ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..errors import DataError
from ..wording import shown
from .packing import Declared
from .schema import Number, Numbers, Part, Word

# Rows by which a batch is told from most others soon after its beginning.
HEAD_ROWS = 8
# Bytes of a record: of the rows, of the name (zeros: none), of the first rows (zeros: unknown).
# Among a million batches a chance agreement has probability 7e-6 for rows and 2e-3 for names.
CONTENT, NAME, HEAD = slice(0, 7), slice(7, 13), slice(13, 16)
RECORD = 16


@frozen
class Open:
    """A batch that has not ended: a stream that was cut off while it was read.

    Attributes
    ----------
    rows : int
        Of them, that were counted.
    content, head : str
        Digests of these rows, and of the first `HEAD_ROWS` of them.
    name : str
        Digest of the name, empty without.
    """

    rows: int
    content: str
    head: str
    name: str = ""


@frozen
class Ledger:
    """Batches that were counted.

    Attributes
    ----------
    count : int
        All that ended.
    records : ndarray of uint8 (k, 16)
        One row each; fewer than `count` where an earlier version of kstest forgot some.
    open : tuple of Open
    """

    count: int
    records: NDArray[np.uint8]
    open: tuple[Open, ...] = ()

    @property
    def forgotten(self) -> int:
        """Batches of which nothing is known but that they were."""
        return self.count - len(self.records)


def _consistent(ledger: Ledger) -> bool:
    return len(ledger.records) <= ledger.count


# What a file may hold of a ledger, see `kstest.archive.schema`.
DECLARED = Declared(
    {
        Ledger: {
            "count": Number(),
            "records": Numbers(("k", RECORD), "u1"),
            "open": Part({}),
        },
        Open: {"rows": Number(1), "content": Word(), "head": Word(), "name": Word()},
    },
    {Ledger: _consistent},
)


def begin() -> Ledger:
    """No batch yet."""
    return Ledger(0, np.empty((0, RECORD), np.uint8))


def digest_of(name: str | None) -> str:
    """The digest of a name; empty without one."""
    if name is None:
        return ""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def counted(ledger: Ledger, content: str, name: str | None, path: str) -> bool:
    """Whether a batch was counted before.

    Raises
    ------
    DataError
        If another batch was counted under this name.
    """
    rows = _matches(ledger, CONTENT, content)
    if name is not None:
        same = _matches(ledger, NAME, digest_of(name))
        if same.any():
            if rows[same].all():
                return True
            raise other_rows(name, path)
    return bool(rows.any())


def other_rows(name: str, path: str) -> DataError:
    """Refuse a name that other rows have."""
    return DataError(
        f"{path}: a batch {shown(name)} with other rows was counted before. Give this one "
        "another --batch-id, or find out which of the two is right."
    )


def may_be_counted(ledger: Ledger, head: str, name: str | None) -> bool:
    """Whether a batch with this name or first rows may turn out to be counted, or refused.

    Its rows must not be saved before it has ended.
    """
    named = name is not None and _matches(ledger, NAME, digest_of(name)).any()
    return bool(named or (head and _matches(ledger, HEAD, head).any()))


def with_batch(
    ledger: Ledger, content: str, head: str, name: str | None, ended: Open | None = None
) -> Ledger:
    """Enter a batch, which may be what was `open` before."""
    record = np.zeros(RECORD, np.uint8)
    record[CONTENT] = _part(content, CONTENT)
    if head:  # a batch may have no rows
        record[HEAD] = _part(head, HEAD)
    if name is not None:
        record[NAME] = _part(digest_of(name), NAME)
    records = np.concatenate([ledger.records, record[None]])
    return Ledger(ledger.count + 1, records, _without(ledger, ended))


def with_open(ledger: Ledger, new: Open, before: Open | None = None) -> Ledger:
    """Enter the rows so far of a batch that goes on, in the place of what was `before`."""
    return replace(ledger, open=(*_without(ledger, before), new))


def from_earlier(header: Mapping[str, Any], contents: Any, ids: Any) -> Ledger:
    """Return the ledger of a state of earlier versions, which remembered the last 512 batches.

    `contents` and `ids` are ndarrays of uint64 (k, 2): the first 16 bytes of the digests.
    """
    records = np.zeros((len(contents), RECORD), np.uint8)
    for place, words in ((CONTENT, contents), (NAME, ids)):
        whole = np.ascontiguousarray(words, ">u8").view(np.uint8).reshape(len(words), 16)
        records[:, place] = whole[:, : place.stop - place.start]
    rows = int(header["open_rows"])
    # Nothing is known of the first rows alone: all of them have to come.
    some = (Open(rows, str(header["open_content"]), ""),) if rows else ()
    return Ledger(int(header["count"]), records, some)


def _without(ledger: Ledger, gone: Open | None) -> tuple[Open, ...]:
    return tuple(batch for batch in ledger.open if batch != gone)


def _matches(ledger: Ledger, place: slice, digest: str) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (ledger.records[:, place] == _part(digest, place)).all(axis=1)
    return found


def _part(digest: str, place: slice) -> NDArray[np.uint8]:
    """The first bytes of a digest; never zeros, which stand for none."""
    found = np.frombuffer(bytes.fromhex(digest)[: place.stop - place.start], np.uint8)
    return found if found.any() else np.ones_like(found)
