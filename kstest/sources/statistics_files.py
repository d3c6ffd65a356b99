"""Files of Stata and SAS by pandas, and of SPSS by pyreadstat: labelled values are categories.

None of them has a missing text: an empty one is what stands for it, and is read so.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kstest.sources.arrow_file import ArrowFile
from kstest.sources.cells import in_memory, without_empty
from kstest.sources.stream import CHUNK_BYTES, Opened, seekable
from kstest.sources.table import told_apart

_SAS_DAY = np.datetime64("1960-01-01")  # the first day that SAS counts from
# Names of the formats in which SAS shows days, and seconds, as dates.
_DATES = frozenset(
    [
        "DATE",
        "DAY",
        "DDMMYY",
        "DDMMYYB",
        "DDMMYYD",
        "DDMMYYP",
        "DDMMYYS",
        "MMDDYY",
        "MMDDYYB",
        "MMDDYYD",
        "MMDDYYP",
        "MMDDYYS",
        "YYMMDD",
        "YYMMDDB",
        "YYMMDDD",
        "YYMMDDP",
        "YYMMDDS",
        "JULIAN",
        "WEEKDATE",
        "WEEKDATX",
        "WORDDATE",
        "WORDDATX",
        "MONYY",
        "YYMON",
        "E8601DA",
        "B8601DA",
    ]
)
_MOMENTS = frozenset(["DATETIME", "DATEAMPM", "DTDATE", "E8601DT", "B8601DT"])
# pandas reads a zero of the numbers that IBM's machines had as the least one above it.
_LEAST_IBM = 16.0**-65


def _from_frame(frame: Any) -> pa.Table:
    names = told_apart([str(name) for name in frame.columns])
    arrays = [
        without_empty(pa.array(frame.iloc[:, j], from_pandas=True)) for j in range(frame.shape[1])
    ]
    return pa.table(arrays, names=list(names))


def open_stata(opened: Opened) -> ArrowFile:
    """Read a .dta file."""
    file, digest, close = seekable(opened)
    frame = pd.read_stata(file)
    return in_memory(_from_frame(frame), digest, close)


def open_sas(opened: Opened) -> ArrowFile:
    """Read a .sas7bdat file, or a transport file (.xpt)."""
    file, digest, close = seekable(opened)
    transport = file.read(6) == b"HEADER"
    file.seek(0)
    if transport:
        frame = _transported(file)
    else:
        frame = pd.read_sas(file, format="sas7bdat", encoding="infer")
    return in_memory(_from_frame(frame), digest, close)


def _transported(file: Any) -> Any:
    """Read a transport file, which does not say how its text is encoded."""
    try:
        frame, formats = _xport(file, "utf-8")
    except UnicodeDecodeError:
        file.seek(0)
        frame, formats = _xport(file, "latin-1")
    for j, kind in enumerate(formats):
        column = frame.iloc[:, j]
        if not pd.api.types.is_float_dtype(column.dtype):
            continue
        values = column.to_numpy(float)
        values = np.where(np.abs(values) == _LEAST_IBM, 0.0, values)
        frame.isetitem(j, _meant(values, kind))
    return frame


def _xport(file: Any, encoding: str) -> tuple[Any, list[str]]:
    # `chunksize` asks for the reader, which knows the formats that SAS shows the columns in.
    with pd.read_sas(file, format="xport", encoding=encoding, chunksize=1) as reader:
        found: Any = reader
        formats = [_text(field["nform"]) for field in found.fields]
        return found.read(found.nobs), formats


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _meant(values: Any, kind: str) -> Any:
    """Times, where a column is shown as such: days, or seconds, since the first of 1960."""
    name = kind.strip().upper()
    unit = 86_400_000 if name in _DATES else 1000 if name in _MOMENTS else 0
    if not unit or (np.abs(values) * unit > 1e15).any():
        return values
    whole = np.where(np.isnan(values), 0, np.rint(values * unit)).astype("m8[ms]")
    return np.where(np.isnan(values), np.datetime64("NaT"), _SAS_DAY + whole).astype("M8[ms]")


def open_spss(opened: Opened) -> ArrowFile:
    """Read a .sav or .zsav file, whose library takes a name only."""
    import pyreadstat

    file, digest, close = seekable(opened)
    with tempfile.NamedTemporaryFile(suffix=".sav") as copy:
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            copy.write(chunk)
        copy.flush()
        frame, _ = pyreadstat.read_sav(copy.name, apply_value_formats=True)
    return in_memory(_from_frame(frame), digest, close)
