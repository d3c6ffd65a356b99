"""Whether a file is a sketch: asked of the files of every `kstest mmd`, so nothing else is here."""

from __future__ import annotations

import os.path

KIND, SUFFIX = "sketch", ".sketch"


def is_sketch(path: str) -> bool:
    """Whether a file says that it is a sketch, by its first bytes or by its name.

    What is no regular file is not looked into: a pipe can be read only once.
    """
    try:
        if not os.path.isfile(path):
            from ..files import status

            return path.endswith(SUFFIX) and status(path) is None
        with open(path, "rb") as stream:
            head = stream.read(64)
    except (OSError, ValueError):
        return False
    if path.endswith(SUFFIX) or not head.lstrip().startswith(b"{"):
        return path.endswith(SUFFIX)
    from ..archive import own_json

    return own_json(head) == KIND
