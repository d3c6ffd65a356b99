"""Tables as files, by the ending of their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError

FORMATS = (".parquet", ".csv")


def check(path: str) -> None:
    """Refuse a file name that no table can have, before the computation.

    Raises
    ------
    UsageError
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise UsageError(f"--output {path}: give a name that ends in .parquet or .csv")


def content(columns: Mapping[str, Any], path: str) -> bytes:
    """The bytes of a table, Parquet or CSV as the path says.

    Parameters
    ----------
    columns : mapping of str to array
        NaN and None are missing cells.
    path : str
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    sink = pa.BufferOutputStream()
    table = pa.table({name: pa.array(c, from_pandas=True) for name, c in columns.items()})
    if Path(path).suffix.lower() == ".csv":
        csv.write_csv(table, sink)
    else:
        parquet.write_table(table, sink)
    return bytes(sink.getvalue())
