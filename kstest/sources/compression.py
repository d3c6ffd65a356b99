"""The compressions, a line each: how they are recognised, by the first bytes of a file.

pyarrow unpacks them, or `unpacking`; zip is an archive (`archives`). Messages, extensions and
`kstest.sources.stream` follow this table.
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
    later : tuple of bytes
        What may follow the first bytes and one more, where these alone could begin a text.
    """

    name: str
    magic: bytes
    extension: str
    later: tuple[bytes, ...] = ()


CODECS: list[Codec] = [
    Codec("gzip", b"\x1f\x8b", ".gz"),
    Codec("zstd", b"\x28\xb5\x2f\xfd", ".zst"),
    Codec("bz2", b"BZh", ".bz2", (b"1AY&SY", b"\x17rE8P\x90")),
    Codec("xz", b"\xfd7zXZ\0", ".xz"),
]


def compressed(head: bytes) -> str | None:
    """The codec of a file by its first bytes, None where it is not compressed."""
    for codec in CODECS:
        rest = head[len(codec.magic) + 1 :]
        if head.startswith(codec.magic) and (not codec.later or rest.startswith(codec.later)):
            return codec.name
    return None


def unpacked(path: str) -> str:
    """A path without the extension of a compression."""
    stem, extension = os.path.splitext(path)
    return stem if extension.lower() in {".zip", *(c.extension for c in CODECS)} else path
