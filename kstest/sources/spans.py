"""Spans: the rows of many files in pieces that any process can read by itself.

A span is some row groups of Parquet files, or one whole file of another format, of one side;
`survey` cuts files into them. `SpanFiles` reads a span by the same rules as `feeds`: columns,
conditions, missing cells. It can be pickled, so that the reader may be another process or machine
that sees the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial

from kstest.frozen import frozen
from kstest.sample import Sample
from kstest.sources.collect import open_firsts
from kstest.sources.columnar import table_of
from kstest.sources.dialect_options import dialect
from kstest.sources.feeds import Feed
from kstest.sources.match import named_like, require_columns
from kstest.sources.nulls import Nulls
from kstest.sources.opening import open_table
from kstest.sources.options import ReadOptions
from kstest.sources.paths import is_store
from kstest.sources.pieces import (
    Piece,
    Span,
    add_counts,
    is_parquet,
    require_unchanged,
)
from kstest.sources.pivot import opener_of
from kstest.sources.planning import require_kinds
from kstest.sources.row_groups import groups_file
from kstest.sources.stores import labelled, shown_path
from kstest.sources.table import Table


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
                    add_counts(counts, piece.number, feed.inputs[-1])


def opener(
    path: str,
    side: str,
    options: ReadOptions,
    nulls: Nulls | None,
    groups: tuple[int, ...] | None = None,
) -> Callable[[], Table]:
    """Open a file, or some row groups of it."""
    if is_store(path) or is_parquet(path, options.input_format):
        return opener_of(partial(_open_groups, path, groups), options, nulls)
    how = dialect(options, side)
    return opener_of(partial(open_table, path, options.input_format, how, None), options, nulls)


def _open_groups(path: str, groups: tuple[int, ...] | None) -> Table:
    return table_of(shown_path(path), labelled(path), groups_file(path, groups))
