"""Sources: files, streams and Python objects, read in blocks, become Samples.

For: finding the columns both sides share, converting them to float64, refusing or dropping rows
with missing values, and naming file, column and row in every complaint. Not for: scaling or
anything statistical. Parsing is pyarrow's.

`stream` opens and hashes, `readers` knows the formats, `columns` the column language, `convert`
the types, `wording` how untrusted text is quoted. Read `collect` below for the order of events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.result import Notice
from kstest.sample import Input, Sample
from kstest.sources import columns as language
from kstest.sources.options import ReadOptions
from kstest.sources.readers import object_table, open_table
from kstest.sources.stream import expand_all
from kstest.sources.table import Table
from kstest.sources.wording import listed, shown

__all__ = ["ReadOptions", "read_samples", "samples_from_objects"]

MANY_DROPPED = 0.05


def read_samples(
    sides: Mapping[str, Sequence[str]], options: ReadOptions, stdin: BinaryIO | None = None
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Read the files of every side.

    Parameters
    ----------
    sides : mapping of role to paths
        Paths may be globs; ``-`` is standard input, at most once.
    options : ReadOptions
    stdin : binary file, optional

    Returns
    -------
    samples, notices
        One Sample per side, with the same columns in the order of the first side.
    """
    if sum(list(paths).count("-") for paths in sides.values()) > 1:
        raise DataError("-: standard input can be read once; give one side as a file")
    tables: dict[str, list[Table]] = {}
    try:
        for role, paths in sides.items():
            tables[role] = []
            for path in expand_all(paths, f"--{role}"):
                tables[role].append(open_table(path, options.input_format, stdin))
        return collect(tables, options)
    finally:
        for table in (t for side in tables.values() for t in side):
            table.close()


def samples_from_objects(
    objects: Mapping[str, Any], options: ReadOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Build samples from arrays, DataFrames or Arrow tables, by the same rules as files.

    Arrays have columns named 1, 2, ...; beside a frame they take its names, by position.
    """
    tables = {role: object_table(data, role) for role, data in objects.items()}
    named = next((t for t in tables.values() if t.named), None)
    if named is not None:
        for role, table in tables.items():
            if not table.named and len(table.names) == len(named.names):
                tables[role] = Table(
                    table.path, table.label, named.names, table.blocks, named=False
                )
    return collect({role: [table] for role, table in tables.items()}, options)


def collect(
    tables: Mapping[str, Sequence[Table]], options: ReadOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Choose the columns, read the rows, count what is missing."""
    chosen = _choose(tables, options)
    notices = list(_same_file(tables))
    samples = []
    for role, side in tables.items():
        sample, found = _read_side(role, side, chosen, options)
        samples.append(sample)
        notices += found
    return tuple(samples), tuple(notices)


def _choose(tables: Mapping[str, Sequence[Table]], options: ReadOptions) -> tuple[str, ...]:
    every = [table for side in tables.values() for table in side]
    first = every[0].names
    seen = tuple(dict.fromkeys(name for table in every for name in table.names))
    out = language.exclusion(options.exclude, first, seen)
    out.require_matches(seen)
    if options.columns is not None:
        items = language.parse_items(options.columns, "--columns")
        chosen = tuple(n for n in language.resolve(items, first, "--columns") if out.keeps(n))
        for table in every:
            for name in chosen:
                if name not in table.names:
                    raise DataError(
                        f"{table.label}: has no column {shown(name)}; it has {listed(table.names)}"
                    )
    else:
        chosen = tuple(n for n in first if out.keeps(n))
        for table in every[1:]:
            other = [n for n in table.names if out.keeps(n)]
            if set(other) != set(chosen):
                raise DataError(
                    f"the columns differ: only in {every[0].label}: "
                    f"{listed([n for n in chosen if n not in set(other)])}; only in "
                    f"{table.label}: {listed([n for n in other if n not in set(chosen)])}. "
                    "Choose common ones with --columns or leave some out with --exclude"
                )
    if not chosen:
        raise DataError("no column is left to test; see --columns and --exclude")
    if "" in chosen:
        raise DataError(f"{every[0].label}: a column has no name; name it or --exclude its number")
    return chosen


def _read_side(
    role: str, side: Sequence[Table], chosen: tuple[str, ...], options: ReadOptions
) -> tuple[Sample, list[Notice]]:
    parts: list[NDArray[np.float64]] = []
    inputs: list[Input] = []
    missing = np.zeros(len(chosen), dtype=np.int64)
    for table in side:
        place = {name: p for p, name in enumerate(table.names)}
        read = used = 0
        for block in table.blocks([place[name] for name in chosen]):
            bad = ~np.isfinite(block.values)
            missing += bad.sum(axis=0)
            good = ~bad.any(axis=1)
            kept = block.values if good.all() else block.values[good]
            parts.append(np.ascontiguousarray(kept))
            read, used = read + len(block.values), used + len(kept)
        if read == 0:
            raise DataError(f"{table.label}: has column names but no rows")
        inputs.append(Input(table.path, read, used, read - used, table.digest()))
    total, dropped = sum(i.rows_read for i in inputs), sum(i.rows_dropped for i in inputs)
    label = listed([i.path for i in inputs])
    if dropped:
        counts = listed([f"{n}: {c:,}" for n, c in zip(chosen, missing, strict=True) if c])
        if options.missing == "error":
            raise DataError(
                f"{label} ({role}): missing or infinite values in {dropped:,} of {total:,} rows, "
                f"by column {counts}. Drop these rows with --missing drop, or leave columns out "
                "with --exclude"
            )
        if dropped == total:
            raise DataError(f"{label} ({role}): no row is complete; missing by column: {counts}")
    notices = []
    if dropped > MANY_DROPPED * total:
        text = f"{dropped:,} of {total:,} rows of the {role} were dropped for missing values"
        notices.append(Notice("rows-dropped", text))
    values = np.concatenate(parts)
    return Sample(role, np.ascontiguousarray(values), chosen, tuple(inputs)), notices


def _same_file(tables: Mapping[str, Sequence[Table]]) -> list[Notice]:
    owners: dict[tuple[int, int], str] = {}
    for role, side in tables.items():
        for table in side:
            if table.identity is None:
                continue
            if owners.setdefault(table.identity, role) != role:
                return [Notice("same-file", f"{table.label} is on both sides")]
    return []
