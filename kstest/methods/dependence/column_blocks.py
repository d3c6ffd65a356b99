"""Blocks of columns of one sample: which columns, and their rows ready for kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...columns import parse_items, resolve
from ...errors import UsageError
from ...kernels import Rows, scale_columns
from ...sample import Sample
from ...wording import listed, shown


@frozen
class Block:
    """A block of columns, as read.

    Attributes
    ----------
    names : tuple of str
        Its columns.
    values : ndarray of float64 (n, d)
        The numeric ones.
    codes : ndarray of int32 (n, c)
        The categorical ones, and for every numeric column with missing cells which are missing:
        a dependence on what is missing is a dependence.
    missing : ndarray of bool (n, d) or None
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    codes: NDArray[np.int32]
    missing: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, sample: Sample, names: Sequence[str]) -> Block:
        """Take some columns of a sample."""
        numeric = [sample.columns.index(name) for name in names if name in sample.columns]
        texts = [sample.categorical.index(name) for name in names if name in sample.categorical]
        values, codes, missing = sample.values[:, numeric], sample.codes[:, texts], None
        if sample.missing is not None:
            missing = sample.missing[:, numeric]
            holes = missing[:, missing.any(axis=0)]
            codes = np.hstack([codes, holes]).astype(np.int32)
        return cls(tuple(names), values, codes, missing)

    @classmethod
    def of_array(cls, values: NDArray[np.float64]) -> Block:
        """Take the columns of an array, named by position."""
        names = tuple(str(c + 1) for c in range(values.shape[1]))
        return cls(names, values, np.empty((len(values), 0), np.int32))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def keys(self) -> list[NDArray[Any]]:
        """Columns to sort by."""
        return [*self.values.T, *self.codes.T]

    def scaled(self, how: str) -> Rows:
        """Return the rows in units of their spread."""
        values = scale_columns(self.values, how, self.missing)
        return Rows(values, np.ascontiguousarray(self.codes))

    def sample(self, data: Sample, name: str) -> Sample:
        """Return the numeric columns as a sample of their own, for `common`."""
        columns = tuple(name for name in self.names if name in data.columns)
        return replace(
            data,
            name=name,
            values=self.values,
            columns=columns,
            missing=self.missing,
            categorical=(),
            codes=np.empty((len(self), 0), np.int32),
            levels=(),
        )


def named_blocks(
    lists: Sequence[tuple[str, str]], names: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Resolve the column list of every block; no column may be in two.

    Parameters
    ----------
    lists : sequence of (str, str)
        Option and column list of each block.
    names : sequence of str
        All columns of the file.

    Raises
    ------
    UsageError
        For columns that do not exist, or are in two blocks.
    """
    owner: dict[str, int] = {}
    found = []
    for number, (option, text) in enumerate(lists):
        block = resolve(parse_items(text, option), names, option)
        for name in block:
            if name in owner:
                other = " ".join(lists[owner[name]])
                raise UsageError(
                    f"{option} {shown(text)}: column {shown(name)} is also in {shown(other)}; a "
                    "column depends on itself. Name every column in one block only."
                )
            owner[name] = number
        found.append(block)
    return tuple(found)


def kept_blocks(lists: Sequence[tuple[str, str]], sample: Sample) -> tuple[tuple[str, ...], ...]:
    """Resolve the blocks as `named_blocks` does, and keep the columns that the sample has.

    Raises
    ------
    UsageError
        If --exclude or --columns leave nothing of a block.
    """
    used = (*sample.columns, *sample.categorical)
    found = named_blocks(lists, sample.file_columns or used)
    kept = tuple(tuple(name for name in block if name in used) for block in found)
    for block, (option, text) in zip(kept, lists, strict=True):
        if not block:
            raise UsageError(
                f"{option} {shown(text)}: none of its columns is read, because of --columns, "
                "--exclude or --group. Name them in --columns too, or leave that out"
            )
    return kept


def used_blocks(lists: Sequence[tuple[str, str]], sample: Sample) -> tuple[tuple[str, ...], ...]:
    """As `kept_blocks`, for blocks that hold all columns of the sample.

    Raises
    ------
    UsageError
        If --columns names another column.
    """
    kept = kept_blocks(lists, sample)
    used = (*sample.columns, *sample.categorical)
    apart = [name for name in used if not any(name in block for block in kept)]
    if apart:
        raise UsageError(
            f"--columns: {listed(apart)} in no block. The blocks choose the columns; leave "
            "--columns out."
        )
    return kept
