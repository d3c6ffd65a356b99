"""Why sequences are rejected: the subsequences whose Stein features are farthest from 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Work
from ...engine.sequences import Subsequences
from ...findings import Column, Table, listed, number
from ...targets import SequenceModel
from ...targets.sequence_model import Drawn
from .statistic import Setup, features_of

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


def explain(
    data: Drawn,
    simulated: Drawn | None,
    model: SequenceModel,
    made: Setup,
    alpha: float,
    work: Work,
) -> list[dict[str, Any]]:
    """Return the subsequences that the model makes too rarely or too often.

    Parameters
    ----------
    data : Drawn
    simulated : Drawn or None
        Sequences simulated from the model.
    model : SequenceModel
    made : Setup
        With a kernel that gives every subsequence a cell of its own.
    alpha : float
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

    kernel, alphabet = made.kernel, model.alphabet
    found = features_of(data, model.distribution, made, work)
    n = len(data[1]) - 1
    mean = found.bins[0] / n
    spread = np.sqrt(np.maximum(found.squares / n - mean**2, 0.0))
    if simulated is not None:
        again = features_of(simulated, model.distribution, made, work)
        spread = np.maximum(spread, np.sqrt(again.squares / len(again.norms)))
    z = np.divide(mean, spread / math.sqrt(n), out=np.zeros_like(mean), where=spread > 0)
    bound = -float(ndtri(alpha / (2 * max(1, int(np.count_nonzero(spread))))))
    ours = _shares(data, kernel)
    theirs = None if simulated is None else _shares(simulated, kernel)
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
                "share_data": float(ours[cell]),
                "share_model": None if theirs is None else float(theirs[cell]),
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


def _shares(drawn: Drawn, kernel: Subsequences) -> NDArray[np.float64]:
    """Share of each subsequence among all of its length."""
    codes, offsets = drawn
    firsts = kernel.firsts
    out = np.zeros(int(firsts[-1]))
    left = np.repeat(offsets[1:], np.diff(offsets)) - np.arange(len(codes))  # symbols to the end
    for k, length in enumerate(range(kernel.shortest, kernel.longest + 1)):
        start = np.flatnonzero(left >= length)
        index = np.zeros(len(start), np.int64)
        for j in range(length):
            index = index * kernel.symbols + codes[start + j]
        counts = np.bincount(index, minlength=kernel.symbols**length)
        out[firsts[k] : firsts[k + 1]] = counts / max(1, len(start))
    return out


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
