"""Samples and feeds of tables, from files, streams and Python objects: the parts called in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from kstest.errors import UsageError
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.collect import collect
from kstest.sources.dialect_options import dialect
from kstest.sources.growing import Waiting
from kstest.sources.nulls import Nulls
from kstest.sources.opening import open_table
from kstest.sources.options import ReadOptions
from kstest.sources.paths import expand, is_store
from kstest.sources.pivot import opener_of

if TYPE_CHECKING:
    from kstest.sources.feeds import Feed


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
    files = files_of(sides)
    how, nulls = {side: dialect(options, side) for side in files}, Nulls.of(options)
    samples, notices = collect(
        {
            side: [
                opener_of(
                    partial(
                        open_table,
                        path,
                        options.input_format,
                        how[side],
                        stdin,
                        explode=options.exploded,
                    ),
                    options,
                    nulls,
                )
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
    files = files_of(sides)
    how, nulls = {side: dialect(options, side) for side in files}, Nulls.of(options)
    if follow and files[follow] == ["-"]:
        raise UsageError(
            "--follow: standard input is read as it comes; name a file, or leave it out."
        )
    if follow and len(files[follow]) != 1:
        raise UsageError(f"--follow: found {len(files[follow])} files; one can be followed.")
    openers = {
        side: [
            opener_of(
                partial(
                    open_table,
                    path,
                    options.input_format,
                    how[side],
                    stdin,
                    waiting or Waiting(),
                    side == follow,
                    options.exploded,
                ),
                options,
                nulls,
            )
            for path in paths
        ]
        for side, paths in files.items()
    }
    from kstest.sources.feeds import open_feeds

    with open_feeds(openers, options, nulls) as feeds:
        yield feeds


def files_of(sides: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Expand globs; standard input is for one."""
    files = {
        side: [p for path in paths for p in _expanded(path, side)] for side, paths in sides.items()
    }
    if sum(paths.count("-") for paths in files.values()) > 1:
        raise UsageError("-: standard input was named more than once; it can be read only once.")
    return files


def _expanded(path: str, side: str) -> list[str]:
    if not is_store(path):
        return expand(path, side)
    from kstest.sources.stores import expanded  # with what speaks to servers

    return expanded(path, side)


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
    from kstest.sources.objects import open_object

    nulls = Nulls.of(options)
    samples, notices = collect(
        {
            side: [opener_of(partial(open_object, obj, side, options.exploded), options, nulls)]
            for side, obj in objects.items()
        },
        options,
    )
    return samples, (*notices, *(nulls.notices() if nulls else ()))
