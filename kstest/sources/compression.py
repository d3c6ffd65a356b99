"""The compressions, a line each: how they are recognised, by the first bytes of a file.

pyarrow unpacks them. Messages, extensions and `kstest.sources.stream` follow this table.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Codec:
    """A compression.

    Attributes
    ----------
    name : str
        As pyarrow and messages call it.
    magic : bytes
        The first bytes of such a file.
    extension : str
        In lower case, put behind that of the format.
    """

    name: str
    magic: bytes
    extension: str


CODECS: list[Codec] = [
    Codec("gzip", b"\x1f\x8b", ".gz"),
    Codec("zstd", b"\x28\xb5\x2f\xfd", ".zst"),
]


def compressed(head: bytes) -> str | None:
    """The codec of a file by its first bytes, None where it is not compressed."""
    return next((c.name for c in CODECS if head.startswith(c.magic)), None)


def unpacked(path: str) -> str:
    """A path without the extension of a compression."""
    stem, extension = os.path.splitext(path)
    return stem if extension.lower() in {c.extension for c in CODECS} else path
