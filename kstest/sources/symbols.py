"""Symbols of sequences and their codes, collected block by block over all files of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sample import Sequences
from kstest.wording import shown

Codes = NDArray[np.int32]
Counts = NDArray[np.int64]

# Beyond this many different symbols a text was cut into the wrong tokens.
MOST_SYMBOLS = 1_000_000
_LAST_CHARACTER = 0x110000


@dataclass(frozen=True)
class Block:
    """Some sequences, end to end: provisional codes, and how many belong to each."""

    codes: Codes
    lengths: Counts


class Symbols:
    """Provisional codes: symbols in the order in which they were met."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._characters: Codes | None = None

    def words(self, words: Sequence[str], where: str) -> Codes:
        """Return the codes of some words, among them new ones."""
        codes = self._codes
        found = np.array([codes.setdefault(word, len(codes)) for word in words], np.int32)
        if len(codes) > MOST_SYMBOLS:
            raise DataError(
                f"{where}: more than {MOST_SYMBOLS:,} different symbols, such as "
                f"{shown(words[-1])}. Is each row a sequence, and --tokens right?"
            )
        return found

    def characters(self, points: NDArray[np.uint32]) -> Codes:
        """Return the codes of characters that are given by their code points."""
        if self._characters is None:
            self._characters = np.full(_LAST_CHARACTER, -1, np.int32)
        table = self._characters
        codes = table[points]
        fresh = np.unique(points[codes < 0])
        if len(fresh):
            table[fresh] = self.words([chr(point) for point in fresh], "")
            codes = table[points]
        return codes

    def join(self, blocks: list[Block], name: str) -> Sequences:
        """Put blocks together (the list is emptied), symbols in order: numbers, then texts."""
        lengths = np.concatenate([block.lengths for block in blocks] or [np.empty(0, np.int64)])
        used = np.zeros(len(self._codes), bool)
        for block in blocks:
            used[block.codes] = True
        alphabet = sorted((s for s, code in self._codes.items() if used[code]), key=_order)
        final = np.zeros(len(self._codes), np.int32)
        final[[self._codes[s] for s in alphabet]] = np.arange(len(alphabet), dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        codes, end = np.empty(offsets[-1], np.int32), int(offsets[-1])
        while blocks:  # from the last on, so that each is freed when it is copied
            part = final[blocks.pop().codes]
            codes[end - len(part) : end] = part
            end -= len(part)
        return Sequences(name, codes, offsets, tuple(alphabet))


def _order(symbol: str) -> tuple[bool, int, str]:
    whole = symbol.removeprefix("-")
    number = whole.isascii() and whole.isdecimal() and len(whole) < 20
    return not number, int(symbol) if number else 0, symbol
