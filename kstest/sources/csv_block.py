"""Columns of a CSV as pyarrow read them, to a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kstest.sources.convert import beyond_exact, to_coded, to_float64
from kstest.sources.csv_types import Types
from kstest.sources.levels import recoded
from kstest.sources.table import Block, Coded, Wanted

if TYPE_CHECKING:
    import pyarrow as pa


def block_of(columns: dict[int, Any], wanted: Wanted, types: Types, decimal: str) -> Block:
    """Convert the columns of a batch, by position."""
    words = {j: to_coded(columns[j]) for j in wanted.texts}
    values = np.empty((len(next(iter(columns.values()))), len(wanted.numbers)))
    rounded = []
    for k, j in enumerate(wanted.numbers):
        both = words.get(j)
        values[:, k] = (
            _numbers(both, types.declared[j], decimal) if both else to_float64(columns[j])
        )
        if j in types.whole and beyond_exact(values[:, k]):
            rounded.append(k)
    texts = (recoded(words[j], decimal) if j in wanted.by_value else words[j] for j in wanted.texts)
    return Block(values, tuple(rounded), tuple(texts))


def _numbers(words: Coded, kind: pa.DataType, decimal: str) -> Any:
    """Read words as numbers: the column is wanted as both."""
    import pyarrow as pa

    levels = [level.replace(decimal, ".") for level in words.levels]
    return np.append(to_float64(pa.array(levels, pa.string()).cast(kind)), np.nan)[words.codes]
