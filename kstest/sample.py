"""Sample: the one shape in which data reaches a test.

After this door nobody checks for NaN, dtype or column order again: the sources (files, streams)
and the Python API (arrays, frames) build Samples, and the engine trusts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

MISSING_CODE = -1
MISSING_NAME = "missing"


@frozen
class Input:
    """One file, stream or array that a sample was read from.

    Attributes
    ----------
    path : str
        As the user wrote it; ``-`` for standard input, ``<array>`` for Python objects.
    rows_read, rows_used, rows_dropped : int
        ``rows_read == rows_used + rows_dropped + rows_filtered``. With --sample-column only the
        rows that hold a value of this side are counted.
    sha256 : str or None
        Of the bytes read (files and streams), None for Python objects.
    rows_filtered : int
        Rows that --where leaves out.
    """

    path: str
    rows_read: int
    rows_used: int
    rows_dropped: int
    sha256: str | None = None
    rows_filtered: int = 0


@frozen
class Records:
    """Records of which the rows of a sample hold features.

    Attributes
    ----------
    unit : str
        Column that tells them apart.
    order : str or None
        Column that puts their rows in order.
    rows : int
        Rows of each that were looked at, the first ones.
    used, short, holed : int
        Records that are there, and those left out: shorter, or with missing cells.
    columns : tuple of str
        Of the rows.
    """

    unit: str
    order: str | None
    rows: int
    used: int
    short: int = 0
    holed: int = 0
    columns: tuple[str, ...] = ()


@frozen
class Sequences:
    """Sequences of symbols, of any lengths, one after the other.

    Attributes
    ----------
    name : str
        Of the column they come from; ``sequence`` for lines and lists.
    codes : ndarray of int32 (T,)
        Position in `alphabet` of every symbol of every sequence.
    offsets : ndarray of int64 (n + 1,)
        Sequence i is ``codes[offsets[i]:offsets[i + 1]]``; it may be empty.
    alphabet : tuple of str
        The symbols that occur, sorted.
    labels : tuple of str
        What identifies each in a table of events; empty where its row number does.
    tokens : str
        What a line of text was cut into; says how another file beside it is to be read.
    """

    name: str
    codes: NDArray[np.int32]
    offsets: NDArray[np.int64]
    alphabet: tuple[str, ...]
    labels: tuple[str, ...] = ()
    tokens: str = "characters"

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    def part(self, first: int, last: int) -> Sequences:
        """The sequences from `first` to before `last`."""
        ends = self.offsets[first : last + 1]
        codes, labels = self.codes[ends[0] : ends[-1]], self.labels[first:last]
        return replace(self, codes=codes, offsets=ends - ends[0], labels=labels)

    def __getitem__(self, i: int) -> tuple[str, ...]:
        return tuple(self.alphabet[c] for c in self.codes[self.offsets[i] : self.offsets[i + 1]])


@frozen
class Sample:
    """Rows of one sample, checked once.

    Attributes
    ----------
    name : str
        Its role, for example ``reference`` or ``sample``.
    values : ndarray of float64, shape (n, d)
        The numeric columns. C-contiguous, finite, in file order; 0.0 where `missing` is True.
    columns : tuple of str
        The d names of the numeric columns, in the order of `values`.
    inputs : tuple of Input
        Where the rows came from.
    missing : ndarray of bool, shape (n, d), or None
        True where a numeric cell was missing. None where no numeric cell of any sample was
        missing, and always None without ``--missing indicator``.
    categorical : tuple of str
        The c names of the categorical columns.
    codes : ndarray of int32, shape (n, c)
        Position in `levels`; -1 (`MISSING_CODE`) for a missing cell, with
        ``--missing indicator`` only.
    levels : tuple of tuple of str
        For each categorical column its values, sorted. Common to all samples of a run: equal
        text has equal codes, and a level may be absent from one of the samples.
    groups : ndarray of int64, shape (n,), or None
        Position in `group_names`, with --group; or the chain of each row, see `chained`.
    group_names : tuple of str
        The groups, sorted, common to all samples of a run.
    weights : ndarray of float64, shape (n,), or None
        Finite, not all zero, with --weights or --counts.
    records : Records or None
        With --unit: a row holds the features of a record.
    counted : bool
        Whether the weights are whole numbers of entries that a row stands for (--counts).
    chained : str
        Whether groups are chains of a sampler: ``named`` by --chain, ``known`` from the files, or
        neither.
    n_missing : mapping of str to int
        Missing (or infinite) cells by column, for the columns that have any, before rows were
        dropped.
    rows_with_missing : int
        Rows with at least one of them, out of ``n + n_dropped``.
    kept : tuple of (ndarray of int64 or None)
        For each input the numbers (from 1, in their file) of the rows that are used; None
        where all are.
    file_columns : tuple of str
        All columns of the first file, used or not, in its order: positions count in them. Empty
        for samples made by hand.
    sequences : Sequences or None
        For tests of sequences: one per row, while `values` has no column.
    kinds : mapping of str to str
        Numeric columns that hold dates, times of day or durations (`kstest.sources.table`), in
        seconds.
    """

    name: str
    values: NDArray[np.float64]
    columns: tuple[str, ...]
    inputs: tuple[Input, ...] = ()
    missing: NDArray[np.bool_] | None = None
    categorical: tuple[str, ...] = ()
    codes: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 0), np.int32))
    levels: tuple[tuple[str, ...], ...] = ()
    groups: NDArray[np.int64] | None = None
    group_names: tuple[str, ...] = ()
    weights: NDArray[np.float64] | None = None
    n_missing: Mapping[str, int] = field(default_factory=dict)
    rows_with_missing: int = 0
    kept: tuple[NDArray[np.int64] | None, ...] = ()
    file_columns: tuple[str, ...] = ()
    sequences: Sequences | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    counted: bool = False
    records: Records | None = None
    chained: str = ""

    def __post_init__(self) -> None:
        if not self.categorical and self.codes.shape != (self.n, 0):
            object.__setattr__(self, "codes", np.empty((self.n, 0), np.int32))

    @property
    def n(self) -> int:
        return int(self.values.shape[0])

    @property
    def n_dropped(self) -> int:
        return sum(i.rows_dropped for i in self.inputs)

    @property
    def n_filtered(self) -> int:
        return sum(i.rows_filtered for i in self.inputs)

    @property
    def row_numbers(self) -> NDArray[np.int64]:
        """Number of each row in its own file, from 1, shape (n,); made on demand."""
        if not self.inputs:
            return np.arange(1, self.n + 1, dtype=np.int64)
        kept = self.kept or (None,) * len(self.inputs)
        parts = [
            np.arange(1, source.rows_used + 1, dtype=np.int64) if rows is None else rows
            for source, rows in zip(self.inputs, kept, strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @property
    def row_inputs(self) -> NDArray[np.int64]:
        """Position in `inputs` of the file of each row, shape (n,); made on demand."""
        if not self.inputs:
            return np.zeros(self.n, np.int64)
        used = [source.rows_used for source in self.inputs]
        return np.repeat(np.arange(len(used), dtype=np.int64), used)

    def where(self, i: int) -> str:
        """Say which row of which file a row is."""
        number = f"row {int(self.row_numbers[i]):,}"
        if len(self.inputs) < 2:
            return number
        return f"{number} of {self.inputs[int(self.row_inputs[i])].path}"

    def part(self, first: int, last: int) -> Sample:
        """The rows from `first` to before `last`, of the same columns; their numbers are lost."""
        own = None if self.sequences is None else self.sequences.part(first, last)
        return self._of_rows(slice(first, last), kept=(), sequences=own)

    def _of_rows(self, rows: slice | NDArray[np.int64], **changes: Any) -> Sample:
        return replace(
            self,
            values=self.values[rows],
            missing=None if self.missing is None else self.missing[rows],
            codes=self.codes[rows],
            groups=None if self.groups is None else self.groups[rows],
            weights=None if self.weights is None else self.weights[rows],
            **changes,
        )

    def take(self, rows: NDArray[np.int64]) -> Sample:
        """Some rows, given by their places in increasing order; they keep their numbers."""
        numbers, of = self.row_numbers[rows], self.row_inputs[rows]
        kept = tuple(numbers[of == place] for place in range(len(self.inputs)))
        return self._of_rows(
            rows,
            inputs=tuple(
                replace(source, rows_used=len(some))
                for source, some in zip(self.inputs, kept, strict=True)
            ),
            kept=kept,
        )

    def without(self, column: int) -> Sample:
        """All rows without categorical column `column`."""
        others = [c for c in range(len(self.categorical)) if c != column]
        return replace(
            self,
            categorical=tuple(self.categorical[c] for c in others),
            codes=np.ascontiguousarray(self.codes[:, others]),
            levels=tuple(self.levels[c] for c in others),
        )

    def level_name(self, column: int, code: int) -> str:
        """The text of a code of categorical column `column`; ``missing`` for -1."""
        return MISSING_NAME if code == MISSING_CODE else self.levels[column][code]


@frozen
class Columns:
    """The columns of a stream, as they were at its start.

    Attributes
    ----------
    numeric, categorical : tuple of str
    all : tuple of str
        All columns of the file: positions count in them.
    missing : bool
        Whether rows with missing cells are kept, and marked.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    all: tuple[str, ...]
    missing: bool = False

    @classmethod
    def of(cls, sample: Sample, missing: bool | None = None) -> Columns:
        """Look at a sample; `missing` says what later samples may have."""
        kept = sample.missing is not None if missing is None else missing
        names = sample.file_columns or (*sample.columns, *sample.categorical)
        return cls(sample.columns, sample.categorical, tuple(names), kept)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.numeric, *self.categorical)

    def sample(self) -> Sample:
        """A sample of these columns, without rows."""
        return Sample(
            "data",
            np.empty((0, len(self.numeric))),
            self.numeric,
            (),
            categorical=self.categorical,
            codes=np.empty((0, len(self.categorical)), np.int32),
            levels=((),) * len(self.categorical),
            file_columns=self.all,
        )
