"""Rows of one file for one side, gathered block by block; missing cells are treated here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.inexact import refusal
from kstest.sample import Input
from kstest.sources.convert import Levels
from kstest.sources.gathered import Chunk, Gathered, Growing
from kstest.sources.plan import Plan
from kstest.sources.table import Block, Table
from kstest.wording import shown

# Counts up to this are whole in double precision, and so are their sums.
MOST_ENTRIES = 1e15


@frozen
class Part:
    """What one file gave one side.

    Attributes
    ----------
    missing : ndarray of int64
        Missing cells by column: the tested ones, then those of --weights and --group.
    bad_rows : int
        Rows with a missing cell.
    refused : int
        Those of them that end the run.
    rounded : mapping of str to str
        Columns of decimals with more digits than float64 has, and such a cell of each.
    kept : ndarray of int64, or None
        Numbers of the used rows, None where all are used.
    total : int
        Rows of the file, those of other sides included.
    """

    label: str
    input: Input
    missing: NDArray[np.int64]
    bad_rows: int
    refused: int
    rounded: Mapping[str, str]
    identity: tuple[int, int] | None
    kept: NDArray[np.int64] | None
    total: int

    @property
    def rows(self) -> int:
        """Rows that were looked at: used or dropped."""
        return self.input.rows_read - self.input.rows_filtered


class Rows:
    """Gathers the rows of `table` in `into` under a policy: error, drop or indicator."""

    def __init__(
        self, table: Table, plan: Plan, levels: Sequence[Levels], policy: str, into: Gathered
    ) -> None:
        self._table, self._plan, self._levels, self._policy = table, plan, levels, policy
        roles = sum(role is not None for role in (plan.weights, plan.group))
        self._missing = np.zeros(len(plan.names) + roles, np.int64)
        self._rounded: dict[str, str] = {}
        self._into = into
        self._kept: Growing | None = None
        self._read = self._filtered = self._bad = self._refused = self._used = 0

    def add(
        self, block: Block, start: int, index: NDArray[np.int64] | None = None, filtered: int = 0
    ) -> None:
        """Take a block whose first row is row `start` (from 0) of the file.

        Of it the rows `index` (None: all), where `filtered` more would be of this side.
        """
        self._read += filtered + (block.rows if index is None else index.size)
        self._filtered += filtered
        self._look_at_rounding(block, start, index)
        if index is not None:
            if not index.size:
                self._keep(start, 0, index)
                return
            block = block.take(index)
        plan = self._plan
        chunk = self._chunk(block)
        if chunk.weights is not None:
            self._check_weights(chunk.weights, start, index)
        holes = self._holes(chunk)
        if holes is not None:
            tested = len(plan.names)
            self._missing += np.count_nonzero(holes, axis=0)
            bad = np.asarray(holes.any(axis=1))
            self._bad += int(np.count_nonzero(bad))
            if self._policy == "drop":
                keep = np.flatnonzero(~bad)
                chunk = chunk.kept(keep)
                index = keep if index is None else index[keep]
            else:
                fatal = bad if self._policy == "error" else holes[:, tested:].any(axis=1)
                self._refused += int(np.count_nonzero(fatal))
                cells = holes[:, : len(plan.columns)]
                if cells.any() and not self._refused:
                    values = np.where(cells, 0.0, chunk.values)
                    chunk = Chunk(values, cells, chunk.codes, chunk.groups, chunk.weights)
        if self._refused:
            self._into.clear()  # the run ends with an error: only the counts matter
            return
        self._keep(start, block.rows, index)
        self._used += chunk.values.shape[0]
        self._into.add(chunk)

    def finish(self, digest: str | None, total: int) -> Part:
        """Return what was found, once the last of `total` rows was added."""
        table = self._table
        source = Input(
            table.path,
            self._read,
            self._used,
            self._bad if self._policy == "drop" else 0,
            digest,
            self._filtered,
        )
        return Part(
            table.label,
            source,
            self._missing,
            self._bad,
            self._refused,
            self._rounded,
            table.identity,
            None if self._kept is None else self._kept.whole(),
            total,
        )

    def _look_at_rounding(self, block: Block, start: int, index: NDArray[np.int64] | None) -> None:
        """Refuse whole numbers that float64 does not hold, in columns that are tested."""
        for k, cells in block.rounded.items():
            rows = cells.among(index)
            if k >= len(self._plan.columns) or not rows.size:
                continue
            name, at = self._plan.columns[k], int(rows[0])
            if cells.refused:
                raise refusal(self._table.label, name, start + at + 1, cells.cell(at))
            self._rounded.setdefault(name, f"row {start + at + 1:,}: {cells.cell(at)}")

    def _chunk(self, block: Block) -> Chunk:
        plan = self._plan
        d, c = len(plan.columns), len(plan.categorical)
        values = block.values if block.values.shape[1] == d else block.values[:, :d]
        coded = [known.add(text) for known, text in zip(self._levels, block.texts, strict=False)]
        codes = np.column_stack(coded[:c]) if c else None
        groups = None if plan.group is None else coded[plan.group]
        weights = None if plan.weights is None else block.values[:, plan.weights]
        return Chunk(values, None, codes, groups, weights)

    def _holes(self, chunk: Chunk) -> NDArray[np.bool_] | None:
        """Mark the missing cells, shape (rows, columns of `Part.missing`); None without any."""
        finite = np.isfinite(chunk.values)
        marks = [~finite] if not finite.all() else []
        others = []
        if chunk.codes is not None:
            others.append(chunk.codes < 0)
        if chunk.weights is not None:
            others.append(np.isnan(chunk.weights)[:, None])
        if chunk.groups is not None:
            others.append((chunk.groups < 0)[:, None])
        if not marks and not any(mark.any() for mark in others):
            return None
        return np.hstack([~finite, *others])

    def _check_weights(
        self, weights: NDArray[np.float64], start: int, index: NDArray[np.int64] | None
    ) -> None:
        counted = self._plan.counted
        bad = (weights < 0) & (counted or not self._plan.signed_weights)
        if counted:
            bad |= (weights != np.rint(weights)) & ~np.isnan(weights) | (weights > MOST_ENTRIES)
        wrong = np.flatnonzero(bad | np.isinf(weights))
        if wrong.size:
            at = int(wrong[0])
            row = start + 1 + (at if index is None else int(index[at]))
            name = self._plan.numbers[self._plan.weights or 0]
            option, accepted = "--weights", "finite numbers, none of them negative."
            if self._plan.signed_weights:
                accepted = "finite numbers."
            if counted:
                option = "--counts"
                accepted = "whole numbers of entries, 0 to 1e15; see --weights for others."
            raise DataError(
                f"{self._table.label}: {option}: column {shown(name)}, row {row:,}: "
                f"found {weights[at]:.15g}; accepted: {accepted}"
            )

    def _keep(self, start: int, rows: int, index: NDArray[np.int64] | None) -> None:
        """Write down the numbers of used rows, from the first row on that is not used."""
        if index is None and self._kept is None:
            return
        if self._kept is None:
            self._kept = Growing(np.arange(1, self._used + 1))
        self._kept.add(start + 1 + (np.arange(rows) if index is None else index))
