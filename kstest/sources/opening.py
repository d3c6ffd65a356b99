"""Opening a table: its format by its first bytes, held against its name and --input-format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from kstest.errors import DataError, UsageError
from kstest.sources import compression, heads
from kstest.sources.compression import compressed, plain_name
from kstest.sources.dialect import Dialect
from kstest.sources.filters import Transcoded
from kstest.sources.formats import OWN, TEXT, Format, lacking, promised, recognised, titles
from kstest.sources.growing import Waiting
from kstest.sources.paths import is_query, parted
from kstest.sources.stream import Opened, Stream, converting, open_path
from kstest.sources.table import Table
from kstest.wording import label, shown

if TYPE_CHECKING:
    from kstest.sources.arrow_file import ArrowFile

LOOKED_AT = 1 << 14  # bytes of the beginning
_FOREIGN = {
    b"PARE": "an encrypted Parquet file",
    b"FEA1": "a Feather version 1 file",
    b"<?xml": "an XML document",
    b"<!DOCTYPE": "an HTML document",
    b"<html": "an HTML document",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"Obj\x01": "an Avro file",
    b"\x04\x22\x4d\x18": "lz4-compressed data",
    b"%PDF": "a PDF document",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


def open_table(
    path: str,
    input_format: str | None,
    how: Dialect,
    stdin: BinaryIO | None,
    waiting: Waiting | None = None,
    follow: bool = False,
    explode: Sequence[str] = (),
) -> Table:
    """Open `path` with the reader that its content asks for.

    With `waiting` the rows of a pipe come as they are written, and not in full blocks; with
    `follow` the end of a file is waited at for more. Lists in the columns `explode` get a row for
    every element.
    """
    if is_query(path):
        from kstest.sources.sql import open_query

        if follow:
            raise UsageError("--follow: a query of a database does not grow; only CSV can.")
        return open_query(path, explode)
    stored = _stored(path, explode) if not follow else None
    if stored is not None:
        return stored
    if follow:
        _require_growing(path, how)
    opened = open_path(path, stdin, waiting, follow)
    try:
        with converting(opened.label):
            return _table(opened, input_format, how, explode)
    except BaseException:
        opened.close()
        raise


def _stored(path: str, explode: Sequence[str]) -> Table | None:
    """A Zarr store, which is a folder."""
    folder, part = parted(path)
    if not any(os.path.isfile(os.path.join(folder, name)) for name in ("zarr.json", ".zgroup")):
        return None
    from kstest.sources.arrow_file import guarded
    from kstest.sources.columnar import table_of

    try:
        from kstest.sources.draws import open_store
    except ModuleNotFoundError as error:
        raise lacking("Zarr", str(error.name), "bayes") from None
    with converting(label(path)):
        file = guarded(label(path), lambda: open_store(folder, part))
    return table_of(path, label(path), file, explode)


def _require_growing(path: str, how: Dialect) -> None:
    """Refuse to follow what cannot grow; asked before, since reading on would wait for ever."""
    if how.encoding is not None or how.comment is not None:
        raise UsageError("--follow: takes plain CSV in UTF-8, without --encoding and --comment.")
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except (OSError, ValueError):
        return  # the opening proper says what is wrong
    if compressed(head) or recognised(head) is not None:
        raise UsageError(f"--follow: {label(path)} is compressed or no text; only CSV can grow.")


def _table(opened: Opened, input_format: str | None, how: Dialect, explode: Sequence[str]) -> Table:
    opened, found = told(opened)
    if not opened.stream.peek(LOOKED_AT):
        raise DataError(f"{opened.label}: is empty. A header and at least one row are needed.")
    if found is None:
        if explode:
            raise DataError(f"{opened.label}: --explode: text has no columns of lists.")
        opened = replace(opened, stream=text_stream(opened, how))
        _require_no_json(opened)
        _require_agreement(opened, TEXT, input_format)
        from kstest.sources.csv_read import open_csv

        return open_csv(opened, how)
    _require_agreement(opened, found.name, input_format)
    from kstest.sources.columnar import table_of

    file = opened_columns(opened, found)
    return table_of(opened.path, opened.label, file, explode, opened.identity)


def told(opened: Opened) -> tuple[Opened, Format | None]:
    """Find the format by the content, which comes out of a zip archive if it is in one.

    Raises
    ------
    DataError
        Where ``FILE:PART`` names a part of a file that has none.
    """
    found = recognised(opened.stream.peek(LOOKED_AT))
    if found is None and heads.is_zip(opened.stream.peek(LOOKED_AT)):
        from kstest.sources.archives import unzipped

        opened = unzipped(opened)
        found = recognised(opened.stream.peek(LOOKED_AT))
    if opened.part is not None and not (found and found.parts):
        raise DataError(
            f"{opened.label}: no such file, and {label(opened.file)} has no parts that could be "
            "named so. Check the folder and the spelling."
        )
    return opened, found


def opened_columns(opened: Opened, found: Format) -> ArrowFile:
    """Open a file of a format that has columns and types of its own."""
    from kstest.sources.arrow_file import BROKEN, guarded

    opened.stream.live = False  # pyarrow takes a short read for the end
    if found.isolated:
        from kstest.sources.isolated import open_isolated

        with converting(opened.label, BROKEN):
            return open_isolated(opened, found)
    load = found.load()
    with converting(opened.label, BROKEN):
        if found.guarded:
            return guarded(opened.label, lambda: load(opened))
        file: ArrowFile = load(opened)
        return file


def _accepted() -> str:
    others = ", ".join(title for name, title in titles().items() if name not in (TEXT, OWN))
    return f"accepted: CSV in UTF-8, {others}, each also compressed by {compression.titles()}"


def _require_no_json(opened: Opened) -> None:
    """Refuse JSON, which would pass for a CSV of one column, or of as many as it has commas."""
    what = heads.json_kind(opened.stream.peek(LOOKED_AT))
    if what is not None:
        start = opened.stream.peek(LOOKED_AT).decode("utf-8", "replace").removeprefix("\ufeff")
        line = start.lstrip().partition("\n")[0].strip()
        raise DataError(
            f"{opened.label}: is {what} (it starts with {shown(line)}), but not of records such as "
            f'{{"a": 1.5, "b": 2}}, one to a line or in a list; {_accepted()}. Convert it first, '
            "for example by jq, pandas or DuckDB."
        )


def text_stream(opened: Opened, how: Dialect) -> Stream:
    """Return the content as UTF-8 text; refuse what is no text."""
    stream = opened.stream
    if how.encoding is not None:
        stream = Stream(Transcoded(stream, how.encoding, opened.label), hashed=False)
    _require_text(stream.peek(LOOKED_AT), opened.label)
    return stream


def _require_text(head: bytes, where: str) -> None:
    foreign = next((what for magic, what in _FOREIGN.items() if _starts(head, magic)), None)
    if foreign == "UTF-16 text":
        raise DataError(
            f"{where}: is UTF-16 text, but the text is read as UTF-8. Say --encoding utf-16."
        )
    if foreign is not None:
        raise DataError(f"{where}: is {foreign}; {_accepted()}. Convert or unpack it first.")
    for start, order in ((1, "le"), (0, "be")):
        if head[start::2].count(0) > len(head) // 4 > 0:
            raise DataError(
                f"{where}: every second byte is zero, as in UTF-16 text. If it is, say --encoding "
                f"utf-16-{order}; {_accepted()}."
            )
    if b"\0" in head:
        raise DataError(
            f"{where}: is binary data (it starts with the bytes {head[:8].hex(' ')}); "
            f"{_accepted()}."
        )


def _starts(head: bytes, magic: bytes) -> bool:
    # Letters alone could begin a header ("root,leaf"): such a file must hold a NUL as well.
    return head.startswith(magic) and (not magic.isalnum() or b"\0" in head)


def _require_agreement(opened: Opened, found: str, input_format: str | None) -> None:
    if input_format is not None and input_format != found:
        raise DataError(
            f"{opened.label}: --input-format {input_format} was given, but the content is "
            f"{_found(opened, found)}. Leave the option out: the content decides."
        )
    named = promised(os.path.splitext(plain_name(opened.file))[1])
    if input_format is None and named is not None and named != found:
        raise DataError(
            f"{opened.label}: the name says {titles()[named]}, but the content is "
            f"{_found(opened, found)}. Is it the right file? Rename it, or say "
            f"--input-format {found}."
        )


def _found(opened: Opened, found: str) -> str:
    if found != TEXT:
        return titles()[found]
    start = opened.stream.peek(LOOKED_AT)[:60].decode("utf-8", "replace")
    return f"text that starts with {shown(start, 30)}"
