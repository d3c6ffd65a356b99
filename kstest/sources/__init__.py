"""Sources: files, streams and objects in, Samples out.

This room reads CSV, Parquet and Arrow IPC (plain, gzip or zstd; files, pipes, standard input),
arrays, DataFrames and anything with the Arrow C stream interface. It selects and matches columns,
tells numbers from categories, refuses, drops or marks missing values, and notes what may weaken a
verdict. After it nobody checks data again.

It is not for statistics: no scaling, no use of weights, no minimum number of rows.

::

    bytes     stream, growing, formats, opening          what is there, and what it is
    columns   csv_header (csv_top, _lines, _width, _names, _found, _units, _numbers), csv_types,
              csv_quotes, csv_read, csv_errors, csv_grouped | columnar | objects
              -> Table (`table`), whose rows are Arrow columns turned into blocks by `convert`
    choosing  match, planning -> Plan (`plan`); where, split, nulls, pivot; rows, categories
    Samples   join (all rows: collect; block by block: feeds), with notices; called by `reading`

A file format is one file and one line in `formats`. `dialect` is how the bytes of a CSV are to be
taken (`dialect_options` makes it), `filters` change them on their way; `csv_read` says where to
look when one is read wrongly, `sniff` what a file looks like. `sequences` reads sequences of
symbols instead, for tests that say so (`reader`); `spans` and `sequence_spans` read files in parts.
`spellings` knows numbers that are written in other ways; `beside` reads files of other options.
pyarrow is imported where it is used, pyarrow.compute for text and conditions only (0.04 s), pandas
never (a DataFrame brings its own).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from kstest.contract import Beside
from kstest.frozen import frozen
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.beside import options_beside, samples_beside
from kstest.sources.given import given_options
from kstest.sources.growing import Rewritten, Waiting
from kstest.sources.options import (
    DIALECTS,
    FILES_ONLY,
    OPTIONS,
    ReadOptions,
    read_options,
    side_options,
)
from kstest.sources.pivot import pivot_of
from kstest.sources.reading import read_feeds, read_samples, samples_from_objects
from kstest.sources.table import FILE_ROW
from kstest.sources.unit_options import UNIT_OPTIONS

__all__ = [
    "DIALECTS",
    "FILES_ONLY",
    "FILE_ROW",
    "OPTIONS",
    "UNIT_OPTIONS",
    "ReadOptions",
    "Reader",
    "Rewritten",
    "Waiting",
    "given_options",
    "pivot_of",
    "read_feeds",
    "read_options",
    "read_samples",
    "reader",
    "samples_from_objects",
    "side_options",
]


@frozen
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
        named: Sequence[Beside],
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

        return samples_beside(named, params, samples, notices, read)


def reader(reads: str = "tables") -> Reader:
    """Return the Reader of ``tables`` or ``sequences``, as a test says in its inputs."""
    if reads == "sequences":
        from kstest.sources.sequence_objects import sequences_from_objects
        from kstest.sources.sequence_options import (
            SEQUENCE_FILES_ONLY,
            SEQUENCE_OPTIONS,
            sequence_options,
        )
        from kstest.sources.sequences import read_sequences

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
