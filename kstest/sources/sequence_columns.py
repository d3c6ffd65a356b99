"""Sequences in a column of lists or texts of a file with types (Parquet, Arrow)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources.arrow_file import BROKEN, ArrowFile, checked
from kstest.sources.arrow_types import base_name
from kstest.sources.convert import to_coded
from kstest.sources.sequence_text import Block, Symbols, tokenised
from kstest.sources.stream import converting
from kstest.sources.table import require_unique
from kstest.wording import listed, shown

_LISTS = ("list", "large_list")
_TEXTS = ("string", "large_string", "dictionary")


def open_lists(file: ArrowFile, column: str | None, where: str) -> tuple[str, Iterator[Any]]:
    """Read the column of lists (or texts) of a Parquet or Arrow file.

    Returns
    -------
    name : str
        Of the column: `column`, else the only one that holds lists, else texts.
    arrays : iterator of pyarrow.Array
        Its rows, in batches.
    """
    with converting(where, BROKEN):
        name = _column(file.schema, column, where)

    def arrays() -> Iterator[Any]:
        with converting(where, BROKEN):
            for batch in file.batches([name]):
                array = checked(batch.column(name))
                words = base_name(array.type) == "dictionary"
                yield array.dictionary_decode() if words else array

    return name, arrays()


def holds_lists(file: ArrowFile, name: str) -> bool:
    """Whether a column holds lists, and no texts."""
    return base_name(file.schema.field(name).type) in _LISTS


def _column(schema: Any, column: str | None, where: str) -> str:
    names = list(schema.names)
    require_unique(names, where)
    if column is not None:
        if column not in names:
            raise DataError(f"{where}: has no column {shown(column)}; it has {listed(names)}.")
        found = [column]
    else:
        for accepted in (_LISTS, _TEXTS):
            found = [n for n in names if base_name(schema.field(n).type) in accepted]
            if found:
                break
    if len(found) != 1:
        what = f"several such columns: {listed(found)}" if found else f"only {listed(names)}"
        raise DataError(
            f"{where}: name the column of sequences (lists or texts) with --column; found {what}. "
            "A table with a row per event takes --id, --order and --symbol."
        )
    kind = schema.field(found[0]).type
    inner = base_name(kind.value_type) if base_name(kind) in _LISTS else "string"
    if base_name(kind) not in (*_LISTS, *_TEXTS) or not (
        inner in _TEXTS or inner.startswith(("int", "uint"))
    ):
        raise DataError(
            f"{where}: column {shown(found[0])} holds {shown(kind)}; accepted: lists of texts or "
            "whole numbers, and texts."
        )
    return str(found[0])


def list_block(
    array: Any, tokens: str, symbols: Symbols, first: int, where: str
) -> tuple[Block, NDArray[np.bool_]]:
    """Take a batch of lists apart; `first` is the number of its first row."""
    _require_valid(array, first, where, "a list")
    flat = to_coded(array.flatten())
    wide = base_name(array.type) == "large_list"
    raw = np.frombuffer(array.buffers()[1], np.int64 if wide else np.int32)
    lengths = np.diff(raw[array.offset : array.offset + len(array) + 1]).astype(np.int64)
    missing = np.flatnonzero(flat.codes < 0)
    if len(missing):
        row = first + int(np.searchsorted(np.cumsum(lengths), missing[0], side="right"))
        raise DataError(
            f"{where}: the list in row {row:,} holds a missing value (null), which is no symbol. "
            "Write it as text, or leave it out."
        )
    codes = symbols.words(flat.levels, where)[flat.codes]
    return Block(codes, lengths), np.zeros(len(lengths), bool)


def text_block(
    array: Any, tokens: str, symbols: Symbols, first: int, where: str
) -> tuple[Block, NDArray[np.bool_]]:
    """Take a batch of texts apart, as lines of a file would be."""
    _require_valid(array, first, where, "a text")
    return tokenised([str(text) for text in array.to_pylist()], tokens, symbols, first, where)


def _require_valid(array: Any, first: int, where: str, what: str) -> None:
    if array.null_count:
        valid = array.is_valid().to_pylist()
        row = first + valid.index(False)
        raise DataError(
            f"{where}: row {row:,} holds no value, where {what} is needed. Leave such rows out, or "
            "make them empty."
        )
