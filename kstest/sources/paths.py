"""What a path may be besides the name of a file: a pattern, a part, an address, a query."""

from __future__ import annotations

import os

from kstest.errors import DataError
from kstest.wording import label

WEB = ("http://", "https://")
# Schemes of pyarrow.fs; file:// serves where a path has to look like the others.
STORES = ("s3://", "gs://", "gcs://", "abfs://", "abfss://", "hdfs://", "file://")
QUERIES = ("duckdb:", "postgres://", "postgresql://")


def is_query(path: str) -> bool:
    """Whether a path stands for a query of a database."""
    return path.startswith(QUERIES) and not os.path.lexists(path)


def is_address(path: str) -> bool:
    """Whether a path stands for a file that is not on this machine."""
    return path.startswith((*WEB, *STORES)) and not os.path.lexists(path)


def is_store(path: str) -> bool:
    """Whether a path is an address of an object store."""
    return path.startswith(STORES)


def parted(path: str) -> tuple[str, str | None]:
    """Split ``FILE:PART`` where there is such a file, and none that is called so as a whole."""
    stem = path
    while ":" in stem and not os.path.lexists(stem):
        stem = stem.rpartition(":")[0]
    return (stem, path[len(stem) + 1 :]) if os.path.lexists(stem) and stem != path else (path, None)


def has_magic(pattern: str) -> bool:
    """Whether it may stand for several files, as `glob.has_magic`, whose import costs more."""
    return any(letter in pattern for letter in "*?[")


def expand(pattern: str, option: str) -> list[str]:
    """Expand a glob, sorted. An existing file whose name holds glob characters wins."""
    if (
        not has_magic(pattern)
        or is_query(pattern)
        or is_address(pattern)
        or os.path.lexists(pattern)
    ):
        return [pattern]
    import glob

    found = sorted(glob.glob(pattern, recursive=True))
    if not found and ":" in pattern:  # a part of every file
        stem, mark, part = pattern.rpartition(":")
        found = [path + mark + part for path in sorted(glob.glob(stem, recursive=True))]
    if not found:
        raise DataError(
            f"{option}: no file matches {label(pattern)}. Check the folder and the spelling."
        )
    return found
