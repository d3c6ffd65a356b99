"""The first pass over rows that nobody keeps: counts, levels, and a few rows drawn uniformly.

Every row gets a rank, a keyed hash of its side, file and number; the rows of smallest rank are a
uniform sample of a side, whatever is read by whom and in which order (bottom-k). No rank knows a
value. Sketches of several spans are merged by keeping the smallest ranks again.

Of the rows that are drawn in this way some are kept, by ranks that are hashed once more with a mark
of all rows. Without it one seed would choose the same places in every data set, and where files are
sorted these are the same quantiles: what is left would differ between the sides by as much in all
of them. The mark is the sum of the hashes of the rows of all sides. It knows neither which side
a row is on nor where in a file, so that given the mark the rows are as exchangeable as without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract import SpanReader
from ...diagnostics.digests import row_hashes
from ...errors import DataError
from ...nulls.places import mixed

# Rows of a side that are kept, and the share of it that they are at most.
KEPT, SHARE = 8192, 1 / 20
# Rows among which they are chosen, and cells of these, which are sent for every span.
DRAWN, DRAWN_CELLS = 4 * KEPT, 1 << 22
# Levels of a column that are counted.
MOST_LEVELS = 1 << 17

Array = NDArray[np.float64]


@dataclass
class Sketch:
    """What the first pass knows of the rows of one side, in one span or several.

    Attributes
    ----------
    rows : int
        That were used.
    ranks : ndarray of uint64 (k,)
        In increasing order, until it is limited.
    numbers : ndarray of int (k,)
        Of the drawn rows among the used rows, from 0.
    values : ndarray (k, d)
    texts : list of list of str
        Cells of the drawn rows, by categorical column.
    levels : list of Counter
        How often each level occurs, by categorical column.
    low, high : ndarray (d,)
    files : dict of int to tuple of int
        Rows read, used, dropped and filtered, by number of the file.
    mark : int
        Sum of the hashes of all rows, modulo 2^64.
    """

    rows: int
    ranks: NDArray[np.uint64]
    numbers: NDArray[np.int64]
    values: Array
    texts: list[list[str]]
    levels: list[Counter[str]]
    low: Array
    high: Array
    files: dict[int, tuple[int, ...]] = field(default_factory=dict)
    mark: int = 0

    @classmethod
    def empty(cls, d: int, c: int) -> Sketch:
        return cls(
            0, np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros((0, d)),
            [[] for _ in range(c)], [Counter() for _ in range(c)],
            np.full(d, np.inf), np.full(d, -np.inf),
        )  # fmt: skip

    @property
    def most(self) -> int:
        """Rows that are drawn at most."""
        columns = int(self.values.shape[1]) + len(self.texts)
        return max(KEPT, min(DRAWN, DRAWN_CELLS // max(1, columns)))

    def add(self, more: Sketch) -> None:
        """Take the rows that come after those that were seen."""
        ranks = np.concatenate([self.ranks, more.ranks])
        order = np.argsort(ranks, kind="stable")[: self.most]
        self.numbers = np.concatenate([self.numbers, more.numbers + self.rows])[order]
        self.values = np.concatenate([self.values, more.values])[order]
        both = [[*a, *b] for a, b in zip(self.texts, more.texts, strict=True)]
        self.texts = [[some[i] for i in order] for some in both]
        self.ranks = ranks[order]
        self.rows += more.rows
        self.low, self.high = np.minimum(self.low, more.low), np.maximum(self.high, more.high)
        for known, new in zip(self.levels, more.levels, strict=True):
            known.update(new)
        for number, found in more.files.items():
            before = self.files.get(number, (0,) * len(found))
            self.files[number] = tuple(a + b for a, b in zip(before, found, strict=True))
        self.mark = (self.mark + more.mark) % 2**64

    def limited(self, mark: int) -> Sketch:
        """The same with a few of the drawn rows, by their ranks and a mark of all rows."""
        few = min(KEPT, int(SHARE * self.rows))
        again = mixed(self.ranks ^ mixed(np.array([mark], np.uint64)))
        order = np.argsort(again, kind="stable")[:few]
        self.ranks, self.numbers = self.ranks[order], self.numbers[order]
        self.values = self.values[order]
        self.texts = [[some[i] for i in order] for some in self.texts]
        return self


def sketched(reader: SpanReader, span: Any, side: int, key: int, shape: tuple[int, int]) -> Sketch:
    """Read a span for the first time: a task.

    Parameters
    ----------
    reader : SpanReader
    span
        One of its spans.
    side : int
        0 or 1.
    key : int
        Of the ranks.
    shape : (int, int)
        Numeric and categorical columns.
    """
    out = Sketch.empty(*shape)
    used: Counter[tuple[int, int]] = Counter()
    for piece, sample in reader.samples(span, out.files):
        block = Sketch.empty(*shape)
        place = piece.number, piece.first
        number = piece.first + used[place] + np.arange(sample.n, dtype=np.int64)
        used[place] += sample.n
        ranks = ranks_of(key, side, piece.number, number)
        full = len(out.ranks) == out.most
        few = np.flatnonzero(ranks < out.ranks[-1]) if full else np.arange(sample.n)
        few = few[np.argsort(ranks[few], kind="stable")[: out.most]]
        block.rows, block.ranks, block.numbers = sample.n, ranks[few], few
        block.values = sample.values[few]
        columns = np.ascontiguousarray(sample.values.T)  # ten times as fast by column
        block.low, block.high = columns.min(axis=1), columns.max(axis=1)
        hashes = row_hashes(sample.values) if shape[0] else np.zeros(sample.n, np.uint64)
        for c, texts in enumerate(sample.levels):
            codes = sample.codes[:, c]
            counts = np.bincount(codes, minlength=len(texts))
            block.levels[c] = Counter(dict(zip(texts, counts.tolist(), strict=True)))
            block.texts[c] = [texts[k] for k in codes[few]]
            words = np.array([_word(text, c) for text in texts], np.uint64)
            hashes = mixed(hashes ^ words[codes])
            if len(out.levels[c]) > MOST_LEVELS:
                raise DataError(
                    f"column {sample.categorical[c]!r} has more than {MOST_LEVELS:,} different "
                    "values: it is no category. Leave it out with --exclude."
                )
        block.mark = int(np.add.reduce(hashes))
        out.add(block)
    return out


def ranks_of(key: int, side: int, file: int, number: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Ranks of rows of a file by their numbers."""
    start = mixed(np.array([(key + side) % 2**64], np.uint64))
    start = mixed(start ^ np.uint64(file))
    return mixed(mixed(number.astype(np.uint64) ^ start) + start)


def _word(text: str, column: int) -> int:
    from hashlib import blake2b

    digest = blake2b(
        text.encode("utf-8", "surrogatepass"), digest_size=8, salt=bytes([column % 256])
    )
    return int.from_bytes(digest.digest(), "little")


def merged(
    sketches: Iterable[tuple[int, Sketch]], sides: int, shape: tuple[int, int]
) -> tuple[list[Sketch], list[int]]:
    """Every side, from sketches with their side in the order of the spans; and the rows of each."""
    found, rows = [Sketch.empty(*shape) for _ in range(sides)], []
    for side, sketch in sketches:
        rows.append(sketch.rows)
        found[side].add(sketch)
    mark = sum(sketch.mark for sketch in found) % 2**64
    return [sketch.limited(mark) for sketch in found], rows
