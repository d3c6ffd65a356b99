"""Models of sequences in CSV: a table of transition probabilities, or counts of n-grams.

::

    ,a,b,$              ngram,count
    ^,0.7,0.3,0         ^ a,12
    a,0.2,0.5,0.3       a b,7
    b,0.6,0.2,0.2       b $,9

``^`` is the beginning and ``$`` the end. A row of the table is labelled by the symbols before: one
for a chain of first order, two for second order (``ab``, ``^a``, ``^^``), and so on; symbols of
several characters are separated by blanks (``log in``).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..wording import meant_file
from .markov import (
    SMOOTHING,
    STOP,
    Context,
    chain,
    context_index,
    counted,
    from_table,
    require_cells,
)
from .sequence_model import SequenceModel

BEGIN, END = "^", "$"
MOST_BYTES = 100_000_000


def read_csv_model(path: str) -> SequenceModel:
    """Read a chain from a CSV file.

    Raises
    ------
    DataError
        Naming the file, the line and what was expected.
    """
    lines = _lines(path)
    number, header = next(lines, (1, []))
    if [cell.strip().lower() for cell in header] == ["ngram", "count"]:
        return _counts(path, lines)
    symbols = header[1:]
    where = f"--target {path}: line {number}"
    if len(symbols) < 2 or len(set(symbols)) < len(symbols) or "" in symbols:
        raise DataError(
            f"{where}: expected an empty cell, then the symbols, each once, then {END} for the "
            "end, such as ,a,b,$"
        )
    if END not in symbols:
        raise DataError(
            f"{where}: has no column {END}, the probability of the end; a chain with a "
            "distribution of lengths is written in JSON"
        )
    alphabet = tuple(symbol for symbol in symbols if symbol != END)
    rows: dict[Context, dict[str | None, float]] = {}
    labels: dict[Context, str] = {}
    order = 1
    for number, cells in lines:
        where = f"--target {path}: line {number}"
        if len(cells) != len(header):
            raise DataError(f"{where}: has {len(cells)} cells, the first line has {len(header)}")
        tokens = split_symbols(cells[0], {*alphabet, BEGIN}, where)
        order = max(order, len(tokens))
        context = tuple(token for token in tokens if token != BEGIN)
        if tokens[: len(tokens) - len(context)] != (BEGIN,) * (len(tokens) - len(context)):
            raise DataError(f"{where}: {cells[0]!r} has {BEGIN} behind a symbol; it stands first")
        if context in rows:
            raise DataError(f"{where}: a second row for {cells[0]!r}")
        values = [_number(cell, where) for cell in cells[1:]]
        pairs = zip(symbols, values, strict=True)
        rows[context] = {STOP if s == END else s: value for s, value in pairs if value != 0}
        labels[context] = f"line {number} ({cells[0]!r})"
    short = [c for c in rows if len(c) > order]
    assert not short
    if () not in rows:
        raise DataError(f"--target {path}: has no row {BEGIN}, what a sequence begins with")
    return chain(path, alphabet, order, rows, where=labels)


def counts_model(
    name: str,
    counts: Mapping[tuple[str, ...], float],
    smoothing: float = SMOOTHING,
) -> SequenceModel:
    """Return the chain of counts of n-grams, with `BEGIN` and `END` marks in them.

    The longest n-gram gives n; shorter ones are counted as they are, which is what a sequence
    begins with where `BEGIN` was written once only.
    """
    size = max((len(gram) for gram in counts), default=0)
    seen = {symbol: None for gram in counts for symbol in gram if symbol not in (BEGIN, END)}
    alphabet = tuple(seen)
    ended = any(gram[-1] == END for gram in counts)
    if (
        size < 1
        or not alphabet
        or not ended
        or (size > 1 and not any(g[0] == BEGIN for g in counts))
    ):
        raise DataError(
            f"--target {name}: counts of n-grams must tell how sequences begin ({BEGIN} before the "
            f"first symbol) and end ({END} behind the last), such as '{BEGIN} a' and 'a {END}'"
        )
    order, S = size - 1, len(alphabet)
    place = {symbol: c for c, symbol in enumerate(alphabet)}
    table = np.zeros((require_cells(S, size, f"--target {name}") // (S + 1), S + 1))
    for gram, count in counts.items():
        context = tuple(symbol for symbol in gram[:-1] if symbol != BEGIN)
        if len(gram) < size and BEGIN not in gram:
            continue  # a shorter n-gram inside is counted in the longer ones already
        if END in context or gram[-1] == BEGIN:
            raise DataError(
                f"--target {name}: the n-gram {' '.join(gram)!r}: {BEGIN} stands first and {END} "
                "last"
            )
        last = S if gram[-1] == END else place[gram[-1]]
        table[context_index(context, place, order), last] += count
    return from_table(name, alphabet, order, counted(table, S, order, smoothing))


def split_symbols(text: str, known: set[str], where: str) -> tuple[str, ...]:
    """Cut the label of a context into symbols.

    One symbol as it is; with blanks, words; else characters.
    """
    words = (text,) if text in known else tuple(text.split())
    if len(words) == 1 and text not in known:
        words = tuple(text.strip())
    strange = [word for word in words if word not in known]
    if strange or not words:
        what = repr(strange[0]) if strange else "an empty cell"
        raise DataError(
            f"{where}: {text!r} holds {what}, which is no symbol of the model; its symbols are "
            f"{listed(sorted(known))}"
        )
    return words


def listed(symbols: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(symbols) - 10:,} more" if len(symbols) > 10 else ""
    return ", ".join(repr(s)[:40] for s in symbols[:10]) + more


def _counts(path: str, lines: Iterator[tuple[int, list[str]]]) -> SequenceModel:
    counts: dict[tuple[str, ...], float] = {}
    for number, cells in lines:
        where = f"--target {path}: line {number}"
        if len(cells) != 2:
            raise DataError(f"{where}: expected an n-gram and its count, such as '^ a',12")
        gram, count = tuple(cells[0].split()), _number(cells[1], where)
        if not gram or not 0 <= count < 1e15:
            raise DataError(
                f"{where}: {cells[0]!r}, {cells[1]!r}; accepted: symbols separated by blanks, and "
                "a count of at least 0"
            )
        counts[gram] = counts.get(gram, 0.0) + count
    return counts_model(path, counts)


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell) if cell.strip() else 0.0
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: found {cell[:40]!r} where a number is needed")
    return value


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and cells of the lines that are not empty."""
    text = read_text(path)
    delimiter = max(",\t;", key=text.partition("\n")[0].count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"--target {path}: line {reader.line_num}: {error}") from None


def read_text(path: str) -> str:
    """Read a model's file as UTF-8 text.

    Raises
    ------
    DataError
    """
    file = Path(path)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise DataError(f"--target {path}: larger than {MOST_BYTES:,} bytes")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        hint = meant_file(path) if isinstance(error, FileNotFoundError) else ""
        raise DataError(f"--target {path}: cannot be read: {error.strerror}{hint}") from None
    except ValueError:
        raise DataError(f"--target {path}: is not UTF-8 text") from None
