"""What a shell may complete: files, and the columns of a file that is named already."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The shell's own names of files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def columns(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the first file's columns; of a list the last item is completed."""
    from click.shell_completion import CompletionItem

    begun, comma, last = incomplete.rpartition(",")
    names = next(filter(None, map(_names, _words())), ())
    plain = (name for name in names if name.startswith(last) and not set(name) & set(" ,'\"\\$`"))
    return [CompletionItem(begun + comma + name) for name in plain]


def _words() -> list[str]:
    """The line so far, which shells hand over; click gives up on one that ends in an option."""
    from click.shell_completion import split_arg_string

    return [word for word in split_arg_string(os.environ.get("COMP_WORDS", ""))[2:] if word]


def _names(path: str) -> tuple[str, ...]:
    from ..sources import ReadOptions
    from ..sources.dialect_options import dialect
    from ..sources.opening import open_table
    from ..sources.paths import expand

    try:
        first = expand(path, "data")[0]
        if not os.path.isfile(first):  # a pipe would be read
            return ()
        table = open_table(first, None, dialect(ReadOptions()), None)
        table.close()
        return tuple(table.names)
    except Exception:  # a completion has nobody to tell
        return ()


def of_metavar(metavar: Any) -> Complete | None:
    """What completes the value of an option, by what its help calls it."""
    if metavar is None:
        return None
    if "FILE" in metavar:
        return files
    return columns if metavar in ("LIST", "COLUMN") else None
