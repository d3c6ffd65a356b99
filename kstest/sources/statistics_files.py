"""Files of Stata and SAS by pandas, and of SPSS by pyreadstat: labelled values are categories."""

from __future__ import annotations

import tempfile
from typing import Any

import pandas as pd
import pyarrow as pa

from kstest.sources.arrow_file import ArrowFile
from kstest.sources.cells import in_memory
from kstest.sources.stream import CHUNK_BYTES, Opened, seekable
from kstest.sources.table import told_apart


def _from_frame(frame: Any) -> pa.Table:
    names = told_apart([str(name) for name in frame.columns])
    arrays = [pa.array(frame.iloc[:, j], from_pandas=True) for j in range(frame.shape[1])]
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
    kind: Any = "xport" if transport else "sas7bdat"
    found: Any = pd.read_sas(file, format=kind, encoding="latin-1" if transport else "infer")
    return in_memory(_from_frame(found), digest, close)


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
