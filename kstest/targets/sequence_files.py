"""Models of sequences in JSON.

::

    {"model": "markov", "order": 2, "stop": 0.1,
     "transition": {"": {"a": 0.5, "b": 0.5}, "a": {...}, "b": {...}, "aa": {...}, ...}}
    {"model": "independent", "symbols": {"a": 0.5, "b": 0.5}, "length": {"poisson": 10}}
    {"model": "ngram", "counts": {"^ a": 12, "a b": 7, "b $": 9}, "smoothing": 0.5}
    {"model": "field", "weights": {"a": 0.1, "a a": 1.5}, "length": {"uniform": [1, 20]}}
    {"model": "hidden", "start": {"s": 1}, "transition": {"s": {"s": 0.9, "t": 0.1}, ...},
     "emission": {"s": {"a": 0.7, "b": 0.3}, ...}, "stop": 0.1}

Keys of contexts are symbols end to end where every symbol is one character, else separated by
blanks (n-grams and windows of a field always by blanks); "" is the beginning, and shorter contexts
are those near it. Probabilities that are not there are 0. ``stop`` is the probability of the end
after any symbol, one number or one per context (or state); rows of transitions are those of going
on. In place of ``stop``, ``length`` gives the distribution of the number of symbols (`lengths`). A
Markov random field has log weights of windows, and is not normalised. ``alphabet``, a list, adds
symbols that the other keys do not name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .files import once
from .hidden import hidden_model
from .lengths import length_distribution
from .markov import SMOOTHING, STOP, Context, chain, require_cells
from .sequence_csv import BEGIN, END, counts_model, read_text, split_symbols
from .sequence_model import SequenceModel, Windows
from .sequence_sampling import window_sampler

KEYS = {
    "markov": ("order", "transition", "stop", "length", "alphabet"),
    "independent": ("symbols", "stop", "length"),
    "ngram": ("counts", "smoothing"),
    "field": ("weights", "length", "alphabet"),
    "hidden": ("start", "transition", "emission", "stop", "length"),
}
NEEDED = {
    "markov": "transition",
    "independent": "symbols",
    "ngram": "counts",
    "field": "weights",
    "hidden": "emission",
}
MOST_ORDER = 20
# Log weight of a window; the exponential of twice as much is no number any more.
MOST_WEIGHT = 300.0


def read_json_model(path: str) -> SequenceModel:
    """Read a model from a JSON file.

    Raises
    ------
    DataError
        Naming the file and the key.
    """
    where = f"--target {path}"
    try:
        table = json.loads(read_text(path), object_pairs_hook=once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{where}: is not JSON: {error}") from None
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    kind = table.get("model") if isinstance(table, dict) else None
    if not isinstance(kind, str) or kind not in KEYS:
        raise DataError(f'{where}: needs a key "model", one of {", ".join(KEYS)}; found {kind!r}')
    unknown = sorted(set(table) - {"model", *KEYS[kind]})
    if unknown or NEEDED[kind] not in table:
        what = f"unknown key {unknown[0]!r}" if unknown else f"no key {NEEDED[kind]!r}"
        raise DataError(f"{where}: {what}; a model {kind!r} has {', '.join(KEYS[kind])}")
    if kind == "ngram":
        return _ngram(path, table, where)
    if kind == "field":
        return _field(path, table, where)
    if kind == "hidden":
        return hidden_model(path, _hidden_parts(table, where), *_ending(table, where))
    if kind == "independent":
        row = _numbers(table["symbols"], f"{where}: symbols")
        stop, lengths = _ending(table, where)
        return _markov(path, tuple(row), 0, {(): row}, stop, lengths, where)
    return _chain(path, table, where)


def _chain(path: str, table: Mapping[str, Any], where: str) -> SequenceModel:
    order = table.get("order", 1)
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= MOST_ORDER:
        raise DataError(f"{where}: order must be a whole number from 0 to {MOST_ORDER}")
    given = _tables(table["transition"], f"{where}: transition")
    alphabet = _alphabet(table, [s for row in given.values() for s in row], where)
    rows: dict[Context, dict[str, float]] = {}
    for key, row in given.items():
        context = _context(key, alphabet, f"{where}: transition")
        if len(context) > order:
            raise DataError(
                f"{where}: transition: the context {key!r} has {len(context)} symbols, the order "
                f"is {order}"
            )
        rows[context] = row
    stop, lengths = _ending(table, where)
    return _markov(path, alphabet, order, rows, stop, lengths, where)


def _markov(
    path: str,
    alphabet: tuple[str, ...],
    order: int,
    rows: Mapping[Context, Mapping[str, float]],
    stop: float | Mapping[str, float] | None,
    lengths: NDArray[np.float64] | None,
    where: str,
) -> SequenceModel:
    ends: dict[Context, float] = {}
    if isinstance(stop, Mapping):
        ends = {_context(key, alphabet, f"{where}: stop"): p for key, p in stop.items()}
    full: dict[Context, dict[str | None, float]] = {}
    for context, row in rows.items():
        total = sum(row.values())
        if abs(total - 1) > 1e-4:
            key = "".join(context) or "the beginning"
            raise DataError(
                f"{where}: the probabilities after {key!r} sum to {total:.6g}, not to 1; the end "
                "has its own key, stop"
            )
        end = 0.0
        if lengths is None:
            # An order of 0 has one context only, from which every end comes.
            fixed = stop if isinstance(stop, float) and (context or order == 0) else 0.0
            end = ends.get(context, fixed)
        full[context] = {symbol: p * (1 - end) for symbol, p in row.items()}
        if end > 0:
            full[context][STOP] = end
    return chain(path, alphabet, order, full, lengths)


def _ending(
    table: Mapping[str, Any], where: str
) -> tuple[float | Mapping[str, float] | None, NDArray[np.float64] | None]:
    """Return what stops a sequence: probabilities, or a distribution of lengths."""
    if ("stop" in table) == ("length" in table):
        raise DataError(
            f"{where}: give either stop, the probability of the end after a symbol, or length, the "
            "distribution of the number of symbols"
        )
    if "length" in table:
        return None, length_distribution(table["length"], f"{where}: length")
    if isinstance(table["stop"], dict):
        ends = _numbers(table["stop"], f"{where}: stop")
    else:
        ends = _numbers({"stop": table["stop"]}, where)
    if not all(0 <= p <= 1 for p in ends.values()):
        raise DataError(f"{where}: stop takes probabilities from 0 to 1")
    return (ends if isinstance(table["stop"], dict) else ends["stop"]), None


def _ngram(path: str, table: Mapping[str, Any], where: str) -> SequenceModel:
    counts = _numbers(table["counts"], f"{where}: counts")
    smoothing = _numbers({"smoothing": table.get("smoothing", SMOOTHING)}, where)["smoothing"]
    if min(counts.values()) < 0 or not 0 <= smoothing <= 1e6:
        raise DataError(f"{where}: counts and smoothing are numbers of at least 0")
    grams = {tuple(key.split()): value for key, value in counts.items()}
    if () in grams:
        raise DataError(f"{where}: counts: an empty n-gram; write symbols separated by blanks")
    return counts_model(path, grams, smoothing)


def _field(path: str, table: Mapping[str, Any], where: str) -> SequenceModel:
    """A Markov random field: the sum of the log weights of all windows, of any sizes."""
    weights = _numbers(table["weights"], f"{where}: weights")
    heavy = next((key for key, w in weights.items() if abs(w) > MOST_WEIGHT), None)
    if heavy is not None:
        raise DataError(
            f"{where}: weights: {heavy!r} is {weights[heavy]:g}; these are logarithms, accepted up "
            f"to {MOST_WEIGHT:g}"
        )
    marks = {BEGIN, END}
    named = [w for key in weights for w in key.split() if w not in marks]
    alphabet = _alphabet(table, named, where)
    grams = {tuple(key.split()): value for key, value in weights.items()}
    size = max((len(gram) for gram in grams), default=1)
    S = len(alphabet)
    cells = require_cells(S, size, where)
    place = {symbol: c for c, symbol in enumerate(alphabet)}
    values = np.zeros([S + 1] * size)
    for gram, weight in grams.items():
        if not gram or gram[-1] == BEGIN or END in gram[:-1]:
            raise DataError(
                f"{where}: weights: {' '.join(gram)!r}: symbols separated by blanks, {BEGIN} for "
                f"the beginning first and {END} for the end last"
            )
        # A shorter window is what the longer ones end with.
        digits = [S if symbol in marks else place[symbol] for symbol in gram]
        cells_of: tuple[Any, ...] = (..., *digits)
        values[cells_of] += weight
    if "length" not in table:
        raise DataError(f"{where}: a field needs length, weights of the number of symbols")
    lengths = length_distribution(table["length"], f"{where}: length")
    distribution = Windows(S, size, np.ascontiguousarray(values).reshape(cells), lengths)
    return SequenceModel(
        path, alphabet, size - 1, distribution, sample=window_sampler(distribution, path)
    )


def _hidden_parts(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for key in ("transition", "emission"):
        parts[key] = _tables(table.get(key), f"{where}: {key}")
    parts["start"] = _numbers(table.get("start"), f"{where}: start")
    return parts


def _alphabet(table: Mapping[str, Any], named: list[str], where: str) -> tuple[str, ...]:
    own = table.get("alphabet", [])
    if not isinstance(own, list) or not all(isinstance(s, str) and s for s in own):
        raise DataError(f"{where}: alphabet must be a list of texts")
    alphabet = tuple(dict.fromkeys([*own, *named]))
    if not alphabet:
        raise DataError(f"{where}: the model has no symbol")
    return alphabet


def _context(key: str, alphabet: tuple[str, ...], where: str) -> Context:
    return split_symbols(key, set(alphabet), where) if key else ()


def _tables(given: Any, where: str) -> dict[str, dict[str, float]]:
    if not isinstance(given, dict) or not given:
        raise DataError(
            f'{where}: must be a table of tables of numbers, such as {{"a": {{"b": 1}}}}'
        )
    return {key: _numbers(row, f"{where}: {key!r}") for key, row in given.items()}


def _numbers(given: Any, where: str) -> dict[str, float]:
    if not isinstance(given, dict) or not given:
        raise DataError(f'{where}: must be a table of numbers, such as {{"a": 0.5, "b": 0.5}}')
    out = {}
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: {key!r} is {str(value)[:40]!r}; accepted: a number")
        if not -1e300 <= value <= 1e300:
            raise DataError(f"{where}: {key!r} accepted: a finite number, up to 1e300")
        out[key] = float(value)
    return out
