"""Opening a table: its format by its first bytes, held against its name and --input-format."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from kstest.errors import DataError, UsageError
from kstest.sources.compression import CODECS, compressed, unpacked
from kstest.sources.dialect import Dialect, Transcoded, Uncommented, require_names
from kstest.sources.formats import TEXT, Format, promised, recognised, titles
from kstest.sources.growing import Waiting
from kstest.sources.stream import Opened, Stream, converting, open_path
from kstest.sources.table import Table
from kstest.wording import label, shown

if TYPE_CHECKING:
    from kstest.sources.columnar import ArrowFile

LOOKED_AT = 1 << 14  # bytes of the beginning
_FOREIGN = {
    b"PARE": "an encrypted Parquet file",
    b"FEA1": "a Feather version 1 file",
    b"PK\x03\x04": "a zip archive, such as an Excel workbook or NumPy's .npz",
    b"SIMPLE  =": "a FITS file",
    b"<?xml": "an XML document",
    b"<!DOCTYPE": "an HTML document",
    b"<html": "an HTML document",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file",
    b"SQLite format 3": "an SQLite database",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"root": "a ROOT file",
    b"BZh": "bzip2-compressed data",
    b"\xfd7zXZ": "xz-compressed data",
    b"\x04\x22\x4d\x18": "lz4-compressed data",
    b"%PDF": "a PDF document",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
# A file of JSON over several lines: no header of a CSV begins so.
_JSON = re.compile(r'[\[{]\s*(?:"(?:[^"\\]|\\.)*"\s*:|[\[{]\s*(?:["\[{\d\-]|$))')


def open_table(
    path: str,
    input_format: str | None,
    how: Dialect,
    stdin: BinaryIO | None,
    waiting: Waiting | None = None,
    follow: bool = False,
) -> Table:
    """Open `path` with the reader that its content asks for.

    With `waiting` the rows of a pipe come as they are written, and not in full blocks; with
    `follow` the end of a file is waited at for more.
    """
    if follow:
        _require_growing(path, how)
    opened = open_path(path, stdin, waiting, follow)
    try:
        with converting(opened.label):
            return _table(opened, input_format, how)
    except BaseException:
        opened.close()
        raise


def _require_growing(path: str, how: Dialect) -> None:
    """Refuse to follow what cannot grow; asked before, since reading on would wait for ever."""
    if how.encoding is not None or how.comment is not None:
        raise UsageError("--follow: takes plain CSV in UTF-8, without --encoding and --comment.")
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except (OSError, ValueError):
        return  # the opening proper says what is wrong
    if compressed(head) or recognised(head) is not None:
        raise UsageError(f"--follow: {label(path)} is compressed or no text; only CSV can grow.")


def _table(opened: Opened, input_format: str | None, how: Dialect) -> Table:
    if not opened.stream.peek(LOOKED_AT):
        raise DataError(f"{opened.label}: is empty. A header and at least one row are needed.")
    found = recognised(opened.stream.peek(LOOKED_AT))
    if found is None:
        opened = replace(opened, stream=text_stream(opened, how))
        _require_agreement(opened, TEXT, input_format)
        _require_no_json(opened)
        from kstest.sources.csv_read import open_csv

        return open_csv(opened, how)
    _require_agreement(opened, found.name, input_format)
    from kstest.sources.columnar import table_of

    return table_of(opened, opened_columns(opened, found))


def opened_columns(opened: Opened, found: Format) -> ArrowFile:
    """Open a file of a format that has columns and types of its own."""
    from kstest.sources.columnar import BROKEN

    opened.stream.live = False  # pyarrow takes a short read for the end
    with converting(opened.label, BROKEN):
        file: ArrowFile = found.load()(opened)
    return file


def _accepted() -> str:
    others = ", ".join(title for name, title in titles().items() if name != TEXT)
    codecs = " or ".join(codec.name for codec in CODECS)
    return f"accepted: CSV in UTF-8, {others}, each also compressed by {codecs}"


def _require_no_json(opened: Opened) -> None:
    """Refuse JSON, which would pass for a CSV of one column, or of as many as it has commas."""
    head = opened.stream.peek(LOOKED_AT).decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    if not head.startswith(("{", "[")):
        return
    line = head.partition("\n")[0].strip()
    try:
        found = json.loads(line)
    except ValueError:
        if not _JSON.match(head):
            return
        found = None
    what = "JSON" if found is None or "\n" not in head.strip() else "JSON lines"
    raise DataError(
        f"{opened.label}: is {what} (it starts with {shown(line)}); {_accepted()}. Convert it "
        "first, for example by jq, pandas or DuckDB."
    )


def text_stream(opened: Opened, how: Dialect) -> Stream:
    """Return the content as UTF-8 text without comments; refuse what is no text."""
    stream = opened.stream
    if how.encoding is not None:
        stream = Stream(Transcoded(stream, how.encoding, opened.label), hashed=False)
    if how.comment is not None:
        uncommented = Uncommented(stream, how.comment, opened.label)
        stream = Stream(uncommented, hashed=False)
        head = stream.peek(LOOKED_AT)
        if how.named:
            require_names(uncommented.before, head, opened.label, how.comment)
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
    named = promised(os.path.splitext(unpacked(opened.path))[1])
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
