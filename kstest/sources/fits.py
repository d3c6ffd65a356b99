"""FITS tables by astropy: the one that is there, or the one that ``FILE:NAME`` or number names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.table import Table

from kstest.errors import DataError
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.cells import in_memory, to_arrow, without_empty
from kstest.sources.stream import Opened, seekable
from kstest.wording import label, listed, shown


def open_fits(opened: Opened) -> ArrowFile:
    """Read a table of a FITS file."""
    file, digest, close = seekable(opened)
    size = file.seek(0, 2)
    file.seek(0)
    units = fits.open(file, memmap=False, lazy_load_hdus=False)  # closed with the file
    unit = _unit(units, opened)
    stated = int(unit.header["NAXIS1"]) * int(unit.header["NAXIS2"])
    if not 0 <= stated <= size:
        raise EOFError(f"a table of {stated:,} bytes is stated, the file has {size:,}")
    table = Table.read(unit, character_as_bytes=False)
    names = [str(name) for name in table.colnames]
    arrays = [_column(table[name]) for name in table.colnames]
    return in_memory(pa.table(arrays, names=names), digest, close)


def _unit(units: Any, opened: Opened) -> Any:
    tables = [k for k, u in enumerate(units) if isinstance(u, fits.BinTableHDU | fits.TableHDU)]
    names = {str(k): k for k in tables} | {units[k].name: k for k in tables if units[k].name}
    if opened.part is not None and opened.part in names:
        return units[names[opened.part]]
    if opened.part is not None or len(tables) != 1:
        what = f"no table {shown(opened.part)}" if opened.part else f"{len(tables)} tables"
        more = f" Name one, as in {opened.label}:{label(next(iter(names)))}." if names else ""
        raise DataError(f"{opened.label}: has {what}; tables: {listed([*names])}.{more}")
    return units[tables[0]]


def _column(column: Any) -> Any:
    values = np.asarray(getattr(column, "filled", lambda: column)())
    mask = np.ma.getmaskarray(column) if hasattr(column, "mask") else None
    if values.ndim == 1:
        return without_empty(_masked(to_arrow(values), mask))  # a null string of FITS is empty
    flat = to_arrow(values.reshape(-1))
    found = _masked(flat, None if mask is None else np.asarray(mask).reshape(-1))
    for size in values.shape[:0:-1]:
        found = pa.FixedSizeListArray.from_arrays(found, size)
    return found


def _masked(array: Any, mask: Any) -> Any:
    if mask is None or not np.any(mask):
        return array
    import pyarrow.compute as pc

    return pc.if_else(pa.array(~np.asarray(mask)), array, pa.scalar(None, array.type))
