"""What files begin with, where a few bytes in a fixed place do not say it: zip archives and JSON.

The functions look at the first bytes of a file and open nothing.
"""

from __future__ import annotations

import re

ZIP = b"PK\x03\x04"
_SAS = bytes(12) + bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011")
# A file of JSON over several lines: no header of a CSV begins so.
_JSON = re.compile(r'[\[{]\s*(?:"(?:[^"\\]|\\.)*"\s*:|[\[{]\s*(?:["\[{\d\-]|$))')
_RECORDS = re.compile(r'\[?\s*\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})')


def _member(head: bytes) -> str | None:
    """The name of the first file in a zip archive (APPNOTE 4.3.7: its length is at byte 26)."""
    if not head.startswith(ZIP):
        return None
    return head[30 : 30 + int.from_bytes(head[26:28], "little")].decode("utf-8", "replace")


def is_npz(head: bytes) -> bool:
    """Whether a file is a zip archive of arrays, as NumPy makes them."""
    return (_member(head) or "").endswith(".npy")


def is_archive(head: bytes) -> bool:
    """Whether a file is a zip archive that kstest wrote."""
    return _member(head) == "header.json"


def is_workbook(head: bytes) -> bool:
    """Whether a file is a zip archive of the parts of an Excel workbook."""
    name = _member(head) or ""
    return name == "[Content_Types].xml" or name.startswith(("_rels/", "docProps/", "xl/"))


def is_stata(head: bytes) -> bool:
    """Whether a file is Stata's: an element, or a release, a byte order, a 1 and a 0."""
    if head.startswith(b"<stata_dta>"):
        return True
    release = head[:1] in (bytes([k]) for k in range(0x69, 0x74))
    return release and head[1:4] in (b"\1\1\0", b"\2\1\0")


def is_sas(head: bytes) -> bool:
    """Whether a file is a data set of SAS, or of its transport format."""
    transport = head.startswith(b"HEADER RECORD*******LIB")
    return transport or head.startswith(_SAS)


def is_zip(head: bytes) -> bool:
    """Whether a file is any zip archive."""
    return head.startswith(ZIP)


def json_kind(head: bytes) -> str | None:
    """Tell ``records``, ``JSON`` or ``JSON lines`` (of lists or numbers); None for what is no JSON.

    ``records`` are objects, one to a line, in a list, or just one after another.
    """
    text = head.decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    if not text.startswith(("{", "[")):
        return None
    import json

    line = text.partition("\n")[0].strip()
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        if not _JSON.match(text):
            return None
        found = None
    if isinstance(found, dict) or _RECORDS.match(text):
        return "records"
    return "JSON" if found is None or "\n" not in text.strip() else "JSON lines"


def is_records(head: bytes) -> bool:
    """Whether a file holds JSON objects."""
    return json_kind(head) == "records"
