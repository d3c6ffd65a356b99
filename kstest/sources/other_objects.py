"""Objects of other libraries, turned into Arrow tables or arrays without importing the libraries.

An object brings its library: its class says which. Nothing is copied where the library shares its
memory (Arrow, DLPack).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kstest.errors import DataError
from kstest.wording import one_line


def converted(obj: Any, side: str) -> Any:
    """Return what `objects` takes: a frame, an Arrow stream or an array.

    Parameters
    ----------
    obj : object
        Among others a polars DataFrame, Series or LazyFrame, an Arrow dataset, an xarray Dataset or
        DataArray, ArviZ InferenceData, a tensor of torch, JAX or any library with DLPack.
    side : str
        For messages.
    """
    library = type(obj).__module__.partition(".")[0]
    if library == "polars":
        if hasattr(obj, "collect"):
            obj = obj.collect()
        return obj.to_frame(obj.name or "1") if hasattr(obj, "to_frame") else obj
    if library == "pyarrow":
        return obj.to_table() if hasattr(obj, "to_table") else _one_column(obj)
    if library in ("duckdb", "_duckdb") and hasattr(obj, "to_arrow_table"):
        return obj.to_arrow_table()  # a connection has one open stream at a time
    if library in ("xarray", "arviz", "arviz_base"):
        return _labelled(obj, side)
    if library == "torch" and hasattr(obj, "detach"):
        obj = obj.detach().cpu()
        return obj.float() if str(obj.dtype) == "torch.bfloat16" else obj
    if hasattr(obj, "__dlpack__") and not isinstance(obj, np.ndarray):
        return _shared(obj, side)
    return obj


def nested(frame: Any) -> bool:
    """Whether columns of a DataFrame hold records, or lists of one length: several columns each."""
    if not frame.columns.is_unique:
        return False
    for j, dtype in enumerate(frame.dtypes):
        kind = str(getattr(dtype, "pyarrow_dtype", ""))
        if kind.startswith(("struct", "fixed_size_list")):
            return True
        if getattr(dtype, "kind", "") == "O":
            first = next((cell for cell in frame.iloc[:, j] if cell is not None), None)
            if isinstance(first, dict):
                return True
    return False


def plain(column: Any, where: str) -> Any:
    """A column of a DataFrame as Arrow takes it: dense, and in the byte order of this machine.

    Raises
    ------
    DataError
        For complex numbers.
    """
    if hasattr(column.dtype, "fill_value"):  # sparse
        column = column.sparse.to_dense()
    if getattr(column.dtype, "kind", "") == "c":
        raise DataError(
            f"{where} holds complex numbers; give real and imaginary parts as columns of their own."
        )
    if isinstance(column.dtype, np.dtype) and not column.dtype.isnative:
        return column.astype(column.dtype.newbyteorder("="))
    return column


def advice(obj: object, array: Any) -> str:
    """What to do with an object that is no array of numbers."""
    if obj is None:
        return "A function that forgot to return gives None."
    if hasattr(obj, "toarray"):
        return "A sparse matrix is made an array by .toarray()."
    if isinstance(obj, Iterator):
        return "What is read once is made a table by pandas.DataFrame(list(...))."
    records = isinstance(obj, list | tuple) and len(obj) > 0 and isinstance(obj[0], Mapping)
    if isinstance(obj, Mapping) or records or array.dtype.names:
        return "Columns with names are made a table by pandas.DataFrame(...)."
    if array.dtype.kind == "c":
        return "Give real and imaginary parts as columns of their own."
    if array.dtype.kind == "O" and array.ndim in (1, 2):
        return "An array of Python objects is made one of numbers by .astype(float)."
    if array.ndim > 2:
        return "Rows are made of the first axis by .reshape(len(X), -1)."
    return "Arrays hold numbers, true/false or times; text needs a DataFrame."


def _one_column(obj: Any) -> Any:
    import pyarrow as pa

    if isinstance(obj, pa.Array | pa.ChunkedArray) and not pa.types.is_struct(obj.type):
        return pa.table({"1": obj})
    return obj


def _labelled(obj: Any, side: str) -> Any:
    from kstest.sources.labelled import table_of_dataset

    if hasattr(obj, "posterior"):  # InferenceData, or a tree of its groups
        obj = obj.posterior
    if hasattr(obj, "to_dataset") and not hasattr(obj, "data_vars"):
        one = obj.ndim == 1 and obj.name is not None
        return obj.to_dataset(name=obj.name).to_dataframe()[[obj.name]] if one else obj.values
    data = obj.to_dataset() if hasattr(obj, "children") else obj
    return table_of_dataset(data, side)


def _shared(obj: Any, side: str) -> Any:
    """The array of a tensor; one on another device is copied."""
    if "bfloat16" in str(getattr(obj, "dtype", "")):  # which NumPy does not have
        return np.asarray(obj).astype(np.float32)
    if hasattr(obj, "__array__"):
        return obj
    try:
        return np.from_dlpack(obj)
    except (BufferError, RuntimeError, TypeError) as error:
        raise DataError(
            f"{side}: a {type(obj).__name__} that NumPy cannot share: {one_line(error)}. Copy it "
            "to the memory of the processor first."
        ) from error
