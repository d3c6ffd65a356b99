"""The compressions, a line each: how they are recognised, by the first bytes of a file.

pyarrow unpacks gzip and zstd, `kstest.sources.unpacking` bzip2 and xz, and `kstest.sources.stream`
zip archives of one file. Messages and extensions follow this table.
"""

from __future__ import annotations

import os
import re

from kstest.frozen import frozen


@frozen
class Codec:
    """A compression.

    Attributes
    ----------
    name, title : str
        As the libraries and as messages call it.
    magic : re.Pattern or None
        Of the first bytes of such a file; None for archives, which are files of another kind.
    extension : str
        In lower case, put behind that of the format.
    """

    name: str
    title: str
    magic: re.Pattern[bytes] | None
    extension: str


CODECS: list[Codec] = [
    Codec("gzip", "gzip", re.compile(rb"\x1f\x8b"), ".gz"),
    Codec("zstd", "zstd", re.compile(rb"\x28\xb5\x2f\xfd"), ".zst"),
    # Letters alone could begin a header.
    Codec("bz2", "bzip2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), ".bz2"),
    Codec("xz", "xz", re.compile(rb"\xfd7zXZ\0"), ".xz"),
    Codec("zip", "zip", None, ".zip"),
]


def compressed(head: bytes) -> str | None:
    """The codec of a file by its first bytes, None where it is not compressed."""
    return next((c.name for c in CODECS if c.magic is not None and c.magic.match(head)), None)


def plain_name(path: str) -> str:
    """A path without the extension of a compression."""
    stem, extension = os.path.splitext(path)
    return stem if extension.lower() in {c.extension for c in CODECS} else path


def titles() -> str:
    """All compressions, for messages."""
    *first, last = (c.title for c in CODECS)
    return f"{', '.join(first)} or {last}"
