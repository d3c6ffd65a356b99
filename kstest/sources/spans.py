"""Spans: the rows of many files in pieces that any process can read by itself.

A span is some row groups of Parquet files, or one whole file of another format, of one side;
`survey` cuts files into them. `SpanFiles` reads a span by the same rules as `feeds`: columns,
conditions, missing cells. It can be pickled, so that the reader may be another process or machine
that sees the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from kstest.errors import DataError, KstestError
from kstest.frozen import frozen
from kstest.sample import Input, Sample
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.arrow_types import base_name
from kstest.sources.collect import open_firsts
from kstest.sources.columnar import BLOCK_CELLS, PARQUET, table_of
from kstest.sources.convert import BLOCK_ROWS
from kstest.sources.dialect_options import dialect
from kstest.sources.feeds import Feed
from kstest.sources.match import named_like, require_columns
from kstest.sources.nulls import Nulls
from kstest.sources.opening import open_table
from kstest.sources.options import ReadOptions
from kstest.sources.paths import is_store
from kstest.sources.pivot import opener_of
from kstest.sources.planning import require_kinds
from kstest.sources.stores import labelled, open_file, shown_path, stamp
from kstest.sources.stream import converting
from kstest.sources.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


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
        piece = self.pieces[0]
        if piece.groups is None:
            return labelled(piece.path)
        last = self.pieces[-1]
        more = f" to {labelled(last.path)}" if last.path != piece.path else ""
        return f"{labelled(piece.path)}{more}, {self.rows:,} rows from row {piece.first + 1:,}"


@frozen
class SpanFiles:
    """How the spans of a run are read.

    Attributes
    ----------
    firsts : mapping of str to str
        The first file of every side: these say which columns there are, and what they hold.
    options : ReadOptions
    """

    firsts: Mapping[str, str]
    options: ReadOptions

    def samples(
        self, span: Span, counts: dict[int, tuple[int, ...]] | None = None
    ) -> Iterator[tuple[Piece, Sample]]:
        """Yield the used rows of a span, block by block, in the order of the files.

        The codes of categories hold within a block only. `counts`, by number of the file, are added
        to: rows read, used, dropped and filtered.

        Raises
        ------
        DataError
            Also where a file is not the one that was looked at first.
        """
        nulls = Nulls.of(self.options)
        with ExitStack() as stack:
            openers = {s: [opener(p, s, self.options, nulls)] for s, p in self.firsts.items()}
            firsts, selection, plan = open_firsts(openers, self.options, stack)
            feed = Feed(
                span.side, plan, selection, self.options.missing, firsts[span.side], (), None, nulls
            )
            for piece in span.pieces:
                require_unchanged(piece.path, piece.stamp)
                opened = opener(piece.path, span.side, self.options, nulls, piece.groups)()
                table = named_like(opened, firsts[span.side])
                try:
                    require_columns(table, selection)
                    require_kinds(table, plan)
                    for sample in feed.of(table, piece.first):
                        yield piece, sample
                finally:
                    table.close()
                require_unchanged(piece.path, piece.stamp)
                if counts is not None:
                    _count(counts, piece.number, feed.inputs[-1])


def _count(counts: dict[int, tuple[int, ...]], number: int, found: Input) -> None:
    more = (found.rows_read, found.rows_used, found.rows_dropped, found.rows_filtered)
    before = counts.get(number, (0,) * len(more))
    counts[number] = tuple(a + b for a, b in zip(before, more, strict=True))


def is_parquet(path: str, options: ReadOptions) -> bool:
    """Whether a file is Parquet, uncompressed as a whole; whatever an error, others explain it."""
    if options.input_format not in (None, "parquet"):
        return False
    try:
        with open_file(path) as file:
            return bool(file.read(4) == b"PAR1")
    except (OSError, KstestError):
        return False


def opener(
    path: str,
    side: str,
    options: ReadOptions,
    nulls: Nulls | None,
    groups: tuple[int, ...] | None = None,
) -> Callable[[], Table]:
    """Open a file, or some row groups of it."""
    if is_store(path) or is_parquet(path, options):
        return opener_of(partial(_open_groups, path, groups), options, nulls)
    how = dialect(options, side)
    return opener_of(partial(open_table, path, options.input_format, how, None), options, nulls)


def _open_groups(path: str, groups: tuple[int, ...] | None) -> Table:
    """Open row groups of a Parquet file. No batch of rows crosses the border of two of them."""
    import pyarrow.parquet as pq

    where = labelled(path)
    if is_store(path) and stamp(path) is None:
        raise DataError(f"{where}: no such file. Check the bucket and the spelling.")
    with converting(where, " Only Parquet files are read from a store."):
        file = open_file(path)
        schema = pq.ParquetFile(file, **PARQUET).schema_arrow

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        texts = [n for n in names if base_name(schema.field(n).type) in ("string", "large_string")]
        file.seek(0)
        parquet = pq.ParquetFile(file, read_dictionary=texts, **PARQUET)
        rows = max(1024, min(BLOCK_ROWS, BLOCK_CELLS // max(len(names), 1)))
        every = range(parquet.metadata.num_row_groups) if groups is None else groups
        for group in every:
            stated, seen = parquet.metadata.row_group(group).num_rows, 0
            for batch in parquet.iter_batches(
                rows, row_groups=[group], columns=list(names), use_threads=False
            ):
                seen += batch.num_rows
                yield batch
            if seen != stated:
                raise DataError(
                    f"{where}: is damaged: row group {group + 1} states {stated:,} rows, and "
                    f"{seen:,} were found. Get the file again."
                )

    return table_of(shown_path(path), where, ArrowFile(schema, batches, lambda: None, file.close))


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
