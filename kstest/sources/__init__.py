"""Sources: files, streams and objects in, Samples out.

This room reads CSV, Parquet and Arrow IPC (plain, gzip or zstd; files, pipes, standard input),
arrays, DataFrames and anything with the Arrow C stream interface. It selects and matches columns,
refuses or drops missing values, and notes what may weaken a verdict. After it nobody checks data
again.

It is not for statistics: no scaling, no weights, no minimum number of rows.

::

    open_path -> formats -> csv_table | columnar ->  Table  -> match -> collect -> Sample
                                         objects ->    "

`table` says what a reader must give; add a format as one reader and one line in `formats`.
`columns` is the language of --columns, `convert` the way from Arrow to float64. pyarrow is
imported where it is used, pandas never (a DataFrame comes with its own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from kstest.errors import UsageError
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.collect import collect
from kstest.sources.formats import open_table
from kstest.sources.objects import open_joined, open_object
from kstest.sources.options import ReadOptions
from kstest.sources.stream import expand

__all__ = ["ReadOptions", "read_samples", "sample_from_blocks", "samples_from_objects"]


def read_samples(
    sides: Mapping[str, Sequence[str]], options: ReadOptions, stdin: BinaryIO | None = None
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Read one sample per side from files.

    Parameters
    ----------
    sides : mapping of str to sequence of str
        Paths and globs by side, for example ``{"reference": ["a.csv"], "sample": ["-"]}``. The
        order of the sides is kept; the first file of the first side rules the column order.
    options : ReadOptions
        Column selection, missing values, format.
    stdin : binary file, optional
        What ``-`` reads.

    Returns
    -------
    samples : tuple of Sample
        In the order of `sides`.
    notices : tuple of Notice
        ``same-file``, ``same-content``, ``rows-dropped``, ``rounded``.

    Raises
    ------
    UsageError, DataError
        With a message for the user. No other exception comes from bad input.
    """
    files = {
        side: [p for path in paths for p in expand(path, side)] for side, paths in sides.items()
    }
    if sum(paths.count("-") for paths in files.values()) > 1:
        raise UsageError("-: standard input was named more than once; it can be read only once.")
    return collect(
        {
            side: [partial(open_table, path, options.input_format, stdin) for path in paths]
            for side, paths in files.items()
        },
        options,
    )


def samples_from_objects(
    objects: Mapping[str, object], options: ReadOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Make one sample per side from arrays, DataFrames or Arrow tables.

    Parameters
    ----------
    objects : mapping of str to object
        By side. One-dimensional arrays are one column. The columns of an array are named
        ``1``, ``2``, ... unless another side has names: then they match by position.
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


def sample_from_blocks(
    objects: Mapping[str, object], options: ReadOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Make one sample of several objects whose rows belong together, one block each.

    Parameters
    ----------
    objects : mapping of str to object
        Arrays, DataFrames or Arrow tables of equally many rows, by the name of the block.
    options : ReadOptions
        As for files, without columns.

    Returns
    -------
    samples : tuple of one Sample
        With `blocks`.
    notices : tuple of Notice

    Raises
    ------
    UsageError, DataError
        With a message for the user.
    """
    table, names = open_joined(objects)
    lists = (",".join("'" + n.replace("'", "''") + "'" for n in some) for some in names)
    blocks = tuple(zip(objects, lists, strict=True))
    return collect({"data": [lambda: table]}, replace(options, blocks=blocks))
