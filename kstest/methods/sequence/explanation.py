"""Why sequences are rejected: the subsequences whose Stein features are farthest from 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Work
from ...engine.sequences import Subsequences
from ...findings import Column, Table, listed, number
from ...targets import SequenceModel
from ...targets.sequence_model import Distribution, Drawn
from .statistic import Setup, features_of

Array = NDArray[np.float64]

# Sequences simulated beside a rejection, for the shares that the model gives to subsequences.
SHOWN_ROWS = 20_000
LISTED = 10
# Of these, in words.
SAID = 5
# Cells of the features that explain: one bin only, so many more than a test takes.
MOST_CELLS = 1 << 21


def explaining_kernel(kernel: Subsequences, order: int) -> Subsequences:
    """Return the kernel of the longest subsequences of the test, or as long as memory allows.

    At least one symbol more than a window of the model: a chain that was fitted to like data makes
    the right share of every window it looks at, and too few or too many of longer ones.
    """
    S, length = kernel.symbols, max(order + 2, kernel.longest)
    while length > 1 and S**length > MOST_CELLS:
        length -= 1
    return Subsequences(S, length, length, most=max(MOST_CELLS, S))


@dataclass
class Totals:
    """Sums over sequences that explain, with a cell for every subsequence of one length.

    Attributes
    ----------
    n, windows : int
        Sequences, and places in them where a subsequence may begin.
    features, squares : ndarray (D,)
        Of the Stein features.
    counts : ndarray of int (D,)
        How often each subsequence occurs.
    """

    n: int
    windows: int
    features: Array
    squares: Array
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, data: Drawn, distribution: Distribution, made: Setup, work: Work) -> Totals:
        """Sum over sequences, by a kernel that `explaining_kernel` has made."""
        found = features_of(data, distribution, made, work)
        counts = _counts(data, made.kernel)
        windows = int(counts.sum())
        return cls(len(data[1]) - 1, windows, found.bins[0], found.squares, counts)

    @classmethod
    def empty(cls, kernel: Subsequences) -> Totals:
        D = kernel.cells
        return cls(0, 0, np.zeros(D), np.zeros(D), np.zeros(D, np.int64))

    def add(self, more: Totals) -> None:
        """Take the sums over other sequences."""
        self.n += more.n
        self.windows += more.windows
        self.features += more.features
        self.squares += more.squares
        self.counts += more.counts

    @property
    def shares(self) -> Array:
        """Share of each subsequence among all."""
        return self.counts / max(1, self.windows)


def explain(
    ours: Totals,
    model: SequenceModel,
    made: Setup,
    alpha: float,
    rng: np.random.Generator,
    work: Work,
) -> list[dict[str, Any]]:
    """Return the subsequences that the model makes too rarely or too often.

    Parameters
    ----------
    ours : Totals
        Of the data.
    model : SequenceModel
    made : Setup
        With the kernel of `ours`.
    alpha : float
    rng : numpy.random.Generator
        For sequences simulated from the model, where it can be sampled.
    work : Work

    Notes
    -----
    The mean over sequences of the Stein feature of a subsequence is 0 under the model, and the
    squared discrepancy is the sum of their squares: `share` is the part of one of them. The
    operator moves a sequence towards what the model finds more probable; where that removes
    the subsequence on average (a negative mean) the data hold more of it than the model makes.
    z is the mean over its standard error, the larger one of data and simulated sequences, for a
    subsequence that one of them lacks varies little there; beyond the two-sided normal quantile
    at `alpha`, Bonferroni over all subsequences, it is `notable`.
    """
    from scipy.special import ndtri

    kernel, alphabet, n = made.kernel, model.alphabet, ours.n
    theirs = None
    mean = ours.features / n
    spread = np.sqrt(np.maximum(ours.squares / n - mean**2, 0.0))
    if model.sample is not None:
        simulated = model.sample(min(SHOWN_ROWS, max(1000, n)), rng)
        theirs = Totals.of(simulated, model.distribution, made, work)
        spread = np.maximum(spread, np.sqrt(theirs.squares / theirs.n))
    z = np.divide(mean, spread / math.sqrt(n), out=np.zeros_like(mean), where=spread > 0)
    bound = -float(ndtri(alpha / (2 * max(1, int(np.count_nonzero(spread))))))
    shares, other = ours.shares, None if theirs is None else theirs.shares
    rows = []
    for cell in np.argsort(-np.abs(mean), kind="stable")[:LISTED]:
        if mean[cell] == 0:
            break
        rows.append(
            {
                "symbols": _subsequence(int(cell), kernel, alphabet),
                "model_makes": "too few" if mean[cell] < 0 else "too many",
                "mean": float(mean[cell]),
                "share": float(mean[cell] ** 2 / (mean @ mean)),
                "z": float(z[cell]),
                "notable": bool(abs(z[cell]) > bound),
                "share_data": float(shares[cell]),
                "share_model": None if other is None else float(other[cell]),
            }
        )
    return rows


def _subsequence(cell: int, kernel: Subsequences, alphabet: tuple[str, ...]) -> tuple[str, ...]:
    firsts = kernel.firsts
    k = int(np.searchsorted(firsts, cell, side="right")) - 1
    index, symbols = cell - int(firsts[k]), []
    for _ in range(kernel.shortest + k):
        index, digit = divmod(index, kernel.symbols)
        symbols.append(alphabet[digit])
    return tuple(reversed(symbols))


def _counts(drawn: Drawn, kernel: Subsequences) -> NDArray[np.int64]:
    """How often each subsequence of the one length of a kernel occurs."""
    codes, offsets = drawn
    left = np.repeat(offsets[1:], np.diff(offsets)) - np.arange(len(codes))  # symbols to the end
    start = np.flatnonzero(left >= kernel.longest)
    index = np.zeros(len(start), np.int64)
    for j in range(kernel.longest):
        index = index * kernel.symbols + codes[start + j]
    return np.bincount(index, minlength=kernel.cells)


def spelled(symbols: tuple[str, ...]) -> str:
    """Return a subsequence as one text: characters as they are, words with blanks between."""
    return ("" if all(len(s) == 1 for s in symbols) else " ").join(symbols)


def subsequences(rows: list[dict[str, Any]]) -> Table:
    """The finding of the same name, with those in words that are notable."""
    notable = [row for row in rows if row["notable"]]
    columns = (
        Column("symbols", "subsequence"),
        Column("model_makes", "the model makes"),
        Column("share_data", "share of the data", "share"),
        Column("share_model", "share of the model", "share"),
        Column("z", "z", ".1f"),
    )
    cells = tuple(
        tuple(spelled(row["symbols"]) if c.key == "symbols" else row[c.key] for c in columns)
        for row in rows
    )
    lines = listed("because", [_words(row) for row in notable[:SAID]])
    strong = tuple(row["notable"] for row in rows)
    return Table(
        "subsequences", rows, columns, "Subsequences", tuple(lines), strong=strong, cells=cells
    )


def _words(row: dict[str, Any]) -> str:
    text = f"the model makes {row['model_makes']} {spelled(row['symbols'])!r} (z {row['z']:.1f})"
    data, model = row["share_data"], row["share_model"]
    if model is None:
        return f"{text}: {number(100 * data)} % of the data"
    return f"{text}: {number(100 * data)} % of the data, {number(100 * model)} % of the model"


def sentence(found: list[dict[str, Any]]) -> str:
    """Say the strongest of it, where it is notable: "the model makes too few 'nn'"."""
    rows = [row for row in found if row["notable"]]
    if not rows:
        return ""
    return f"; the model makes {rows[0]['model_makes']} {spelled(rows[0]['symbols'])!r}"
