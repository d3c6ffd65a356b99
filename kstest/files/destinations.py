"""Refuses files to write that cannot work or would destroy something, before anything is read."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from ..errors import OutputError, UsageError
from ..params import option_name
from . import identity, status

# What a command may write, by the name of its option.
WRITTEN = ("output", "plot", "state", "history")
# Of these, what it reads again: of no use where nothing stays.
KEPT = ("state", "history")


def require(
    given: Mapping[str, Any],
    inputs: Iterable[str],
    params: Any = None,
    more: Mapping[str, str] | None = None,
) -> None:
    """Check every file that a command is to write.

    Parameters
    ----------
    given : mapping
        The options by name; those in `WRITTEN` count.
    inputs : iterable of str
        Files and globs that the command reads.
    params : Params, optional
        Its options that name files count as inputs, too.
    more : mapping of str to str, optional
        Further files to write, by what an error calls their option.

    Raises
    ------
    OutputError, UsageError
        If a file cannot be written, is read too, or is written twice.
    """
    written = {option_name(n): given[n] for n in WRITTEN if given.get(n) is not None}
    written |= more or {}
    for name, path in written.items():
        check(path, name, regular=name[2:] in KEPT)
    read: dict[object, str] = {}
    for path, found in [*_all(inputs, True), *_all(_files_of(params), False)]:
        key: object = (found.st_dev, found.st_ino)
        if key in read and stat.S_ISFIFO(found.st_mode):
            raise UsageError(
                f"{path}: is a pipe, which can be read only once, and is named twice; write it to "
                "a file first"
            )
        read[key] = path
    taken: dict[object, str] = {}
    for name, path in written.items():
        there = status(path)
        if there is not None and not stat.S_ISREG(there.st_mode):
            continue  # a device is not destroyed, and may serve twice
        key = identity(path)
        if key in read:
            other = "" if read[key] == path else f" as {read[key]}"
            raise UsageError(
                f"{name} {path}: is read by this command{other} and would be destroyed; give "
                "another name"
            )
        if key in taken:
            raise UsageError(f"{name} {path}: is the file of {taken[key]} too; give two names")
        taken[key] = name


def check(path: str, option: str, *, regular: bool = False) -> None:
    """Refuse the path of an option that cannot work before the computation, not after it."""
    if path == "-":
        instead = "give a file name" if regular else "leave the option out for standard output"
        raise OutputError(f"{option} -: is no file; {instead} (a file of this name is ./-)")
    try:
        found = status(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OutputError(f"{option} {path}: cannot be written: {reason}") from error
    if found is not None:
        if stat.S_ISDIR(found.st_mode):
            raise OutputError(f"{option} {path}: is a directory; give a file name")
        if not os.access(path, os.W_OK):
            raise OutputError(f"{option} {path}: no permission to write")
        if not stat.S_ISREG(found.st_mode):
            if regular:
                raise OutputError(
                    f"{option} {path}: is a device or pipe, which keeps nothing; give a file name"
                )
            return
    parent = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(parent):
        raise OutputError(f"{option} {path}: the directory {parent} does not exist")
    if not os.access(parent, os.W_OK):
        raise OutputError(f"{option} {path}: no permission to write in {parent}")


def _all(paths: Iterable[str], globs: bool) -> Iterator[tuple[str, os.stat_result]]:
    """What the names and globs of inputs stand for, as far as it exists."""
    for path in paths:
        if path == "-":
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or in a test
                yield path, os.fstat(sys.stdin.fileno())
            continue
        names: Iterable[str] = [path]
        if globs and any(letter in path for letter in "*?[") and not os.path.lexists(path):
            import glob

            names = glob.iglob(path, recursive=True)
        for name in names:
            with contextlib.suppress(OSError, ValueError):  # the reader says what is wrong
                yield path, os.stat(name)


def _files_of(params: Any) -> Iterator[str]:
    """What the options of a test name: a target, a sample to fit, modes."""
    for f in fields(params) if params is not None else ():
        value = getattr(params, f.name)
        if isinstance(value, str) and (f.name == "target" or f.metadata.get("metavar") == "FILE"):
            yield value.strip()
