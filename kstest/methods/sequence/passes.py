"""The passes of `seqksd` over files of sequences that nobody keeps: what a task finds in a span.

The first pass counts, and looks for sequences that the model cannot give (`Seen`). The second sums
Stein features by bin (`Sums`), the third, over data that were rejected, sums what explains
(`explanation.Totals`). Sums of a batch are rounded to multiples of a power of two, so that batches
add up to the same bits in any order: who read which file shows nowhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import SpanReader
from ...engine import Work
from ...engine.sequences import stein_features
from ...nulls import sign_bins
from ...nulls.places import scattered
from ...result import Notice
from ...sample import Sample, Sequences
from ...targets import SequenceModel
from ...targets.sequence_model import Drawn
from ...targets.sequence_resolve import recoded
from ..stein.passes import located
from ..two_passes.sketch import ranks_of
from ..two_passes.spans import batches, digest
from .data import Given, improbable, unknown_symbol
from .drawn import Few
from .explanation import Totals
from .result import alike
from .statistic import Setup, sequence_hashes

Array = NDArray[np.float64]
Words = NDArray[np.uint64]

# Symbols of the data that are named where the model knows none.
NAMED = 5


@frozen
class Setting:
    """What every task needs to know.

    Attributes
    ----------
    model : SequenceModel
        Without what simulates from it.
    made : Setup
    several : bool
        Whether messages name the file.
    key : int
        Of the sequences that are drawn.
    rows : int
        Sequences of all files, once they were counted.
    keys : ndarray of uint64
        Of the bins.
    grain : float
        What sums are multiples of.
    """

    model: SequenceModel
    made: Setup
    several: bool
    key: int
    rows: int = 0
    keys: Words = field(default_factory=lambda: np.empty(0, np.uint64))
    grain: float = 1.0


@dataclass
class Seen:
    """What the first pass knows of some sequences.

    Attributes
    ----------
    rows, edits : int
        Sequences, and entries of their neighbourhoods.
    mark : int
        Sum of the hashes of all sequences, modulo 2^64.
    known : bool
        Whether they hold a symbol of the model.
    symbols : tuple of str
        A few that they hold.
    unknown, improbable : str
        The first sequence that the model cannot give: for a symbol, or for its probability.
    files : dict of int to tuple of int
        Rows read, used, dropped and filtered, by number of the file.
    ids : list of (int, ndarray of uint64)
        Number of a file, and hashes of what tells its sequences apart, where something does.
    few : Few
    notices : tuple of Notice
        On sequences that are neighbours, from the first block of all.
    """

    rows: int = 0
    edits: int = 0
    mark: int = 0
    known: bool = False
    symbols: tuple[str, ...] = ()
    unknown: str = ""
    improbable: str = ""
    files: dict[int, tuple[int, ...]] = field(default_factory=dict)
    ids: list[tuple[int, Words]] = field(default_factory=list)
    few: Few = field(default_factory=Few)
    notices: tuple[Notice, ...] = ()

    def add(self, more: Seen) -> None:
        """Take what was seen after this."""
        self.rows += more.rows
        self.edits += more.edits
        self.mark = (self.mark + more.mark) % 2**64
        self.known = self.known or more.known
        self.symbols = tuple(dict.fromkeys((*self.symbols, *more.symbols)))[:NAMED]
        self.unknown = self.unknown or more.unknown
        self.improbable = self.improbable or more.improbable
        for number, found in more.files.items():
            before = self.files.get(number, (0,) * len(found))
            self.files[number] = tuple(a + b for a, b in zip(before, found, strict=True))
        self.ids += more.ids
        self.few.add(more.few)
        self.notices += more.notices

    @property
    def grain(self) -> float:
        """A power of two whose multiples hold every sum exactly.

        No weight of an edit is above 1 (but roots of ratios may be), nor a change of a feature.
        """
        return 2.0 ** (math.ceil(math.log2(max(2, self.edits))) - 51)


def seen(reader: SpanReader, span: Any, how: Setting) -> Seen:
    """Read a span for the first time: a task."""
    out = Seen()
    for piece, sample in reader.samples(span, out.files):
        assert sample.sequences is not None
        given = Given(
            located(sample, sample.row_numbers - 1, piece.label, how.several),
            how.model,
            _recoded(sample, how.model),
        )
        codes, offsets = given.drawn
        block = Seen(sample.n, known=bool((codes >= 0).any()))
        block.symbols = sample.sequences.alphabet[:NAMED]
        block.edits = int(how.made.near.count(np.diff(offsets), len(how.model.alphabet)).sum())
        block.mark = int(np.add.reduce(sequence_hashes(codes, offsets)))
        block.unknown = unknown_symbol(given)
        if not (block.unknown or out.unknown or out.improbable):
            block.improbable = improbable(given, Work(threads=1))
        if given.sequences.labels:
            block.ids = [(piece.number, hashed(given.sequences.labels))]
        ranks = ranks_of(how.key, 0, piece.number, given.sample.row_numbers)
        block.few.add(out.few.nearer(ranks, codes, offsets))
        if not out.rows and not piece.number and not piece.first:
            block.notices = alike(np.diff(offsets))
        out.add(block)
    return out


def hashed(labels: tuple[str, ...]) -> Words:
    """A number per text."""
    words = (text.encode("utf-8", "surrogatepass") for text in labels)
    whole = b"".join(blake2b(word, digest_size=8).digest() for word in words)
    return np.frombuffer(whole, np.uint64)


def _recoded(sample: Sample, model: SequenceModel) -> Sequences:
    assert sample.sequences is not None
    return recoded(sample.sequences, model.alphabet)


@dataclass
class Sums:
    """Stein features summed by bin.

    Attributes
    ----------
    bins : ndarray (G, D)
    growth : ndarray (G,)
        Of the number of symbols.
    """

    bins: Array
    growth: Array

    @classmethod
    def empty(cls, how: Setting) -> Sums:
        groups = len(sign_bins(how.rows)) - 1
        return cls(np.zeros((groups, how.made.kernel.cells)), np.zeros(groups))

    def add(self, more: Sums) -> None:
        """Take the sums over other sequences."""
        self.bins += more.bins
        self.growth += more.growth

    @property
    def digest(self) -> str:
        """Of all sums: equal digests, equal answers."""
        return digest((self.bins, self.growth))


def summed(reader: SpanReader, span: Any, first: int, rows: int, how: Setting) -> Sums:
    """Read a span for the second time: a task; see `two_passes.spans.batches`."""
    out, starts = Sums.empty(how), sign_bins(how.rows)
    for _, _, batch, number in batches(reader, span, first, rows):
        place = scattered(np.arange(number, number + batch.n), how.rows, how.keys)
        bins = np.searchsorted(starts, place, side="right") - 1
        found = stein_features(
            *_codes(batch, how), how.model.distribution, how.made.kernel, how.made.near,
            how.made.balancing, bins, len(starts) - 1, Work(threads=1),
        )  # fmt: skip
        growth = np.bincount(bins, found.growth, len(starts) - 1).astype(float)
        for sums in (found.bins, growth):
            sums /= how.grain
            np.rint(sums, out=sums)
            sums *= how.grain
        out.add(Sums(found.bins, growth))
    return out


def explained(reader: SpanReader, span: Any, first: int, rows: int, how: Setting) -> Totals:
    """Read a span for the third time: a task. The kernel of `how` is the one that explains."""
    out = Totals.empty(how.made.kernel)
    for _, _, batch, _ in batches(reader, span, first, rows):
        data = _codes(batch, how)
        out.add(Totals.of(data, how.model.distribution, how.made, Work(threads=1)))
    return out


def _codes(sample: Sample, how: Setting) -> Drawn:
    found = _recoded(sample, how.model)
    return found.codes, found.offsets
