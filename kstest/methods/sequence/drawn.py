"""A few sequences, drawn by their numbers while all are read: for the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Whole = NDArray[np.int64]
Words = NDArray[np.uint64]

# Sequences, and symbols of them.
DRAWN, DRAWN_SYMBOLS = 5_000, 1 << 20


@dataclass
class Few:
    """The sequences of smallest rank: a uniform sample, whatever is read by whom.

    `limit` is the smallest rank that was left out because its symbols were too many: later ones
    are left out too, or the sample would depend on who read what. One sequence there is always.
    """

    ranks: Words = field(default_factory=lambda: np.empty(0, np.uint64))
    codes: Codes = field(default_factory=lambda: np.empty(0, np.int32))
    lengths: Whole = field(default_factory=lambda: np.empty(0, np.int64))
    limit: int = 2**64

    def add(self, more: Few) -> None:
        """Take further sequences, as long as their symbols are few enough."""
        self.limit = min(self.limit, more.limit)
        ranks = np.concatenate([self.ranks, more.ranks])
        codes = np.concatenate([self.codes, more.codes])
        lengths = np.concatenate([self.lengths, more.lengths])
        order = np.argsort(ranks, kind="stable")
        order = order[ranks[order] <= np.uint64(self.limit - 1)][:DRAWN]
        few = max(1, int(np.searchsorted(np.cumsum(lengths[order]), DRAWN_SYMBOLS, "right")))
        if few < len(order):
            self.limit = int(ranks[order[few]])
        order = order[:few]
        ends = np.cumsum(lengths)
        self.ranks, self.lengths = ranks[order], lengths[order]
        self.codes = _joined(codes[ends[i] - lengths[i] : ends[i]] for i in order)

    def nearer(self, ranks: Words, codes: Codes, offsets: Whole) -> Few:
        """Those of further sequences that may be among the ones of smallest rank."""
        limit = self.ranks[-1] if len(self.ranks) == DRAWN else np.uint64(self.limit - 1)
        some = np.flatnonzero(ranks <= limit)
        some = some[np.argsort(ranks[some], kind="stable")[:DRAWN]]
        parts = (codes[offsets[i] : offsets[i + 1]] for i in some)
        return Few(ranks[some], _joined(parts), np.diff(offsets)[some])

    @property
    def offsets(self) -> Whole:
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)


def _joined(parts: Iterable[Codes]) -> Codes:
    return np.concatenate([np.empty(0, np.int32), *parts])
