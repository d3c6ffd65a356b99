"""xarray datasets as tables: a row per draw, or per step of the first dimension.

``theta`` of shape (chain, draw, school) is ``theta[Choate]``, ``theta[Deerfield]``, ..., by the
labels of the other dimensions, or by position where they have none. Draws follow each other chain
by chain.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa

from kstest.errors import DataError
from kstest.sources.arrow_file import CHAINS
from kstest.sources.cells import to_arrow
from kstest.sources.table import MOST_COLUMNS
from kstest.wording import listed, shown

DRAWS = ("chain", "draw")


def table_of_dataset(data: Any, where: str) -> pa.Table:
    """Flatten the variables of a Dataset that share its rows.

    Raises
    ------
    DataError
    """
    variables = {str(name): data[name] for name in data.data_vars}
    rows = _row_dimensions(data, variables)
    found: dict[str, Any] = {}
    for name, values in variables.items():
        if not set(rows) <= set(values.dims):
            raise DataError(
                f"{where}: variable {shown(name)} has the dimensions {listed(list(values.dims))}, "
                f"and not those of the rows: {listed(list(rows))}. Leave it out, for example by "
                "data.drop_vars, or choose a group."
            )
        found |= _columns(name, values, rows, where)
    if not found:
        raise DataError(f"{where}: holds no variables with rows.")
    table = pa.table(list(found.values()), names=list(found))
    known = {CHAINS: str(data.sizes["chain"]).encode()} if rows == DRAWS else None
    return table.replace_schema_metadata(known)


def _row_dimensions(data: Any, variables: dict[str, Any]) -> tuple[str, ...]:
    if set(DRAWS) <= set(data.dims):
        return DRAWS
    first = next((v.dims for v in variables.values() if v.dims), ())
    return tuple(first[:1])


def _columns(name: str, values: Any, rows: tuple[str, ...], where: str) -> dict[str, Any]:
    others = [d for d in values.dims if d not in rows]
    width = int(np.prod([values.sizes[d] for d in others], dtype=float))
    if width > MOST_COLUMNS:
        raise DataError(f"{where}: variable {shown(name)} has over {MOST_COLUMNS:,} columns.")
    labels = [
        [str(x) for x in values[d].values] if d in values.coords else range(values.sizes[d])
        for d in others
    ]
    array = np.asarray(values.transpose(*rows, *others).values)
    array = array.reshape(int(np.prod([values.sizes[d] for d in rows])), width)
    places = ["[" + ",".join(map(str, at)) + "]" if at else "" for at in itertools.product(*labels)]
    return {name + place: _arrow(array[:, k]) for k, place in enumerate(places)}


def _arrow(column: Any) -> Any:
    if column.dtype.kind == "O":
        return pa.array(column.tolist())
    return to_arrow(column)
