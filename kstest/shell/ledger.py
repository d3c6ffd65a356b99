"""Which batches a stream has counted, so that none is counted twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..sources.wording import shown

# Batches that are remembered, the latest ones.
KEPT = 512


@dataclass(frozen=True)
class Ledger:
    """Batches that were counted.

    Attributes
    ----------
    count : int
        All of them.
    contents, ids : ndarray of uint64 (k, 2)
        Digests of the rows, and of the names given with --batch-id, zeros without, of the last
        `KEPT` batches.
    open_rows : int
        Rows of a batch that has not ended: a stream that was cut off while it was read.
    open_content : str
        Their digest.
    """

    count: int
    contents: NDArray[np.uint64]
    ids: NDArray[np.uint64]
    open_rows: int = 0
    open_content: str = ""


def begin() -> Ledger:
    """No batch yet."""
    return Ledger(0, np.empty((0, 2), np.uint64), np.empty((0, 2), np.uint64))


def counted(ledger: Ledger, content: str, name: str | None, path: str) -> bool:
    """Whether a batch was counted before.

    Raises
    ------
    DataError
        If another batch was counted under this name.
    """
    if name is not None:
        same = (ledger.ids == _words(_digest(name))).all(axis=1)
        if same.any():
            if (ledger.contents[same] == _words(content)).all():
                return True
            raise DataError(
                f"{path}: a batch {shown(name)} with other rows was counted before. Give this one "
                "another --batch-id, or find out which of the two is right."
            )
    return bool((ledger.contents == _words(content)).all(axis=1).any())


def with_batch(ledger: Ledger, content: str, name: str | None) -> Ledger:
    """Enter a batch; it ends an open one."""
    identity = np.zeros(2, np.uint64) if name is None else _words(_digest(name))
    return Ledger(
        ledger.count + 1,
        np.concatenate([ledger.contents, _words(content)[None]])[-KEPT:],
        np.concatenate([ledger.ids, identity[None]])[-KEPT:],
    )


def with_open(ledger: Ledger, rows: int, content: str) -> Ledger:
    """Enter the rows so far of a batch that goes on."""
    return replace(ledger, open_rows=rows, open_content=content)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _words(digest: str) -> NDArray[np.uint64]:
    return np.array([int(digest[:16], 16), int(digest[16:32], 16)], np.uint64)
