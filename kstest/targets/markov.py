"""Markov chains of any order as models of windows: from probabilities, counts, or sequences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..sample import Sequences
from .sequence_model import MOST_CELLS, Array, Codes, Offsets, SequenceModel, Windows
from .sequence_sampling import window_sampler

# Rows that sum to 1 within this are taken as rounded, and normalised.
ROUNDED = 1e-4
# Added to every count (Krichevsky and Trofimov 1981): nothing is impossible for not being seen.
SMOOTHING = 0.5

Context = tuple[str, ...]
STOP = None
Row = Mapping[str | None, float]


def chain(
    name: str,
    alphabet: tuple[str, ...],
    order: int,
    rows: Mapping[Context, Row],
    lengths: Array | None = None,
    where: Mapping[Context, str] | None = None,
) -> SequenceModel:
    """Return the model of a Markov chain.

    Parameters
    ----------
    name : str
    alphabet : tuple of str
    order : int
    rows : mapping
        By context, the last `order` symbols or fewer at the beginning: the probability of each
        next symbol, and of the end under `STOP`. A symbol that is not there has probability 0.
    lengths : ndarray, optional
        Log weights of lengths in place of a stop probability.
    where : mapping, optional
        What to call a row in messages.

    Raises
    ------
    DataError
        For rows that do not sum to 1, contexts that can be reached and have no row, and chains
        that cannot end.
    """
    S = len(alphabet)
    cells = require_cells(S, order + 1, f"--target {name}")
    place = {symbol: c for c, symbol in enumerate(alphabet)}
    table = np.zeros((cells // (S + 1), S + 1))
    for context, row in rows.items():
        label = where[context] if where else f"the row of {spelled(context)}"
        values = np.zeros(S + 1)
        for symbol, p in row.items():
            if not 0 <= p <= 1 + ROUNDED:
                what = "the end" if symbol is STOP else repr(symbol)
                raise DataError(
                    f"--target {name}: {label} gives {what} the probability {p:g}; accepted: 0 to 1"
                )
            values[S if symbol is STOP else place[symbol]] = p
        total = values.sum()
        if abs(total - 1) > ROUNDED:
            raise DataError(
                f"--target {name}: {label} sums to {total:.6g}; probabilities of the next symbol"
                f"{' and of the end' if lengths is None else ''} must sum to 1"
            )
        table[context_index(context, place, order)] = values / total
    _require_sound(name, table, alphabet, order, lengths is None)
    return from_table(name, alphabet, order, table, lengths)


def from_table(
    name: str, alphabet: tuple[str, ...], order: int, table: Array, lengths: Array | None = None
) -> SequenceModel:
    """Return the model of a table of probabilities ((S + 1)^order, S + 1), end last."""
    with np.errstate(divide="ignore"):
        logs = np.log(table)
    if lengths is not None:
        logs[:, -1] = 0.0
    none = np.empty(0) if lengths is None else lengths
    distribution = Windows(len(alphabet), order + 1, logs.ravel(), none)
    return SequenceModel(
        name, alphabet, order, distribution, sample=window_sampler(distribution, name)
    )


def context_index(context: Context, place: Mapping[str, int], order: int) -> int:
    """Row of the table for a context; shorter ones are padded with the beginning."""
    base = len(place) + 1
    digits = [base - 1] * (order - len(context)) + [place[symbol] for symbol in context]
    index = 0
    for digit in digits:
        index = index * base + digit
    return index


def spelled(context: Context) -> str:
    """Return a context as messages show it."""
    joint = "" if all(len(symbol) == 1 for symbol in context) else " "
    return repr(joint.join(context)) if context else "the beginning"


def require_cells(S: int, size: int, where: str) -> int:
    """Return the cells of a table over windows, refusing too many."""
    cells = int((S + 1) ** size)
    if cells > MOST_CELLS:
        raise DataError(
            f"{where}: {S:,} symbols in windows of {size} make {cells:,} cells, more than "
            f"{MOST_CELLS:,}. Take a lower order, or join rare symbols"
        )
    return cells


def contexts_of(index: int, alphabet: tuple[str, ...], order: int) -> Context:
    """Inverse of `context_index`."""
    digits = []
    for _ in range(order):
        index, digit = divmod(index, len(alphabet) + 1)
        digits.append(digit)
    return tuple(alphabet[d] for d in reversed(digits) if d < len(alphabet))


def _require_sound(
    name: str, table: Array, alphabet: tuple[str, ...], order: int, stops: bool
) -> None:
    """Every context that can be reached has a row, and the end can be reached from it."""
    S, contexts = len(alphabet), len(table)
    after = (np.arange(contexts)[:, None] * (S + 1) + np.arange(S)) % contexts
    possible = table[:, :S] > 0
    reached = np.zeros(contexts, bool)
    front = np.array([contexts - 1])
    while len(front):
        reached[front] = True
        following = np.unique(after[front][possible[front]])
        front = following[~reached[following]]
    bare = np.flatnonzero(reached & ~(table.sum(axis=1) > 0))
    if len(bare):
        context = contexts_of(int(bare[0]), alphabet, order)
        raise DataError(
            f"--target {name}: {spelled(context)} can be reached but has no row of probabilities "
            "for what follows it"
        )
    if not stops:
        return
    ends = table[:, S] > 0
    while True:
        more = ends | (possible & ends[after]).any(axis=1)
        if (more == ends).all():
            break
        ends = more
    stuck = np.flatnonzero(reached & ~ends)
    if len(stuck):
        context = contexts_of(int(stuck[0]), alphabet, order)
        raise DataError(
            f"--target {name}: after {spelled(context)} the sequence can never end; give a "
            "probability of the end ($ in CSV, stop in JSON), or a distribution of lengths"
        )


def window_counts(codes: Codes, offsets: Offsets, S: int, size: int) -> NDArray[np.int64]:
    """Count all windows of sequences, beginnings and ends included; (S + 1)^size."""
    n, base = len(offsets) - 1, S + 1
    ends = offsets[1:] + np.arange(1, n + 1) - 1
    padded = np.full(len(codes) + n, S, np.int64)
    inner = np.ones(len(padded), bool)
    inner[ends] = False
    padded[inner] = codes
    begin = np.repeat(offsets[:-1] + np.arange(n), np.diff(offsets) + 1)
    place = np.arange(len(padded)) - begin
    index = np.zeros(len(padded), np.int64)
    for back in range(size - 1, -1, -1):
        shifted = np.full(len(padded), S, np.int64)
        within = place >= back
        shifted[within] = padded[np.flatnonzero(within) - back]
        index = index * base + shifted
    return np.bincount(index, minlength=base**size)


def counted(counts: Array, S: int, order: int, smoothing: float = SMOOTHING) -> Array:
    """Turn counts of windows into probabilities, `smoothing` added to each.

    A sequence without a symbol stays impossible if none was counted.
    """
    table = counts.reshape(-1, S + 1) + smoothing
    if counts.reshape(-1, S + 1)[-1, S] == 0:
        table[-1, S] = 0.0
    total = table.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(table, total, out=np.zeros_like(table), where=total > 0))


def fitted(
    name: str, alphabet: tuple[str, ...], order: int, found: Sequences, to_reference: bool
) -> SequenceModel:
    """Return the chain fitted to sequences (codes in `alphabet`) by counts, add one half.

    Notes
    -----
    The null hypothesis is composite: some chain of this order. `simulate` repeats the whole: it
    draws data, and where the chain was fitted to a file of its own (`to_reference`) that too,
    and fits again.
    """
    S = len(alphabet)
    require_cells(S, order + 1, f"--target {name}")

    def table(codes: Codes, offsets: Offsets) -> Array:
        counts = window_counts(codes, offsets, S, order + 1)
        return counted(counts.astype(np.float64), S, order)

    def distribution(probabilities: Array) -> Windows:
        with np.errstate(divide="ignore"):
            return Windows(S, order + 1, np.log(probabilities).ravel())

    model = from_table(name, alphabet, order, table(found.codes, found.offsets))
    draw, m = model.sample, len(found)
    assert draw is not None

    def simulate(n: int, rng: np.random.Generator) -> tuple[tuple[Codes, Offsets], Windows]:
        drawn = draw(n, rng)
        return drawn, distribution(table(*(draw(m, rng) if to_reference else drawn)))

    return SequenceModel(
        name,
        alphabet,
        order,
        model.distribution,
        sample=draw,
        simulate=simulate,
        own_alphabet=False,
    )
