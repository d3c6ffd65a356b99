"""Baselines: what is kept of reference files, in one archive that is read in their place.

::

    baseline.kst
      header.json   columns with kinds, ranges, levels, missing cells, of all rows; sources
      table.npy     the rows, or a random sample of them, as the bytes of a Parquet file

The rows are read like those of the Parquet file, so that a test cannot tell; the description serves
whoever compares columns (`kstest.checks.schema`).
"""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.archive.packing import Declared, pack, unpack
from kstest.archive.schema import Flag, Number, Numbers, Part, Word, real
from kstest.archive.store import load
from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.columnar import open_parquet
from kstest.sources.stream import Opened, Stream, seekable

KIND, VERSION = "baseline", 1


@frozen
class Level:
    """A level of a text column, and how many cells hold it."""

    name: str
    cells: int


@frozen
class Described:
    """A column; see `kstest.checks.profile.Column`. Without numbers `low` and `high` are 0.

    Attributes
    ----------
    kept : bool
        Whether its cells are among the rows.
    """

    name: str
    kind: str
    cells: int
    missing: int
    low: float
    high: float
    whole: bool
    rising: bool
    many: bool
    kept: bool
    levels: tuple[Level, ...] = ()


@frozen
class Source:
    """A file that was read, by the name it had."""

    path: str
    sha256: str
    rows: int


@frozen
class Baseline:
    """What a file holds.

    Attributes
    ----------
    rows, of : int
        Those kept, and all that were read.
    seed : int
        Of the sample, where these differ.
    kstest : str
        Version that wrote it.
    columns : tuple of Described
    sources : tuple of Source
    table : ndarray of uint8
        A Parquet file.
    """

    rows: int
    of: int
    seed: int
    writer: str
    columns: tuple[Described, ...]
    sources: tuple[Source, ...]
    table: NDArray[np.uint8]


DECLARED = Declared(
    {
        Baseline: {
            "rows": Number(1),
            "of": Number(1),
            "seed": Number(),
            "writer": Word(),
            "columns": Part({}),
            "sources": Part({}),
            "table": Numbers(("bytes",), "u1"),
        },
        Described: {
            "name": Word(),
            "kind": Word(),
            "cells": Number(),
            "missing": Number(),
            "low": real(),
            "high": real(),
            "whole": Flag(),
            "rising": Flag(),
            "many": Flag(),
            "kept": Flag(),
            "levels": Part({}),
        },
        Level: {"name": Word(), "cells": Number(1)},
        Source: {"path": Word(), "sha256": Word(), "rows": Number()},
    },
    {
        Baseline: lambda b: b.rows <= b.of and len({c.name for c in b.columns}) == len(b.columns),
        Described: lambda c: c.missing <= c.cells and c.low <= c.high,
    },
)


def packed(found: Baseline) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Header and arrays for `kstest.archive.save`."""
    return pack(found)


def read(opened: Opened) -> Baseline:
    """Read a baseline, and check all of it but the rows.

    Raises
    ------
    DataError
        If it is damaged, another archive of kstest, or of another version.
    """
    file, _, _ = seekable(opened)
    header, arrays = load(opened.label, KIND, (VERSION,), file)
    try:
        return unpack(Baseline, header, arrays, DECLARED, {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{opened.label}: is a baseline, but not of this kstest ({error}); make it anew"
        ) from error


def open_baseline(opened: Opened) -> ArrowFile:
    """Open the rows of a baseline."""
    file, digest, close = seekable(opened)
    found = read(replace(opened, regular=file))
    inner = io.BytesIO(found.table.tobytes())
    rows = open_parquet(
        replace(opened, stream=Stream(inner, hashed=False), regular=inner, digest=lambda: None)
    )
    names = [c.name for c in found.columns if c.kept]
    if sorted(rows.schema.names) != sorted(names):
        raise DataError(
            f"{opened.label}: is damaged: its rows have other columns than it says; make it anew"
        )
    return ArrowFile(rows.schema, rows.batches, digest, close)
