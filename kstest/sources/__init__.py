"""Sources: files, streams and objects in, Samples out.

This room reads CSV, Parquet and Arrow IPC (plain, gzip or zstd; files, pipes, standard input),
arrays, DataFrames and anything with the Arrow C stream interface. It selects and matches columns,
tells numbers from categories, refuses, drops or marks missing values, and notes what may weaken a
verdict. After it nobody checks data again.

It is not for statistics: no scaling, no use of weights, no minimum number of rows.

::

    path -> formats -> csv_table | columnar ->  Table  -> match -> plan -> rows -> join -> Sample
                                         objects ->    "      (collect calls these in turn)

`table` says what a reader must give; add a format as one reader and one line in `formats`.
`pivot` makes a Table of events of one of hits.
`sequences` reads sequences of symbols instead, for tests that say so (`reader`).
`categories` asks whether text holds categories, by `spellings`; `likeness` and `tracks` what tells
two sides apart; `watch` does so for streams. `nulls` is --null-values, `beside` files of other
options.
`columns` is the language of --columns, `convert` the way from Arrow to float64 and codes, `levels`
what makes two categories the same. pyarrow is imported where it is used, pandas never (a DataFrame
comes with its own).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from kstest.columns import Pivot
from kstest.errors import UsageError
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.beside import Beside, options_beside, sample_of, samples_beside
from kstest.sources.collect import collect
from kstest.sources.dialect import dialect
from kstest.sources.feeds import Feed, common_notices, open_feeds
from kstest.sources.formats import open_table
from kstest.sources.growing import Rewritten, Waiting
from kstest.sources.nulls import Nulls
from kstest.sources.objects import join_objects, open_object
from kstest.sources.options import (
    FILES_ONLY,
    OPTIONS,
    ReadOptions,
    columns_of,
    given_options,
    read_options,
)
from kstest.sources.pivot import pivot_of, pivoted
from kstest.sources.sequence_options import (
    SEQUENCE_FILES_ONLY,
    SEQUENCE_OPTIONS,
    SequenceOptions,
    sequence_options,
)
from kstest.sources.sequences import read_sequences, sequences_from_objects
from kstest.sources.stream import expand
from kstest.sources.table import Table

__all__ = [
    "FILES_ONLY",
    "OPTIONS",
    "SEQUENCE_OPTIONS",
    "Beside",
    "Feed",
    "Pivot",
    "ReadOptions",
    "Reader",
    "Rewritten",
    "SequenceOptions",
    "Waiting",
    "columns_of",
    "common_notices",
    "given_options",
    "join_objects",
    "pivot_of",
    "read_feeds",
    "read_options",
    "read_samples",
    "read_sequences",
    "reader",
    "sample_of",
    "samples_from_objects",
    "sequences_from_objects",
]


@dataclass(frozen=True)
class Reader:
    """One kind of data, and what the command line and the Python functions need to read it.

    Attributes
    ----------
    options : tuple of dataclass fields
        What the user may say about reading.
    files_only : frozenset of str
        Those of them that mean nothing for Python objects.
    choose : callable
        Roles, options as given, a choice of columns or None -> checked options.
    read, take : callable
        Files, or Python objects, by side -> samples and notices.
    beside : callable
        Options, a sample and what stands beside it -> options that read that.
    """

    options: tuple[Any, ...]
    files_only: frozenset[str]
    choose: Callable[..., Any]
    read: Callable[..., tuple[tuple[Sample, ...], tuple[Notice, ...]]]
    take: Callable[..., tuple[tuple[Sample, ...], tuple[Notice, ...]]]
    beside: Callable[..., Any]

    def with_beside(
        self,
        module: Any,
        params: Any,
        samples: Sequence[Sample],
        notices: Sequence[Notice],
        options: Any,
        stdin: BinaryIO | None = None,
    ) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
        """Read what options of a test name beside its samples; return all of them."""

        def read(beside: Beside, given: Any) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
            how = self.beside(options, samples[0], beside)
            if isinstance(given, str):
                return self.read({beside.option: [given]}, how, stdin)
            return self.take({beside.option: given}, how)

        return samples_beside(module, params, samples, notices, read)


def reader(module: Any) -> Reader:
    """Return the Reader of a test: tables, unless its module says ``READS = "sequences"``."""
    if getattr(module, "READS", "tables") == "sequences":
        return Reader(
            SEQUENCE_OPTIONS,
            SEQUENCE_FILES_ONLY,
            sequence_options,
            read_sequences,
            sequences_from_objects,
            lambda options, data, beside: options,
        )
    return Reader(
        OPTIONS, FILES_ONLY, read_options, read_samples, samples_from_objects, options_beside
    )


def read_samples(
    sides: Mapping[str, Sequence[str]], options: ReadOptions, stdin: BinaryIO | None = None
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Read one sample per side from files.

    Parameters
    ----------
    sides : mapping of str to sequence of str
        Paths and globs by side, for example ``{"reference": ["a.csv"], "sample": ["-"]}``. The
        order of the sides is kept; the first file of the first side rules the column order.
        With `options.sample_column` one entry of any name: its files are split.
    options : ReadOptions
        Column selection, missing values, format.
    stdin : binary file, optional
        What ``-`` reads.

    Returns
    -------
    samples : tuple of Sample
        In the order of `sides`, or of `options.values`.
    notices : tuple of Notice
        ``same-file``, ``same-content``, ``missing-values``, ``rows-dropped``,
        ``rows-unassigned``, ``rounded``.

    Raises
    ------
    UsageError, DataError
        With a message for the user. No other exception comes from bad input.
    """
    files = _files(sides)
    how, nulls = dialect(options), Nulls.of(options)
    samples, notices = collect(
        {
            side: [
                _opener(partial(open_table, path, options.input_format, how, stdin), options, nulls)
                for path in paths
            ]
            for side, paths in files.items()
        },
        options,
    )
    return samples, (*notices, *(nulls.notices() if nulls else ()))


@contextmanager
def read_feeds(
    sides: Mapping[str, Sequence[str]],
    options: ReadOptions,
    stdin: BinaryIO | None = None,
    follow: str = "",
    waiting: Waiting | None = None,
) -> Iterator[dict[str, Feed]]:
    """Open files and streams whose rows are taken block by block, in their order.

    Parameters
    ----------
    sides, options, stdin
        As for `read_samples`, without `options.sample_column`. A pipe gives its rows as they come.
    follow : str
        The side whose only file is followed as it grows; it ends when it is renamed or removed.
    waiting : Waiting, optional
        What to do while no rows come, and afterwards why a file that was followed came to its end.

    Yields
    ------
    dict of str to Feed
        By side.

    Raises
    ------
    UsageError, DataError
        Also while a feed is read.
    """
    files = _files(sides)
    how, nulls = dialect(options), Nulls.of(options)
    if follow and files[follow] == ["-"]:
        raise UsageError(
            "--follow: standard input is read as it comes; name a file, or leave it out."
        )
    if follow and len(files[follow]) != 1:
        raise UsageError(f"--follow: found {len(files[follow])} files; one can be followed.")
    openers = {
        side: [
            _opener(
                partial(
                    open_table,
                    path,
                    options.input_format,
                    how,
                    stdin,
                    waiting or Waiting(),
                    side == follow,
                ),
                options,
                nulls,
            )
            for path in paths
        ]
        for side, paths in files.items()
    }
    with open_feeds(openers, options, nulls) as feeds:
        yield feeds


def _files(sides: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Expand globs; standard input is for one."""
    files = {
        side: [p for path in paths for p in expand(path, side)] for side, paths in sides.items()
    }
    if sum(paths.count("-") for paths in files.values()) > 1:
        raise UsageError("-: standard input was named more than once; it can be read only once.")
    return files


def _opener(
    opener: Callable[[], Table], options: ReadOptions, nulls: Nulls | None
) -> Callable[[], Table]:
    """Open a table whose cells may be `nulls`; one of hits as that of its events."""
    opener = opener if nulls is None else nulls.opening(opener)
    how = options.pivot
    if how is None:
        return opener

    def events() -> Table:
        table = opener()
        try:
            return pivoted(table, how)
        except BaseException:
            table.close()
            raise

    return events


def samples_from_objects(
    objects: Mapping[str, object], options: ReadOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Make one sample per side from arrays, DataFrames or Arrow tables.

    Parameters
    ----------
    objects : mapping of str to object
        By side (one, of any name, with `options.sample_column`). One-dimensional arrays are one
        column. The columns of an array are named ``1``, ``2``, ... unless another side has names:
        then they match by position.
    options : ReadOptions
        As for files.

    Returns
    -------
    samples : tuple of Sample
    notices : tuple of Notice

    Raises
    ------
    UsageError, DataError
        With a message for the user.
    """
    nulls = Nulls.of(options)
    samples, notices = collect(
        {
            side: [_opener(partial(open_object, obj, side), options, nulls)]
            for side, obj in objects.items()
        },
        options,
    )
    return samples, (*notices, *(nulls.notices() if nulls else ()))
