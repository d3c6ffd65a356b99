"""--null-values in every format: numbers are compared as numbers, words as they are.

A sentinel is written -999, -999.0 or -9.99e+02, and in Parquet it is not written at all. pyarrow
compares cells of a CSV as text; here the cells that were read are looked at once more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kstest.columns import parse_items
from kstest.result import Notice
from kstest.sources.convert import by_value
from kstest.sources.options import ReadOptions
from kstest.sources.table import EMPTY, NUMBER, Block, Coded, Table, Wanted
from kstest.wording import listed

UNMET = "null-values-unmet"


@dataclass
class Nulls:
    """The values that mean missing, and how many cells held one.

    Attributes
    ----------
    words : tuple of str
        As given.
    numbers : ndarray (k,)
        Those of them that are numbers, also rounded to 32 bits as a column may hold them.
    texts : frozenset of str
        Words, and numbers as `by_value` writes them.
    exact : bool
        Whether all are numbers: then empty cells are no sign that one was met.
    met : int
        Cells that held one or, where that cannot be told, that were missing.
    """

    words: tuple[str, ...]
    numbers: NDArray[np.float64]
    texts: frozenset[str]
    exact: bool
    met: int = field(default=0)

    @classmethod
    def of(cls, options: ReadOptions) -> Nulls | None:
        """Return None where --null-values does not name any."""
        if not options.null_values:
            return None
        words = parse_items(options.null_values, "--null-values")
        plain = [word.strip().replace(options.decimal or ".", ".") for word in words]
        values = [x for x in map(_number, plain) if x is not None]
        single = [float(np.float32(x)) for x in values if abs(x) < np.finfo(np.float32).max]
        texts = frozenset([*words, *map(by_value, plain), *(by_value(repr(x)) for x in values)])
        return cls(words, np.unique([*values, *single]), texts, len(values) == len(words))

    def opening(self, opener: Callable[[], Table]) -> Callable[[], Table]:
        """Open tables in which these values are missing."""
        return lambda: self._table(opener())

    def _table(self, table: Table) -> Table:
        known: dict[int, str] = {}

        def kinds(picked: Sequence[int]) -> dict[int, str]:
            found = table.kinds(picked)
            known.update(found)
            return found

        def blocks(wanted: Wanted) -> Iterator[Block]:
            absent = [j for j in wanted.numbers if j not in known]
            known.update(table.kinds(absent) if absent else {})
            plain = [k for k, j in enumerate(wanted.numbers) if known[j] in (NUMBER, EMPTY)]
            exact = self.exact and len(plain) == len(wanted.numbers)
            for block in table.blocks(wanted):
                yield self._block(block, plain, exact)

        return replace(table, kinds=kinds, blocks=blocks)

    def _block(self, block: Block, plain: Sequence[int], exact: bool) -> Block:
        values, met = block.values, 0
        for number in self.numbers:
            hits = values[:, plain] == number
            if hits.any():
                values = values.copy() if values is block.values else values
                rows, columns = np.nonzero(hits)
                met += len(rows)
                values[rows, np.asarray(plain)[columns]] = np.nan
        texts = tuple(self._coded(text) for text in block.texts)
        pairs = zip(block.texts, texts, strict=True)
        met += sum(int(np.count_nonzero(a.codes != b.codes)) for a, b in pairs)
        if not exact:
            met += int(np.count_nonzero(np.isnan(values)))
            met += sum(int(np.count_nonzero(text.codes < 0)) for text in texts)
        self.met += met
        return replace(block, values=values, texts=texts)

    def _coded(self, text: Coded) -> Coded:
        levels = [
            k
            for k, level in enumerate(text.levels)
            if level in self.texts or by_value(level.strip()) in self.texts
        ]
        if not levels:
            return text
        return replace(text, codes=np.where(np.isin(text.codes, levels), -1, text.codes))

    def notices(self) -> tuple[Notice, ...]:
        """Say that no cell was met."""
        if self.met:
            return ()
        return (
            Notice(
                UNMET,
                f"--null-values: no cell holds {listed(self.words)}. Is the value another, or "
                "written in another way?",
            ),
        )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
