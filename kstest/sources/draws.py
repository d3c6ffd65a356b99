"""NetCDF files and Zarr stores by xarray: the posterior draws of ArviZ, or any labelled arrays.

Of a file with a group ``posterior`` these are its draws, chain after chain; ``FILE:GROUP``
names another one, such as ``prior``.
"""

from __future__ import annotations

import os
from typing import Any

import xarray

from kstest.errors import DataError
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.cells import in_memory
from kstest.sources.labelled import table_of_dataset
from kstest.wording import label

POSTERIOR = "posterior"
_STORES = ("zarr.json", ".zgroup")


def open_group(file: Any, group: str | None, where: str, digest: Any, close: Any) -> ArrowFile:
    """Read a group of a NetCDF file, given as an open file."""
    file.seek(0)
    with xarray.open_dataset(file, group=group, engine="h5netcdf", decode_times=True) as data:
        table = table_of_dataset(data.load(), where)
    return in_memory(table, digest, close)


def is_store(path: str) -> bool:
    """Whether a folder is a Zarr store."""
    return any(os.path.isfile(os.path.join(path, name)) for name in _STORES)


def open_store(path: str, part: str | None) -> ArrowFile:
    """Read a group of a Zarr store, by default the posterior if there is one."""
    group = part
    if part is None and is_store(os.path.join(path, POSTERIOR)):
        group = POSTERIOR
    if part is not None and not is_store(os.path.join(path, part)):
        raise DataError(f"{label(path)}: has no group {label(part)}.")
    with xarray.open_zarr(path, group=group, consolidated=False) as data:
        # A folder has no order of its own.
        table = table_of_dataset(data[sorted(map(str, data.data_vars))].load(), label(path))
    return in_memory(table, lambda: None, lambda: None)
