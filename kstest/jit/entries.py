"""Files that keep the object code of one form of a loop each."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from ..caches import OTHERS_WRITE

BEGINNING = b"kstest object code 1 "


class Compiled(NamedTuple):
    """Object code of one form of a loop; `entry` of the second object is what is called."""

    objects: list[bytes]
    returns: str  # the letter of its type in C, as in `struct`; empty for nothing


def read(path: Path, key: str) -> Compiled | None:
    """What a file keeps under a key; None if there is none, it is damaged, or another's."""
    try:
        with open(path, "rb") as stream:
            found = os.fstat(stream.fileno())
            owners = (0, os.getuid())
            if found.st_mode & OTHERS_WRITE or found.st_uid not in owners:
                return None
            content = stream.read() if stat.S_ISREG(found.st_mode) else b""
    except OSError:
        return None
    first, _, rest = content.partition(b"\n")
    if first != BEGINNING + hashlib.sha256(rest).hexdigest().encode():
        return None
    header, _, code = rest.partition(b"\n")
    own, returns, *sizes = header.decode().split(" ")
    if own != key:
        return None
    objects, start = [], 0
    for size in map(int, sizes):
        objects.append(code[start : start + size])
        start += size
    return Compiled(objects, returns)


def write(path: Path, key: str, kept: Compiled) -> None:
    """Keep code in a file, whole or not at all."""
    from ..files import replace

    sizes = [str(len(one)) for one in kept.objects]
    rest = " ".join([key, kept.returns, *sizes]).encode() + b"\n" + b"".join(kept.objects)
    first = BEGINNING + hashlib.sha256(rest).hexdigest().encode() + b"\n"
    try:
        path.unlink(missing_ok=True)  # or its permissions, and whatever it links to, would stay
        replace(first + rest, path)
        os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & ~OTHERS_WRITE)
    except OSError:
        return  # a full disk only costs the next process a compilation
