"""Queries as tables: ``duckdb:FILE?QUERY``, and ``postgres://...?QUERY`` through ADBC.

The database chooses the columns, and rows come in Arrow batches. A database file is opened for
reading only; DuckDB loads no extension that is not there already.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from kstest.errors import DataError, UsageError
from kstest.sources.arrow_file import ArrowFile, guarded
from kstest.sources.columnar import table_of
from kstest.sources.convert import BLOCK_ROWS
from kstest.sources.formats import lacking
from kstest.sources.stream import converting
from kstest.sources.table import Table
from kstest.wording import label, meant_file, one_line

_QUERY = re.compile(r"\?\s*(?=(?:select|with|from|values|table)\b)", re.IGNORECASE)
_NAME = re.compile(r"\?\s*([A-Za-z_][\w.]*)\s*$")
_PASSWORD = re.compile(r"(://[^:@/?]*):[^@/?]*@")
_EXAMPLE = "duckdb:warehouse.db?select x, y from runs where run > 7"


def open_query(path: str, explode: Sequence[str] = ()) -> Table:
    """Run a query and return its rows.

    Raises
    ------
    UsageError, DataError
    """
    hidden = _PASSWORD.sub(r"\1:***@", path)
    where = label(hidden)
    base, query = _split(path, where)
    with converting(where):
        if path.startswith("duckdb:"):
            file = guarded(where, lambda: _duckdb(base.removeprefix("duckdb:"), query, where))
        else:
            file = guarded(where, lambda: _postgres(base, query), "")
        return table_of(hidden, where, file, explode, hint="")


def _split(path: str, where: str) -> tuple[str, str]:
    found = _QUERY.search(path)
    if found is not None:
        return path[: found.start()], path[found.end() :].strip().rstrip(";")
    name = _NAME.search(path)
    if name is None:
        raise UsageError(f"{where}: no query; give a table or a query after ?, such as {_EXAMPLE}")
    return path[: name.start()], f"select * from {name[1]}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _projected(query: str, columns: Sequence[str]) -> str:
    return f"select {', '.join(columns)} from ({query}) as kstest_query"


def _duckdb(file: str, query: str, where: str) -> ArrowFile:
    try:
        import duckdb
    except ModuleNotFoundError:
        raise lacking(where, "duckdb", "sql") from None
    if file and not os.path.isfile(file):
        raise DataError(
            f"{where}: no such file: {label(file)}{meant_file(file)} Check the folder and the "
            "spelling."
        )
    settings: dict[str, Any] = {"autoinstall_known_extensions": "false", "threads": "1"}
    try:
        base = duckdb.connect(file or ":memory:", read_only=bool(file), config=settings)
    except duckdb.Error as error:
        raise DataError(f"{where}: cannot be opened: {one_line(error)}") from error

    def reader(text: str) -> Any:
        try:
            return base.execute(text).to_arrow_reader(BLOCK_ROWS)
        except duckdb.Error as error:
            raise DataError(f"{where}: the query fails: {one_line(error)}") from error

    def batches(names: Sequence[str]) -> Iterator[Any]:
        yield from reader(_projected(query, [_quoted(name) for name in names]))

    try:
        schema = reader(_projected(query, ["*"]) + " limit 0").schema
    except BaseException:
        base.close()
        raise
    return ArrowFile(schema, batches, lambda: None, base.close)


def _postgres(address: str, query: str) -> ArrowFile:
    try:
        from adbc_driver_postgresql import dbapi
    except ModuleNotFoundError:
        raise lacking("PostgreSQL", "adbc-driver-postgresql", "postgres") from None
    import pyarrow as pa

    base = dbapi.connect(address)
    cursor = base.cursor()

    def reader(text: str) -> Any:
        cursor.execute(text)
        return cursor.fetch_record_batch()

    def batches(names: Sequence[str]) -> Iterator[Any]:
        for batch in reader(_projected(query, [columns[name] for name in names])):
            yield _with_decimals(batch, decimals)

    def close() -> None:
        cursor.close()
        base.close()

    try:
        cursor.execute("set session characteristics as transaction read only")
        bare = reader(_projected(query, ["*"]) + " limit 0").schema
        columns = {field.name: _plain(field) for field in bare}
        decimals = frozenset(field.name for field in bare if _is_numeric(field))
        schema = reader(_projected(query, list(columns.values())) + " limit 0").schema
        for name in decimals:
            field = schema.field(name).with_type(pa.decimal128(38, 0))
            schema = schema.set(schema.get_field_index(name), field)
    except BaseException:
        close()
        raise
    return ArrowFile(schema, batches, lambda: None, close)


def _plain(field: Any) -> str:
    """A column of a type that Arrow has; what it has not comes as text."""
    name = _quoted(field.name)
    opaque = str(field.type).startswith("extension<arrow.opaque")
    return f"{name}::text as {name}" if opaque else name


def _is_numeric(field: Any) -> bool:
    opaque = str(field.type).startswith("extension<arrow.opaque")
    return opaque and field.type.type_name == "numeric"


def _with_decimals(batch: Any, names: frozenset[str]) -> Any:
    """Make decimals of the texts of columns, of as many digits as they have."""
    import pyarrow as pa

    for name in names & {*batch.schema.names}:
        values = [None if x is None else Decimal(x) for x in batch.column(name).to_pylist()]
        kept = [x if x is not None and x.is_finite() else None for x in values]
        try:
            column = pa.array(kept)
        except pa.ArrowInvalid:  # more digits than any decimal of Arrow
            column = pa.array([None if x is None else float(x) for x in kept], pa.float64())
        batch = batch.set_column(batch.schema.get_field_index(name), name, column)
    return batch
