"""Pieces of files, and spans of pieces, that any process can read by itself and twice.

A piece is a row group of a Parquet file, or a whole file. What is cut here follows from the files
alone, and so does every answer that is summed in the order of spans.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kstest.errors import DataError, KstestError, UsageError
from kstest.frozen import frozen
from kstest.result import Notice
from kstest.sample import Input
from kstest.sources.paths import is_query, is_store
from kstest.sources.remote import require_no_password
from kstest.sources.row_groups import footer
from kstest.sources.stores import labelled, open_file, shown_path, stamp
from kstest.sources.stream import converting
from kstest.wording import label

# Spans at most, and what a row of text is taken to be before it is read.
MOST_SPANS = 256
ROW_BYTES = 32


@frozen
class Piece:
    """A part of a file.

    Attributes
    ----------
    path : str
        Absolute, or an address.
    number : int
        Of the file among those of its side.
    groups : tuple of int or None
        Row groups of a Parquet file; None for the whole file.
    first, rows : int
        Number of rows before it in the file, and of its own; of text `rows` is a guess.
    stamp : (int, int)
        Size and time of the file when it was looked at first.
    """

    path: str
    number: int
    groups: tuple[int, ...] | None
    first: int
    rows: int
    stamp: tuple[int, int]

    @property
    def label(self) -> str:
        """Its file, for messages."""
        return labelled(self.path)


@frozen
class Span:
    """Some rows of one side: pieces that are read one after the other."""

    side: str
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """Rows in it, before conditions; of text a guess."""
        return sum(piece.rows for piece in self.pieces)

    @property
    def words(self) -> str:
        """For messages."""
        piece, last = self.pieces[0], self.pieces[-1]
        more = f" to {last.label}" if last.path != piece.path else ""
        if piece.groups is None:
            return f"{piece.label}{more}"
        return f"{piece.label}{more}, {self.rows:,} rows from row {piece.first + 1:,}"


@frozen
class Pieces:
    """What is known of all files before any row is read, whatever they hold.

    Attributes
    ----------
    files : SpanReader
    spans : tuple of Span
    paths : mapping of str to tuple of str
        As they were written, by side.
    """

    files: Any
    spans: tuple[Span, ...]
    paths: Mapping[str, tuple[str, ...]]

    @property
    def numbered(self) -> bool:
        """Whether the number of rows is known, and not a guess."""
        return all(p.groups is not None for span in self.spans for p in span.pieces)

    @property
    def stamps(self) -> dict[str, tuple[int, int]]:
        """Size and time of every local file."""
        pieces = (piece for span in self.spans for piece in span.pieces)
        return {p.path: p.stamp for p in pieces if not is_store(p.path)}

    def inputs(self, side: str, counts: Sequence[tuple[int, ...]]) -> tuple[Input, ...]:
        """Files of a side, from the rows read, used, dropped and filtered of each."""
        return tuple(
            Input(shown_path(path), read, used, dropped, None, filtered)
            for path, (read, used, dropped, filtered) in zip(self.paths[side], counts, strict=True)
        )


def is_parquet(path: str, input_format: str | None) -> bool:
    """Whether a file is Parquet, uncompressed as a whole; whatever an error, others explain it."""
    if input_format not in (None, "parquet"):
        return False
    try:
        with open_file(path) as file:
            return bool(file.read(4) == b"PAR1")
    except (OSError, KstestError):
        return False


def pieces_of(path: str, number: int, found: tuple[int, int], by_groups: bool) -> Iterator[Piece]:
    """A piece for every row group, or one for the file as a whole."""
    if not by_groups:
        yield Piece(path, number, None, 0, max(1, found[0] // ROW_BYTES), found)
        return
    with converting(labelled(path)):
        metadata = footer(path, found)
        rows = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
    if not sum(rows):
        raise DataError(f"{labelled(path)}: has columns but no rows. At least one row is needed.")
    first = 0
    for group, count in enumerate(rows):
        if count:
            yield Piece(path, number, (group,), first, count, found)
        first += count


def spans_of_pieces(
    pieces: Mapping[str, Sequence[Piece]], least: int, whole: bool = True
) -> Iterator[Span]:
    """Put pieces together to spans of about one size, fixed by the files alone.

    Parameters
    ----------
    pieces : mapping
        By side.
    least : int
        Rows of a span, at least where files have as many.
    whole : bool
        Whether a file that is read as a whole is a span of its own, however small it is.
    """
    total = sum(piece.rows for some in pieces.values() for piece in some)
    target = max(least, -(-total // MOST_SPANS))
    for side, some in pieces.items():
        held: list[Piece] = []
        for piece in some:
            alone = whole and piece.groups is None
            if held and (alone or sum(p.rows for p in held) + piece.rows > target):
                yield Span(side, tuple(held))
                held = []
            held.append(piece)
            if alone:
                yield Span(side, tuple(held))
                held = []
        if held:
            yield Span(side, tuple(held))


def repeated(files: Mapping[str, Sequence[str]]) -> Iterator[Notice]:
    """The same file twice: rows that are no independent draws."""
    seen: dict[str, str] = {}
    for side, paths in files.items():
        for path in paths:
            place = path if is_store(path) else os.path.realpath(path)
            here = f"{labelled(path)} ({side})"
            if place in seen:
                yield Notice(
                    "same-file",
                    f"{seen[place]} and {here} are the same file: the rows are not independent "
                    "draws.",
                )
                return
            seen[place] = here


def require_lasting(sides: Mapping[str, Sequence[str]]) -> None:
    """Refuse what cannot be read twice, and by anybody.

    Raises
    ------
    UsageError
    """
    for path in (path for paths in sides.values() for path in paths):
        if is_store(path):
            require_no_password(path)
        if is_query(path) or path.startswith(("http://", "https://")):
            raise UsageError(
                f"{label(path)}: not with --scheduler, which reads files twice and in parts; "
                "accepted: local files, s3://, gs:// and abfs://"
            )
        if not is_store(path) and stat.S_ISFIFO(_mode(path)):
            raise UsageError(
                f"{label(path)}: is a pipe, which can be read only once, and --scheduler reads "
                "twice; name a file"
            )
    if any(path == "-" for paths in sides.values() for path in paths):
        raise UsageError(
            "-: standard input can be read only once, and --scheduler reads twice; name a file"
        )


def _mode(path: str) -> int:
    """Kind of a local file; 0 where it is not there, or is a glob."""
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return 0


def require_unchanged(path: str, then: tuple[int, int]) -> None:
    """Refuse a file that is not the one that was looked at first.

    Raises
    ------
    DataError
    """
    now = stamp(path)
    if now is None:
        raise DataError(
            f"{labelled(path)}: is not there any more, or not where it is read: put the "
            "files where all workers see them"
        )
    if now != then:
        raise DataError(
            f"{labelled(path)}: has changed while it was read (size or time differ from "
            "those before the first pass); run again when nobody writes to it"
        )


def add_counts(counts: dict[int, tuple[int, ...]], number: int, found: Input) -> None:
    """Add what was read, used, dropped and filtered to the counts of a file."""
    more = (found.rows_read, found.rows_used, found.rows_dropped, found.rows_filtered)
    before = counts.get(number, (0,) * len(more))
    counts[number] = tuple(a + b for a, b in zip(before, more, strict=True))
