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
`columns` is the language of --columns, `convert` the way from Arrow to float64 and codes, `levels`
what makes two categories the same. pyarrow is imported where it is used, pandas never (a DataFrame
comes with its own).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from kstest.errors import UsageError
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.collect import collect
from kstest.sources.dialect import dialect
from kstest.sources.feeds import Feed, open_feeds
from kstest.sources.formats import open_table
from kstest.sources.joined import join_objects
from kstest.sources.objects import open_object
from kstest.sources.options import (
    FILES_ONLY,
    OPTIONS,
    ReadOptions,
    columns_of,
    given_options,
    read_options,
)
from kstest.sources.stream import expand

__all__ = [
    "FILES_ONLY",
    "OPTIONS",
    "Feed",
    "ReadOptions",
    "columns_of",
    "given_options",
    "join_objects",
    "read_feeds",
    "read_options",
    "read_samples",
    "samples_from_objects",
]


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
    how = dialect(options)
    return collect(
        {
            side: [partial(open_table, path, options.input_format, how, stdin) for path in paths]
            for side, paths in files.items()
        },
        options,
    )


@contextmanager
def read_feeds(
    sides: Mapping[str, Sequence[str]], options: ReadOptions, stdin: BinaryIO | None = None
) -> Iterator[dict[str, Feed]]:
    """Open files and streams whose rows are taken block by block, in their order.

    Parameters
    ----------
    sides, options, stdin
        As for `read_samples`, without `options.sample_column`. A pipe gives its rows as they come.

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
    how = dialect(options)
    openers = {
        side: [partial(open_table, path, options.input_format, how, stdin, True) for path in paths]
        for side, paths in files.items()
    }
    with open_feeds(openers, options) as feeds:
        yield feeds


def _files(sides: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Expand globs; standard input is for one."""
    files = {
        side: [p for path in paths for p in expand(path, side)] for side, paths in sides.items()
    }
    if sum(paths.count("-") for paths in files.values()) > 1:
        raise UsageError("-: standard input was named more than once; it can be read only once.")
    return files


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
    return collect(
        {side: [partial(open_object, obj, side)] for side, obj in objects.items()}, options
    )
