"""Symbols of sequences and their codes, collected block by block over all files of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.sample import Sequences
from kstest.sources.stream import CHUNK_BYTES, Stream, converting
from kstest.wording import shown

Codes = NDArray[np.int32]
Counts = NDArray[np.int64]

# Beyond this many different symbols a text was cut into the wrong tokens.
MOST_SYMBOLS = 1_000_000
_LAST_CHARACTER = 0x110000


@frozen
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


_INTEGER = re.compile(r"[+-]?[0-9]+")
_BOM = b"\xef\xbb\xbf"


def blocks_of_lines(
    stream: Stream, tokens: str, symbols: Symbols, where: str
) -> Iterator[tuple[Block, NDArray[np.bool_]]]:
    """Yield the sequences of a text and which of them are empty lines.

    Parameters
    ----------
    stream : Stream
        UTF-8 text.
    tokens : {'characters', 'words', 'integers', 'json'}
    symbols : Symbols
    where : str
        Name of the file, for messages.
    """
    number = 1
    for part in _whole_lines(stream, where):
        text = _decoded(part, number, where)
        if tokens == "characters":
            block = _characters(text, symbols)
            empty = block.lengths == 0
        else:
            block, empty = tokenised(text.split("\n"), tokens, symbols, number, where)
        yield block, empty
        number += len(empty)


def tokenised(
    lines: Sequence[str], tokens: str, symbols: Symbols, first: int, where: str
) -> tuple[Block, NDArray[np.bool_]]:
    """Cut lines into symbols; `first` is the number of the first of them."""
    if tokens == "characters":
        rows: list[Sequence[str]] = list(lines)
    elif tokens == "words":
        rows = [line.split() for line in lines]
    elif tokens == "json":
        rows = [_list(line, f"{where}: line {first + k:,}") for k, line in enumerate(lines)]
    else:
        rows = [_integers(line, f"{where}: line {first + k:,}") for k, line in enumerate(lines)]
    flat = [symbol for row in rows for symbol in row]
    lengths = np.array([len(row) for row in rows], np.int64)
    empty = np.array([not line.strip() for line in lines]) if tokens == "json" else lengths == 0
    return Block(symbols.words(flat, where), lengths), empty


def _whole_lines(stream: Stream, where: str) -> Iterator[bytes]:
    """Yield lines in blocks, without the last line end of each block; CRLF becomes LF."""
    parts: list[bytes] = []
    with converting(where):
        if stream.peek(3)[:3] == _BOM:
            stream.read(3)
    while chunk := _chunk(stream, where):
        cut = chunk.rfind(b"\n")
        if cut < 0:
            parts.append(chunk)
            continue
        yield b"".join([*parts, chunk[:cut]]).replace(b"\r\n", b"\n").removesuffix(b"\r")
        parts = [chunk[cut + 1 :]]
    last = b"".join(parts)
    if last:
        yield last.replace(b"\r\n", b"\n").removesuffix(b"\r")


def _chunk(stream: Stream, where: str) -> bytes:
    with converting(where):  # a compressed file that is cut off, an encoding that is another
        return stream.read(CHUNK_BYTES)


def _decoded(part: bytes, number: int, where: str) -> str:
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError as error:
        line = number + part.count(b"\n", 0, error.start)
        raise DataError(
            f"{where}: line {line:,} is not UTF-8 text (byte 0x{part[error.start]:02x}). Say "
            "--encoding, for example --encoding latin-1."
        ) from None


def _characters(text: str, symbols: Symbols) -> Block:
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    ends = np.flatnonzero(points == ord("\n"))
    edges = np.concatenate([[-1], ends, [len(points)]])
    codes = symbols.characters(points[points != ord("\n")])
    return Block(codes, np.diff(edges) - 1)


def _integers(line: str, where: str) -> list[str]:
    words = line.replace(",", " ").split()
    wrong = next((w for w in words if not _INTEGER.fullmatch(w) or len(w) > 19), None)
    if wrong is not None:
        raise DataError(
            f"{where} holds {shown(wrong)}; with --tokens integers every symbol is a whole number. "
            "For texts say --tokens words."
        )
    return [str(int(word)) for word in words]


def _list(line: str, where: str) -> list[str]:
    if not line.strip():
        return []
    accepted = 'accepted: a list of texts or whole numbers, such as ["a", "b"].'
    try:
        items = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = str(error).partition(":")[0]
        raise DataError(f"{where} is not JSON ({reason}): {shown(line)}; {accepted}") from None
    if not isinstance(items, list):
        raise DataError(f"{where} holds {shown(line)}; {accepted}")
    return [token(item, where) for item in items]


def token(item: Any, where: str) -> str:
    """Return a symbol as text.

    Raises
    ------
    DataError
        For anything but a text or a whole number.
    """
    if isinstance(item, str):
        return str(item)
    if isinstance(item, int | np.integer) and not isinstance(item, bool):
        return str(int(item))
    raise DataError(
        f"{where} holds the symbol {shown(item)}; accepted: texts and whole numbers. A missing "
        "value or a true/false is no symbol; write it as text."
    )
